"""Tileable surfaces made of noise and patterns, baked once for all cities.

Each layer is uint8 [SIZE, SIZE, 4]: brightness (128 is 1), a mask (mortar, patches, holes between
leaves), and the slope of the surface along both axes (128 is flat).
"""

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = 512
Array = NDArray[np.floating[Any]]
Layer = tuple[Array, Array, Array]  # brightness (mean 1), mask, height; [SIZE, SIZE]
_rows, _columns = np.mgrid[0:SIZE, 0:SIZE] / SIZE


def noise(rng: np.random.Generator, slope: float, low: float = 0.0, stretch: float = 1.0) -> Array:
    """Tileable noise of zero mean and unit variance: spectrum 1/f^slope above a frequency.

    `stretch` makes its grain so many times longer upwards than across.
    """
    wave = np.fft.rfft2(rng.normal(size=(SIZE, SIZE)))
    along = np.fft.fftfreq(SIZE)[:, None] * SIZE * stretch
    across = np.fft.rfftfreq(SIZE)[None] * SIZE
    frequency = np.hypot(along, across)
    scale = np.where(frequency > low, np.maximum(frequency, 1) ** -slope, 0)
    scale[0, 0] = 0
    field = np.fft.irfft2(wave * scale, s=(SIZE, SIZE))
    return field / field.std()


def _pattern(
    rows: int, columns: int, joint: float, shift: float
) -> tuple[Array, NDArray[np.int64]]:
    """Courses of bricks or slabs: 0 in the joints, 1 on the stones; and the stones' numbers."""
    course = np.floor(_rows * rows)
    x = _columns * columns + course * shift
    number = (course * 1009 + np.floor(x) % columns).astype(np.int64)
    dx = np.minimum(x % 1, 1 - x % 1) / columns
    y = _rows * rows
    dy = np.minimum(y % 1, 1 - y % 1) / rows
    return np.clip(np.minimum(dx, dy) / joint - 0.5, 0, 1), number


def _each(rng: np.random.Generator, number: NDArray[np.int64], spread: float) -> Array:
    values = rng.normal(1, spread, 4096)
    return values[number % 4096]


def _asphalt(rng: np.random.Generator) -> Layer:
    grain = noise(rng, 0.15, 30)
    stones = np.clip(noise(rng, 0.3, 60) - 1.4, 0, 2)
    patches = np.zeros((SIZE, SIZE))
    for _ in range(3):
        x, y, w, h = rng.integers(40, 360, 4)
        cv2.rectangle(patches, (int(x), int(y)), (int(x + w // 3), int(y + h // 4)), 1.0, -1)
    cracks = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(5):
        place = rng.uniform(0, SIZE, 2)
        angle = rng.uniform(0, 2 * np.pi)
        walk = [place]
        for _ in range(45):
            angle += rng.normal(0, 0.35)
            walk.append(walk[-1] + 5 * np.array([np.cos(angle), np.sin(angle)]))
        for dx in (-SIZE, 0, SIZE):
            for dy in (-SIZE, 0, SIZE):
                points = (np.array(walk) + np.array([dx, dy])).astype(np.int32)
                cv2.polylines(cracks, [points], False, 1.0, 1, cv2.LINE_AA)
    cracks = cv2.GaussianBlur(cracks, (0, 0), 0.7).astype(float)
    light = (
        1 + 0.10 * grain + 0.30 * stones + 0.05 * noise(rng, 1.4) - 0.13 * patches - 0.45 * cracks
    )
    return light, patches, 0.5 * grain + stones - 3 * cracks


def _cobbles(rng: np.random.Generator) -> Layer:
    """Stones are the cells around jittered seeds; gaps lie where two seeds are equally near."""
    count = 18
    jitter = rng.uniform(-0.17, 0.17, (count, count, 2))
    places = np.stack([_rows, _columns], -1) * count
    row = np.floor(places[..., 0]).astype(np.int64)
    first = np.full((SIZE, SIZE), 9.0)
    second, number = first.copy(), np.zeros((SIZE, SIZE), np.int64)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            i = row + down
            shift = 0.5 * (i % 2)
            j = np.floor(places[..., 1] - shift).astype(np.int64) + across
            seed = np.stack([i + 0.5, j + 0.5 + shift], -1) + jitter[i % count, j % count]
            distance = np.linalg.norm(places - seed, axis=-1)
            closer = distance < first
            second = np.where(closer, first, np.minimum(second, distance))
            number = np.where(closer, i % count * count + j % count, number)
            first = np.minimum(first, distance)
    gap = (second - first) / 2
    stone = np.clip(gap / 0.10, 0, 1)
    dome = np.sqrt(np.clip(gap / 0.42, 0, 1))
    light = (0.42 + 0.62 * stone) * _each(rng, number, 0.12)
    return light * (1 + 0.06 * noise(rng, 0.4, 20)), 1 - stone, 7 * dome


def _paving(rng: np.random.Generator) -> Layer:
    flat, number = _pattern(6, 4, 0.006, 0.5)
    light = (0.68 + 0.32 * flat) * _each(rng, number, 0.055) * (1 + 0.05 * noise(rng, 0.4, 10))
    return light * (1 + 0.05 * noise(rng, 1.2)), 1 - flat, 1.5 * flat


def _plaster(rng: np.random.Generator) -> Layer:
    rough = noise(rng, 0.5, 20)
    light = 1 + 0.025 * rough + 0.035 * noise(rng, 1.5) + 0.025 * noise(rng, 1.0, stretch=12)
    return light, np.clip(noise(rng, 1.3) - 1.2, 0, 1), 0.35 * rough


def _bricks(rng: np.random.Generator) -> Layer:
    flat, number = _pattern(26, 8, 0.0052, 0.5)
    light = (
        _each(rng, number, 0.14) * (1 + 0.07 * noise(rng, 0.4, 10)) * (1 + 0.05 * noise(rng, 1.4))
    )
    return light, 1 - flat, 2.0 * flat + 0.2 * noise(rng, 0.4, 20)


def _stone(rng: np.random.Generator) -> Layer:
    light = 1 + 0.04 * noise(rng, 0.4, 10) + 0.05 * noise(rng, 1.3)
    return light, np.zeros((SIZE, SIZE)), 0.4 * noise(rng, 0.6, 15)


def _tiles(rng: np.random.Generator) -> Layer:
    rows = 10
    course, number = _rows * rows % 1, (np.floor(_rows * rows) * 97).astype(np.int64)
    x = _columns * 14 + 0.5 * (np.floor(_rows * rows) % 2)
    number = number + np.floor(x).astype(np.int64) % 14
    wave = np.abs(np.sin(np.pi * x))
    light = _each(rng, number, 0.11) * (0.72 + 0.33 * course**0.5) * (0.75 + 0.25 * wave)
    return light * (1 + 0.05 * noise(rng, 1.0)), 1 - wave, 3 * wave + 2 * course


def _grass(rng: np.random.Generator) -> Layer:
    blades = np.zeros((SIZE, SIZE), np.float32)
    for _ in range(9000):
        x, y = rng.integers(0, SIZE, 2)
        dx, dy = rng.normal(0, 7, 2)
        shade = float(rng.uniform(0.3, 1.6))
        cv2.line(blades, (int(x), int(y)), (int(x + dx), int(y + dy)), shade, 1)
    light = 0.35 + 0.68 * blades + 0.08 * noise(rng, 1.2)
    return light, np.clip(0.5 + 0.35 * noise(rng, 1.5), 0, 1), 1.2 * blades


def _leaves(rng: np.random.Generator) -> Layer:
    """Leaves on clear ground: each quarter of the tile is a card of its own, empty at its rim."""
    light = np.zeros((SIZE, SIZE), np.float32)
    mask = np.zeros((SIZE, SIZE), np.float32)
    half = SIZE // 2
    for quarter in range(4):
        corner = np.array([quarter % 2, quarter // 2]) * half
        lobes = rng.uniform(0.65, 1.25, 9)
        for _ in range(260):
            angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1) ** 0.62
            reach = lobes[int(angle / 2 / np.pi * 9) % 9] * (half * 0.36)
            place = corner + half / 2 + radius * reach * np.array([np.cos(angle), np.sin(angle)])
            size = (int(rng.integers(8, 13)), int(rng.integers(4, 6)))
            spot = (int(place[0]), int(place[1]))
            turn = float(rng.uniform(0, 360))
            shade = float(rng.uniform(0.25, 1.6)) * (0.75 + 0.3 * radius)
            cv2.ellipse(light, spot, size, turn, 0, 360, shade, -1)
            cv2.ellipse(mask, spot, size, turn, 0, 360, 1.0, -1, cv2.LINE_AA)
    bleed = cv2.GaussianBlur(light, (0, 0), 6) / np.maximum(cv2.GaussianBlur(mask, (0, 0), 6), 0.05)
    light = np.where(mask > 0.3, light, bleed)
    return light.astype(float), mask.astype(float), 1.2 * light.astype(float)


def _foliage(rng: np.random.Generator) -> Layer:
    light = np.full((SIZE, SIZE), 0.35, np.float32)
    for _ in range(2600):
        spot = (int(rng.integers(0, SIZE)), int(rng.integers(0, SIZE)))
        size = (int(rng.integers(8, 13)), int(rng.integers(4, 7)))
        shade = float(rng.uniform(0.4, 1.5))
        cv2.ellipse(light, spot, size, float(rng.uniform(0, 360)), 0, 360, shade, -1)
    return light.astype(float), np.zeros((SIZE, SIZE)), 1.5 * light.astype(float)


def _wood(rng: np.random.Generator) -> Layer:
    lines = noise(rng, 0.7, stretch=20)
    return 1 + 0.14 * lines + 0.05 * noise(rng, 1), np.zeros((SIZE, SIZE)), lines


def _pickets(rng: np.random.Generator) -> Layer:
    """A fence seen from the front; the tile is 1.1 m high."""
    slats = (np.abs(_columns * 8 % 1 - 0.5) < 0.34) & (_rows < 0.97)
    rails = (np.abs(_rows - 0.25) < 0.045) | (np.abs(_rows - 0.75) < 0.045)
    light = np.where(slats, 1.0, 0.72) * _wood(rng)[0]
    return light, (slats | rails).astype(float), 1.5 * slats


def _bars(rng: np.random.Generator) -> Layer:
    """A railing seen from the front; the tile is 0.95 m high."""
    bars = np.abs(_columns * 9 % 1 - 0.5) < 0.14
    rails = (_rows > 0.93) | (np.abs(_rows - 0.1) < 0.025)
    flat = 1 + 0.02 * noise(rng, 1)
    return flat, (bars | rails).astype(float), np.zeros((SIZE, SIZE))


def _clouds(rng: np.random.Generator) -> Layer:
    """Large noise for stains, puddles and clouds: three fields, the last two as slopes."""
    return 1 + 0.35 * noise(rng, 1.5), 0.5 + 0.2 * noise(rng, 1.7), noise(rng, 1.6)


LAYERS = (
    _asphalt,
    _cobbles,
    _paving,
    _plaster,
    _bricks,
    _stone,
    _tiles,
    _grass,
    _leaves,
    _foliage,
    _wood,
    _pickets,
    _bars,
    _clouds,
)
NAMES = tuple(layer.__name__[1:] for layer in LAYERS)


@cache
def bake() -> NDArray[np.uint8]:
    """All layers, uint8 [L, SIZE, SIZE, 4]."""
    baked = np.empty((len(LAYERS), SIZE, SIZE, 4), np.uint8)
    for index, layer in enumerate(LAYERS):
        light, mask, height = layer(np.random.default_rng((5, index)))
        dx = np.roll(height, -1, 1) - np.roll(height, 1, 1)
        dy = np.roll(height, -1, 0) - np.roll(height, 1, 0)
        planes = (light * 0.5, mask, 0.5 - dx * 0.12, 0.5 - dy * 0.12)
        baked[index] = np.clip(np.stack(planes, -1) * 255, 0, 255).astype(np.uint8)
    return baked
