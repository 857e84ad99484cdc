"""Lines where a picture's brightness changes (Canny, "A Computational Approach to Edge Detection",
1986), told apart by how the rest of the picture changes, so that exposure does not matter."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

CHANNELS = 16
"""A line drawing at full resolution, its 4x4 pixels unshuffled."""
CONDITION_VERSION = 1
"""Of the numbers below, and of what is made of them."""
BLUR = 1.0
"""Deviation in pixels of the blur that keeps noise out."""
FAINT, STRONG, FULL = 0.4, 1.0, 2.0
"""Gradients, over their root mean square, with which a line goes on, begins, and is drawn in full:
lines that come and go do so softly."""
FLATTEST = 12.0
"""Root mean square of a picture's gradient at least (Sobel, of 255ths): noise makes no lines."""
_UNIT = 1000
"""Root mean square of the gradients that Canny sees, as whole numbers of 16 bits."""


def settings() -> dict[str, Any]:
    """What a package tells of its condition."""
    return {"condition_version": CONDITION_VERSION}


def check_settings(values: dict[str, Any]) -> None:
    """Raise ModelError for another version of the condition."""
    version = values.get("condition_version") if isinstance(values, dict) else None
    if version != CONDITION_VERSION:
        raise ModelError(
            f"sketch condition version {version}: this build reads version {CONDITION_VERSION}"
        )


def draw(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Lines [H, W] in 0..1 of a picture [H, W]: a pixel wide, the stronger the more they stand out.

    The same whatever factor the brightness is multiplied with.
    """
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), BLUR)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
    strength = cv2.magnitude(across, down)
    usual = max(float(np.sqrt(np.square(strength).mean())), FLATTEST)
    whole = [_whole(side * (_UNIT / usual)) for side in (across, down)]
    thin = cv2.Canny(whole[0], whole[1], FAINT * _UNIT, STRONG * _UNIT, L2gradient=True)
    return np.where(thin > 0, np.minimum(strength / (FULL * usual), 1), 0).astype(np.float32)


def folded(lines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lines [H, W] -> condition [16, H/4, W/4], as `torch.pixel_unshuffle` has it."""
    height, width = lines.shape
    cells = lines.reshape(height // 4, 4, width // 4, 4).transpose(1, 3, 0, 2)
    return np.ascontiguousarray(cells).reshape(CHANNELS, height // 4, width // 4)


def unfolded(condition: NDArray[np.float32]) -> NDArray[np.float32]:
    """Condition [16, H/4, W/4] -> lines [H, W]."""
    _, height, width = condition.shape
    cells = condition.reshape(4, 4, height, width).transpose(2, 0, 3, 1)
    return np.ascontiguousarray(cells).reshape(4 * height, 4 * width)


def _whole(gradient: NDArray[np.floating]) -> NDArray[np.int16]:
    largest = np.iinfo(np.int16).max
    return np.rint(gradient).clip(-largest, largest).astype(np.int16)
