"""The entries of session.toml that the session reads itself: type, default and meaning of each, in words.

Another entry is refused; which values these may have is in `entry_checks`.
"""

# table: key: (type, default, meaning)
MEANINGS: dict[str, dict[str, tuple[str, str, str]]] = {
    "session": {
        "name": ("text", "the folder's name", "Title of the report; names the session in 'muybridge collect'."),
        "animal": ("text", "", "Name of the animal, where there is one: a column of 'muybridge collect'."),
        "output": ("path", '"results"', "Folder of the results."),
        "unit": ("text", '"mm"', "World unit: that of the board's lengths and of the results."),
        "fps": ("number, hertz", "the videos'",
            "The true frame rate; it overrules videos that state another, with a note."),
        "rig": ("path", "calibrated from the board recordings",
            "File of cameras calibrated elsewhere: anipose, caliscope, OpenCV, Pose2Sim, Qualisys, Label3D, DLT."),
        "up": ("three numbers", "the rig's", "Direction against gravity in the world; gait and headings need it."),
        "floor_frame": ("whole number", "",
            "Board frame in which the board lies on the floor: it sets the world's origin, axes and vertical."),
    },
    "cameras.NAME": {
        "video": ("path, or list of paths", "",
            "Video of the animal; a list holds the files of one recording (chapters)."),
        "board": ("path, or list of paths", "",
            "Recording of the board: a video, a folder of pictures, or a list of them."),
        "lens_board": ("path, or list of paths", "",
            "Another recording of the board for this camera's lens; it need not be simultaneous with any other."),
        "points": ("path, or list of paths", "",
            "2D points of another tool: a file, a folder of OpenPose's, or one file of all cameras (caliscope, EKS);"
            " 'muybridge help formats' lists them. A list holds one file per detector of an ensemble."),
        "timestamps": ("path", "the video's own times",
            "File with the time of each frame of the video (or of the 2D file)."),
        "board_timestamps": ("path", "",
            "File with the time of each frame of the board recording, for asynchronous cameras."),
        "size": ("[width, height]", "the rig's",
            "Size of the calibrated picture, where the rig file does not state it."),
        "crop": ("[x, y], or [x, y, width, height]", "none",
            "Corner of the video's picture within the calibrated one, pixels of the calibrated picture."),
        "scale": ("number", "1",
            "Size of the video's picture relative to the calibrated one: 0.5 for half the resolution."),
        "mirror": ("true or false", "false",
            "Whether the video's picture is mirrored left to right against the calibrated one, as a mirror shows it."),
        "delay": ("number", "0", "Frames, with fractions, by which the camera is delayed; negative where it is ahead."),
    },
    "board": {
        "type": ("text", '"charuco"', '"charuco" or "checkerboard".'),
    },
    "board_recordings.NAME": {
        "CAMERA": ("path, or list of paths", "",
            "What a camera filmed of the board in this recording; cameras that did not film are left out. Recordings"
            " of pairs, one after another, make one rig if they connect all cameras."),
        "board": ("table", "[board]", "The values of this recording's board, where it was another one."),
    },
    "skeleton": {
        "keypoints": ("list of texts", "those of the 2D points",
            "Names of the keypoints, in the order of the results."),
        "bones": ("list of pairs", "[]", "(parent, child) keypoints of constant distance."),
        "symmetries": ("list of pairs", "[]", "(left, right) keypoints."),
        "root": ("text", "none", "The keypoint that the others hang from."),
    },
    "animals": {
        "count": ("whole number", "found", "Number of animals; further ones are left out, with a warning."),
        "identity": ('"known", "tracks" or "detections"', "found",
            "What the rows of the 2D files are: the same animal in all cameras, tracks of each camera, or detections"
            " of a frame in any order, as OpenPose lists people."),
    },
    "joints": {
        "NAME": ("list of three texts, or table", "",
            "The angle at the second keypoint, or the arguments of a kind of joint."),
    },
    "gait": {
        "LIMB": ("text", "", "Keypoint of the limb's foot: strides, phases and the gait's name; needs the vertical."),
    },
    "calibrate": {
        "intrinsics": ("path", "",
            "Rig file whose cameras' lenses are kept, such as results/lenses.toml of --intrinsics-only."),
        "from": ('"board" or "points"', '"board"',
            "What places the cameras: recordings of a board, or the 2D points of the animal with `intrinsics`."),
        "cache": ("true, false or folder", "true",
            "Keep the corners found on the board for the next run: in results/board_corners, or in the folder named."),
    },
    "train": {
        "labels": ("path, or list of paths", "", "Folders or files of labelled frames."),
        "sessions": ("list of paths", "", "Other sessions, whose [train] labels are used, too: one detector for all."),
        "weights": ("path", "random",
            'A file of pretrained weights, "imagenet" (fetched by the hub extra) or "efficientnet-lite0" (of the'
            " extra pretrained)."),
        "start": ("path", "", "A detector to continue from; it must know the labels' keypoints."),
        "detector": ("path", "",
            "A detector that others trained (DeepLabCut 3, Lightning Pose, ONNX), or you: it predicts as it is, or is"
            " fine-tuned on `labels`."),
        "keypoints": ("table", "", "The session's names of that detector's keypoints; `check` proposes them."),
        "detector_options": ("table", "", "Options of `load_detector` for it: keypoints, box, scale, config, onnx."),
    },
    "predict": {
        "detector": ("path", "the trained one", "A detector that `train` or `Detector.save` wrote."),
        "use_rig": ("true or false", "false",
            "Weigh the places that the maps of all cameras of an instant show by how well they agree in 3D."),
    },
    "reconstruct": {
        "check_coverage": ("true or false", "true",
            "Check the error bars by leaving each camera out, and rescale them where they fail; needs 3 cameras."),
        "prior": ("path", "learned from the recording (gimbal), or none",
            "What PosePrior.save (method gimbal) or MovementPrior.save (method articulated) wrote."),
        "noise": ("path", "estimated from the recording", "Noise of the detector that DetectorNoise.save wrote."),
        "match_individuals": ("true or false", "true", "Match several tracks per view across views, frame by frame."),
        "frame_offsets": ("true or false", "false",
            "Find cameras that are delayed, with fractions of a frame, or that lost frames midway, and shift them."),
        "refine_rig": ("true or false", "false",
            "Refine the cameras' poses and delays from the animal (refined_rig.toml)."),
    },
}  # fmt: skip
