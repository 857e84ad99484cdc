"""A map of Doom: its walls and sectors, and what they are made of, read from a WAD file.

Lumps as the Unofficial Doom Specs have them (M. Fell, 1994), chapters 2 and 4.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...model.errors import InputError

CLASSES = (
    "unlabeled",
    "road",
    "sidewalk",
    "terrain",
    "water",
    "building",
    "building:brick",
    "rock",
    "window",
    "door",
    "ceiling",
    "sky",
    "person",
    "vegetation",
    "pole",
    "item",
)
"""What there is to be seen, in id order. Floors are sidewalks, and roads under the sky."""
MAPPING = {"ceiling": "building", "rock": "building:brick", "item": "pole"}
"""What a model of streets may take for what it does not know; rock is upright here, like a wall."""

NONE = 0xFFFF
"""The side that a line does not have."""
LINE: DTypeLike = [
    ("ends", "<u2", 2),
    ("flags", "<u2"),
    ("special", "<u2"),
    ("tag", "<u2"),
    ("sides", "<u2", 2),
]
SIDE: DTypeLike = [("offset", "<i2", 2), ("textures", "S8", 3), ("sector", "<u2")]
SECTOR: DTypeLike = [("heights", "<i2", 2), ("flats", "S8", 2), ("rest", "<i2", 3)]

NATURE = ("GRASS", "RROCK", "SLIME1", "FLAT10", "FLAT5_7", "FLAT5_8", "GRNROCK", "MFLR8_4", "DIRT")
LIQUIDS = ("FWATER", "NUKAGE", "BLOOD", "LAVA", "SLIME0")
WALLS = {
    "building:brick": ("BRICK", "BRIK", "DBRI", "BRBK"),
    "door": ("DOOR1", "DOOR3", "DOORBLU", "DOORRED", "DOORYEL", "BIGDOOR", "SPCDOOR", "EXITDOOR"),
    "window": ("WINDOW", "GLASS"),
    "rock": ("ROCK", "DIRT", "ZIMMER"),
}
"""Parts of the names of textures in Freedoom."""


@dataclass(frozen=True)
class Level:
    """L lines and N sectors. What they show are surfaces, numbered in one row.

    First of each line six: upper, lower and middle part of its front, then of its back; then N
    floors, then N ceilings.

    ends: [L, 2, 2], in map units. sectors: [L, 2] in front (to the right of a line) and behind; -1
    for none. blocking: [L] nobody walks through. opens: [L] a switch, a door, a trigger. pegged:
    [L, 2] upper and lower parts that stay when what is behind them moves. sky: [N] has no ceiling.
    labels, instances: [6L + 2N + 1] of surfaces, the last of what is none; sectors of one height
    and one material share an instance.
    """

    ends: NDArray[np.float32]
    sectors: NDArray[np.intp]
    blocking: NDArray[np.bool_]
    opens: NDArray[np.bool_]
    pegged: NDArray[np.bool_]
    sky: NDArray[np.bool_]
    labels: NDArray[np.uint8]
    instances: NDArray[np.uint16]

    @classmethod
    def load(cls, wad: Path, name: str) -> "Level":
        """Read a map, such as MAP01. Raises InputError."""
        lumps = _lumps(wad, name)
        lines = np.frombuffer(lumps["LINEDEFS"], LINE)
        sides = np.frombuffer(lumps["SIDEDEFS"], SIDE)
        sectors = np.frombuffer(lumps["SECTORS"], SECTOR)
        points = np.frombuffer(lumps["VERTEXES"], "<i2").reshape(-1, 2).astype(np.float32)
        there = lines["sides"] != NONE
        number = np.where(there, lines["sides"], 0)
        return cls(
            ends=points[lines["ends"]],
            sectors=np.where(there, sides["sector"][number].astype(np.intp), -1),
            blocking=(lines["flags"] & 1 > 0) | ~there.all(1),
            opens=lines["special"] > 0,
            pegged=lines["flags"][:, None] & (8, 16) > 0,
            sky=sectors["flats"][:, 1] == b"F_SKY1",
            labels=_labels(sides["textures"][number], sectors["flats"]),
            instances=_instances(len(lines), sectors),
        )


def _lumps(wad: Path, name: str) -> dict[str, bytes]:
    """Return the lumps that belong to a map by their names."""
    data = wad.read_bytes()
    _, count, start = struct.unpack_from("<4sii", data)
    found = [struct.unpack_from("<ii8s", data, start + 16 * i) for i in range(count)]
    names = [lump[2].rstrip(b"\0").decode("latin-1") for lump in found]
    if name.upper() not in names:
        maps = [names[i - 1] for i, lump in enumerate(names) if lump == "THINGS"]
        raise InputError(f"no map {name!r} in {wad.name}; there are {', '.join(maps)}")
    first = names.index(name.upper())
    inside = range(first + 1, min(first + 11, count))
    return {names[i]: data[found[i][0] : found[i][0] + found[i][1]] for i in inside}


def _labels(walls: NDArray[np.bytes_], flats: NDArray[np.bytes_]) -> NDArray[np.uint8]:
    """Classes of walls [L, 2, 3] and flats [N, 2] (floor and ceiling), [6L + 2N]."""
    names = [_wall(name.decode("latin-1")) for name in walls.ravel()]
    names += [_floor(*(name.decode("latin-1") for name in pair)) for pair in flats]
    names += ["sky" if name == b"F_SKY1" else "ceiling" for name in flats[:, 1]]
    return np.array([CLASSES.index(name) for name in (*names, "unlabeled")], np.uint8)


def _wall(texture: str) -> str:
    of = (name for name, parts in WALLS.items() if any(part in texture for part in parts))
    return next(of, "building")


def _floor(flat: str, above: str) -> str:
    if flat.startswith(LIQUIDS):
        return "water"
    if flat.startswith(NATURE):
        return "terrain"
    return "road" if above == "F_SKY1" else "sidewalk"


def _instances(lines: int, sectors: NDArray[np.void]) -> NDArray[np.uint16]:
    """Number the surfaces: sides of lines, then floors and ceilings, from 1."""
    walls = np.arange(2 * lines).repeat(3)
    keys = [f"{i} {row['heights'][i]} {row['flats'][i]}" for i in (0, 1) for row in sectors]
    flats = np.unique(keys, return_inverse=True)[1]
    return np.concatenate([walls + 1, flats + 2 * lines + 1, [0]]).astype(np.uint16)
