"""`muybridge check` foresees the gaps that damaged videos will leave, and refuses a file that is largely lost."""

import numpy as np
import pytest

from muybridge.session import read_session
from muybridge.session.recording_facts import expected_gaps
from tests.helpers import damage_frame, write_picture_video

N_FRAMES = 24


@pytest.mark.parametrize(("n_damaged", "expected"), [(0, (0, 0)), (2, (0, 1)), (6, (1, 0))])
def test_few_lost_frames_are_warned_of_and_many_refused(tmp_path, n_damaged, expected):
    pictures = [np.full((48, 64, 3), 9 * i, np.uint8) for i in range(N_FRAMES)]
    lines = []
    for name in ("left", "right"):
        write_picture_video(tmp_path / f"{name}.avi", pictures)
        lines += [f"[cameras.{name}]", f"video = '{name}.avi'"]
    for number in range(5, 5 + n_damaged):
        damage_frame(tmp_path / "right.avi", number)
    (tmp_path / "session.toml").write_text("\n".join(lines))
    problems, warnings = expected_gaps(read_session(tmp_path))
    assert (len(problems), len(warnings)) == expected
    assert all("camera 'right': 6 of 24 frames of" in text and "(5-10)" in text for text in problems)
    assert all("camera 'right': frames 5-6 of" in text and "right.avi" in text for text in warnings)
