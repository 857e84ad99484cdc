"""What a webcam does to pictures: exposure, blur, noise."""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Pictures = Iterable[NDArray[np.uint8]]


def filmed(pictures: Pictures, rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Pictures [H, W, 3] as one camera of many would see them; a studio is too kind."""
    gamma, blur, noise = rng.uniform(0.6, 1.5), rng.uniform(0.3, 1.2), rng.uniform(0, 8)
    tint = rng.uniform(0.85, 1.0, 3)
    curve = 255 * (np.arange(256) / 255) ** gamma
    for picture in pictures:
        seen = cv2.GaussianBlur(curve[picture] * tint, (0, 0), blur)
        seen += rng.normal(0, noise, seen.shape)
        yield np.clip(seen, 0, 255).astype(np.uint8)
