"""Steppers: one signature over several ways to run the generator; choose and verify one."""

from .choose import NAMES, available, best_device, open_stepper
from .stepper import Painted, StepInput, Stepper
from .verify import LIMITS, Deviation, verify

__all__ = [
    "LIMITS",
    "NAMES",
    "Deviation",
    "Painted",
    "StepInput",
    "Stepper",
    "available",
    "best_device",
    "open_stepper",
    "verify",
]
