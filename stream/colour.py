"""From a decoder's planes to RGB."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model.condition import Planes
from .protocol import Frame


def seen_planes(frame: Frame) -> Planes:
    """Return what conditioners take: a decoder's planes become RGB, others stay as they are."""
    return {"rgb": to_rgb(frame)} if "y" in frame.planes else frame.planes


def to_rgb(frame: Frame) -> NDArray[np.uint8]:
    """Return the frame as uint8 [H, W, 3]; 4:2:0 planes are BT.601, limited range."""
    if "rgb" in frame.planes:
        return frame.planes["rgb"]
    y, u, v = frame.planes["y"], frame.planes["u"], frame.planes["v"]
    height, width = y.shape[0] & ~1, y.shape[1] & ~1
    packed = np.empty((height * 3 // 2, width), np.uint8)
    packed[:height] = y[:height, :width]
    chroma = packed[height:].reshape(2, height // 2, width // 2)
    chroma[0], chroma[1] = u[: height // 2, : width // 2], v[: height // 2, : width // 2]
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_I420), np.uint8)


def brightness(frame: Frame) -> NDArray[np.uint8]:
    """Return a plane [H, W] that shows the frame's luma (of RGB: its green)."""
    return frame.planes["rgb"][..., 1] if "rgb" in frame.planes else frame.planes["y"]
