"""Two-bone limbs: from where wrists and ankles should be to rotations. All arrays are [T, ...]."""

import numpy as np
from numpy.typing import NDArray

from .rig import Rig
from .rotations import Floats, frame, unit

STRETCH = 0.992  # of a limb's length: limbs never lock straight
ELBOW_LIMIT = np.deg2rad(150.0)


def solve(
    target: NDArray[np.floating], pole: NDArray[np.floating], rest: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Rotations of the upper and lower bone that bring the limb's end to `target` [T, 3].

    target is relative to the limb's root joint; pole [T, 3] is where the middle joint points;
    rest: the two bones' vectors at rest. Rotations are in the frame the target is in.
    """
    upper, lower = rest
    a, b = float(np.linalg.norm(upper)), float(np.linalg.norm(lower))
    closest = np.sqrt(a * a + b * b + 2 * a * b * np.cos(ELBOW_LIMIT))
    length = np.linalg.norm(target, axis=-1, keepdims=True)
    reach = np.clip(length, closest, (a + b) * STRETCH)
    along = unit(target)
    cosine = np.clip((a * a + reach * reach - b * b) / (2 * a * reach), -1, 1)
    aside = unit(pole - along * (pole * along).sum(-1, keepdims=True))
    middle = a * (along * cosine + aside * np.sqrt(1 - cosine * cosine))
    rest_of = along * reach - middle
    first = frame(middle, rest_of) @ frame(upper, lower).T
    second = frame(rest_of, -middle) @ frame(lower, -upper).T
    return first, second


def bones(rig: Rig, *labels: str) -> tuple[Floats, Floats]:
    """The two rest vectors of a limb given by its three joints."""
    a, b, c = (rig.heads[rig.index(label)] for label in labels)
    return b - a, c - b
