"""The physical floor of a step: its work and traffic, over what this machine can do at most."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ..generator import Painter
from .graph import Flat, StepGraph

SIZES = (512, 1024, 2048, 4096, 8192)
"""Sides of the matrices that are multiplied, as far as the time allows."""
COPIED = 128 * 2**20
"""Bytes that are copied: more than caches hold."""
PRODUCTS = {
    torch.ops.aten.convolution,
    torch.ops.aten.mm,
    torch.ops.aten.addmm,
    torch.ops.aten.bmm,
    torch.ops.aten.baddbmm,
}
"""What convolutions and linear layers come down to."""


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """What a device reaches in a precision: FLOP/s of a matrix product, bytes/s of a copy."""

    precision: torch.dtype
    flops: float
    bandwidth: float


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one step of a whole batch needs.

    flop: 2 x multiply-adds of its convolutions and matrix products. values: the numbers that must
    pass through memory: the inputs, weights and outputs of each of these, and the input of each
    norm. What lies between them (activations, shuffles, warps) counts as free.
    """

    flop: int
    values: int

    def floor_ms(self, ceiling: Ceiling) -> float:
        """max(flop / FLOP/s, bytes / bytes/s): the "roofline" of Williams et al., CACM 2009.

        A runtime that keeps a layer's output in caches, or fuses two convolutions, may go below
        where bytes decide.
        """
        moved = self.values * ceiling.precision.itemsize
        return 1e3 * max(self.flop / ceiling.flops, moved / ceiling.bandwidth)


@torch.no_grad()
def cost(generator: Painter, batch: int = 1) -> Cost:
    """Count a step by tracing it without data."""
    graph = StepGraph(generator, batch, device=torch.device("meta"))
    with FlopCounterMode(display=False) as work, _Traffic() as traffic:
        Flat(graph.generator)(*graph.inputs)
    return Cost(flop=work.get_total_flops(), values=traffic.values)


class _Traffic(TorchDispatchMode):
    """Sums the sizes of what products and norms read and write, see `Cost`."""

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        if packet in PRODUCTS:
            self.values += sum(x.numel() for x in (*args, result) if isinstance(x, Tensor))
        elif packet.__name__.startswith(("native_", "_native_")) and "norm" in packet.__name__:
            self.values += args[0].numel()
        return result


class Ceilings:
    """What a device reaches, in any precision and number of threads: the most that was seen.

    Nothing makes a device too fast, so that of two measurements the higher is nearer to the truth.
    """

    def __init__(self, device: torch.device, seconds: float = 0.4) -> None:
        """seconds: that each measurement may take."""
        self._device, self._seconds = device, seconds
        self._flops: dict[tuple[torch.dtype, int], float] = {}
        self._bandwidth: dict[int, float] = {}

    def of(self, precision: torch.dtype, threads: int) -> Ceiling:
        """Return what was measured, or measure it now; sets torch's threads."""
        if (precision, threads) not in self._flops:
            self._look(precision, threads)
        return Ceiling(
            precision=precision,
            flops=self._flops[precision, threads],
            bandwidth=self._bandwidth[threads],
        )

    def look_again(self) -> None:
        """Measure everything once more."""
        for precision, threads in list(self._flops):
            self._look(precision, threads)

    def rows(self) -> list[dict[str, Any]]:
        """Return all that was measured: TFLOP/s and GB/s."""
        found = [(self.of(*key), key[1]) for key in self._flops]
        return [
            {
                "precision": str(ceiling.precision).removeprefix("torch."),
                "threads": threads,
                "tflops": round(ceiling.flops / 1e12, 4),
                "gb_s": round(ceiling.bandwidth / 1e9, 2),
            }
            for ceiling, threads in found
        ]

    def _look(self, precision: torch.dtype, threads: int) -> None:
        torch.set_num_threads(threads)
        flops = _flops(self._device, precision, self._seconds)
        bandwidth = _bandwidth(self._device, self._seconds)
        key = precision, threads
        self._flops[key] = max(flops, self._flops.get(key, 0.0))
        self._bandwidth[threads] = max(bandwidth, self._bandwidth.get(threads, 0.0))


def _flops(device: torch.device, precision: torch.dtype, seconds: float) -> float:
    """FLOP/s of the best of ever larger matrix products."""
    best, ends = 0.0, time.monotonic() + seconds
    for size in SIZES:
        one, other = (torch.randn(size, size, device=device).to(precision) for _ in range(2))
        product = torch.empty_like(one)
        with _as_convolutions():
            took = _fastest(lambda a=one, b=other, c=product: torch.mm(a, b, out=c), device, ends)
        best = max(best, 2 * size**3 / took)
        if time.monotonic() + 2 * 8 * took > ends:
            break
    return best


def _bandwidth(device: torch.device, seconds: float) -> float:
    """Bytes/s, read and written, of a copy within the device."""
    here = torch.ones(COPIED, dtype=torch.uint8, device=device)
    there = torch.zeros_like(here)
    return 2 * COPIED / _fastest(lambda: there.copy_(here), device, time.monotonic() + seconds)


def _fastest(run: Callable[[], object], device: torch.device, ends: float) -> float:
    """Seconds of the fastest run in half of the time that is left, after one to warm up."""
    run()
    ends -= max(0.0, ends - time.monotonic()) / 2
    best = _seconds(run, device)
    while time.monotonic() < ends:
        best = min(best, _seconds(run, device))
    return best


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """How long one run takes, on CUDA by the device's own clock."""
    if device.type != "cuda":
        started = time.perf_counter()
        run()
        return time.perf_counter() - started
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    before.record()
    run()
    after.record()
    after.synchronize()
    return before.elapsed_time(after) / 1e3


@contextmanager
def _as_convolutions() -> Iterator[None]:
    """Let matrix products in float32 round as convolutions do: on CUDA to TF32, by default."""
    kept = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = (
        "tf32" if torch.backends.cudnn.allow_tf32 else "ieee"
    )
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = kept
