"""Buildings: walls with a grid of windows, shop fronts, ledges, cornices, balconies and roofs.

Windows and doors are drawn into the wall by the fragment shader, which a wall's `extra` tells of:
width of a cell, height of a floor, height of the ground floor (metres), and a code: kind of window
(0: none, 1: upright, 2: tall, 3: wide, 4: curtain of glass) + 8 if there are shops + 16 * floors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .classes import Label
from .layout import KERB
from .mesh import Material, Mesh, Paint, palette, srgb
from .roofs import add_chimneys, add_flat_roof, add_pitched_roof

PLASTERS = palette(
    (0.86, 0.80, 0.69),
    (0.84, 0.77, 0.62),
    (0.88, 0.85, 0.79),
    (0.82, 0.73, 0.64),
    (0.80, 0.79, 0.76),
    (0.85, 0.74, 0.60),
)
BRICKS = palette((0.60, 0.35, 0.28), (0.55, 0.33, 0.27), (0.63, 0.42, 0.33), (0.50, 0.36, 0.31))
GLASSES = palette((0.42, 0.50, 0.56), (0.38, 0.47, 0.52), (0.46, 0.52, 0.55))
ROOFS = palette((0.55, 0.33, 0.26), (0.48, 0.30, 0.25), (0.34, 0.34, 0.36), (0.50, 0.36, 0.30))
_STONE = srgb(0.78, 0.75, 0.70)
_AWNINGS = palette((0.55, 0.20, 0.18), (0.20, 0.34, 0.28), (0.25, 0.30, 0.42))
_WALLS = {
    "plaster": (Label.BUILDING, Material.PLASTER, PLASTERS),
    "brick": (Label.BUILDING_BRICK, Material.BRICK, BRICKS),
    "glass": (Label.BUILDING_GLASS, Material.GLASS, GLASSES),
}
_CELLS = {1: 2.7, 2: 2.3, 3: 3.6, 4: 1.5}  # metres from window to window, by kind
RAIL = 0.95  # height of a balcony's railing, metres
Array = NDArray[np.float64]
Sides = tuple[bool, bool, bool, bool]  # south, east, north, west


@dataclass(frozen=True)
class Building:
    """An upright house: its ground plan, which sides face a street, and its manner."""

    low: tuple[float, float]
    high: tuple[float, float]
    open: Sides
    floors: int
    floor: float
    ground: float
    kind: int
    shops: bool
    pitched: bool
    ridge: int  # the axis along which a pitched roof's ridge lies
    paint: Paint
    roof: tuple[float, float, float]
    balconies: bool
    awning: tuple[float, float, float] | None

    @property
    def height(self) -> float:
        """Height of the walls above the pavement."""
        return self.ground + self.floors * self.floor + (0.4 if self.kind != 4 else 0.1)


def draw_building(
    rng: np.random.Generator,
    low: tuple[float, float],
    high: tuple[float, float],
    open_sides: Sides,
    instance: int,
    *,
    small: bool = False,
) -> Building:
    """Sample how a house on a given ground looks."""
    surface = str(rng.choice(["plaster", "brick", "glass"], p=[0.55, 0.37, 0.08]))
    if small and surface == "glass":
        surface = "plaster"
    label, material, tints = _WALLS[surface]
    shops = bool(not small and rng.random() < 0.5)
    glass = surface == "glass"
    floors = int(rng.integers(1, 3)) if small else int(rng.integers(2, 7)) + 2 * glass
    wall = Paint(
        label,
        material,
        tints[int(rng.integers(len(tints)))],
        instance,
        float(np.round(rng.random(), 3)),
    )
    front = 0 if open_sides[0] or open_sides[2] else 1
    return Building(
        low=low,
        high=high,
        open=open_sides,
        floors=floors,
        floor=float(rng.uniform(3.0, 3.5)),
        ground=float(rng.uniform(3.9, 4.5) if shops or glass else rng.uniform(3.2, 3.7)),
        kind=4 if glass else int(rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2])),
        shops=shops,
        pitched=bool(not glass and floors < 6 and (small or rng.random() < 0.6)),
        ridge=front,
        paint=wall,
        roof=ROOFS[int(rng.integers(len(ROOFS)))],
        balconies=bool(not small and not glass and rng.random() < 0.3),
        awning=_AWNINGS[int(rng.integers(3))] if shops and rng.random() < 0.6 else None,
    )


def add_building(
    walls: Mesh, solids: Mesh, cards: Mesh, building: Building, rng: np.random.Generator
) -> None:
    """Add a building's walls (with windows), railings (cards), and everything else of it."""
    box = *building.low, *building.high
    x0, y0, x1, y1 = box
    ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    top = KERB + building.height
    for side in range(4):
        start, end = np.array(ring[side]), np.array(ring[(side + 1) % 4])
        _wall(walls, building, start, end, open_side=building.open[side])
        if building.open[side]:
            _relief(solids, building, start, end)
            if building.balconies:
                _balconies(solids, cards, building, start, end, rng)
    if building.pitched:
        add_pitched_roof(solids, walls, box, building.ridge, top, building.paint, building.roof)
    else:
        add_flat_roof(solids, box, top, building.paint)
    if building.kind != 4:
        add_chimneys(solids, box, top, building.paint, rng, pitched=building.pitched)


def _wall(mesh: Mesh, building: Building, start: Array, end: Array, *, open_side: bool) -> None:
    width = float(np.linalg.norm(end - start))
    cells = max(1, round(width / _CELLS[building.kind]))
    code = (building.kind if open_side else 0) + 8 * (building.shops and open_side)
    extra = width / cells, building.floor, building.ground, code + 16 * building.floors
    height = building.height
    points = [(*start, KERB), (*end, KERB), (*end, KERB + height), (*start, KERB + height)]
    uv = [(0, 0), (width, 0), (width, height), (0, height)]
    mesh.polygon(points, building.paint, uv=uv, extra=extra)


def _band(
    mesh: Mesh,
    start: Array,
    end: Array,
    span: tuple[float, float],
    out: float,
    paint: Paint,
) -> None:
    """A ledge along a wall that stands out from it, from one height to another."""
    direction = (end - start) / np.linalg.norm(end - start)
    normal = np.array([direction[1], -direction[0]])
    a, b = start - direction * out * 0.5, end + direction * out * 0.5
    c, d = a + normal * out, b + normal * out
    low, high = span
    mesh.polygon([(*c, low), (*d, low), (*d, high), (*c, high)], paint)
    mesh.polygon([(*c, high), (*d, high), (*b, high), (*a, high)], paint)
    mesh.polygon([(*a, low), (*b, low), (*d, low), (*c, low)], paint)
    mesh.polygon([(*a, low), (*c, low), (*c, high), (*a, high)], paint)
    mesh.polygon([(*d, low), (*b, low), (*b, high), (*d, high)], paint)


def _relief(mesh: Mesh, building: Building, start: Array, end: Array) -> None:
    """What stands out of a front: ledge, cornice, awnings."""
    top = KERB + building.height
    stone = building.paint.but(Label.BUILDING, Material.STONE, _STONE)
    if building.kind == 4:
        _band(mesh, start, end, (top, top + 0.5), 0.12, stone)
        return
    own = stone if building.paint.label == Label.BUILDING_BRICK else building.paint
    trim = own.but(Label.BUILDING, Material.STONE, own.tint)
    _band(mesh, start, end, (top - 0.45, top + 0.05), 0.32, trim)
    _band(mesh, start, end, (top - 0.75, top - 0.45), 0.14, trim)
    ledge = KERB + building.ground - 0.12
    _band(mesh, start, end, (ledge, ledge + 0.24), 0.13, trim)
    if building.awning:
        _awnings(mesh, building, start, end)


def _balconies(
    mesh: Mesh,
    cards: Mesh,
    building: Building,
    start: Array,
    end: Array,
    rng: np.random.Generator,
) -> None:
    width = float(np.linalg.norm(end - start))
    direction = (end - start) / width
    cells = max(1, round(width / _CELLS[building.kind]))
    cell = width / cells
    rail = building.paint.but(Label.FENCE, Material.METAL, srgb(0.25, 0.26, 0.27))
    slab = building.paint.but(Label.BUILDING, Material.STONE, _STONE)
    column = int(rng.integers(cells))
    for index in {column, cells - 1 - column}:
        a = start + direction * (index + 0.06) * cell
        b = start + direction * (index + 0.94) * cell
        for floor in range(building.floors):
            z = KERB + building.ground + floor * building.floor
            _band(mesh, a, b, (z - 0.05, z + 0.12), 1.1, slab)
            _railing(cards, a, b, z + 0.12, rail)


def _railing(mesh: Mesh, a: Array, b: Array, z: float, paint: Paint) -> None:
    """Bars around a balcony: cards that the fragment shader cuts out."""
    direction = (b - a) / np.linalg.norm(b - a)
    out = np.array([direction[1], -direction[0]]) * 1.05
    for p, q in ((a, a + out), (a + out, b + out), (b + out, b)):
        width = float(np.linalg.norm(q - p))
        points = [(*p, z), (*q, z), (*q, z + RAIL), (*p, z + RAIL)]
        mesh.polygon(points, paint, uv=[(0, 0), (width, 0), (width, RAIL), (0, RAIL)])


def _awnings(mesh: Mesh, building: Building, start: Array, end: Array) -> None:
    direction = (end - start) / np.linalg.norm(end - start)
    out = np.array([direction[1], -direction[0]])
    a, b = start + direction * 0.5, end - direction * 0.5
    high, low = KERB + building.ground - 0.75, KERB + building.ground - 1.3
    c, d = a + out * 1.15, b + out * 1.15
    cloth = building.paint.but(Label.BUILDING, Material.CLOTH, building.awning or _STONE)
    mesh.polygon([(*c, low), (*d, low), (*b, high), (*a, high)], cloth)
    mesh.polygon([(*a, high), (*b, high), (*d, low), (*c, low)], cloth)
    mesh.polygon([(*c, low - 0.25), (*d, low - 0.25), (*d, low), (*c, low)], cloth)
