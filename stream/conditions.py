"""What a model's conditioner makes of a clip, or of labels that move: for what needs no camera."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from ..model.condition import Observation, Planes
from ..model.live import LiveModel
from .sources import read_clip

FPS = 30
CLIP_FRAMES = 45
"""Of a clip; a loop is these there and back."""
BLOCK, AROUND = 16, 16
"""Pixels of a synthetic block of labels, and frames in which all pass by once."""


def conditions(model: LiveModel, video: str | Path) -> list[Observation]:
    """What the model's conditioner makes of a clip, or of labels; played in a loop, it moves on."""
    return observed(model, passing(model) if model.classes else clip(video))


def observed(model: LiveModel, frames: Iterable[Planes]) -> list[Observation]:
    """What a new conditioner makes of frames, played once."""
    with closing(model.conditioner(mirror=False)) as conditioner:
        return [conditioner.observe(frame, t / FPS) for t, frame in enumerate(frames)]


def clip(video: str | Path, frames: int = CLIP_FRAMES) -> Iterator[Planes]:
    """Yield the first frames of a video, there and back."""
    for picture in read_clip(video, frames=frames):
        yield {"rgb": picture}


def passing(model: LiveModel) -> Iterator[Planes]:
    """Yield planes of blocks that pass by to the left, with their motion."""
    rng = np.random.default_rng(0)
    grid = model.height // BLOCK, model.width // BLOCK
    step = model.width // AROUND
    blocks = {
        "label": rng.integers(len(model.classes), size=grid).astype(np.uint8),
        "instance": np.arange(1, 1 + grid[0] * grid[1], dtype=np.uint32).reshape(grid),
        "depth": rng.uniform(2, 100, grid).astype(np.float32),
    }
    planes = {name: plane.repeat(BLOCK, 0).repeat(BLOCK, 1) for name, plane in blocks.items()}
    motion = np.zeros((2, model.height, model.width), np.float32)
    motion[0] = step
    for t in range(AROUND):
        rolled = {name: np.roll(plane, -t * step, 1) for name, plane in planes.items()}
        yield {**rolled, "motion": motion}
