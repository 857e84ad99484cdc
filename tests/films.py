"""Small videos of plain things, for tests that need one."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from rotolive.model.video import TimedPicture, VideoWriter

WIDTH, HEIGHT, FPS, SPEED = 192, 128, 30.0, 2
"""Of a film; SPEED: pixels that its disc moves to the right in a frame."""


def disc(t: int, dark: bool = False) -> NDArray[np.uint8]:
    """A face of sorts, on its way to the right before a wall; dark: at night."""
    wall, face = ((30, 20, 60), (150, 110, 90)) if dark else ((200, 210, 190), (60, 90, 140))
    picture = np.full((HEIGHT, WIDTH, 3), wall, np.uint8)
    x = 50 + SPEED * t % 90
    cv2.circle(picture, (x, 64), 36, face, -1, cv2.LINE_AA)
    for eye in (-14, 14):
        cv2.circle(picture, (x + eye, 52), 6, wall, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (x, 80), (16, 8), 0, 0, 180, wall, 3, cv2.LINE_AA)
    return picture


def write_film(path: Path, lengths: tuple[int, ...], fps: float = FPS) -> Path:
    """Scenes of so many frames each, by day and by night in turns."""
    with VideoWriter(path, WIDTH, HEIGHT, fps) as writer:
        pictures = [disc(t, bool(i % 2)) for i, frames in enumerate(lengths) for t in range(frames)]
        for t, picture in enumerate(pictures):
            writer.write(TimedPicture(rgb=picture, time_s=t / fps))
    return path
