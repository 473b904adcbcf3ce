"""Names of keypoints are matched by what they mean; sides and ends of the body are never exchanged."""

from muybridge.pose2d.published.deeplabcut import QUADRUPED, TOP_VIEW_MOUSE
from muybridge.session.steps.foreign_detectors import propose_mapping


def test_a_mouse_in_other_words_is_found_among_superanimals_keypoints():
    wanted = ("snout", "leftear", "EarR", "tailbase", "tail_tip", "hip_left")
    assert propose_mapping(wanted, TOP_VIEW_MOUSE) == {
        "snout": "nose", "leftear": "left_ear", "EarR": "right_ear", "tailbase": "tail_base", "tail_tip": "tail_end",
        "hip_left": "left_hip",
    }  # fmt: skip


def test_left_is_never_right_and_front_never_back():
    wanted = ("left_front_paw", "left_hind_paw", "right_forepaw", "right_hindpaw")
    assert propose_mapping(wanted, QUADRUPED) == {
        "left_front_paw": "front_left_paw", "left_hind_paw": "back_left_paw", "right_forepaw": "front_right_paw",
        "right_hindpaw": "back_right_paw",
    }  # fmt: skip
    assert propose_mapping(("left_paw",), ("right_paw",)) == {}
    assert propose_mapping(("front_paw",), ("back_paw",)) == {}


def test_what_is_unlike_everything_is_left_out_and_equal_names_come_first():
    assert propose_mapping(("antenna", "nose"), ("nose", "noses")) == {"nose": "nose"}
    assert propose_mapping((), ("nose",)) == {}
