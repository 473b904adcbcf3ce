"""Predictions of Lightning Pose that were left in pixels of the resized picture are stretched to the whole."""

import numpy as np
import pytest

from muybridge.formats import read_views

BLOCK = """
data:
  image_orig_dims:
    height: 1024
    width: 1280
  image_resize_dims:
    width: 256
    height: 384
"""
BRACES = "data:\n  image_orig_dims: {height: 1024, width: 1280}\n  image_resize_dims: {height: 384, width: 256}\n"
RESIZED = np.array([[20.0, 30.0], [230.0, 350.0], [125.5, 190.0]])
WHOLE = RESIZED * [1280 / 256, 1024 / 384]


def predictions(folder, points, config=BLOCK, place="config.yaml", columns="x,y,likelihood", variance=""):
    """A file of predictions in a model's folder, as `litpose predict` lays it out."""
    path = folder / "video_preds" / "cam1.csv"
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(exist_ok=True)
    (folder / place).write_text(config)
    n = columns.count(",") + 1
    header = [["scorer", *["heatmap_tracker"] * n], ["bodyparts", *["nose"] * n], ["coords", columns]]
    rows = [[str(i), f"{x}", f"{y}", "0.9" + variance] for i, (x, y) in enumerate(points)]
    path.write_text("\n".join(",".join(row) for row in header + rows) + "\n")
    return path


@pytest.mark.parametrize("config", [BLOCK, BRACES])
@pytest.mark.parametrize("place", ["config.yaml", ".hydra/config.yaml", "video_preds/config.yaml"])
def test_points_of_the_resized_picture_are_stretched_and_noted(tmp_path, config, place):
    views = read_views({"cam1": predictions(tmp_path, RESIZED, config, place)}, fps=30)
    np.testing.assert_allclose(views["position"].values[0, :, 0], WHOLE)
    assert "within the 256x384 px that Lightning Pose resized its pictures to (config.yaml)" in views.attrs["notes"]


def test_their_variances_are_stretched_with_them(tmp_path):
    path = predictions(tmp_path, RESIZED, columns="x,y,likelihood,x_ens_var,y_ens_var", variance=",1.0,4.0")
    covariance = read_views({"cam1": path}, fps=30)["covariance"].values[0, 0, 0]
    np.testing.assert_allclose(covariance, np.diag([25.0, 4 * (1024 / 384) ** 2]))


@pytest.mark.parametrize(
    ("points", "config"),
    [
        (WHOLE, BLOCK),  # of the whole picture, as nearly all releases write them
        (RESIZED / 5, BLOCK),  # an animal in a corner of the whole picture
        (RESIZED, BLOCK.replace("1280", "300").replace("1024", "450")),  # a picture hardly larger: both are as likely
        (RESIZED, "data:\n  image_resize_dims: null\n"),
        (RESIZED, "Task: of DeepLabCut\n"),
    ],
)
def test_other_points_stay(tmp_path, points, config):
    views = read_views({"cam1": predictions(tmp_path, points, config)}, fps=30)
    np.testing.assert_allclose(views["position"].values[0, :, 0], points)
    assert "resized" not in views.attrs.get("notes", "")
