"""Eight bits for convolutions, for processors without bfloat16: ranges measured on real streams.

Post-training quantisation by NNCF (the int8 extra). What is told to the model comes from outside,
as a `Recorder` heard it; the states between are those of eager roll-outs.
"""

import contextlib
import importlib
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..condition.labels.packing import NO_TINT
from ..config import GeneratorConfig
from ..errors import ModelError
from ..generator import Output, Painter, State
from ..pyramid import EDGES
from .graph import Flat, StepGraph, noise_planes
from .openvino_graph import OpenVinoEngine, convert, keep, key, library
from .stepper import SerialStepper
from .store import Store
from .verify import decibels

ENOUGH = 40.0
"""Least agreement with eager on the streams, dB PSNR of the worst frame: nobody sees less."""
NOISE = 16
"""Frames of noise among the samples: a runtime is compared on such when it is opened."""
BLOCKS = (4, 16, 64)
"""Sides of squares of random labels, px."""


class Told(NamedTuple):
    """A frame as a stepper gets it, batch of one: see `StepInput`."""

    condition: Tensor
    style: Tensor
    motion: Tensor


Stream = Sequence[Told]
"""Frames in a row, of which the first has no past."""


class Recorder(SerialStepper):
    """Paints nothing and remembers what it was told."""

    name = "recorder"

    def __init__(self, generator: Painter) -> None:
        super().__init__(generator, 1)
        self.streams: list[list[Told]] = []
        image, alpha, *_ = StepGraph(generator).outputs
        self._blank = Output(image, alpha)

    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        if not state.valid.any():
            self.streams.append([])
        self.streams[-1].append(Told(condition.clone(), style.clone(), motion.clone()))
        return self._blank, replace(state, valid=torch.ones_like(state.valid))


def calibrate(generator: Painter, streams: Sequence[Stream] = ()) -> dict[str, Any]:
    """Make and keep the int8 graph of a model; returns what is known of it.

    streams: some dozens of frames in several streams and styles, as the model gets them live; noise
    is added, and will do alone for labels. Raises ModelError without NNCF, and where pictures stray
    from eager, which is remembered.
    """
    started = time.perf_counter()
    graph, store = StepGraph(generator), Store()
    known, random = key(graph, "int8"), [noise(generator.config)]
    with store.building(known):
        model = _quantised(graph, [*streams, *random])
        about: dict[str, Any] = {"frames": sum(map(len, streams))}
        about |= _agreement(graph, model, streams or random)
        if about["worst_db"] < ENOUGH:
            reason = f"int8 strays from eager, at least {ENOUGH:.0f} dB are expected: {about}"
            store.quarantine(known, reason)
            raise ModelError(reason)
        about["build_s"] = round(time.perf_counter() - started, 1)
        keep(store, known, model, about)
    return about


def noise(shape: GeneratorConfig, frames: int = NOISE) -> list[Told]:
    """A stream of random conditions and motion, in changing styles."""
    rng = torch.Generator().manual_seed(1)
    stream: list[Told] = []
    for frame in range(frames):
        if shape.classes:
            planes = _blocks(shape, BLOCKS[frame % len(BLOCKS)], rng)
        else:
            planes = noise_planes(shape, 1, rng)
        motion = 4 * torch.randn(1, 2, shape.height // 4, shape.width // 4, generator=rng)
        stream.append(Told(planes, torch.eye(shape.styles)[[frame % shape.styles]], motion))
    return stream


def _blocks(shape: GeneratorConfig, side: int, rng: torch.Generator) -> Tensor:
    """Labels in squares, half of them without a tint, uint8 [1, C, H, W]."""
    channels, height, width = shape.condition_shape
    size = 1, channels, max(1, height // side), max(1, width // side)
    planes = torch.randint(256, size, generator=rng)
    planes[:, 0] %= shape.classes
    planes[:, EDGES] %= 2
    plain = torch.rand(planes[:, :1].shape, generator=rng) < 0.5
    planes[:, EDGES + 1 :] = torch.where(plain, NO_TINT, planes[:, EDGES + 1 :])
    return F.interpolate(planes.float(), size=(height, width)).to(torch.uint8)


@torch.inference_mode()
def _rolled(graph: StepGraph, stream: Stream) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
    """Yield what eager's step takes and the image that it gives, frame by frame."""
    flat, state = Flat(graph.generator), graph.inputs[3:]
    for told in stream:
        inputs = *told, *state
        image, _, *state = flat(*inputs)
        yield inputs, image


def _samples(graph: StepGraph, streams: Iterable[Stream]) -> Iterator[list[Any]]:
    for stream in streams:
        for inputs, _ in _rolled(graph, stream):
            yield [x.contiguous().numpy() for x in inputs]


def _quantised(graph: StepGraph, streams: Sequence[Stream]) -> Any:
    """Quantise the convolutions between the first and the last ones, nothing else."""
    nncf, model = _nncf(), convert(graph)
    ranges = importlib.import_module("nncf.quantization.range_estimator")
    inner = _inner(model)
    others = [_name(op) for op in model.get_ordered_ops() if _computes(op)]
    ignored = [name for name in others if name not in inner]
    with contextlib.redirect_stdout(sys.stderr):
        return nncf.quantize(
            model,
            nncf.Dataset(_samples(graph, streams)),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=sum(map(len, streams)),
            ignored_scope=nncf.IgnoredScope(names=ignored, validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=ranges.RangeEstimatorParametersSet.MINMAX,
                disable_bias_correction=True,
            ),
        )


def _nncf() -> Any:
    library()  # without its telemetry, by which NNCF would report as well
    try:
        nncf = importlib.import_module("nncf")
    except ImportError as error:
        raise ModelError(f"int8 is made by NNCF: pip install 'rotolive[int8]' ({error})") from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


def _inner(model: Any) -> set[str]:
    """Names of convolutions that take what another one made, and do not make an output."""
    behind: set[str] = set()
    ahead: set[str] = set()
    ops = model.get_ordered_ops()
    for op in ops:
        sources = [value.get_node() for value in op.input_values()]
        if any(_convolves(source) or _name(source) in behind for source in sources):
            behind.add(_name(op))
    for op in reversed(ops):
        if op.get_type_name() == "Result" or (_name(op) in ahead and not _convolves(op)):
            ahead |= {_name(value.get_node()) for value in op.input_values()}
    return {_name(op) for op in ops if _convolves(op)} & behind - ahead


def _name(op: Any) -> str:
    return op.get_friendly_name()


def _convolves(op: Any) -> bool:
    return op.get_type_name() == "Convolution"


def _computes(op: Any) -> bool:
    return op.get_type_name() not in ("Parameter", "Constant", "Convert", "Reshape", "Result")


@torch.inference_mode()
def _agreement(graph: StepGraph, model: Any, streams: Iterable[Stream]) -> dict[str, float]:
    """Roll a graph out beside eager, each with its own state: dB PSNR of the worst, and mean."""
    engine, found = OpenVinoEngine(model, graph), []
    for stream in streams:
        state = graph.inputs[3:]
        for told, (_, want) in zip(stream, _rolled(graph, stream), strict=True):
            got, _, *state = engine(*told, *state)
            found.append(decibels((got - want).div(2)))
    return {"worst_db": round(min(found), 1), "mean_db": round(sum(found) / len(found), 1)}
