"""Ways through time that cars and people take."""

from dataclasses import dataclass
from math import atan2, cos, hypot, pi, sin
from typing import Protocol

from .drive import GAP, Route
from .layout import KERB, Street

_STRIDE = 1.45  # metres in two steps
_BEND = 1.2  # radius of a walk around a corner, metres


@dataclass(frozen=True)
class Pose:
    """Where something is: x, y, z (metres), heading (radians), phase of its walk and how much."""

    x: float
    y: float
    z: float
    heading: float
    phase: float = 0.0
    gait: float = 0.0


class Path(Protocol):
    """A way through time."""

    def __call__(self, time: float) -> Pose:
        """Where one is at a time in seconds."""
        ...


@dataclass(frozen=True)
class Lane:
    """Driving up (forth 1) or down (-1) a street, and again from its start."""

    street: Street
    forth: float
    span: tuple[float, float]
    offset: float
    speed: float

    def __call__(self, time: float) -> Pose:
        first, last = self.span
        done = (self.offset + self.speed * time) % (last - first)
        where = first + done if self.forth > 0 else last - done
        side = self.forth * self.street.lane
        if self.street.axis:
            return Pose(self.street.at + side, where, 0.0, 0.0 if self.forth > 0 else pi)
        return Pose(where, self.street.at - side, 0.0, -self.forth * pi / 2)


@dataclass(frozen=True)
class Ahead:
    """Driving the camera's own route some seconds before it, at a place in the queue from 1."""

    route: Route
    lead: float
    place: int

    def __call__(self, time: float) -> Pose:
        x, y, heading = self.route.place(time + self.lead, GAP * self.place)
        return Pose(x, y, 0.0, heading)


@dataclass(frozen=True)
class Around:
    """Walking around a block on its pavement; a negative speed goes clockwise."""

    low: tuple[float, float]
    high: tuple[float, float]
    offset: float
    speed: float

    def __call__(self, time: float) -> Pose:
        x, y = self.low
        width, depth = self.high[0] - x, self.high[1] - y
        length = 2 * (width + depth) - 8 * _BEND + 2 * pi * _BEND
        done = (self.offset + self.speed * time) % length
        angle, arc = 0.0, _BEND * pi / 2
        for side in (width, depth, width, depth):
            straight = side - 2 * _BEND
            forth = cos(angle), sin(angle)
            ahead, left = _BEND + min(done, straight), 0.0
            done -= straight
            if 0 < done < arc:
                ahead += sin(done / _BEND) * _BEND
                left = (1 - cos(done / _BEND)) * _BEND
            if done < arc:
                x += forth[0] * ahead - forth[1] * left
                y += forth[1] * ahead + forth[0] * left
                angle += max(done, 0.0) / _BEND
                break
            done -= arc
            x, y, angle = x + forth[0] * side, y + forth[1] * side, angle + pi / 2
        heading = angle - pi / 2 + (pi if self.speed < 0 else 0.0)
        phase = abs(self.offset + self.speed * time) * 2 * pi / _STRIDE
        return Pose(x, y, KERB, heading, phase, min(abs(self.speed) / 1.4, 1.0))


@dataclass(frozen=True)
class Across:
    """Waiting at a kerb, then walking over a zebra crossing, then waiting there."""

    start: tuple[float, float]
    end: tuple[float, float]
    since: float
    speed: float

    def __call__(self, time: float) -> Pose:
        way = self.end[0] - self.start[0], self.end[1] - self.start[1]
        length = hypot(*way)
        done = min(max((time - self.since) * self.speed, 0.0), length)
        edge = min(done, length - done)
        return Pose(
            x=self.start[0] + way[0] * done / length,
            y=self.start[1] + way[1] * done / length,
            z=KERB * min(max(1 - (edge - 0.45) * 4, 0.0), 1.0),
            heading=atan2(way[1], way[0]) - pi / 2,
            phase=done * 2 * pi / _STRIDE,
            gait=min(edge * 4, 1.0),
        )
