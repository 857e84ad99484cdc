"""The recurrent generator: one functional step, previous output in, next output out.

After Wang et al., "Video-to-Video Synthesis" (NeurIPS 2018): what was painted before is warped by
a flow and blended with what is painted anew; here the flow is what the condition tells of the
motion, corrected. Pictures are kept as premultiplied RGBA, so
the backdrop, where a model has one, is composited last and cannot drift.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .condition.labels.packing import OFFSETS, SCALES
from .config import GeneratorConfig
from .layers import RESIDUAL_SCALE, Stage, conv, enlarged, look_up, pixel_grid, unshuffled, warp

CODE = 32
EMBEDDING = 8
"""Numbers that a class is looked up as."""
MAX_FLOW = 0.25
"""Largest flow the generator predicts, as a share of the picture."""


@dataclass(frozen=True)
class State:
    """What one frame leaves for the next.

    image: premultiplied RGBA in 0..1, [B, 4, H, W]. features: of the previous condition,
    [B, C, H/4, W/4]. valid: 1 where there is a previous frame, [B]. fine: of a pyramid, what each
    finer stage painted, [B, 4, h, w].
    """

    image: Tensor
    features: Tensor
    valid: Tensor
    fine: tuple[Tensor, ...] = ()

    @property
    def picture(self) -> Tensor:
        """The finest picture, premultiplied RGBA."""
        return self.fine[-1] if self.fine else self.image

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it, in an order that `of` knows."""
        return self.image, self.features, self.valid, *self.fine

    @classmethod
    def of(cls, tensors: Iterable[Tensor]) -> "State":
        """Put together what `tensors` gave."""
        image, features, valid, *fine = tensors
        return cls(image, features, valid, tuple(fine))

    def each(self, change: Callable[[Tensor], Tensor]) -> "State":
        """Change every tensor alike."""
        return State.of(change(x) for x in self.tensors)


class Output(NamedTuple):
    """image: [B, 3, H, W] in -1..1, composited. alpha: [B, 1, H, W] in 0..1."""

    image: Tensor
    alpha: Tensor


class Details(NamedTuple):
    """What training looks at besides the output: painted RGBA, blend mask, flow, features."""

    painted: Tensor
    mask: Tensor
    flow: Tensor
    features: Tensor


class Painter(nn.Module, ABC):
    """What runtimes, packages and training know of a generator, or of a pyramid around one."""

    parts: nn.Conv2d | None
    grid: Tensor
    offsets: Tensor
    scales: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        height, width = config.height, config.width
        still = (height, width) if config.backdrop or not config.classes else (0, 0)
        backdrop = torch.zeros(1, 3, *still)
        self.backdrop = nn.Parameter(backdrop, requires_grad=config.backdrop)
        self.register_buffer("grid", pixel_grid(height, width), persistent=False)
        for name, numbers in (("offsets", OFFSETS), ("scales", SCALES)):
            self.register_buffer(name, torch.tensor(numbers)[:, None, None], persistent=False)

    @abstractmethod
    def initial_state(
        self, batch: int, height: int | None = None, width: int | None = None
    ) -> State:
        """Return the state before a first frame; of a window, where a size is given."""

    @abstractmethod
    def step_with_details(
        self,
        condition: Tensor,
        style: Tensor,
        state: State,
        motion: Tensor | None = None,
    ) -> tuple[Output, State, Details]:
        """As `step`, and also return what the losses look at."""

    def step(
        self,
        condition: Tensor,
        style: Tensor,
        state: State,
        motion: Tensor | None = None,
        active: Tensor | None = None,
    ) -> tuple[Output, State]:
        """Paint the next frame.

        condition [B, C, H/4, W/4] (of labels [B, C, H, W], also packed in 8 bits), style [B, S]
        weights, motion [B, 2, H/4, W/4]: what is told of the motion since the last frame, backward,
        in pixels of the picture; slots with active [B] false keep their state.
        """
        planes = self._unpacked(condition, style.dtype)
        output, following, _ = self.step_with_details(planes, style, state, motion)
        if active is not None:
            following = select(active, following, state)
        return output, following

    forward = step

    def _unpacked(self, condition: Tensor, dtype: torch.dtype) -> Tensor:
        """Planes of labels as numbers, see `condition.labels.packing`."""
        if condition.dtype != torch.uint8:
            return condition
        return ((condition.float() - self.offsets) * self.scales).to(dtype)

    def grid_for(self, image: Tensor) -> Tensor:
        """Return the pixel grid; training may run on crops, so it follows the picture's size."""
        return self.grid[..., : image.shape[-2], : image.shape[-1]]

    def shown(self, image: Tensor) -> Output:
        """What a viewer gets of premultiplied RGBA [B, 4, H, W]."""
        size, (rgb, alpha) = image.shape[2:], image.flatten(2).split([3, 1], 1)
        if self.config.backdrop:
            rgb = rgb + (1 - alpha) * self.backdrop_for(image).flatten(2)
        return Output((rgb * 2 - 1).unflatten(2, size), alpha.unflatten(2, size))

    def over_backdrop(self, image: Tensor) -> Tensor:
        """Composite premultiplied RGBA [B, 4, H, W] over the backdrop: RGB."""
        rgb, alpha = image[:, :3], image[:, 3:]
        return rgb + (1 - alpha) * self.backdrop_for(rgb)

    def backdrop_for(self, image: Tensor) -> Tensor:
        """Return the backdrop [1, 3, H, W] in 0..1, cut to the picture's size."""
        return self.backdrop[..., : image.shape[-2], : image.shape[-1]]

    def part_logits(self, features: Tensor) -> Tensor:
        """Classify `Details.features` into part labels, [B, parts, H/4, W/4]; training only."""
        assert self.parts is not None
        return self.parts(features)


class Generator(Painter):
    """Maps conditions to pictures; see `GeneratorConfig` for its shape."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        c, n = config.channels, config.blocks
        self.style = nn.Linear(config.styles, CODE)
        planes = config.condition_channels
        self.classes = nn.Embedding(config.classes, EMBEDDING) if config.classes else None
        self.detail = None
        if config.classes:
            looked_up = EMBEDDING + planes - 1
            self.detail = conv(4 * looked_up, c // 2, 1, scale=RESIDUAL_SCALE)
            planes = 16 * looked_up
        self.condition = conv(planes, c, 1)
        self.previous_condition = conv(planes, c, 1, scale=RESIDUAL_SCALE)
        self.previous_image = conv(4 * 16, c, 1)
        self.stage_4 = Stage(c, CODE, n[0])
        self.down_8 = conv(c, 2 * c, 2, stride=2)
        self.stage_8 = Stage(2 * c, CODE, n[1])
        self.down_16 = conv(2 * c, 4 * c, 2, stride=2)
        self.stage_16 = Stage(4 * c, CODE, n[2])
        self.up_8 = conv(4 * c, 8 * c, 1, scale=RESIDUAL_SCALE)
        self.stage_up_8 = Stage(2 * c, CODE, n[3])
        self.up_4 = conv(2 * c, 4 * c, 1, scale=RESIDUAL_SCALE)
        self.stage_up_4 = Stage(c, CODE, n[4])
        self.up_2 = conv(c, 2 * c, 1)
        self.paint = conv(c // 2, 5 * 4, 3, scale=RESIDUAL_SCALE)
        self.flow = conv(c, 2, 3, scale=0.1)
        self.parts = conv(c, config.parts, 1, scale=RESIDUAL_SCALE) if config.parts else None

    def initial_state(
        self, batch: int, height: int | None = None, width: int | None = None
    ) -> State:
        like = self.paint.weight
        height, width = height or self.config.height, width or self.config.width
        features = like.new_zeros(batch, self.config.channels, height // 4, width // 4)
        return State(like.new_zeros(batch, 4, height, width), features, like.new_zeros(batch))

    def step_with_details(
        self,
        condition: Tensor,
        style: Tensor,
        state: State,
        motion: Tensor | None = None,
    ) -> tuple[Output, State, Details]:
        valid = torch.zeros_like(state.valid) if self.config.memory == "none" else state.valid
        warm = valid[:, None, None, None] > 0.5
        previous = torch.where(warm, state.image, torch.zeros_like(state.image))
        remembered = torch.where(warm, state.features, torch.zeros_like(state.features))
        told = torch.zeros_like(previous[:, :2]) if motion is None else enlarged(motion)
        blended = self.config.memory == "blended"
        aligned = warp(previous, told, self.grid_for(previous)) if blended else previous
        planes, detail = self._planes(condition)
        x = self._features(planes, self.style(style), aligned, remembered)

        fine = F.relu(F.pixel_shuffle(self.up_2(x), 2) + detail)  # [B, C/2, H/2, W/2]
        painted, mask = torch.sigmoid(F.pixel_shuffle(self.paint(fine), 2)).split([4, 1], 1)
        mask = torch.where(warm, mask, torch.ones_like(mask))
        flow = told + enlarged(self.correction(x))
        moved = warp(previous, flow, self.grid_for(previous))
        image = moved + mask * (painted - moved) if blended else painted

        features = unshuffled(self.previous_condition, planes, self._cell)
        following = State(image, features, torch.ones_like(state.valid))
        return self.shown(image), following, Details(painted, mask, flow, x)

    def _planes(self, condition: Tensor) -> tuple[Tensor, Tensor | float]:
        """Planes, and of labels what is added at 1/2, where edges are sharper."""
        if self.classes is None or self.detail is None:
            return condition, 0.0
        planes = torch.cat(look_up(self.classes, condition), 1)
        return planes, unshuffled(self.detail, planes, 2)

    @property
    def _cell(self) -> int:
        """Pixels of a condition's planes to each at 1/4 resolution, along a side."""
        return 1 if self.classes is None else 4

    def _features(self, planes: Tensor, code: Tensor, previous: Tensor, old: Tensor) -> Tensor:
        told = unshuffled(self.condition, planes, self._cell)
        seen = told + unshuffled(self.previous_image, previous, 4) + old
        skip_4 = self.stage_4(F.relu(seen), code)  # [B, C, H/4, W/4]
        skip_8 = self.stage_8(F.relu(self.down_8(skip_4)), code)  # [B, 2C, H/8, W/8]
        deep = self.stage_16(F.relu(self.down_16(skip_8)), code)  # [B, 4C, H/16, W/16]
        x = self.stage_up_8(F.relu(F.pixel_shuffle(self.up_8(deep), 2) + skip_8), code)
        return F.relu(self.stage_up_4(F.relu(F.pixel_shuffle(self.up_4(x), 2) + skip_4), code))

    def correction(self, features: Tensor) -> Tensor:
        """What `Details.features` add to the motion, [B, 2, H/4, W/4] in pixels, float32."""
        largest = MAX_FLOW * max(self.config.width, self.config.height)
        return torch.tanh(self.flow(features).float()) * largest


def select(mask: Tensor, first: State, second: State) -> State:
    """Per slot: `first` where mask [B] is true, else `second`. Selecting, so NaN stays behind."""

    def choose(one: Tensor, other: Tensor) -> Tensor:
        return torch.where(mask.view(-1, *[1] * (one.dim() - 1)) > 0.5, one, other)

    return State.of(map(choose, first.tensors, second.tensors))
