"""What every runtime does: own the slots of one static batch and step them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..generator import Output, Painter, State
from ..info import RuntimeInfo


@dataclass(frozen=True, kw_only=True)
class StepInput:
    """condition [B, *condition_shape], style [B, S], motion [B, 2, H/4, W/4], active [B] (bool).

    As `Generator.step` takes them, float32 on the CPU (of labels packed in uint8); B is the number
    of slots.
    """

    condition: Tensor
    style: Tensor
    motion: Tensor
    active: Tensor


class Painted(NamedTuple):
    """Pictures to hand out, on the CPU: rgb uint8 [B, H, W, 3], alpha uint8 [B, H, W]."""

    rgb: Tensor
    alpha: Tensor


def pack(image: Tensor, alpha: Tensor) -> Painted:
    """Round an `Output` to 8 bits, colours last, on the device where it is."""
    rgb = (image.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    solid = (alpha[:, 0].float() * 255 + 0.5).clamp(0, 255).to(torch.uint8)
    return Painted(rgb.contiguous(), solid)


class Stepper(ABC):
    """Steps `slots` independent streams, up to `batch` at once; idle slots keep their state."""

    name: str
    slots: int
    batch: int = 1
    device: torch.device = torch.device("cpu")
    info: RuntimeInfo

    @abstractmethod
    def step(self, batch: StepInput) -> Output:
        """Paint the next frame of the active slots; what idle slots return is undefined.

        The output is float32 on the CPU.
        """

    def paint(self, batch: StepInput) -> Painted:
        """As `step`, for showing."""
        return pack(*self.step(batch))

    @abstractmethod
    def reset(self, mask: Tensor) -> None:
        """Make the next frame of the slots in mask [B] (bool) a first frame."""

    @abstractmethod
    def snapshot(self, slot: int) -> State:
        """Copy one slot's state [1, ...], float32 on the CPU: any runtime can restore it."""

    @abstractmethod
    def restore(self, slot: int, snapshot: State) -> None:
        """Put a snapshot into a slot."""

    def close(self) -> None:  # noqa: B027
        """Give back what it holds; a closed stepper steps no more."""


class SerialStepper(Stepper):
    """Steps one slot after another: on a CPU a larger batch gains nothing, and idle ones cost."""

    def __init__(self, generator: Painter, slots: int) -> None:
        self.slots, self.info = slots, RuntimeInfo(runtime=type(self).__name__)
        self._empty = generator.initial_state(1)
        self._states = [self._empty] * slots
        shape = generator.config
        self._size = shape.height, shape.width

    @abstractmethod
    def _step_one(
        self, condition: Tensor, style: Tensor, motion: Tensor, state: State
    ) -> tuple[Output, State]:
        """One slot's step, batch of one; must not change `state` in place."""

    def step(self, batch: StepInput) -> Output:
        images = torch.zeros(self.slots, 3, *self._size)
        alphas = torch.zeros(self.slots, 1, *self._size)
        for slot, output in self._outputs(batch):
            images[slot], alphas[slot] = output.image[0], output.alpha[0]
        return Output(images, alphas)

    def paint(self, batch: StepInput) -> Painted:
        rgb = torch.empty(self.slots, *self._size, 3, dtype=torch.uint8)
        alpha = torch.empty(self.slots, *self._size, dtype=torch.uint8)
        for slot, output in self._outputs(batch):
            packed = pack(*output)
            rgb[slot], alpha[slot] = packed.rgb[0], packed.alpha[0]
        return Painted(rgb, alpha)

    def _outputs(self, batch: StepInput) -> Iterator[tuple[int, Output]]:
        """Step the active slots in turns; yields slot and output, batch of one."""
        for slot in batch.active.nonzero().flatten().tolist():
            one = slice(slot, slot + 1)
            with torch.inference_mode():
                output, self._states[slot] = self._step_one(
                    batch.condition[one], batch.style[one], batch.motion[one], self._states[slot]
                )
            yield slot, output

    def reset(self, mask: Tensor) -> None:
        for slot in mask.nonzero().flatten().tolist():
            self._states[slot] = self._empty

    def snapshot(self, slot: int) -> State:
        return self._states[slot].each(lambda x: x.cpu().clone())

    def restore(self, slot: int, snapshot: State) -> None:
        self._states[slot] = snapshot.each(Tensor.clone)
