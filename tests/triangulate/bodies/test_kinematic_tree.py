"""Bodies: what they refuse, and the laws of their forward kinematics."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muybridge.cameras.rotations import rotation_matrix
from muybridge.triangulate import Body, Marker, Segment, Turn, read_body
from muybridge.triangulate.articulated.body_state import by_shape
from muybridge.triangulate.bodies.forward_kinematics import kinematics
from muybridge.triangulate.bodies.rest_pose import rest_places

BODIES = ("cheetah", "rodent", "human")
ELBOW = Turn("bend", (0, 1, 0), -2.5, 0.0, -1.0)
UPPER = Segment("upper", end=(0, 0, -300))
LOWER = Segment("lower", "upper", "end", (0, 0, -250), turns=(ELBOW,))
MARKERS = (Marker("shoulder", "upper"), Marker("elbow", "upper", "end"), Marker("wrist", "lower", "end"))


def textbook_markers(body, angles, lengths, offsets):
    """One frame, segment by segment, with dictionaries."""
    number = dict(zip(body.length_names, lengths, strict=True))
    angle = dict(zip(body.angle_names, angles, strict=True))
    moved = dict(zip([*body.marker_names, *("joint of " + s.name for s in body.segments)], offsets, strict=True))
    poses, by_name = {}, {s.name: s for s in body.segments}

    def place(at, carrier, name):
        if at == "end":
            end = np.array(by_name[carrier].end)
            at = end / np.linalg.norm(end) * number[by_name[carrier].length]
        return np.array(at) + moved[name]

    for s in body.segments:
        if s.parent is None:
            R, x = np.eye(3), np.array([angle["x"], angle["y"], angle["z"]])
            for name, axis in (("yaw", [0, 0, 1]), ("pitch", [0, 1, 0]), ("roll", [1, 0, 0])):
                R = R @ rotation_matrix(angle[name] * np.array(axis, float))
        else:
            R, x = poses[s.parent]
            x = x + R @ place(s.at, s.parent, "joint of " + s.name)
        for turn in s.turns:
            R = R @ rotation_matrix(angle[f"{s.name}_{turn.name}"] * np.array(turn.axis))
        poses[s.name] = R, x
    return np.array(
        [poses[m.segment][1] + poses[m.segment][0] @ place(m.at, m.segment, m.name) for m in body.attachments]
    )


def random_posture(body, seed):
    rng = np.random.default_rng(seed)
    angles = body.rest_angles + rng.normal(0, 0.5, body.plan.n_angles)
    return angles, body.lengths * rng.uniform(0.8, 1.2, len(body.lengths)), rng.normal(0, 5, (body.plan.n_points, 3))


@pytest.mark.parametrize("name", BODIES)
def test_markers_are_those_of_the_textbook(name):
    body = read_body(name)
    for seed in range(3):
        posture = random_posture(body, seed)
        posture[2][len(body.attachments)] = 0.0  # the root's joint has no parent
        np.testing.assert_allclose(body.markers(*posture), textbook_markers(body, *posture), atol=1e-10)


@pytest.mark.parametrize("name", BODIES)
def test_the_rest_pose_needs_no_jax_and_is_the_same(name):
    body = read_body(name)
    np.testing.assert_allclose(body.markers(body.rest_angles), rest_places(body)[: len(body.attachments)], atol=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_distances_on_a_segment_do_not_depend_on_the_angles(seed):
    body = read_body("cheetah")
    rest = body.markers(body.rest_angles)
    moved = body.markers(random_posture(body, seed)[0])
    names = body.marker_names.index
    for a, b in (("spine", "tail_base"), ("l_shoulder", "l_front_knee"), ("r_hip", "r_back_knee"), ("l_eye", "nose")):
        own = [np.linalg.norm(points[names(a)] - points[names(b)]) for points in (rest, moved)]
        assert own[0] == pytest.approx(own[1], abs=1e-9)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_moving_the_root_moves_all_rigidly(seed):
    body = read_body("rodent")
    angles, rng = random_posture(body, seed)[0], np.random.default_rng(seed)
    moved = angles.copy()
    moved[:3] += (shift := rng.normal(0, 100, 3))
    np.testing.assert_allclose(body.markers(moved), body.markers(angles) + shift, atol=1e-9)
    moved[3] += 0.7  # yaw is the first turn: about the world's z through the root
    about = body.markers(angles) - angles[:3]
    turned = about @ rotation_matrix(np.array([0, 0, 0.7])).T
    np.testing.assert_allclose(body.markers(moved), turned + angles[:3] + shift, atol=1e-9)


@pytest.mark.parametrize("name", BODIES)
def test_left_and_right_are_mirror_images(name):
    body = read_body(name)
    rest, mirror = body.markers(body.rest_angles), body.skeleton.mirror
    np.testing.assert_allclose(rest[mirror] * [1, -1, 1], rest, atol=1e-9)


def test_derivatives_are_those_of_finite_differences():
    body = read_body("cheetah")
    angles, lengths, offsets = random_posture(body, 1)
    found, step = kinematics(body, angles[None], lengths, offsets), 1e-5

    def numeric(values, which):
        own = []
        for i in range(values.size):
            pair = []
            for sign in (1, -1):
                other = values.copy()
                other.flat[i] += sign * step
                posture = [angles, lengths, offsets]
                posture[which] = other
                pair.append(body.markers(*posture))
            own.append((pair[0] - pair[1]) / (2 * step))
        return np.moveaxis(np.array(own), 0, -1)

    np.testing.assert_allclose(found.by_angles[0], numeric(angles, 0), atol=1e-4)
    np.testing.assert_allclose(found.by_lengths[0], numeric(lengths, 1), atol=1e-7)
    of_shape = np.concatenate([numeric(lengths, 1), numeric(offsets, 2)], axis=-1)
    of_shape[..., len(lengths) + 3 * len(body.attachments) + np.arange(3)] = 0.0  # the root's joint has no parent
    for k, own in enumerate(by_shape(body, found)):
        np.testing.assert_allclose(own.values[0], of_shape[k][:, own.columns], atol=1e-7)
        assert not np.delete(of_shape[k], own.columns, axis=1).round(6).any()


def test_jax_arrays_are_differentiated_compiled_and_keep_their_precision():
    jax = pytest.importorskip("jax")
    body = Body("arm", (UPPER, LOWER), MARKERS)
    angles = jax.numpy.zeros(7)
    compiled = jax.jit(lambda a: body.markers(a, jax.numpy.asarray(body.lengths)))
    assert compiled(angles).dtype == jax.numpy.float32
    gradient = jax.jit(jax.grad(lambda a: body.markers(a, jax.numpy.asarray(body.lengths))[2, 0]))(angles)
    assert float(gradient[6]) == pytest.approx(-250, rel=1e-5)
    assert jax.vmap(compiled)(jax.numpy.zeros((5, 7))).shape == (5, 3, 3)


def test_a_users_single_precision_is_left_alone():
    code = (
        "import jax, numpy as np; from muybridge.triangulate import read_body; b = read_body('human');"
        "m = b.markers(b.rest_angles); print(m.dtype, jax.numpy.ones(2).dtype, jax.config.jax_enable_x64,"
        "jax.config.jax_compilation_cache_dir)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["float64", "float32", "False", "None"]


def test_without_jax_one_sentence_says_what_to_install():
    code = (
        "import sys; sys.modules['jax'] = None\nfrom muybridge.triangulate import read_body\nb = read_body('human')\n"
        "try: b.markers(b.rest_angles)\nexcept ModuleNotFoundError as error: print(error)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'muybridge[body]'" in result.stdout
    assert result.stdout.count("\n") == 1


def test_missing_angles_give_missing_markers_of_their_frame_only():
    body = read_body("human")
    angles = np.tile(body.rest_angles, (3, 1))
    angles[1, 8] = np.nan
    assert np.isnan(body.markers(angles)).any(axis=(1, 2)).tolist() == [False, True, False]


def test_a_scaled_body_is_scaled():
    body = read_body("cheetah")
    np.testing.assert_allclose(2 * rest_places(body), rest_places(body.scaled(2)), atol=1e-9)
    np.testing.assert_allclose(body.in_unit("m").lengths * 1000, body.lengths)
    with pytest.raises(ValueError, match="known units"):
        body.in_unit("furlong")


@pytest.mark.parametrize(
    ("segments", "markers", "message"),
    [
        ((UPPER, replace(LOWER, parent="uper")), MARKERS, "upper"),
        ((replace(UPPER, parent="lower", at=(0, 0, 0)), LOWER), MARKERS, "roots"),
        ((UPPER, replace(LOWER, parent="c"), Segment("c", "lower")), MARKERS, "end of 'c', which has none"),
        ((UPPER, replace(LOWER, parent="c", at=(0, 0, 0)), Segment("c", "lower")), MARKERS, "in a loop"),
        ((UPPER, UPPER), MARKERS, "repeats the segments"),
        ((UPPER, LOWER), (), "no markers"),
        ((UPPER, LOWER), (*MARKERS, MARKERS[0]), "repeats the markers"),
        ((UPPER, LOWER), (Marker("elbow", "loer"),), "lower"),
        ((UPPER, Segment("lower", "upper", "end")), (Marker("wrist", "lower", "end"),), "has none"),
        ((UPPER, replace(LOWER, length="upper")), MARKERS, "share a length"),
    ],
)
def test_an_impossible_tree_is_refused_with_the_reason(segments, markers, message):
    with pytest.raises(ValueError, match=message):
        Body("arm", segments, markers)


def test_impossible_turns_are_refused():
    with pytest.raises(ValueError, match="limits"):
        Turn("bend", (0, 1, 0), 1.0, -1.0)
    with pytest.raises(ValueError, match="rests at"):
        Turn("bend", (0, 1, 0), 1.0, 2.0)
    with pytest.raises(ValueError, match="no direction"):
        Turn("bend", (0, 0, 0), -1.0, 1.0)


def test_shapes_that_do_not_fit_are_refused():
    body = Body("arm", (UPPER, LOWER), MARKERS)
    with pytest.raises(ValueError, match=r"\(\.\.\., 7\)"):
        body.markers(np.zeros((3, 6)))
    with pytest.raises(ValueError, match="lengths has shape"):
        body.markers(np.zeros(7), np.ones(3))
