"""One long stream in one process: does memory grow, does the picture drift?"""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.live import LiveModel, Request
from .bench import resident_mb
from .conditions import CLIP_FRAMES, clip, observed

LOOPS = 3
"""The first fills caches, the second is remembered, the last is compared with it."""
ALIKE_DB = 99.0


def bench_soak(
    model: LiveModel, video: str | Path, seconds: float = 20.0, frames: int = CLIP_FRAMES
) -> dict[str, Any]:
    """Paint a clip's first frames back and forth for `seconds`, and at least three times.

    The conditions are the same in every loop, so the pictures should be too. Returns frames,
    loops, rss_growth_mb since the second loop, and of the last loop against the second: drift_db
    (PSNR; 99 when alike), worst_db of any frame, and mean_change [0..255].
    """
    seen = observed(model, clip(video, frames))
    style = model.style(0)
    early = np.zeros((len(seen), model.height, model.width, 3), np.uint8)
    late = np.ones_like(early)
    model.reset(0)
    memory, loops = 0.0, 0
    started = time.monotonic()
    while loops < LOOPS or time.monotonic() - started < seconds:
        kept = early if loops < 2 else late
        for phase, moment in enumerate(seen):
            request = Request(slot=0, seen=moment, style=style)
            kept[phase] = model.step([request])[0].rgb
        loops += 1
        if loops == 2:
            memory = resident_mb(os.getpid())
    elapsed = time.monotonic() - started
    return {
        "model": model.name,
        "runtime": model.runtime,
        "seconds": round(elapsed, 1),
        "frames": loops * len(seen),
        "loops": loops,
        "fps": round(loops * len(seen) / elapsed, 1),
        "rss_growth_mb": round(resident_mb(os.getpid()) - memory, 1),
        **compare(early, late),
    }


def compare(early: NDArray[np.uint8], late: NDArray[np.uint8]) -> dict[str, float]:
    """PSNR [dB] over all pictures [T, H, W, 3] and of the worst, and the mean change [0..255]."""
    squares, changes = [], []
    for a, b in zip(early, late, strict=True):
        difference = a.astype(np.float32) - b
        squares.append(float((difference**2).mean()))
        changes.append(float(np.abs(difference).mean()))
    return {
        "drift_db": psnr(float(np.mean(squares))),
        "worst_db": psnr(max(squares)),
        "mean_change": round(float(np.mean(changes)), 3),
    }


def psnr(square: float) -> float:
    """PSNR [dB] of a mean squared error of 0..255 pictures."""
    return round(min(ALIKE_DB, float(20 * np.log10(255) - 10 * np.log10(square + 1e-12))), 2)
