"""Numbers of the frames that a decoder gives, some of which fail."""

from __future__ import annotations

from .frame_times import MAX_FAILURES, FrameTimes


class FrameNumbers:
    """Numbers of the frames that a decoder hands out, by their times.

    next : number of the next frame; is_damaged : whether the last frame was made from frames that were lost; reach :
    how many frames before a failure it may have spoilt.
    """

    def __init__(self, timing: FrameTimes | None, n_promised: int):
        self.timing, self.next, self.is_damaged = timing, 0, False
        self.n_frames = n_promised if timing is None else len(timing.times)
        self.reach = 0 if timing is None or timing.is_key[timing.is_stored].all() else timing.delay + 1
        self._failures = 0
        self._safe_from = 0  # key frames before this number may have been stored before the damage

    def advance(self, seconds: float) -> tuple[range, int | None]:
        """Numbers of those lost before a frame, and its own; None where it is one that came already."""
        timing, expected, n_failed, self._failures = self.timing, self.next, self._failures, 0
        if timing is None:  # one failure is one frame
            self.next += n_failed + 1
            return range(expected, expected + n_failed), expected + n_failed
        number = timing.number_at(seconds)
        if number < expected:
            return range(0), None
        lost = slice(expected, number)
        self.is_damaged = self.is_damaged or bool((timing.is_stored[lost] | timing.is_counted).any())
        if number >= self._safe_from and timing.is_key[number]:
            self.is_damaged = False
        self.next = number + 1
        return range(expected, number), number

    def fail(self) -> bool:
        """Count a failure of the decoder; returns whether more frames are expected."""
        self._failures += 1
        n_lost = self._failures if self.timing is None else 1
        if self.next + n_lost > self.n_frames or self._failures > MAX_FAILURES:
            return False
        if self.reach:
            self.is_damaged, self._safe_from = True, self.next + self.reach
        return True
