"""Rigs survive the way to a file and back; other tools' conventions are turned into ours."""

import json
import tomllib
import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
import tomli_w
from scipy.io import savemat

from muybridge.calibration import Camera, CameraRig, read_rig, write_rig
from muybridge.cameras import LensFoldWarning, NearlyOrthographicWarning, PrincipalPointWarning, SamePoseWarning
from muybridge.cameras.rig_files import depth_shift, orthographic_sentence
from muybridge.cameras.rotations import look_at
from muybridge.formats import FormatError, fit_dlt
from tests.helpers import SHARED, needs_shared

FIELDS = ("K", "distortion", "R", "t")
POINTS = np.random.default_rng(3).uniform(-150, 150, (50, 3))


@pytest.fixture
def varied_rig(ring_rig):
    """A pinhole, a fisheye, a mirrored and a rational lens, in metres, up along y."""
    a, b, c, d = ring_rig.cameras[:4]
    fisheye = replace(b, distortion=np.array([0.03, -0.01, 0.002, 0.0]), model="fisheye")
    mirrored = replace(c, K=c.K * np.array([[-1, 1, 1], [1, 1, 1], [1, 1, 1]]))
    rational = replace(d, distortion=np.array([0.1, 0.02, 1e-3, -2e-3, 0.01, 0.2, 0.03, 0.001]))
    return CameraRig((a, fisheye, mirrored, rational), unit="m", up=np.array([0.0, 1.0, 0.0]))


def assert_same(one, other, atol=0.0):
    assert one.names == other.names
    for a, b in zip(one, other, strict=True):
        assert (a.size, a.model) == (b.size, b.model)
        for field in FIELDS:
            np.testing.assert_allclose(getattr(a, field), getattr(b, field), rtol=0, atol=atol, err_msg=field)


@pytest.mark.parametrize("suffix", ["toml", "json", "yaml", "yml", "xml"])
def test_a_rig_comes_back_to_the_last_bit(varied_rig, tmp_path, suffix):
    again = read_rig(write_rig(varied_rig, tmp_path / f"rig.{suffix}"))
    assert_same(varied_rig, again)
    assert again.unit == "m"
    np.testing.assert_array_equal(again.up, varied_rig.up)


@pytest.mark.parametrize("suffix", ["toml", "json", "yaml"])
def test_a_lens_that_folds_inside_its_image_is_read_with_a_warning_and_its_points_are_left_out(
    ring_rig, tmp_path, suffix
):
    camera = ring_rig[0]
    radius = 0.5 * np.hypot(*camera.size) / camera.K[0, 0]
    folded = replace(camera, distortion=np.array([-0.5 / radius**2]))  # turns back at 0.54 of the corner's radius
    path = write_rig(CameraRig((folded, ring_rig[1])), tmp_path / f"rig.{suffix}")
    with pytest.warns(LensFoldWarning, match=rf"camera '{camera.name}' folds .* in [0-9.]+% of its pixels") as caught:
        rig = read_rig(path)
    assert len(caught) == 1
    assert np.isnan(rig[0].undistort([0.0, 0.0])).all()
    assert np.isfinite(rig[0].undistort(camera.K[:2, 2])).all()


@needs_shared
@pytest.mark.shared
def test_a_rig_close_to_orthographic_is_read_with_a_warning_of_what_it_costs():
    with pytest.warns(NearlyOrthographicWarning) as caught:
        read_rig(SHARED / "data" / "fly_ensemble" / "calibration.toml")
    assert len(caught) == 3
    assert "focal length 136330 px" in str(caught[2].message)
    assert "moves by 3.2 px at the image's corner" in str(caught[2].message)


@pytest.mark.parametrize("focal", [800.0, 20000.0, 136330.0])
def test_a_point_that_comes_nearer_by_the_width_of_the_view_moves_by_the_depth_shift(focal):
    size, z = (832, 632), 10.0 * focal
    camera = Camera("front", size, [[focal, 0, 0], [0, focal, 0], [0, 0, 1]], [], np.eye(3), np.zeros(3))
    corner, width = 0.5 * np.array(size) * z / focal, size[0] * z / focal
    small = 1e-3 * width  # the shift is a derivative: a point never comes nearer by more than it is away
    moved = camera.project([*corner, z - small]) - camera.project([*corner, z])
    np.testing.assert_allclose(np.linalg.norm(moved) / 1e-3, depth_shift(size, focal), rtol=2e-3)


def test_a_principal_point_outside_its_image_is_named(tmp_path, ring_rig):
    K = ring_rig[1].K.copy()
    K[:2, 2] *= -1  # a sign that was lost on the way from another program
    wrong = CameraRig((ring_rig[0], replace(ring_rig[1], K=K), *ring_rig.cameras[2:]), unit="mm")
    with pytest.warns(PrincipalPointWarning) as caught:
        read_rig(write_rig(wrong, tmp_path / "rig.toml"))
    (message,) = [str(own.message) for own in caught]
    x, y = K[:2, 2]
    assert "'cam_1'" in message
    assert f"({x:.1f}, {y:.1f})" in message
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_rig(write_rig(ring_rig, tmp_path / "right.toml"))


def lenses_without_poses(kind, folder):
    """A file or folder of two cameras of which only the lenses are known, or of one camera twice."""
    K, size = np.array([[800.0, 0, 320], [0, 800, 240], [0, 0, 1]]), (640, 480)
    R, t = (np.eye(3), np.zeros(3)) if kind == "zeros" else look_at((300.0, 200.0, 100.0))
    if kind != "matrices alone":
        return write_rig(CameraRig(tuple(Camera(name, size, K, [], R, t) for name in "ab")), folder / "rig.toml")
    for name in "ab":
        storage = cv2.FileStorage(str(folder / f"{name}.yaml"), cv2.FILE_STORAGE_WRITE)
        storage.write("camera_matrix", K)
        storage.write("distortion_coefficients", np.zeros((1, 5)))
        storage.write("image_width", size[0])
        storage.write("image_height", size[1])
        storage.release()
    return folder


@pytest.mark.parametrize("kind", ["zeros", "matrices alone", "a camera twice"])
def test_cameras_of_one_pose_are_named_in_one_warning(tmp_path, kind):
    with pytest.warns(SamePoseWarning, match="'a' and 'b' stand at the same place .* lenses without poses") as caught:
        assert read_rig(lenses_without_poses(kind, tmp_path)).names == ("a", "b")
    assert len(caught) == 1
    assert str(tmp_path) in str(caught[0].message)


def test_only_very_long_lenses_are_called_orthographic():
    assert orthographic_sentence("front", (1280, 1024), 9000.0) == ""
    assert "depth along its axis is left to the other cameras" in orthographic_sentence("front", (832, 632), 136330.0)


def test_the_toml_is_what_anipose_reads(varied_rig, tmp_path):
    tables = tomllib.loads(write_rig(varied_rig, tmp_path / "rig.toml").read_text())
    assert list(tables) == ["cam_0", "cam_1", "cam_2", "cam_3", "metadata"]
    for camera, table in zip(varied_rig, list(tables.values())[:-1], strict=True):
        assert table["name"] == camera.name
        assert table["size"] == list(camera.size)
        np.testing.assert_array_equal(table["matrix"], camera.K)
        np.testing.assert_array_equal(table["distortions"], camera.distortion)
        np.testing.assert_allclose(cv2.Rodrigues(np.array(table["rotation"]))[0], camera.R, atol=1e-12)
        np.testing.assert_array_equal(table["translation"], camera.t)
        assert table.get("fisheye", False) == (camera.model == "fisheye")


def test_a_rig_from_anipose_goes_back_to_the_same_file(tmp_path):
    original = {
        "cam_0": {
            "name": "left", "size": [640, 480], "matrix": [[500.0, 0, 320.5], [0, 501.0, 240.25], [0, 0, 1.0]],
            "distortions": [-0.2, 0.0, 0.0, 0.0, 0.0], "rotation": [0.1, -2.9, 0.4], "translation": [1.5, 2.5, -3.0],
        },
        "metadata": {"adjusted": False, "error": 0.3},
    }  # fmt: skip
    (tmp_path / "in.toml").write_text(tomli_w.dumps(original))
    rig = read_rig(tmp_path / "in.toml")
    assert rig.unit == "mm"
    assert rig.up is None
    table = tomllib.loads(write_rig(rig, tmp_path / "out.toml").read_text())["cam_0"]
    for key, value in original["cam_0"].items():
        if key == "rotation":
            np.testing.assert_allclose(table[key], value, rtol=1e-14)
        else:
            assert table[key] == value


def test_more_than_ten_cameras_keep_their_order_in_anipose(tmp_path, ring_rig):
    rig = CameraRig(tuple(replace(ring_rig[i % 6], name=f"view {i}") for i in range(12)))
    tables = tomllib.loads(write_rig(rig, tmp_path / "rig.toml").read_text())
    ordered = [tables[key]["name"] for key in sorted(tables) if key != "metadata"]
    assert ordered == list(rig.names) == list(read_rig(tmp_path / "rig.toml").names)


def test_a_rotation_edited_by_hand_wins_over_the_matrix_beside_it(tmp_path, ring_rig):
    tables = tomllib.loads(write_rig(ring_rig, tmp_path / "rig.toml").read_text())
    tables["cam_0"]["rotation"] = [0.0, 0.0, 0.0]
    (tmp_path / "rig.toml").write_text(tomli_w.dumps(tables))
    np.testing.assert_array_equal(read_rig(tmp_path / "rig.toml")["cam_0"].R, np.eye(3))


def test_caliscope_arrays_are_read_in_metres_without_ignored_cameras(tmp_path, ring_rig):
    camera = ring_rig["cam_2"]
    table = {
        "cam_id": 7, "size": [1280, 1024], "matrix": camera.K.tolist(), "distortions": camera.distortion.tolist(),
        "rotation": camera.R.tolist(), "translation": camera.t.tolist(),
    }  # fmt: skip
    (tmp_path / "camera_array.toml").write_text(
        tomli_w.dumps({"cameras": {"7": table, "8": {**table, "ignore": True}}})
    )
    rig = read_rig(tmp_path / "camera_array.toml")
    assert rig.names == ("cam_7",)
    assert rig.unit == "m"
    np.testing.assert_allclose(rig.project(POINTS)[0], camera.project(POINTS), atol=1e-9)


def test_label3d_is_transposed_and_one_based(tmp_path, ring_rig):
    camera = ring_rig["cam_1"]
    k1, k2, p1, p2, k3 = camera.distortion
    params, names = np.empty((1, 1), object), np.empty((1, 1), object)
    params[0, 0] = {
        "K": (camera.K + np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]])).T,
        "r": camera.R.T,
        "t": camera.t[None],
        "RDistort": [[k1, k2, k3]],
        "TDistort": [[p1, p2]],
    }
    names[0, 0] = "Camera1"
    savemat(tmp_path / "label3d.mat", {"params": params, "camnames": names})
    rig = read_rig(tmp_path / "label3d.mat", size=(1280, 1024))
    # DANNCE's own formula: [X 1] [r; t] K, in Matlab's pixels
    flat = read_rig(tmp_path / "label3d.mat", size=(1280, 1024)).projection_matrices[0]
    matlab = (
        np.column_stack([POINTS, np.ones(50)]) @ np.vstack([params[0, 0]["r"], params[0, 0]["t"]]) @ params[0, 0]["K"]
    )
    ours = np.column_stack([POINTS, np.ones(50)]) @ flat.T
    np.testing.assert_allclose(ours[:, :2] / ours[:, 2:] + 1, matlab[:, :2] / matlab[:, 2:], rtol=1e-12)
    np.testing.assert_allclose(rig.project(POINTS)[0], camera.project(POINTS), atol=1e-9)
    with pytest.raises(FormatError, match="give size="):
        read_rig(tmp_path / "label3d.mat")


def test_a_rig_goes_through_label3d_and_a_fisheye_is_refused(tmp_path, ring_rig, varied_rig):
    again = read_rig(write_rig(ring_rig, tmp_path / "rig.mat"), size=(1280, 1024))
    assert_same(ring_rig, again, atol=1e-12)
    with pytest.raises(FormatError, match="cam_1"):
        write_rig(varied_rig, tmp_path / "varied.mat")


QUALISYS = """<?xml version="1.0"?><calibration><cameras>
<camera active="1" serial="21468" model="Miqus Video"><fov_video left="10" top="20" right="1929" bottom="1099"/>
<transform x="1500.0" y="-2000.0" z="1800.0" {rotation}/>
<intrinsic focalLengthU="107599.5" focalLengthV="107588.8" centerPointU="61440.0" centerPointV="34560.0"
 radialDistortion1="-0.05" radialDistortion2="0.14" radialDistortion3="0.01" tangentalDistortion1="0.0006"
 tangentalDistortion2="0.0007"/></camera>
<camera active="0" serial="off"/></cameras></calibration>"""


def test_qualisys_counts_in_64ths_of_a_pixel_and_looks_backwards(tmp_path):
    # a Qualisys camera looks along its -z, its y points up in the image: rows of r are its axes in the world
    back = np.array([1500.0, -2000.0, 1800.0]) / np.linalg.norm([1500.0, -2000.0, 1800.0])
    right = np.cross([0, 0, 1.0], back) / np.linalg.norm(np.cross([0, 0, 1.0], back))
    axes = np.stack([right, np.cross(back, right), back])
    rotation = " ".join(f'r{i + 1}{j + 1}="{axes[i, j]:.12f}"' for i in range(3) for j in range(3))
    (tmp_path / "lab.qca.txt").write_text(QUALISYS.format(rotation=rotation))
    rig = read_rig(tmp_path / "lab.qca.txt")
    camera = rig["21468"]
    assert len(rig) == 1
    assert rig.unit == "mm"
    assert camera.size == (1920, 1080)
    np.testing.assert_allclose(camera.center, [1500, -2000, 1800], atol=1e-8)
    # it looks at the world's origin, which therefore appears at the principal point
    np.testing.assert_allclose(camera.project(np.zeros(3)), [61440 / 64 - 10, 34560 / 64 - 20], atol=1e-6)
    assert camera.project([0, 0, 100.0])[1] < camera.project([0, 0, 0.0])[1], (
        "higher in the world is higher in the image"
    )
    np.testing.assert_allclose(camera.distortion, [-0.05, 0.14, 0.0006, 0.0007, 0.01])


def test_an_acinoset_scene_is_fisheye_as_opencv_projects_it(tmp_path):
    K = [[1239.7, 0.0, 1345.6], [0.0, 1238.6, 772.8], [0.0, 0.0, 1.0]]
    d = [[0.0374], [0.0478], [-0.0375], [0.0107]]
    R = cv2.Rodrigues(np.array([1.4, 0.1, -0.2]))[0]
    t = np.array([[0.3], [0.2], [4.0]])
    scene = {
        "camera_resolution": [2704, 1520],
        "cameras": [
            {"k": K, "d": d, "r": np.eye(3).tolist(), "t": [[0.0], [0.0], [0.0]]},
            {"k": K, "d": d, "r": R.tolist(), "t": t.tolist()},
        ],
    }
    (tmp_path / "scene.json").write_text(json.dumps(scene))
    rig = read_rig(tmp_path / "scene.json")
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (30, 3))
    expected = cv2.fisheye.projectPoints(
        points[:, None], cv2.Rodrigues(R)[0], t, np.array(K), np.array(d)
    )[0][:, 0]  # fmt: skip
    assert rig.names == ("cam1", "cam2")
    assert rig.unit == "m"
    assert rig["cam2"].model == "fisheye"
    np.testing.assert_allclose(rig["cam2"].project(points), expected, atol=1e-9)


def test_easymocap_files_are_read_together(tmp_path, ring_rig):
    intri = cv2.FileStorage(str(tmp_path / "intri.yml"), cv2.FILE_STORAGE_WRITE)
    extri = cv2.FileStorage(str(tmp_path / "extri.yml"), cv2.FILE_STORAGE_WRITE)
    for storage in (intri, extri):
        storage.startWriteStruct("names", cv2.FileNode_SEQ)
        storage.write("", "01")
        storage.endWriteStruct()
    camera = ring_rig["cam_3"]
    intri.write("K_01", np.array(camera.K))
    intri.write("dist_01", np.array(camera.distortion)[None])
    extri.write("R_01", cv2.Rodrigues(np.array(camera.R))[0])
    extri.write("T_01", np.array(camera.t)[:, None])
    intri.release()
    extri.release()
    rig = read_rig(tmp_path / "intri.yml", size=(1280, 1024))
    np.testing.assert_allclose(rig.project(POINTS)[0], camera.project(POINTS), atol=1e-9)


def test_a_stereo_pair_of_opencv_is_read(tmp_path, ring_rig):
    left, right = ring_rig["cam_0"], ring_rig["cam_1"]
    storage = cv2.FileStorage(str(tmp_path / "stereo.xml"), cv2.FILE_STORAGE_WRITE)
    for key, value in (("M1", left.K), ("D1", left.distortion[None]), ("M2", right.K), ("D2", right.distortion[None]),
                       ("R", right.R @ left.R.T), ("T", (right.t - right.R @ left.R.T @ left.t)[:, None])):  # fmt: skip
        storage.write(key, np.array(value))
    storage.release()
    rig = read_rig(tmp_path / "stereo.xml", size=(1280, 1024), unit="mm")
    seen_by_left = POINTS @ left.R.T + left.t
    np.testing.assert_allclose(rig.project(seen_by_left)[1], right.project(POINTS), atol=1e-8)


@pytest.mark.parametrize("separator", [",", "\t", " "])
def test_dlt_coefficients_come_back_as_cameras(tmp_path, ring_rig, separator):
    straight = CameraRig(tuple(replace(camera, distortion=np.zeros(0)) for camera in ring_rig))
    path = write_rig(straight, tmp_path / "dlt.csv")
    path.write_text(path.read_text().replace(",", separator))
    again = read_rig(path, size=(1280, 1024))
    assert_same(straight, again, atol=1e-9)


def test_dlt_coefficients_counted_from_the_bottom_are_recognised(tmp_path, ring_rig):
    straight = CameraRig(tuple(replace(camera, distortion=np.zeros(0)) for camera in ring_rig))
    columns = []
    for camera in straight:
        flipped = camera.project(POINTS) * [1, -1] + [0, 1024]
        columns.append(fit_dlt(POINTS, flipped))
    np.savetxt(tmp_path / "dlt.txt", np.column_stack(columns))
    again = read_rig(tmp_path / "dlt.txt", size=(1280, 1024), names=straight.names)
    np.testing.assert_allclose(again.project(POINTS), straight.project(POINTS), atol=1e-6)
    with pytest.raises(FormatError, match="give size="):
        read_rig(tmp_path / "dlt.txt")


def test_dlt_fits_noisy_points_as_well_as_their_noise_allows(ring_rig):
    camera = replace(ring_rig["cam_0"], distortion=np.zeros(0))
    seen = camera.project(POINTS) + np.random.default_rng(0).normal(0, 0.5, (50, 2))
    seen[3] = np.nan
    L = fit_dlt(POINTS, seen)
    w = POINTS @ L[8:] + 1
    fitted = np.column_stack([(POINTS @ L[:3] + L[3]) / w, (POINTS @ L[4:7] + L[7]) / w])
    assert np.sqrt(np.nanmean((fitted - seen) ** 2)) < 0.5
    assert np.abs(fitted - camera.project(POINTS)).max() < 1.0


def test_dlt_refuses_distortion_planes_and_too_few_points(tmp_path, ring_rig):
    with pytest.raises(FormatError, match="lens distortion"):
        write_rig(ring_rig, tmp_path / "dlt.csv")
    flat = POINTS * [1, 1, 0]
    with pytest.raises(FormatError, match="one plane"):
        fit_dlt(flat, ring_rig["cam_0"].project(flat))
    with pytest.raises(FormatError, match="at least 6"):
        fit_dlt(POINTS[:5], np.zeros((5, 2)))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pickle", "", "executes code"),
        ("a.toml", "[x", "not valid TOML"),
        ("a.toml", "[metadata]\nerror = 0.1", "no camera"),
        ("a.toml", "[cam_0]\nname='top'\nmatrix=[[1.0]]", "camera 'top' lacks size"),
        ("a.json", "{", "not valid JSON"),
        ("a.json", '{"cameras": [{"name": "a"}]}', "camera 'a' lacks size, K"),
        ("a.json", '{"cameras": [{"K": [1]}]}', "a camera has the name None"),
        ("a.yaml", "%YAML:1.0\n---\nx: 1\n", "expected 'names'"),
        ("a.xml", "<calibration/>", "no active <camera>"),
        ("a.csv", "1,2\n3,4\n", "expected 11 rows"),
        ("a.docx", "", "cameras are read from"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(FormatError, match=message):
        read_rig(tmp_path / name)


def test_an_impossible_camera_is_named_with_its_file(tmp_path, ring_rig):
    tables = tomllib.loads(write_rig(ring_rig, tmp_path / "rig.toml").read_text())
    tables["cam_3"]["matrix"][1][1] = -5.0
    (tmp_path / "rig.toml").write_text(tomli_w.dumps(tables))
    with pytest.raises(FormatError, match=r"rig\.toml: camera 'cam_3'"):
        read_rig(tmp_path / "rig.toml")


def test_a_failed_write_leaves_the_old_file(tmp_path, ring_rig, varied_rig):
    path = write_rig(ring_rig, tmp_path / "rig.mat")
    before = path.read_bytes()
    with pytest.raises(FormatError):
        write_rig(varied_rig, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["rig.mat"]


def test_cameras_may_be_renamed_and_resized(tmp_path, ring_rig):
    path = write_rig(ring_rig, tmp_path / "rig.toml")
    rig = read_rig(path, names=list("abcdef"), size={"b": (640, 512)}, unit="cm")
    assert rig.names == tuple("abcdef")
    assert rig["b"].size == (640, 512)
    assert rig["a"].size == (1280, 1024)
    assert rig.unit == "cm"
    with pytest.raises(FormatError, match="6 cameras, but 2 names"):
        read_rig(path, names=["a", "b"])


@needs_shared
@pytest.mark.shared
def test_published_calibrations_are_read():
    rodent = read_rig(SHARED / "data" / "rodent_4cam" / "broken_reference_calibration.toml")
    assert rodent.names == ("back", "mid", "side", "top")
    assert rodent["back"].size == (1280, 1024)
    np.testing.assert_array_equal(rodent["side"].K, rodent["top"].K)
    array = read_rig(SHARED / "data" / "charuco_4cam" / "camera_array.toml")
    config = read_rig(SHARED / "data" / "charuco_4cam" / "config.toml")
    assert array.names == config.names == ("cam_0", "cam_1", "cam_2", "cam_3")
    assert array.unit == config.unit == "m"
    np.testing.assert_array_equal(array["cam_2"].R, config["cam_2"].R)
    assert isinstance(array["cam_0"], Camera)


def test_a_toml_of_pose2sim_is_read(tmp_path):
    (tmp_path / "Calib.toml").write_text(
        '[cam_01]\nname = "cam_01"\nsize = [ 1088.0, 1920.0]\n'
        "matrix = [ [ 1681.24, 0.0, 532.97], [ 0.0, 1681.07, 948.13], [ 0.0, 0.0, 1.0]]\n"
        "distortions = [ -0.046, 0.139, 6.0e-04, 6.9e-04]\nrotation = [ 1.688, 1.048, -0.419]\n"
        "translation = [ 0.321, 0.956, 2.89]\nfisheye = false\n\n[metadata]\nadjusted = false\nerror = 0.0\n"
    )
    camera = read_rig(tmp_path / "Calib.toml", unit="m")["cam_01"]
    assert camera.size == (1088, 1920)
    assert camera.model == "pinhole"
    expected = cv2.projectPoints(
        POINTS / 1000, np.array([1.688, 1.048, -0.419]), camera.t, camera.K, camera.distortion
    )[0][:, 0]  # fmt: skip
    np.testing.assert_allclose(camera.project(POINTS / 1000), expected, atol=1e-9)


def test_a_folder_of_jarvis_is_read_in_natural_order(tmp_path, ring_rig):
    """Its cameras are [X 1] [R; T] K, as JARVIS multiplies them."""
    for i, camera in zip((2, 10), ring_rig.cameras[:2], strict=True):
        storage = cv2.FileStorage(str(tmp_path / f"Cam{i}.yaml"), cv2.FILE_STORAGE_WRITE)
        for key, value in (("intrinsicMatrix", camera.K.T), ("R", camera.R.T), ("T", camera.t[:, None]),
                           ("distortionCoefficients", camera.distortion[None])):  # fmt: skip
            storage.write(key, np.array(value))
        storage.release()
    rig = read_rig(tmp_path, size=(1280, 1024))
    assert rig.names == ("Cam2", "Cam10")
    np.testing.assert_allclose(rig.project(POINTS), ring_rig.project(POINTS)[:2], atol=1e-9)


def test_a_folder_of_dannce_is_read(tmp_path, ring_rig):
    for camera in ring_rig.cameras[:2]:
        write_rig(CameraRig((camera,)), tmp_path / f"{camera.name}.mat")
    rig = read_rig(tmp_path, size=(1280, 1024))
    np.testing.assert_allclose(rig.project(POINTS), ring_rig.project(POINTS)[:2], atol=1e-9)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="no camera files"):
        read_rig(tmp_path / "empty")
