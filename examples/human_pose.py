"""A detector of another program, wrapped by hand: the human pose network that the package mediapipe carries.

    pip install ai-edge-litert, and mediapipe==0.10.21 in an environment of its own (it needs an older numpy)
    python examples/human_pose.py pose_landmark_full.tflite video.mp4 picture.png [x y width height]

The network is a TFLite file of that environment (or of the wheel), mediapipe/modules/pose_landmark/. Whatever gives
heatmaps can be a detector like this: a module from pictures to raw maps, and what its numbers mean. It needs the whole
person in its input: the box is found in the picture and followed, or given (it may reach beyond the picture). No test
runs this example, for lack of these packages; run by hand on 2026-11-29 (ai-edge-litert, the portrait of scikit-image).
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]

from muybridge.datasets.sides import symmetric_pairs
from muybridge.formats.video.reading import read_frames_at
from muybridge.pose2d import Detector, TrainingConfig, draw_pose, predict
from muybridge.pose2d.inference.uncertainty import uncalibrated
from muybridge.pose2d.published_networks.published_network import InputForm, MapMeaning, PublishedNet

KEYPOINTS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip


class Landmarks(torch.nn.Module):
    """Pictures (n, 3, 256, 256) of 0 to 1 in, heatmaps of 33 keypoints (n, 33, 64, 64) out."""

    def __init__(self, path: Path):
        super().__init__()
        self.path, self.interpreter = path, None

    def __getstate__(self):
        return self.__dict__ | {"interpreter": None}  # made anew where the module is copied

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.interpreter is None:
            self.interpreter = Interpreter(str(self.path))
            self.interpreter.allocate_tensors()
        maps = next(one for one in self.interpreter.get_output_details() if list(one["shape"]) == [1, 64, 64, 39])
        found = []
        for image in images.permute(0, 2, 3, 1).float().cpu().numpy():
            self.interpreter.set_tensor(self.interpreter.get_input_details()[0]["index"], image[None])
            self.interpreter.invoke()
            found.append(self.interpreter.get_tensor(maps["index"])[0, :, :, : len(KEYPOINTS)])
        return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)


def main(network: Path, video: Path, picture: Path, box: tuple[float, ...] | None) -> None:
    # each cell is a coin; counted from their middles the cells agree best with the coordinates that it gives, too
    net = PublishedNet(
        Landmarks(network),
        len(KEYPOINTS),
        MapMeaning("logits", 4),
        InputForm((256, 256), mean=(0, 0, 0), std=(1, 1, 1)),
    )
    config, unknown = TrainingConfig(network="published"), uncalibrated(len(KEYPOINTS), 5.0)
    pairs = symmetric_pairs(KEYPOINTS)
    detector = Detector(net.eval(), KEYPOINTS, config, 1.0, float("inf"), unknown, pairs, box=box)
    views = predict(detector, {"camera": video})
    for name in KEYPOINTS:
        one = views.sel(view="camera", keypoint=name).median("time")
        x, y = one["position"].values
        print(f"{name:18s} x {x:7.1f}  y {y:7.1f}  confidence {float(one['confidence']):.2f}")
    (_, image), first = next(read_frames_at(video, [0])), views.isel(view=0, time=0)
    drawn = draw_pose(image, first["position"].values, first["confidence"].values, radius=5)
    cv2.imwrite(str(picture), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), tuple(map(float, sys.argv[4:8])) or None)
