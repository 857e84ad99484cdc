"""Things of Doom: flat pictures that always face the camera, upright."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .cast import Camera
from .level import CLASSES
from .motion import Past

if TYPE_CHECKING:
    from vizdoom import Label

KINDS = {
    "Monster": "person",
    "Player": "person",
    "Corpse": "person",
    "Gore": "person",
    "Vegetation": "vegetation",
    "LightSource": "pole",
    "Decoration": "pole",
    "Hazard": "item",
    "Health": "item",
    "Armor": "item",
    "Ammo": "item",
    "Weapon": "item",
    "Key": "item",
    "Powerup": "item",
}
"""The game's categories; others, such as smoke and sparks, are not there."""
NAMES = {"Stalagtite": "vegetation"}
"""In Freedoom it is a tree."""


@dataclass(frozen=True)
class Sprites:
    """What belongs to each number in the game's plane of things, each [256].

    label: 0 for what is no thing. depth: map units. grown: times as large as it is now that it was
    in the last frame. x, y: how far it was from where it is, in pixels, seen from the corner of the
    picture.
    """

    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    depth: NDArray[np.float32]
    grown: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]


def place(thing: "Label") -> tuple[float, float, float]:
    """Where a thing stands, in map units."""
    return thing.object_position_x, thing.object_position_y, thing.object_position_z


def blocks(thing: "Label") -> bool:
    """Whether one walks around it."""
    return thing.object_category in ("Vegetation", "LightSource", "Decoration", "Hazard")


def alive(thing: "Label") -> bool:
    """Whether it is a monster that stands; the dead lie flat."""
    return thing.object_category == "Monster" and thing.height > 0.6 * thing.width


def sprites(things: Sequence["Label"], first: int, camera: Camera, before: Past | None) -> Sprites:
    """Collect things; the first of their instances is given. before: None after a cut."""
    label, instance = np.zeros(256, np.uint8), np.zeros(256, np.uint16)
    depth, x, y = (np.zeros(256, np.float32) for _ in range(3))
    grown = np.ones(256, np.float32)
    for thing in things:
        if thing.object_category not in KINDS:
            continue
        i = thing.value
        kind = NAMES.get(thing.object_name, KINDS[thing.object_category])
        label[i] = CLASSES.index(kind)
        instance[i] = first + thing.object_id % (65536 - first)
        column, row, depth[i] = _anchor(camera, place(thing))
        if before is not None:
            past = before.things.get(thing.object_id, place(thing))
            column_then, row_then, depth_then = _anchor(before.camera, past)
            grown[i] = depth[i] / depth_then
            x[i], y[i] = column_then - grown[i] * column, row_then - grown[i] * row
    return Sprites(label, instance, depth, grown, x, y)


def _anchor(camera: Camera, point: tuple[float, float, float]) -> tuple[float, float, float]:
    """Column and row of a point, and how far ahead it is."""
    right, ahead = camera.see(np.array(point[:2], np.float32))
    ahead = max(float(ahead), 1.0)
    column = camera.middle + camera.focal[0] * float(right) / ahead
    return column, camera.horizon - camera.focal[1] * (point[2] - camera.z) / ahead, ahead


def draw(
    buffer: NDArray[np.uint8],
    found: Sprites,
    label: NDArray[np.uint8],
    instance: NDArray[np.uint16],
    depth: NDArray[np.float32],
    motion: NDArray[np.float32],
) -> None:
    """Put things into planes [H, W], motion [2, H, W], where the game's buffer [H, W] has them."""
    rows, columns = np.nonzero(found.label[buffer])
    thing = buffer[rows, columns]
    label[rows, columns] = found.label[thing]
    instance[rows, columns] = found.instance[thing]
    depth[rows, columns] = found.depth[thing]
    grown = found.grown[thing] - 1
    motion[0, rows, columns] = found.x[thing] + grown * (columns + 0.5)
    motion[1, rows, columns] = found.y[thing] + grown * (rows + 0.5)
