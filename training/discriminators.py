"""Critics: of whole pictures at two scales, of close-ups, and of how pictures follow each other."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

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

    A succession is FRAMES pictures at half size given the motion between them, exact or as the
    condition tells it (D_V of Wang et al. 2018; its temporal strides are the streams' gaps).
    """

    def __init__(self, planes: int, successions: bool = True) -> None:
        super().__init__()
        self.full = PatchCritic(planes)
        self.halved = PatchCritic(planes)
        self.close = PatchCritic(0)
        films = PatchCritic(2 * (FRAMES - 1), inputs=3 * FRAMES)
        self.succession = films if successions else None

    def forward(self, judged: "Judged") -> list[list[Tensor]]:
        """Judge pictures, close-ups and, where there are any, successions."""
        halved = F.avg_pool2d(judged.image, 2)
        found = [
            self.full(judged.image, judged.planes),
            self.halved(halved, judged.planes),
            self.close(judged.close),
        ]
        if self.succession is not None and judged.film is not None:
            found.append(self.succession(judged.film, judged.flows))
        return found


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What critics look at.

    image [B, 3, H, W], planes [B, C, H/4, W/4], close [B*K, 3, h, w], film and flows: what
    `History.successions` returns.
    """

    image: Tensor
    planes: Tensor
    close: Tensor
    film: Tensor | None
    flows: Tensor | None

    def detach(self) -> "Judged":
        """Cut it off from what painted it."""
        film = None if self.film is None else self.film.detach()
        return replace(self, image=self.image.detach(), close=self.close.detach(), film=film)


class History:
    """The last pictures of every stream, painted and true, and how they moved."""

    def __init__(self) -> None:
        self._past: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []

    def state_dict(self) -> list[list[Tensor]]:
        """Everything, for an exact resume."""
        return [list(moment) for moment in self._past]

    def load_state_dict(self, state: list[list[Tensor]]) -> None:
        """Go on where `state_dict` left off."""
        self._past = [(a, b, c, d) for a, b, c, d in state]

    def push(self, painted: Tensor, true: Tensor, motion: Tensor, start: Tensor) -> None:
        """Note a moment: pictures [B, 3, H, W], motion [B, 2, h, w], streams that began [B]."""
        halves = (F.avg_pool2d(x, 2) for x in (painted.detach(), true))
        painted, true = halves
        self._past = [*self._past, (painted, true, motion, start)][-FRAMES:]

    def successions(
        self, painted: Tensor
    ) -> tuple[Tensor, Tensor, Tensor] | tuple[None, None, None]:
        """Return true and painted pictures [N, 3 * FRAMES, H/2, W/2], and flows [N, 4, h, w].

        Of the streams that have gone on for long enough; Nones where none has. `painted` is the
        last moment's, with its gradient.
        """
        if len(self._past) < FRAMES:
            return None, None, None
        ready = ~torch.stack([start for *_, start in self._past[1:]]).any(0)
        if not ready.any():
            return None, None, None
        films, truths, motions, _ = zip(*self._past, strict=True)
        film = torch.cat([*films[:-1], F.avg_pool2d(painted, 2)], 1)[ready]
        return torch.cat(truths, 1)[ready], film, torch.cat(motions[1:], 1)[ready]


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
