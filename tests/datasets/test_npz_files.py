"""Arrays of an .npz arrive; a header of a hundred thousand million frames, a pickle or a cut file is one sentence."""

import io
import zipfile

import numpy as np
import pytest
from numpy.lib import format as npy

from muybridge.datasets.npz_files import read_npz
from muybridge.triangulate import DetectorNoise, PosePrior


def test_arrays_arrive(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(3.0), names=np.array(["x", "öhr"]), n=np.float64(2))
    found = read_npz(tmp_path / "a.npz")
    assert found["a"].tolist() == [0, 1, 2]
    assert found["names"].tolist() == ["x", "öhr"]
    assert found["n"] == 2


@pytest.mark.parametrize("load", [read_npz, PosePrior.load, DetectorNoise.load])
def test_a_declared_size_is_checked_before_reading(tmp_path, load):
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"shape": (10**11, 3), "fortran_order": False, "descr": "<f8"})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("directions.npy", header.getvalue() + bytes(80))
    with pytest.raises(ValueError, match="MUYBRIDGE_MAX_GB="):
        load(tmp_path / "a.npz")


def test_pickles_and_damaged_files_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        read_npz(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", a=np.arange(1000.0))
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:500])
    with pytest.raises(ValueError, match="cut off"):
        read_npz(tmp_path / "b.npz")
    np.savez_compressed(tmp_path / "c.npz", a=np.arange(1000.0))
    content = bytearray((tmp_path / "c.npz").read_bytes())
    content[len(content) // 2] ^= 0x55
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        read_npz(tmp_path / "c.npz")


def test_an_array_that_is_needed_and_lacking_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.arange(3.0))
    assert "a" in read_npz(tmp_path / "a.npz", ["a"])
    with pytest.raises(ValueError, match=r"it has no 'b'; it holds \['a'\]"):
        read_npz(tmp_path / "a.npz", ["a", "b"])
