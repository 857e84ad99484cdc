"""OpenVINO on the CPU: slots in turns through one compiled graph."""

from typing import Any

from torch import Tensor

from ..errors import ModelError
from ..generator import Output, Painter, State
from .graph import StepGraph
from .openvino_graph import OpenVinoEngine, key, open_graph, read
from .stepper import SerialStepper
from .store import Store

PRECISIONS = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}
INT8 = "int8"


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

        Raises ModelError for int8 of a model that was not calibrated, see `calibrate`.
        """
        super().__init__(generator, slots)
        graph = StepGraph(generator)
        if precision == INT8:
            self._engine = OpenVinoEngine(_calibrated(graph), graph, threads)
        else:
            self._engine = OpenVinoEngine(open_graph(graph), graph, threads, precision)
        used = INT8 if precision == INT8 else self._engine.precision
        self.name = f"openvino-{used}"
        self.info.precision = PRECISIONS.get(used, used)

    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        image, alpha, *following = self._engine(condition, style, motion, *state.tensors)
        return Output(image, alpha), State.of(following)


def _calibrated(graph: StepGraph) -> Any:
    store, known = Store(), key(graph, INT8)
    found = read(store, known)
    if found is not None:
        return found
    raise ModelError(
        store.refused(known)
        or "this model was not calibrated for int8 on this machine; `rotolive compile MODEL "
        "--runtime openvino-int8` does it"
    )
