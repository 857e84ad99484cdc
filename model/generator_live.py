"""A generator package as the live path sees it."""

from collections.abc import Sequence

import numpy as np
import torch

from .condition import Conditioner
from .condition.labels.conditioner import LabelConditioner
from .condition.labels.packing import CHANNELS as LABEL_CHANNELS
from .condition.labels.tints import Tints
from .condition.pose.conditioner import PoseConditioner
from .condition.pose.draw import CHANNELS as LIMBS
from .condition.pose.motion import motion_between
from .condition.pose.skeleton import Measures
from .condition.sketch.conditioner import SketchConditioner
from .condition.sketch.lines import CHANNELS as LINES
from .condition.sketch.lines import check_settings
from .errors import ModelError
from .info import RuntimeInfo
from .live import LiveModel, Picture, Request
from .optical_flow import seen_motion
from .package import Card, Package
from .runtime import StepInput, Stepper

FURTHEST_GAP = 8
"""Frames over which an engine's motion is taken to go on as it is."""


class GeneratorModel(LiveModel):
    """A package and the stepper that runs it."""

    def __init__(self, package: Package, stepper: Stepper) -> None:
        card = package.card
        self.card, self._stepper, self.condition = card, stepper, card.condition
        self.name, self.styles = card.name, card.styles
        self.width, self.height, self.slots = (
            card.generator.width,
            card.generator.height,
            stepper.slots,
        )
        self._measures, self.classes = _domain(card)
        listed = card.condition_settings.get("tints")
        self._tints = Tints.from_list(listed, len(self.styles), len(self.classes))
        kind = torch.uint8 if self.classes else torch.float32
        self._condition = torch.zeros(self.slots, *card.generator.condition_shape, dtype=kind)
        self._style = torch.zeros(self.slots, len(self.styles))
        self._motion = torch.zeros(self.slots, 2, self.height // 4, self.width // 4)
        if stepper.device.type == "cuda":
            told = self._condition, self._style, self._motion
            self._condition, self._style, self._motion = (x.pin_memory() for x in told)
        self._last: list[Request | None] = [None] * self.slots

    @property
    def batch(self) -> int:
        return self._stepper.batch

    @property
    def info(self) -> RuntimeInfo:
        return self._stepper.info

    def conditioner(self, *, mirror: bool) -> Conditioner:
        if self._measures is not None:
            return PoseConditioner(self._measures, self.width // 4, self.height // 4, mirror=mirror)
        if self.classes:
            return LabelConditioner(self.classes, self.width, self.height, self._tints)
        return SketchConditioner(self.width, self.height, mirror=mirror)

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        active = torch.zeros(self.slots, dtype=torch.bool)
        for request in requests:
            if self._restyled(request):
                self.reset(request.slot)
            active[request.slot] = True
            self._condition[request.slot] = torch.from_numpy(request.seen.condition)
            self._style[request.slot] = torch.from_numpy(request.style)
            self._motion[request.slot] = self._motion_of(request)
        batch = StepInput(
            condition=self._condition, style=self._style, motion=self._motion, active=active
        )
        painted = self._stepper.paint(batch)
        for request in requests:
            self._last[request.slot] = request
        return [self._picture(painted.rgb[r.slot], painted.alpha[r.slot]) for r in requests]

    def _restyled(self, request: Request) -> bool:
        """Whether a world shall look different now: what was painted of it is of no use then."""
        before = self._last[request.slot]
        if before is None or not self.classes:
            return False
        return not np.array_equal(before.style, request.style)

    def _motion_of(self, request: Request) -> torch.Tensor:
        """What is told of the motion since the slot's last painted frame, px [2, H/4, W/4].

        Of an engine's motion vectors, which are since the frame before: as if they had been the
        same in the frames between that were not painted.
        """
        before = self._last[request.slot]
        if before is None:
            return torch.zeros(())
        if request.seen.motion is not None:
            gap = min(max(request.seq - before.seq, 1), FURTHEST_GAP)
            return torch.from_numpy(request.seen.motion) * gap
        if request.seen.picture is not None and before.seen.picture is not None:
            return torch.from_numpy(seen_motion(request.seen.picture, before.seen.picture))
        if request.seen.points is None or before.seen.points is None:
            return torch.zeros(())
        size = self.width // 4, self.height // 4
        moved = motion_between(request.seen.points, before.seen.points, *size)
        return torch.from_numpy(moved).mul_(self.height)

    def reset(self, slot: int) -> None:
        self._last[slot] = None
        self._stepper.reset(torch.arange(self.slots) == slot)

    def _picture(self, rgb: torch.Tensor, alpha: torch.Tensor) -> Picture:
        solid = alpha.numpy() if self.card.generator.backdrop else None
        return Picture(rgb=rgb.numpy(), alpha=solid)


def _domain(card: Card) -> tuple[Measures | None, tuple[str, ...]]:
    """The bones of a pose model, the classes of a labels model: none of both of a sketch model.

    Raises ModelError.
    """
    shape = card.generator
    if card.condition == "pose" and shape.condition_channels == LIMBS and not shape.classes:
        return Measures.from_dict(card.condition_settings), ()
    if card.condition == "labels" and shape.condition_channels == LABEL_CHANNELS:
        classes = tuple(card.condition_settings.get("classes", ()))
        if 0 < len(classes) == shape.classes:
            return None, classes
        raise ModelError(f"{card.name} names {len(classes)} classes and has {shape.classes}")
    if card.condition == "sketch" and shape.condition_channels == LINES and not shape.classes:
        check_settings(card.condition_settings)
        return None, ()
    raise ModelError(f"{card.name}: this build cannot make its condition {card.condition}")
