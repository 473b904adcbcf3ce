"""Every documented option of the session's functions works."""

from muybridge import session
from muybridge.cameras import write_rig
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given


def test_every_documented_option_can_be_given(tmp_path, ring_rig):
    assert_all_functions_are_called(session, ("read_session", "run_session"))
    write_rig(ring_rig.subset(["cam_0", "cam_1"]), tmp_path / "rig.toml")
    rows = ["scorer,me,me,me", "bodyparts,hip,hip,hip", "coords,x,y,likelihood", "0,5,6,0.9", "1,5,7,0.9"]
    lines = ["[session]", "rig = 'rig.toml'", "fps = 10"]
    for name in ("cam_0", "cam_1"):
        (tmp_path / f"{name}.csv").write_text("\n".join(rows))
        lines += [f"[cameras.{name}]", f"points = '{name}.csv'"]
    (tmp_path / "session.toml").write_text("\n".join(lines))
    assert_options_can_be_given(session.read_session, [((tmp_path,), {})])
    said = []
    options = {
        "steps": ("predict",),
        "force": True,
        "progress": True,
        "say": said.append,
        "executor": None,
        "n_windows": 2,
    }
    assert_options_can_be_given(session.run_session, [((session.read_session(tmp_path),), options)] * 2)
    assert [line.partition(":")[0] for line in said] == ["predict", "predict"]
