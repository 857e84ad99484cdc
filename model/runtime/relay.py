"""Hands running streams from one runtime to another, between two frames."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import RotoliveError
from ..generator import Output, State
from ..info import RuntimeInfo
from .stepper import Painted, StepInput, Stepper

log = logging.getLogger(__name__)

Result = TypeVar("Result")
FAILURES = (RuntimeError, RotoliveError, ImportError, OSError)
"""What it looks like when a runtime cannot be used here."""


class RelayStepper(Stepper):
    """Steps with what it has; changes over to what is offered, or falls back when that fails.

    Everything but `offer` and `note` is called from one thread.
    """

    def __init__(
        self,
        first: Stepper,
        fallbacks: Iterable[Callable[[], Stepper]] = (),
        notes: Iterable[str] = (),
    ) -> None:
        self.slots = first.slots
        self._now = first
        self._fallbacks = list(fallbacks)
        self._offered: Stepper | None = None
        self._notes = list(notes)
        self._lock = threading.Lock()
        self.building = ""

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._now.name

    @property
    def batch(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._now.batch

    @property
    def device(self) -> torch.device:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._now.device

    @property
    def info(self) -> RuntimeInfo:  # pyright: ignore[reportIncompatibleVariableOverride]
        notes = [*self._notes, *self._now.info.notes]
        return replace(self._now.info, notes=notes, building=self.building)

    def note(self, sentence: str) -> None:
        """Keep a reason why a runtime is not used."""
        log.warning("%s", sentence)
        self._notes.append(sentence)

    def offer(self, better: Stepper) -> None:
        """Change over at the next frame; may be called from any thread."""
        with self._lock:
            self._offered = better

    def step(self, batch: StepInput) -> Output:
        return self._with_fallback(lambda: self._now.step(batch))

    def paint(self, batch: StepInput) -> Painted:
        return self._with_fallback(lambda: self._now.paint(batch))

    def reset(self, mask: Tensor) -> None:
        self._with_fallback(lambda: self._now.reset(mask))

    def snapshot(self, slot: int) -> State:
        return self._now.snapshot(slot)

    def restore(self, slot: int, snapshot: State) -> None:
        self._now.restore(slot, snapshot)

    def close(self) -> None:
        self._now.close()

    def _with_fallback(self, work: Callable[[], Result]) -> Result:
        with self._lock:
            better, self._offered = self._offered, None
        if better is not None:
            self._change_over(better)
        while True:
            try:
                return work()
            except RuntimeError as error:
                if not self._fall_back(error):
                    raise

    def _fall_back(self, error: RuntimeError) -> bool:
        """Go on with the next runtime that starts; false when there is none."""
        failed = self._now.name
        while self._fallbacks:
            make = self._fallbacks.pop(0)
            try:
                following = make()
            except FAILURES as another:
                self.note(f"a runtime could not take over from {failed}: {another}")
                continue
            self._change_over(following)
            self.note(f"{failed} failed, {following.name} goes on: {error}")
            return True
        return False

    def _change_over(self, following: Stepper) -> None:
        before, self._now = self._now, following
        try:
            for slot in range(self.slots):
                following.restore(slot, before.snapshot(slot))
            before.close()
        except RuntimeError as error:
            log.warning("streams begin anew: %s gave no state back: %s", before.name, error)
            following.reset(torch.ones(self.slots, dtype=torch.bool))
        log.info("runtime %s takes over from %s", following.name, before.name)
