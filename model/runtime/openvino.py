"""OpenVINO on the CPU: one compiled graph, explicit state in and out."""

from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..generator import Output, Painter, State
from .graph import StepGraph
from .openvino_graph import key, library, open_graph, read
from .stepper import SerialStepper
from .store import Store

PRECISIONS = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}


class OpenVinoStepper(SerialStepper):
    """Runs the compiled step."""

    def __init__(
        self,
        generator: Painter,
        slots: int,
        threads: int | None = None,
        precision: str | None = None,
    ) -> None:
        """precision: f32, bf16, int8, or None for what the processor does best without int8.

        Raises ModelError for int8 of a model that was not calibrated.
        """
        super().__init__(generator, slots)
        core, graph = library().Core(), StepGraph(generator)
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        if precision == "int8":
            model = _calibrated(core, graph)
        else:
            model = open_graph(core, graph)
            settings |= {"INFERENCE_PRECISION_HINT": precision} if precision else {}
        compiled = core.compile_model(model, "CPU", settings)
        used = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self.name = f"openvino-{'int8' if precision == 'int8' else used}"
        self.info.precision = "int8" if precision == "int8" else PRECISIONS.get(used, used)
        self._request = compiled.create_infer_request()
        self._share = library().Tensor
        self._outputs_like = graph.outputs

    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        """What comes is read where it lies, and what is made is written where it stays."""
        inputs = [x.contiguous() for x in (condition, style, motion, *state.tensors)]
        outputs = [torch.empty_like(x) for x in self._outputs_like]
        for i, tensor in enumerate(inputs):
            self._request.set_input_tensor(i, self._share(tensor.numpy(), shared_memory=True))
        for i, tensor in enumerate(outputs):
            self._request.set_output_tensor(i, self._share(tensor.numpy(), shared_memory=True))
        self._request.infer()
        image, alpha, *following = outputs
        return Output(image, alpha), State.of(following)


def _calibrated(core: Any, graph: StepGraph) -> Any:
    found = read(core, Store(), key(graph, "int8"))
    if found is None:
        raise ModelError(
            "this model was not calibrated for int8 on this machine; `rotolive compile MODEL "
            "--runtime openvino-int8` does it"
        )
    return found
