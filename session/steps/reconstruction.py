"""The step "reconstruct": keypoints in pixels and cameras to the animal in 3D, with a diagnosis of both.

Error bars are checked by leaving cameras out unless [reconstruct] check_coverage = false.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import xarray as xr

from ...datasets import check_views, combine_ensemble, fps_of, read_dataset
from ...datasets.names import nearest
from ...datasets.netcdf import read_attributes
from ...datasets.stretches import judged_frames
from ..config import Session, SessionError
from .corrections.corrected_views import SWITCHES, corrected, write_corrected
from .corrections.individuals import animals_of
from .pictures import picture_settings, size_problems
from .plausibility import view_warnings, with_stated_pictures
from .reconstruction_files import (
    check_memory,
    is_long,
    method_of,
    named_body,
    refined_rig_path,
    trained,
    trained_files,
    write_used_views,
)
from .rig import load_rig, rig_path
from .step_definition import Step, WindowTasks, skeleton_settings
from .usable_views import needed_keypoints, nothing_in_3d, view_problems, without

if TYPE_CHECKING:
    from ...cameras import CameraRig
    from ...triangulate import Diagnosis

_TWO_CAMERAS = (
    "with two cameras nothing shows that one moved along the lines of sight, or that both have a wrong focal length:"
    " compare a length that you know"
)
_TRIED = 10.0  # seconds of it whose accelerations are judged: several strides of any animal
LEFT_OUT_FRAMES = 200  # spread over the recording: enough for a median and a 95th percentile per camera, in seconds


def _functions(session: Session) -> tuple[Callable, ...]:
    """`reconstruct`, and the function of its method, whose options it hands on."""
    from ...triangulate import RECONSTRUCTION_METHODS, reconstruct

    method = method_of(session)
    if method not in RECONSTRUCTION_METHODS:
        known = list(RECONSTRUCTION_METHODS)
        raise SessionError(f"[reconstruct] method '{method}' is unknown{nearest(method, known) or f'; known: {known}'}")
    return reconstruct, RECONSTRUCTION_METHODS[method]


def _reconstruct(session: Session, progress: bool, tasks: WindowTasks | None = None) -> None:
    from ...cameras import write_rig
    from ...triangulate.diagnosis.confidence import with_confidence
    from ...triangulate.reconstruction import pose_of

    if is_long(session):
        _reconstruct_file(session, tasks)
        return
    check_memory(session)
    rig, views = load_rig(session), read_dataset(session.output / "views.nc")
    views = views.sel(keypoint=needed_keypoints(session, list(map(str, views["keypoint"].values))))
    found = corrected(session, combine_ensemble(views) if "detector" in views.dims else views, rig)
    rig, (diagnosis, used) = found.rig, _judged(session, found.views, found.rig)
    notes = [*found.notes, *_exchanged_sides(session, used, rig)]
    pose = RECONSTRUCT.call(session, pose_of, used, rig, skeleton=session.skeleton, **_options(session))
    if not pose["position"].notnull().any():
        raise SessionError(f"{session.path}: {nothing_in_3d(diagnosis.messages)}")
    pose = pose if diagnosis.cause is None else with_confidence(pose, used, rig, diagnosis.cause)
    pose.attrs |= write_used_views(session, views, found.views)
    if refined := refined_rig_path(session):
        write_rig(rig, refined)
    pose.attrs |= _attributes(session, used, rig, diagnosis, notes, pose)
    pose.attrs |= {"animal_warnings": "\n".join(found.warnings)} if found.warnings else {}
    RECONSTRUCT.write(session, pose, session.output / "pose.nc")


def _judged(session: Session, views: xr.Dataset, rig: CameraRig) -> tuple[Diagnosis, xr.Dataset]:
    """What disagrees among the views, and the views without the cameras that are wrong.

    Raises
    ------
    SessionError : nothing should be reconstructed from them
    """
    from ...triangulate import diagnose

    diagnosis = with_stated_pictures(session, diagnose(views, rig))
    for problem in view_problems(session, views, rig, diagnosis):
        raise SessionError(f"{session.path}: {problem}")
    return diagnosis, without(views, diagnosis.wrong)


def _exchanged_sides(session: Session, views: xr.Dataset, rig: CameraRig) -> list[str]:
    """What `swaps = true` puts right in the views, in words."""
    from ...triangulate.framewise_methods import exchanged_sides

    if not session.options["reconstruct"].get("swaps", False) or "individual" in views.dims:
        return []
    return exchanged_sides(views, rig.subset([str(name) for name in views["view"].values]), session.skeleton)


def _reconstruct_file(session: Session, tasks: WindowTasks | None) -> None:
    """The step for a long recording, from file to file: whole cameras are judged by its middle."""
    from ...cameras import write_rig
    from ...triangulate.file_reconstruction import opened_views, write_changed, write_reconstruction
    from ...triangulate.reconstruction import pose_of
    from ...triangulate.reconstruction_settings import rig_hash, settings_of

    rig, source, own = load_rig(session), session.output / "views.nc", session.output / "used_views.nc"
    with opened_views(source) as views:
        names = list(map(str, views["keypoint"].values))
        chosen = needed_keypoints(session, names)
        rig = rig.subset(list(map(str, views["view"].values)))
    rig, corrections, found = write_corrected(session, source, chosen, rig)
    if found:
        source, names = session.output / found["views_file"], chosen
    if refined := refined_rig_path(session):
        write_rig(rig, refined)
    with opened_views(source) as views:
        n_frames, n_points = views.sizes["time"], views.sizes.get("individual", 1) * len(chosen)
        some = check_views(views.isel(time=judged_frames(n_frames, n_points)).sel(keypoint=chosen).load())
    diagnosis, used = _judged(session, some, rig)
    options = _options(session) | {"check_coverage": False}
    n_tried = max(1, round(_TRIED * fps_of(used)))
    tried = RECONSTRUCT.call(
        session, pose_of, used.isel(time=slice(n_tried)), rig, skeleton=session.skeleton, **options
    )
    notes = [*corrections, *_exchanged_sides(session, used, rig)]
    attributes = found | _attributes(session, used, rig, diagnosis, notes, tried)
    attributes |= RECONSTRUCT.input_attribute(session, {"inputs": json.dumps({"rig": rig_hash(rig)})})
    settings = settings_of(skeleton=session.skeleton, **_options(session))
    more = {"cause": diagnosis.cause, "attributes": attributes, "executor": tasks and tasks.executor}
    try:
        if diagnosis.wrong or chosen != names:
            write_changed(source, own, lambda part: without(part.sel(keypoint=chosen), diagnosis.wrong))
            source = own
        RECONSTRUCT.call(session, write_reconstruction, source, session.output / "pose.nc", rig, settings, **more)
    finally:
        own.unlink(missing_ok=True)


def _options(session: Session) -> dict[str, Any]:
    return {"check_coverage": True} | _given(session)


def _attributes(
    session: Session, used: xr.Dataset, rig: CameraRig, diagnosis: Diagnosis, notes: list[str], pose: xr.Dataset
) -> dict[str, Any]:
    """What the pose says of the views that were used, of the cameras, and of what was left out.

    pose : of the views, or of the first seconds of a long recording
    """
    attrs: dict[str, Any] = {}
    cause = diagnosis.cause
    notes = [*notes, *([cause.note] if cause is not None and cause.note else [])]
    notes = [*notes, *([_TWO_CAMERAS] if len(rig) - len(diagnosis.wrong) == 2 else [])]
    if notes:
        attrs["notes"] = "\n".join(notes)
    # where each camera is left out once for the error bars, the predictions are judged by that
    attrs |= {} if _options(session)["check_coverage"] else _left_out(session, used, rig)
    attrs |= {"warnings": str(diagnosis.warnings.to_json(orient="records"))}
    rig_warnings = view_warnings(session, used, rig, diagnosis, pose)
    attrs |= {"rig_warnings": "\n".join(rig_warnings)} if rig_warnings else {}
    if diagnosis.wrong:
        attrs["left_out_cameras"] = ", ".join(diagnosis.wrong)
    return attrs


def _given(session: Session) -> dict[str, Any]:
    """The options of [reconstruct], files read; a body that is a file is found from the session's folder."""
    given = RECONSTRUCT.given(session) | trained(session)
    return given | {"body": named_body(session)} if "body" in given else given


def _refusals(session: Session) -> list[str]:
    """Settings or files that do not go together or cannot be read, pictures of another size."""
    from ...triangulate import read_body
    from ...triangulate.articulated.movement.movement_prior import trained_covariance
    from ...triangulate.reconstruction_settings import Settings, check_settings, method_options

    method, given, problems = method_of(session), RECONSTRUCT.given(session), []
    files = trained_files(session)
    try:
        own = {name: value for name, value in given.items() if name in method_options(method)}
        known = {name: given[name] for name in ("body", "max_gap", "chunk_frames") if name in given}
        check_settings(Settings(method, prior=files.get("prior"), options=own, **known))
        read = trained(session) if all(path.exists() for path in files.values()) else {}
        if "body" in given:
            trained_covariance(read.get("prior"), read_body(named_body(session)))
    except (ValueError, OSError) as error:
        problems.append(f"[reconstruct] {error}")
    except KeyError:
        pass  # an unknown method, which the options' check names
    if method == "gimbal" and session.skeleton is None:
        problems.append("[reconstruct] method 'gimbal' needs a [skeleton] with keypoints and bones; add it")
    if given.get("swaps") and (session.skeleton is None or not session.skeleton.symmetries):
        problems.append(
            "[reconstruct] swaps = true needs the symmetries of [skeleton], pairs of left and right; add them"
        )
    return problems + _rig_problems(session) + size_problems(session)


def _rig_problems(session: Session) -> list[str]:
    """A rig file that cannot be read, lacks a camera, or differs from the session in its unit."""
    if session.rig is None or not session.rig.exists():
        return []
    try:
        load_rig(session)
    except (ValueError, OSError) as error:
        return [str(error)]
    return []


def _notes(session: Session) -> list[str]:
    """What was changed in the views or cameras before the reconstruction."""
    return str(read_attributes(session.output / "pose.nc").get("notes", "")).splitlines()


def _left_out(session: Session, views: xr.Dataset, rig: CameraRig) -> dict[str, Any]:
    """How well the method and plain robust triangulation predict a camera that is left out, where no check does it.

    An attribute of the pose: `left_out`, the table's records, or `left_out_failed`, why there is none.
    """
    from ...triangulate import predict_left_out

    if views.sizes["view"] < 3 or "individual" in views.dims:
        return {}
    given = _given(session)
    own = {name: value for name, value in given.items() if name not in ("method", "check_coverage")}
    methods = {"ransac": {}} | {method_of(session): own}
    try:
        table = predict_left_out(views, rig, methods, skeleton=session.skeleton, n_frames=LEFT_OUT_FRAMES)
    except ValueError as error:  # the pose itself is made: a rig of one camera less may be too little
        return {"left_out_failed": str(error)}
    return {"left_out": str(table.reset_index().to_json(orient="records"))}


RECONSTRUCT = Step(
    name="reconstruct",
    functions=_functions,
    inputs=lambda session: [session.output / "views.nc", rig_path(session), *trained_files(session).values()],
    outputs=lambda session: [session.output / "pose.nc", *filter(None, [refined_rig_path(session)])],
    work=_reconstruct,
    set_by_session=("views", "rig", "skeleton", "confidence", "covariances_2d", "fps"),
    own_entries=("prior", "noise", *SWITCHES),
    notes=_notes,
    refusals=_refusals,
    in_windows=True,
    depends_on=lambda session: (
        {"fps": session.fps, "cameras": list(session.cameras), "up": session.up}
        | {name: value for name, value in animals_of(session).items() if value is not None}
        | picture_settings(session)
        | skeleton_settings(session)
    ),
)
