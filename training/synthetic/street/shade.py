"""How open to the sky the ground is, and how lamps light it: a map of the city from above."""

import cv2
import numpy as np
from numpy.typing import NDArray

from .city import City
from .layout import Rectangle

TEXEL = 0.25  # metres


def shade_map(city: City) -> tuple[NDArray[np.uint8], Rectangle]:
    """Map [H, W, 2], south first: openness and lamp light; and the box it covers."""
    x0, y0, x1, y1 = city.plan.bounds
    size = round((y1 - y0) / TEXEL), round((x1 - x0) / TEXEL)
    houses = np.zeros(size, np.float32)
    for a, b, c, d in city.footprints:
        rows = slice(round((b - y0) / TEXEL), round((d - y0) / TEXEL))
        houses[rows, round((a - x0) / TEXEL) : round((c - x0) / TEXEL)] = 1
    near = cv2.GaussianBlur(houses, (0, 0), 0.9 / TEXEL)
    wide = cv2.boxFilter(houses, -1, (round(16 / TEXEL), round(16 / TEXEL)))
    closed = (1 - (1 - 0.55 * near) * (1 - 0.35 * wide)).astype(np.float32)
    for spot in city.spots:
        _splat(
            closed, (spot.x - x0) / TEXEL, (spot.y - y0) / TEXEL, spot.radius / TEXEL, spot.shade
        )
    light = np.zeros(size, np.float32)
    for x, y in city.lamps:
        _splat(light, (x - x0) / TEXEL, (y - y0) / TEXEL, 5.5 / TEXEL, 0.75)
    planes = np.stack([1 - closed, light], -1)
    return np.clip(planes * 255, 0, 255).astype(np.uint8), (x0, y0, x1, y1)


def _splat(field: NDArray[np.float32], x: float, y: float, radius: float, strength: float) -> None:
    """Blend a soft round spot into a field: f becomes 1 - (1 - f) (1 - spot)."""
    reach = int(radius * 2.2) + 1
    low_x, low_y = max(int(x) - reach, 0), max(int(y) - reach, 0)
    part = field[low_y : int(y) + reach + 1, low_x : int(x) + reach + 1]
    rows, columns = np.mgrid[0 : part.shape[0], 0 : part.shape[1]]
    distance = ((columns + low_x - x) ** 2 + (rows + low_y - y) ** 2) / radius**2
    part[:] = 1 - (1 - part) * (1 - strength * np.exp(-distance * 1.2))
