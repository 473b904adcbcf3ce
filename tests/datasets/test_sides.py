"""Left and right are read from the spellings of the tools whose names people bring."""

import pytest

from muybridge.datasets.sides import side_and_rest, sides_together, symmetric_pairs
from muybridge.kinematics.gait_analysis.gait_names import limb_roles

COCO = ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
TOOLS = {
    "COCO": [(f"left_{part}", f"right_{part}") for part in COCO],
    "HALPE": [(f"L{part}", f"R{part}") for part in ("Eye", "Ear", "Shoulder", "BigToe", "Heel")],
    "AcinoSet": [
        (f"l_{part}", f"r_{part}")
        for part in ("eye", "shoulder", "front_knee", "front_ankle", "front_paw", "hip", "back_knee", "back_paw")
    ],
    "DeepLabCut": [("leftear", "rightear"), ("paw_left", "paw_right"), ("Left_eye", "Right_eye"),
                   ("hindpawL", "hindpawR")],
    "SLEAP": [("eyeL", "eyeR"), ("wingL", "wingR"), ("forelegL1", "forelegR1"), ("hindlegL3", "hindlegR3")],
    "Lightning Pose": [("paw1LH_top", "paw4RH_top"), ("paw2LF_top", "paw3RF_top"), ("paw1LH_bot", "paw4RH_bot")],
    "others": [("LEFT_HIP", "RIGHT_HIP"), ("KneeL", "KneeR"), ("leftHock", "rightHock"), ("heel-l", "heel-r"),
               ("paw.l", "paw.r"), ("L_toe", "R_toe"), ("left ear", "right ear"), ("elbow_L_out", "elbow_R_out")],
}  # fmt: skip
MIDLINE = ["nose", "tail", "tail_base", "lip", "rip", "trail", "neck_base", "spine1", "Lumbar", "Root", "shell", "rear"]


@pytest.mark.parametrize("tool", list(TOOLS))
def test_pairs_are_found_in_the_names_of_each_tool(tool):
    pairs = TOOLS[tool]
    names = [name for pair in pairs for name in pair[::-1]] + MIDLINE
    assert set(symmetric_pairs(names)) == set(pairs)


def test_names_of_the_midline_have_no_side():
    assert all(side_and_rest(name)[0] is None for name in MIDLINE)
    assert symmetric_pairs(MIDLINE) == ()


def test_a_pair_that_is_not_unique_is_none():
    assert symmetric_pairs(["ear_left", "left_ear", "ear_right"]) == ()
    assert symmetric_pairs(["paw1L", "paw2L", "paw3R"]) == ()
    assert symmetric_pairs(["paw1L", "paw2L", "paw2R"]) == (("paw2L", "paw2R"),)


def test_left_and_right_stand_together_where_the_first_of_them_stood():
    names = ["back", "right_knee", "left_knee", "L_hip", "R_hip", "paw.r", "paw.l", "left_ear"]
    assert sides_together(names) == [
        ("back",), ("left_knee", "right_knee"), ("L_hip", "R_hip"), ("paw.l", "paw.r"), ("left_ear",)
    ]  # fmt: skip
    chain = ["left_leg_left_knee_flexion", "right_leg_right_knee_flexion"]
    assert sides_together(chain) == [tuple(chain)]


@pytest.mark.parametrize(
    "names",
    [
        ("left_hind", "right_hind", "left_fore", "right_fore"),
        ("LH", "RH", "LF", "RF"),
        ("hl", "hr", "fl", "fr"),
        ("hind_left_paw", "rear_right_paw", "frontLeft", "frontRight"),
        ("l_back_paw", "r_back_paw", "l_front_paw", "r_front_paw"),
        ("paw1LH_top", "paw4RH_top", "paw2LF_top", "paw3RF_top"),
        ("hindpaw_left", "hindpaw_right", "forepaw_left", "forepaw_right"),
        ("LeftHind", "RightHind", "LeftFront", "RightFront"),
    ],
)
def test_limbs_are_recognised_by_their_names(names):
    roles = ("left_hind", "right_hind", "left_fore", "right_fore")
    assert limb_roles(list(names)) == dict(zip(roles, names, strict=True))
    assert limb_roles([names[0], "antenna"]) == {}
