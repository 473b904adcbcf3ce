"""session.toml, read once at the edge into typed objects. Imports the datasets, and boards where one is made.

    [session]        name, animal, output = "results", unit = "mm", fps (else the videos'), rig = "rig.toml" (else
                     calibrated),
                     floor_frame (the board lies level in this board frame: origin, axes and up), up (three numbers)
    [cameras.NAME]   video (a file, or the list of files of one recording), board (video, folder or list of images),
                     points (2D file of another tool, or a list of them: one per detector of an ensemble, in the same
                     order for every camera), lens_board (a board recording for the lens alone), timestamps and
                     board_timestamps (files with the time of each frame), scale and crop = [x, y] (size and corner of
                     the video's picture within the calibrated one), mirror = true (it is mirrored left to right), size
                     (width and height of the calibrated picture, where the rig file does not state them), delay (frames
                     that the camera is delayed)
    [board]          type = "charuco" | "checkerboard" and the arguments of CharucoBoard or Checkerboard
    [board_recordings.NAME]   CAMERA = video, folder or list of images, for each camera that filmed then: recordings of
                     the board by some of the cameras, one after another, such as pairs; board = {type = ...} where it
                     was another board
    [skeleton]       keypoints, bones, symmetries, root
    [animals]        count (of animals), identity = "known" | "tracks" | "detections": what rows of 2D files are (else
                     found out)
    [gait]           limb = "keypoint of its foot": strides, phases and the gait's name; needs the vertical
    [joints]         name = ["a", "b", "c"], or the tables of joint_angles
    [train]          labels = a folder or file, or a list of them; sessions = [other sessions, whose labels are used,
                     too]; and the options of train
    [calibrate]      intrinsics = a rig file whose cameras' lenses are kept, and the options of calibrate; with
                     from = "points" the animal's 2D points place them (of the files, or of the session's own detector,
                     which then runs before), with the options of calibrate_from_points
    [reconstruct]    options of reconstruct; check_coverage is true unless it says false. prior, noise = files that
                     PosePrior.save and DetectorNoise.save wrote; match_individuals = true, frame_offsets = false,
                     refine_rig = false: what is corrected before (see steps/corrections/)
    [predict] [kinematics] [report]   options of the step's public function

`muybridge help session` lists every key with its type, default and meaning (see `key_reference`).
Paths are relative to the session file.
"""

from .entry_checks import SessionError
from .session_reading import read_session
from .session_types import STEPS, BoardRecording, CameraSources, Session

__all__ = ["STEPS", "BoardRecording", "CameraSources", "Session", "SessionError", "read_session"]
