"""Pictures to send where there is no camera: files and a test pattern."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from ..model.errors import InputError

MAX_CLIP_FRAMES = 300


def moving_texture(
    width: int = 640, height: int = 480, frames: int = 60, seed: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Yield, for ever, RGB pictures [H, W, 3] that pan over smooth noise and back."""
    rng = np.random.default_rng(seed)
    size = (width * 5 // 4, height * 5 // 4)
    canvas = np.full((size[1], size[0], 3), 120, np.float32)
    for cells, contrast in ((8, 50), (32, 25), (100, 10)):
        noise = rng.normal(0, contrast, (cells, cells, 3)).astype(np.float32)
        canvas += cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
    picture = np.clip(canvas, 0, 255).astype(np.uint8)
    clip = []
    for i in range(frames):
        y, x = i * height // (4 * frames), i * width // (4 * frames)
        clip.append(np.ascontiguousarray(picture[y : y + height, x : x + width]))
    return itertools.cycle(there_and_back(clip))


def read_clip(
    path: str | Path, width: int = 640, height: int = 480, frames: int = MAX_CLIP_FRAMES
) -> list[NDArray[np.uint8]]:
    """Return a file's first frames forwards and backwards, letterboxed. Raises InputError."""
    try:
        with av.open(str(path)) as container:
            pictures = itertools.islice(container.decode(video=0), frames)
            clip = [letterbox(p.to_ndarray(format="rgb24"), width, height) for p in pictures]
    except (FFmpegError, OSError, IndexError) as error:
        raise InputError(f"{path} cannot be read as a video: {error}") from error
    if not clip:
        raise InputError(f"{path} holds no picture")
    return there_and_back(clip)


def there_and_back(clip: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Return a clip forwards and backwards, so that it loops without a jump."""
    return [*clip, *clip[-2:0:-1]]


def letterbox(rgb: NDArray[np.generic], width: int, height: int) -> NDArray[np.uint8]:
    """Scale [h, w, 3] into [H, W, 3] with its proportions kept, black around it."""
    h, w = rgb.shape[:2]
    scale = min(width / w, height / h)
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    scaled = cv2.resize(rgb.astype(np.uint8, copy=False), size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    y, x = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[y : y + size[1], x : x + size[0]] = scaled
    return canvas
