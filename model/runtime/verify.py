"""Does a runtime paint what PyTorch paints in float32?"""

from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from ..config import GeneratorConfig
from ..errors import ModelError
from ..generator import Output, Painter
from .eager import EagerStepper
from .graph import noise_planes
from .stepper import StepInput, Stepper

ROLLOUT = 16
LIMITS = {"single": 34.0, "rollout": 30.0}
"""Least agreement with eager, dB PSNR of a picture in 0..1."""
MISSED = 0.5
"""Most that may be missed of what another style or motion changes, a share."""
NOTICEABLE = 0.01
"""Changes of the picture (-1..1) that are smaller than this on average are not looked at."""


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """Agreement with eager: dB PSNR of one step and of the worst frame of a roll-out; the largest
    error of a pixel in the first, 0..1; missed: of the change that another style and motion make,
    the share that is not there."""

    single: float
    rollout: float
    largest: float
    missed: float

    @property
    def small(self) -> bool:
        """Whether a viewer could not tell."""
        enough = self.single >= LIMITS["single"] and self.rollout >= LIMITS["rollout"]
        return enough and self.missed <= MISSED

    def rounded(self) -> dict[str, float]:
        """Return it as short numbers."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


@torch.inference_mode()
def verify(generator: Painter, stepper: Stepper, frames: int = ROLLOUT) -> Deviation:
    """Roll both out on the same random conditions; resets the stepper before and after.

    Batches of changing size are stepped; pixels that are not written count as wrong. Other styles
    and motion are tried in whole roll-outs only.
    """
    reference = EagerStepper(generator, 1, device=stepper.device)
    everyone = torch.ones(stepper.slots, dtype=torch.bool)
    stepper.reset(everyone)
    draws = _Draws(generator.config, stepper.slots)
    agreement: list[float] = []
    largest = 0.0
    for frame in range(frames):
        batch = draws.next(frame, stepper.batch)
        got, want = stepper.step(batch), reference.step(_first(batch))
        error = (got.image[:1] - want.image).div(2)
        if frame == 0:
            largest = float(error.abs().max().nan_to_num(nan=torch.inf))
        agreement.append(decibels(error))
    missed = _missed(stepper, reference, draws) if frames >= ROLLOUT else 0.0
    stepper.reset(everyone)
    return Deviation(single=agreement[0], rollout=min(agreement), largest=largest, missed=missed)


def decibels(error: Tensor) -> float:
    """PSNR of an error of pictures in 0..1; what is not a number is endlessly wrong."""
    value = -10 * torch.log10(error.pow(2).mean().clamp(min=1e-12))
    return float(value.nan_to_num(nan=-torch.inf))


def _missed(stepper: Stepper, reference: EagerStepper, draws: "_Draws") -> float:
    """Share of the change of the picture by another style, or other motion, that is not there."""
    base = draws.next(0, 1)
    worst = 0.0
    for other in (replace(base, style=base.style.roll(1, 1)), replace(base, motion=-base.motion)):
        got, want = (_difference(it, base, other) for it in (stepper, reference))
        size = float(want.abs().mean())
        if size > NOTICEABLE:
            worst = max(worst, float((got - want).abs().mean()) / size)
    return worst


def _difference(stepper: Stepper, base: StepInput, other: StepInput) -> Tensor:
    """What changes in slot 0's second frame, of the same memory."""
    pictures: list[Output] = []
    for second in (base, other):
        stepper.reset(torch.ones(stepper.slots, dtype=torch.bool))
        for batch in (base, second):
            fitting = batch if stepper.slots == len(batch.active) else _first(batch)
            made = stepper.step(fitting)
        pictures.append(made)
    return pictures[1].image[:1] - pictures[0].image[:1]


def _first(batch: StepInput) -> StepInput:
    return StepInput(
        condition=batch.condition[:1],
        style=batch.style[:1],
        motion=batch.motion[:1],
        active=torch.ones(1, dtype=torch.bool),
    )


class _Draws:
    """Random conditions of a generator's shape, the same ones every time."""

    def __init__(self, shape: GeneratorConfig, slots: int) -> None:
        self._shape, self._slots = shape, slots
        self._rng = torch.Generator().manual_seed(0)

    def next(self, frame: int, together: int) -> StepInput:
        """Slot 0 is always due, the others in sets of changing size, all in changing styles."""
        shape, slots = self._shape, self._slots
        due = 1 if frame % 2 == 0 else min(slots, max(1, together - frame // 4))
        planes = noise_planes(shape, due, self._rng)
        motion = 4 * torch.randn(due, 2, shape.height // 4, shape.width // 4, generator=self._rng)
        style = torch.eye(shape.styles)[frame % shape.styles].expand(slots, -1)
        active = torch.arange(slots) < due
        return StepInput(
            condition=_among(planes, slots),
            style=style,
            motion=_among(motion, slots),
            active=active,
        )


def _among(rows: Tensor, slots: int) -> Tensor:
    """Rows of the first slots; the others are idle."""
    everybody = torch.zeros(slots, *rows.shape[1:], dtype=rows.dtype)
    everybody[: len(rows)] = rows
    return everybody


def check(name: str, deviation: Deviation) -> None:
    """Raise ModelError for a runtime that strays."""
    if not deviation.small:
        raise ModelError(f"{name} strays from eager: {deviation.rounded()}")
