"""Critics: of whole pictures at two scales, of close-ups, and of how pictures follow each other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ..model.layers import pixel_grid, warp
from .config import NARROWEST

FRAMES = 3
"""Length of a succession (K of Wang et al. 2018)."""


def _layer(inputs: int, outputs: int, size: int, stride: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, size, stride, padding=(size - 1) // 2))


class PatchCritic(nn.Module):
    """Judges patches of [B, N, H, W] given planes [B, C, h, w] (PatchGAN, Isola et al. 2017).

    Returns the features of every layer, the last of them the scores.
    """

    def __init__(self, planes: int, channels: int = 32, inputs: int = 3) -> None:
        super().__init__()
        self.first = _layer(inputs, channels, 4, 2)
        self.second = _layer(channels, 2 * channels, 4, 2)
        self.planes = _layer(planes, channels, 1, 1) if planes else None
        joined = 3 * channels if planes else 2 * channels
        self.third = _layer(joined, 4 * channels, 4, 2)
        self.fourth = _layer(4 * channels, 4 * channels, 3, 1)
        self.score = _layer(4 * channels, 1, 3, 1)

    def forward(self, image: Tensor, planes: Tensor | None = None) -> list[Tensor]:
        """Judge a batch."""
        a = F.leaky_relu(self.first(image), 0.2)
        b = F.leaky_relu(self.second(a), 0.2)
        joined = b
        if self.planes is not None and planes is not None:
            fitted = F.interpolate(planes, size=b.shape[-2:], mode="area")
            joined = torch.cat([b, self.planes(fitted)], 1)
        c = F.leaky_relu(self.third(joined), 0.2)
        d = F.leaky_relu(self.fourth(c), 0.2)
        return [a, b, c, d, self.score(d)]


class Critics(nn.Module):
    """The picture, the picture at half size, close-ups of face and hands; and successions.

    There is a critic of successions for each stride in time (D_V of Wang et al. 2018).
    """

    def __init__(self, planes: int, strides: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        self.full = PatchCritic(planes)
        self.halved = PatchCritic(planes)
        self.close = PatchCritic(0)
        self.successions = nn.ModuleDict(
            {str(stride): PatchCritic(2 * (FRAMES - 1), inputs=3 * FRAMES) for stride in strides}
        )

    def forward(self, judged: "Judged") -> list[list[Tensor]]:
        """Judge pictures, close-ups and, where there are any, successions."""
        halved = F.avg_pool2d(judged.image, 2)
        found = [
            self.full(judged.image, judged.planes),
            self.halved(halved, judged.planes),
            self.close(judged.close),
        ]
        for stride, film in judged.films.items():
            found.append(self.successions[str(stride)](film.pictures, film.flows))
        return found


class Film(NamedTuple):
    """A succession: pictures [N, 3 * FRAMES, H/2, W/2], and the flow of each but the first to the
    one before [N, 2 * (FRAMES - 1), H/4, W/4], in pixels of the full size."""

    pictures: Tensor
    flows: Tensor


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What critics look at.

    image [B, 3, H, W], planes [B, C, H/4, W/4], close [B*K, 3, h, w], films: by their strides,
    those for which some streams have gone on for long enough.
    """

    image: Tensor
    planes: Tensor
    close: Tensor
    films: dict[int, Film]

    def detach(self) -> "Judged":
        """Cut it off from what painted it."""
        films = {
            stride: film._replace(pictures=film.pictures.detach())
            for stride, film in self.films.items()
        }
        return replace(self, image=self.image.detach(), close=self.close.detach(), films=films)


class Moment(NamedTuple):
    """Pictures at half size, painted and true [B, 3, H/2, W/2], the motion since the moment before
    [B, 2, H/4, W/4], and the streams that began [B]."""

    painted: Tensor
    true: Tensor
    motion: Tensor
    start: Tensor


class History:
    """The last moments of every stream, as many as the longest stride asks for.

    A stride counts moments; in frames of a clip it is as many times as long as the stream's gap.
    """

    def __init__(self, strides: tuple[int, ...] = (1,)) -> None:
        self.strides = strides
        self._past: list[Moment] = []

    def state_dict(self) -> list[list[Tensor]]:
        """Everything, for an exact resume."""
        return [list(moment) for moment in self._past]

    def load_state_dict(self, state: list[list[Tensor]]) -> None:
        """Go on where `state_dict` left off."""
        self._past = [Moment(*moment) for moment in state]

    def push(self, painted: Tensor, true: Tensor, motion: Tensor, start: Tensor) -> None:
        """Note a moment: pictures [B, 3, H, W], motion [B, 2, H/4, W/4], streams that began [B]."""
        painted, true = (F.avg_pool2d(x, 2) for x in (painted.detach(), true))
        longest = (FRAMES - 1) * max(self.strides) + 1
        self._past = [*self._past, Moment(painted, true, motion, start)][-longest:]

    def successions(self, painted: Tensor) -> tuple[dict[int, Film], dict[int, Film]]:
        """Return true and painted films by their strides, of streams that went on for long enough.

        `painted` [B, 3, H, W] is the last moment's, with its gradient.
        """
        truths, films = {}, {}
        for stride in self.strides:
            span = self._past[-(FRAMES - 1) * stride - 1 :]
            if len(span) <= (FRAMES - 1) * stride:
                continue
            going_on = ~torch.stack([moment.start for moment in span[1:]]).any(0)
            if not going_on.any():
                continue
            motions = [moment.motion for moment in span[1:]]
            steps = [motions[i : i + stride] for i in range(0, len(motions), stride)]
            flows = torch.cat([composed(step) for step in steps], 1)[going_on]
            shown = [m.painted for m in span[:-1:stride]] + [F.avg_pool2d(painted, 2)]
            true = torch.cat([m.true for m in span[::stride]], 1)
            truths[stride] = Film(true[going_on], flows)
            films[stride] = Film(torch.cat(shown, 1)[going_on], flows)
        return truths, films


def composed(motions: Sequence[Tensor]) -> Tensor:
    """Backward flows of successive moments, oldest first, as one over all of them.

    Each is [B, 2, H/4, W/4] in pixels of the full size, and so is what comes of them: what is at p
    was at q = p + m(p) a moment ago, and at q + m'(q) two moments ago.
    """
    *earlier, flow = motions
    grid = pixel_grid(*flow.shape[-2:]).to(flow.device)
    for motion in reversed(earlier):
        flow = flow + warp(motion, flow / 4, grid)
    return flow


def close_ups(image: Tensor, points: Tensor, size: int = NARROWEST) -> Tensor:
    """Cut [B*K, C, size, size] around points [B, K, 2] (x, y in pixels), kept inside."""
    height, width = image.shape[-2:]
    cuts = []
    for picture, rows in zip(image, points.tolist(), strict=True):
        for x, y in rows:
            left = int(min(max(x - size / 2, 0), width - size))
            top = int(min(max(y - size / 2, 0), height - size))
            cuts.append(picture[:, top : top + size, left : left + size])
    return torch.stack(cuts)
