"""Real detections, made once."""

import pytest

from muybridge.calibration import CharucoBoard
from muybridge.calibration.boards.detection import detect_boards
from tests.helpers import SHARED


@pytest.fixture(scope="session")
def rat_boards():
    """{camera: BoardDetections} of the rat rig's calibration images."""
    folder = SHARED / "data" / "rodent_4cam"
    if not folder.is_dir():
        pytest.skip("../shared/data is absent")
    sources = {c: folder / c / "calibration_images" for c in ("back", "mid", "side", "top")}
    return detect_boards(sources, CharucoBoard(8, 11, 24.0, 18.75), progress=False)
