"""The plan of a city: streets that cross, and what lies in the blocks between them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

STREETS = 5  # each way
OUTSKIRTS = 34.0  # metres of town beyond the outermost streets
CORNER = 3.0  # radius of a kerb at a crossing, metres
KERB = 0.13
Use = Literal["houses", "terrace", "park"]
Rectangle = tuple[float, float, float, float]  # x0, y0, x1, y1, metres


@dataclass(frozen=True)
class Street:
    """A straight street through the whole city.

    at: x of a street that runs north (axis 1), y of one that runs east (axis 0); half: half the
    carriageway's width; pavement: a pavement's width; all in metres.
    """

    axis: int
    at: float
    half: float
    pavement: float
    cobbles: bool
    marked: bool
    parking: bool

    @property
    def lane(self) -> float:
        """How far right of the middle one drives."""
        return (self.half - (2.1 if self.parking else 0.0)) * 0.5


@dataclass(frozen=True)
class Block:
    """The ground between streets, kerb to kerb, and the plot inside its pavements."""

    outer: Rectangle
    plot: Rectangle
    streets: tuple[bool, bool, bool, bool]  # south, east, north, west
    use: Use


@dataclass(frozen=True)
class Plan:
    """Streets that run north, by x; streets that run east, by y; and blocks."""

    north: tuple[Street, ...]
    east: tuple[Street, ...]
    blocks: tuple[Block, ...]

    @property
    def bounds(self) -> Rectangle:
        """What the city covers."""
        west, east = self.north[0], self.north[-1]
        south, north = self.east[0], self.east[-1]
        return (
            west.at - west.half - OUTSKIRTS,
            south.at - south.half - OUTSKIRTS,
            east.at + east.half + OUTSKIRTS,
            north.at + north.half + OUTSKIRTS,
        )


def draw_plan(rng: np.random.Generator) -> Plan:
    """Sample a city's plan around the origin."""
    north = _streets(rng, 1)
    east = _streets(rng, 0)
    inner = range(1, STREETS)
    blocks = [_block(rng, north, east, i, j) for i in inner for j in inner]
    return Plan(north, east, (*blocks, *_outskirts(north, east)))


def _streets(rng: np.random.Generator, axis: int) -> tuple[Street, ...]:
    places = np.cumsum(rng.uniform(58, 92, STREETS))
    places -= places.mean()
    return tuple(_street(rng, axis, float(at)) for at in places)


def _street(rng: np.random.Generator, axis: int, at: float) -> Street:
    wide = rng.random() < 0.6
    cobbles = not wide and rng.random() < 0.75
    return Street(
        axis=axis,
        at=at,
        half=float(rng.uniform(5.4, 6.2) if wide else rng.uniform(3.4, 4.0)),
        pavement=float(rng.uniform(2.6, 4.2)),
        cobbles=bool(cobbles),
        marked=bool(wide or (not cobbles and rng.random() < 0.4)),
        parking=bool(wide),
    )


def _block(
    rng: np.random.Generator,
    north: tuple[Street, ...],
    east: tuple[Street, ...],
    i: int,
    j: int,
) -> Block:
    west_side, east_side = _sides(north, i)
    south_side, north_side = _sides(east, j)
    x0, dx0 = west_side
    x1, dx1 = east_side
    y0, dy0 = south_side
    y1, dy1 = north_side
    use: Use = rng.choice(["terrace", "terrace", "terrace", "houses", "park"])
    return Block(
        outer=(x0, y0, x1, y1),
        plot=(x0 + dx0, y0 + dy0, x1 - dx1, y1 - dy1),
        streets=(dy0 > 0, dx1 > 0, dy1 > 0, dx0 > 0),
        use=use,
    )


def _outskirts(north: tuple[Street, ...], east: tuple[Street, ...]) -> list[Block]:
    """What closes the city: a long row of houses on each of its four sides."""
    (west_x, west), (east_x, east_) = _sides(north, 0)[1], _sides(north, STREETS)[0]
    (south_y, south), (north_y, north_) = _sides(east, 0)[1], _sides(east, STREETS)[0]
    x0, y0 = west_x - OUTSKIRTS, south_y - OUTSKIRTS
    x1, y1 = east_x + OUTSKIRTS, north_y + OUTSKIRTS
    rows = (
        ((x0, y0, x1, south_y), (x0, y0, x1, south_y - south), (False, False, True, False)),
        ((x0, north_y, x1, y1), (x0, north_y + north_, x1, y1), (True, False, False, False)),
        (
            (x0, south_y, west_x, north_y),
            (x0, south_y, west_x - west, north_y),
            (False, True, False, False),
        ),
        (
            (east_x, south_y, x1, north_y),
            (east_x + east_, south_y, x1, north_y),
            (False, False, False, True),
        ),
    )
    return [Block(outer, plot, sides, "terrace") for outer, plot, sides in rows]


def _sides(streets: tuple[Street, ...], index: int) -> list[tuple[float, float]]:
    """Where a block's kerbs are, on its low and high side, and how wide the pavements."""
    first, last = streets[0], streets[-1]
    low = (first.at - first.half - OUTSKIRTS, 0.0)
    high = (last.at + last.half + OUTSKIRTS, 0.0)
    if index > 0:
        street = streets[index - 1]
        low = (street.at + street.half, street.pavement)
    if index < len(streets):
        street = streets[index]
        high = (street.at - street.half, street.pavement)
    return [low, high]
