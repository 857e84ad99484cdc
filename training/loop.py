"""The training loop: persistent streams on the model's own output.

Every stream keeps what the model painted as its state from one iteration to the next, so each step
trains on states that are hundreds of frames old at the price of one frame.
"""

import logging
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.config import PRESETS as SHAPES
from ..model.errors import InputError
from ..model.generator import Details, Generator, Output, State
from . import losses
from .clips import Batch, Streams
from .config import TrainConfig
from .discriminators import Critics, close_ups
from .landmarker import PoseDistance

log = logging.getLogger(__name__)

BETAS = (0.5, 0.99)
CRITIC_RATE = 2.0
"""Learning rate of the critics over the generator's: spectral norm slows them."""

KEPT = ("generator", "average", "critics", "generator_optimizer", "critic_optimizer")
"""What has a state of its own in a checkpoint."""


class Trainer:
    """A run: generator, its average, critics, optimisers, streams. Steps, saves, goes on."""

    def __init__(
        self, config: TrainConfig, streams: Streams, part_table: Tensor, backdrop: Tensor
    ) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config, self.streams = config, streams
        self.device = torch.device(config.device)
        self.part_table = part_table.to(self.device)
        planes = streams.planes
        shape = SHAPES[config.preset](planes, streams.styles, parts=len(part_table))
        shape = replace(shape, width=streams.width, height=streams.height)
        self.generator = self._fast(Generator(shape))
        self.generator.backdrop.data.copy_(backdrop[None])
        self.generator.backdrop.requires_grad_(False)
        self.average = self._fast(Generator(shape))
        self.average.load_state_dict(self.generator.state_dict())
        self.average.requires_grad_(False)
        self.critics = self._fast(Critics(planes))
        self.perceptual = self._fast(losses.Perceptual()) if config.weights.perceptual else None
        self.pose = PoseDistance().to(self.device) if config.weights.pose else None
        trained = [p for p in self.generator.parameters() if p.requires_grad]
        self.generator_optimizer = torch.optim.Adam(trained, config.rate, BETAS, fused=True)
        self.critic_optimizer = torch.optim.Adam(
            self.critics.parameters(), CRITIC_RATE * config.rate, BETAS, fused=True
        )
        self.state = self._empty_state()
        self.step_index = 0
        self.origin = ""

    def run(self, steps: int) -> Iterator[dict[str, float]]:
        """Go on for `steps` iterations; yields the terms of each."""
        for _ in range(steps):
            started = time.perf_counter()
            terms = self._iterate()
            self.step_index += 1
            terms["seconds"] = time.perf_counter() - started
            yield terms

    def save(self, path: Path) -> None:
        """Write everything an exact resume needs; the file appears whole or not at all."""
        part = path.with_suffix(".part")
        torch.save(self._whole(), part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote. Raises InputError for another kind of run."""
        try:
            self._load(torch.load(path, map_location=self.device, weights_only=True))
        except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path} is damaged, or of a run with other settings; choose another folder"
            ) from error

    def _load(self, saved: dict[str, Any]) -> None:
        for name in KEPT:
            getattr(self, name).load_state_dict(saved[name])
        self.streams.load_state_dict(saved["streams"])
        self.state = State(*saved["state"])
        self.step_index, self.origin = saved["step"], saved.get("origin", "")
        torch.set_rng_state(saved["rng"].cpu())

    def warm_start(self, weights: dict[str, Tensor], origin: str) -> None:
        """Begin from a packaged model's weights instead of from nothing; keeps the backdrop.

        origin: what is told of them in the provenance. Raises InputError for another shape.
        """
        known = {name: value for name, value in weights.items() if name != "backdrop"}
        try:
            missing, unexpected = self.generator.load_state_dict(known, strict=False)
        except RuntimeError as error:
            raise InputError("the warm start has layers of other sizes") from error
        expected = ("parts.", "backdrop")
        if extra := [n for n in (*missing, *unexpected) if not n.startswith(expected)]:
            raise InputError(f"the warm start has another shape: {', '.join(extra)}")
        self.origin = origin
        self.average.load_state_dict(self.generator.state_dict())

    def _whole(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name).state_dict() for name in KEPT},
            "streams": self.streams.state_dict(),
            "state": [self.state.image, self.state.features, self.state.valid],
            "step": self.step_index,
            "origin": self.origin,
            "rng": torch.get_rng_state(),
        }

    def _empty_state(self) -> State:
        state = self.generator.initial_state(self.config.batch)
        window = self.streams.window
        return State(state.image[..., :window], state.features[..., : window // 4], state.valid)

    @property
    def _progress(self) -> float:
        return self.step_index / self.config.steps

    def _iterate(self) -> dict[str, float]:
        self._set_rates()
        config = self.config
        frames = config.rollout if self._progress >= config.rollout_from else 1
        adversarial = self._progress >= config.adversarial_from and config.weights.adversarial > 0
        total, terms, state = torch.zeros((), device=self.device), {}, self.state
        for frame in range(frames):
            batch = self.streams.next().to(self.device)
            state = self._begin(batch, state)
            with self._autocast():
                output, following, details = self.generator.step_with_details(
                    batch.condition, batch.style, state
                )
            loss, terms = self._terms(batch, state, output, following, details)
            if adversarial and frame == frames - 1 and self.step_index % 2:
                loss = loss + self._adversarial(batch, output, terms)
            total, state = total + loss / frames, following
        self.generator_optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), config.clip_norm)
        if torch.isfinite(norm):
            self.generator_optimizer.step()
            self.state = State(
                *(x.detach().float() for x in (state.image, state.features, state.valid))
            )
        else:
            log.warning("step %d: gradient is not finite, skipped", self.step_index)
            self.state = self._empty_state()
        self._update_average()
        return {"loss": float(total.detach()), **terms}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)

    def _fast(self, module: Any) -> Any:
        return module.to(self.device, memory_format=torch.channels_last)

    def _set_rates(self) -> None:
        """Warm up, then fall to a tenth along a half cosine."""
        config = self.config
        fall = 0.1 + 0.45 * (1 + float(torch.cos(torch.tensor(torch.pi * min(self._progress, 1)))))
        rate = config.rate * min(1, (self.step_index + 1) / config.warm_up) * fall
        for group in self.generator_optimizer.param_groups:
            group["lr"] = rate
        for group in self.critic_optimizer.param_groups:
            group["lr"] = CRITIC_RATE * rate

    def _begin(self, batch: Batch, state: State) -> State:
        """Streams that start here do so cold, from the truth, or from somebody else's picture."""
        config, count = self.config, self.config.batch
        draw = torch.rand(count).to(self.device)
        cold = batch.start & (draw < config.cold)
        true = batch.start & (draw >= config.cold + config.foreign)
        wide = true[:, None, None, None]
        image = torch.where(wide, batch.before, state.image)
        for slot in torch.nonzero(torch.rand(count) < config.noise).flatten().tolist():
            noise = 0.1 * torch.randn(image[slot].shape).to(self.device)
            image[slot] = (image[slot] + noise).clamp(0, 1)
        features = torch.where(wide, torch.zeros_like(state.features), state.features)
        valid = torch.where(true, torch.ones_like(state.valid), state.valid)
        return State(image, features, torch.where(cold, torch.zeros_like(valid), valid))

    def _terms(
        self, batch: Batch, state: State, output: Output, following: State, details: Details
    ) -> tuple[Tensor, dict[str, float]]:
        """Everything but the critics."""
        weights = self.config.weights
        emphasis = losses.part_weights(batch.parts, self.part_table)
        painted = following.image.float()
        small_parts = batch.parts[:, 2::4, 2::4]
        inside = (small_parts > 0)[:, None].float()
        found = {
            "reconstruction": losses.weighted_l1(painted, batch.target, emphasis),
            "painted": losses.weighted_l1(details.painted.float(), batch.target, emphasis),
            "gradient": losses.gradient_l1(painted, batch.target, emphasis),
            "change": self._change(batch, state, painted, emphasis),
            "flow": losses.flow_error(
                details.flow, batch.motion, inside, batch.motion_known & (state.valid > 0.5)
            ),
            "parts": F.cross_entropy(
                self.generator.part_logits(details.features.float()), small_parts
            ),
        }
        if self.perceptual is not None and self.step_index % 2 == 0:
            found["perceptual"] = 2 * self._perceptual(batch, output)
        if self.pose is not None and self.step_index % 2 == 0:
            found["pose"] = 2 * self._pose(batch, output)
        total = torch.stack([getattr(weights, name) * term for name, term in found.items()]).sum()
        return total, {name: float(term.detach()) for name, term in found.items()}

    def _change(self, batch: Batch, state: State, image: Tensor, emphasis: Tensor) -> Tensor:
        """The change since the last frame should be the truth's change, where there was one."""
        going_on = ((state.valid > 0.5) & ~batch.start)[:, None, None, None].float()
        change = image - state.image.detach()
        return losses.weighted_l1(change, batch.target - batch.before, emphasis * going_on)

    def _perceptual(self, batch: Batch, output: Output) -> Tensor:
        """The picture at half size, and faces and hands as they are."""
        assert self.perceptual is not None
        pair = output.image.float(), self._composite(batch.target)
        half = [F.avg_pool2d(x, 2) for x in pair]
        close = [close_ups(x, batch.crops) for x in pair]
        with self._autocast():
            return self.perceptual(*half) + self.perceptual(*close)

    def _pose(self, batch: Batch, output: Output) -> Tensor:
        """Would a detector find the same pose? Asked of half of the streams in turns."""
        assert self.pose is not None
        half = slice(self.step_index // 2 % 2, None, 2)
        pair = output.image.float()[half], self._composite(batch.target[half])
        with self._autocast():
            return self.pose(*pair, batch.body[half], batch.reach[half])

    def _composite(self, image: Tensor) -> Tensor:
        """Premultiplied RGBA over the backdrop, in -1..1."""
        return self.generator.over_backdrop(image) * 2 - 1

    def _adversarial(self, batch: Batch, output: Output, terms: dict[str, float]) -> Tensor:
        """Step the critics, then return what the generator pays them."""
        real, fake = self._composite(batch.target), output.image.float()
        judged = [(x, batch.condition, close_ups(x, batch.crops)) for x in (real, fake)]
        self.critics.requires_grad_(True)
        with self._autocast():
            on_real = self.critics(*judged[0])
            on_fake = self.critics(*(x.detach() for x in judged[1]))
        loss = losses.critic_loss(on_real, on_fake)
        self.critic_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if torch.isfinite(loss):
            self.critic_optimizer.step()
        self.critics.requires_grad_(False)
        with self._autocast():
            on_fake = self.critics(*judged[1])
        pays = losses.generator_adversarial(on_fake)
        match = losses.feature_matching(on_real, on_fake)
        terms |= {"critic": float(loss.detach()), "matching": float(match.detach())}
        weights = self.config.weights
        return weights.adversarial * pays + weights.feature_matching * match

    def _update_average(self) -> None:
        keep = min(self.config.ema, (1 + self.step_index) / (10 + self.step_index))
        with torch.no_grad():
            for mean, value in zip(
                self.average.parameters(), self.generator.parameters(), strict=True
            ):
                mean.lerp_(value, 1 - keep)

    @torch.no_grad()
    def sample(self, frames: int = 6) -> Tensor:
        """Pictures to look at, [3, 2H, frames*W]: the average's output over the truth.

        Plays a stream of its own on the model's output, from a cold start.
        """
        side = Streams(self.streams.clips, self.streams.styles, self._sample_config())
        state = self.average.initial_state(1)
        columns = []
        for frame in range(12 * frames):
            batch = side.next().to(self.device)
            if batch.start[0]:
                state = self.average.initial_state(1)
            output, state = self.average.step(batch.condition, batch.style, state)
            if frame % 12 == 11:
                columns.append(torch.cat([output.image[0], self._composite(batch.target)[0]], 1))
        return torch.cat(columns, 2).clamp(-1, 1).cpu()

    def _sample_config(self) -> TrainConfig:
        return replace(self.config, batch=1, crop=0, restart=0.05, seed=self.step_index, gaps=(1,))
