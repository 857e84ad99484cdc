"""What every runtime does: own the slots of one static batch and step them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ..generator import Generator, Output, State


@dataclass(frozen=True, kw_only=True)
class StepInput:
    """condition [B, *condition_shape], style [B, S], motion [B, 2, H/4, W/4], active [B] (bool).

    As `Generator.step` takes them, float32 on the CPU.
    """

    condition: Tensor
    style: Tensor
    motion: Tensor
    active: Tensor


class Stepper(ABC):
    """Steps `slots` independent streams; idle slots keep their state."""

    name: str
    slots: int

    @abstractmethod
    def step(self, batch: StepInput) -> Output:
        """Paint the next frame of the active slots; what idle slots return is undefined."""

    @abstractmethod
    def reset(self, mask: Tensor) -> None:
        """Make the next frame of the slots in mask [B] (bool) a first frame."""

    @abstractmethod
    def snapshot(self, slot: int) -> State:
        """Copy one slot's state [1, ...], float32 on the CPU: any runtime can restore it."""

    @abstractmethod
    def restore(self, slot: int, snapshot: State) -> None:
        """Put a snapshot into a slot."""


class SerialStepper(Stepper):
    """Steps one slot after another: on a CPU a larger batch gains nothing, and idle ones cost."""

    def __init__(self, generator: Generator, slots: int) -> None:
        self.slots = slots
        self._empty = generator.initial_state(1)
        self._states = [self._empty] * slots

    @abstractmethod
    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        """One slot's step, batch of one; must not change `state` in place."""

    @torch.inference_mode()
    def step(self, batch: StepInput) -> Output:
        height, width = self._empty.image.shape[-2:]
        images = torch.zeros(self.slots, 3, height, width)
        alphas = torch.zeros(self.slots, 1, height, width)
        for slot in batch.active.nonzero().flatten().tolist():
            one = slice(slot, slot + 1)
            output, self._states[slot] = self._step_one(
                batch.condition[one], batch.style[one], batch.motion[one], self._states[slot]
            )
            images[one], alphas[one] = output
        return Output(images, alphas)

    def reset(self, mask: Tensor) -> None:
        for slot in mask.nonzero().flatten().tolist():
            self._states[slot] = self._empty

    def snapshot(self, slot: int) -> State:
        return self._states[slot].each(Tensor.clone)

    def restore(self, slot: int, snapshot: State) -> None:
        self._states[slot] = snapshot.each(Tensor.clone)
