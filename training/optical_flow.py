"""How pictures move, where no exact motion is known."""

import cv2
import numpy as np
from numpy.typing import NDArray


def flow(start: NDArray[np.uint8], end: NDArray[np.uint8]) -> NDArray[np.float32]:
    """DIS optical flow [H, W, 2] from one picture [H, W, 3] to another (Kroeger et al. 2016)."""
    gray = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (start, end)]
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return dis.calc(gray[0], gray[1], np.zeros((*gray[0].shape, 2), np.float32)).astype(np.float32)
