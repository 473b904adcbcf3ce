"""The cause of a disagreement of whole cameras, and whether it forbids a reconstruction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...cameras import CameraRig
from ...cameras.epipolar import camera_pair_indices
from ...numerics.arrays import Array, evenly_spread
from ..noise.evidence import is_evident
from ..rig_refinement.frame_offset_search import FrameOffsets
from ..rig_refinement.frame_shift import shift_frames
from .agreement import UNFIT, Agreement, find_mistakes
from .changes import Mistake
from .delays import find_delays, offset_reach, signed_errors
from .frame_jumps import Jump, find_jumps, jump_offsets
from .systematic import FARTHEST_TURN

_BY_CHANCE = 0.15  # share of unrelated points that agree as well, beyond which the views do not fit the rig
_ENTERED_TWICE = "the same points"
_APART, _FAR_APART = 2.0, 4.0  # times the noise of two cameras' points by which they disagree: a warning, a refusal
_AS_NOISE = 1.25  # the same, up to which two cameras agree
_LEAST_APART = 0.001  # of the image's width: what a calibration of two cameras may be off by
_CLEARLY_LESS, _FAR_LESS = 2.0, 5.0  # times as small an error as another cause, or as nothing undone, leaves
_ABOUT = 5  # frames, by which the frame of a jump may be another
_COMPARED = 40_000  # points of a camera at which its errors with and without jumps are compared
_COMPARE = (
    "compare each file with a frame of its video; lengths and angles are nearly the same either way, places and"
    " directions are turned"
)
_NOTEWORTHY = 0.1  # the same share, beyond which a disagreement of unknown cause is worth a warning


@dataclass(frozen=True, eq=False)
class Cause:
    """What is wrong with whole cameras.

    agreement : of the cameras, with delays undone
    mistakes : with those of delays
    offsets : of delayed cameras
    refusal : why nothing should be reconstructed, or nothing
    jumps : of cameras that lost or repeated frames midway
    """

    agreement: Agreement
    mistakes: tuple[Mistake, ...]
    offsets: FrameOffsets | None
    refusal: str
    jumps: tuple[Jump, ...] = ()

    @property
    def warning(self) -> str:
        """A sentence where no camera is known to be wrong and all together disagree more than cameras should."""
        agreement = self.agreement
        if self.mistakes or self.refusal:
            return ""
        if agreement.exchanged_px * _AS_NOISE < agreement.majority_px:
            return f"T{_exchanged(agreement, 'better')[1:]}: {_COMPARE}."
        least_px = max(_APART * agreement.noise_px, _LEAST_APART / UNFIT * agreement.limit_px)
        if agreement.is_moved and agreement.majority_px > least_px:
            return _moved_apart(agreement)
        if np.isfinite(agreement.focal_factor):
            return (
                f"The focal lengths of all cameras may be {agreement.focal_factor:.2g} times those that the points were"
                " seen with, and all lengths wrong by that: the cameras agree better so, but not for certain; compare"
                " a bone's length with the animal's, or calibrate the lenses again at the recording's zoom."
            )
        if not _disagree(agreement):
            return ""
        return (
            f"The cameras disagree by {agreement.majority_px:.1f} px (median epipolar error), where unrelated points"
            f" would by {agreement.unrelated_px:.0f} px, and nothing that was tried explains it: the detections are"
            " that far off, or a file is not that of its camera, a camera moved since the calibration, or the rig is of"
            " another day; look at the points in the pictures, then calibrate again or refine the rig."
        )

    @property
    def wrong(self) -> tuple[str, ...]:
        """The cameras that mistakes other than delays concern."""
        return tuple(dict.fromkeys(name for mistake in self.agreement.mistakes for name in mistake.cameras))

    @property
    def note(self) -> str:
        """A sentence where two cameras would agree as well with their files exchanged."""
        agreement = self.agreement
        ratio = agreement.exchanged_px / agreement.majority_px if agreement.majority_px > 0 else np.nan
        if self.mistakes or self.refusal or not 1 / _AS_NOISE <= ratio < _AS_NOISE:
            return ""
        return f"{_exchanged(agreement, 'as well')}, and the points do not tell whose they are: {_COMPARE}"

    def in_time(self, points_2d: Array) -> Array:
        """Points (n_cameras, n_individuals, n_frames, n_keypoints, 2) with the cameras' delays and jumps removed."""
        return _in_time(_without_jumps(points_2d, self.jumps), self.offsets)

    @property
    def is_late(self) -> bool:
        """Whether frames of cameras are of other instants, and known how many."""
        return self.offsets is not None or bool(self.jumps)


def find_cause(points_2d: Array, rig: CameraRig, keypoints: Sequence[str], fps: float | None) -> Cause:
    """Find what explains that cameras disagree, from points (n_cameras, n_individuals, n_frames, n_keypoints, 2)."""
    offsets, delays = find_delays(_beside(points_2d), rig, fps)
    agreement = find_mistakes(_in_time(points_2d, offsets), rig, keypoints)
    if delays and not agreement.mistakes:
        # what does not make the cameras agree is no cause: a delay may bring exchanged or mirrored views of an animal
        # that comes back nearer to each other
        as_given = find_mistakes(points_2d, rig, keypoints)
        if _explains_more(as_given, agreement) or not _explains(agreement, as_given):
            offsets, delays, agreement = None, [], as_given
    if agreement.mistakes:
        if not delays:
            offsets, delays = find_delays(_beside(agreement.mended(points_2d, rig)), agreement.mended_rig(rig), fps)
        return Cause(agreement, (*agreement.mistakes, *delays), offsets, _refusal(agreement, rig))
    jumped = _with_jumps(points_2d, rig, keypoints, fps, offsets, agreement)
    return Cause(agreement, tuple(delays), offsets, _refusal(agreement, rig)) if jumped is None else jumped


def _explains_more(as_given: Agreement, in_time: Agreement) -> bool:
    """Whether mistakes of the views as they are given leave less to explain than delays do."""
    if not as_given.mistakes:
        return False
    left = max(mistake.after_px for mistake in as_given.mistakes)
    return in_time.majority_px > in_time.limit_px or not left * _CLEARLY_LESS > in_time.majority_px


def _explains(in_time: Agreement, as_given: Agreement) -> bool:
    """Whether delays make two cameras, which have no others to judge by, agree up to the noise."""
    if len(in_time.related) > 2:
        return True
    is_noise = in_time.majority_px < max(_APART * in_time.noise_px, _LEAST_APART / UNFIT * in_time.limit_px)
    return is_noise or in_time.majority_px * _FAR_LESS < as_given.majority_px


def _with_jumps(
    points_2d: Array,
    rig: CameraRig,
    keypoints: Sequence[str],
    fps: float | None,
    offsets: FrameOffsets | None,
    found: Agreement,
) -> Cause | None:
    """The cause where cameras lost frames midway, if that leaves nothing else to explain.

    found : how the cameras agree with the constant `offsets` removed alone
    """
    jumps, words = _jumps(points_2d, offsets, rig, fps)
    if not jumps:
        return None
    if offsets is not None:  # a constant delay of a camera that jumps is of some of its frames
        early, early_words = _jumps(points_2d, None, rig, fps)
        jumps, words = (early, early_words) if early else (jumps, words)
    steady, whole = _in_time(points_2d, offsets), _without_jumps(points_2d, jumps)
    offsets, delays = find_delays(_beside(whole), rig, fps)
    whole = _in_time(whole, offsets)
    agreement = find_mistakes(whole, rig, keypoints)
    plain = Cause(agreement, agreement.mistakes, None, _refusal(agreement, rig))
    # of two cameras: what moved one can pass for jumps, and is recognised by what a fitted pose leaves
    noise_px = agreement.noise_px
    apart = agreement.majority_px > _AS_NOISE * noise_px or found.noise_px < _AS_NOISE * noise_px
    if plain.mistakes or plain.refusal or plain.warning or apart:
        return None
    if not _show_jumps(steady, whole, rig, jumps):
        return None
    return Cause(agreement, (*words, *delays), offsets, "", tuple(jumps))


def _show_jumps(steady: Array, whole: Array, rig: CameraRig, jumps: Sequence[Jump]) -> bool:
    """Whether the errors of every camera that jumps show it, against points with constant offsets removed alone.

    How many jumps were tried is counted where they are found.
    """
    before, after = _beside(steady).copy(), _beside(whole)
    for jump in jumps:
        before[:, max(0, jump.frame - _ABOUT) : jump.frame + _ABOUT] = np.nan
    frames = evenly_spread(before.shape[1], max(1, _COMPARED // before.shape[2]))
    before, after = signed_errors(before[:, frames], rig), signed_errors(after[:, frames], rig)
    own = [(camera_pair_indices(len(rig)) == jump.camera).any(axis=1) for jump in jumps]
    return all(is_evident(before[pairs], after[pairs], 1) for pairs in own)


def _jumps(
    points_2d: Array, offsets: FrameOffsets | None, rig: CameraRig, fps: float | None
) -> tuple[list[Jump], list[Mistake]]:
    """The jumps that remain where constant offsets are removed."""
    beside = _beside(_in_time(points_2d, offsets))
    return find_jumps(beside, rig, offset_reach(beside, fps))


def usable(points_2d: Array, confidence: Array | None) -> Array:
    """The points (..., 2), NaN where their confidence (...) is 0."""
    return points_2d if confidence is None else np.where(np.asarray(confidence)[..., None] > 0, points_2d, np.nan)


def _beside(points_2d: Array) -> Array:
    """(n_cameras, n_frames, n_individuals * n_keypoints, 2) the individuals as further keypoints."""
    ordered = np.moveaxis(points_2d, 1, 2)
    return ordered.reshape(*ordered.shape[:2], -1, 2)


def _without_jumps(points_2d: Array, jumps: Sequence[Jump]) -> Array:
    """The points of each individual with the cameras' jumps removed."""
    return _in_time(points_2d, jump_offsets(jumps, len(points_2d), points_2d.shape[2])) if jumps else points_2d


def _in_time(points_2d: Array, offsets: FrameOffsets | Array | None) -> Array:
    """The points of each individual with the cameras' delays removed."""
    return points_2d if offsets is None else np.swapaxes(shift_frames(np.swapaxes(points_2d, 1, 2), offsets), 1, 2)


def _disagree(agreement: Agreement) -> bool:
    """Whether all cameras together disagree more than cameras should."""
    return 2 * agreement.majority_px > agreement.limit_px and agreement.chance > _NOTEWORTHY


def _exchanged(agreement: Agreement, how: str) -> str:
    return (
        f"the two cameras would agree {how} with their files exchanged ({agreement.exchanged_px:.1f} px, as given"
        f" {agreement.majority_px:.1f} px)"
    )


def _moved_apart(agreement: Agreement) -> str:
    """A sentence on two cameras that disagree systematically."""
    if agreement.turned > FARTHEST_TURN:
        return (
            f"The two cameras disagree by {agreement.majority_px:.1f} px (median epipolar error), where the points'"
            f" noise is {agreement.noise_px:.1f} px, and no small movement explains it: check that each has the file of"
            " its own video, neither mirrored nor turned, and that the rig is of these cameras."
        )
    return (
        f"The two cameras disagree by {agreement.majority_px:.1f} px (median epipolar error), and by"
        f" {agreement.noise_px:.1f} px if one is turned by {agreement.turned:.1f} degrees: one of them moved since the"
        " calibration, or changed its focal length; two cameras do not tell which, nor how far it moved along their"
        " lines of sight: calibrate again."
    )


def _refusal(agreement: Agreement, rig: CameraRig) -> str:
    """A sentence where the same file was given twice, or where no majority of the cameras is right."""
    mistakes = agreement.mistakes
    wrong = {name for mistake in mistakes for name in mistake.cameras}
    if any(mistake.kind == _ENTERED_TWICE for mistake in mistakes) or len(rig) - len(wrong) < max(2, len(rig) // 2 + 1):
        return " ".join(mistake.sentence for mistake in mistakes)
    if not (agreement.majority_px > agreement.limit_px and agreement.chance > _BY_CHANCE):
        is_far = agreement.is_moved and _disagree(agreement)
        is_far = is_far and agreement.majority_px > _FAR_APART * agreement.noise_px
        return _moved_apart(agreement) if is_far else ""
    where = "both cameras disagree" if len(rig) == 2 else "most cameras disagree"
    measured = (
        f"{where} by {agreement.majority_px:.0f} px (median epipolar error; at most {agreement.limit_px:.0f} px, 1 % of"
        f" the image's width, can be used), unrelated points would by {agreement.unrelated_px:.0f} px"
    )
    if 2 * sum(agreement.related) > len(rig):
        return (
            f"The rig does not fit these 2D points: {measured}. The points fit each other, but by other cameras: they"
            " moved since the calibration, the videos were cropped, or the rig is of another day, another lens or"
            " another order of names; calibrate again, give this recording's rig, or state each camera's crop."
        )
    return (
        f"These 2D points do not belong together: {measured}. The cameras do not show the same points by any rig: other"
        " recordings, other frames or other keypoints, or detections that scatter so far; give the files of one"
        " recording."
    )
