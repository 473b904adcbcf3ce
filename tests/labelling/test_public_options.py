"""Every documented option of the labelling page works."""

from muybridge import labelling
from tests.labelling.conftest import KEYPOINTS, get
from tests.public_options import assert_all_functions_are_called, options_of


def test_every_documented_option_can_be_given(pictures, tmp_path):
    assert_all_functions_are_called(labelling, ("serve_labels",))
    rows = ["scorer,d,d,d", "bodyparts,nose,nose,nose", "coords,x,y,likelihood", *[f"{i},5,{i},0.9" for i in range(8)]]
    for name in ("left", "right"):
        (tmp_path / f"{name}.csv").write_text("\n".join(rows))
    said = []
    options = {
        "labels": pictures,
        "keypoints": KEYPOINTS,
        "proposals": [f"{name}={tmp_path / f'{name}.csv'}" for name in ("left", "right")],
        "n": 2,
        "port": 0,
        "say": said.append,
    }
    assert set(options) == options_of(labelling.serve_labels)
    with labelling.serve_labels(tmp_path, **options) as server:
        assert get(server, "api/instant?project=project&instant=7")[1]["proposed"]["left"] == {
            "nose": [5.0, 7.0, "hand"]
        }
