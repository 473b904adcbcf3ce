"""The step "reconstruct": keypoints in pixels and cameras to the animal in 3D, with a diagnosis of both.

Error bars are checked by leaving cameras out unless [reconstruct] check_coverage = false.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...datasets.names import nearest
from ..config import Session, SessionError
from .calibration import load_rig, rig_path
from .step_definition import Step, skeleton_settings
from .view_corrections import SWITCHES, corrected, refined_rig_path, write_used_views

if TYPE_CHECKING:
    import xarray as xr

    from ...cameras import CameraRig

LEFT_OUT_FRAMES = 200  # spread over the recording: enough for a median and a 95th percentile per camera, in seconds


def method_of(session: Session) -> str:
    """The reconstruction method that the session asks for."""
    return str(session.options["reconstruct"].get("method", "smooth"))


def _functions(session: Session) -> tuple[Callable, ...]:
    """`reconstruct`, and the function of its method, whose options it hands on."""
    from ...triangulate import RECONSTRUCTION_METHODS, reconstruct

    method = method_of(session)
    if method not in RECONSTRUCTION_METHODS:
        known = list(RECONSTRUCTION_METHODS)
        raise SessionError(f"[reconstruct] method '{method}' is unknown{nearest(method, known) or f'; known: {known}'}")
    return reconstruct, RECONSTRUCTION_METHODS[method]


def _reconstruct(session: Session, progress: bool) -> None:
    from ...cameras import write_rig
    from ...datasets import read_dataset, write_dataset
    from ...triangulate import diagnose, reconstruct

    rig, views = load_rig(session), read_dataset(session.output / "views.nc")
    if session.skeleton is not None:
        views = views.sel(keypoint=_keypoints(session, list(map(str, views["keypoint"].values))))
    found = corrected(session, views, rig)
    options = {"check_coverage": True} | RECONSTRUCT.given(session) | _trained(session)
    pose = RECONSTRUCT.call(session, reconstruct, found.views, found.rig, skeleton=session.skeleton, **options)
    pose.attrs |= write_used_views(session, views, found.views)
    if found.notes:
        pose.attrs["notes"] = "\n".join(found.notes)
    views, rig = found.views, found.rig
    if session.options["reconstruct"].get("refine_rig", False):
        write_rig(rig, refined_rig_path(session))
    warnings = diagnose(views, rig).warnings
    pose.attrs |= _left_out(session, views, rig) | {"warnings": str(warnings.to_json(orient="records"))}
    if rig.up is not None:
        pose.attrs["up"] = rig.up.tolist()
    write_dataset(pose, session.output / "pose.nc")


def _trained(session: Session) -> dict[str, Any]:
    """The prior and the noise of the detector that [reconstruct] names files of."""
    from ...triangulate import DetectorNoise, PosePrior

    kinds = {"prior": PosePrior, "noise": DetectorNoise}
    return {name: kinds[name].load(path) for name, path in trained_files(session).items()}


def trained_files(session: Session) -> dict[str, Path]:
    """{"prior" or "noise": file} that [reconstruct] names."""
    options = session.options["reconstruct"]
    return {name: session.folder / options[name] for name in ("prior", "noise") if name in options}


def _notes(session: Session) -> list[str]:
    """What was changed in the views or cameras before the reconstruction."""
    from ...datasets import read_dataset

    return str(read_dataset(session.output / "pose.nc").attrs.get("notes", "")).splitlines()


def _keypoints(session: Session, found: list[str]) -> list[str]:
    """The skeleton's keypoints, all of which the 2D points must have."""
    assert session.skeleton is not None
    missing = sorted(set(session.skeleton.keypoints) - set(found))
    if missing:
        raise SessionError(f"{session.path}: [skeleton] names {missing}, which the 2D points lack; they have {found}")
    return list(session.skeleton.keypoints)


def _left_out(session: Session, views: xr.Dataset, rig: CameraRig) -> dict[str, Any]:
    """How well the method and plain robust triangulation predict a camera that is left out, for the report.

    An attribute of the pose: `left_out`, the table's records, or `left_out_failed`, why there is none.
    """
    from ...triangulate import predict_left_out

    if views.sizes["view"] < 3 or "individual" in views.dims:
        return {}
    given = RECONSTRUCT.given(session)
    own = {name: value for name, value in given.items() if name not in ("method", "check_coverage")} | _trained(session)
    methods = {"ransac": {}} | {method_of(session): own}
    try:
        table = predict_left_out(views, rig, methods, skeleton=session.skeleton, n_frames=LEFT_OUT_FRAMES)
    except ValueError as error:  # the pose itself is made: a rig of one camera less may be too little
        return {"left_out_failed": str(error)}
    return {"left_out": str(table.reset_index().to_json(orient="records"))}


def _outputs(session: Session) -> list[Path]:
    refined = [refined_rig_path(session)] if session.options["reconstruct"].get("refine_rig", False) else []
    return [session.output / "pose.nc", *refined]


RECONSTRUCT = Step(
    name="reconstruct",
    functions=_functions,
    inputs=lambda session: [session.output / "views.nc", rig_path(session), *trained_files(session).values()],
    outputs=_outputs,
    work=_reconstruct,
    set_by_session=("views", "rig", "skeleton", "confidence", "covariances_2d", "fps"),
    own_entries=("prior", "noise", *SWITCHES),
    notes=_notes,
    depends_on=lambda session: (
        {"fps": session.fps, "cameras": list(session.cameras), "up": session.up} | skeleton_settings(session)
    ),
)
