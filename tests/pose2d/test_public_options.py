"""Every documented option of the functions of pose2d works, on one tiny recording; an unknown one is refused."""

import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import cache

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from muybridge import pose2d as part
from muybridge.cameras import Camera, CameraRig
from muybridge.pose2d import Augmentation, TrainingConfig, evaluate, predict, read_labels, suggest_frames, train
from muybridge.pose2d.networks.blocks import ConvNorm
from muybridge.pose2d.networks.mobilenet import MobileNetV2Backbone
from tests.pose2d.animals import write_recording
from tests.pose2d.published.test_foreign_geometry import HOW, heatmap_file
from tests.pose2d.published.test_opening import RTMCC, rtmpose_state, settings, write_snapshot
from tests.public_options import assert_all_functions_are_called, assert_options_can_be_given

BONES = [("nose", "tail")]
TINY = TrainingConfig(
    network="small", iterations=2, batch=2, crop=64, scale=1.0, holdout=0.25, n_evaluations=1, animal_detector=False,
)  # fmt: skip
BACKBONE = replace(TINY, network="mobilenet_v2", crop=32)
STRONG = Augmentation(
    p_random_crop=0.0, flip=1.0, blur=1.0, motion=1.0, noise=1.0, jpeg=1.0, resolution=1.0, cutout=1.0,
)  # fmt: skip
# another value of each option of a training that changes the weights
CHANGES = {
    "network": "template", "iterations": 3, "batch": 3, "crop": 96, "scale": "auto", "sigma": 3.0,
    "learning_rate": 3e-3, "weight_decay": 0.5, "warmup": 0.9, "holdout": 0.5, "holdout_by": "camera",
    "ema_decay": 0.0, "loss": "bce", "unlabelled": 1.0, "precision": "bf16", "augmentation": STRONG,
}  # fmt: skip
# what must be otherwise for an option to show; "auto" is bfloat16 on some processors
ENOUGH_STEPS = {
    "precision": {"precision": "fp32"},
}
AUGMENTATION_CHANGES = {
    "rotation": 90.0, "zoom": 2.0, "shift": 0.3, "p_random_crop": 1.0, "color_jitter": 0.5, "contrast": 0.1,
    **dict.fromkeys(("flip", "blur", "motion", "noise", "jpeg", "resolution", "cutout"), 0.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A folder with labels/<camera>/ and a video of each of two cameras."""
    root = tmp_path_factory.mktemp("recording")
    write_recording(root)
    return root


@pytest.fixture(scope="module")
def labels(recording):
    """Of every third frame the tail is not labelled."""
    labels = read_labels(recording / "labels")
    points = labels.points_2d.copy()
    points[::3, 3] = np.nan
    return replace(labels, points_2d=points)


@pytest.fixture(scope="module")
def detector(labels):
    return train(labels, config=TINY, progress=False)


@pytest.fixture(scope="module")
def videos(recording):
    return {name: recording / f"{name}.mp4" for name in ("left", "right")}


@pytest.fixture(scope="module")
def views(detector, videos):
    return predict(detector, videos, progress=False)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A file of random weights of a MobileNetV2 whose normalisations are merged into its convolutions."""
    path, arrays = tmp_path_factory.mktemp("weights") / "folded.npz", {}
    for i, layer in enumerate(m for m in MobileNetV2Backbone().modules() if isinstance(m, ConvNorm)):
        arrays[f"{i:02d}_conv_w"] = layer.conv.weight.detach().numpy()
        arrays[f"{i:02d}_conv_b"] = np.zeros(layer.conv.out_channels, np.float32)
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def calls(detector, labels, views, videos, tmp_path_factory):
    """{function: [(arguments, options), ...]}"""
    folder, proposals = tmp_path_factory.mktemp("written"), views.fillna(10.0)
    points, covariances = np.array([[10.0, 8], [20, 9]]), np.tile(4 * np.eye(2), (2, 1, 1))
    black = np.zeros((24, 32, 3), np.uint8)
    drawn = {"bones": [(0, 1)], "covariances_2d": covariances, "radius": 2.0, "min_confidence": 0.5}
    few, support = labels.select([0, 8]), np.full((6, 4), 4)
    K, up = [[100.0, 0, 32], [0, 100, 24], [0, 0, 1]], np.eye(3)
    quiet = {"n_animals": 1, "progress": False}
    rig = CameraRig(tuple(Camera(n, (64, 48), K, [], up, [x, 0, 100]) for n, x in (("left", -20), ("right", 20))))
    prediction = {"track_crop": False, "precision": "fp32", "times": np.arange(6) / 10, "batch_instants": 3}
    kept = {"checkpoint": folder / "rows", "checkpoint_every": 0.0}
    windows = {"n_windows": 2, "executor": ThreadPoolExecutor(1), "runtime": "torch", "progress": True}
    export = (suggest_frames(views, n=2), videos, folder / "suggested", proposals)
    return {
        "corrupt": [((black, "noise", 2), {"seed": 1})],
        "corruption_table": [((detector, few), {"kinds": ["jpeg"], "severities": [2], "progress": True})],
        "draw_pose": [
            ((black, points), {"confidence": np.array([0.4, 0.9]), "bone_colour": (9, 9, 9), **drawn})
        ],
        "evaluate": [((detector, few), {"min_confidence": 0.5})],
        "export_suggestions": [(export, {"bones": BONES, "scorer": "ada"})],
        "extract_frames": [
            ((videos, 2), {"folder": folder / method, "keypoints": ["nose", "tail"], "method": method,
                               "bones": BONES, "scorer": "ada", "seed": 1})
            for method in ("kmeans", "uniform")
        ],
        "join_labels": [(([labels, few],), {})],
        "label_video": [
            ((views, "left", videos["left"], folder / "drawn.mp4"),
             {"bones": BONES, "ellipses": True, "min_confidence": 0.0})
        ],
        "load_detector": [
            ((detector.save(folder / "detector.safetensors"),),
             {"box": (0, 0, 64, 48), "animal_detector": detector, "labels": few}),
            ((heatmap_file(folder / "net.onnx"),),
             {"keypoints": detector.keypoints, "symmetries": (), "scale": 0.5, "onnx": HOW}),
            ((write_snapshot(folder, rtmpose_state(), settings(RTMCC)),), {"config": folder / "pytorch_config.yaml"}),
        ],
        "plot_training": [((detector, Figure().add_subplot()), {})],
        "predict": [((detector, videos), {**prediction, **kept, "runtime": "torch", "progress": True}),
                    ((detector, videos), {"fps": 10.0, "rig": rig} | quiet)],
        "predict_file": [((detector, videos, folder / "views.nc"), prediction | windows),
                         ((detector, videos, folder / "views.nc"), {"fps": 10.0, "rig": rig} | quiet)],
        "probe_video": [((videos["left"],), {"rate_needed": False})],
        "pseudo_labels": [
            ((proposals, videos, support),
             {"min_views": 2, "max_error": 3.0, "error": np.ones((2, 6, 4)), "frame_step": 2})
        ],
        "read_labels": [
            ((videos["left"].parent / "labels" / "left",),
             {"images": videos["left"].parent, "videos": videos, "camera": "top", "symmetries": [("nose", "tail")]})
        ],
        "suggest_frames": [
            ((views,),
             {"scores": np.ones((2, 6)), "n": 2, "features": np.ones((2, 6, 3)), "min_gap": 0.01, "pool": 2.0})
        ],
    }  # fmt: skip


NAMES = [name for name in part.__all__ if not isinstance(getattr(part, name), type)]
# functions with options that this part defines, but for train
OWN = [
    "corrupt", "corruption_table", "draw_pose", "evaluate", "export_suggestions", "extract_frames", "label_video",
    "load_detector", "predict", "pseudo_labels", "suggest_frames",
]  # fmt: skip


def test_every_public_function_is_called(calls):
    assert_all_functions_are_called(part, {*calls, "train"})


@pytest.mark.parametrize("name", [name for name in NAMES if name != "train"])
def test_every_documented_option_can_be_given(name, calls):
    assert_options_can_be_given(getattr(part, name), calls[name])


@pytest.mark.parametrize("name", OWN)
def test_an_unknown_option_is_refused_with_the_nearest_name(name, calls):
    function, (arguments, _) = getattr(part, name), calls[name][0]
    option = list(inspect.signature(function).parameters)[-1]
    message = rf"^{name} has no option '{option[:-1]}', did you mean '{option}'\?; known: \[[^\n]*\]$"
    with pytest.raises(TypeError, match=message):
        function(*arguments, **{option[:-1]: None})


def test_every_documented_option_of_train_can_be_given(detector, labels, pretrained, tmp_path):
    given = {"seed": 1, "progress": True, "held_out": labels.select([0, 1]), "checkpoint": tmp_path / "state"}
    calls = [
        ((labels,), {"config": TINY, "weights": None, **given}),
        ((labels,), {"start": detector, "keep_keypoints": True}),
    ]
    assert_options_can_be_given(train, calls)
    assert train(labels, weights=pretrained, config=BACKBONE, progress=False).keypoints == labels.keypoints


def test_every_field_of_the_configuration_is_tested():
    others = {"n_evaluations", "patience", "n_tta", "animal_detector", "freeze", "backbone_lr_factor", "grouping"}
    assert {f.name for f in fields(TrainingConfig)} == {*CHANGES} | others
    assert {f.name for f in fields(Augmentation)} == {*AUGMENTATION_CHANGES}


@pytest.fixture(scope="module")
def assert_changes_weights(labels, pretrained):
    """A training with another value of one option ends with other weights than one without it, which is run once."""

    def weights_after(config, **change):
        start = pretrained if config.network == BACKBONE.network else None
        network = train(labels, config=config, weights=start, progress=False, **change).network
        return torch.cat([value.flatten().float() for value in network.state_dict().values()])

    weights_without = cache(weights_after)

    def check(config, **change):
        with_it, without = weights_after(config, **change), weights_without(config)
        assert with_it.shape != without.shape or not torch.equal(with_it, without)
        assert torch.isfinite(with_it).all()

    return check


@pytest.mark.parametrize("option", CHANGES)
def test_an_option_of_the_training_changes_the_weights(option, assert_changes_weights):
    assert_changes_weights(replace(TINY, **ENOUGH_STEPS.get(option, {})), **{option: CHANGES[option]})


@pytest.mark.parametrize("option", AUGMENTATION_CHANGES)
def test_an_option_of_the_augmentation_changes_the_weights(option, assert_changes_weights):
    other = replace(STRONG, **{option: AUGMENTATION_CHANGES[option]})
    assert_changes_weights(replace(TINY, augmentation=STRONG), augmentation=other)


@pytest.mark.parametrize(("option", "value"), [("freeze", False), ("backbone_lr_factor", 0.1)])
def test_an_option_of_a_pretrained_backbone_changes_the_weights(option, value, assert_changes_weights):
    assert_changes_weights(BACKBONE, **{option: value})


def test_the_other_options_of_a_training_do_what_they_say(labels):
    often = {"iterations": 8, "n_evaluations": 8, "learning_rate": 1e-9, "progress": False}
    assert train(labels, config=TINY, **often).history["iteration"] == list(range(1, 9))
    assert len(train(labels, config=TINY, patience=1, **often).history["iteration"]) < 8
    boxed = train(labels, config=TINY, animal_detector=True, n_tta=4, progress=False)
    assert boxed.animal_detector is not None
    once = replace(boxed, config=replace(boxed.config, n_tta=1))
    assert not evaluate(boxed, labels).equals(evaluate(once, labels))


def test_an_unknown_option_of_train_is_refused_with_the_nearest_name(labels):
    for wrong, meant in (("checkpont", "checkpoint"), ("learning_rat", "learning_rate")):
        with pytest.raises(ValueError, match=rf"^train has no option '{wrong}', did you mean '{meant}'\?"):
            train(labels, **{wrong: 1})
