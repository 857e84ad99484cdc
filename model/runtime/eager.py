"""PyTorch as it is: the reference every other runtime is checked against."""

import torch
from torch import Tensor

from ..generator import Generator, Output, State
from .stepper import SerialStepper


class EagerStepper(SerialStepper):
    """Runs `Generator.step` on the CPU."""

    name = "eager"

    def __init__(self, generator: Generator, slots: int, threads: int | None = None) -> None:
        super().__init__(generator, slots)
        self._generator = generator
        if threads:
            torch.set_num_threads(threads)

    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        return self._generator.step(condition, style, state, motion)
