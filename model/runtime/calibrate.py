"""Eight bits for convolutions, for processors without bfloat16: ranges measured on real streams.

Post-training quantisation by NNCF (the int8 extra). What is told to the model comes from outside, as
a `Recorder` heard it; the states between are those of eager roll-outs.
"""

import contextlib
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..config import GeneratorConfig
from ..errors import ModelError
from ..generator import Output, Painter, State
from .graph import Flat, StepGraph
from .openvino import OpenVinoStepper
from .openvino_graph import convert, keep, key, library
from .stepper import SerialStepper
from .store import Store

log = logging.getLogger(__name__)

ENOUGH = 40.0
"""Least agreement with eager on the streams, dB PSNR of the worst frame: nobody sees less."""
NOISE = 16
"""Frames of noise among the samples: what a runtime is compared on when it is opened."""


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


def calibrate(generator: Painter, streams: Sequence[Stream]) -> dict[str, Any]:
    """Make and keep the int8 graph of a model; returns what is told of it.

    streams: some dozens of frames in several streams and styles, as the model gets them live; of
    labels none will do. Raises ModelError where its pictures stray from eager, which is remembered,
    and without NNCF.
    """
    started = time.perf_counter()
    graph, store = StepGraph(generator), Store()
    known = key(graph, "int8")
    with store.building(known):
        samples = _samples(graph, chain(streams, [noise(generator.config)]))
        model = _quantised(convert(graph), samples)
        keep(store, known, model)
        about = {"frames": sum(map(len, streams)), **_agreement(generator, streams)}
        if streams and about["worst_db"] < ENOUGH:
            reason = f"int8 strays from eager: {about}, at least {ENOUGH:.0f} dB are expected"
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
        planes = (torch.rand(1, *shape.condition_shape, generator=rng) > 0.97).float()
        if shape.classes:
            ids = torch.randint(shape.classes, planes[:, 0].shape, generator=rng)
            planes[:, 0] = ids.float()
            planes = planes.to(torch.uint8)
        motion = 4 * torch.randn(1, 2, shape.height // 4, shape.width // 4, generator=rng)
        stream.append(Told(planes, torch.eye(shape.styles)[[frame % shape.styles]], motion))
    return stream


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


def _quantised(model: Any, samples: Iterator[list[Any]]) -> Any:
    """Quantise the convolutions between the first and the last ones, nothing else."""
    library()  # without its telemetry, which NNCF would report to as well
    try:
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet
    except ImportError as error:
        raise ModelError(f"int8 needs the int8 extra: pip install rotolive[int8] ({error})") from error
    nncf.set_log_level(logging.ERROR)
    inner = _inner(model)
    others = [op.get_friendly_name() for op in model.get_ordered_ops() if _computes(op)]
    with contextlib.redirect_stdout(sys.stderr):
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=sys.maxsize,
            ignored_scope=nncf.IgnoredScope(
                names=[name for name in others if name not in inner], validate=False
            ),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
                disable_bias_correction=True,
            ),
        )


def _computes(op: Any) -> bool:
    return op.get_type_name() not in ("Parameter", "Constant", "Convert", "Reshape", "Result")


def _inner(model: Any) -> set[str]:
    """Names of convolutions that take what another one made, and do not make an output."""
    behind: set[str] = set()  # what a convolution leads to
    found: set[str] = set()
    for op in model.get_ordered_ops():
        is_convolution, name = op.get_type_name() == "Convolution", op.get_friendly_name()
        if any(value.get_node().get_friendly_name() in behind for value in op.input_values()):
            behind.add(name)
            found |= {name} if is_convolution else set()
        elif is_convolution:
            behind.add(name)
    ahead: set[str] = set()  # what leads to an output
    for op in reversed(model.get_ordered_ops()):
        name = op.get_friendly_name()
        if op.get_type_name() == "Result" or name in ahead:
            if op.get_type_name() == "Convolution":
                found.discard(name)
            else:
                ahead |= {value.get_node().get_friendly_name() for value in op.input_values()}
    return found


def _agreement(generator: Painter, streams: Sequence[Stream]) -> dict[str, float]:
    """Roll the kept graph out over the streams beside eager: dB PSNR of the worst frame, and mean."""
    stepper = OpenVinoStepper(generator, 1, precision="int8")
    ...
