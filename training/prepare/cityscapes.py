"""The classes of Cityscapes, which are known without a file that names them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...model.condition.labels.files import Colour
from ...model.errors import InputError
from .accounts import Flaw
from .label_classes import Coding
from .label_pixels import Pixels, read_pixels

CITYSCAPES: dict[str, tuple[int, Colour]] = {
    "unlabeled": (255, (0, 0, 0)),
    "ego vehicle": (255, (0, 0, 0)),
    "rectification border": (255, (0, 0, 0)),
    "out of roi": (255, (0, 0, 0)),
    "static": (255, (0, 0, 0)),
    "dynamic": (255, (111, 74, 0)),
    "ground": (255, (81, 0, 81)),
    "road": (0, (128, 64, 128)),
    "sidewalk": (1, (244, 35, 232)),
    "parking": (255, (250, 170, 160)),
    "rail track": (255, (230, 150, 140)),
    "building": (2, (70, 70, 70)),
    "wall": (3, (102, 102, 156)),
    "fence": (4, (190, 153, 153)),
    "guard rail": (255, (180, 165, 180)),
    "bridge": (255, (150, 100, 100)),
    "tunnel": (255, (150, 120, 90)),
    "pole": (5, (153, 153, 153)),
    "polegroup": (255, (153, 153, 153)),
    "traffic light": (6, (250, 170, 30)),
    "traffic sign": (7, (220, 220, 0)),
    "vegetation": (8, (107, 142, 35)),
    "terrain": (9, (152, 251, 152)),
    "sky": (10, (70, 130, 180)),
    "person": (11, (220, 20, 60)),
    "rider": (12, (255, 0, 0)),
    "car": (13, (0, 0, 142)),
    "truck": (14, (0, 0, 70)),
    "bus": (15, (0, 60, 100)),
    "caravan": (255, (0, 0, 90)),
    "trailer": (255, (0, 0, 110)),
    "train": (16, (0, 80, 100)),
    "motorcycle": (17, (0, 0, 230)),
    "bicycle": (18, (119, 11, 32)),
}
"""Classes in the order of their ids, each with its train id and colour (Cordts et al. 2016, the
Cityscapes label definitions)."""
IGNORED = 255
"""Train id of what is not trained on."""
LOOKED_AT, MOST_SHOWN = 8, 64
"""Label images that are looked at, to tell which ids there are, and ids that are told."""


def known_coding(files: Sequence[Path]) -> Coding:
    """Coding of files without names beside them: Cityscapes', by file name or by its colours.

    Raises InputError, which shows the ids or colours found, where they are others.
    """
    if files[0].stem.endswith("_labelIds"):
        return replace(_in_colours(), colours={})
    if files[0].stem.endswith("_labelTrainIds"):
        return _trained()
    found: dict[str, None] = {}
    for path in files[:: max(1, len(files) // LOOKED_AT)]:
        try:
            pixels = next(read_pixels(path))
        except Flaw:
            continue
        if _has_its_colours(pixels):
            return _in_colours()
        found |= _shown(pixels)
    raise InputError(
        f"--classes must name what the labels {files[0]} and so on stand for; found: "
        f"{', '.join(list(found)[:MOST_SHOWN]) or 'nothing that can be read'}"
    )


def _has_its_colours(pixels: Pixels) -> bool:
    if pixels.values.ndim == 2 and pixels.palette is None:
        return False
    try:
        _in_colours().classes(pixels)
    except Flaw:
        return False
    return True


def _in_colours() -> Coding:
    names = tuple(CITYSCAPES)
    colours: dict[Colour, int] = {}
    for i, (_, colour) in enumerate(CITYSCAPES.values()):
        colours.setdefault(colour, i)
    return Coding(names=names, ids={i: i for i in range(len(names))}, colours=colours)


def _trained() -> Coding:
    trained = {name: i for name, (i, _) in CITYSCAPES.items() if i != IGNORED}
    ids = {IGNORED: 0} | {i: i + 1 for i in trained.values()}
    return Coding(names=("unlabeled", *trained), ids=ids, colours={})


def _shown(pixels: Pixels) -> dict[str, None]:
    """The ids, or colours, of an image in words."""
    if pixels.values.ndim == 2:
        return dict.fromkeys(str(i) for i in np.unique(pixels.values))
    return dict.fromkeys(str(c.tolist()) for c in np.unique(pixels.values.reshape(-1, 3), axis=0))
