"""Critics: one of whole pictures at two scales, given the condition, and one of small crops."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


def _layer(inputs: int, outputs: int, size: int, stride: int) -> nn.Module:
    return spectral_norm(nn.Conv2d(inputs, outputs, size, stride, padding=(size - 1) // 2))


class PatchCritic(nn.Module):
    """Judges patches of [B, 3, H, W] given planes [B, C, H/4, W/4] (PatchGAN, Isola et al. 2017).

    Returns the features of every layer, the last of them the scores.
    """

    def __init__(self, planes: int, channels: int = 32) -> None:
        super().__init__()
        self.first = _layer(3, channels, 4, 2)
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
    """The picture, the picture at half size, and close-ups of face and hands."""

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.full = PatchCritic(planes)
        self.halved = PatchCritic(planes)
        self.close = PatchCritic(0)

    def forward(self, image: Tensor, planes: Tensor, close: Tensor) -> list[list[Tensor]]:
        """image [B, 3, H, W], planes [B, C, H/4, W/4], close [B*K, 3, h, w]."""
        halved = F.avg_pool2d(image, 2)
        return [self.full(image, planes), self.halved(halved, planes), self.close(close)]


def close_ups(image: Tensor, points: Tensor, size: int = 48) -> Tensor:
    """Cut [B*K, C, size, size] around points [B, K, 2] (x, y in pixels), kept inside."""
    height, width = image.shape[-2:]
    cuts = []
    for picture, rows in zip(image, points.tolist(), strict=True):
        for x, y in rows:
            left = int(min(max(x - size / 2, 0), width - size))
            top = int(min(max(y - size / 2, 0), height - size))
            cuts.append(picture[:, top : top + size, left : left + size])
    return torch.stack(cuts)
