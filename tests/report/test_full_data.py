"""The data of every frame beside the page: what was written can be drawn again, and stale pieces go."""

import base64
import json

import numpy as np

from muybridge.report import full_data
from muybridge.report.full_data import Curve, write_pieces


def read(folder, i):
    """A piece, as the page's script gets it."""
    text = (folder / f"{i:05d}.js").read_text()
    assert text.startswith(f"reportPiece({i},")
    return json.loads(text.removeprefix(f"reportPiece({i},").removesuffix(")"))


def unpacked(text, kind="<i2"):
    return np.frombuffer(base64.b64decode(text), kind)


def test_pieces_hold_every_frame(tmp_path, monkeypatch):
    monkeypatch.setattr(full_data, "PIECE", 4)
    times, values = np.arange(10) / 50, np.array([5.0, 6, 7, np.nan, 9, 10, 11, 12, 13, -20])
    positions = np.arange(60, dtype="<i2").reshape(10, 2, 3)
    described = write_pieces(tmp_path / "data", times, positions, {"knee": Curve(values, np.full(10, 0.5))})
    pieces = [read(tmp_path / "data", i) for i in range(3)]
    assert (described["folder"], described["n_frames"]) == ("data", 10)
    np.testing.assert_array_equal(np.concatenate([unpacked(p["times"], "<f8") for p in pieces]), times)
    np.testing.assert_array_equal(np.concatenate([unpacked(p["positions"]) for p in pieces]), positions.ravel())
    knee = described["curves"]["knee"]
    counts = np.concatenate([unpacked(p["curves"][0][0]) for p in pieces])
    again = np.where(counts == full_data.MISSING, np.nan, knee["low"] + knee["steps"][0] * counts)
    np.testing.assert_allclose(again, values, atol=33 / 32000)
    np.testing.assert_allclose(knee["steps"][1] * unpacked(pieces[0]["curves"][0][1]), 0.5, rtol=1e-4)
    write_pieces(tmp_path / "data", times[:3], positions[:3], {})
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["00000.js"]
