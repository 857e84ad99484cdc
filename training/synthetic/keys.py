"""Key poses of arms and legs. Left-sided, metres, x to the person's left, y backwards, z up."""

from dataclasses import dataclass

import numpy as np

Vector = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class ArmKey:
    """wrist: from the shoulder joint; elbow: where it points; spread: jitter of the wrist;
    twist: forearm turn in radians (positive turns the palm forward); swing and rate: an
    oscillation of the wrist while the pose is held (metres, Hz); curl: of the fingers."""

    wrist: Vector
    elbow: Vector
    spread: float = 0.04
    twist: float = 0.0
    swing: Vector = (0.0, 0.0, 0.0)
    rate: float = 0.0
    curl: float = 0.25


HANG = ArmKey(wrist=(0.07, -0.04, -0.47), elbow=(0.5, 1.0, 0.0), spread=0.025)
HIP = ArmKey(wrist=(0.07, -0.05, -0.36), elbow=(1.0, 0.55, 0.0), spread=0.015, curl=0.5)
CROSSED = ArmKey(wrist=(-0.17, -0.24, -0.22), elbow=(0.9, -0.1, -0.7), spread=0.012)
CROSSED_OVER = ArmKey(wrist=(-0.13, -0.27, -0.17), elbow=(0.9, -0.1, -0.7), spread=0.012)
WAVE = ArmKey(
    wrist=(0.24, -0.14, 0.16),
    elbow=(0.7, 0.2, -1.0),
    twist=0.5,
    swing=(0.11, 0.0, -0.02),
    rate=2.0,
    curl=0.05,
)
CLAP = ArmKey(
    wrist=(-0.07, -0.33, -0.12),
    elbow=(1.0, 0.2, -0.8),
    spread=0.03,
    swing=(0.06, 0.0, 0.0),
    rate=2.5,
    curl=0.05,
)
UP = ArmKey(wrist=(0.06, -0.04, 0.46), elbow=(1.0, -0.2, 0.0), spread=0.05, curl=0.1)
UP_SWAY = ArmKey(
    wrist=(0.14, -0.06, 0.42),
    elbow=(1.0, 0.0, -0.3),
    swing=(0.12, 0.0, 0.0),
    rate=0.8,
    curl=0.1,
)
OUT = ArmKey(wrist=(0.48, -0.05, 0.02), elbow=(0.0, 0.6, -1.0), spread=0.07)
FORWARD = ArmKey(wrist=(-0.02, -0.45, -0.02), elbow=(0.6, 0.0, -1.0), spread=0.1)
CLASPED = ArmKey(wrist=(-0.14, -0.22, -0.36), elbow=(0.8, 0.5, -0.3), spread=0.04)
DIAGONAL = ArmKey(wrist=(0.33, -0.12, 0.31), elbow=(0.3, 0.6, -1.0), spread=0.06)
LOW_OUT = ArmKey(wrist=(0.30, -0.12, -0.32), elbow=(0.3, 1.0, 0.0), spread=0.06)
FACE = ArmKey(wrist=(-0.06, -0.22, 0.10), elbow=(1.0, -0.4, -1.0), spread=0.02, curl=0.3)
CHIN = ArmKey(wrist=(-0.09, -0.23, 0.02), elbow=(0.6, -0.2, -1.0), spread=0.02, curl=0.6)
BEHIND_HEAD = ArmKey(wrist=(-0.01, 0.07, 0.24), elbow=(1.0, -0.3, 0.4), spread=0.02)
GUARD = ArmKey(wrist=(-0.04, -0.27, 0.02), elbow=(0.5, 0.0, -1.0), curl=1.1)
PUNCH = ArmKey(wrist=(-0.10, -0.46, 0.03), elbow=(0.6, 0.0, -1.0), curl=1.2)
FLEX = ArmKey(wrist=(0.20, -0.10, 0.20), elbow=(1.0, 0.1, -0.6), curl=1.0)
BEND = ArmKey(wrist=(0.10, -0.27, -0.18), elbow=(0.4, 1.0, -0.6), spread=0.07)
PRESENT = ArmKey(wrist=(0.26, -0.24, -0.17), elbow=(0.2, 1.0, -0.7), twist=0.6, spread=0.05)
BEHIND = ArmKey(wrist=(-0.03, 0.17, -0.34), elbow=(1.0, 0.4, 0.0), spread=0.02)
THIGH = ArmKey(wrist=(0.02, -0.26, -0.36), elbow=(1.0, 0.4, 0.0), spread=0.03)
HEART = ArmKey(wrist=(-0.12, -0.22, -0.10), elbow=(1.0, 0.0, -0.7), spread=0.02)

# What both arms do together: (weight, left, right); None: same as the left.
ARM_PAIRS: tuple[tuple[float, ArmKey, ArmKey | None], ...] = (
    (3.0, HANG, None),
    (1.2, HIP, None),
    (0.8, HIP, HANG),
    (1.0, CROSSED, CROSSED_OVER),
    (1.2, WAVE, HANG),
    (0.4, WAVE, HIP),
    (0.3, WAVE, None),
    (0.9, CLAP, None),
    (0.9, UP, None),
    (0.5, UP, HANG),
    (0.7, UP_SWAY, None),
    (0.8, OUT, None),
    (0.4, OUT, UP),
    (1.2, FORWARD, None),
    (0.5, FORWARD, HANG),
    (0.5, FORWARD, BEND),
    (0.6, CLASPED, None),
    (0.9, DIAGONAL, None),
    (0.6, DIAGONAL, LOW_OUT),
    (0.5, LOW_OUT, None),
    (0.5, FACE, HANG),
    (0.4, FACE, None),
    (0.5, CHIN, BEND),
    (0.4, BEHIND_HEAD, None),
    (0.5, GUARD, None),
    (0.5, PUNCH, GUARD),
    (0.5, FLEX, None),
    (1.0, BEND, None),
    (0.7, BEND, HANG),
    (1.0, PRESENT, None),
    (0.5, PRESENT, HANG),
    (0.3, BEHIND, None),
    (0.3, HEART, HANG),
    (0.4, HEART, BEND),
)


@dataclass(frozen=True, kw_only=True)
class LegKey:
    """hips: shift of the pelvis; left, right: where the feet are (z: lifted); lean: forward bend
    of the trunk in radians; roll: sideways tilt of the pelvis; point: toes down in radians of
    lifted feet."""

    hips: Vector = (0.0, 0.0, 0.0)
    left: Vector = (0.13, 0.0, 0.0)
    right: Vector = (-0.13, 0.0, 0.0)
    lean: float = 0.0
    roll: float = 0.0
    point: float = 0.0


STAND = LegKey()
SIT = LegKey(hips=(0.0, 0.22, -0.39), left=(0.14, -0.16, 0.0), right=(-0.14, -0.16, 0.0), lean=0.08)
LEGS: tuple[tuple[float, LegKey], ...] = (
    (3.0, STAND),
    (1.2, LegKey(hips=(0.05, 0.0, -0.01), roll=0.07)),
    (1.0, LegKey(left=(0.28, 0.0, 0.0), right=(-0.28, 0.0, 0.0), hips=(0.0, 0.0, -0.05))),
    (0.8, LegKey(left=(0.36, 0.0, 0.0), hips=(0.10, 0.0, -0.05), roll=-0.04)),
    (0.7, LegKey(left=(0.05, 0.0, 0.0), right=(-0.05, 0.0, 0.0))),
    (0.6, LegKey(left=(0.2, 0.0, 0.0), right=(-0.2, 0.0, 0.0), hips=(0, 0.16, -0.34), lean=0.55)),
    (0.6, LegKey(left=(0.2, 0.0, 0.0), right=(-0.2, 0.0, 0.0), hips=(0, 0.06, -0.15), lean=0.25)),
    (0.4, LegKey(left=(0.2, 0.0, 0.0), right=(-0.2, 0.0, 0.0), hips=(0, 0.22, -0.42), lean=1.0)),
    (0.4, LegKey(hips=(0.0, 0.16, -0.02), lean=1.1)),
    (0.6, LegKey(left=(0.13, -0.3, 0.0), right=(-0.12, 0.22, 0.0), hips=(0, -0.02, -0.10))),
    (0.6, LegKey(left=(0.14, -0.20, 0.34), hips=(-0.06, 0.0, -0.01), point=0.5)),
    (0.3, LegKey(left=(0.14, 0.16, 0.20), hips=(-0.06, 0.0, -0.01), lean=0.08, point=0.8)),
    (0.3, LegKey(left=(0.48, -0.05, 0.25), hips=(-0.08, 0.0, -0.01), roll=0.12, point=0.4)),
    (0.3, LegKey(left=(0.12, -0.5, 0.28), hips=(-0.05, 0.05, -0.02), lean=-0.08, point=0.3)),
    (0.4, LegKey(left=(-0.02, -0.16, 0.0), right=(0.0, 0.05, 0.0), hips=(0.0, 0.0, -0.02))),
    (0.5, SIT),
)


def weighted(rng: np.random.Generator, weights: list[float]) -> int:
    """A random index with the given weights."""
    share = np.array(weights)
    return int(rng.choice(len(share), p=share / share.sum()))
