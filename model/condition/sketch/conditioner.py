"""Pictures in, their edges out."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ...picture import fitted
from .. import Observation, Planes, plane
from .lines import draw, folded


class SketchConditioner:
    """Crops a picture to the model's shape, scales it and draws its edges."""

    def __init__(self, width: int, height: int, *, mirror: bool) -> None:
        self._size, self._mirror = (width, height), mirror

    def observe(self, planes: Planes, time_s: float) -> Observation:
        """Turn a picture into lines [16, H/4, W/4]; those to be shown are unmirrored."""
        picture = in_grey(fitted(plane(planes, "rgb"), self._size, mirror=self._mirror))
        lines = draw(picture)
        shown = lines[:, ::-1] if self._mirror else lines
        return Observation(condition=folded(lines), picture=picture, lines=shown)

    def set_style(self, index: int) -> None:
        """A condition is the same in all styles."""

    def set_mirror(self, on: bool) -> None:
        """Mirror from the next frame on."""
        self._mirror = on

    def reset(self) -> None:
        """Nothing is remembered here."""

    def close(self) -> None:
        """Nothing is held."""


def in_grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness [H, W] of a picture [H, W, 3]: what lines and motion are told from."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
