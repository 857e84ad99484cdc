"""How pictures move, where no exact motion is known."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model.optical_flow import OFFLINE, seen_motion

CUT = 40.0
"""Mean difference of two pictures, in 255ths, from which there is a cut between them."""


def is_cut(before: NDArray[np.uint8] | None, now: NDArray[np.uint8]) -> bool:
    """Tell whether a picture [H, W, 3] shows something else than the one before, if any."""
    return before is not None and float(cv2.absdiff(before, now).mean()) > CUT


def motion(now: NDArray[np.uint8], before: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Where what is in a picture [H, W, 3] was in the one before, [2, H/4, W/4], in its pixels."""
    return seen_motion(now, before, OFFLINE).astype(np.float16)
