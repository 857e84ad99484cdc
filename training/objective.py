"""What a painted frame is held against: the terms of the objective, and the critics."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.generator import Details, Output, Painter, State
from ..model.layers import warp
from . import losses
from .config import TrainConfig
from .discriminators import Critics, History, Judged, close_ups
from .distributed import ALONE, World
from .landmarker import PoseDistance
from .streams import Batch, Domain

SQUARE = 8
"""Pixels of the coarsest picture whose mean colour finer ones keep."""


class Painted(NamedTuple):
    """A step: the state before it, what it painted, the state after it, and its details."""

    state: State
    output: Output
    following: State
    details: Details


class Objective:
    """Weighs a step of `generator`, and steps the critics."""

    def __init__(
        self,
        config: TrainConfig,
        generator: Painter,
        critics: Critics,
        critic_optimizer: torch.optim.Optimizer,
        history: History,
        domain: Domain,
        world: World = ALONE,
    ) -> None:
        self.config, self.generator, self.history = config, generator, history
        self.critics, self.critic_optimizer, self.world = critics, critic_optimizer, world
        self.device = torch.device(config.device)
        self.emphasis = domain.weights.to(self.device)
        self.everywhere = domain.backdrop is None
        wanted = config.perceptual if config.weights.perceptual else "none"
        backbone = losses.open_perceptual(wanted)
        self.perceptual = None if backbone is None else backbone.to(self.device)
        posed = config.weights.pose and domain.condition == "pose"
        self.pose = PoseDistance().to(self.device) if posed else None

    def autocast(self) -> torch.autocast:
        """Half precision where it does no harm."""
        return torch.autocast(self.device.type, torch.bfloat16)

    def terms(self, batch: Batch, made: Painted, step: int) -> tuple[Tensor, dict[str, float]]:
        """Weigh everything but the critics; what is dear counts double at every other step."""
        state, output, following, details = made
        self._note(batch, output)
        weights = self.config.weights
        emphasis = losses.part_weights(batch.parts, self.emphasis)
        painted = following.picture.float()
        inside = self._figure(batch)[:, :, 2::4, 2::4]
        seen = self._seen(batch, state)
        known = batch.motion_known & (state.valid > 0.5)
        terms: dict[str, Callable[[], Tensor]] = {
            "reconstruction": lambda: losses.weighted_l1(painted, batch.target, emphasis),
            "painted": lambda: losses.weighted_l1(details.painted.float(), batch.target, emphasis),
            "gradient": lambda: losses.gradient_l1(painted, batch.target, emphasis),
            "change": lambda: self._change(batch, state, painted, seen),
            "repainting": lambda: (details.mask.float() * seen * emphasis).mean(),
            "warped": lambda: self._warped(batch, details, emphasis),
            "flow": lambda: losses.flow_error(details.flow, batch.motion, inside, known),
        }
        if following.fine:
            tones = [_tone(x, following.image) for x in following.fine]
            terms["tone"] = lambda: torch.stack(tones).mean()
        if below := [x for x in following.fine[:-1] if x.requires_grad]:
            sizes = [_at_its_size(x, batch.target) for x in below]
            terms["below"] = lambda: torch.stack(sizes).sum()
        if self.generator.parts is not None:
            terms["parts"] = lambda: self._parts(batch, details)
        if self.perceptual is not None and step % 2 == 0:
            terms["perceptual"] = lambda: 2 * self._perceptual(batch, output, step)
        if self.pose is not None and step % 2 == 0:
            terms["pose"] = lambda: 2 * self._pose(batch, output, step)
        found = {name: term() for name, term in terms.items() if getattr(weights, name)}
        weighed = (getattr(weights, name) * term for name, term in found.items())
        total = sum(weighed, start=0 * painted.mean())
        return total, {name: float(term.detach()) for name, term in found.items()}

    def _parts(self, batch: Batch, details: Details) -> Tensor:
        logits = self.generator.part_logits(details.features.float())
        return F.cross_entropy(logits, batch.parts[:, 2::4, 2::4])

    def _figure(self, batch: Batch) -> Tensor:
        """Where [B, 1, H, W] anything but a still backdrop is."""
        shown = torch.ones_like(batch.parts) if self.everywhere else batch.parts > 0
        return shown[:, None].float()

    def _seen(self, batch: Batch, state: State) -> Tensor:
        """Where [B, 1, H, W] memory holds what is to be shown, as far as exact motion tells."""
        going_on = (state.valid > 0.5) & ~batch.start & batch.motion_known
        motion = self._full_motion(batch)
        seen = losses.same_thing(batch.things, batch.things_before, motion)
        return seen * going_on[:, None, None, None]

    @staticmethod
    def _full_motion(batch: Batch) -> Tensor:
        return F.interpolate(batch.motion, batch.target.shape[-2:], mode="bilinear")

    def _change(self, batch: Batch, state: State, image: Tensor, seen: Tensor) -> Tensor:
        """What moved along should change as in truth, where it was to be seen before."""
        motion = self._full_motion(batch)
        both = torch.cat([state.picture.detach(), batch.before], 1)
        painted, true = warp(both, motion, self.generator.grid_for(both)).chunk(2, 1)
        figure = 0.3 + 0.7 * self._figure(batch)
        return losses.weighted_l1(image - painted, batch.target - true, figure * seen)

    def _warped(self, batch: Batch, details: Details, emphasis: Tensor) -> Tensor:
        """The true frame before, moved by the flow, should be the true frame: at any gap."""
        going_on = (~batch.start)[:, None, None, None].float()
        moved = warp(batch.before, details.flow, self.generator.grid_for(batch.before))
        return losses.weighted_l1(moved, batch.target, emphasis * going_on)

    def _perceptual(self, batch: Batch, output: Output, step: int) -> Tensor:
        """The picture at half size, and faces and hands as they are.

        Of a pyramid, whose half was there before, a quarter of the picture, in turns.
        """
        assert self.perceptual is not None
        pair = output.image.float(), self.composite(batch.target)
        if self.config.stages:
            half = [x.chunk(2, 2)[step // 2 % 2].chunk(2, 3)[step // 4 % 2] for x in pair]
        else:
            half = [F.avg_pool2d(x, 2) for x in pair]
        close = [close_ups(x, batch.crops) for x in pair]
        with self.autocast():
            return self.perceptual(*half) + self.perceptual(*close)

    def _pose(self, batch: Batch, output: Output, step: int) -> Tensor:
        """Would a detector find the same pose? Asked of half of the streams in turns."""
        assert self.pose is not None and batch.body is not None and batch.reach is not None
        half = slice(step // 2 % 2, None, 2)
        pair = output.image.float()[half], self.composite(batch.target[half])
        with self.autocast():
            return self.pose(*pair, batch.body[half], batch.reach[half])

    def composite(self, image: Tensor) -> Tensor:
        """Premultiplied RGBA over the backdrop, if there is one, in -1..1."""
        shown = image[:, :3] if self.everywhere else self.generator.over_backdrop(image)
        return shown * 2 - 1

    def adversarial(self, batch: Batch, output: Output, terms: dict[str, float]) -> Tensor:
        """Step the critics, then return what the generator pays them."""
        pair = self.composite(batch.target), output.image.float()
        real, fake = (
            Judged(
                image=image,
                planes=self._planes(batch.condition),
                close=close_ups(image, batch.crops),
                films=films,
            )
            for image, films in zip(pair, self.history.successions(pair[1]), strict=True)
        )
        self.critics.requires_grad_(True)
        with self.autocast():
            on_real, on_fake = self.critics(real), self.critics(fake.detach())
        loss = losses.critic_loss(on_real, on_fake, self.config.adversary)
        self.critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        loss = self.world.average(self.critics.parameters(), loss)
        if torch.isfinite(loss):
            self.critic_optimizer.step()
        self.critics.requires_grad_(False)
        with self.autocast():
            on_fake = self.critics(fake)
        pays = losses.generator_adversarial(on_fake, self.config.adversary)
        match = losses.feature_matching(on_real, on_fake)
        terms |= {"critic": float(loss.detach()), "matching": float(match.detach())}
        weights = self.config.weights
        return weights.adversarial * pays + weights.feature_matching * match

    def _planes(self, condition: Tensor) -> Tensor:
        """What critics see of a condition: of labels, a plane for each class at 1/4 resolution."""
        classes = self.generator.config.classes
        if not classes:
            return condition
        ids = F.one_hot(condition[:, 0, 2::4, 2::4].long(), classes).permute(0, 3, 1, 2)
        return torch.cat([ids.float(), F.max_pool2d(condition[:, 1:], 4)], 1)

    def _note(self, batch: Batch, output: Output) -> None:
        if self.history.strides:
            known = batch.motion_known[:, None, None, None]
            motion = torch.where(known, batch.motion, batch.told)
            true = self.composite(batch.target)
            self.history.push(output.image.float(), true, motion, batch.start)


def _tone(fine: Tensor, coarse: Tensor) -> Tensor:
    """How far the colours of a finer picture are from the coarsest's, in large squares."""
    scale = fine.shape[-1] // coarse.shape[-1]
    squares = F.avg_pool2d(fine.float(), SQUARE * scale), F.avg_pool2d(coarse.float(), SQUARE)
    return F.l1_loss(*squares)


def _at_its_size(image: Tensor, target: Tensor) -> Tensor:
    """A coarser picture of a pyramid against the truth, edges included."""
    image, small = image.float(), F.interpolate(target, image.shape[-2:], mode="area")
    even = torch.ones_like(image[:, :1])
    return losses.weighted_l1(image, small, even) + losses.gradient_l1(image, small, even)
