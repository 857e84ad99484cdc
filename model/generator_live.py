"""A generator package as the live path sees it."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from .condition import Conditioner
from .condition.pose.conditioner import PoseConditioner
from .condition.pose.draw import CHANNELS
from .condition.pose.motion import motion_between
from .condition.pose.skeleton import Measures
from .errors import ModelError
from .live import LiveModel, Picture, Request
from .package import Package, load
from .runtime import StepInput, Stepper, open_stepper


class GeneratorModel(LiveModel):
    """A package and the stepper that runs it."""

    def __init__(self, package: Package, stepper: Stepper) -> None:
        card = package.card
        if card.condition != "pose" or card.generator.condition_channels != CHANNELS:
            raise ModelError(f"{card.name}: this build cannot make its condition {card.condition}")
        self.card, self._stepper, self.condition = card, stepper, card.condition
        self.name, self.styles, self.runtime = card.name, card.styles, stepper.name
        self.width, self.height, self.slots = (
            card.generator.width,
            card.generator.height,
            stepper.slots,
        )
        self._measures = Measures.from_dict(card.condition_settings)
        planes = (CHANNELS, self.height // 4, self.width // 4)
        self._condition = torch.zeros(self.slots, *planes)
        self._style = torch.zeros(self.slots, len(self.styles))
        self._motion = torch.zeros(self.slots, 2, *planes[1:])
        self._points: list[NDArray[np.float32] | None] = [None] * self.slots

    @classmethod
    def open(
        cls, name: str, *, slots: int = 4, runtime: str = "auto", threads: int | None = None
    ) -> "GeneratorModel":
        """Load a package by name or path and choose its runtime."""
        package = load(name)
        threads = threads or min(4, max(1, (os.cpu_count() or 2) - 1))
        return cls(package, open_stepper(package.generator(), slots, runtime, threads))

    def conditioner(self, *, mirror: bool) -> Conditioner:
        return PoseConditioner(self._measures, self.width // 4, self.height // 4, mirror=mirror)

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        active = torch.zeros(self.slots, dtype=torch.bool)
        for request in requests:
            active[request.slot] = True
            self._condition[request.slot] = torch.from_numpy(request.condition)
            self._style[request.slot] = torch.from_numpy(request.style)
            self._motion[request.slot] = self._motion_of(request)
        batch = StepInput(
            condition=self._condition, style=self._style, motion=self._motion, active=active
        )
        images, alphas = self._stepper.step(batch)
        for request in requests:
            self._points[request.slot] = request.points
        return [_picture(images[r.slot], alphas[r.slot]) for r in requests]

    def _motion_of(self, request: Request) -> torch.Tensor:
        """How the points moved since the slot's last frame, in pixels [2, H/4, W/4]."""
        now, before = request.points, self._points[request.slot]
        if now is None or before is None:
            return torch.zeros(())
        moved = motion_between(now, before, self.width // 4, self.height // 4)
        return torch.from_numpy(moved).mul_(self.height)

    def reset(self, slot: int) -> None:
        self._points[slot] = None
        self._stepper.reset(torch.arange(self.slots) == slot)


def _picture(image: torch.Tensor, alpha: torch.Tensor) -> Picture:
    rgb = image.mul(127.5).add_(128).clamp_(0, 255).to(torch.uint8).permute(1, 2, 0)
    solid = alpha[0].mul(255).add_(0.5).clamp_(0, 255).to(torch.uint8)
    return Picture(rgb=np.ascontiguousarray(rgb.numpy()), alpha=solid.numpy())
