"""A body fitted to a recording: what never changes is learned where the animal moves most, its movement by windows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from tqdm import tqdm

from ...numerics.arrays import Array
from ...numerics.banded import one_blas_thread
from ...numerics.robust_scale import present_median
from ...numerics.threads import in_advance
from ..smoothing.long_recordings.tracked_frames import windows
from .body_posterior import BodyFit, by_frame, described, warn_doubtful
from .body_prior import Model
from .body_state import State
from .movement.movement_prior import MovementPrior, trained_covariance
from .pixel_noise import PixelNoise
from .recording_start import Beginning, SidesPutBack, Source, Tracks
from .trajectory_fit import Fit, first_model, fit_trajectory

_WINDOW, _LEAST_WINDOW, _OVERLAP = 300, 20, 30  # frames: solved at once, at least so many, and on either side besides
_STRETCH = 3000  # frames in memory at a time, in which windows are solved
_CONTEXT = 300  # frames on either side of them: sides that are exchanged, and gaps, are bridged from there
_N_AHEAD = 32  # stretches that are begun elsewhere at once, whose results wait here
_MOVES = 0.05  # seconds in which movement is measured: a part of a stride
_NEARLY = 0.9  # share of the most pixels of a stretch that those of one to learn from may fall to
_TURN = 2 * np.pi  # radians of a whole turn


@dataclass(frozen=True, eq=False)
class Recording:
    """What is fitted, and what was learned from its best frames, `best`, which `begun` has.

    length, stretch : frames of a window, and of the windows that are in memory at a time
    """

    source: Source
    sides: SidesPutBack
    tracks: Tracks
    begun: Beginning
    length: int
    stretch: int
    best: slice
    learned: Fit

    @property
    def whole(self) -> bool:
        """Whether the best stretch is all there is."""
        return self.best == slice(0, self.source.n_frames)

    def refitted(self, model: Model, state: State) -> Recording:
        """With the best stretch fitted again where more is known than was learned here."""
        known = replace(model, deviation_std=self.learned.deviations.std)
        pixels, spread = self.begun.at(self.best, self.learned.pixels.offsets)
        return replace(self, learned=fit_trajectory(pixels, known, state, spread, learn=False))

    def fitted(self, progress: bool = False) -> BodyFit:
        """All frames."""
        n_frames, whole, converged = self.source.n_frames, {}, True
        with tqdm(total=n_frames, desc="fitting the body", unit="frame", disable=not progress or self.whole) as bar:
            for kept, part, own in self.stretches():
                for name, values in part.items():
                    whole.setdefault(name, np.empty((n_frames, *values.shape[1:])))[kept] = values
                converged &= own
                bar.update(kept.stop - kept.start)
        warn_doubtful(self.learned)
        return described(self.learned, self.source.fps, whole, converged)

    def pieces(self, executor: Executor | None = None) -> Iterator[tuple[slice, BodyFit]]:
        """Consecutive stretches of the recording: their frames, and the result as if these were all."""
        warn_doubtful(self.learned)
        for kept, part, converged in self.stretches(executor):
            yield kept, described(self.learned, self.source.fps, part, converged)

    def stretches(self, executor: Executor | None = None) -> Iterator[tuple[slice, dict[str, Array], bool]]:
        """Frames of consecutive stretches, what changes in them (`by_frame`), and whether all windows converged.

        executor : where stretches are solved; None: here, one after the other
        """
        if self.whole:
            yield self.best, by_frame(self.learned, self.source.fps, self.begun.pixels.given), self.learned.converged
            return
        plan, n = list(windows(self.source.n_frames, self.length, _OVERLAP)), max(1, self.stretch // self.length)
        tasks = [partial(self._stretch, plan[i : i + n]) for i in range(0, len(plan), n)]
        angles = None
        with one_blas_thread(), closing(in_advance(tasks, 1 if executor is None else _N_AHEAD, 1, executor)) as found:
            for kept, part, converged in found:
                angles = part["angles"] = _continued(part["angles"], angles)
                yield kept, part, converged and self.learned.converged

    def _stretch(self, plan: list[tuple[slice, slice]]) -> tuple[slice, dict[str, Array], bool]:
        kept, n_frames = slice(plan[0][1].start, plan[-1][1].stop), self.source.n_frames
        frames, begun = slice(max(0, kept.start - _CONTEXT), min(n_frames, kept.stop + _CONTEXT)), self.begun
        if not begun.has(frames):
            begun = begun.elsewhere(self.sides, self.tracks, frames)
        parts, converged = [], True
        for wide, inner in plan:
            fit = self._window(begun, wide)
            part = by_frame(fit, self.source.fps, begun.pixels.given[:, begun.place(wide)])
            own = slice(inner.start - wide.start, inner.stop - wide.start)
            parts.append({name: values[own] for name, values in part.items()})
            converged &= fit.converged
        return kept, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, converged

    def _window(self, begun: Beginning, frames: slice) -> Fit:
        learned = self.learned
        known = replace(learned.model, deviation_std=learned.deviations.std)
        pixels, spread = begun.at(frames, learned.pixels.offsets)
        start = begun.state(frames, known.body, learned.state)
        return fit_trajectory(pixels, known, start, spread, root=learned.posterior.root)


def learn(
    source: Source,
    *,
    order: int | None,
    time_offsets: bool,
    window: float | None,
    prior: MovementPrior | None = None,
) -> Recording:
    """See `fit_body`."""
    if window is not None and not window > 0:
        raise ValueError(f"window must be a positive number of seconds, got {window!r}")
    n_frames = source.n_frames
    length = _WINDOW if window is None else max(_LEAST_WINDOW, round(window * source.fps))
    sides = SidesPutBack.of(source, _STRETCH)
    tracks = Tracks.of(sides)
    best, stretch = _telling_frames(sides, length + 2 * _OVERLAP), max(_STRETCH, length)
    begun = Beginning.of(sides, tracks, _around(best, stretch + 2 * _CONTEXT, n_frames))

    state, noise = begun.state(best, begun.body), source.noise or _first_noise(tracks.sigma)
    trained = trained_covariance(prior, begun.body)
    model = first_model(begun.body, source.fps, order, state, noise, begun.size, begun.size_std, trained)
    pixels, spread = begun.at(best, np.zeros(len(source.rig)))
    learned = fit_trajectory(pixels, model, state, spread, find_offsets=time_offsets)
    return Recording(source, sides, tracks, begun, length, stretch, best, learned)


def _telling_frames(pixels: SidesPutBack, length: int) -> slice:
    """So many frames to learn from: where the animal moves most, of those in which nearly as much is seen as in any.
    Precisions learned while it rests would hold it back where it runs."""
    n_frames = pixels.n_frames
    if n_frames <= length:
        return slice(0, n_frames)
    later = max(1, round(_MOVES * pixels.source.fps))
    parts = [
        _seen_and_moved(pixels, slice(i, min(i + _STRETCH, n_frames)), later) for i in range(0, n_frames, _STRETCH)
    ]
    sums = np.cumsum(np.pad(np.concatenate(parts, axis=1), ((0, 0), (1, 0))), axis=1)
    seen, moved = sums[:, length:] - sums[:, :-length]
    first = int(np.where(seen >= _NEARLY * seen.max(), moved, -1.0).argmax())
    return slice(first, first + length)


def _seen_and_moved(pixels: SidesPutBack, frames: slice, later: int) -> Array:
    """(2, n_frames) pixels that are there, and by how much markers move until so many frames later: pixels, the median
    of the cameras."""
    n = frames.stop - frames.start
    points_2d = pixels.at(slice(frames.start, min(frames.stop + later, pixels.n_frames))).points_2d
    steps = np.linalg.norm(points_2d[:, later:] - points_2d[:, :-later], axis=-1)[:, :n]
    moved = np.nan_to_num(present_median(steps, axis=0)).mean(axis=-1)
    seen = np.isfinite(points_2d[:, :n, :, 0]).sum(axis=(0, 2))
    return np.stack([seen, np.pad(moved, (0, n - len(moved)))]).astype(float)


def _around(best: slice, length: int, n_frames: int) -> slice:
    """So many frames, or all, with the best ones in the middle as far as possible."""
    first = max(0, min((best.start + best.stop - length) // 2, n_frames - length))
    return slice(first, min(n_frames, first + length))


def _continued(angles: Array, before: Array | None) -> Array:
    """With the root's turns (of which the same posture has many) nearest to those of the frames before."""
    if before is None:
        return angles
    turns = np.round((before[-1] - angles[0]) / _TURN) * _TURN
    turns[:3] = turns[6:] = 0.0
    return angles + turns


def _first_noise(sigma: Array) -> PixelNoise:
    known = np.isfinite(sigma)
    sigma = np.where(known, sigma, sigma[known].mean())
    return PixelNoise.of(sigma, 0.3 * float(sigma.mean()))
