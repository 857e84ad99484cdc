"""Landmarks of a stick figure, for tests that need a person and no picture."""

import numpy as np
from numpy.typing import NDArray

from rotolive.model.condition.pose.skeleton import Measures, measure

# Half a figure, its left side: x away from the middle, y down from the crown, in body heights.
_MIDDLE = {0: (0.0, 0.08)}
_LEFT = {
    1: (0.01, 0.065), 2: (0.018, 0.065), 3: (0.026, 0.065), 7: (0.045, 0.075), 9: (0.015, 0.105),
    11: (0.11, 0.19), 13: (0.14, 0.35), 15: (0.16, 0.49), 17: (0.17, 0.54), 19: (0.16, 0.55),
    21: (0.145, 0.53), 23: (0.06, 0.50), 25: (0.065, 0.73), 27: (0.07, 0.94), 29: (0.07, 0.97),
    31: (0.09, 0.99),
}  # fmt: skip
_RIGHT_OF = {1: 4, 2: 5, 3: 6} | {i: i + 1 for i in range(7, 33, 2)}


def standing(
    *, middle: float = 0.5, top: float = 0.08, height: float = 0.85, aspect: float = 1.0
) -> NDArray[np.float32]:
    """A person facing the camera, [33, 4]; left of the person is at larger x."""
    found = np.zeros((33, 4), np.float32)
    found[:, 3] = 1
    for i, (x, y) in (_MIDDLE | _LEFT).items():
        found[i, :2] = middle + x * height / aspect, top + y * height
        if i in _RIGHT_OF:
            found[_RIGHT_OF[i], :2] = middle - x * height / aspect, top + y * height
    nose_ahead = [0, 1, 2, 3, 4, 5, 6, 9, 10]
    found[nose_ahead, 2] = -0.04
    return found


def dancer() -> Measures:
    """The measures of that figure."""
    return measure(standing()[None], standing(), 1.0)
