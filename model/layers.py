"""Convolution blocks, style modulation and warping."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RESIDUAL_SCALE = 0.3
"""Initial scale of residual branches and heads: without it an un-normalised net dies early."""


class Block(nn.Module):
    """Residual pair of 3x3 convolutions, modulated by a style code (FiLM, Perez et al. 2018)."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(code, 2 * channels)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.kaiming_normal_(self.second.weight, nonlinearity="relu")
        nn.init.normal_(self.film.weight, std=0.02)
        for bias in (self.first.bias, self.second.bias, self.film.bias):
            assert bias is not None
            nn.init.zeros_(bias)
        with torch.no_grad():
            self.second.weight.mul_(RESIDUAL_SCALE)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """x [B, C, h, w], code [B, E] -> [B, C, h, w]."""
        scale, shift = self.film(code)[:, :, None, None].chunk(2, dim=1)
        return x + self.second(F.relu(self.first(x) * (1 + scale) + shift))


class Stage(nn.Module):
    """A run of blocks at one resolution."""

    def __init__(self, channels: int, code: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(channels, code) for _ in range(blocks))

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """x [B, C, h, w], code [B, E] -> [B, C, h, w]."""
        for block in self.blocks:
            x = block(x, code)
        return x


def conv(inputs: int, outputs: int, size: int, *, stride: int = 1, scale: float = 1.0) -> nn.Conv2d:
    """A He-initialised convolution with zero bias, its weights scaled by `scale`."""
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=(size - 1) // 2)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    with torch.no_grad():
        layer.weight.mul_(scale)
    return layer


def unshuffled(layer: nn.Conv2d, x: Tensor, scale: int) -> Tensor:
    """`layer(pixel_unshuffle(x, scale))` of a layer whose stride is its size, as one convolution.

    Moving pixels into channels first costs as much as the convolution itself.
    """
    outputs, inputs, size, _ = layer.weight.shape
    apart = layer.weight.view(outputs, inputs // scale**2, scale, scale, size, size)
    together = apart.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)
    return F.conv2d(x, together, layer.bias, stride=size * scale)


def look_up(classes: nn.Embedding, condition: Tensor) -> tuple[Tensor, Tensor]:
    """Ids and other planes [B, C, H, W] -> numbers of the ids [B, E, H, W], the other planes.

    Every class is looked up, not convolved one-hot.
    """
    ids, others = condition[:, 0].long(), condition[:, 1:]
    found = classes.weight.t().index_select(1, ids.flatten())
    return found.unflatten(1, ids.shape).transpose(0, 1), others.to(found.dtype)


def enlarged(small: Tensor, scale: int = 4) -> Tensor:
    """A flow [B, 2, h, w] at `scale` times the size, in float32; its numbers stay."""
    return F.interpolate(small.float(), scale_factor=scale, mode="bilinear", align_corners=False)


def pixel_grid(height: int, width: int) -> Tensor:
    """Centres of the pixels in pixels, float32 [1, 2, H, W] (x, y)."""
    ys, xs = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([xs, ys])[None].float()


def speckle(height: int, width: int) -> Tensor:
    """Noise of unit variance, the same for ever: a hash of each pixel's place, [1, 1, H, W]."""
    ys, xs = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    mixed = (xs * 374761393 + ys * 668265263) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 13)) * 1274126177) & 0xFFFFFFFF
    mixed = mixed ^ (mixed >> 16)
    return ((mixed.double() / 2**32 - 0.5) * 12**0.5)[None, None].float()


def warp(image: Tensor, flow: Tensor, grid: Tensor) -> Tensor:
    """Fetch image [B, C, H, W] at grid + flow (backward, pixels, x right, y down).

    The sampling grid is float32 whatever the image is: half precision moves pixels.
    """
    height, width = image.shape[-2:]
    x, y = (grid + flow.float()).unbind(1)
    where = torch.stack([x * (2 / width) - 1, y * (2 / height) - 1], 1).permute(0, 2, 3, 1)
    sampled = F.grid_sample(image.float(), where, padding_mode="border", align_corners=False)
    return sampled.to(image.dtype)
