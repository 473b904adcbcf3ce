"""What a step knows of itself: its options and their problems, the same for `check` and `run`."""

import pytest

from muybridge.session import read_session
from muybridge.session.session_problems import foreseen
from muybridge.session.steps import ALL_STEPS


def with_entries(folder, text):
    path = folder / "session.toml"
    path.write_text(path.read_text() + "\n" + text + "\n")
    return read_session(path)


def test_the_options_of_a_step_are_those_of_its_public_functions(small_recording):
    session = with_entries(small_recording, "[reconstruct]\nmethod = 'ransac'")
    options = ALL_STEPS["reconstruct"].options(session)
    assert options["method"].default == "smooth"
    assert "min_confidence" in options
    assert "skeleton" not in options
    assert options["max_gap"].default == 0.0
    assert "iterations" in ALL_STEPS["train"].options(session)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("[reconstruct]\nmethod = 'smoth'", "method 'smoth' is unknown, did you mean 'smooth'?"),
        ("[reconstruct]\nmax_gp = 0.1", "[reconstruct] has no option 'max_gp', did you mean 'max_gap'?"),
        ("[predict]\ntrack = true", "[predict] has no option 'track', did you mean 'track_crop'?"),
        ("[reconstruct]\nskeleton = 1", "[reconstruct] 'skeleton' is set by the session itself; remove it"),
        ("[reconstruct]\nswaps = 1", "[reconstruct] swaps is 1; give true or false"),
        ("[reconstruct]\norder = true", "[reconstruct] order is True; give a whole number"),
        ("[kinematics]\nstd = 3", "[kinematics] std is 3; give true or false or a text"),
        ("[report]\nstride = 3", "[report] has no option 'stride'; known: []"),
    ],
)
def test_an_entry_that_the_function_does_not_take_is_foreseen(small_recording, entry, problem):
    assert any(problem in found for found in foreseen(with_entries(small_recording, entry))[0])


def test_what_no_step_will_make_is_foreseen(small_recording):
    session = with_entries(small_recording, "[predict]\ndetector = 'gone.safetensors'")
    problems = foreseen(session)[0]
    assert len(problems) == 1
    assert "step 'predict' needs" in problems[0]
    assert "gone.safetensors" in problems[0]


def test_a_fingerprint_follows_what_the_outputs_depend_on(small_recording):
    path = small_recording / "session.toml"
    fingerprints = set()
    for unit in ("mm", "cm", "mm"):
        path.write_text(path.read_text().replace('unit = "mm"', f'unit = "{unit}"'))
        fingerprints.add(ALL_STEPS["calibrate"].fingerprint(read_session(path)))
        path.write_text(path.read_text().replace(f'unit = "{unit}"', 'unit = "mm"'))
    assert len(fingerprints) == 2
