"""Calibration files that no reader understands are refused by name, with what is wanted."""

import json

import pytest

from muybridge.formats import FormatError
from muybridge.formats.rigs.reading import read_rig_record

CAMERA = {
    "name": "cam0",
    "size": [640, 480],
    "matrix": [[800.0, 0.0, 320.0], [0.0, 800.0, 240.0], [0.0, 0.0, 1.0]],
    "distortions": [0.0, 0.0, 0.0, 0.0],
    "rotation": [0.0, 0.0, 0.1],
    "translation": [0.0, 0.0, 900.0],
}


def toml(**changes):
    return "[cam_0]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in (CAMERA | changes).items())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ros.yaml", "image_width: 640\ncamera_matrix:\n  rows: 3\n  cols: 3\n  data: [1, 0, 0]\n", "not matrices"),
        ("kalibr.yaml", "cam0:\n  intrinsics: [800, 801, 320, 240]\n  resolution: [640, 480]\n", "not matrices"),
        ("metashape.xml", "<document><chunk><cameras><camera id='0'/></cameras></chunk></document>", "<document>"),
        ("colmap.txt", "# Camera list\n1 OPENCV 640 480 800 801 320 240 0 0 0 0\n", "COLMAP's.*write a .toml"),
        ("words.txt", "my cameras\n", "expected 11 DLT.*write a .toml"),
        ("calibio.json", '{"Calibration": {"cameras": []}}', "list of 'cameras'.*calib.io.*write a .toml"),
        ("empty.toml", "", "no camera"),
        ("lenses.toml", "[cam_0]\nmatrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]\n", "lacks size, distortions, rotation"),
        ("named.toml", toml(name=["cam0"]), "a name is a text"),
        ("huge.toml", toml(size=[10**24, 480]), "1e\\+24 x 480 pixels"),
        ("none.toml", toml(size=[0, 480]), "0 x 480 pixels"),
    ],
)
def test_what_is_no_rig_is_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(FormatError, match=message) as caught:
        read_rig_record(tmp_path / name)
    assert name in str(caught.value)


def test_the_cameras_that_a_message_tells_to_type_are_read(tmp_path):
    typed = "[cam_0]\nname = 'top'\nsize = [640, 480]\nmatrix = [[800, 0, 320], [0, 800, 240], [0, 0, 1]]\n"
    typed += "distortions = [0, 0, 0, 0, 0]\nrotation = [0, 0.5, 0]\ntranslation = [10, 0, 900]\n"
    (tmp_path / "typed.toml").write_text(typed)
    (camera,) = read_rig_record(tmp_path / "typed.toml").cameras
    assert (camera.name, camera.size) == ("top", (640, 480))
    assert camera.t.tolist() == [10, 0, 900]
