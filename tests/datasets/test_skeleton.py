import pytest

from muybridge.datasets import Skeleton

NAMES = ("nose", "neck", "tail", "left_paw", "right_paw")


def test_bones_become_indices_parents_and_mirror_partners():
    skeleton = Skeleton(NAMES, (("neck", "nose"), ("neck", "tail")), (("left_paw", "right_paw"),))
    assert skeleton.bone_indices.tolist() == [[1, 0], [1, 2]]
    assert skeleton.parents.tolist() == [1, -1, 1, -1, -1]
    assert skeleton.root_index == 1
    assert skeleton.mirror.tolist() == [0, 1, 2, 4, 3]


def test_a_skeleton_of_lists_is_the_same_as_of_tuples():
    assert Skeleton(list(NAMES), [["neck", "nose"]]).bones == (("neck", "nose"),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bones": (("neck", "knee"),)}, r"bones name keypoints that do not exist: \['knee'\]"),
        ({"symmetries": (("left_paw", "right_hand"),)}, "right_hand"),
        ({"root": "pelvis"}, "pelvis"),
        ({"bones": (("neck", "neck"),)}, "joins a keypoint to itself"),
        ({"bones": ("neck",)}, "pairs of keypoint names"),
        ({"symmetries": (("nose", "neck"), ("neck", "tail"))}, "name a keypoint twice"),
    ],
)
def test_a_skeleton_that_cannot_be_says_why(arguments, message):
    with pytest.raises(ValueError, match=message):
        Skeleton(NAMES, **arguments)


def test_repeated_keypoints_are_refused():
    with pytest.raises(ValueError, match=r"repeats the keypoints \['nose'\]"):
        Skeleton(("nose", "nose"))


def test_loops_are_allowed_until_a_tree_is_asked_for():
    ring = Skeleton(("a", "b", "c"), (("a", "b"), ("b", "c"), ("c", "a")))
    with pytest.raises(ValueError, match="circle"):
        _ = ring.parents
    triangle = Skeleton(("a", "b", "c"), (("a", "b"), ("a", "c"), ("b", "c")))
    with pytest.raises(ValueError, match="two parents"):
        _ = triangle.parents
