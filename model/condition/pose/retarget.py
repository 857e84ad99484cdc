"""Landmarks of anybody, anywhere in the picture, onto the dancer's own bones.

Stateful, one per session; the same code conditions live and in training. What is measured is, per
bone, the direction in the picture and the foreshortening (length over this user's calibrated
length); what is kept is the dancer's proportions. Foreshortening can only shorten, so scale and
lengths grow sooner than they shrink.
"""

from dataclasses import dataclass
from math import exp, pi, sin

import numpy as np
from numpy.typing import NDArray

from .skeleton import (
    BONE,
    BONES,
    CHILDREN,
    FEET,
    INDEX,
    JOINT_MATRIX,
    JOINTS,
    LEFT_RIGHT,
    LIMBS,
    PARENTS,
    Measures,
    to_joints,
)

SEEN, LOST = 0.6, 0.3
"""Visibility above which a bone is taken up and below which it is let go."""
EASE_IN, EASE_OUT = 0.06, 0.4
"""Time constants, seconds, of taking up and letting go."""
MARGIN = 0.12
"""Landmarks further outside the picture than this are guesses."""
NEARER, FARTHER = 6.0, 12.0
"""Time constants, seconds, of growing and shrinking in the picture."""
AWAY = 0.3
"""Time constant, seconds, of shrinking when no bone at all is as long as it was: somebody stepped
back, or somebody else is there."""
AT_LEAST, AS_LONG = 0.7, 0.97
"""Shares of its length that the straightest of a body's bones has: less, and somebody stepped back,
until it has the other."""
GONE = 5.0
"""Seconds after which whoever comes is somebody else."""
LONGER, SHORTER = 3.0, 10.0
"""Time constants, seconds, of finding this user's bones longer, and of doubting it again."""
STRETCHED = 0.9
"""Share of its length from which a bone has no depth: lengths are noisy, and a straight leg must
not keep buckling."""
STANDING = 0.25
"""Torsos below the floor at which a foot takes the floor along."""
LANDING, SETTLING = 0.3, 10.0
"""Time constants, seconds, of the floor taken along (feet overshoot as they land) and of the floor
under any feet: jumps stay, and steps nearer or back show at first."""
REACH, FURTHEST = 0.3, 0.4
"""How far from the middle, in picture heights, the dancer walks freely, and how far at all."""

_SWAP = np.arange(33)
for _a, _b in LEFT_RIGHT:
    _SWAP[[_a, _b]] = _b, _a
_SHINS = [BONE[f"{side}_ankle"] for side in ("left", "right")]
_CLAVICLES = [BONE[f"{side}_shoulder"] for side in ("left", "right")]
_TORSO, _NECK = BONE["chest"], BONE["head"]
_HIPS = [BONE[f"{side}_hip"] for side in ("left", "right")]
_SPANS = np.array([*LIMBS, _NECK, *_CLAVICLES, *_HIPS])
_PART_OF_JOINT = JOINT_MATRIX > 0


@dataclass
class _Calibration:
    """This user: bone lengths [N] in torsos; torso and floor in picture heights."""

    lengths: NDArray[np.float32]
    scale: float | None = None
    floor: float | None = None
    away: bool = False


class Retargeter:
    """Turns landmarks over time into the dancer's joints [J, 3] in picture heights."""

    def __init__(self, measures: Measures) -> None:
        self._dancer = measures
        self.reset()

    def reset(self) -> None:
        """Forget the user; the next frame starts from the idle stance."""
        count = len(BONES)
        self._forget_user()
        self._weights = np.zeros(count, np.float32)
        self._held = np.zeros(count, bool)
        self._vectors = self._dancer.idle.copy()
        self._root = np.zeros(2, np.float32)  # aside from the middle, and above the floor
        self._time: float | None = None
        self._seen: float | None = None

    def _forget_user(self) -> None:
        self._user = _Calibration(self._dancer.lengths / self._dancer.torso)

    def update(
        self,
        landmarks: NDArray[np.float32] | None,
        time_s: float,
        *,
        aspect: float = 1.0,
        mirror: bool = False,
    ) -> NDArray[np.float32]:
        """Take landmarks [33, 4] (x, y in 0..1, z as x, visibility; None: nobody is seen).

        aspect: width over height of the picture they were found in. Returns joints [J, 3].
        """
        first = self._time is None
        step = 1 / 30 if self._time is None else min(max(time_s - self._time, 1e-3), 0.5)
        self._time = time_s
        if landmarks is None or not np.isfinite(landmarks).all():
            self._let_go(step)
            return self._assemble(time_s)
        if self._seen is not None and time_s - self._seen > GONE:
            self._forget_user()
        self._seen = time_s
        if mirror:
            landmarks = mirrored(landmarks)
        joints = to_joints(landmarks, aspect)
        seen = _visibility(landmarks)
        vectors = joints[CHILDREN] - joints[PARENTS]
        sure = np.minimum(seen[CHILDREN], seen[PARENTS])
        self._hold(sure, step, first)
        self._measure_scale(vectors, step)
        self._observe(vectors, step)
        self._follow_root(joints, seen, aspect, step, first)
        return self._assemble(time_s)

    def _hold(self, sure: NDArray[np.float32], step: float, first: bool) -> None:
        """Hysteresis and easing of each bone's weight."""
        self._held = np.where(self._held, sure > LOST, sure > SEEN)
        rate = np.where(self._held, _rate(step, EASE_IN), _rate(step, EASE_OUT))
        if first:
            rate = np.ones_like(rate)
        self._weights += (self._held - self._weights) * rate

    def _measure_scale(self, vectors: NDArray[np.float32], step: float) -> None:
        """Follow the length of the torso in the picture, else what shoulders and head suggest."""
        flat = np.linalg.norm(vectors[:, :2], axis=1)
        own = self._user.lengths
        if self._held[_TORSO]:
            found = float(flat[_TORSO])
        elif self._held[_CLAVICLES].any():
            shoulders = float(flat[_CLAVICLES].max() / own[_CLAVICLES].mean())
            neck = float(flat[_NECK] / own[_NECK]) if self._held[_NECK] else 0.0
            found = max(shoulders, neck)
        else:
            return
        if found < 0.01:
            return
        scale = self._user.scale
        if scale is None:
            self._user.scale = found
            return
        spans = _SPANS[self._held[_SPANS]]
        straightest = max((flat[spans] / own[spans]).max(), found) if len(spans) else found
        seconds = NEARER if found > scale else FARTHER
        self._user.away = straightest < (AS_LONG if self._user.away else AT_LEAST) * scale
        if self._user.away:
            found, seconds = float(straightest), AWAY
            self._user.floor = None
        self._user.scale = scale + (found - scale) * _rate(step, seconds)

    def _observe(self, vectors: NDArray[np.float32], step: float) -> None:
        """Direction and foreshortening of the held bones, on the dancer's lengths."""
        scale = self._user.scale
        if scale is None:
            return
        flat = np.linalg.norm(vectors[:, :2], axis=1)
        lengths = flat / scale
        self._calibrate(lengths, step)
        ratio = lengths / self._user.lengths
        away = np.sqrt(1 - np.minimum(ratio / STRETCHED, 1) ** 2) * np.tanh(
            vectors[:, 2] / (0.3 * scale * self._user.lengths + 1e-6)
        )
        direction = vectors[:, :2] / np.maximum(flat, 1e-6)[:, None]
        found = np.concatenate([direction * np.minimum(ratio, 1)[:, None], away[:, None]], 1)
        found *= self._dancer.lengths[:, None]
        keep = self._held[:, None]
        previous_z = self._vectors[:, 2:]
        found[:, 2:] = previous_z + (found[:, 2:] - previous_z) * _rate(step, 0.05)
        self._vectors = np.where(keep, found, self._vectors).astype(np.float32)

    def _calibrate(self, lengths: NDArray[np.float32], step: float) -> None:
        """Follow this user's bone lengths (in torsos), and doubt them in favour of the dancer's."""
        own = self._user.lengths
        prior = self._dancer.lengths / self._dancer.torso
        longer = self._held & (lengths > own)
        target = np.where(longer, np.minimum(lengths, 1.6 * prior), prior)
        rate = np.where(longer, _rate(step, LONGER), _rate(step, SHORTER))
        self._user.lengths = (own + (target - own) * rate).astype(np.float32)
        self._user.lengths[_TORSO] = 1.0

    def _follow_root(
        self,
        joints: NDArray[np.float32],
        seen: NDArray[np.float32],
        aspect: float,
        step: float,
        first: bool,
    ) -> None:
        """Aside: as the hips (else shoulders) move. Above the floor: as the lowest foot does."""
        scale = self._user.scale
        if scale is None:
            return
        to_dancer = self._dancer.torso / scale
        base = INDEX["pelvis"] if seen[INDEX["pelvis"]] > LOST else INDEX["chest"]
        aside = float(joints[base, 0] - aspect / 2) * to_dancer
        above = 0.0
        feet = [i for i in FEET if seen[i] > LOST]
        if feet and self._held[_SHINS].any():
            lowest = float(joints[feet, 1].max())
            above = (self._floor(lowest, step) - lowest) * to_dancer
        target = np.array([_held_back(aside), np.clip(above, -0.05, 0.4)], np.float32)
        self._root += (target - self._root) * (1.0 if first else _rate(step, 0.02))

    def _floor(self, lowest: float, step: float) -> float:
        """The floor goes down with the lowest foot, and does not swallow a jump."""
        floor, scale = self._user.floor, self._user.scale
        if floor is None or scale is None:
            self._user.floor = lowest
            return lowest
        floor += max(lowest - STANDING * scale - floor, 0) * _rate(step, LANDING)
        self._user.floor = floor + (lowest - floor) * _rate(step, SETTLING)
        return self._user.floor

    def _let_go(self, step: float) -> None:
        self._held[:] = False
        self._weights -= self._weights * _rate(step, EASE_OUT)
        self._root -= self._root * _rate(step, 0.8)

    def _assemble(self, time_s: float) -> NDArray[np.float32]:
        """Chain the bones from the pelvis, then stand the lowest foot on the floor."""
        weights = self._weights[:, None]
        vectors = weights * self._vectors + (1 - weights) * self._idle(time_s)
        joints = np.zeros((len(JOINTS), 3), np.float32)
        for bone, (parent, child) in enumerate(zip(PARENTS, CHILDREN, strict=True)):
            joints[child] = joints[parent] + vectors[bone]
        joints[:, 0] += self._dancer.aspect / 2 + self._root[0]
        joints[:, 1] += self._dancer.floor - self._root[1] - joints[FEET, 1].max()
        return joints

    def _idle(self, time_s: float) -> NDArray[np.float32]:
        """The idle stance, breathing and shifting its weight."""
        idle = self._dancer.idle.copy()
        idle[_TORSO, 0] += 0.004 * sin(2 * pi * time_s / 5.3)
        idle[_CLAVICLES, 1] -= 0.0015 * sin(2 * pi * time_s / 3.7)
        return idle


def mirrored(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Flip x and swap left and right of landmarks [33, >=1]."""
    flipped = landmarks[_SWAP].copy()
    flipped[:, 0] = 1 - flipped[:, 0]
    return flipped


def _visibility(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per joint [J]: the least visible of its landmarks; none outside the picture."""
    x, y = landmarks[:, 0], landmarks[:, 1]
    outside = (x < -MARGIN) | (x > 1 + MARGIN) | (y < -MARGIN) | (y > 1 + MARGIN)
    seen = np.where(outside, 0, landmarks[:, 3])
    return np.where(_PART_OF_JOINT, seen, np.inf).min(axis=1).astype(np.float32)


def _held_back(aside: float) -> float:
    """Identity up to REACH, then ever less, never beyond FURTHEST."""
    beyond = abs(aside) - REACH
    if beyond <= 0:
        return aside
    room = FURTHEST - REACH
    return float(np.sign(aside)) * (REACH + room * (1 - exp(-beyond / room)))


def _rate(step: float, seconds: float) -> float:
    """Share of the way that a first-order follower goes in `step` seconds."""
    return 1 - exp(-step / seconds)
