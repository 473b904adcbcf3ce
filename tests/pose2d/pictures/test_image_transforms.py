"""Pixels, network pixels and cells agree to a small fraction of a pixel: no constant offsets."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.pose2d.inference.decoding import find_peaks
from muybridge.pose2d.networks.registry import Maps, build_network
from muybridge.pose2d.pictures.image_transforms import apply_affine, compose, invert_affine, scaling, warp, window
from muybridge.pose2d.training.losses import targets


def spot(x, y, size=(80, 60)):
    """A bright Gaussian spot at a sub-pixel place."""
    u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    grey = 20 + 200 * np.exp(-0.5 * ((u - x) ** 2 + (v - y) ** 2) / 4.0**2)
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, -1)


def centre_of(image):
    weights = np.clip(image[..., 0].astype(float) - 130, 0, None)  # more than the grey outside
    u, v = np.meshgrid(np.arange(image.shape[1]), np.arange(image.shape[0]))
    return np.array([(weights * u).sum(), (weights * v).sum()]) / weights.sum()


@settings(deadline=None, max_examples=25)
@given(st.floats(25, 55), st.floats(25, 35), st.sampled_from([2.0, 1.0, 0.7, 0.5, 0.34, 0.25]))
def test_what_is_seen_through_a_map_lies_where_the_map_says(x, y, scale):
    matrix = scaling(scale)
    seen = warp(spot(x, y), matrix, (int(80 * scale), int(60 * scale)))
    expected = apply_affine(matrix, np.array([x, y]))
    np.testing.assert_allclose(centre_of(seen), expected, atol=0.08)


@settings(deadline=None, max_examples=25)
@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.1, 3))
def test_maps_compose_and_invert(x, y, scale):
    first, second = window(np.array([x, y]), (64, 32), scale), scaling(0.25)
    point = np.array([[3.0, -7.0], [np.nan, np.nan]])
    both = apply_affine(compose(second, first), point)
    np.testing.assert_allclose(both, apply_affine(second, apply_affine(first, point)), atol=1e-9)
    np.testing.assert_allclose(apply_affine(invert_affine(first), apply_affine(first, point)), point, atol=1e-9)
    np.testing.assert_allclose(apply_affine(first, np.array([x, y])), [31.5, 15.5], atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.floats(3, 12), st.floats(3, 9))
def test_a_peak_of_the_target_is_decoded_to_a_twentieth_of_a_cell(x, y):
    network = build_network("small", 1)
    with torch.no_grad():
        network.offset_weight.zero_()
    wanted = targets(torch.tensor([[[x, y]]]), 0.8, 12, 16)
    maps = Maps(torch.log(wanted + 1e-9), torch.zeros(1, network.features.width, 12, 16))
    with torch.no_grad():
        peaks = find_peaks(network, maps)
    np.testing.assert_allclose(peaks.points[0, 0], [x, y], atol=0.05)


def test_a_target_outside_the_grid_or_missing_is_empty_and_inside_sums_to_one():
    points = torch.tensor([[[5.0, 5.0], [-3.0, 5.0], [float("nan"), float("nan")]]])
    sums = targets(points, 1.0, 12, 16).sum((2, 3))[0]
    torch.testing.assert_close(sums, torch.tensor([1.0, 0.0, 0.0]))


def test_a_place_does_not_jump_when_rounding_makes_a_neighbour_the_largest_cell():
    network = build_network("small", 1).eval()
    rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(32.0), indexing="ij")
    features = torch.zeros(1, network.features.width, 24, 32)
    found, plain = [], []
    for nudge in (-1e-4, 1e-4):
        # a peak of the width of the targets between two cells: their order depends on the nudge
        logits = 5 - 0.32 * (columns - 14.5) ** 2 - 0.32 * (rows - 10) ** 2
        logits[10, 14], logits[10, 15] = 5.0, 5.0 + nudge
        with torch.no_grad():
            found.append(find_peaks(network, Maps(logits[None, None], features)).points[0, 0])
        middle = int(logits.argmax()) % 32
        near = logits[8:13, middle - 2 : middle + 3].exp()
        plain.append(float((near * columns[8:13, middle - 2 : middle + 3]).sum() / near.sum()))
    jump = float(torch.linalg.norm(found[1] - found[0]))
    assert jump < 0.4 * abs(plain[1] - plain[0])
    np.testing.assert_allclose(found[0], [14.5, 10], atol=0.05)


def test_the_moments_near_a_peak_and_elsewhere_are_those_of_the_cells():
    """Beside numpy's sums; a peak at the rim has fewer cells around it."""
    network = build_network("small", 2).eval()
    logits = torch.randn(1, 2, 14, 18, generator=torch.Generator().manual_seed(0))
    logits[0, 0, 6, 8], logits[0, 1, 1, 16] = 9.0, 8.0
    with torch.no_grad():
        peaks = find_peaks(network, Maps(logits, torch.zeros(1, network.features.width, 14, 18)))
    rows, columns = np.mgrid[:14, :18]
    for k, (row, column) in enumerate([(6, 8), (1, 16)]):
        likely = np.exp(logits[0, k].double().numpy())
        likely /= likely.sum()
        apart = np.stack([columns, rows], -1) - peaks.points[0, k].double().numpy()
        near = np.maximum(abs(rows - row), abs(columns - column)) <= 3
        squares = (apart[near] ** 2).sum(-1)
        rest = np.einsum("n,ni,nj->ij", likely[~near], apart[~near], apart[~near])
        np.testing.assert_allclose(peaks.near[0, k], (likely[near] @ squares) / likely[near].sum() / 2, rtol=1e-4)
        np.testing.assert_allclose(peaks.elsewhere[0, k], likely[~near].sum(), rtol=1e-4)
        np.testing.assert_allclose(peaks.scatter[0, k], rest / likely[~near].sum() + np.eye(2), rtol=1e-4, atol=1e-4)
