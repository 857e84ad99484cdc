"""Smoothing along time, forth and back, so that nothing lags."""

from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray


def smoothed(values: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """Blur [T, ...] along T with a Gaussian of `sigma` frames, reflected at the ends."""
    rows = np.ascontiguousarray(values.reshape(len(values), -1), np.float32)
    size = (1, 2 * ceil(4 * sigma) + 1)
    blurred = cv2.GaussianBlur(rows, size, sigma, sigmaY=sigma, borderType=cv2.BORDER_REFLECT)
    return blurred.reshape(values.shape).astype(np.float32)
