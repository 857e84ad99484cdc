"""Colours to look at labels by."""

import colorsys
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

KNOWN = {
    "unlabeled": (40, 40, 40),
    "road": (128, 64, 128),
    "lane marking": (230, 230, 230),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "window": (110, 150, 190),
    "door": (150, 100, 60),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "car": (0, 0, 142),
}
"""As Cityscapes has them, where it has them."""


@cache
def palette(classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return a colour for each class, [N, 3]; surfaces of a class are shades of its colour."""
    return np.array([_colour(i, name) for i, name in enumerate(classes)], np.uint8)


def in_colours(label: NDArray[np.uint8], classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Paint ids [H, W] in their classes' colours, [H, W, 3]."""
    return np.asarray(cv2.applyColorMap(np.ascontiguousarray(label), _table(classes)), np.uint8)


@cache
def _table(classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """What OpenCV looks colours up in, [256, 1, 3]; it takes them as they are."""
    table = np.zeros((256, 1, 3), np.uint8)
    table[: len(classes), 0] = palette(classes)
    return table


def _colour(number: int, name: str) -> tuple[int, int, int]:
    base, _, surface = name.partition(":")
    if base not in KNOWN:
        red, green, blue = colorsys.hsv_to_rgb(number * 0.381966 % 1, 0.6, 0.8)
        return round(255 * red), round(255 * green), round(255 * blue)
    red, green, blue = KNOWN[base]
    shift = 25 + 7 * (sum(surface.encode()) % 5) if surface else 0
    return min(255, red + shift), min(255, green + shift // 2), min(255, blue + shift // 3)
