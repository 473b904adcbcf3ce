"""Whether error bars hold: pixels of a camera that was left out against the regions that the other cameras predict.

The points made without a camera predict its pixels: Gaussian about the projection, with the projected covariance and
the camera's own noise, which is estimated from the residuals of all cameras together. Where the regions hold too few or
too many of its pixels, the points' standard deviations are multiplied by a factor per keypoint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from ..cameras import CameraRig
from ..datasets import DatasetError, combine_ensemble, fps_of
from ..numerics.arrays import Array
from .input_checks import matching_rig
from .left_out_pixels import RADIUS_95, LeftOutPixels, MakePose, block_numbers, predicted_pixels, stretches_to_judge
from .noise.detector_noise import DetectorNoise
from .points.recording_noise import estimate_noise

N_POINTS = 4000  # judged in each camera: with errors that last ten frames its share is then known to 1 %
BLOCK = 0.5  # seconds: longer than the errors of a detector last, so that neighbouring blocks have errors of their own
HONEST = (0.90, 0.98)  # share of the pixels that 95 % regions may hold before the covariances are rescaled
_FEWEST = 30  # pixels of a keypoint below which it takes the recording's factor
_RADIUS_50 = -2 * np.log(0.5)  # squared, standard deviations: chi-squared of two axes
_FACTORS = np.geomspace(0.2, 5.0, 161)  # of standard deviations; further off, more than their size is wrong
_MUCH = 2.0  # times as wide, median over the keypoints: more than a model of the noise is usually off by
_LEAST_CHANGE = 0.05  # of a standard deviation: none is known better
_NOISE_ERROR = 0.015  # of the share: what an error of 5 % of the left-out camera's own noise makes
_FACTOR_SPREAD = 0.7  # of the log of a recording's factor: before its pixels are seen a factor of two is not unusual
_KEYPOINT_SPREAD = 0.35  # of the log of a keypoint's factor about the recording's


@dataclass(frozen=True, eq=False)
class Coverage:
    """How many pixels of cameras that were left out lie in the regions predicted from the others.

    Parameters
    ----------
    table : pandas.DataFrame
        By (kind, name), kind "camera", "keypoint" or "all": n (pixels compared, the inliers of all cameras together),
        outliers (share of the pixels that are none; the other columns leave them out), inside_50 and inside_95 (share
        within the 50 % and 95 % regions), judged_95 and rescaled_95 (the same before and after rescaling, on the half
        of the frames that the factors were not learned from; NaN where nothing was rescaled), factor (of a keypoint's
        standard deviations; 1 where they stay), from_points (share of the predicted variance that the points'
        covariances make; the rest is the left-out camera's noise. Where it is small, the check says little about them).
        median_px and p95_px are the distances of all pixels, outliers too, of a confidence above 0.5 from their
        predictions, robust_median_px and robust_p95_px those from plain robust triangulation of the other cameras.
    n_frames : int
        Frames that were judged.
    seconds : float
        Their length.
    note : str
        Why nothing was rescaled where the shares ask for it; empty otherwise.

    Examples
    --------
    See `check_coverage`, which returns it.

    >>> from muybridge.triangulate import Coverage
    >>> list(Coverage.__dataclass_fields__)
    ['table', 'n_frames', 'seconds', 'note']
    """

    table: pd.DataFrame
    n_frames: int
    seconds: float
    note: str = ""

    @property
    def factors(self) -> Array:
        """Factor of the standard deviations of each keypoint, (n_keypoints,); 1 where they stay."""
        return np.array([row["factor"] for row in self._rows("keypoint").values()])

    @property
    def warning(self) -> str:
        """A sentence where the regions do not hold 90 to 98 %, or did not before they were widened much; else empty."""
        final = "inside_95" if (self.factors == 1).all() else "rescaled_95"
        share, factor = self._rows("all")["all"][final], float(np.median(self.factors))
        if not np.isfinite(share):
            return ""
        if share > HONEST[1]:
            return (
                f"The error bars are too wide: 95 % regions hold {100 * share:.0f} % of the pixels of left-out cameras;"
                f" differences may be surer than the error bars say. {self.note}"
            ).strip()
        if share < HONEST[0]:
            return (
                f"The error bars are too narrow: 95 % regions hold {100 * share:.0f} % of the pixels of left-out"
                f" cameras ({self._least(final)}); draw no conclusion from differences of their size, and check the"
                f" calibration and that keypoint's labels. {self.note}"
            ).strip()
        if factor > _MUCH:
            return (
                f"The error bars were too narrow and are now {factor:.1f} times as wide: 95 % regions held"
                f" {100 * self._rows('all')['all']['inside_95']:.0f} % of the pixels of left-out cameras"
                f" ({self._least('inside_95')}). The cameras disagree more than their noise explains: check the"
                " calibration and that keypoint's labels."
            )
        return ""

    def _least(self, column: str) -> str:
        """The keypoint and the camera of the least share."""
        words = []
        for kind, place in (("keypoint", "of keypoint"), ("camera", "in camera")):
            shares = {name: row[column] for name, row in self._rows(kind).items() if np.isfinite(row[column])}
            name = min(shares, key=lambda name: shares[name])
            words.append(f"{100 * shares[name]:.0f} % {place} '{name}'")
        return " and ".join(words)

    def __str__(self) -> str:
        row = self._rows("all")["all"]
        share = {name: f"{100 * value:.1f} %" for name, value in row.items()}
        if not row["n"]:
            return "No pixel of a left-out camera could be compared with a prediction."
        words = [
            f"95 % regions hold {share['inside_95']} and 50 % regions {share['inside_50']} of {int(row['n']):,} pixels"
            f" of left-out cameras, without the {share['outliers']} that are outliers;"
            f" {share['from_points']} of the regions' variance comes from the points' covariances, the rest is the"
            " noise of the left-out camera."
        ]
        changed = self.factors[self.factors != 1]
        if len(changed):
            words.append(
                f"The standard deviations of {len(changed)} of {len(self.factors)} keypoints were multiplied by"
                f" {changed.min():.2f} to {changed.max():.2f}, learned on half of the frames; on the other half 95 %"
                f" regions now hold {share['rescaled_95']}, before {share['judged_95']}."
            )
        return " ".join([*words, self.note]).strip()

    def _rows(self, kind: str) -> dict[str, dict[str, float]]:
        rows = self.table.loc[kind].to_dict("index")
        return {str(name): {str(column): float(value) for column, value in row.items()} for name, row in rows.items()}


def judge_coverage(
    views: xr.Dataset | xr.DataArray,
    rig: CameraRig,
    make_pose: MakePose,
    *,
    noise: DetectorNoise | None = None,
    n_points: int = N_POINTS,
    block: float = BLOCK,
) -> Coverage:
    """Coverage of the predictions of each camera's pixels from the others, and the factors that mend it.

    Parameters
    ----------
    make_pose : makes the pose of all cameras but one
    noise : of the left-out cameras; None: estimated
    n_points : judged in each camera, about
    block : seconds of frames that are learned from and judged in turns

    Raises
    ------
    ValueError : fewer than three cameras, or no positive n_points or block
    DatasetError : the views are malformed or hold several individuals
    """
    views = combine_ensemble(views)
    rig = matching_rig(views, rig)
    if "individual" in views.dims:
        raise DatasetError("the views hold several individuals; select one: views.isel(individual=0)")
    check_cameras(rig)
    if n_points < 1 or not block > 0:
        raise ValueError(f"n_points and block must be positive, got {n_points} and {block}")
    noise = estimate_noise(views, rig) if noise is None else noise
    stretches = stretches_to_judge(views, n_points, block)
    return judge_stretches([views.isel(time=frames) for frames in stretches], rig, make_pose, noise, block)


def check_cameras(rig: CameraRig) -> None:
    """Refuse a rig that has too few cameras to leave one out."""
    if len(rig) < 3:
        raise ValueError(
            "the error bars cannot be checked: leaving a camera out needs at least three cameras, and the rig has"
            f" {len(rig)} ({', '.join(rig.names)})"
        )


def judge_stretches(
    stretches: list[xr.Dataset], rig: CameraRig, make_pose: MakePose, noise: DetectorNoise, block: float = BLOCK
) -> Coverage:
    """`judge_coverage` of the stretches of a recording that are judged by, with the noise of all of it."""
    names = tuple(str(name) for name in stretches[0]["keypoint"].values)
    noise, fps = noise.for_recording(rig, len(names), names), fps_of(stretches[0])
    parts, n_blocks, n_frames = [], 0, sum(part.sizes["time"] for part in stretches)
    for part in stretches:
        blocks = n_blocks + block_numbers(part.sizes["time"], block * fps)
        parts.append(predicted_pixels(part, rig, make_pose, noise, blocks))
        n_blocks = int(blocks[-1]) + 1
    pixels = LeftOutPixels.joined(parts)
    factors = np.ones(len(names))
    note = f"Nothing was rescaled: that takes two blocks of {block:g} s, one to learn from and one to judge by."
    if n_blocks > 1:
        factors = _factors(pixels, noise.correlation)
        note = "Nothing was rescaled: factors learned on half of the frames do not help on the other half."
    if (factors != 1).any() or _is_honest(pixels.among(pixels.inlier).squared_distances() < RADIUS_95):
        note = ""
    return Coverage(_table(pixels, factors, rig.names, names), n_frames, n_frames / fps, note)


def _factors(pixels: LeftOutPixels, correlation: Array) -> Array:
    """(n_keypoints,) factors of the standard deviations, 1 where they stay.

    Learned on every other block of frames: the most probable ones given how many pixels of the left-out cameras lie in
    the 95 % regions, with a prior about 1 and, of keypoints, about the recording's. They count only where the other
    blocks agree that they help.
    """
    learned = pixels.among(pixels.inlier & (pixels.block % 2 == 0))
    judged = pixels.among(pixels.inlier & (pixels.block % 2 == 1))
    factors = np.ones(len(correlation))
    if not len(learned.noise) or not len(judged.noise):
        return factors
    inside = np.stack([learned.squared_distances(factor) < RADIUS_95 for factor in _FACTORS])
    lasting = np.clip(np.nan_to_num(correlation), 0.0, 0.98)
    independent = ((1 - lasting) / (1 + lasting))[learned.keypoint]  # of an autoregressive process
    centre, own = 0.0, learned.squared_distances() < RADIUS_95
    if not _is_honest(own):
        centre = _most_probable(inside, independent, 0.0, _FACTOR_SPREAD)
        factors[:] = np.exp(centre)
    for k in np.unique(learned.keypoint):
        rows = learned.keypoint == k
        if rows.sum() >= _FEWEST and (centre != 0 or not _is_honest(own[rows])):
            factors[k] = np.exp(_most_probable(inside[:, rows], independent[rows], centre, _KEYPOINT_SPREAD))
    factors[np.abs(np.log(factors)) < _LEAST_CHANGE] = 1.0
    changed = judged.among((factors != 1)[judged.keypoint])
    misses = [
        abs(np.mean(changed.squared_distances(factor) < RADIUS_95) - 0.95)
        for factor in (1.0, factors[changed.keypoint])
        if len(changed.noise)
    ]
    return factors if misses and misses[1] < misses[0] else np.ones(len(factors))


def _is_honest(inside: NDArray[np.bool_]) -> bool:
    return not len(inside) or HONEST[0] <= inside.mean() <= HONEST[1]


def _most_probable(inside: NDArray[np.bool_], independent: Array, centre: float, spread: float) -> float:
    """Log of the factor that a Gaussian about `centre` and the share of pixels `inside` (n_factors, n) support most.

    Each pixel counts as so many `independent` (n,) ones.
    """
    variance = 0.05 * 0.95 / max(independent.sum(), 1.0) + _NOISE_ERROR**2
    cost = (inside.mean(axis=1) - 0.95) ** 2 / variance + ((np.log(_FACTORS) - centre) / spread) ** 2
    return float(np.log(_FACTORS[np.argmin(cost)]))


def _table(pixels: LeftOutPixels, factors: Array, cameras: tuple[str, ...], keypoints: tuple[str, ...]) -> pd.DataFrame:
    rescaled, judged = bool((factors != 1).any()), pixels.block % 2 == 1
    before, after = pixels.squared_distances(), pixels.squared_distances(factors[pixels.keypoint])
    columns = {
        "from_points": pixels.variances.sum(axis=1) / (pixels.variances.sum(axis=1) + 2 * pixels.noise),
        "inside_50": before < _RADIUS_50,
        "inside_95": before < RADIUS_95,
        "judged_95": np.where(judged & rescaled, before < RADIUS_95, np.nan),
        "rescaled_95": np.where(judged & rescaled, after < RADIUS_95, np.nan),
    }
    rows: dict[tuple[str, str], dict[str, float]] = {}
    groups = {("camera", name): pixels.camera == c for c, name in enumerate(cameras)}
    groups |= {("keypoint", name): pixels.keypoint == k for k, name in enumerate(keypoints)}
    for (kind, name), chosen in (groups | {("all", "all"): np.ones(len(judged), dtype=bool)}).items():
        own = chosen & pixels.inlier
        row = {"n": int(own.sum()), "outliers": 1 - own.sum() / chosen.sum() if chosen.any() else np.nan}
        row |= {column: _mean(values[own]) for column, values in columns.items()}
        row |= _distances("", pixels.distances[chosen, 0]) | _distances("robust_", pixels.distances[chosen, 1])
        rows[(kind, name)] = row | {"factor": factors[keypoints.index(name)] if kind == "keypoint" else np.nan}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.set_index(pd.MultiIndex.from_tuples(rows, names=["kind", "name"]))


def _distances(prefix: str, distances: Array) -> dict[str, float]:
    """Median and 95th percentile of the known ones."""
    known = distances[np.isfinite(distances)]
    median, p95 = np.quantile(known, [0.5, 0.95]) if len(known) else (np.nan, np.nan)
    return {f"{prefix}median_px": float(median), f"{prefix}p95_px": float(p95)}


def _mean(values: Array) -> float:
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan
