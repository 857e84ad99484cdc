"""How good pictures [B, 3, H, W] in 0..1 are, and how they move."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..model.layers import pixel_grid, warp
from ..model.optical_flow import flow

_SSIM_SIDE, _SSIM_SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr(x: Tensor, y: Tensor, inside: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB of each picture [B]; `inside` [B, 1, H, W]: only there."""
    error = (x - y).pow(2).mean(1, keepdim=True)
    where = torch.ones_like(error) if inside is None else inside
    mean = (error * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp(min=1)
    return -10 * torch.log10(mean.clamp(min=1e-10))


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity of each picture's luma [B] (Wang et al. 2004: 11x11, sigma 1.5)."""
    steps = torch.arange(_SSIM_SIDE, device=x.device) - _SSIM_SIDE // 2
    bell = torch.exp(-steps.float().pow(2) / (2 * _SSIM_SIGMA**2))
    bell = bell / bell.sum()
    window = (bell[:, None] * bell[None])[None, None]
    luma = torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)
    a, b = ((picture * luma).sum(1, keepdim=True) for picture in (x, y))
    mean_a, mean_b = F.conv2d(a, window), F.conv2d(b, window)
    var_a = F.conv2d(a * a, window) - mean_a**2
    var_b = F.conv2d(b * b, window) - mean_b**2
    both = F.conv2d(a * b, window) - mean_a * mean_b
    likeness = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    return (likeness / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2))).mean((1, 2, 3))


def warping_error(now: Tensor, before: Tensor, motion: Tensor, inside: Tensor) -> Tensor:
    """Mean squared difference of a picture and the one before it moved along (Lai et al. 2018).

    motion [B, 2, H, W]: where each pixel was, as an offset in pixels. inside [B, 1, H, W]: pixels
    that were to be seen before. Times 1000, per picture [B].
    """
    grid = pixel_grid(now.shape[-2], now.shape[-1]).to(now.device)
    apart = (now - warp(before, motion, grid)).pow(2).mean(1, keepdim=True)
    return 1000 * (apart * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3)).clamp(min=1)


def frechet(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Frechet distance of two sets of features [N, F], each taken as one Gaussian."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    apart = x.mean(0) - y.mean(0)
    s, t = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(s @ t).real, 0)).sum()
    return float(max(apart @ apart + np.trace(s) + np.trace(t) - 2 * roots, 0))


def flow_difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """TOF: mean length of the difference of two flows, in pixels (Chu et al. 2020)."""
    return float(np.linalg.norm(a - b, axis=-1).mean())


def to_bytes(picture: Tensor) -> NDArray[np.uint8]:
    """[1, 3, H, W] in 0..1 -> uint8 [H, W, 3]."""
    return (picture[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()


class Steadying:
    """Blends each picture of a film with the one before, moved along their optical flow.

    What per-frame methods do to become video (as in Chen et al., "Coherent Online Video Style
    Transfer", 2017): TRUST of the past where both agree, none where they differ by some TOLERANCE.
    """

    TRUST, TOLERANCE = 0.7, 0.08

    def __init__(self) -> None:
        self._past: tuple[Tensor, Tensor] | None = None

    def __call__(self, picture: Tensor) -> Tensor:
        """Steady the film's next picture [1, 3, H, W] in 0..1."""
        made = picture
        if self._past is not None:
            before, steadied = self._past
            moved = torch.from_numpy(flow(to_bytes(picture), to_bytes(before)))
            motion = moved.permute(2, 0, 1)[None].to(picture.device)
            grid = pixel_grid(*picture.shape[-2:]).to(picture.device)
            before, steadied = warp(torch.cat([before, steadied], 1), motion, grid).chunk(2, 1)
            apart = (picture - before).abs().amax(1, keepdim=True)
            trust = self.TRUST * torch.exp(-((apart / self.TOLERANCE) ** 2))
            made = picture + trust * (steadied - picture)
        self._past = picture, made
        return made
