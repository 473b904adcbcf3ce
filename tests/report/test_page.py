import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from muybridge.datasets import DatasetError
from muybridge.report import SessionResults, write_figures
from tests.report.session import report_of

SECTIONS_OF_ONE_PART = {
    "rig": ["summary", "skeleton", "calibration"],
    "calibration_report": ["summary", "calibration"],
    "views": ["summary", "quality", "provenance"],
    "pose": ["summary", "skeleton", "kinematics", "quality"],
    "kinematics": ["kinematics"],
    "skeleton": [],
    "videos": [],
    "errors": ["truth"],
}


NEITHER_ERRORS_NOR_SPEEDS = ["velocity", "velocity_covariance", "reprojection_error"]  # the most of the figures


def sections_of(path):
    return re.findall(r'<section id="([a-z]+)"', path.read_text())


def test_the_whole_session_has_every_section(report):
    expected = ["summary", "truth", "skeleton", "images", "kinematics", "quality", "calibration", "provenance"]
    assert sections_of(report) == expected


def test_what_an_angle_means_is_said_in_the_degrees_of_the_page(session, tmp_path):
    kinematics = session["kinematics"].assign_attrs(zero_and_sign="three-point angle: 0 folded, pi straight")
    path = report_of(tmp_path / "report.html", title="Angles", summary={}, kinematics=kinematics)
    assert "0 folded, 180 degrees straight" in path.read_text()


def test_a_title_and_a_summary_are_enough(tmp_path):
    path = report_of(tmp_path / "new" / "report.html", title="Only words", summary={"Animal": "a rat"})
    assert sections_of(path) == ["summary"]
    assert "a rat" in path.read_text()


@pytest.mark.parametrize("left_out", ["rig", "views", "pose", "skeleton"])
def test_each_part_is_optional(session, left_out, tmp_path):
    parts = {
        name: value
        for name, value in session.items()
        if name not in (left_out, "videos", "kinematics", "calibration_report")
    }
    if "pose" in parts:
        parts["pose"] = parts["pose"].drop_vars(NEITHER_ERRORS_NOR_SPEEDS)
    assert "summary" in sections_of(report_of(tmp_path / "report.html", **parts))


@pytest.mark.parametrize("only", SECTIONS_OF_ONE_PART)
def test_each_part_alone_has_the_sections_that_it_fills(session, only, tmp_path):
    path = report_of(tmp_path / "report.html", **{only: session[only]})
    assert sections_of(path) == SECTIONS_OF_ONE_PART[only]
    assert path.read_text().rstrip().endswith("</html>")


def test_the_file_refers_to_nothing_outside_itself(report):
    text = report.read_text()
    addresses = [a or b for a, b in re.findall(r'(?:src|href)="([^"]+)"|url\(([^)]+)\)', text)]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "Content-Security-Policy" in text


def test_every_identifier_is_used_once(report):
    found = re.findall(r'\sid="([^"]+)"', report.read_text())
    assert len(found) == len(set(found))


def test_every_anchor_has_its_target(report):
    text = report.read_text()
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'\sid="([^"]+)"', text))


def test_the_same_session_gives_the_same_bytes(session, report, tmp_path):
    assert report_of(tmp_path / "again.html", **session).read_bytes() == report.read_bytes()


@pytest.mark.long
def test_ten_thousand_frames_of_twenty_points_stay_below_five_megabytes(skeleton, tmp_path, rng):
    """With uncertainty, angles, speeds and errors, without pictures."""
    from muybridge.datasets import pose_dataset

    n, names, times = 10_000, [f"k{i}" for i in range(20)], np.arange(10_000) / 100
    covariance = np.broadcast_to(np.eye(3), (n, 20, 3, 3))
    pose = pose_dataset(
        np.cumsum(rng.normal(0, 2, (n, 20, 3)), axis=0), keypoints=names, times=times, unit="mm", covariance=covariance,
        velocity=rng.normal(0, 200, (n, 20, 3)), velocity_covariance=covariance, n_cameras=np.full((n, 20), 5),
        cameras=list("abcdef"), reprojection_error=rng.exponential(2, (6, n, 20)),
    )  # fmt: skip
    coords, attrs = {"time": times, "joint": names[:10]}, {"units": "radian"}
    angle = xr.DataArray(rng.uniform(1, 2, (n, 10)), coords, ("time", "joint"), attrs=attrs)
    motion = xr.Dataset({"angle": angle, "angle_std": xr.full_like(angle, 0.1)})
    path = report_of(tmp_path / "r.html", pose=pose, kinematics=motion)
    assert path.stat().st_size < 5e6


def test_a_thousand_frames_of_twenty_points_stay_below_a_megabyte(tmp_path, rng):
    from muybridge.datasets import pose_dataset

    points = np.cumsum(rng.normal(0, 2, (1000, 20, 3)), axis=0)
    covariance = np.broadcast_to(np.eye(3), (1000, 20, 3, 3))
    pose = pose_dataset(points, keypoints=[f"k{i}" for i in range(20)], times=np.arange(1000) / 120, unit="mm",
                        covariance=covariance)  # fmt: skip
    assert report_of(tmp_path / "r.html", pose=pose).stat().st_size < 1e6


def test_names_are_escaped(session, tmp_path):
    evil = "</script><img src=x onerror=alert(1)>&\"'"
    pose = session["pose"].assign_coords(keypoint=[evil, *session["pose"]["keypoint"].values[1:]])
    kinematics = session["kinematics"].assign_coords(joint=[evil, "b", "c"])
    pose.attrs["step"] = evil
    path = report_of(
        tmp_path / "report.html", title=evil, summary={evil: evil}, pose=pose, kinematics=kinematics,
        errors=pd.DataFrame({evil: [evil]}),
    )  # fmt: skip
    text = path.read_text()
    assert "<img src=x" not in text
    assert text.count("</script>") == 2


def test_an_old_report_survives_a_failure(tmp_path):
    class Broken:
        def __str__(self):
            raise OSError("cannot be shown")

    path = report_of(tmp_path / "report.html", title="old", summary={})
    before = path.read_bytes()
    with pytest.raises(OSError, match="cannot be shown"):
        report_of(path, title="new", summary={"Animal": Broken()})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_wrong_dataset_is_named(session, tmp_path):
    with pytest.raises(DatasetError, match="views lacks the variable 'position'"):
        report_of(tmp_path / "r.html", views=xr.Dataset())
    assert not (tmp_path / "r.html").exists()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_frames", [1, 2])
def test_few_frames(session, n_frames, tmp_path):
    parts = {name: value for name, value in session.items() if name != "calibration_report"}
    for name in ("views", "pose", "kinematics"):
        parts[name] = session[name].isel(time=slice(n_frames))
    assert "skeleton" in sections_of(report_of(tmp_path / "r.html", **parts))


@pytest.mark.filterwarnings("error")
def test_everything_missing(session, tmp_path):
    parts = {name: value for name, value in session.items() if name not in ("videos", "calibration_report")}
    for name in ("views", "pose", "kinematics"):
        parts[name] = session[name].map(lambda v: v.astype(float) * np.nan, keep_attrs=True)
    assert "quality" in sections_of(report_of(tmp_path / "r.html", **parts))


def test_several_individuals(session, tmp_path):
    parts = {name: value for name, value in session.items() if name not in ("videos", "calibration_report")}
    for name in ("views", "pose", "kinematics"):
        parts[name] = xr.concat([session[name], session[name]], dim="individual").assign_coords(individual=["a", "b"])
    text = report_of(tmp_path / "r.html", **parts).read_text()
    assert "b: left_knee" in text
    assert re.search(r"<dt>Animals</dt><dd>2</dd>", text)
    assert "2 animals, with the share of each that is reconstructed: a (98.6 %), b (98.6 %)." in text
    key = text.partition('id="skeleton"')[2].partition("</section>")[0]
    assert re.findall(r'animal-(\d)"></span>(\w)', key) == [("1", "a"), ("2", "b")]


def test_one_animal_is_not_counted(report):
    assert "<dt>Animals</dt>" not in report.read_text()


def test_warnings_of_the_calibration_stand_in_the_summary(report):
    summary = report.read_text().partition('id="skeleton"')[0]
    assert "camera cam_2 saw the board in 4 % of its image" in summary


def test_the_three_worst_warnings_stand_in_the_summary_and_the_others_in_a_folded_table(session, tmp_path):
    rows = [
        {"kind": "keypoint", "name": f"point_{i}", "off": off, "off_px": off, "message": f"Keypoint {i} is bad."}
        for i, off in enumerate([1.0, None, 9.0, 4.0, 2.0])
    ]
    pose = session["pose"].drop_vars(NEITHER_ERRORS_NOR_SPEEDS).assign_attrs(warnings=json.dumps(rows))
    text = report_of(tmp_path / "r.html", pose=pose).read_text()
    summary = text.partition('id="skeleton"')[0]
    assert re.findall(r"<li>Keypoint (\d)", summary) == ["2", "3", "4"]
    assert "<summary>2 more warnings</summary>" in summary
    assert re.findall(r'<th scope="row">keypoint point_(\d)', summary) == ["0", "1"]
    assert "off, mm" in summary
    assert "Keypoint 2 is bad" not in text.partition('id="provenance"')[2]
    parts = {"pose": pose.isel(time=slice(5)), "calibration_report": session["calibration_report"]}
    text = report_of(tmp_path / "r.html", **parts).read_text()
    calibrated = text.partition("<details>")[0]
    assert re.findall(r"<li>(\w+ \w+)", calibrated) == ["Keypoint 2", "Keypoint 3", "camera cam_2"]


def test_the_check_of_the_error_bars_is_shown_per_camera_and_keypoint(session, tmp_path):
    pose = session["pose"]
    names = [("camera", "cam_0"), *(("keypoint", str(name)) for name in pose["keypoint"].values), ("all", "all")]
    row = {"n": 900, "outliers": 0.1, "inside_50": 0.4, "inside_95": 0.87, "judged_95": 0.86, "rescaled_95": 0.945}
    rows = [{"kind": kind, "name": name, **row, "factor": 1.5 if kind == "keypoint" else None} for kind, name in names]
    attrs = {"coverage": json.dumps(rows), "coverage_words": "95 % regions hold 87 %."}
    text = report_of(tmp_path / "r.html", pose=pose.assign_attrs(attrs)).read_text()
    quality = text.partition('id="quality"')[2]
    assert "the same, rescaled" in quality
    assert quality.count("94.5 %") == len(names)
    assert quality.count("<td>1.50</td>") == pose.sizes["keypoint"]
    assert "95 % regions hold 87 %." in quality
    few = pose.isel(time=slice(2)).drop_vars(NEITHER_ERRORS_NOR_SPEEDS)
    warned = few.assign_attrs(attrs, coverage_warning="The error bars are too narrow.")
    text = report_of(tmp_path / "r.html", pose=warned).read_text()
    assert "<li>The error bars are too narrow.</li>" in text
    failed = few.assign_attrs(coverage_failed="The error bars cannot be checked.")
    text = report_of(tmp_path / "r.html", pose=failed).read_text()
    assert "The error bars cannot be checked." in text


def test_three_sentences_stand_first(report):
    summary = report.read_text().partition('id="summary"')[2].partition("</section>")[0]
    assert re.findall(r"<dt>([^<]*\?)</dt>", summary) == ["Is it good?", "What is wrong?", "What to do?"]
    assert summary.index("Is it good?") < summary.index("tiles")


def test_the_whole_data_are_linked_beside_the_page(session, tmp_path):
    files = {"pose.nc": "3D positions of every frame"}
    pose = session["pose"].isel(time=slice(2)).drop_vars(NEITHER_ERRORS_NOR_SPEEDS)
    text = report_of(tmp_path / "r.html", pose=pose, data_files=files).read_text()
    assert '<a href="pose.nc">pose.nc</a> 3D positions of every frame' in text


@pytest.mark.parametrize("format", ["svg", "pdf"])
def test_figures_are_written_as_files(session, format, tmp_path):
    parts = {name: session[name] for name in ("rig", "pose", "kinematics", "skeleton")}
    parts["kinematics"] = parts["kinematics"].sel(joint=["neck"])
    parts["pose"] = parts["pose"].drop_vars(NEITHER_ERRORS_NOR_SPEEDS)
    results = SessionResults(**parts)
    files = write_figures(tmp_path, results, format=format)
    assert {"stick-figures", "angle-of-neck", "what-was-seen-over-time"} <= {path.stem for path in files}
    starts = {"svg": b"<?xml", "pdf": b"%PDF"}
    assert all(path.read_bytes().startswith(starts[format]) for path in files)
    before = files[0].read_bytes()
    assert write_figures(tmp_path, results, format=format)[0].read_bytes() == before
    with pytest.raises(ValueError, match="known: svg, pdf, png"):
        write_figures(tmp_path, results, format="bmp")


def test_goals_are_judged(tmp_path):
    errors = pd.DataFrame({"quantity": ["a", "b", "c"], "value": [0.5, 2.0, 3.0], "goal": [1.0, 1.0, np.nan]})
    text = report_of(tmp_path / "r.html", errors=errors).read_text()
    rows = re.findall(r"<tr>(.*?)</tr>", text)[1:]
    assert [re.findall(r">([^<]*)</t", row)[-1] for row in rows] == ["yes", "no", ""]


def test_a_rig_alone_is_drawn(rig, tmp_path):
    text = report_of(tmp_path / "r.html", rig=rig).read_text()
    assert "Cameras in 3D" in text


def test_strides_and_stances_are_drawn_as_a_gait(tmp_path):
    times = np.arange(60) / 100
    stance = np.stack([np.sin(20 * times) > 0, np.sin(20 * times) < 0], axis=1)
    moving = xr.Dataset(
        {"stance": (("time", "limb"), stance, {"units": "1"})},
        coords={"time": ("time", times, {"units": "s"}), "limb": ["left_hind", "right_hind"]},
    )
    strides = pd.DataFrame({"limb": ["left_hind"] * 2, "frequency": [3.0, 3.2], "duty_factor": 0.5, "length": 410.0,
                            "speed": 1300.0, "clearance": 40.0, "phase": 0.0, "gait": ["", "trot"]})  # fmt: skip
    path = report_of(tmp_path / "report.html", kinematics=moving, strides=strides)
    assert "gait" in sections_of(path)
    assert "trot" in path.read_text()
    path = report_of(tmp_path / "report.html", kinematics=moving)
    assert "No whole stride" in path.read_text()
    two = xr.concat([moving, moving], dim="individual").assign_coords(individual=["a", "b"])
    each = pd.concat([strides.assign(individual=name) for name in ("a", "b")])
    text = report_of(tmp_path / "report.html", kinematics=two, strides=each).read_text()
    assert "b: gait diagram" in text
    assert "b: left_hind" in text


def test_phases_about_zero_have_a_mean_about_zero_and_unknown_ones_do_not_count():
    from muybridge.report.sections.gait_diagram import mean_over_strides

    assert abs((mean_over_strides(np.array([0.98, 0.04, np.nan]), True) + 0.5) % 1 - 0.5) == pytest.approx(0.01)
    assert mean_over_strides(np.array([1.0, np.nan, 3.0]), False) == 2.0
    assert np.isnan(mean_over_strides(np.array([np.nan]), True))
