"""PyTorch as it is: the reference every other runtime is checked against."""

import copy

import torch
from torch import Tensor

from ..generator import Output, Painter, State
from .stepper import SerialStepper


class EagerStepper(SerialStepper):
    """Runs `Generator.step` in float32, one slot after another."""

    name = "eager"

    def __init__(
        self,
        generator: Painter,
        slots: int,
        threads: int | None = None,
        device: torch.device | None = None,
    ) -> None:
        super().__init__(generator, slots)
        self._there = device or torch.device("cpu")
        there = self._there.type != "cpu"
        self._generator = copy.deepcopy(generator).to(self._there) if there else generator
        if threads:
            torch.set_num_threads(threads)

    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        inputs = (x.to(self._there) for x in (condition, style, motion))
        planes, style, motion = inputs
        there = state.each(lambda x: x.to(self._there))
        output, following = self._generator.step(planes, style, there, motion)
        return Output(output.image.cpu(), output.alpha.cpu()), following
