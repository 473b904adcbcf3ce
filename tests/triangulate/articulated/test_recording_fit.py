"""A body fitted to long recordings, in memory and from file to file: stretches of windows give what one piece gives."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from muybridge.datasets import read_dataset, views_dataset, write_dataset
from muybridge.triangulate import reconstruct, reconstruct_file
from muybridge.triangulate.articulated import recording_fit
from muybridge.triangulate.articulated.recording_fit import learn
from muybridge.triangulate.articulated.recording_start import Observed
from muybridge.triangulate.noise.detector_noise import log_outlier_density
from muybridge.triangulate.smoothing.long_recordings import learning
from tests.conftest import make_ring_rig
from tests.helpers import Pickling
from tests.triangulate.articulated.test_body_fit import BODY, FPS, LENGTHS, course

RIG = make_ring_rig(4)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Stretches of 80 frames, and what tracks are learned on is not the whole."""
    monkeypatch.setattr(recording_fit, "_STRETCH", 80)
    monkeypatch.setattr(recording_fit, "_CONTEXT", 40)
    monkeypatch.setattr(learning, "_LEARNING_FRAMES", 120)


def observed(n_frames):
    """Pixels of a body that turns about itself all the time, and the truth."""
    angles = course(n_frames)
    angles[:, 3] += 0.05 * np.arange(n_frames)
    truth = BODY.markers(angles, LENGTHS)
    points_2d = RIG.project(truth) + np.random.default_rng(0).normal(0, 1.5, (4, n_frames, 6, 2))
    return Observed(points_2d, RIG, FPS, BODY, None, log_outlier_density(RIG, None, 6)), truth


def test_windows_and_stretches_give_what_one_piece_gives():
    source, truth = observed(200)
    recording = learn(source, order=None, time_offsets=False, window=0.4)
    found = recording.fitted()
    assert len(recording.learned.state.angles) == 100  # a window of 40 frames, and 30 on either side
    assert recording.begun.frames != slice(0, 200)
    assert np.ptp(found.angles[:, 3]) > 2 * np.pi
    assert np.linalg.norm(found.points_3d - truth, axis=-1).max() < 5
    at_once = replace(recording, stretch=200).fitted()
    assert np.abs((found.angles - at_once.angles) / at_once.angles_std).max() < 0.01
    np.testing.assert_allclose(found.angles_std, at_once.angles_std, rtol=1e-3)
    whole = replace(recording, length=200, stretch=200).fitted()  # whose precisions are those of all frames
    off = (found.angles - whole.angles) / whole.angles_std
    assert np.sqrt(np.mean(off**2)) < 0.1
    assert np.abs(off).max() < 0.5
    pieces = list(recording.pieces())
    assert [(kept.start, kept.stop) for kept, _ in pieces] == [(0, 80), (80, 160), (160, 200)]
    np.testing.assert_array_equal(np.concatenate([fit.angles for _, fit in pieces]), found.angles)


def test_what_holds_is_learned_where_the_animal_moves_and_how_much_it_moves_in_each_window():
    source, truth = observed(400)
    still = course(1) + np.zeros((400, 1))
    moving = slice(240, 400)
    angles = still.copy()
    angles[moving] += course(160) - course(1)
    truth = BODY.markers(angles, LENGTHS)
    source.points_2d[:] = RIG.project(truth) + np.random.default_rng(1).normal(0, 1.5, source.points_2d.shape)
    source.points_2d[0, 300:, 0] = np.nan  # a little less is seen there
    recording = learn(source, order=None, time_offsets=False, window=0.4)
    assert recording.best.start > 230
    found = recording.fitted()
    assert np.median(np.linalg.norm(found.points_3d - truth, axis=-1)[250:]) < 1.5
    rest, run = slice(40, 180), slice(260, 380)
    swings = found.angles_std[:, 8:]
    assert (swings[rest].mean(axis=0) < 0.85 * swings[run].mean(axis=0)).all()
    assert 0.9 < (np.abs(found.angles - angles) < 1.96 * found.angles_std)[rest].mean() < 0.98


def test_an_animal_that_leaves_for_whole_stretches_has_wide_bands_there():
    source, truth = observed(300)
    source.points_2d[:, 90:250] = np.nan
    found = learn(source, order=None, time_offsets=False, window=0.4).fitted()
    gone = slice(135, 205)
    assert np.isfinite(found.angles).all()
    assert np.isnan(found.inlier_probability[:, gone]).all()
    assert np.median(found.angles_std[gone, 0]) > 20 * np.median(found.angles_std[:80, 0])
    there = np.r_[0:85, 255:300]
    assert np.linalg.norm(found.points_3d - truth, axis=-1)[there].max() < 5


def test_a_file_gives_what_arrays_give_and_says_once_what_it_lacks(tmp_path):
    source, _ = observed(200)
    points_2d = np.concatenate([source.points_2d[:, :, 1:], source.points_2d[:, :, :1] + 30.0], axis=2)
    keypoints = [*BODY.marker_names[1:], "ear"]  # another order, a marker less and a point more
    views = views_dataset(points_2d, cameras=RIG.names, keypoints=keypoints, times=np.arange(200) / FPS)
    path = write_dataset(views, tmp_path / "views.nc")
    same = {"method": "articulated", "body": BODY, "window": 0.4}
    with warnings.catch_warnings(), Pickling(2) as executor:
        warnings.simplefilter("ignore")
        whole = reconstruct(views, RIG, **same)
        warnings.filterwarnings("always", message="the data lack")
        with pytest.warns(UserWarning, match="the data lack") as said:
            found = read_dataset(reconstruct_file(path, RIG, tmp_path / "pose.nc", executor=executor, **same))
    assert len(said) == 1
    assert found.attrs.keys() == whole.attrs.keys()
    xr.testing.assert_allclose(found, whole, rtol=1e-6)
    assert found["position"].sel(keypoint="ear").isnull().all()
