"""Joints, bones and shapes of the pose condition, and the dancer's measures."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError

CONDITION_VERSION = 1

NOSE, EYES, EARS, MOUTH = 0, (2, 5), (7, 8), (9, 10)
LEFT_RIGHT = [(i, i + 1) for i in range(7, 33, 2)] + [(1, 4), (2, 5), (3, 6)]
"""Landmarks that swap under mirroring (numbering of MediaPipe Pose, 33 landmarks)."""

_SIDED = ("shoulder", "elbow", "wrist", "pinky", "index", "thumb")
_LEGS = ("hip", "knee", "ankle", "heel", "toe")
JOINTS: tuple[str, ...] = (
    *("pelvis", "chest", "head", "nose", "mouth"),
    *(f"{side}_{name}" for name in ("eye", "ear", *_SIDED) for side in ("left", "right")),
    *(f"{side}_{name}" for name in _LEGS for side in ("left", "right")),
)
INDEX = {name: i for i, name in enumerate(JOINTS)}


def _sources() -> dict[str, tuple[int, ...]]:
    """Which landmarks each joint is the mean of."""
    sources: dict[str, tuple[int, ...]] = {
        "pelvis": (23, 24),
        "chest": (11, 12),
        "head": EARS,
        "nose": (NOSE,),
        "mouth": MOUTH,
    }
    for s, side in enumerate(("left", "right")):
        sources[f"{side}_eye"], sources[f"{side}_ear"] = (EYES[s],), (EARS[s],)
        for n, name in enumerate(_SIDED):
            sources[f"{side}_{name}"] = (11 + 2 * n + s,)
        for n, name in enumerate(_LEGS):
            sources[f"{side}_{name}"] = (23 + 2 * n + s,)
    return sources


def _joint_matrix() -> NDArray[np.float32]:
    matrix = np.zeros((len(JOINTS), 33), np.float32)
    for name, landmarks in _sources().items():
        matrix[INDEX[name], list(landmarks)] = 1 / len(landmarks)
    return matrix


JOINT_MATRIX = _joint_matrix()
"""Joints from landmarks, float32 [J, 33]."""


def _bones() -> tuple[tuple[str, str], ...]:
    bones = [("pelvis", "chest"), ("chest", "head"), ("head", "nose"), ("head", "mouth")]
    for side in ("left", "right"):
        bones += [("head", f"{side}_eye"), ("head", f"{side}_ear"), ("chest", f"{side}_shoulder")]
        chain = [f"{side}_{name}" for name in ("shoulder", "elbow", "wrist")]
        bones += list(pairwise(chain))
        bones += [(f"{side}_wrist", f"{side}_{name}") for name in ("pinky", "index", "thumb")]
        chain = ["pelvis", *(f"{side}_{name}" for name in ("hip", "knee", "ankle"))]
        bones += list(pairwise(chain))
        bones += [(f"{side}_ankle", f"{side}_{name}") for name in ("heel", "toe")]
    return tuple(bones)


BONES = _bones()
"""(parent, child), parents first; the root is the pelvis."""
PARENTS = np.array([INDEX[a] for a, _ in BONES])
CHILDREN = np.array([INDEX[b] for _, b in BONES])
BONE = {child: i for i, (_, child) in enumerate(BONES)}
LIMBS = [
    BONE["chest"],
    *(
        BONE[f"{side}_{n}"]
        for side in ("left", "right")
        for n in ("elbow", "wrist", "knee", "ankle")
    ),
]
"""The bones of trunk, arms and legs."""
FEET = [INDEX[f"{side}_{name}"] for side in ("left", "right") for name in ("heel", "toe")]
"""The joints that stand on the floor."""


@dataclass(frozen=True, kw_only=True)
class Measures:
    """The dancer, in picture heights.

    lengths: of each bone [N]. idle: bone vectors of the idle stance, x right, y down, z away from
    the camera [N, 3]. floor: y of the standing feet. aspect: width over height of the picture.
    """

    lengths: NDArray[np.float32]
    idle: NDArray[np.float32]
    floor: float
    aspect: float = 1.0

    @property
    def torso(self) -> float:
        """Length from pelvis to chest."""
        return float(self.lengths[BONE["chest"]])

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "condition_version": CONDITION_VERSION,
            "bones": [f"{a}-{b}" for a, b in BONES],
            "lengths": [round(float(v), 5) for v in self.lengths],
            "idle": [[round(float(v), 5) for v in row] for row in self.idle],
            "floor": round(self.floor, 5),
            "aspect": self.aspect,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Measures":
        """Rebuild from `to_dict`; raises ModelError for another version of the condition."""
        if not isinstance(values, dict):
            raise ModelError("the model's measures are missing")
        version = values.get("condition_version")
        if version != CONDITION_VERSION:
            raise ModelError(f"pose condition version {version}: this build reads version 1")
        if values.get("bones") != [f"{a}-{b}" for a, b in BONES]:
            raise ModelError("the model's bones are not the ones this build draws")
        try:
            measures = cls(
                lengths=np.array(values["lengths"], np.float32).reshape(len(BONES)),
                idle=np.array(values["idle"], np.float32).reshape(len(BONES), 3),
                floor=float(values["floor"]),
                aspect=float(values["aspect"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the model's measures are damaged: {error}") from error
        numbers = [*measures.lengths, *measures.idle.ravel(), measures.floor, measures.aspect]
        if not np.isfinite(numbers).all():
            raise ModelError("the model's measures are not all numbers")
        return measures


def to_joints(landmarks: NDArray[np.float32], aspect: float) -> NDArray[np.float32]:
    """Landmarks [..., 33, >=3] (x, y in 0..1, z as x) -> joints [..., J, 3] in picture heights."""
    unit = np.array([aspect, 1, aspect], np.float32)
    return (JOINT_MATRIX @ (landmarks[..., :3] * unit)).astype(np.float32)


def measure(landmarks: NDArray[np.float32], idle: NDArray[np.float32], aspect: float) -> Measures:
    """Measure a dancer from landmarks [T, 33, >=3] of any motion, and [33, >=3] of its idle.

    A bone's length is the 95th percentile of its length in the picture, as foreshortening can
    only shorten; the floor is where the lower foot mostly is. Measure what the detector finds:
    it places joints in its own way.
    """
    joints = to_joints(landmarks, aspect)
    flat = np.linalg.norm((joints[:, CHILDREN] - joints[:, PARENTS])[..., :2], axis=-1)
    lengths = np.percentile(flat, 95, axis=0).astype(np.float32)
    rest = to_joints(idle, aspect)
    vectors = rest[CHILDREN] - rest[PARENTS]
    vectors[LIMBS, 2] = 0  # at ease, trunk and limbs hang straight
    vectors[LIMBS] *= lengths[LIMBS, None] / np.linalg.norm(vectors[LIMBS], axis=1)[:, None]
    longest = lengths / np.maximum(np.linalg.norm(vectors, axis=1), 1e-6)
    return Measures(
        lengths=lengths,
        idle=(vectors * np.minimum(longest, 1)[:, None]).astype(np.float32),
        floor=float(np.median(joints[:, FEET, 1].max(axis=1))),
        aspect=aspect,
    )
