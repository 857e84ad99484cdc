"""Pictures of any size, cut and scaled to a model's."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .condition import centre_crop


def fitted(
    rgb: NDArray[np.uint8], size: tuple[int, int], *, mirror: bool = False
) -> NDArray[np.uint8]:
    """Cut the largest middle part of a shape out of [H, W, 3], and scale it to size (w, h)."""
    height, width = rgb.shape[:2]
    x, y, w, h, _ = centre_crop(width, height, size)
    picture = cv2.resize(rgb[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture[:, ::-1] if mirror else picture, np.uint8)
