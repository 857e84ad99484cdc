"""Pictures to look at while a run goes on."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.condition.labels.palette import palette
from ..model.video import TimedPicture, VideoWriter
from .streams import Domain

SAMPLE_FPS = 30.0


def write_sample(path: Path, frames: Iterator[Tensor]) -> None:
    """Write pictures [3, H, W] in -1..1 as a video."""
    first = next(frames)
    with VideoWriter(path, first.shape[2], first.shape[1], SAMPLE_FPS) as writer:
        for t, frame in enumerate(chain([first], frames)):
            rgb = ((frame + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
            writer.write(TimedPicture(rgb=rgb, time_s=t / SAMPLE_FPS))


def in_colours(condition: Tensor, domain: Domain) -> Tensor:
    """A condition to look at, [B, 3, H, W]: every plane, or every class, in its colour."""
    if domain.classes:
        table = torch.from_numpy(palette(tuple(domain.settings["classes"]))).to(condition.device)
        return table[condition[:, 0].long()].permute(0, 3, 1, 2) / 127.5 - 1
    if domain.condition == "sketch":
        return F.pixel_shuffle(condition, 4).expand(-1, 3, -1, -1) * 2 - 1
    hues = 6.28 * torch.arange(condition.shape[1], device=condition.device) / 7
    colours = 0.5 + 0.5 * torch.stack([torch.cos(hues + shift) for shift in (0, 2.1, 4.2)])
    shown = torch.einsum("nc,bchw->bnhw", colours, condition.clamp(0, 1)).clamp(0, 1)
    return F.interpolate(shown, scale_factor=4, mode="bilinear") * 2 - 1
