"""Finer stages around a generator: each doubles its picture and paints what is smaller.

Coarse to fine, as pix2pixHD (Wang et al., CVPR 2018) and vid2vid (Wang et al., NeurIPS 2018) do it.
Here a stage corrects the enlarged picture of the one below, has a memory of its own, warped and
blended at its own size, and starts as no correction at all. The generator in the middle need not be
trained again.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import GeneratorConfig
from .generator import CODE, EMBEDDING, Details, Generator, Output, Painter, State
from .layers import RESIDUAL_SCALE, Stage, conv, enlarged, look_up, speckle, unshuffled, warp

FURTHEST = 4.0
"""Largest correction of a stage's motion, in pixels of its own."""
CERTAIN = 0.02
"""How near to 0 or 1 the mask from below can be told apart from it, so that it can be corrected."""

EDGES = 2
"""The plane of a labels condition that tells where instances end: thin lines."""


class Told(NamedTuple):
    """What a stage is told: its condition, its motion at 1/4, where there is a past [B, 1, 1, 1],
    its previous picture, the pixel grid, and noise, of which textures can be made."""

    condition: Tensor
    motion: Tensor
    warm: Tensor
    previous: Tensor
    grid: Tensor
    noise: Tensor


class Layer(NamedTuple):
    """What a layer of the pyramid made.

    image: RGBA as shown, mask, correction of the motion at 1/4 of its size, in its pixels; painted
    and flow as in `Details`; features at 1/4 of its size.
    """

    image: Tensor
    mask: Tensor
    correction: Tensor
    painted: Tensor
    flow: Tensor
    features: Tensor


class FineStage(nn.Module):
    """Paints at twice the size of the layer below it."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        c, planes = config.fine_channels, config.condition_channels
        self.memory = config.memory
        self.style = nn.Linear(config.styles, CODE)
        self.classes = nn.Embedding(config.classes, EMBEDDING) if config.classes else None
        seen = 4 * (4 + 1 + (EMBEDDING + planes - 1 if config.classes else 0))
        self.condition = None if config.classes else conv(planes, c, 1)
        self.seen = conv(seen, c, 2, stride=2)
        self.deep = conv(config.channels, c, 1)
        self.below = conv(4 * 4, c, 1)
        self.stage = Stage(c, CODE, config.fine_blocks)
        self.up_2 = conv(c, 2 * c, 1)
        self.detail = conv(seen, c // 2, 1, scale=RESIDUAL_SCALE)
        self.paint = conv(c // 2, 5 * 4, 3, scale=0.0)
        self.flow = conv(c, 2, 3, scale=0.0)

    def forward(self, told: Told, style: Tensor, below: Layer, deep: Tensor) -> Layer:
        """Paint; deep: features of the generator in the middle, [B, C, h, w]."""
        blended = self.memory == "blended"
        previous = torch.where(told.warm, told.previous, torch.zeros_like(told.previous))
        correction = 2 * enlarged(below.correction, 2)
        known = enlarged(told.motion + correction)
        aligned = warp(previous, known, told.grid) if blended else previous
        seen = self._seen(told, aligned)
        x = unshuffled(self.seen, seen, 2) + unshuffled(self.below, below.image, 2)
        x = x + _doubled(self.deep(deep), x.shape[-1] // deep.shape[-1])
        if self.condition is not None:
            x = x + self.condition(told.condition)
        features = F.relu(self.stage(F.relu(x), self.style(style)))

        half = F.pixel_shuffle(self.up_2(features), 2)
        fine = F.relu(half + unshuffled(self.detail, seen, 2))  # [B, C/2, H/2, W/2]
        change, doubt = F.pixel_shuffle(self.paint(fine), 2).split([4, 1], 1)
        painted = (_doubled(below.image) + change).clamp(0, 1)
        likely = _doubled(below.mask).clamp(CERTAIN, 1 - CERTAIN)
        mask = torch.sigmoid(doubt + torch.log(likely / (1 - likely)))
        mask = torch.where(told.warm, mask, torch.ones_like(mask))
        own = FURTHEST * torch.tanh(self.flow(features).float())
        flow = known + enlarged(own)
        moved = warp(previous, flow, told.grid)
        image = moved + mask * (painted - moved) if blended else painted
        return Layer(image, mask, correction + own, painted, flow, features)

    def _seen(self, told: Told, aligned: Tensor) -> Tensor:
        """What has full resolution: memory, noise and labels."""
        planes = look_up(self.classes, told.condition) if self.classes is not None else ()
        noise = told.noise.to(aligned.dtype).expand(len(aligned), -1, -1, -1)
        return torch.cat([*planes, aligned, noise], 1)


class Pyramid(Painter):
    """A generator and the finer stages around it; see `GeneratorConfig.stages`."""

    noise: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.coarse = Generator(config.coarse)
        self.stages = nn.ModuleList(FineStage(config) for _ in range(config.stages))
        noise = speckle(config.height, config.width)
        self.register_buffer("noise", noise, persistent=False)
        fine = config.fine_channels
        self.parts = conv(fine, config.parts, 1, scale=RESIDUAL_SCALE) if config.parts else None

    def initial_state(
        self, batch: int, height: int | None = None, width: int | None = None
    ) -> State:
        height, width = height or self.config.height, width or self.config.width
        count = self.config.stages
        coarse = self.coarse.initial_state(batch, height >> count, width >> count)
        fine = (
            coarse.image.new_zeros(batch, 4, height >> step, width >> step)
            for step in reversed(range(count))
        )
        return State(coarse.image, coarse.features, coarse.valid, tuple(fine))

    def step_with_details(
        self,
        condition: Tensor,
        style: Tensor,
        state: State,
        motion: Tensor | None = None,
    ) -> tuple[Output, State, Details]:
        height, width = state.picture.shape[-2:]
        if motion is None:
            motion = torch.zeros(len(style), 2, height // 4, width // 4, device=condition.device)
        count = self.config.stages
        planes = [self._shrunk(condition, 1 << step) for step in reversed(range(count + 1))]
        motions = [_slower(motion, 1 << step) for step in reversed(range(count + 1))]
        _, following, made = self.coarse.step_with_details(planes[0], style, state, motions[0])
        correction = self.coarse.correction(made.features)
        layer = Layer(
            following.image, made.mask, correction, made.painted, made.flow, made.features
        )

        valid = torch.zeros_like(state.valid) if self.config.memory == "none" else state.valid
        warm, fine = valid[:, None, None, None] > 0.5, []
        for i, (stage, previous) in enumerate(zip(self.stages, state.fine, strict=True)):
            grid, noise = self.grid_for(previous), self._noise_for(previous)
            told = Told(planes[i + 1], motions[i + 1], warm, previous, grid, noise)
            layer = stage(told, style, layer, made.features)
            fine.append(layer.image)
        following = State(following.image, following.features, following.valid, tuple(fine))
        details = Details(layer.painted, layer.mask, layer.flow, layer.features)
        return self.shown(layer.image), following, details

    def _noise_for(self, image: Tensor) -> Tensor:
        return self.noise[..., : image.shape[-2], : image.shape[-1]]

    def _shrunk(self, condition: Tensor, scale: int) -> Tensor:
        """A condition at a fraction of its size; of labels the nearest, and every edge."""
        if scale == 1:
            return condition
        if not self.config.classes:
            return F.avg_pool2d(condition, scale)
        nearest = condition[..., scale // 2 :: scale, scale // 2 :: scale]
        edges = F.max_pool2d(condition[:, EDGES : EDGES + 1], scale)
        return torch.cat([nearest[:, :EDGES], edges, nearest[:, EDGES + 1 :]], 1)


def build(config: GeneratorConfig) -> Painter:
    """Make what a configuration describes."""
    return Pyramid(config) if config.stages else Generator(config)


def _doubled(x: Tensor, scale: int = 2) -> Tensor:
    return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


def _slower(motion: Tensor, scale: int) -> Tensor:
    """Motion [B, 2, h, w] of a picture a fraction as large: the nearest, in its pixels."""
    return motion[..., scale // 2 :: scale, scale // 2 :: scale] / scale
