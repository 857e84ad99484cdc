"""MediaPipe's 33 pose landmarks of the rig: points that bones carry."""

import numpy as np
from numpy.typing import NDArray

from .rig import Rig, reshape
from .styles import Shape

# Left side at rest in metres, and the bone that carries it; the right side is its mirror image.
_MIDDLE = {0: ("Head", (0.0, -0.1636, 0.7733))}  # nose
_LEFT = {
    1: ("Head", (0.0197, -0.1317, 0.8074)),  # eye, inner corner
    2: ("Head", (0.0314, -0.1355, 0.8100)),  # eye
    3: ("Head", (0.0438, -0.1290, 0.8100)),  # eye, outer corner
    7: ("Head", (0.0800, -0.0350, 0.7950)),  # ear
    9: ("Head", (0.0229, -0.1408, 0.7412)),  # mouth corner
    11: ("LeftArm", None),
    13: ("LeftForeArm", None),
    15: ("LeftHand", None),
    17: ("LeftFingerBase", (0.5090, -0.2188, 0.1780)),  # pinky knuckle
    19: ("LeftFingerBase", (0.4878, -0.2680, 0.1950)),  # index knuckle
    21: ("LThumb", (0.4288, -0.2634, 0.2157)),  # thumb joint
    23: ("LeftUpLeg", None),
    25: ("LeftLeg", None),
    27: ("LeftFoot", None),
    29: ("LeftFoot", (0.1800, 0.0400, -0.7950)),  # heel
    31: ("LeftToeBase", (0.1800, -0.1950, -0.8050)),  # toes
}
_RIGHT_OF = {1: 4, 2: 5, 3: 6} | {i: i + 1 for i in (7, 9, *range(11, 33, 2))}
COUNT = 33
MIRROR = np.arange(COUNT)
for _left, _right in _RIGHT_OF.items():
    MIRROR[_left], MIRROR[_right] = _right, _left


class LandmarkSet:
    """Where the 33 landmarks of one build are."""

    def __init__(self, rig: Rig, shape: Shape) -> None:
        rest = np.zeros((COUNT, 3), np.float32)
        bones = np.zeros(COUNT, np.int64)
        for index, (label, place) in (_MIDDLE | _LEFT).items():
            bones[index] = rig.index(label)
            rest[index] = rig.heads[bones[index]] if place is None else _built(place, shape)
            if index in _RIGHT_OF:
                other = _RIGHT_OF[index]
                bones[other] = rig.index(_other_side(label))
                rest[other] = rest[index] * (-1, 1, 1)
        self.bones = bones
        self.rest = np.concatenate([rest, np.ones((COUNT, 1), np.float32)], 1)

    def world(self, skinning: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bone matrices [..., B, 4, 4] -> landmarks in metres [..., 33, 3]."""
        carried = skinning[..., self.bones, :3, :] @ self.rest[..., None]
        return carried[..., 0]


def _built(place: tuple[float, float, float], shape: Shape) -> NDArray[np.float32]:
    return reshape(np.array([place]), shape)[0]


def _other_side(label: str) -> str:
    if label.startswith("Left"):
        return "Right" + label[4:]
    return "R" + label[1:] if label == "LThumb" else label
