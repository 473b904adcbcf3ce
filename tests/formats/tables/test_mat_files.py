"""A Matlab file's declared size is checked before it is read."""

import numpy as np
import pytest
from scipy.io import savemat

from muybridge.formats import FormatError
from muybridge.formats.tables.mat_files import read_mat


@pytest.mark.parametrize("compressed", [False, True])
def test_variables_arrive(tmp_path, compressed):
    savemat(tmp_path / "a.mat", {"K": np.eye(3)}, do_compression=compressed)
    np.testing.assert_array_equal(read_mat(tmp_path / "a.mat")["K"], np.eye(3))


def test_a_file_that_unpacks_to_much_more_is_refused_and_read_where_the_user_allows_it(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"K": np.zeros((1000, 2000))}, do_compression=True)
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "0.001")
    with pytest.raises(FormatError, match="MUYBRIDGE_MAX_GB=2"):
        read_mat(tmp_path / "a.mat")
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "2")
    assert read_mat(tmp_path / "a.mat")["K"].shape == (1000, 2000)
    monkeypatch.setenv("MUYBRIDGE_MAX_GB", "much")
    with pytest.raises(ValueError, match="is 'much'; give a number"):
        read_mat(tmp_path / "a.mat")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_is_cut_off_is_refused(tmp_path, compressed):
    savemat(tmp_path / "a.mat", {"K": np.random.default_rng(0).normal(size=(9, 9))}, do_compression=compressed)
    whole = (tmp_path / "a.mat").read_bytes()
    for n in range(140, len(whole), 7):
        (tmp_path / "a.mat").write_bytes(whole[:n])
        with pytest.raises(FormatError, match=r"a\.mat .*cut off"):
            read_mat(tmp_path / "a.mat")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file" + b" " * 200, b"\x89HDF\r\n\x1a\n"])
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(FormatError, match="cannot be read as a Matlab file"):
        read_mat(tmp_path / "a.mat")
