"""A judgement of the 3D without its truth: a camera left out, predicted from the others."""

from __future__ import annotations

from typing import Any

from .config import Session

LEFT_OUT_FRAMES = 200


def left_out(session: Session, views: Any, rig: Any) -> dict[str, str]:
    """How well the method and plain robust triangulation predict a camera that they are not shown, for the report.

    An attribute of the pose: `left_out`, the table's records, or `left_out_failed`, why there is none.
    """
    from ..triangulate import predict_left_out

    if views.sizes["view"] < 3 or "individual" in views.dims:
        return {}
    own = dict(session.options["reconstruct"])
    method = own.pop("method", "smooth")
    methods = {"ransac": {}} | {method: own}
    try:
        table = predict_left_out(views, rig, methods, skeleton=session.skeleton, n_frames=LEFT_OUT_FRAMES)
    except ValueError as error:  # the pose itself is made: a rig of one camera less may be too little
        return {"left_out_failed": str(error)}
    return {"left_out": str(table.reset_index().to_json(orient="records"))}
