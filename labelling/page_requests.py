"""What the page asks for and what it sends, as plain values: the projects, their instants, pictures and geometry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..cameras import CameraRig
from ..datasets import views_dataset, write_dataset
from ..formats.labels.labelled_frames import LabelError
from .instant_records import STATES, InstantRecord, parse_points
from .label_project import LabelProject
from .loop_jobs import STEPS, LoopJobs, free_folder, name_labels
from .opening import LabelSource
from .picture_store import PictureMissing
from .proposed_points import ProposedPoints, joined
from .rig_geometry import check_points, click_sigma, epipolar_lines, first_sigma


class OpenProject:
    """A project with the cameras and proposals that belong to it.

    rig : the calibrated ones of its cameras, at least two; None: labelling without geometry
    notes : what a person should know, one sentence each
    """

    def __init__(self, project: LabelProject, rig: CameraRig | None, proposals: ProposedPoints):
        self.project, self.proposals, self.notes = project, proposals, list[str]()
        self.sizes = {camera: project.pictures.size(camera) for camera in project.cameras}
        self.rig = None if rig is None else self._fitting(rig)
        self.geometry = threading.Lock()
        self.sigma = 0.0 if self.rig is None else first_sigma(self.rig)
        if self.rig is not None:
            self._preparing = threading.Thread(target=self._prepare, name="geometry", daemon=True)
            self._preparing.start()

    def close(self) -> None:
        """Write what is waiting, and end what runs beside."""
        if self.rig is not None:
            self._preparing.join()
        self.project.close()

    def _prepare(self) -> None:
        """How well the points set so far agree; it also compiles what the first check needs."""
        assert self.rig is not None
        with self.geometry:
            points = self.project.points_2d(self.project.instants(), cameras=self.rig.names, observed_only=True)
            self.sigma = click_sigma(points, self.rig)
            middle = {c.name: {self.project.keypoints[0]: (c.size[0] / 2, c.size[1] / 2)} for c in self.rig}
            check_points(middle, self.rig, self.project.keypoints, self.sigma)

    def _fitting(self, rig: CameraRig) -> CameraRig | None:
        """The cameras whose pictures have the size that they were calibrated with."""
        names = [name for name in rig.names if name in self.sizes]
        for name in list(names):
            size = self.sizes[name]
            if size is not None and size != rig[name].size:
                names.remove(name)
                self.notes.append(
                    f"camera '{name}' is calibrated for pictures of {rig[name].size[0]}x{rig[name].size[1]} px and has"
                    f" {size[0]}x{size[1]} px here: it takes no part in 3D"
                )
        return rig.subset(names) if len(names) >= 2 else None


class PageRequests:
    """Answers the page's requests; each method takes and returns what JSON can hold.

    source : what there is to label
    """

    def __init__(self, source: LabelSource):
        self.source, self.jobs = source, LoopJobs()
        self._open: dict[str, OpenProject] = {}
        self._renewed_after: list[str] | None = None  # lines of the step after which projects were looked for
        self._lock = threading.RLock()

    def opened(self, name: str) -> OpenProject:
        """A project by its name, opened when first asked for. Raises LookupError where there is none."""
        with self._lock:
            if name not in self.source.roots:
                raise LookupError(f"there is no project '{name:.80}'")
            if name not in self._open:
                project = self.source.project(name)
                self._open[name] = OpenProject(project, self.source.rig(), self.source.proposals(project))
            return self._open[name]

    def close(self) -> None:
        """Stop a step that runs, and write what is waiting."""
        self.jobs.stop()
        with self._lock:  # a project may still be opening
            for opened in self._open.values():
                opened.close()

    def get_source(self) -> dict[str, Any]:
        """The projects, and whether the steps of a session can run."""
        session = self.source.session
        return {
            "projects": list(self.source.roots),
            "chosen": self.source.chosen,
            "session": None if session is None else session.name,
            "steps": [] if session is None else list(STEPS),
            "states": list(STATES),
        }

    def get_project(self, name: str) -> dict[str, Any]:
        """Cameras, keypoints and instants of a project."""
        opened = self.opened(name)
        project, rig = opened.project, opened.rig
        names = () if rig is None else rig.names
        cameras = []
        for camera in project.cameras:
            width, height = opened.sizes[camera] or project.pictures.size(camera) or (0, 0)
            cameras.append({"name": camera, "width": width, "height": height, "calibrated": camera in names})
        return {
            "name": name,
            "root": str(project.root),
            "keypoints": list(project.keypoints),
            "bones": [list(bone) for bone in project.bones],
            "cameras": cameras,
            "instants": [
                [i, self._n_decided(project.records.get(i)), project.pictures.n_shown(i)] for i in project.instants()
            ],
            "unit": None if rig is None else rig.unit,
            "sigma": round(opened.sigma, 2),
            "videos": bool(project.videos),
            "notes": [*opened.notes, *project.pictures.problems.values(), *project.tables.failures.values()],
        }

    @staticmethod
    def _n_decided(record: InstantRecord | None) -> int:
        return 0 if record is None else sum(len(own) for own in record.points.values())

    def get_instant(self, name: str, instant: int) -> dict[str, Any]:
        """The points set at an instant, those proposed, and the cameras whose pictures `suggest` chose."""
        opened = self.opened(name)
        project = opened.project
        # `suggest` proposes 3D points as the pictures show them: accepted, they are no further observation
        own = {c: {k: (*xy, "3d") for k, xy in points.items()} for c, points in project.proposed(instant).items()}
        proposed = joined(own, opened.proposals.at(instant))
        known = set(project.keypoints)
        shown = {
            camera: {k: xy for k, xy in proposed.get(camera, {}).items() if k in known} for camera in project.cameras
        }
        return project.record(instant).as_json() | {
            "instant": instant,
            "proposed": shown,
            "suggested": list(project.proposed(instant)),
            "frames": {camera: project.pictures.frame(camera, instant) for camera in project.cameras},
        }

    def get_pictures(
        self, name: str, instant: int, cameras: Sequence[int], width: int, check_wanted: Callable[[], None]
    ) -> Iterator[bytes]:
        """Pictures of cameras (numbers) as JPEG, as they become ready, each below a line of JSON: [camera, bytes].

        0 bytes: there is none; -1: it is being decoded from a video.
        check_wanted : raises what ends the work
        """
        project = self.opened(name).project
        if not cameras or not all(0 <= camera < len(project.cameras) for camera in cameras):
            raise LookupError(f"there are no cameras {list(cameras)!r:.80}")
        found = project.pictures.jpegs([project.cameras[camera] for camera in cameras], instant, width, check_wanted)
        return (b"".join(_below_line(cameras[place], own[place]) for place in sorted(own)) for own in found)

    def change(self, name: str, instant: int, revision: int, changes: Any) -> dict[str, Any]:
        """Set points. Raises StaleRevision, LabelError or ValueError as `LabelProject.change`."""
        project = self.opened(name).project
        project.pictures.give_way()
        record = project.change(instant, revision, parse_points(changes))
        return {"revision": record.revision, "failures": list(project.tables.failures.values())}

    def check(self, name: str, points: Any, lines: Any) -> dict[str, Any]:
        """The geometry of points {camera: {keypoint: [x, y]}}, and the epipolar lines of some {camera: [x, y]}."""
        opened = self.opened(name)
        if opened.rig is None:
            return {"points": {}, "lines": {}}
        opened.project.pictures.give_way()
        placed = {str(camera): {str(k): _pair(xy) for k, xy in own.items()} for camera, own in dict(points).items()}
        with opened.geometry:
            found = check_points(placed, opened.rig, opened.project.keypoints, opened.sigma)
            drawn = epipolar_lines({str(camera): _pair(xy) for camera, xy in dict(lines).items()}, opened.rig)
        return {"points": found, "lines": drawn}

    def add(self, name: str, instant: int) -> dict[str, Any]:
        """Take an instant of the videos into the project."""
        self.opened(name).project.add_instant(instant)
        return {}

    def export(self, name: str) -> dict[str, Any]:
        """Write every table, and the labels as a views dataset that the library reads and triangulates (labels.nc)."""
        project = self.opened(name).project
        project.tables.mark(project.cameras)
        project.tables.flush()
        instants = [i for i in project.instants() if i in project.records]
        points = project.points_2d(instants, cameras=project.cameras)
        if not np.isfinite(points).any():
            raise LabelError("there is no label to export yet")
        fps = (self.source.session.fps if self.source.session else None) or 1.0
        views = views_dataset(
            points, cameras=project.cameras, keypoints=project.keypoints, times=np.array(instants) / fps
        )
        path = project.root / "labels.nc"
        write_dataset(views, path)
        return {"folder": str(project.root), "dataset": str(path), "instants": len(instants)}

    def start(self, name: str, step: str, n: int | None) -> dict[str, Any]:
        """Run a step of the session with the labels as they are now."""
        session = self.source.session
        if session is None:
            raise ValueError("the steps need a session; write one with 'muybridge init'")
        for opened in self._open.values():
            opened.project.tables.mark(opened.project.cameras)
            opened.project.tables.flush()
        to = None
        if step in ("extract", "suggest"):
            to = free_folder(session.folder / ("labels" if step == "extract" else "labels-next"))
        elif step in ("train", "run"):
            self._name_labels()
        self.jobs.start(step, session, n if to is not None else None, to)
        return self.jobs.state()

    def _name_labels(self) -> None:
        """Have the session train on every project in which something was labelled here."""
        session = self.source.session
        assert session is not None
        for opened in self._open.values():
            if any(self._n_decided(record) for record in opened.project.records.values()):
                name_labels(session, Path(opened.project.root))
        self.source = self.source.renewed()

    def get_job(self) -> dict[str, Any]:
        """The step that runs or ran last, and the projects that there are now."""
        state = self.jobs.state()
        if not state["running"] and state["step"]:
            self._renew()
        return state | {"projects": list(self.source.roots)}

    def _renew(self) -> None:
        """After a step: look for new projects, and give the open ones the new cameras and proposals."""
        with self._lock:
            if self._renewed_after is self.jobs.lines:
                return
            self._renewed_after, self.source = self.jobs.lines, self.source.renewed()
            for name, opened in list(self._open.items()):
                project = opened.project
                if project.instants():
                    self._open[name] = OpenProject(project, self.source.rig(), self.source.proposals(project))
                else:  # `extract` may have filled it
                    self._open.pop(name).close()

    def stop(self) -> dict[str, Any]:
        """End the step that runs."""
        self.jobs.stop()
        return self.jobs.state()


def _below_line(camera: int, picture: bytes | PictureMissing) -> bytes:
    if isinstance(picture, PictureMissing):
        return b"[%d,%d]\n" % (camera, -int(picture.coming))
    return b"[%d,%d]\n%b" % (camera, len(picture), picture)


def _pair(value: Any) -> tuple[float, float]:
    x, y = value
    if not all(isinstance(v, int | float) and abs(v) < 1e6 for v in (x, y)):
        raise ValueError(f"a place is two finite numbers of pixels, got {value!r:.80}")
    return float(x), float(y)
