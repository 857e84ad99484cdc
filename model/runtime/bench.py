"""How fast each runtime steps a model: against what is possible, and how far it strays."""

import gc
import os
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..config import PRESETS, GeneratorConfig
from ..generator import Painter
from ..package import bundled_models, load
from ..pyramid import build
from . import NAMES, StepInput, Stepper, available, best_device, open_stepper
from .floor import Ceiling, Ceilings, Cost, cost
from .graph import StepGraph, noise_planes

ALL = "all"
"""In place of a model: the bundled ones, and the presets with random weights."""
BATCHES = (1, 4, 16)
LOADING, LAST = 0.6, 0.95
"""Shares of the time when the last runtime is opened, and when the last step is taken."""
FIRST_S = {"inductor": 15.0, "tensorrt": 60.0}
"""What opening a runtime is expected to take, seconds, before one was opened."""
SLOWEST_S = 2.0
"""Steps that take longer are not measured."""
TURN_S = 0.1
PRECISIONS = {
    **dict.fromkeys(("float32", "f32"), torch.float32),
    **dict.fromkeys(("bfloat16", "bf16", "int8"), torch.bfloat16),
    **dict.fromkeys(("float16", "f16"), torch.float16),
}
STATM = Path("/proc/self/statm")

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row to be: a model in a runtime, for so many slots, on so many threads."""

    model: str
    generator: Painter
    runtime: str
    batch: int
    threads: int

    @property
    def label(self) -> Row:
        """What tells its row from others."""
        shape = self.generator.config
        return {
            "preset": self.model,
            "width": shape.width,
            "height": shape.height,
            "runtime": self.runtime,
            "batch": self.batch,
            "threads": self.threads,
        }

    @property
    def turn(self) -> StepInput:
        """Random conditions, all slots due."""
        _, style, motion, *_ = StepGraph(self.generator, self.batch).inputs
        planes = noise_planes(self.generator.config, self.batch)
        style[:, 0] = 1
        due = torch.ones(self.batch, dtype=torch.bool)
        return StepInput(condition=planes, style=style, motion=motion.normal_(), active=due)


@dataclass(kw_only=True)
class Entry:
    """An opened case, how long its first steps took, s, and those that count, ms."""

    case: Case
    stepper: Stepper
    turn: StepInput
    cost: Cost
    load_s: float
    open_s: float
    step_s: float
    memory_mb: float
    times: list[float] = field(default_factory=list)

    @property
    def precision(self) -> torch.dtype:
        """What it computes in; of int8 the ceilings of bfloat16 are taken, which it may pass."""
        named = self.stepper.name.partition("-")[2]
        return PRECISIONS[named if named in PRECISIONS else self.stepper.info.precision]

    @property
    def replaced(self) -> str | None:
        """Why another runtime steps than was asked for, if so."""
        name, info = self.stepper.name, self.stepper.info
        if name.startswith(self.case.runtime):
            return None
        return "; ".join(info.notes) or f"{name} is what runs"

    @property
    def turn_s(self) -> float:
        """How long a turn takes."""
        return TURN_S + 2e-3 * max(self.times)

    def take_turn(self) -> None:
        """Step for a while; the first step is not counted, as caches are another entry's."""
        torch.set_num_threads(self.case.threads)
        _step_s(self.stepper, self.turn)
        ends = time.monotonic() + TURN_S
        while True:
            self.times.append(1e3 * _step_s(self.stepper, self.turn))
            if time.monotonic() > ends:
                break

    def row(self, ceiling: Ceiling) -> Row:
        """Its figures, see `bench_runtime`."""
        p50, p95, p99 = (float(np.percentile(self.times, q)) for q in (50, 95, 99))
        floor_ms = self.cost.floor_ms(ceiling)
        agreement = self.stepper.info.agreement
        return {
            **self.case.label,
            "runtime": self.stepper.name,
            "steps": len(self.times),
            "p50_ms": round(p50, 3),
            "p95_ms": round(p95, 3),
            "p99_ms": round(p99, 3),
            "fps": round(1e3 * self.case.batch * len(self.times) / sum(self.times), 1),
            "gflop": round(self.cost.flop / 1e9, 3),
            "floor_ms": round(floor_ms, 4),
            "floor_share": round(floor_ms / p50, 4),
            "single_db": _short(agreement.get("single")),
            "rollout_db": _short(agreement.get("rollout")),
            "load_s": round(self.load_s, 2),
            "memory_mb": self.memory_mb,
        }


def bench_runtime(name: str, seconds: float = 40.0) -> Row:
    """Time a model's steps, or all models' (`ALL`), in about `seconds`; loading counts too.

    Steps are taken in turns, so that a noisy machine is noisy for all. Returns rows of preset,
    width, height, runtime, batch, threads; steps timed; p50_ms, p95_ms, p99_ms of a step of the
    whole batch, conditions in, 8-bit pictures out; fps, of all slots together; gflop, floor_ms of
    such a step, and floor_share, what part of p50_ms that is (`Cost.floor_ms`); single_db,
    rollout_db, agreement with eager in dB PSNR of one step and of the worst frame of a roll-out
    (None: eager itself); load_s and memory_mb that opening it took (of the GPU where it runs on
    one; on a CPU counted under Linux only). Also returns the ceilings that floors were taken from,
    and what was skipped, and why.
    """
    with closing(Bench(seconds)) as bench:
        for case in cases(name, torch.get_num_threads()):
            bench.open(case)
        bench.measure()
        figures = bench.figures()
    gpu = torch.cuda.get_device_name() if best_device().type == "cuda" else None
    return {
        "model": name,
        "cpus": os.cpu_count(),
        "gpu": gpu,
        "torch": torch.__version__,
        "seconds": round(time.monotonic() - bench.began, 1),
        **figures,
    }


def cases(name: str, threads: int) -> list[Case]:
    """What to measure, in order: on a GPU what opens quickly first, on a CPU the bundled models."""
    cuda = best_device().type == "cuda"
    counts = (threads,) if cuda or name == ALL else tuple(sorted({1, min(2, threads)}))
    batches, runtimes = BATCHES if cuda else (1,), _runtimes()
    found = [
        Case(model=model, generator=generator, runtime=runtime, batch=batch, threads=count)
        for (model, generator), runtime, batch, count in product(
            _models(name), runtimes, batches, counts
        )
    ]
    if cuda:
        found.sort(key=lambda case: (runtimes.index(case.runtime), case.batch))
    return found


def _runtimes() -> list[str]:
    """Names for `open_stepper`; of what has several precisions, each."""
    return [
        name
        for kind in reversed(available())
        for name in ([n for n in NAMES if n.startswith(f"{kind}-")] or [kind])
    ]


def _models(name: str) -> list[tuple[str, Painter]]:
    if name != ALL:
        return [(name, load(name).generator())]
    bundled = {model: load(model) for model in bundled_models()}
    found = [(model, package.generator()) for model, package in bundled.items()]
    shapes = _shapes(bundled["dancer"].card.generator, bundled["street"].card.generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        random = [(preset, build(shape)) for preset, shape in shapes.items()]
    return [*found, *((preset, made.eval().requires_grad_(False)) for preset, made in random)]


def _shapes(pose: GeneratorConfig, labels: GeneratorConfig) -> dict[str, GeneratorConfig]:
    """The presets, with the conditions of a model of poses, the largest with those of labels."""
    shapes = {name: make(pose.condition_channels, pose.styles) for name, make in PRESETS.items()}
    shapes["live"] = replace(shapes["live"], width=512, height=512)
    hd = PRESETS["hd"](labels.condition_channels, labels.styles)
    return {**shapes, "hd": replace(hd, classes=labels.classes)}


class Bench:
    """Opens cases while there is time, then lets them take turns."""

    def __init__(self, seconds: float) -> None:
        self.began = time.monotonic()
        self._opens_until = self.began + LOADING * seconds
        self._ends = self.began + LAST * seconds
        self._device, self._threads = best_device(), torch.get_num_threads()
        self._entries: list[Entry] = []
        self._skipped: list[Row] = []
        self._ceilings = Ceilings(self._device, seconds / 200)
        self._cost = cache(cost)

    def open(self, case: Case) -> None:
        """Open a case, or note why not."""
        torch.set_num_threads(case.threads)
        needs = self._cost(case.generator, case.batch)
        reason = self._too_slow(case, needs)
        if reason is None:
            reason = self._try(case, needs)
        if reason is not None:
            self._skip(case, reason)

    def _skip(self, case: Case, reason: str) -> None:
        self._skipped.append({**case.label, "reason": " ".join(reason.split())})

    def _too_slow(self, case: Case, needs: Cost) -> str | None:
        """Why a case need not even be opened: as far as can be told, from its runtime's last."""
        step_s = needs.floor_ms(self._ceilings.of(torch.float32, case.threads)) / 1e3
        open_s = FIRST_S.get(case.runtime, 0.0)
        last = next((x for x in reversed(self._entries) if x.case.runtime == case.runtime), None)
        if last is not None:
            more = max(needs.flop / last.cost.flop, needs.values / last.cost.values)
            step_s, open_s = more * last.step_s, max(1.0, more) * last.open_s
        if step_s > SLOWEST_S:
            return f"a step may take {step_s:.1f} s"
        left_s = max(0.0, self._opens_until - time.monotonic())
        if self._entries and open_s >= left_s:
            about = f", which may take {open_s:.1f} s" if open_s else ""
            return f"no time is left to open it{about}"
        return None

    def _try(self, case: Case, needs: Cost) -> str | None:
        """Open a case; returns why it cannot be measured."""
        before, started = _memory_mb(self._device), time.monotonic()
        stepper = open_stepper(case.generator, case.batch, case.runtime, case.threads)
        load_s = time.monotonic() - started
        turn = case.turn
        step_s = [_step_s(stepper, turn) for _ in range(2)][-1]
        grown = max(0.0, _memory_mb(self._device) - before)
        entry = Entry(
            case=case,
            stepper=stepper,
            turn=turn,
            cost=needs,
            load_s=load_s,
            open_s=time.monotonic() - started,
            step_s=step_s,
            memory_mb=round(grown, 1),
        )
        reason = entry.replaced
        if reason is None and step_s > SLOWEST_S:
            reason = f"a step takes {step_s:.1f} s"
        if reason is not None:
            stepper.close()
            return reason
        self._ceilings.of(entry.precision, case.threads)
        self._entries.append(entry)
        return None

    def measure(self) -> None:
        """Take turns until the time is up, at least one each; then look at the ceilings again."""
        due = list(self._entries)
        while due:
            for entry in list(due):
                if entry.times and time.monotonic() + entry.turn_s > self._ends:
                    due.remove(entry)
                else:
                    entry.take_turn()
        self._ceilings.look_again()

    def figures(self) -> Row:
        """What was measured and what was not."""
        rows = []
        for entry in self._entries:
            if entry.replaced is None:
                rows.append(entry.row(self._ceilings.of(entry.precision, entry.case.threads)))
            else:
                self._skip(entry.case, entry.replaced)
        return {"ceilings": self._ceilings.rows(), "rows": rows, "skipped": self._skipped}

    def close(self) -> None:
        """Give back what all of them hold."""
        torch.set_num_threads(self._threads)
        for entry in self._entries:
            entry.stepper.close()


def _short(decibels: float | None) -> float | None:
    return None if decibels is None else round(decibels, 1)


def _step_s(stepper: Stepper, turn: StepInput) -> float:
    """Paint one frame of all slots; returns seconds until the pictures are on the CPU."""
    started = time.perf_counter()
    stepper.paint(turn)
    return time.perf_counter() - started


def _memory_mb(device: torch.device) -> float:
    """Memory in use: of a GPU, by everybody; on a CPU, by this process (0 where Linux is not)."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.empty_cache()
        free, total = torch.cuda.mem_get_info(device)
        return (total - free) / 2**20
    if not STATM.is_file():
        return 0.0
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
