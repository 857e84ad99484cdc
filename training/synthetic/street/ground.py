"""Carriageways, their markings, kerbs and pavements."""

import numpy as np
from numpy.typing import NDArray

from .classes import Label
from .layout import CORNER, KERB, Block, Street
from .mesh import Material, Mesh, Paint, srgb

ASPHALT = Paint(Label.ROAD, Material.ASPHALT, srgb(0.335, 0.335, 0.345))
COBBLES = Paint(Label.ROAD_COBBLES, Material.COBBLES, srgb(0.47, 0.45, 0.43))
MARKING = Paint(Label.LANE_MARKING, Material.MARKING, srgb(0.86, 0.86, 0.83))
PAVING = Paint(Label.SIDEWALK, Material.PAVING, srgb(0.56, 0.545, 0.52))
KERBSTONE = Paint(Label.SIDEWALK, Material.STONE, srgb(0.66, 0.65, 0.63))
_ABOVE = 0.012  # how high markings lie, metres
_FADE = 5.0  # metres before a crossing on which tracks of wheels get lost


def along(street: Street, where: float, side: float) -> tuple[float, float]:
    """The point of the plan at `where` metres along a street, `side` metres right of its middle."""
    if street.axis:
        return street.at + side, where
    return where, street.at - side


def _strip(
    mesh: Mesh,
    street: Street,
    span: tuple[float, float],
    sides: tuple[float, float],
    paint: Paint,
    height: float = 0.0,
    tracks: tuple[float, float] = (0.0, 0.0),
) -> None:
    """A rectangle on a street.

    Its `extra`: metres across the street, half the street's width, where its lanes are, and how
    clear the tracks of wheels are, from one end to the other.
    """
    corners = [(span[0], sides[0]), (span[0], sides[1]), (span[1], sides[1]), (span[1], sides[0])]
    points = np.array([(*along(street, s, t), height) for s, t in corners])
    clear = (tracks[0], tracks[0], tracks[1], tracks[1])
    extra = np.array(
        [(t, street.half, street.lane, c) for (_, t), c in zip(corners, clear, strict=True)]
    )
    order = slice(None) if _counterclockwise(points) else slice(None, None, -1)
    mesh.polygon(points[order], paint, extra=extra[order])


def _counterclockwise(points: NDArray[np.float64]) -> bool:
    first, second = points[1] - points[0], points[2] - points[0]
    return bool(first[0] * second[1] > first[1] * second[0])


def street_surface(mesh: Mesh, street: Street, before: Street, after: Street) -> None:
    """A street's carriageway between two others that cross it, with the markings it has."""
    paint = COBBLES if street.cobbles else ASPHALT
    span = before.at + before.half + CORNER, after.at - after.half - CORNER
    sides = (-street.half, street.half)
    first, last = span[0] + _FADE, span[1] - _FADE
    _strip(mesh, street, (span[0], first), sides, paint, tracks=(0, 1))
    _strip(mesh, street, (first, last), sides, paint, tracks=(1, 1))
    _strip(mesh, street, (last, span[1]), sides, paint, tracks=(1, 0))
    if street.marked:
        _markings(mesh, street, span)


def crossing_surface(mesh: Mesh, north: Street, east: Street) -> None:
    """The square where two streets meet."""
    wide = north if north.half >= east.half else east
    paint = COBBLES if wide.cobbles else ASPHALT
    width, height = north.half + CORNER, east.half + CORNER
    low, high = (north.at - width, east.at - height), (north.at + width, east.at + height)
    mesh.polygon([(*low, 0), (high[0], low[1], 0), (*high, 0), (low[0], high[1], 0)], paint)


def _markings(mesh: Mesh, street: Street, span: tuple[float, float]) -> None:
    first, last = span
    for end, inward in ((first, 1.0), (last, -1.0)):
        zebra = sorted((end + inward * 0.6, end + inward * 3.6))
        for side in np.arange(-street.half + 0.55, street.half - 0.3, 1.0):
            _strip(mesh, street, (zebra[0], zebra[1]), (side, side + 0.5), MARKING, _ABOVE)
        stop = sorted((end + inward * 4.4, end + inward * 4.8))
        right = (0.15, street.half - 0.3) if inward < 0 else (-street.half + 0.3, -0.15)
        _strip(mesh, street, (stop[0], stop[1]), right, MARKING, _ABOVE)
    for where in np.arange(first + 6.5, last - 8.0, 6.0):
        _strip(mesh, street, (where, where + 3.0), (-0.07, 0.07), MARKING, _ABOVE)
    edge = street.half - (2.15 if street.parking else 0.3)
    for side in (-edge, edge):
        _strip(mesh, street, (first + 5, last - 5), (side - 0.06, side + 0.06), MARKING, _ABOVE)


def outline(block: Block) -> NDArray[np.float64]:
    """A block's kerb, counterclockwise with round corners [N, 2]."""
    x0, y0, x1, y1 = block.outer
    south, east, north, west = block.streets
    corners = [(x0, y0, south and west), (x1, y0, south and east)]
    corners += [(x1, y1, north and east), (x0, y1, north and west)]
    points: list[NDArray[np.float64]] = []
    for index, (x, y, rounded) in enumerate(corners):
        if not rounded:
            points.append(np.array([[x, y]]))
            continue
        angle = np.linspace(np.pi, 1.5 * np.pi, 6) + index * np.pi / 2
        inward = np.array([1 if index in (0, 3) else -1, 1 if index < 2 else -1]) * CORNER
        points.append(np.stack([np.cos(angle), np.sin(angle)], 1) * CORNER + (x, y) + inward)
    return np.concatenate(points)


def block_surface(mesh: Mesh, block: Block) -> None:
    """A block's pavement with its kerb of stone."""
    kerb = outline(block)
    middle = kerb.mean(0)
    inner = kerb + np.sign(middle - kerb) * 0.16
    mesh.prism(kerb, -0.05, KERB, KERBSTONE)
    for i in range(len(kerb)):
        j = (i + 1) % len(kerb)
        ring = [kerb[i], kerb[j], inner[j], inner[i]]
        mesh.polygon([(x, y, KERB) for x, y in ring], KERBSTONE)
    mesh.polygon([(x, y, KERB) for x, y in inner], PAVING)
