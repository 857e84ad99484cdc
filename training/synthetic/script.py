"""What happens when in a sampled motion: key tracks of every part of the body."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .keys import ARM_PAIRS, HANG, LEGS, SIT, STAND, THIGH, ArmKey, LegKey, weighted
from .tracks import Floats, Track

SPAN = 0.25, 0.15  # in image widths: how far people drift sideways, and to and fro
_MODES = ("idle", "gesture", "dance")


@dataclass
class Script:
    """Tracks. hips: shift, lean, roll, yaw [6]; feet: left, right, point [7]; arms by side:
    wrist, elbow, twist, curl, swing, rate [12]; bend: pitch, side, twist; look: yaw, pitch, roll;
    yaw: heading; drift: aside and backwards in image widths; jumps: start, height; beats: start,
    end, period, sizes."""

    hips: Track = field(default_factory=Track)
    feet: Track = field(default_factory=Track)
    arms: dict[int, Track] = field(default_factory=lambda: {1: Track(), -1: Track()})
    bend: Track = field(default_factory=Track)
    look: Track = field(default_factory=Track)
    yaw: Track = field(default_factory=Track)
    drift: Track = field(default_factory=Track)
    jumps: list[tuple[float, float]] = field(default_factory=list)
    steps: list[tuple[float, float, int]] = field(default_factory=list)
    beats: list[tuple[float, float, float, NDArray[np.float64]]] = field(default_factory=list)

    def pulse(self, times: NDArray[np.floating]) -> Floats:
        """The beat and jumps in the hips: height, roll, yaw [T, 3]."""
        out = np.zeros((len(times), 3))
        for start, end, period, sizes in self.beats:
            inside = np.clip(np.minimum(times - start, end - times) / 0.5, 0, 1)
            phase = (times - start) * np.pi / period
            wave = np.stack([-np.abs(np.sin(phase)), np.sin(phase), np.sin(phase + 0.6)], 1)
            out += inside[:, None] * wave * sizes
        for start, height in self.jumps:
            for centre in (start, start + _flight(height) + 0.15):
                out[:, 0] -= 0.13 * np.exp(-(((times - centre + 0.1) / 0.12) ** 2))
        return out.astype(np.float32)

    def leap(self, times: NDArray[np.floating]) -> Floats:
        """How far the feet are off the floor in jumps [T]."""
        out = np.zeros(len(times))
        for start, height in self.jumps:
            u = (times - start) / _flight(height)
            out = np.maximum(out, height * 4 * u * (1 - u))
        return np.maximum(out, 0).astype(np.float32)

    def lift(self, times: NDArray[np.floating], side: int) -> Floats:
        """How far a foot is lifted while it moves to another mark [T]."""
        out = np.zeros(len(times))
        for start, end, which in self.steps:
            if which == side:
                u = np.clip((times - start) / (end - start), 0, 1)
                out = np.maximum(out, 0.06 * 4 * u * (1 - u))
        return out.astype(np.float32)


def _flight(height: float) -> float:
    return float(np.sqrt(8 * height / 9.81))


@dataclass(frozen=True, kw_only=True)
class _Pace:
    """How one stretch moves: pause lengths and travel times in seconds, sizes of movement."""

    mode: str
    travel: tuple[float, float]
    hold: tuple[float, float]
    beat: float
    size: float


def _pace(rng: np.random.Generator) -> _Pace:
    mode = _MODES[weighted(rng, [0.22, 0.43, 0.35])]
    speed = float(np.exp(rng.uniform(np.log(0.5), np.log(2.0))))
    if mode == "dance":
        beat = 0.5 / speed**0.5
        return _Pace(mode=mode, travel=(beat, 2 * beat), hold=(0, beat), beat=beat, size=1.0)
    hold = (1.0, 4.0) if mode == "idle" else (0.1, 2.0)
    return _Pace(mode=mode, travel=(0.35 / speed, 0.9 / speed), hold=hold, beat=0.0, size=0.5)


def write_script(rng: np.random.Generator, seconds: float) -> Script:
    """Plan a motion of some seconds in stretches of different pace."""
    script = Script()
    clock = 0.0
    _legs(script, rng, 0.0, 0.5, STAND)
    pair = ARM_PAIRS[weighted(rng, [p[0] for p in ARM_PAIRS])] if rng.random() < 0.5 else None
    _arms(script, rng, 0.0, 0.5, pair[1] if pair else HANG, pair[2] if pair else None)
    script.bend.add(0, 0.4, np.zeros(3))
    script.look.add(0, 0.4, rng.normal(0, 0.15, 3))
    script.yaw.add(0, rng.uniform(0, 2), [rng.normal(0, 0.3)])
    script.drift.add(0, rng.uniform(0, 2), rng.uniform(-0.1, 0.1, 2))
    while clock < seconds + 2:
        length = rng.uniform(4, 10)
        pace = _pace(rng)
        end = clock + length
        _stretch(script, rng, pace, end)
        if pace.mode == "dance":
            sizes = rng.uniform(0, 1, 3) * (0.05, 0.08, 0.2)
            script.beats.append((clock, end, pace.beat, sizes))
        clock = end
    _roam(script, rng, seconds)
    return script


def _draw(rng: np.random.Generator, pace: _Pace) -> tuple[float, float]:
    """A travel and a hold time."""
    travel, hold = rng.uniform(*pace.travel), rng.uniform(*pace.hold)
    if pace.mode == "dance":
        return pace.beat * rng.integers(1, 3), pace.beat * rng.integers(0, 2)
    return float(travel), float(hold)


def _stretch(script: Script, rng: np.random.Generator, pace: _Pace, end: float) -> None:
    """Fill all tracks up to `end`."""
    sitting = pace.mode != "dance" and rng.random() < 0.18
    while script.feet.end < end:
        travel, hold = _draw(rng, pace)
        if sitting:
            _legs(script, rng, max(travel, 0.7), max(end - script.feet.end - 1, 1.0), SIT)
        elif rng.random() < 0.12 and pace.mode != "idle":
            _jump(script, rng)
        else:
            keys = LEGS[:2] if pace.mode == "idle" else LEGS[:-1]
            key = keys[weighted(rng, [w for w, _ in keys])][1]
            hold = hold if key.left[2] < 0.1 else min(hold, 0.6)
            _legs(script, rng, max(travel, 0.3), hold, key)
    while script.arms[1].end < end:
        travel, hold = _draw(rng, pace)
        _, left, right = ARM_PAIRS[weighted(rng, [w for w, _, _ in ARM_PAIRS])]
        if sitting and rng.random() < 0.5:
            left, right = THIGH, None
        hold += 1.2 if left.rate else 0.0
        _arms(script, rng, travel, hold, left, right)
    while script.bend.end < end:
        travel, hold = _draw(rng, pace)
        bend = rng.normal(0, 1, 3) * (0.10, 0.14, 0.28) * pace.size
        if rng.random() < 0.1:
            bend *= 2
        script.bend.add(max(travel, 0.3), hold, np.clip(bend, -0.6, 0.6))
    while script.look.end < end:
        travel, hold = _draw(rng, pace)
        look = rng.normal(0, 1, 3) * (0.35, 0.16, 0.10)
        script.look.add(max(travel * 0.6, 0.18), hold, np.clip(look, -0.95, 0.95))


def _arms(
    script: Script,
    rng: np.random.Generator,
    travel: float,
    hold: float,
    left: ArmKey,
    right: ArmKey | None,
) -> None:
    """A key for both arms, either way round."""
    keys = [left, right or left]
    if rng.random() < 0.5:
        keys.reverse()
    for side, key in zip((1, -1), keys, strict=True):
        wrist = np.array(key.wrist) + rng.normal(0, key.spread, 3)
        twist = np.clip(key.twist + rng.normal(0, 0.2), -1.0, 1.0)
        curl = np.clip(key.curl + rng.normal(0, 0.1), 0, 1.3)
        value = [*wrist, *key.elbow, twist, curl, *key.swing, key.rate * rng.uniform(0.8, 1.2)]
        if side < 0 and key.rate and left is (right or left):
            value[11] = script.arms[1].values[-1][11]
        script.arms[side].add(travel, hold, value)


def _legs(
    script: Script, rng: np.random.Generator, travel: float, hold: float, key: LegKey
) -> None:
    """A key for hips and feet, mirrored half of the time; feet lift on their way."""
    flip = np.array((-1, 1, 1)) if rng.random() < 0.5 else np.ones(3)
    left, right = np.array(key.left), np.array(key.right)
    if flip[0] < 0:
        left, right = right * flip, left * flip
    size = rng.uniform(0.75, 1.1)
    left = left * (1, size, size) + rng.normal(0, 0.015, 3) * (1, 1, 0)
    right = right * (1, size, size) + rng.normal(0, 0.015, 3) * (1, 1, 0)
    start = script.feet.end
    if script.feet.values:
        before = script.feet.values[-1]
        for side, old, new in ((1, before[:3], left), (-1, before[3:6], right)):
            if np.linalg.norm((old - new)[:2]) > 0.05:
                script.steps.append((start, start + travel, side))
    script.feet.add(travel, hold, [*left, *right, key.point])
    hips = np.array(key.hips) * flip * size
    turn = rng.normal(0, 0.08)
    value = [*hips, key.lean * size, key.roll * flip[0], turn]
    script.hips.add(travel, hold, value)


def _jump(script: Script, rng: np.random.Generator) -> None:
    """One to four jumps on the spot, feet wherever they land."""
    for _ in range(int(rng.integers(1, 5))):
        height = float(rng.uniform(0.05, 0.24))
        _legs(script, rng, 0.35, 0.0, STAND)
        script.jumps.append((script.feet.end, height))
        _legs(script, rng, _flight(height), 0.2, LEGS[weighted(rng, [2, 0, 1])][1])


def _roam(script: Script, rng: np.random.Generator, seconds: float) -> None:
    """Heading and drift over the whole motion: glances aside, full turns, back views, steps."""
    heading = float(script.yaw.values[-1][0])
    base = 0.0
    while script.yaw.end < seconds:
        away = abs(heading - base) > 1.2
        kind = 0 if away else weighted(rng, [0.72, 0.13, 0.08, 0.07])
        if kind == 0:
            heading, travel = base + rng.normal(0, 0.45), rng.uniform(0.5, 1.5)
        elif kind == 1:
            turn = 2 * np.pi * rng.choice((-1, 1))
            base, heading, travel = base + turn, heading + turn, rng.uniform(1.3, 4.0)
        elif kind == 2:
            heading, travel = base + np.pi * rng.choice((-1, 1)), rng.uniform(0.8, 2.0)
        else:
            heading, travel = base + 1.5 * rng.choice((-1, 1)), rng.uniform(0.6, 1.5)
        script.yaw.add(travel, rng.uniform(0.3, 2.0 if kind > 1 else 5.0), [heading])
    while script.drift.end < seconds:
        goal = np.clip(rng.normal(0, (0.13, 0.08)), np.negative(SPAN), SPAN)
        distance = float(np.linalg.norm(goal - script.drift.values[-1]))
        travel = max(distance / rng.uniform(0.1, 0.35), 0.5)
        script.drift.add(travel, rng.uniform(0.3, 5.0), goal)
