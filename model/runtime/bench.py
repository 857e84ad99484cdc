"""How fast each runtime steps a model, and how far it strays from eager."""

import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ..package import load
from . import StepInput, open_stepper, verify

RUNTIMES = ("eager", "openvino-f32", "openvino-bf16")


def bench_runtime(name: str, seconds: float = 20.0) -> dict[str, Any]:
    """Time single-stream steps, in turns so that a noisy machine is noisy for all.

    Returns rows of runtime, threads, p50_ms, p95_ms, and agreement with eager in dB PSNR (one
    step, and the worst frame of a 16-frame roll-out).
    """
    generator = load(name).generator()
    shape = generator.config
    planes = torch.rand(1, *shape.condition_shape)
    batch = StepInput(
        condition=(planes > 0.97).float(),
        style=torch.eye(shape.styles)[:1],
        motion=torch.randn(1, 2, shape.height // 4, shape.width // 4),
        active=torch.ones(1).bool(),
    )
    steppers = {
        (runtime, threads): open_stepper(generator, 1, runtime, threads)
        for runtime in RUNTIMES
        for threads in (1, 2)
    }
    times: dict[tuple[str, int], list[float]] = {key: [] for key in steppers}
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for key, stepper in steppers.items():
            torch.set_num_threads(key[1])
            for repeat in range(6):
                started = time.perf_counter()
                stepper.step(batch)
                if repeat:
                    times[key].append(1e3 * (time.perf_counter() - started))
    rows = [
        {
            "runtime": stepper.name,
            "threads": key[1],
            "p50_ms": round(float(np.percentile(times[key], 50)), 2),
            "p95_ms": round(float(np.percentile(times[key], 95)), 2),
            **{f"{k}_db": round(v, 1) for k, v in asdict(verify(generator, stepper)).items()},
        }
        for key, stepper in steppers.items()
    ]
    return {"model": name, "seconds": seconds, "rows": rows}
