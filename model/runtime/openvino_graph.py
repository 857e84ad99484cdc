"""The step as a graph of OpenVINO: converted from the export, made exact and quick, kept."""

import logging
import sys
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from .graph import StepGraph
from .store import Store

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
"""Raise it when the same export becomes another graph here."""
XML = "graph.xml"
WIDEST = 256
"""Widest plane that is enlarged as a product: its work grows with the square of the width."""


def library() -> Any:
    """Import OpenVINO without its telemetry package, which reports each import to its vendor."""
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))
    import openvino

    return openvino


@cache
def core() -> Any:
    """OpenVINO's one entrance, kept for good.

    Each has a signal stack of its own, which ends with it; where another has come after, signals
    (Ctrl-C) then land in memory that is gone.
    """
    return library().Core()


def key(graph: StepGraph, numbers: str) -> dict[str, Any]:
    """Everything that a kept graph depends on; numbers: float, or int8."""
    return {
        "runtime": "openvino",
        "graph": graph.key,
        "numbers": numbers,
        "format_version": FORMAT_VERSION,
        "openvino": library().__version__,
        "torch": torch.__version__,
    }


class OpenVinoEngine:
    """A graph compiled for the CPU, called as the step it was made from."""

    def __init__(
        self,
        model: Any,
        graph: StepGraph,
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        """precision: f32 or bf16; None for what the processor does best."""
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        if precision:
            settings["INFERENCE_PRECISION_HINT"] = precision
        compiled = core().compile_model(model, "CPU", settings)
        self.precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self._request = compiled.create_infer_request()
        self._share = library().Tensor
        self._like = graph.outputs

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """What comes is read where it lies, and what is made is written where it stays."""
        given = [x.contiguous() for x in inputs]
        made = tuple(torch.empty_like(x) for x in self._like)
        for i, tensor in enumerate(given):
            self._request.set_input_tensor(i, self._share(tensor.numpy(), shared_memory=True))
        for i, tensor in enumerate(made):
            self._request.set_output_tensor(i, self._share(tensor.numpy(), shared_memory=True))
        self._request.infer()
        return made


def open_graph(graph: StepGraph) -> Any:
    """Read what an earlier start converted, or convert and keep: milliseconds against seconds."""
    store, known = Store(), key(graph, "float")
    found = read(store, known)
    if found is not None:
        return found
    with store.building(known):
        found = read(store, known)
        if found is None:
            found = convert(graph)
            keep(store, known, found)
    return found


def read(store: Store, known: Mapping[str, Any]) -> Any:
    """Return the graph that is kept under a key, None if there is none of use."""
    entry = store.get(known)
    if entry is None:
        return None
    try:
        return core().read_model(entry.path(XML))
    except RuntimeError as error:
        log.warning("a kept graph is made anew: %s", error)
        return None


def keep(
    store: Store, known: Mapping[str, Any], model: Any, about: Mapping[str, Any] | None = None
) -> None:
    """Write a graph for the next start."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / XML
            library().save_model(model, path, compress_to_fp16=False)
            store.put(known, {file.name: file for file in Path(folder).iterdir()}, about)
    except (OSError, RuntimeError) as error:
        log.warning("the converted graph is not kept for the next start: %s", error)


def convert(graph: StepGraph) -> Any:
    """Make the graph anew, some seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = library().convert_model(graph.program)
    model.reshape({i: list(x.shape) for i, x in enumerate(graph.inputs)})
    _enlarge_by_products(model)
    _keep_grids_exact(model)
    model.validate_nodes_and_infer_types()
    return model


def _keep_grids_exact(model: Any) -> None:
    """Have warp grids computed in float32 in any precision: a bfloat16 of 1 moves half a pixel.

    What leads to an output stays float32 up to the next convolution or product, so one number of
    every grid becomes an output, behind the others.
    """
    ops = library().opset14
    first, one = np.zeros(4, np.int64), np.ones(4, np.int64)
    grids = [op.input_value(1) for op in _all(model, "GridSample")]
    model.add_results([ops.result(ops.slice(grid, first, one, one)) for grid in grids])


def _enlarge_by_products(model: Any) -> None:
    """Enlarge planes by two products with constant matrices: a third of what Interpolate takes."""
    ops = library().opset14
    for op in _all(model, "Interpolate"):
        small = op.input_value(0)
        (*_, height, width), (*_, rows, columns) = small.get_shape(), op.get_output_shape(0)
        if width > WIDEST or not _is_bilinear(op):
            continue
        stacked = ops.matmul(ops.constant(_stretch(height, rows)), small, False, False)
        across = ops.constant(_stretch(width, columns))
        op.output(0).replace(ops.matmul(stacked, across, False, True).output(0))


def _is_bilinear(op: Any) -> bool:
    how = op.get_attributes()
    kind = how["mode"], how["coordinate_transformation_mode"]
    return kind in (("linear_onnx", "half_pixel"), ("linear_onnx", "pytorch_half_pixel"))


def _stretch(count: int, to: int) -> NDArray[np.float32]:
    """The matrix [to, count] of linear interpolation between the centres of pixels."""
    eye = torch.eye(count)[None]
    return F.interpolate(eye, size=to, mode="linear", align_corners=False)[0].T.numpy().copy()


def _all(model: Any, kind: str) -> list[Any]:
    return [op for op in model.get_ordered_ops() if op.get_type_name() == kind]
