"""OpenVINO on the CPU: one compiled graph, explicit state in and out."""

import hashlib
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ..cache import cache_folder
from ..generator import Generator, Output, State
from .stepper import SerialStepper

log = logging.getLogger(__name__)

GRAPH_VERSION = 3
"""Raise it when `Generator.step` computes something else from the same weights."""


class _Flat(nn.Module):
    """`Generator.step` with tensors in place of dataclasses."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self,
        condition: Tensor,
        style: Tensor,
        motion: Tensor,
        image: Tensor,
        features: Tensor,
        valid: Tensor,
    ) -> tuple[Tensor, ...]:
        before = State(image, features, valid)
        output, state = self.generator.step(condition, style, before, motion)
        return output.image, output.alpha, state.image, state.features


class OpenVinoStepper(SerialStepper):
    """Runs the compiled step."""

    def __init__(
        self,
        generator: Generator,
        slots: int,
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        """precision: f32, bf16, or None for what the processor does best."""
        super().__init__(generator, slots)
        openvino = _silent_openvino()
        core = openvino.Core()
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        if precision:
            settings["INFERENCE_PRECISION_HINT"] = precision
        compiled = core.compile_model(_graph(openvino, core, generator), "CPU", settings)
        used = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self.name = f"openvino-{used}"
        self._request = compiled.create_infer_request()

    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        inputs = (condition, style, motion, state.image, state.features, state.valid)
        arrays = [tensor.contiguous().numpy() for tensor in inputs]
        results = self._request.infer(arrays, share_inputs=True, share_outputs=True)
        image, alpha, following, features = (
            torch.from_numpy(np.array(results[i])) for i in range(4)
        )
        return Output(image, alpha), State(following, features, torch.ones(1))


def _silent_openvino() -> Any:
    """Import OpenVINO without its telemetry package, which reports each import to its vendor."""
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))
    import openvino

    return openvino


def _graph(openvino: Any, core: Any, generator: Generator) -> Any:
    """Convert, or read what an earlier start converted: seconds against milliseconds."""
    path = cache_folder() / f"{_fingerprint(openvino, generator)}.xml"
    if path.is_file():
        try:
            return core.read_model(path)
        except RuntimeError as error:
            log.warning("%s is damaged and is made anew: %s", path, error)
    state = generator.initial_state(1)
    shape = generator.config
    example = (
        torch.zeros(1, *shape.condition_shape),
        torch.zeros(1, shape.styles),
        torch.zeros(1, 2, shape.height // 4, shape.width // 4),
        state.image,
        state.features,
        state.valid,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = openvino.convert_model(
            _Flat(generator), example_input=example, input=[list(x.shape) for x in example]
        )
    _keep(openvino, graph, path)
    return graph


def _keep(openvino: Any, graph: Any, path: Path) -> None:
    """Write the graph for the next start; the .xml appears last, so half a pair is never read."""
    part = path.with_name(f"{path.stem}-{os.getpid()}.xml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        openvino.save_model(graph, part, compress_to_fp16=False)
        part.with_suffix(".bin").replace(path.with_suffix(".bin"))
        part.replace(path)
    except (OSError, RuntimeError) as error:
        log.warning("the compiled graph is not kept for the next start: %s", error)


def _fingerprint(openvino: Any, generator: Generator) -> str:
    digest = hashlib.sha256(
        f"{GRAPH_VERSION} {openvino.__version__} {torch.__version__} {generator.config}".encode()
    )
    for name, tensor in sorted(generator.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]
