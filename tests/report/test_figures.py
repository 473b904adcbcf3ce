import re

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from muybridge.report import plots
from muybridge.report.figures import THEME, plot_figure, thinned


def test_the_colours_of_a_figure_follow_the_theme():
    text = plot_figure(lambda ax: ax.plot([0, 1], [1, 0], label="a"), name="a line")
    assert not [colour for colour in THEME if colour in text]
    assert "var(--series-1)" in text


def test_two_figures_share_no_identifier():
    first, second = (plot_figure(lambda ax: ax.plot([0, 1]), name=name) for name in ("one", "two"))
    assert not set(re.findall(r'\bid="([^"]+)"', first)) & set(re.findall(r'\bid="([^"]+)"', second))


def test_every_reference_of_a_figure_has_its_target():
    text = plot_figure(lambda ax: ax.plot([0, 1], marker="o"), name="a & b")
    targets = set(re.findall(r'\bid="([^"]+)"', text))
    assert {r for pair in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text) for r in pair if r} <= targets


def test_the_axes_box_of_a_plot_over_time_frames_its_limits():
    text = plot_figure(lambda ax: ax.set(xlim=(2, 5)), name="t", over_time=True, size=(4, 2))
    left, top, right, bottom, start, end = map(float, re.search(r'data-axes="\[\[(.*?)\]\]"', text)[1].split(","))
    assert 0 < left < right < 288
    assert 0 < top < bottom < 144
    assert (start, end) == (2, 5)


def test_global_settings_of_matplotlib_stay():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plot_figure(lambda ax: ax.plot([0, 1]), name="x")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("n", [0, 1, 1200, 1201, 10**5])
def test_thinning_keeps_the_extremes_the_gaps_and_about_the_limit(n):
    values = np.sin(np.arange(n) * 0.9)
    values[n // 2 : n // 2 + 500] = np.nan
    kept = thinned(values)
    assert len(kept) <= 1.5 * 1200 + 2
    assert (np.diff(kept) > 0).all()
    if n:
        assert np.nanmax(values[kept], initial=-1) == np.nanmax(values, initial=-1)
        assert np.isnan(values[kept]).any()


@pytest.fixture
def ax():
    return Figure().add_subplot()


def test_a_frame_between_gaps_is_drawn_as_a_dot(ax):
    plots.plot_lone_frames(np.arange(3.0), np.array([np.nan, 4, np.nan]), ax)
    assert ax.lines[0].get_ydata().tolist() == [4]
    plots.plot_lone_frames(np.arange(3.0), np.array([1.0, 4, np.nan]), ax)
    assert len(ax.lines) == 1


def test_error_shares_end_at_one(ax, rng):
    plots.plot_error_shares(np.abs(rng.normal(size=(2, 50))), ["a", "b"], ax)
    assert [line.get_ydata()[-1] for line in ax.lines] == [1, 1]


def test_empty_plots_draw_nothing_and_do_not_fail(ax):
    plots.plot_error_shares(np.full((2, 3), np.nan), ["a", "b"], ax)
    plots.plot_bone_lengths(np.full((4, 2), np.nan), ["a", "b"], ax)
    plots.plot_presence(np.full((4, 2), np.nan), np.arange(5.0), ["a", "b"], ax, label="seen")


def test_the_deviation_of_a_speed_is_that_along_the_motion(rng):
    from muybridge.report.sections.angles_and_speeds import speed_std

    velocity, root = np.array([300.0, -200, 100]), rng.normal(size=(3, 3))
    covariance = root @ root.T
    drawn = np.linalg.norm(rng.multivariate_normal(velocity, covariance, 20_000), axis=-1)
    assert speed_std(velocity[None], covariance[None])[0] == pytest.approx(drawn.std(), rel=0.03)
    assert np.isnan(speed_std(np.zeros((1, 3)), covariance[None]))


def test_a_dense_cloud_becomes_a_picture(rng):
    text = plot_figure(lambda ax: ax.scatter(*rng.normal(size=(2, 5000))), name="cloud")
    assert "data:image/png" in text
    assert len(text) < 120_000


def test_no_line_joins_the_two_ends_of_the_circle():
    from muybridge.report.sections.angles_and_speeds import split_at_jumps

    angle = xr.DataArray(np.radians([[170.0], [179], [-179], [-170]]), dims=("time", "joint"))
    split = split_at_jumps(xr.Dataset({"angle": angle}))
    np.testing.assert_allclose(np.degrees(split["angle"].values[:, 0]), [170, 179, np.nan, -179, -170])
    xr.testing.assert_identical(split_at_jumps(xr.Dataset({"angle": angle[:2]})), xr.Dataset({"angle": angle[:2]}))


def test_angles_in_degrees_become_radians(session):
    from muybridge.report.sections.angles_and_speeds import in_radians

    kinematics = session["kinematics"]
    degrees = kinematics.assign(angle=np.degrees(kinematics["angle"]).assign_attrs(units="degree"))
    xr.testing.assert_allclose(in_radians(degrees)["angle"], kinematics["angle"])
    xr.testing.assert_identical(in_radians(kinematics), kinematics)
