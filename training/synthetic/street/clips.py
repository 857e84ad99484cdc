"""Training clips of the street, in folders (see `clip_format`)."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from ....model.errors import InputError
from ...clip_format import check_size, save_clip
from ..jobs import run_jobs
from .classes import CLASSES, STYLES
from .renderer import StreetRenderer
from .world import draw_world

FPS = 30.0
_CLIPS_IN_A_CITY = len(STYLES)
Job = tuple[Path, int, float, int, int, int]  # folder, index, seconds, seed, width, height


@lru_cache(maxsize=1)
def _renderer(width: int, height: int) -> StreetRenderer:
    return StreetRenderer(width, height)


def make_clip(path: Path, index: int, seconds: float, seed: int, width: int, height: int) -> None:
    """Render the clip of a number into a new folder; it appears whole or not at all."""
    style = index % len(STYLES)
    city = seed * 1000 + index // _CLIPS_IN_A_CITY
    renderer = _renderer(width, height)
    renderer.enter(draw_world(city, seed * 1000 + index, seconds), style)
    times = np.arange(round(seconds * FPS)) / FPS
    frames = [renderer.render(float(time)) for time in times]
    about = {
        "condition": "labels",
        "style": style,
        "name": STYLES[style],
        "fps": FPS,
        "frames": len(frames),
        "width": width,
        "height": height,
        "source": "street",
        "seed": seed,
        "classes": list(CLASSES),
    }
    save_clip(
        path,
        about,
        rgb=np.stack([frame.rgb for frame in frames]),
        label=np.stack([frame.label for frame in frames]),
        instance=np.stack([frame.instance for frame in frames]),
        depth=np.stack([frame.depth for frame in frames]).astype(np.float16),
        motion=np.stack([frame.motion[:, 2::4, 2::4] for frame in frames]).astype(np.float16),
        times=times,
    )


def synth_street(
    out: Path,
    clips: int,
    seconds: float,
    seed: int,
    width: int = 512,
    height: int = 256,
    workers: int = 1,
) -> None:
    """Make a data set: clips in 00000 and so on, in turns over the styles; finished ones are kept.

    Each clip drives a way of its own; four in a row share a city.
    """
    check_size(width)
    check_size(height)
    if round(seconds * FPS) < 1:
        raise InputError(f"seconds {seconds}: at least a frame, {1 / FPS:.3f}, is accepted")
    out.mkdir(parents=True, exist_ok=True)
    jobs: list[Job] = [
        (out / f"{index:05d}", index, seconds, seed, width, height)
        for index in range(clips)
        if not (out / f"{index:05d}" / "clip.json").exists()
    ]
    run_jobs(make_clip, jobs, clips, workers)
