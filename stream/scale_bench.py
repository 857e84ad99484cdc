"""How many sessions a machine holds: conditions in, pictures out; no cameras, detectors, codecs."""

import math
import os
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..model.condition import Observation
from ..model.live import LiveModel, Picture, Request, open_model
from .conditions import FPS, conditions
from .protocol import Frame
from .renderer import Job, Renderer, Seat
from .stats import percentiles

SLOTS, SLOTS_GPU = 8, 128
"""That a model is opened with: more sessions than these are not tried."""
LEAST_SHARE = 0.98
MOST_AGE_MS = 2e3 / FPS
SETTLE, TAIL = FPS // 2, FPS // 5
"""Frames before and after those that count, so that the load is the same for all of them."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Part of an interval by which each session's frames are later than those of the one before."""
LEAST_S, LEAST_TURNS = 0.5, 5
APART = 7
"""Frames of the loop between two sessions."""
Row = dict[str, Any]


def bench_scale(
    name: str,
    video: str | Path,
    seconds: float = 40.0,
    runtime: str = "auto",
    slots: int | None = None,
) -> Row:
    """Find how many sessions of 30 fps a model serves here, in about `seconds`.

    A number of sessions is held when 98% of their frames are painted and 95% of the pictures are
    younger than two frames; sessions is the largest that was. rows: of each number tried, frames
    per second of the session that got the fewest and of all on average, the share of frames that
    were painted, and ages of pictures, from when their frames were due. one_by_one_*: as many
    sessions, without batches. batch_gain: time of a frame alone over that in a full batch.

    video: somebody who moves; models of labels see blocks that pass by. slots: the most sessions
    to try (8; with a GPU 128).
    """
    began = time.monotonic()
    slots = slots or (SLOTS_GPU if torch.cuda.is_available() else SLOTS)
    model = open_model(name, slots=slots, runtime=runtime)
    seen = conditions(model, video)
    opened = time.monotonic()
    figures = measure(model, seen, max(began + seconds, opened + seconds / 2))
    return {
        "model": model.name,
        "runtime": model.runtime,
        "size": f"{model.width}x{model.height}",
        "cpus": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "seconds": round(time.monotonic() - began, 1),
        **figures,
    }


def measure(model: LiveModel, seen: Sequence[Observation], until: float) -> Row:
    """Search, and compare batches with one by one, until a monotonic time."""
    batch = model.batch
    alone_ms, batch_ms = time_steps(model, seen, (until - time.monotonic()) / 10)
    each_s = _seconds_for_a_try(model.slots, until)
    rows: dict[int, Row] = {}

    def holds(sessions: int) -> bool:
        rows[sessions] = feed(model, seen, sessions, each_s)
        return rows[sessions]["holds"]

    guess = int(0.9e3 / FPS * batch / batch_ms)
    found = search(holds, model.slots, guess, lambda: time.monotonic() + 2 * each_s < until)
    figures = {
        "sessions": found,
        **_named("", rows.get(found)),
        "sessions_most_tried": max(rows),
        "slots": model.slots,
        "batch": batch,
        "step_ms": round(alone_ms, 3),
        "batch_step_ms": round(batch_ms, 3),
        "batch_gain": round(alone_ms * batch / batch_ms, 2),
    }
    tried = [rows[sessions] for sessions in sorted(rows)]
    if batch > 1:
        tried.append(feed(model, seen, max(found, 1), each_s, batch=1))
        figures |= _named("one_by_one_", tried[-1])
    return {**figures, "rows": tried}


def _named(prefix: str, row: Row | None) -> Row:
    keys = ("fps_min", "fps_mean", "share", "p50_ms", "p95_ms")
    return {f"{prefix}{key}": row[key] for key in keys} if row else {}


def time_steps(
    model: LiveModel, seen: Sequence[Observation], seconds: float
) -> tuple[float, float]:
    """Time steps of one slot and of a full batch, in turns. Returns the medians, ms."""
    style, batch = model.style(0), model.batch
    times: dict[int, list[float]] = {count: [] for count in (1, batch)}
    until, turn = time.monotonic() + seconds, 0
    while turn < LEAST_TURNS or time.monotonic() < until:
        turn += 1
        for count, kept in times.items():
            moments = [seen[(turn + APART * slot) % len(seen)] for slot in range(count)]
            requests = [
                Request(slot=slot, seen=moment, style=style, seq=turn)
                for slot, moment in enumerate(moments)
            ]
            began = time.perf_counter()
            model.step(requests)
            kept.append(1e3 * (time.perf_counter() - began))
    alone, full = (float(np.median(times[count][2:])) for count in (1, batch))
    return alone, full


def _seconds_for_a_try(most: int, until: float) -> float:
    """Deal out what is left of the time to as many tries as a search takes, and one more."""
    left = until - time.monotonic()
    return max(LEAST_S, left / (math.log2(most) + 4) - (SETTLE + TAIL) / FPS)


def search(
    holds: Callable[[int], bool], most: int, guess: int, more: Callable[[], bool] = lambda: True
) -> int:
    """Return the largest number up to `most` that holds, 0 when none does.

    The guess is tried first, then its neighbourhood, for as long as there is `more` time.
    """
    low, high = 0, most + 1
    number = min(max(guess, 1), most)
    while True:
        low, high = (number, high) if holds(number) else (low, number)
        if high - low <= 1 or not more():
            return low
        if not low:
            number = max(1, high * 3 // 4)
        elif high > most:
            number = min(most, low + max(1, low // 4))
        else:
            number = (low + high) // 2


def feed(
    model: LiveModel,
    seen: Sequence[Observation],
    sessions: int,
    seconds: float,
    batch: int | None = None,
) -> Row:
    """Feed sessions of a renderer of their own at 30 Hz, out of step, and count what comes back.

    batch: the most to step at once, if fewer than the model can. Raises what the model raises.
    """
    batch = min(batch or model.batch, sessions)
    counted = range(SETTLE, SETTLE + round(seconds * FPS))
    ages: list[dict[int, float]] = [{} for _ in range(sessions)]
    errors: list[Exception] = []
    renderer = Renderer(model, sessions, batch)
    seats = [renderer.acquire(_into(kept), errors.append) for kept in ages]
    try:
        _send(seats, seen, model.style(0), counted.stop + TAIL)
    finally:
        renderer.close(timeout=60)
    if errors:
        raise errors[0]
    return _row(ages, counted, batch)


def _into(ages: dict[int, float]) -> Callable[[Job, Picture], None]:
    def deliver(job: Job, picture: Picture) -> None:
        ages[job.frame.seq] = (time.monotonic_ns() - job.frame.captured_ns) / 1e6

    return deliver


def _send(
    seats: Sequence[Seat], seen: Sequence[Observation], style: NDArray[np.float32], frames: int
) -> None:
    """Put frames into all seats' inboxes, when each is due; who is late does not wait."""
    phases = sorted((place * GOLDEN % 1, place) for place in range(len(seats)))
    begin = time.monotonic_ns()
    for seq in range(frames):
        for phase, place in phases:
            due = begin + int((seq + phase) * 1e9 / FPS)
            time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            frame = Frame(seq=seq, pts=seq, time_base=Fraction(1, FPS), captured_ns=due, planes={})
            moment = seen[(seq + APART * place) % len(seen)]
            seats[place].inbox.put(Job(frame=frame, seen=moment, style=style))


def _row(ages: list[dict[int, float]], counted: range, batch: int) -> Row:
    kept = [[age for seq, age in one.items() if seq in counted] for one in ages]
    every = [age for one in kept for age in one]
    share = len(every) / (len(ages) * len(counted))
    p50, p95 = percentiles(every)
    return {
        "sessions": len(ages),
        "batch": batch,
        "holds": share >= LEAST_SHARE and p95 < MOST_AGE_MS,
        "fps_min": round(min(map(len, kept)) * FPS / len(counted), 2),
        "fps_mean": round(share * FPS, 2),
        "share": round(share, 4),
        "p50_ms": p50,
        "p95_ms": p95,
    }
