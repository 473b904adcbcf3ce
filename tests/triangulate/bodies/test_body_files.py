"""Reading bodies from TOML."""

import numpy as np
import pytest

from muybridge.triangulate import read_body, write_body
from muybridge.triangulate.bodies.rest_pose import rest_places

ARM = """
[segments.upper]
end = [0, 0, -300]
markers = { shoulder = [0, 0, 0], elbow = "end" }

[segments.lower]
parent = "upper"
at = "end"
end = [0, 0, -250]
turns = { bend = ["y", -150, 0, -20] }
markers = { wrist = "end" }
"""


def test_the_shipped_bodies_have_their_markers():
    cheetah = read_body("cheetah")
    assert cheetah.marker_names[:8] == (
        "nose", "r_eye", "l_eye", "neck_base", "spine", "tail_base", "tail1", "tail2",
    )  # fmt: skip
    limbs = ("shoulder", "front_knee", "front_ankle", "front_paw", "hip", "back_knee", "back_ankle", "back_paw")
    assert set(cheetah.marker_names[8:]) == {side + limb for side in ("r_", "l_") for limb in limbs}
    assert len(read_body("human").marker_names) == 17
    assert 15 <= len(read_body("rodent").marker_names) <= 20


def test_a_file_of_a_few_lines_is_a_body(tmp_path):
    path = tmp_path / "arm.toml"
    path.write_text(ARM)
    body = read_body(path)
    assert (body.name, body.marker_names) == ("arm", ("shoulder", "elbow", "wrist"))
    assert body.skeleton.bones == (("shoulder", "elbow"), ("elbow", "wrist"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("turns", "trns", "unknown key 'trns'; did you mean 'turns'|turns"),
        ('"y"', '"w"', "axis 'w'"),
        ("[0, 0, -250]", "[0, 0]", "three numbers"),
        ('parent = "upper"', 'parent = "uper"', "upper"),
        ("-150, 0, -20", "-150, 0", r"\[axis"),
        ("[segments.upper]", "[segments.upper", "arm.toml"),
        ('bend = ["y", -150, 0, -20]', 'bend = "y"', "expected"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path, old, new, message):
    path = tmp_path / "arm.toml"
    path.write_text(ARM.replace(old, new))
    if new == "-150, 0":
        path.write_text(ARM.replace(old, "-150"))
    with pytest.raises(ValueError, match=message) as refused:
        read_body(path)
    assert "arm.toml" in str(refused.value)


def test_an_unknown_name_lists_what_ships():
    with pytest.raises(FileNotFoundError, match="cheetah"):
        read_body("cheeta")


@pytest.mark.parametrize("name", ["cheetah", "human", "rodent"])
def test_a_body_that_is_written_is_read_as_it_was(tmp_path, name):
    body = read_body(name)
    again = read_body(write_body(body, tmp_path / "own.toml"))
    assert (again.name, again.angle_names, again.marker_names) == (name, body.angle_names, body.marker_names)
    assert (again.bones, again.symmetries, again.unit) == (body.bones, body.symmetries, body.unit)
    assert again.length_names == body.length_names
    np.testing.assert_allclose(rest_places(again), rest_places(body), atol=1e-9)
    np.testing.assert_allclose(again.limits, body.limits, atol=1e-12)
    assert (again.size_spread, again.marker_std) == (body.size_spread, body.marker_std)
