"""TensorRT on NVIDIA GPUs, built by torch-tensorrt (or torch-tensorrt-rtx) from the exported step.

The state is the graph's input and output: in-place buffers would be dropped by its lowering, and
frames after the first would be wrong. Engines are run by TensorRT's own execution context, so that
a CUDA graph can record them; torch-tensorrt is needed for building only.
"""

import importlib
import importlib.metadata
import logging
import time
import warnings
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from .graph import StepGraph
from .store import Store

log = logging.getLogger(__name__)

PLAN = "engine.plan"
LIBRARIES = {"torch-tensorrt": "tensorrt", "torch-tensorrt-rtx": "tensorrt_rtx"}
"""What builds engines, and the library that it builds them with."""


def builder() -> str | None:
    """Return the name of what is installed to build engines with, or None."""
    return next(filter(installed, LIBRARIES), None)


def installed(name: str) -> str:
    """Return the version of an installed package; empty when it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def library() -> Any:
    """Import TensorRT. Raises ImportError."""
    name = builder()
    if name is None:
        raise ImportError(f"none of {', '.join(LIBRARIES)} is installed")
    return importlib.import_module(LIBRARIES[name])


def versions() -> dict[str, str]:
    """What engines are made for: another version, GPU or driver needs engines of its own."""
    name = builder() or ""
    properties = torch.cuda.get_device_properties(torch.cuda.current_device())
    return {
        "builder": f"{name} {installed(name)}",
        "library": str(library().__version__),
        "torch": torch.__version__,
        "gpu": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "processors": str(properties.multi_processor_count),
        "driver": str(torch._C._cuda_getDriverVersion()),  # pyright: ignore
    }


def key(graph: StepGraph) -> dict[str, str]:
    """Everything that an engine depends on."""
    return {"runtime": "tensorrt", "graph": graph.key, **versions()}


def is_built(graph: StepGraph) -> bool:
    """Whether an engine of an earlier start can be taken."""
    return builder() is not None and Store().get(key(graph)) is not None


def open_engine(graph: StepGraph) -> "TensorRtEngine":
    """Take the engine that was kept, or build and keep it.

    Raises ModelError where it cannot be built, or was found to be of no use at an earlier start.
    """
    store, known = Store(), key(graph)
    if reason := store.refused(known):
        raise ModelError(f"its engine was of no use before: {reason}")
    with store.building(known):
        entry = store.get(known)
        if entry is not None:
            try:
                return TensorRtEngine(entry.path(PLAN).read_bytes(), graph)
            except (ModelError, OSError) as error:
                log.warning("a kept engine is built anew: %s", error)
        started = time.perf_counter()
        plan = build(graph)
        seconds = round(time.perf_counter() - started, 1)
        engine = TensorRtEngine(plan, graph)
        store.put(known, {PLAN: plan}, {"build_s": seconds})
    return engine


def refuse(graph: StepGraph, reason: str) -> None:
    """Remember that the engine of a graph is of no use here."""
    Store().quarantine(key(graph), reason)


def build(graph: StepGraph) -> bytes:
    """Build the engine of a graph; minutes for large ones.

    Raises ModelError where a part of the step cannot be converted.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiler = importlib.import_module("torch_tensorrt.dynamo")
        try:
            return compiler.convert_exported_program_to_serialized_trt_engine(
                graph.program, arg_inputs=graph.inputs, require_full_compilation=True
            )
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            raise ModelError(f"TensorRT cannot build this step: {error}") from error


class TensorRtEngine:
    """A built engine, called as the step it was built from; its outputs stay in one place."""

    def __init__(self, plan: bytes, graph: StepGraph) -> None:
        """Raises ModelError for an engine of another GPU, version or graph."""
        trt = library()
        logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(logger)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        if self._engine is None:
            raise ModelError(
                f"the engine was not taken by {trt.__name__} {trt.__version__} on "
                f"{torch.cuda.get_device_name()}: it is of another version or GPU, or damaged"
            )
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise ModelError("TensorRT could not make room for the engine on the GPU")
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        inputs = trt.TensorIOMode.INPUT
        self._inputs = [n for n in names if self._engine.get_tensor_mode(n) == inputs]
        self._check(names, graph)
        self._outputs = [torch.full_like(x, torch.nan) for x in graph.outputs]
        for name, tensor in zip(names[len(self._inputs) :], self._outputs, strict=True):
            self._context.set_tensor_address(name, tensor.data_ptr())

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        for name, tensor in zip(self._inputs, inputs, strict=True):
            self._context.set_tensor_address(name, tensor.data_ptr())
        stream = torch.cuda.current_stream().cuda_stream
        if not self._context.execute_async_v3(stream):
            raise RuntimeError("TensorRT could not enqueue the step")
        return tuple(self._outputs)

    def _check(self, names: list[str], graph: StepGraph) -> None:
        """The engine must have exactly the graph's inputs and outputs, in its order."""
        have = [tuple(self._engine.get_tensor_shape(name)) for name in names]
        want = [tuple(x.shape) for x in (*graph.inputs, *graph.outputs)]
        if have != want or len(self._inputs) != len(graph.inputs):
            raise ModelError(f"the engine is of another step: it has {have}, expected are {want}")
