"""How fast models train here, and whether the loader keeps up."""

import resource
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .config import TrainConfig, dancer
from .data import DataSet, open_data
from .distributed import pick_device
from .loader import suitable_workers
from .loop import Trainer
from .streams import Streams
from .synthetic.clips import synth_actor

SHAPES = ("nano", "live")


def bench_train(
    seconds: float = 20.0,
    device: str | None = None,
    workers: int | None = None,
    strides: tuple[int, ...] = (1,),
) -> dict[str, Any]:
    """Train each preset of the generator with the dancer's settings, critics included.

    Returns rows of preset, steps and frames per second, loading: the loader's share of the time,
    and peak_mb: of GPU memory, on the CPU of the process so far.
    """
    with tempfile.TemporaryDirectory() as folder:
        synth_actor(Path(folder), 2, 2.0, seed=0, detect_share=0, styles=(0,))
        found = open_data(Path(folder))
        picked = pick_device(device)
        config = replace(
            dancer(),
            adversarial_from=0.0,
            rollout_from=1.0,
            strides=strides,
            device=picked,
            workers=suitable_workers(picked) if workers is None else workers,
        )
        rows = [
            _time(found, replace(config, preset=preset), seconds / len(SHAPES)) for preset in SHAPES
        ]
    return {
        "device": config.device,
        "threads": config.threads,
        "workers": config.workers,
        "strides": list(config.strides),
        "batch": config.batch,
        "window": f"{config.crop}x{found.inventory.height}",
        "rows": rows,
    }


def _time(found: DataSet, config: TrainConfig, seconds: float) -> dict[str, Any]:
    streams = Streams(found.clips, len(found.styles), config)
    with closing(Trainer(config, streams, found.domain)) as trainer:
        for _ in trainer.run(2 + 2 * max(config.strides)):
            pass  # until every critic has something to look at
        steps, loading, began = 0, 0.0, time.perf_counter()
        while time.perf_counter() - began < seconds or steps % 2:
            loading += sum(terms["loading"] for terms in trainer.run(1))
            steps += 1
        elapsed = time.perf_counter() - began
    return {
        "preset": config.preset,
        "steps_per_s": round(steps / elapsed, 2),
        "frames_per_s": round(steps * config.batch / elapsed, 1),
        "loading": round(loading / elapsed, 3),
        "peak_mb": _peak_mb(config.device),
    }


def _peak_mb(device: str) -> float:
    if device.startswith("cuda"):
        peak = torch.cuda.max_memory_allocated(device) / 2**20
        torch.cuda.reset_peak_memory_stats(device)
        return round(peak, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
