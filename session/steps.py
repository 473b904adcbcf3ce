"""The steps of a session: calibrate, train, predict, reconstruct, kinematics, report.

Each reads files, calls one public function, and writes one file; `run_session` walks them in order and leaves out those
whose outputs are current.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._kernels_compile_notice import told_when_compiling
from .config import STEPS, Session, SessionError
from .left_out_camera import left_out
from .provenance import Ledger, write_text
from .recording_facts import check_same_instants
from .step_options import call, check_own_options

if TYPE_CHECKING:
    import pandas as pd

    from ..calibration import CalibrationReport
    from ..cameras import CameraRig

Say = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One step: the files it reads and writes, whether the session asks for it, and the work itself."""

    name: str
    asked_for: Callable[[Session], bool]
    inputs: Callable[[Session], list[Path]]
    outputs: Callable[[Session], list[Path]]
    work: Callable[[Session, bool], None]


def run_session(
    session: Session,
    steps: tuple[str, ...] = STEPS,
    *,
    force: bool = False,
    progress: bool = True,
    say: Say | None = None,
) -> dict[str, float]:
    """Run the steps that the session asks for and whose outputs are not current.

    Parameters
    ----------
    steps : names out of `STEPS`, walked in their order
    force : run them even where nothing has changed
    say : told one line per step

    Returns
    -------
    {step: seconds} of the steps that ran

    Raises
    ------
    SessionError, CalibrationError, DatasetError, VideoError : what is wrong, where, and the remedy; the outputs of the
    steps before stay, and no partial file is left
    """
    say = say or (lambda line: None)
    ledger, seconds = _ledger(session), {}
    for step in (ALL_STEPS[name] for name in STEPS if name in steps):
        if not step.asked_for(session):
            continue
        check_own_options(session, step.name)
        _check_inputs(session, step)
        options = _relevant_options(session, step.name)
        fingerprint = ledger.fingerprint(step.name, step.inputs(session), options)
        if not force and ledger.is_current(step.name, fingerprint, step.outputs(session)):
            say(f"{step.name}: up to date")
            continue
        started = time.perf_counter()
        session.output.mkdir(parents=True, exist_ok=True)
        with told_when_compiling(say):
            step.work(session, progress)
        seconds[step.name] = time.perf_counter() - started
        ledger.record(step.name, fingerprint, step.outputs(session), options)
        say(f"{step.name}: {seconds[step.name]:.1f} s -> {step.outputs(session)[0]}")
    return seconds


def _ledger(session: Session) -> Ledger:
    return Ledger(session.output / "provenance")


def _check_inputs(session: Session, step: Step) -> None:
    for path in step.inputs(session):
        if not path.exists():
            maker = next((other.name for other in ALL_STEPS.values() if path in other.outputs(session)), None)
            remedy = f"run 'muybridge {maker} {session.path}' first" if maker else "correct the path"
            raise SessionError(f"step '{step.name}' needs {path}, which does not exist; {remedy}")


def _relevant_options(session: Session, step: str) -> dict[str, Any]:
    """What of the session file a step's output depends on."""
    options: dict[str, Any] = {"options": session.options.get(step, {})}
    if step == "calibrate":
        options |= {"board": session.board, "unit": session.unit, "cameras": list(session.cameras)}
        options |= {"floor_frame": session.floor_frame}
    if step in ("predict", "reconstruct"):
        options |= {"fps": session.fps, "cameras": list(session.cameras), "up": session.up}
    if step in ("reconstruct", "report") and session.skeleton is not None:
        options |= {"keypoints": session.skeleton.keypoints, "bones": session.skeleton.bones}
    if step == "kinematics":
        options |= {"joints": session.joints, "limbs": session.limbs}
    return options


def _flat(sources: dict[str, Any]) -> list[Path]:
    return [path for source in sources.values() for path in (source if isinstance(source, tuple) else (source,))]


# calibrate


def rig_path(session: Session) -> Path:
    return session.rig or session.output / "rig.toml"


def load_rig(session: Session) -> CameraRig:
    """The session's cameras: calibrated, or from elsewhere; with the session's `up` where it gives one."""
    from ..cameras import read_rig

    rig = read_rig(rig_path(session))
    unknown = [name for name in session.cameras if name not in rig.names]
    if unknown:
        raise SessionError(f"{rig_path(session)} has no camera '{unknown[0]}'; it has {list(rig.names)}")
    rig = rig.subset(session.cameras)
    return rig if session.up is None else replace(rig, up=session.up)


def _known_lenses(session: Session) -> list[Path]:
    """The rig file whose lenses are kept, if the session names one."""
    named = session.options["calibrate"].get("intrinsics")
    return [] if named is None else [session.folder / named]


def _calibrate(session: Session, progress: bool) -> None:
    from ..calibration import calibrate, world_from_board
    from ..cameras import read_rig, write_rig

    boards = session.sources("board")
    lacking = [name for name in session.cameras if name not in boards]
    if lacking:
        raise SessionError(
            f"{session.path}: camera '{lacking[0]}' has no 'board' source; add it, or give [session] rig"
        )
    check_same_instants({name: path for name, path in boards.items() if isinstance(path, Path)}, "board videos")
    sources = {
        name: [str(p) for p in source] if isinstance(source, tuple) else source for name, source in boards.items()
    }
    options = {"unit": session.unit, **session.options["calibrate"]}
    if "intrinsics" in options:
        options["intrinsics"] = read_rig(session.folder / options["intrinsics"])
    calibration = call(session, "calibrate", calibrate, sources, session.make_board(), progress=progress, **options)
    if session.floor_frame is not None:
        calibration = world_from_board(calibration, session.floor_frame)
    rig = calibration.rig
    write_text(session.output / "calibration.json", json.dumps(calibration.report.as_dict(), indent=1))
    write_rig(rig, session.output / "rig.toml")


# train and predict


def detector_path(session: Session) -> Path | None:
    """The detector that predicts: the one named by [predict] detector, else the trained one, else None."""
    named = session.options["predict"].get("detector")
    if named is not None:
        return session.folder / named
    return session.output / "detector.safetensors" if _trains(session) else None


def _trains(session: Session) -> bool:
    return "labels" in session.options["train"] and not _has_points(session)


def _has_points(session: Session) -> bool:
    points = session.sources("points")
    if points and len(points) < len(session.cameras):
        lacking = next(name for name in session.cameras if name not in points)
        raise SessionError(
            f"{session.path}: camera '{lacking}' has no 'points' file while others have; give all or none"
        )
    return bool(points)


def label_folders(session: Session) -> list[Path]:
    """Where the labelled frames lie: one folder or file, several, or none."""
    labels = session.options["train"].get("labels", [])
    return [session.folder / entry for entry in (labels if isinstance(labels, list) else [labels])]


def _train_inputs(session: Session) -> list[Path]:
    options = session.options["train"]
    others = [session.folder / options[name] for name in ("weights", "start") if _is_path(options.get(name))]
    return label_folders(session) + others


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value != "imagenet"


def _train(session: Session, progress: bool) -> None:
    from ..pose2d import join_labels, load_detector, read_labels, train

    options = {name: value for name, value in session.options["train"].items() if name != "labels"}
    labels = join_labels([read_labels(folder) for folder in label_folders(session)])
    if session.skeleton is not None and set(labels.keypoints) != set(session.skeleton.keypoints):
        different = sorted(set(labels.keypoints) ^ set(session.skeleton.keypoints))
        raise SessionError(
            f"{session.path}: the labels and the [skeleton] do not name the same keypoints: {different} are in one only"
        )
    if _is_path(options.get("weights")):
        options["weights"] = session.folder / options["weights"]
    if "start" in options:
        options["start"] = load_detector(session.folder / options["start"])
    checkpoint = _checkpoint(session, "train")
    detector = call(session, "train", train, labels, progress=progress, checkpoint=checkpoint, **options)
    detector.save(session.output / "detector.safetensors")
    checkpoint.unlink(missing_ok=True)


def _checkpoint(session: Session, step: str) -> Path:
    """Where a killed step goes on from; named by its fingerprint, so that no other run meets this state."""
    fingerprint = _ledger(session).fingerprint(step, ALL_STEPS[step].inputs(session), _relevant_options(session, step))
    return session.output / f"{step}-{fingerprint[:12]}.checkpoint"


def _predict_inputs(session: Session) -> list[Path]:
    if _has_points(session):
        return _flat(session.sources("points"))
    detector = detector_path(session)
    if detector is None:
        raise SessionError(
            f"{session.path} says neither where 2D points come from nor how to find them: give every camera a 'points'"
            " file, or [train] labels, or [predict] detector"
        )
    return [detector, *_flat(session.sources("video"))]


def _predict(session: Session, progress: bool) -> None:
    from ..datasets import write_dataset

    videos = session.sources("video")
    check_same_instants(videos, "videos")
    options = {name: value for name, value in session.options["predict"].items() if name != "detector"}
    if _has_points(session):
        from ..formats import read_views

        fps = session.fps or (check_same_instants(videos, "videos") if videos else None)
        views = call(session, "predict", read_views, session.sources("points"), fps=fps, **options)
    else:
        from ..pose2d import load_detector, predict

        lacking = [name for name in session.cameras if name not in videos]
        if lacking:
            raise SessionError(
                f"{session.path}: camera '{lacking[0]}' has no 'video'; add it to [cameras.{lacking[0]}]"
            )
        path = detector_path(session)
        assert path is not None  # _predict_inputs has refused the other case
        options = {"checkpoint": _checkpoint(session, "predict"), **options}
        views = call(session, "predict", predict, load_detector(path), videos, progress=progress, **options)
        _refuse_truncated(videos, views)
    write_dataset(views, session.output / "views.nc")


def _refuse_truncated(videos: dict[str, Path], views: Any) -> None:
    """A few damaged frames are gaps; a tenth of a video is a file that was cut off."""
    for (name, path), n_damaged in zip(videos.items(), views.attrs["damaged_frames"], strict=True):
        n_frames = views.sizes["time"]
        if n_damaged > 0.1 * n_frames:
            raise SessionError(
                f"camera '{name}': {n_damaged} of {n_frames} frames of {path} cannot be decoded; it is truncated or"
                " damaged: copy it again"
            )


# reconstruct, kinematics, report


def _reconstruct(session: Session, progress: bool) -> None:
    from ..datasets import read_dataset, write_dataset
    from ..triangulate import diagnose, reconstruct

    rig, options = load_rig(session), session.options["reconstruct"]
    views = read_dataset(session.output / "views.nc")
    if session.skeleton is not None:
        _check_skeleton_matches(session, list(map(str, views["keypoint"].values)))
        views = views.sel(keypoint=list(session.skeleton.keypoints))
    pose = call(session, "reconstruct", reconstruct, views, rig, skeleton=session.skeleton, **options)
    pose.attrs |= left_out(session, views, rig) | {"diagnosis": "\n".join(diagnose(views, rig).messages)}
    if rig.up is not None:
        pose.attrs["up"] = rig.up.tolist()
    write_dataset(pose, session.output / "pose.nc")


def _check_skeleton_matches(session: Session, keypoints: list[str]) -> None:
    assert session.skeleton is not None
    missing = sorted(set(session.skeleton.keypoints) - set(keypoints))
    if missing:
        raise SessionError(
            f"{session.path}: [skeleton] names {missing}, which the 2D points lack; they have {keypoints}"
        )


def _kinematics(session: Session, progress: bool) -> None:
    from ..datasets import check_pose, read_dataset, write_dataset
    from ..kinematics import gait, joint_angles, velocity

    pose = check_pose(read_dataset(session.output / "pose.nc"))
    motion = velocity(pose)
    if session.joints:
        angles = call(session, "kinematics", joint_angles, pose, dict(session.joints), **session.options["kinematics"])
        motion = motion.merge(angles, combine_attrs="drop_conflicts")
    if session.limbs:
        if "up" not in pose.attrs:
            raise SessionError(
                f"{session.path}: [gait] needs the vertical; give [session] floor_frame (a frame in which the board"
                " lies on the floor) or up = [x, y, z]"
            )
        found = gait(pose, session.limbs)
        motion = motion.merge(found.contact, combine_attrs="drop_conflicts")
        write_text(_strides_path(session), found.strides.to_csv(index=False))
    write_dataset(motion, session.output / "kinematics.nc")


def _strides_path(session: Session) -> Path:
    return session.output / "strides.csv"


def _read_strides(session: Session) -> pd.DataFrame | None:
    import pandas as pd

    return pd.read_csv(_strides_path(session)) if session.limbs and _strides_path(session).is_file() else None


def read_calibration_report(session: Session) -> CalibrationReport | None:
    """The report that the calibrate step wrote, None where the cameras come from elsewhere."""
    from ..calibration import CalibrationReport

    path = session.output / "calibration.json"
    if not path.exists():
        return None
    try:
        return CalibrationReport.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise SessionError(f"{path} is damaged; run 'muybridge calibrate --force {session.path}'") from error


def write_session_report(session: Session, errors: pd.DataFrame | None = None) -> Path:
    """Write the HTML report of what the session's steps have made."""
    from ..datasets import read_dataset
    from ..report import write_report

    report = read_calibration_report(session)
    views, pose = read_dataset(session.output / "views.nc"), read_dataset(session.output / "pose.nc")
    return call(
        session,
        "report",
        write_report,
        session.output / "report.html",
        title=session.name,
        summary=_summary(session, pose),
        rig=load_rig(session),
        calibration_report=report,
        views=views,
        pose=pose,
        kinematics=read_dataset(session.output / "kinematics.nc"),
        skeleton=session.skeleton,
        videos=session.sources("video"),
        errors=errors,
        strides=_read_strides(session),
        **session.options["report"],
    )


def _report(session: Session, progress: bool) -> None:
    write_session_report(session)


def _summary(session: Session, pose: Any) -> dict[str, str]:
    from ..datasets import fps_of

    n_frames, fps = pose.sizes["time"], fps_of(pose)
    return {
        "Session file": str(session.path),
        "Cameras": ", ".join(session.cameras),
        "Frames": f"{n_frames} at {fps:g} Hz ({n_frames / fps:.2f} s)",
        "Keypoints": str(pose.sizes["keypoint"]),
        "World unit": str(pose["position"].attrs["units"]),
        "Method": str(session.options["reconstruct"].get("method", "smooth")),
    }


ALL_STEPS = {
    step.name: step
    for step in (
        Step(
            "calibrate",
            lambda s: s.rig is None,
            lambda s: _flat(s.sources("board")) + _known_lenses(s),
            lambda s: [s.output / "rig.toml", s.output / "calibration.json"],
            _calibrate,
        ),
        Step("train", _trains, _train_inputs, lambda s: [s.output / "detector.safetensors"], _train),
        Step("predict", lambda s: True, _predict_inputs, lambda s: [s.output / "views.nc"], _predict),
        Step(
            "reconstruct",
            lambda s: True,
            lambda s: [s.output / "views.nc", rig_path(s)],
            lambda s: [s.output / "pose.nc"],
            _reconstruct,
        ),
        Step(
            "kinematics",
            lambda s: True,
            lambda s: [s.output / "pose.nc"],
            lambda s: [s.output / "kinematics.nc", *([_strides_path(s)] if s.limbs else [])],
            _kinematics,
        ),
        Step(
            "report",
            lambda s: True,
            lambda s: [s.output / "views.nc", s.output / "pose.nc", s.output / "kinematics.nc", rig_path(s)],
            lambda s: [s.output / "report.html"],
            _report,
        ),
    )
}
