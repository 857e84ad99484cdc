"""Which runtimes this machine has, and which of them steps a generator best."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import get_args

import torch

from ..errors import ModelError
from ..generator import Painter
from ..info import Progress, Runtime, silent
from .certificate import agreement
from .eager import EagerStepper
from .graph import Flat, StepGraph
from .pool import PooledStepper, batches_for
from .relay import FAILURES, RelayStepper
from .stepper import Stepper
from .verify import check

log = logging.getLogger(__name__)

NAMES = get_args(Runtime)
LARGE = 1024 * 512
"""Pixels of a picture up to which comparing with eager takes seconds."""


def available(device: torch.device | None = None) -> tuple[str, ...]:
    """Return the runtimes that are tried on a device (by default the best there is), best first."""
    if (device or best_device()).type == "cuda":
        from . import tensorrt

        return ("tensorrt", "inductor", "cuda") if tensorrt.builder() else ("inductor", "cuda")
    return "openvino", "eager"


def best_device() -> torch.device:
    """Return the GPU if there is one that PyTorch can use, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def no_gpu() -> str:
    """Say why PyTorch has no GPU here."""
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} is built for the CPU"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error).partition("\n")[0]
    return "PyTorch sees none"


def open_stepper(
    generator: Painter,
    slots: int,
    runtime: str = "auto",
    threads: int | None = None,
    *,
    wait: bool = True,
    progress: Progress = silent,
) -> RelayStepper:
    """Return the fastest runtime that agrees with eager; eager itself when none does.

    A runtime asked for by name that cannot run falls back too; `RuntimeInfo.notes` tell why.
    Without `wait` it starts on the first that is ready, and changes over when a better one has been
    built. Raises ModelError on a name that is none.
    """
    if runtime not in NAMES:
        raise ModelError(f"runtime {runtime!r}: there are {', '.join(NAMES)}")
    wanted = [] if runtime == "auto" else [runtime]
    best = [] if runtime == "eager" else available()
    names = list(dict.fromkeys([*wanted, *best, "eager"]))
    maker = _Maker(generator, slots, threads, progress)
    later = [] if wait else list(_slow(names, maker))
    notes = _notes()
    for name in names:
        if name in later:
            continue
        try:
            stepper = maker.make(name)
        except FAILURES as error:
            notes.append(f"runtime {name} is not used: {error}")
            log.warning("%s", notes[-1])
            continue
        behind = names[names.index(name) + 1 :]
        relay = RelayStepper(stepper, [partial(maker.make, other) for other in behind], notes)
        if later:
            threading.Thread(
                target=_improve, args=(relay, maker, later), name="runtime", daemon=True
            ).start()
        return relay
    raise ModelError(f"no runtime can step this model: {'; '.join(notes)}")


def _notes() -> list[str]:
    """A PyTorch for GPUs that has none (its driver is too old?) should say so."""
    if torch.version.cuda is None or torch.cuda.is_available():
        return []
    return [f"the GPU is not used: {no_gpu()}"]


def _slow(names: list[str], maker: "_Maker") -> Iterator[str]:
    """Runtimes that take minutes to be built, or to be compared with eager."""
    shape = maker.generator.config
    for name in names:
        if name == "tensorrt":
            slow = not maker.is_built()
        elif name.startswith("openvino"):
            slow = shape.width * shape.height > LARGE
        else:
            slow = name == "inductor"
        if slow:
            yield name


def _improve(relay: RelayStepper, maker: "_Maker", names: list[str]) -> None:
    """Build the best of the slow runtimes while the stream goes on."""

    def report(what: str, done: int, of: int) -> None:
        relay.building = f"{what} ({done} of {of})"

    maker.progress = report
    for name in names:
        try:
            relay.offer(maker.make(name))
            break
        except FAILURES as error:
            relay.note(f"runtime {name} is not used: {error}")
    relay.building = ""


class _Maker:
    """Makes steppers of one generator, each checked against eager."""

    def __init__(
        self, generator: Painter, slots: int, threads: int | None, progress: Progress
    ) -> None:
        self.generator, self.slots, self.threads = generator, slots, threads
        self.progress = progress

    def make(self, name: str) -> Stepper:
        """Open a runtime. Raises one of FAILURES."""
        started = time.perf_counter()
        stepper = self._open(name)
        stepper.info.runtime = stepper.name
        stepper.info.opened_s = round(time.perf_counter() - started, 2)
        if name == "eager":
            return stepper
        self.progress(f"{name}: comparing with eager", 0, 1)
        deviation = agreement(self.generator, stepper)
        try:
            check(name, deviation)
        except ModelError as error:
            stepper.close()
            self._refuse(name, str(error))
            raise
        stepper.info.agreement = deviation.rounded()
        log.info("runtime %s, %s", stepper.name, deviation)
        return stepper

    def is_built(self) -> bool:
        """Whether TensorRT's engines of an earlier start can be taken."""
        from . import tensorrt

        return all(tensorrt.is_built(graph) for graph in self._graphs)

    def _refuse(self, name: str, reason: str) -> None:
        """What is kept and strays is not tried again."""
        if name == "tensorrt":
            from . import tensorrt

            for graph in self._graphs:
                tensorrt.refuse(graph, reason)

    @cached_property
    def _graphs(self) -> list[StepGraph]:
        """On the best device, one for each batch size; the first is of one slot."""
        device = best_device()
        half = torch.float16 if device.type == "cuda" else torch.float32
        graph = StepGraph(self.generator, 1, half, device)
        return [graph.resized(size) for size in batches_for(self.slots)]

    def _open(self, name: str) -> Stepper:
        if name == "eager":
            return EagerStepper(self.generator, self.slots, self.threads)
        backend, _, precision = name.partition("-")
        if backend == "openvino":
            from .openvino import OpenVinoStepper

            return OpenVinoStepper(self.generator, self.slots, self.threads, precision or None)
        if backend != "inductor" and not torch.cuda.is_available():
            raise ModelError(f"there is no GPU to use: {no_gpu()}")
        return self._pooled(backend)

    def _pooled(self, backend: str) -> Stepper:
        """Open a runtime of the kind that keeps its states in the memory of a device."""
        engines = {}
        for done, graph in enumerate(self._graphs):
            what = f"{backend}: building for a batch of {graph.batch}"
            self.progress(what, done, len(self._graphs))
            engines[graph.batch] = _engine(backend, graph)
        return PooledStepper(backend, self._graphs[0], engines, self.slots)


def _engine(backend: str, graph: StepGraph) -> Callable[..., tuple[torch.Tensor, ...]]:
    if backend == "tensorrt":
        from . import tensorrt

        return tensorrt.open_engine(graph)
    flat = Flat(graph.generator)
    flat.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if backend == "inductor":
        return torch.compile(flat, dynamic=False)
    return flat
