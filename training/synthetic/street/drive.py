"""Where the camera goes: through the streets like a car, with turns, stops and a slight sway."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .layout import STREETS, Plan, Street

FIELD_OF_VIEW = 80.0  # degrees, horizontal
GAP = 7.5  # metres from car to car in a queue
_STEP = 0.25  # metres between points of a path
_TICK = 1 / 60
_BRAKE, _PULL = 2.2, 1.8  # m/s^2
_STOP_BEFORE = 7.9  # metres from a crossing's edge to a stop line, kerb corner included
Array = NDArray[np.float64]
_AHEAD = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])  # east, north, west, south


@dataclass(frozen=True)
class Line:
    """A stop line: where one crosses it, the street's middle at the zebra crossing behind it, the
    unit vector of the drive, and half the width of the carriageway; metres."""

    place: Array
    middle: tuple[float, float]
    way: tuple[float, float]
    half: float


@dataclass(frozen=True)
class Stop:
    """Waiting at a line, from and till (seconds)."""

    line: Line
    since: float
    until: float


@dataclass(frozen=True)
class Route:
    """A drive: points every 0.25 m [N, 2], headings [N] (radians), distance at every 1/60 s [T].

    queue: cars that drive the same way ahead, each at least `GAP` metres before the next.
    """

    points: Array
    headings: Array
    distances: Array
    stops: tuple[Stop, ...]
    queue: int

    def place(self, time: float, further: float = 0.0) -> tuple[float, float, float]:
        """x, y (metres) and heading (radians, counterclockwise from north) at a time in seconds.

        further: metres that one is ahead of the camera.
        """
        at = (self.travelled(time) + further) / _STEP
        x, y = _between(self.points, at)
        return float(x), float(y), float(_between(self.headings, at))

    def travelled(self, time: float) -> float:
        """How far the camera has come, metres along the route."""
        return float(_between(self.distances, time / _TICK))

    def view(self, time: float) -> tuple[Array, float, float, float]:
        """The camera's place [3], heading, pitch and roll (degrees) at a time."""
        x, y, heading = self.place(time)
        sway = [float(np.sin(time * rate + rate)) for rate in (1.1, 2.3, 3.7, 5.9)]
        speed = (self.travelled(time + 0.1) - self.travelled(time)) / 0.1
        moving = min(speed / 4, 1.0)
        height = 1.52 + 0.02 * sway[0] + 0.008 * moving * sway[3]
        pitch = -1.0 + 0.25 * sway[1] + 0.12 * moving * sway[3]
        turn = float(np.degrees(heading)) + 0.6 * sway[0]
        return np.array([x, y, height]), turn, pitch, 0.3 * moving * sway[2]


def _between(values: Array, index: float) -> Array:
    """What lies at a place between two values, the first or last beyond them."""
    place = min(max(index, 0.0), len(values) - 1.001)
    low = int(place)
    return values[low] + (values[low + 1] - values[low]) * (place - low)


def draw_route(plan: Plan, rng: np.random.Generator, seconds: float) -> Route:
    """Sample a drive that lasts at least so long."""
    corners, lines = _corners(plan, rng, seconds * 12 + 280)
    points, limits = _rounded(corners)
    smooth = _smooth(points, 9)
    steps = np.gradient(smooth, axis=0)
    turns = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0])) - np.pi / 2
    headings = _smooth(turns[:, None], 13)[:, 0]
    queue = int(rng.integers(0, 3))
    starts = float(rng.uniform(5, 45))
    waits = [
        (_nearest(points, line.place) - GAP * queue, float(rng.uniform(2.0, 4.0)), line)
        for line in lines
        if rng.random() < 0.3
    ]
    distances, stops = _timed(limits, waits, starts, seconds + 8.0, float(rng.uniform(8.5, 12)))
    return Route(smooth, headings, distances, stops, queue)


def _street(plan: Plan, way: int, i: int, j: int) -> Street:
    """The street on which one goes that way at a crossing."""
    return plan.north[i] if way % 2 else plan.east[j]


def _corners(plan: Plan, rng: np.random.Generator, length: float) -> tuple[list[Array], list[Line]]:
    """Corners of the lanes driven, and at each crossing the stop line and the zebra behind it."""
    i, j = (int(rng.integers(1, STREETS - 1)) for _ in range(2))
    way = int(rng.integers(4))
    corners = [_meet(plan, way, way, i, j)]
    lines: list[Line] = []
    travelled = 0.0
    while travelled < length:
        i, j = i + int(_AHEAD[way][0]), j + int(_AHEAD[way][1])
        turn = int(rng.choice([0, 0, 1, -1]))
        options = [t for t in (turn, 1, -1) if _inside(i, j, (way + t) % 4)]
        turn = options[0]
        own, other = _street(plan, way, i, j), _street(plan, way + 1, i, j)
        entry = _meet(plan, way, way, i, j)
        ahead = _AHEAD[way].astype(float)
        if own.marked:
            place = entry - ahead * (other.half + _STOP_BEFORE)
            way_on = float(ahead[0]), float(ahead[1])
            lines.append(Line(place, _zebra(own, other, ahead), way_on, own.half))
        corners.append(_meet(plan, way, (way + turn) % 4, i, j))
        travelled += float(np.linalg.norm(corners[-1] - corners[-2]))
        way = (way + turn) % 4
    return corners, lines


def _zebra(own: Street, other: Street, ahead: Array) -> tuple[float, float]:
    back = other.half + 3.0 + 2.1
    if own.axis:
        return own.at, other.at - ahead[1] * back
    return other.at - ahead[0] * back, own.at


def _inside(i: int, j: int, way: int) -> bool:
    a, b = i + _AHEAD[way][0], j + _AHEAD[way][1]
    return bool(0 <= a < STREETS and 0 <= b < STREETS)


def _meet(plan: Plan, before: int, after: int, i: int, j: int) -> Array:
    """Where the right-hand lane one comes on meets the one that one leaves on."""
    north, east = plan.north[i], plan.east[j]
    point = np.array([north.at, east.at], float)
    for way in {before, after}:
        street = _street(plan, way, i, j)
        right = np.array([_AHEAD[way][1], -_AHEAD[way][0]])
        point += right * street.lane
    return point


def _rounded(corners: list[Array]) -> tuple[Array, Array]:
    """Points every 0.25 m along the corners, cut by curves, and how fast one may go there."""
    pieces: list[Array] = []
    limits: list[Array] = []
    start = corners[0]
    for here, after in pairwise(corners[1:]):
        into = (here - start) / np.linalg.norm(here - start)
        out = (after - here) / np.linalg.norm(after - here)
        cross = into[0] * out[1] - into[1] * out[0]
        if abs(cross) < 0.1:
            continue
        cut = 9.5 if cross > 0 else 6.5
        _line(pieces, limits, start, here - into * cut)
        t = np.linspace(0, 1, round(cut * 1.62 / _STEP), endpoint=False)[:, None]
        a, b = here - into * cut, here + out * cut
        pieces.append((1 - t) ** 2 * a + 2 * t * (1 - t) * here + t**2 * b)
        limits.append(np.full(len(t), 4.2 if cross > 0 else 3.2))
        start = b
    _line(pieces, limits, start, corners[-1])
    return np.concatenate(pieces), np.concatenate(limits)


def _line(pieces: list[Array], limits: list[Array], start: Array, end: Array) -> None:
    count = max(1, round(float(np.linalg.norm(end - start)) / _STEP))
    t = np.linspace(0, 1, count, endpoint=False)[:, None]
    pieces.append(start + (end - start) * t)
    limits.append(np.full(count, 99.0))


def _smooth(values: Array, width: int) -> Array:
    padded = np.concatenate([values[:1].repeat(width, 0), values, values[-1:].repeat(width, 0)])
    kernel = np.sin(np.linspace(0, np.pi, width + 2)[1:-1]) ** 2
    kernel /= kernel.sum()
    columns = [np.convolve(padded[:, c], kernel, "same") for c in range(values.shape[1])]
    return np.stack(columns, 1).astype(np.float64)[width:-width]


def _nearest(points: Array, place: Array) -> float:
    """Distance along a path at which it passes a point."""
    return float(np.argmin(np.linalg.norm(points - place, axis=1))) * _STEP


def _timed(
    limits: Array,
    waits: list[tuple[float, float, Line]],
    start: float,
    seconds: float,
    cruise: float,
) -> tuple[Array, tuple[Stop, ...]]:
    """Distance at every tick of a drive that keeps to limits and waits at the stop lines."""
    free = _braking(np.minimum(limits, cruise))
    pending = sorted((w for w in waits if w[0] > start + 8), key=lambda wait: wait[0])
    distance, speed, held = start, float(free[int(start / _STEP)]), 0.0
    record: list[float] = []
    stops: list[Stop] = []
    for tick in range(round(seconds / _TICK)):
        record.append(distance)
        allowed = float(free[min(int(distance / _STEP), len(free) - 1)])
        if pending:
            gap, wait = pending[0][0] - distance, pending[0][1]
            allowed = min(allowed, float(np.sqrt(max(2 * _BRAKE * gap, 0.0))))
            if gap < 0.005:
                allowed, held = 0.0, held + _TICK
                if held >= wait:
                    now = tick * _TICK
                    stops.append(Stop(pending[0][2], now - wait, now))
                    pending, held = pending[1:], 0.0
        speed = min(speed + _PULL * _TICK, allowed)
        distance += speed * _TICK
    return np.array(record), tuple(stops)


def _braking(limits: Array) -> Array:
    """Lower speed limits so that every one ahead is reached by braking gently."""
    allowed = limits.copy()
    for i in range(len(allowed) - 2, -1, -1):
        allowed[i] = min(allowed[i], np.sqrt(allowed[i + 1] ** 2 + 2 * _BRAKE * _STEP))
    return allowed
