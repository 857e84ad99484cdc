"""Steppers: one signature over several ways to run the generator; choose and verify one."""

import logging
from dataclasses import dataclass

import torch

from ..errors import ModelError
from ..generator import Generator
from .eager import EagerStepper
from .stepper import StepInput, Stepper

log = logging.getLogger(__name__)

ROLLOUT = 16
LIMITS = {"single": 34.0, "rollout": 30.0}
"""Least agreement with eager, dB PSNR of a picture in 0..1."""
NAMES = ("auto", "eager", "openvino", "openvino-f32", "openvino-bf16")

__all__ = ["Deviation", "StepInput", "Stepper", "open_stepper", "verify"]


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """Agreement with eager in dB PSNR: of one step, and of the worst frame of a roll-out."""

    single: float
    rollout: float

    @property
    def small(self) -> bool:
        """Whether a viewer could not tell."""
        return self.single >= LIMITS["single"] and self.rollout >= LIMITS["rollout"]


def open_stepper(
    generator: Generator, slots: int, runtime: str = "auto", threads: int | None = None
) -> Stepper:
    """Return the fastest runtime that agrees with eager; eager itself when none does.

    A runtime asked for by name that cannot run falls back too, with a logged reason.
    Raises ModelError on a name that is none.
    """
    if runtime not in NAMES:
        raise ModelError(f"runtime {runtime!r}: there are {', '.join(NAMES)}")
    if runtime == "eager":
        return EagerStepper(generator, slots, threads)
    precision = runtime.partition("-")[2] or None
    try:
        from .openvino import OpenVinoStepper

        stepper = OpenVinoStepper(generator, slots, threads, precision)
        deviation = verify(generator, stepper)
    except (ImportError, OSError, RuntimeError) as error:
        log.warning("runtime %s cannot run, using eager: %s", runtime, error)
        return EagerStepper(generator, slots, threads)
    if not deviation.small:
        log.warning("runtime %s strays from eager (%s), using eager", stepper.name, deviation)
        return EagerStepper(generator, slots, threads)
    log.info("runtime %s, %s", stepper.name, deviation)
    return stepper


@torch.inference_mode()
def verify(generator: Generator, stepper: Stepper) -> Deviation:
    """Step both on the same random conditions; resets the stepper before and after."""
    everyone = torch.ones(stepper.slots).bool()
    stepper.reset(everyone)
    reference = EagerStepper(generator, 1)
    shape = generator.config
    rng = torch.Generator().manual_seed(0)
    size = (stepper.slots, *shape.condition_shape)
    cells = (stepper.slots, 2, shape.height // 4, shape.width // 4)
    style = torch.eye(shape.styles)[:1].expand(stepper.slots, -1)
    active = torch.arange(stepper.slots) == 0
    agreement = []
    for _ in range(ROLLOUT):
        planes = (torch.rand(size, generator=rng) > 0.97).float()
        if shape.classes:
            planes[:, 0] = torch.randint(shape.classes, size[2:], generator=rng)
        motion = 4 * torch.randn(cells, generator=rng)
        batch = StepInput(condition=planes, style=style, motion=motion, active=active)
        got = stepper.step(batch)
        want = reference.step(
            StepInput(
                condition=planes[:1],
                style=style[:1],
                motion=motion[:1],
                active=torch.ones(1).bool(),
            )
        )
        error = (got.image[:1] - want.image).div(2).pow(2).mean()
        decibels = -10 * torch.log10(error.clamp(min=1e-12))
        agreement.append(float(decibels.nan_to_num(nan=-torch.inf)))
    stepper.reset(everyone)
    return Deviation(single=agreement[0], rollout=min(agreement))
