"""Somebody who plays: goes where it has not been, opens doors, shoots what it sees."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .cast import Crossings
from .level import CLASSES, Level

STEP, HEADROOM = 24.0, 56.0
"""What one can climb, and needs to pass, in map units."""
CELL = 128.0
"""Side of the squares that it remembers to have been in, in map units."""
NARROW = 20.0
"""Half of what it needs to get through."""
RANGE = 1200.0
"""It leaves alone who is farther away, in map units."""
PATIENCE = 140
"""How long it fights, in tics, before it goes on."""
TURN = 7.0
"""Fastest turn, in degrees a tic."""


@dataclass(frozen=True, kw_only=True)
class Buttons:
    """What is pressed. forward, right: 1 walks, 2 runs, negative: the other way. turn, look:
    degrees a tic to the right, and up."""

    forward: float = 0.0
    right: float = 0.0
    turn: float = 0.0
    look: float = 0.0
    attack: bool = False
    use: bool = False


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a player sees. Map units, radians left of east.

    slopes: how far to the right each column's ray goes on one unit ahead; free: how far ahead one
    can walk in it, [W]. targets, hurdles: slope and distance of monsters and what is in the way.
    """

    x: float
    y: float
    angle: float
    slopes: NDArray[np.float32]
    free: NDArray[np.float32]
    targets: tuple[tuple[float, float], ...] = ()
    hurdles: tuple[tuple[float, float], ...] = ()

    def clear(self) -> NDArray[np.float32]:
        """Where one can walk, [W], without running into something."""
        clear = self.free.copy()
        for slope, distance in self.hurdles:
            before = np.abs(self.slopes - slope) * distance < NARROW
            clear[before] = np.minimum(clear[before], max(0, distance - NARROW))
        return clear


def free(level: Level, heights: NDArray[np.float32], met: Crossings) -> NDArray[np.float32]:
    """How far ahead one can walk in each column, [W], in map units; doors are thought to open."""
    near, far = heights[met.near], heights[met.far]
    floor = np.maximum(near[:, 0], far[:, 0])
    low = np.minimum(near[:, 1], far[:, 1]) - floor < HEADROOM
    bars = level.blocking[met.line] | (met.far < 0) | (far[:, 0] - near[:, 0] > STEP)
    bars |= low & ~level.opens[met.line]
    wet = level.labels[6 * len(level.ends) :] == CLASSES.index("water")
    bars |= wet[met.far] & ~wet[met.near]
    found = np.full(len(met.start) - 1, 1e4, np.float32)
    where = np.flatnonzero(bars)
    columns, first = np.unique(met.column[where], return_index=True)
    found[columns] = met.depth[where[first]]
    return found


class Bot:
    """Plays by what it sees and where it has been."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.reset()

    def reset(self) -> None:
        """Forget the place."""
        self._been: Counter[tuple[int, int]] = Counter()
        self._last, self._still, self._fought, self._tic = (0.0, 0.0), 0, 0, 0
        self._goal: float | None = None
        self._turn = 0.0

    def act(self, sight: Sight) -> Buttons:
        """Decide what to press now."""
        self._tic += 1
        self._been[_cell(sight.x, sight.y)] += 1
        self._still = 0 if math.dist(self._last, (sight.x, sight.y)) > 1.5 else self._still + 1
        self._last = sight.x, sight.y
        targets = [target for target in sight.targets if target[1] < RANGE]
        self._fought = min(self._fought + 1, 3 * PATIENCE) if targets else max(self._fought - 1, 0)
        return self._fight(targets) if targets and self._fought < PATIENCE else self._go(sight)

    def _fight(self, targets: list[tuple[float, float]]) -> Buttons:
        slope, distance = min(targets, key=lambda target: target[1])
        off = math.degrees(math.atan(slope))
        self._goal = None
        return Buttons(
            forward=1.0 if distance > 300 else 0.0,
            right=math.copysign(1.0, math.sin(self._tic / 12)),
            turn=self._smooth(off / 2),
            attack=abs(off) < 4,
        )

    def _go(self, sight: Sight) -> Buttons:
        clear = sight.clear()
        ahead = _reach(sight.slopes, clear, 0.0)
        off = self._off(sight)
        due = ahead < 48 or self._tic % 40 == 0 or self._still > 20
        if off is None or (abs(off) < 10 and due):
            self._goal = self._away(sight) if self._still > 20 else self._choose(sight, clear)
            self._still = 0
        off = self._off(sight) or 0.0
        return Buttons(
            forward=1.0 if abs(off) < 35 else 0.0,
            turn=self._smooth(off / 4),
            use=ahead < 90 and self._tic % 12 == 0,
        )

    def _off(self, sight: Sight) -> float | None:
        """How far the goal is to the right, in degrees."""
        if self._goal is None:
            return None
        return math.degrees((sight.angle - self._goal + math.pi) % math.tau - math.pi)

    def _away(self, sight: Sight) -> float:
        return sight.angle + float(self._random.uniform(math.pi / 2, 1.5 * math.pi))

    def _choose(self, sight: Sight, clear: NDArray[np.float32]) -> float:
        """Return the direction, in radians, with the most that is new; away, if there is little."""
        headings = np.radians(np.linspace(-48, 48, 25))
        worth = [self._worth(sight, clear, float(heading)) for heading in headings]
        best = int(np.argmax(worth))
        return self._away(sight) if worth[best] < 0.2 else sight.angle - float(headings[best])

    def _worth(self, sight: Sight, clear: NDArray[np.float32], heading: float) -> float:
        angle, reach = sight.angle - heading, _reach(sight.slopes, clear, heading)
        steps = np.arange(CELL / 2, min(reach, 6 * CELL), CELL)
        cells = (
            _cell(sight.x + step * math.cos(angle), sight.y + step * math.sin(angle))
            for step in steps
        )
        new = sum(1 / (1 + self._been[cell] / 10) for cell in cells)
        return new - 0.2 * abs(heading) + float(self._random.normal(0, 0.03))

    def _smooth(self, turn: float) -> float:
        self._turn += 0.4 * (max(-TURN, min(TURN, turn)) - self._turn)
        return self._turn


def _cell(x: float, y: float) -> tuple[int, int]:
    return int(x // CELL), int(y // CELL)


def _reach(slopes: NDArray[np.float32], clear: NDArray[np.float32], heading: float) -> float:
    """How far one gets in a direction (radians to the right), with room for the shoulders."""
    along = np.cos(np.arctan(slopes) - heading)
    away = clear * np.hypot(1, slopes)
    aside = away * np.sqrt(np.maximum(0, 1 - along**2))
    return float(np.min(away * along, where=aside < NARROW, initial=1e4))
