"""The steps of a session, one file per stage; each reads files, calls one public function and writes its result.

Imports the session file, the record of what made each output, and (when a step runs) the parts below.
"""

from .cameras.calibration import CALIBRATE
from .detection import PREDICT
from .kinematics import KINEMATICS
from .reconstruction import RECONSTRUCT
from .report import REPORT
from .training import TRAIN

ALL_STEPS = {step.name: step for step in (CALIBRATE, TRAIN, PREDICT, RECONSTRUCT, KINEMATICS, REPORT)}
