"""Slots in one device's memory, stepped in static batches; on CUDA each batch is one graph.

The states of all slots lie in pools. A batch gathers its slots' rows, steps them and scatters them
back, all captured in one CUDA graph: any set of slots is served without recording anew, and the
copies cost twice the state's bytes (a microsecond at 256x256, some 30 at 2048x1024).
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ..generator import Output, State
from ..info import RuntimeInfo
from .graph import StepGraph
from .stepper import Painted, StepInput, Stepper, pack

Engine = Callable[..., tuple[Tensor, ...]]
"""What a `Flat` computes, for one batch: (condition, style, motion, *state) -> (image, alpha,
*state). It is called with the same tensors again and again; it must not change them."""

BATCHES = (1, 4, 16)
"""Sizes that are built: a smaller set of slots takes the next larger one."""

WARM_UPS = 3
"""Steps of the spare slot before recording: kernels are chosen and compiled in them."""


def batches_for(slots: int) -> tuple[int, ...]:
    """Return the batch sizes worth building for so many slots."""
    largest = min(slots, BATCHES[-1])
    return (*(size for size in BATCHES if size < largest), largest)


class PooledStepper(Stepper):
    """Runs engines, one for each batch size, over pools of states on a device."""

    def __init__(
        self, name: str, graph: StepGraph, engines: Mapping[int, Engine], slots: int
    ) -> None:
        """graph: of a batch of one, on the device where everything is to happen."""
        self.name, self.slots, self.device = name, slots, graph.device
        self.batch = max(engines)
        self.info = RuntimeInfo(
            runtime=name,
            device=str(self.device),
            precision=str(graph.dtype).removeprefix("torch."),
            batch=self.batch,
        )
        self._spare = slots
        self._shape = graph.generator.config
        self._stream = _Stream(self.device)
        with self._stream, torch.inference_mode():
            self._pools = [
                row.repeat(slots + 1, *[1] * (row.dim() - 1)) for row in graph.inputs[3:]
            ]
            self._valid = self._pools[2]
            self._lanes = {
                size: _Lane(graph, engine, size, self._pools, self._spare, self._stream)
                for size, engine in sorted(engines.items())
            }

    def step(self, batch: StepInput) -> Output:
        shape = self._shape
        image = torch.zeros(self.slots, 3, shape.height, shape.width)
        alpha = torch.zeros(self.slots, 1, shape.height, shape.width)
        for lane, slots in self._run(batch):
            image[slots] = lane.image[: len(slots)].float().cpu()
            alpha[slots] = lane.alpha[: len(slots)].float().cpu()
        return Output(image, alpha)

    def paint(self, batch: StepInput) -> Painted:
        shape = self._shape
        rgb = torch.empty(self.slots, shape.height, shape.width, 3, dtype=torch.uint8)
        alpha = torch.empty(self.slots, shape.height, shape.width, dtype=torch.uint8)
        for lane, slots in self._run(batch):
            rgb[slots] = lane.painted.rgb[: len(slots)]
            alpha[slots] = lane.painted.alpha[: len(slots)]
        return Painted(rgb, alpha)

    def _run(self, batch: StepInput) -> Any:
        """Step the active slots, as many at once as there is a batch for; yields lane and slots."""
        due = batch.active.nonzero().flatten().tolist()
        while due:
            size = next((size for size in self._lanes if size >= len(due)), self.batch)
            now, due = due[:size], due[size:]
            lane = self._lanes[size]
            with torch.inference_mode():
                lane.run(batch, now)
            yield lane, now

    @torch.inference_mode()
    def reset(self, mask: Tensor) -> None:
        slots = mask.nonzero().flatten()
        if len(slots):
            with self._stream:
                self._valid.index_fill_(0, slots.to(self.device), 0.0)

    @torch.inference_mode()
    def snapshot(self, slot: int) -> State:
        with self._stream:
            return State.of(pool[slot : slot + 1].float().cpu().clone() for pool in self._pools)

    @torch.inference_mode()
    def restore(self, slot: int, snapshot: State) -> None:
        with self._stream:
            for pool, row in zip(self._pools, snapshot.tensors, strict=True):
                pool[slot : slot + 1].copy_(row)

    def close(self) -> None:
        self._lanes.clear()
        self._pools.clear()


class _Lane:
    """One batch size: where its inputs are put, its engine, where its pictures come out."""

    def __init__(
        self,
        graph: StepGraph,
        engine: Engine,
        size: int,
        pools: list[Tensor],
        spare: int,
        stream: "_Stream",
    ) -> None:
        self._engine, self._pools, self._stream, self._spare = engine, pools, stream, spare
        told = graph.inputs[:3]
        self._types = [x.dtype for x in told]
        self._inputs = [_wide(x).repeat(size, *[1] * (x.dim() - 1)) for x in told]
        self._index = torch.full((size,), spare, device=graph.device)
        for _ in range(WARM_UPS):
            self._body()
        stream.wait()
        self._replay = stream.record(self._body)
        self.painted = Painted(*(stream.pinned(x) for x in self._packed))

    def run(self, batch: StepInput, slots: list[int]) -> None:
        """Step the slots' rows of a batch; the pictures are there on return."""
        told = batch.condition, batch.style, batch.motion
        rest = [self._spare] * (len(self._index) - len(slots))
        with self._stream:
            self._index.copy_(torch.tensor([*slots, *rest]))
            for row, slot in enumerate(slots):
                for there, here in zip(self._inputs, told, strict=True):
                    there[row].copy_(here[slot], non_blocking=True)
            self._replay()
            for there, here in zip(self._packed, self.painted, strict=True):
                here.copy_(there, non_blocking=True)
        self._stream.wait()

    def _body(self) -> None:
        """What a graph records; everything it writes stays where it is."""
        state = [pool.index_select(0, self._index) for pool in self._pools]
        inputs = [x.to(dtype) for x, dtype in zip(self._inputs, self._types, strict=True)]
        self.image, self.alpha, *state = self._engine(*inputs, *state)
        for pool, rows in zip(self._pools, state, strict=True):
            pool.index_copy_(0, self._index, rows)
        self._packed = pack(self.image, self.alpha)


def _wide(x: Tensor) -> Tensor:
    """Float32 where it is half: precision is changed on the device."""
    return x.float() if x.is_floating_point() else x


class _Stream:
    """A CUDA stream to work on; on a CPU, nothing but the same calls."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"
        self._stream: Any = torch.cuda.Stream(device) if self.cuda else None
        self._context: Any = None

    def __enter__(self) -> None:
        self._context = torch.cuda.stream(self._stream) if self.cuda else nullcontext()
        self._context.__enter__()

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(*error)

    def record(self, body: Callable[[], None]) -> Callable[[], None]:
        """Capture what body enqueues; what is returned enqueues it again."""
        if not self.cuda:
            return body
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            body()
        return graph.replay

    def wait(self) -> None:
        """Wait until everything is done."""
        if self.cuda:
            self._stream.synchronize()

    def pinned(self, like: Tensor) -> Tensor:
        """Memory on the host that the device can write to."""
        return torch.zeros(like.shape, dtype=like.dtype, pin_memory=self.cuda)
