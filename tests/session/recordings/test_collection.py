"""Tables over sessions whose results are written here."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from muybridge.datasets import write_dataset
from muybridge.session.config import SessionError
from muybridge.session.recordings import collection
from muybridge.session.recordings.collection import collect_sessions
from muybridge.session.recordings.session_files import find_sessions

SESSION = """
[session]
name = "{name}"
animal = "{animal}"
[cameras.a]
[cameras.b]
[gait]
left_hind = "foot"
"""
STRIDES = "limb,stride,touch_down,length,gait\nleft_hind,0,0.1,52.5,trot\nleft_hind,1,0.4,53.5,\n"


def motion(n_frames, individuals=None, unit="mm"):
    lead = () if individuals is None else ("individual",)
    shape = (() if individuals is None else (len(individuals),)) + (n_frames, 2)
    values = np.arange(np.prod(shape), dtype=float).reshape(shape)
    return xr.Dataset(
        {
            "angle": ((*lead, "time", "joint"), values[..., :1]),
            "angle_std": ((*lead, "time", "joint"), values[..., :1] / 10),
            "speed": ((*lead, "time", "keypoint"), values),
        },
        {"time": np.arange(n_frames) / 10, "joint": ["knee"], "keypoint": ["hip", "foot"]}
        | ({} if individuals is None else {"individual": individuals}),
        {"position_units": unit},
    )


@pytest.fixture
def folder(tmp_path):
    for name, unit, animals in (("one", "mm", None), ("two", "m", ["x", "y"]), ("three", "mm", None)):
        (tmp_path / name / "results").mkdir(parents=True)
        text = SESSION.format(name=name, animal="cat")
        (tmp_path / name / "session.toml").write_text(text)
        if name != "three":
            write_dataset(motion(5, animals, unit), tmp_path / name / "results" / "kinematics.nc")
    (tmp_path / "one" / "results" / "strides.csv").write_text(STRIDES)
    return tmp_path


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_tables_have_session_and_animal_and_every_frame(folder, format, monkeypatch):
    monkeypatch.setattr(collection, "_FRAMES", 2)
    said = list(collect_sessions(find_sessions([folder]), folder / "out", format=format))
    assert sum("left out" in line for line in said) == 1
    assert any("different units, m, mm" in line for line in said)
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv}[format]
    strides, angles, speeds = (read(folder / "out" / f"{name}.{format}") for name in ("strides", "angles", "speeds"))
    assert list(strides.columns[:4]) == ["session", "animal", "unit", "limb"]
    assert strides["length"].tolist() == [52.5, 53.5]
    assert angles.groupby(["session", "animal"], sort=False).size().to_dict() == {
        ("one", "cat"): 5, ("two", "x"): 5, ("two", "y"): 5,
    }  # fmt: skip
    assert (len(speeds), set(speeds["unit"])) == (30, {"m", "mm"})
    own = speeds[(speeds["animal"] == "y") & (speeds["keypoint"] == "foot")]
    np.testing.assert_array_equal(own["speed"], motion(5, ["x", "y"])["speed"].values[1, :, 1])
    np.testing.assert_allclose(own["time"], np.arange(5) / 10)


def test_sessions_of_one_name_are_told_apart_by_their_paths(folder):
    path = folder / "two" / "session.toml"
    path.write_text(path.read_text().replace('name = "two"', 'name = "one"'))
    list(collect_sessions(find_sessions([folder]), folder, format="csv"))
    assert set(pd.read_csv(folder / "angles.csv")["session"]) == {"one/session.toml", "two/session.toml"}


def test_what_cannot_be_collected_is_refused(folder):
    with pytest.raises(SessionError, match="no table format 'xls'"):
        list(collect_sessions(find_sessions([folder]), folder, format="xls"))
    with pytest.raises(SessionError, match=r"no session has results to collect; left out: .*three"):
        list(collect_sessions(find_sessions([folder / "three"]), folder))
