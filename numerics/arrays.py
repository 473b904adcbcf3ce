"""The array type of the library: float64, missing values are NaN."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
