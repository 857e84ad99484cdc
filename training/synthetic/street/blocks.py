"""What stands in a block: rows of houses, houses in gardens, or a park."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .city import City, Spot, Trees
from .classes import Label
from .facades import Sides, add_building, draw_building
from .layout import KERB, Block, Rectangle
from .mesh import Material, Paint, palette, srgb
from .plants import add_hedge
from .props import add_fence

Array = NDArray[np.float64]
DEPTH = 11.0  # of a terraced house, metres
_GRASS = Paint(Label.TERRAIN, Material.GRASS, srgb(0.42, 0.50, 0.28))
_PATH = Paint(Label.SIDEWALK, Material.PAVING, srgb(0.66, 0.62, 0.56))
_FENCES = palette((0.82, 0.81, 0.78), (0.45, 0.36, 0.28), (0.25, 0.28, 0.27))


def fill_block(city: City, block: Block, trees: Trees, rng: np.random.Generator) -> None:
    """Put lawn into a block's plot, and on it what the block is used for."""
    _lay(city, block.plot, KERB + 0.01, _GRASS)
    if block.use == "terrace":
        _terraces(city, block, rng)
        return
    (_park if block.use == "park" else _houses)(city, block, trees, rng)
    _border(city, block, rng)


def _lay(city: City, box: Rectangle, height: float, paint: Paint) -> None:
    x0, y0, x1, y1 = box
    ground = city.at("ground", (x0 + x1) / 2, (y0 + y1) / 2)
    ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    ground.polygon([(x, y, height) for x, y in ring], paint)


def _build(
    city: City, box: Rectangle, sides: Sides, rng: np.random.Generator, *, small: bool = False
) -> None:
    """Put up a house that shows windows to some sides."""
    x0, y0, x1, y1 = box
    house = draw_building(rng, (x0, y0), (x1, y1), sides, city.instance(), small=small)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    walls, solids, cards = (city.at(kind, x, y) for kind in ("walls", "solids", "leaves"))
    add_building(walls, solids, cards, house, rng)
    city.footprints.append(box)


def _cut(rng: np.random.Generator, length: float, low: float, high: float) -> Array:
    """Places that cut a length into pieces of about low..high, ends included."""
    count = max(1, round(length / rng.uniform(low, high)))
    pieces = rng.uniform(0.8, 1.25, count)
    return np.concatenate([[0.0], np.cumsum(pieces / pieces.sum()) * length])


def _terraces(city: City, block: Block, rng: np.random.Generator) -> None:
    """Rows of houses, wall to wall, along every street of a block; inside the city some miss."""
    x0, y0, x1, y1 = block.plot
    south, east, north, west = block.streets
    for y in [y0] * south + [y1 - DEPTH] * north:
        cuts = x0 + _cut(rng, x1 - x0, 9, 18)
        for a, b in pairwise(cuts):
            sides = (y == y0, bool(b == cuts[-1]) and east, y != y0, bool(a == x0) and west)
            _build(city, (float(a), y, float(b), y + DEPTH), sides, rng)
    low, high = y0 + DEPTH * south, y1 - DEPTH * north
    for x in [x0] * west + [x1 - DEPTH] * east:
        cuts = low + _cut(rng, high - low, 9, 18)
        for a, b in pairwise(cuts):
            if all(block.streets) and rng.random() < 0.1:
                edge = x0 if x == x0 else x1
                _fence(city, np.array([edge, a]), np.array([edge, b]), rng)
            else:
                sides = (False, x != x0, False, x == x0)
                _build(city, (x, float(a), x + DEPTH, float(b)), sides, rng)


def _fence(city: City, start: Array, end: Array, rng: np.random.Generator) -> None:
    tint = _FENCES[int(rng.integers(len(_FENCES)))]
    add_fence(city.at("leaves", *start), start, end, KERB, city.instance(), tint)


def _houses(city: City, block: Block, trees: Trees, rng: np.random.Generator) -> None:
    """Small houses in gardens behind fences and hedges."""
    x0, y0, x1, y1 = block.plot
    garden, deep = 4.5, 9.0
    first = len(city.footprints)
    for y, sides in (
        (y0 + garden, (True, True, False, True)),
        (y1 - garden - deep, (False, True, True, True)),
    ):
        x = x0 + garden
        width = float(rng.uniform(8, 11.5))
        while x + width < x1 - garden:
            _build(city, (x, y, x + width, y + deep), sides, rng, small=True)
            x += width + float(rng.uniform(3.0, 6.0))
            width = float(rng.uniform(8, 11.5))
    for _ in range(8):
        x, y = float(rng.uniform(x0 + 2, x1 - 2)), float(rng.uniform(y0 + 2, y1 - 2))
        houses = city.footprints[first:]
        if not any(a - 2 < x < c + 2 and b - 2 < y < d + 2 for a, b, c, d in houses):
            city.plant(trees, (x, y, KERB), float(rng.uniform(0.6, 0.9)), rng)


def _border(city: City, block: Block, rng: np.random.Generator) -> None:
    """Hedges and fences around a plot, with openings."""
    x0, y0, x1, y1 = block.plot
    inset, opening = 0.4, 1.6
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    corners += inset * np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        length = float(np.linalg.norm(end - start))
        forth = (end - start) / length
        cuts = _cut(rng, length, 8, 16)
        for a, b in pairwise(cuts):
            p, q = start + forth * a, start + forth * (b - opening)
            if rng.random() < 0.5:
                _fence(city, p, q, rng)
                continue
            height = KERB + float(rng.uniform(0.9, 1.5))
            solids, leaves = city.at("solids", *p), city.at("leaves", *p)
            add_hedge(solids, leaves, p, q, height, city.instance(), rng)
            x, y = (p + q) / 2
            city.spots.append(Spot(float(x), float(y), 1.2, 0.2))


def _park(city: City, block: Block, trees: Trees, rng: np.random.Generator) -> None:
    """Trees around two paths that cross."""
    x0, y0, x1, y1 = block.plot
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    for height, box in ((0.025, (x0, y - 1.3, x1, y + 1.3)), (0.035, (x - 1.3, y0, x + 1.3, y1))):
        _lay(city, box, KERB + height, _PATH)
    for across in np.arange(x0 + 4, x1 - 3, 7.5):
        for up in np.arange(y0 + 4, y1 - 3, 7.5):
            at = float(across + rng.uniform(-2, 2)), float(up + rng.uniform(-2, 2))
            if rng.random() < 0.65 and min(abs(at[0] - x), abs(at[1] - y)) > 2.2:
                city.plant(trees, (*at, KERB), float(rng.uniform(0.8, 1.3)), rng)
