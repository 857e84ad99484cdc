"""Clips as the live path would play them to a model: conditions, what is told of motion, truth."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..model.condition.labels.conditioner import LabelConditioner
from ..model.condition.labels.tints import Tints
from ..model.condition.pose.draw import draw
from ..model.condition.pose.motion import motion_between
from ..model.condition.pose.skeleton import Measures
from ..model.condition.sketch.conditioner import SketchConditioner
from ..model.errors import InputError
from ..model.generator import Painter
from ..model.optical_flow import seen_motion
from ..model.package import Card
from .clip_format import clip_folders
from .clips import Clip, premultiplied
from .label_clips import LabelClip, things
from .losses import same_thing
from .rgb_clip import opaque
from .sketch_clips import SketchClip, was_seen
from .streams import Playable

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame of a clip.

    condition [1, C, h, w], truth [1, 3, H, W] in 0..1, motion [1, 2, H, W], body and was_seen
    [1, 1, H, W]: where what counts is, and where it was to be seen before; joints [J, 3]: what a
    pose was drawn from; picture [H, W]: what a sketch was drawn from; told [2, H/4, W/4]: the
    motion that came with labels.
    """

    condition: Tensor
    truth: Tensor
    body: Tensor
    motion: Tensor
    was_seen: Tensor
    joints: Floats | None = None
    picture: NDArray[np.uint8] | None = None
    told: Floats | None = None

    def motion_since(self, before: "Moment | None") -> Floats | None:
        """What is told of the motion since another moment, [2, H/4, W/4] in pixels."""
        if before is None:
            return None
        if self.picture is not None and before.picture is not None:
            return seen_motion(self.picture, before.picture)
        if self.joints is None or before.joints is None:
            return self.told
        height, width = self.truth.shape[-2:]
        return motion_between(self.joints, before.joints, width // 4, height // 4) * height


class Player(ABC):
    """Opens clips that fit a model, and plays them."""

    def __init__(self, card: Card, generator: Painter, device: torch.device) -> None:
        self.card, self.generator, self.device = card, generator, device

    def open(self, folder: Path, count: int | None) -> list[Playable]:
        """Open clips that fit the model. Raises InputError for others."""
        found = [self._open(path) for path in clip_folders(folder)[:count]]
        styles, config = len(self.card.styles), self.generator.config
        for clip in found:
            if clip.style >= styles:
                raise InputError(f"{clip.folder} shows style {clip.style}; the model has {styles}")
            if clip.size != (config.width, config.height):
                width, height = clip.size
                raise InputError(
                    f"{clip.folder} is {width}x{height}; the model paints "
                    f"{config.width}x{config.height}"
                )
        return found

    @abstractmethod
    def _open(self, folder: Path) -> Playable: ...

    @abstractmethod
    def play(self, clip: Playable, frames: int) -> Iterator[Moment]:
        """The first frames of a clip that `open` opened."""

    def _on_device(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.asarray(values))[None].to(self.device)

    def _motion(self, small: NDArray[np.floating], size: tuple[int, int]) -> Tensor:
        """Motion [2, H/4, W/4] at full size, [1, 2, H, W]."""
        motion = self._on_device(small.astype(np.float32))
        return F.interpolate(motion, (size[1], size[0]), mode="bilinear")


class PosePlayer(Player):
    """People: the joints as the live retargeting makes them."""

    def _open(self, folder: Path) -> Clip:
        return Clip(folder, Measures.from_dict(self.card.condition_settings))

    def play(self, clip: Playable, frames: int) -> Iterator[Moment]:
        assert isinstance(clip, Clip)
        width, height = clip.size
        parts = torch.from_numpy(np.array(clip.parts[:frames])).to(self.device)
        for t in range(min(frames, len(clip))):
            joints = clip.retargeted[t]
            motion = self._motion(clip.motion[t], clip.size)
            body = (parts[t] > 0)[None, None].float()
            target = premultiplied(clip.rgba[t])[None].to(self.device)
            yield Moment(
                condition=self._on_device(draw(joints, width // 4, height // 4)),
                joints=joints,
                truth=self.generator.over_backdrop(target),
                body=body,
                motion=motion,
                was_seen=body * same_thing(parts[t][None], parts[max(t - 1, 0)][None], motion),
            )


class LabelPlayer(Player):
    """Scenes, with every plane an engine may send."""

    def __init__(self, card: Card, generator: Painter, device: torch.device) -> None:
        super().__init__(card, generator, device)
        settings, classes = card.condition_settings, generator.config.classes
        tints = Tints.from_list(settings.get("tints"), len(card.styles), classes)
        size = generator.config.width, generator.config.height
        self._conditioner = LabelConditioner(settings["classes"], *size, tints)

    def _open(self, folder: Path) -> LabelClip:
        clip = LabelClip(folder)
        classes = list(self.card.condition_settings["classes"])
        if clip.classes != classes:
            raise InputError(
                f"{folder} has the classes {', '.join(clip.classes)}; the model's are "
                f"{', '.join(classes)}"
            )
        return clip

    def play(self, clip: Playable, frames: int) -> Iterator[Moment]:
        assert isinstance(clip, LabelClip)
        self._conditioner.set_style(clip.style)
        before: Tensor | None = None
        for t in range(min(frames, len(clip))):
            label, instance = np.array(clip.label[t]), np.array(clip.instance[t])
            planes = {"label": label, "instance": instance, "depth": np.array(clip.depth[t])}
            seen = self._conditioner.observe(planes, t)
            motion = self._motion(clip.motion[t], clip.size)
            now = things(label, instance)[None].to(self.device)
            yield Moment(
                condition=self._on_device(seen.condition),
                told=clip.motion[t].astype(np.float32),
                truth=opaque(clip.rgb[t])[None, :3].to(self.device),
                body=torch.ones(1, 1, *label.shape, device=self.device),
                motion=motion,
                was_seen=same_thing(now, now if before is None else before, motion),
            )
            before = now


class SketchPlayer(Player):
    """Plain videos: the lines that the live path draws of them."""

    def _open(self, folder: Path) -> SketchClip:
        return SketchClip(folder)

    def play(self, clip: Playable, frames: int) -> Iterator[Moment]:
        assert isinstance(clip, SketchClip)
        conditioner = SketchConditioner(*clip.size, mirror=False)
        for t in range(min(frames, len(clip))):
            rgb, before = (np.array(clip.rgb[i]) for i in (t, max(t - 1, 0)))
            observed = conditioner.observe({"rgb": rgb}, t)
            there = was_seen(rgb, before, clip.motion[t])
            yield Moment(
                condition=self._on_device(observed.condition),
                picture=observed.picture,
                truth=opaque(rgb)[None, :3].to(self.device),
                body=torch.ones(1, 1, *rgb.shape[:2], device=self.device),
                motion=self._motion(clip.motion[t], clip.size),
                was_seen=self._on_device(there[None]).float(),
            )


PLAYERS: dict[str, type[Player]] = {
    "pose": PosePlayer,
    "labels": LabelPlayer,
    "sketch": SketchPlayer,
}
