"""The training loop: persistent streams on the model's own output.

Every stream keeps what the model painted as its state from one iteration to the next, so each step
trains on states that are hundreds of frames old at the price of one frame.
"""

import logging
import math
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.condition.labels.palette import palette
from ..model.config import PRESETS as SHAPES
from ..model.config import GeneratorConfig
from ..model.errors import InputError, TrainingStopped
from ..model.generator import State, select
from ..model.pyramid import Pyramid, build
from .config import TrainConfig
from .discriminators import Critics, History
from .objective import Objective, Painted
from .streams import Batch, Domain, Streams
from .warm_start import count_stages, fitted

log = logging.getLogger(__name__)

BETAS = (0.5, 0.99)
PATIENCE = 20
"""Steps in a row that may come to nothing."""
SAMPLE_FRAMES = 90
NOISE = 0.1
"""Deviation of the noise on memories, at most."""
CRITIC_RATE = 2.0
"""Learning rate of the critics over the generator's: spectral norm slows them."""

KEPT = ("generator", "average", "critics", "generator_optimizer", "critic_optimizer")
"""What has a state of its own in a checkpoint."""


class Trainer:
    """A run: generator, its average, critics, optimisers, streams. Steps, saves, goes on."""

    def __init__(self, config: TrainConfig, streams: Streams, domain: Domain) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config, self.streams, self.domain = config, streams, domain
        self.device = torch.device(config.device)
        shape = self._shape()
        self.generator = self._fast(build(shape))
        if domain.backdrop is not None:
            self.generator.backdrop.data.copy_(domain.backdrop[None])
        self.generator.backdrop.requires_grad_(False)
        self._keep(0)
        self.average = self._fast(build(shape))
        self.average.load_state_dict(self.generator.state_dict())
        self.average.requires_grad_(False)
        planes = domain.channels + max(domain.classes - 1, 0)
        self.critics = self._fast(Critics(planes, "successions" not in config.without))
        trained = [p for p in self.generator.parameters() if p.requires_grad]
        self.generator_optimizer = torch.optim.Adam(trained, config.rate, BETAS, fused=True)
        self.critic_optimizer = torch.optim.Adam(
            self.critics.parameters(), CRITIC_RATE * config.rate, BETAS, fused=True
        )
        self.state = self._empty_state()
        self.history = History()
        self.objective = Objective(
            config, self.generator, self.critics, self.critic_optimizer, self.history, domain
        )
        self.step_index = 0
        self._skipped, self._loading = 0, 0.0
        self.origin = ""

    def _shape(self) -> GeneratorConfig:
        config, streams, domain = self.config, self.streams, self.domain
        shape = SHAPES[config.preset](domain.channels, streams.styles, parts=domain.parts)
        return replace(
            shape,
            width=streams.width,
            height=streams.height,
            backdrop=domain.backdrop is not None and "prior" not in config.without,
            memory=_memory(config),
            classes=domain.classes,
            stages=config.stages,
        )

    def run(self, steps: int) -> Iterator[dict[str, float]]:
        """Go on for `steps` iterations; yields the terms of each."""
        for _ in range(steps):
            started, self._loading = time.perf_counter(), 0.0
            terms = self._guarded()
            self.step_index += 1
            terms |= {"seconds": time.perf_counter() - started, "loading": self._loading}
            yield terms

    def save(self, path: Path) -> None:
        """Write everything an exact resume needs; the file appears whole or not at all."""
        part = path.with_suffix(".part")
        try:
            torch.save(self._whole(), part)
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            raise TrainingStopped(
                f"{path} cannot be written, what it held is kept: {error}"
            ) from error
        part.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote. Raises InputError for another kind of run.

        With another batch or crop the weights go on, and the streams begin anew.
        """
        try:
            self._load(torch.load(path, map_location=self.device, weights_only=True))
        except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
            raise InputError(
                f"{path} is damaged, or of a run with other settings or data; choose another folder"
            ) from error

    def _load(self, saved: dict[str, Any]) -> None:
        if saved["without"] != list(self.config.without) or saved["clips"] != self._clips():
            raise KeyError("without or clips")
        for name in KEPT:
            getattr(self, name).load_state_dict(saved[name])
        if saved["shape"] == self._batch_shape():
            self.streams.load_state_dict(saved["streams"])
            self.history.load_state_dict(saved["history"])
            self.state = State.of(saved["state"])
            torch.set_rng_state(saved["rng"].cpu())
        self.step_index, self.origin = saved["step"], saved["origin"]
        self._keep(saved.get("kept", 0))

    def _clips(self) -> list[str]:
        return [clip.folder.name for clip in self.streams.clips]

    def _batch_shape(self) -> list[int]:
        return [self.config.batch, self.streams.window, self.streams.window_height]

    def warm_start(self, weights: dict[str, Tensor], origin: str) -> None:
        """Begin from a packaged model's weights instead of from nothing; keeps the backdrop.

        Another number of styles begins as the mean of the package's. origin: what is told of them
        in the provenance. Of a pyramid only the stages are trained that the package lacks; where it
        lacks none, all are. Raises InputError for another shape.
        """
        known = fitted(weights, self.generator.config)
        try:
            missing, unexpected = self.generator.load_state_dict(known, strict=False)
        except RuntimeError as error:
            raise InputError("the warm start has layers of other sizes") from error
        expected = ("parts.", "backdrop", "coarse.backdrop")
        there = count_stages(weights)
        if not there:
            expected = (*expected, "stages.")
        if extra := [n for n in (*missing, *unexpected) if not n.startswith(expected)]:
            raise InputError(f"the warm start has another shape: {', '.join(extra)}")
        self.origin = origin
        self._keep(there if there < self.config.stages else 0)
        self.average.load_state_dict(self.generator.state_dict())

    def _keep(self, count: int) -> None:
        """Leave what is in the middle of a pyramid as it is, and its first stages."""
        self.kept = count
        if isinstance(self.generator, Pyramid):
            self.generator.coarse.requires_grad_(False)
            self.generator.stages[:count].requires_grad_(False)

    def _whole(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name).state_dict() for name in KEPT},
            "without": list(self.config.without),
            "clips": self._clips(),
            "shape": self._batch_shape(),
            "streams": self.streams.state_dict(),
            "history": self.history.state_dict(),
            "state": list(self.state.tensors),
            "step": self.step_index,
            "origin": self.origin,
            "kept": self.kept,
            "rng": torch.get_rng_state(),
        }

    def _empty_state(self) -> State:
        size = self.streams.window_height, self.streams.window
        return self.generator.initial_state(self.config.batch, *size)

    @property
    def _progress(self) -> float:
        return self.step_index / self.config.steps

    def _guarded(self) -> dict[str, float]:
        try:
            return self._iterate()
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(
                error
            ):
                raise
            raise TrainingStopped(
                f"out of memory with batches of {self.config.batch} windows of "
                f"{self.streams.window}x{self.streams.window_height}: a smaller --batch or a "
                "narrower --crop needs less"
            ) from error

    def _iterate(self) -> dict[str, float]:
        self._set_rates()
        config = self.config
        frames = config.rollout if self._progress >= config.rollout_from else 1
        adversarial = self._progress >= config.adversarial_from and config.weights.adversarial > 0
        total, terms, state = torch.zeros((), device=self.device), {}, self.state
        for frame in range(frames):
            batch = self._next()
            state = self._begin(batch, state)
            with self.objective.autocast():
                output, following, details = self.generator.step_with_details(
                    batch.condition, batch.style, self._disturbed(state), batch.told
                )
            painted = Painted(state, output, following, details)
            loss, terms = self.objective.terms(batch, painted, self.step_index)
            if adversarial and frame == frames - 1 and self.step_index % 2:
                loss = loss + self.objective.adversarial(batch, output, terms)
            total, state = total + loss / frames, following
        self.generator_optimizer.zero_grad(set_to_none=True)
        self._check_finite(total, terms)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), config.clip_norm)
        if torch.isfinite(norm):
            self.generator_optimizer.step()
            self.state = state.each(lambda x: x.detach().float())
            self._skipped = 0
        else:
            self._skip()
        self._update_average()
        return {"loss": float(total.detach()), **terms}

    def _next(self) -> Batch:
        began = time.perf_counter()
        batch = self.streams.next().to(self.device)
        self._loading += time.perf_counter() - began
        if "prior" not in self.config.without or self.domain.backdrop is None:
            return batch
        target, before = (self._over_backdrop(x) for x in (batch.target, batch.before))
        return replace(batch, target=target, before=before)

    def _over_backdrop(self, image: Tensor) -> Tensor:
        """Premultiplied RGBA with the backdrop in it, opaque: there is no prior that adds it."""
        return torch.cat([self.generator.over_backdrop(image), torch.ones_like(image[:, 3:])], 1)

    def _check_finite(self, total: Tensor, terms: dict[str, float]) -> None:
        if not torch.isfinite(total):
            bad = [name for name, value in terms.items() if not math.isfinite(value)]
            raise TrainingStopped(
                f"step {self.step_index}: no number came of {' and '.join(bad) or 'the sum'}; the "
                "last good weights are kept. A lower --rate may help, or other data"
            )

    def _skip(self) -> None:
        """Leave out a step whose gradient is no number: rare ones do no harm."""
        self._skipped += 1
        log.warning("step %d: its gradient is no number, left out", self.step_index)
        self.state = self._empty_state()
        if self._skipped == PATIENCE:
            raise TrainingStopped(
                f"step {self.step_index}: the gradients of {PATIENCE} steps in a row are no "
                "numbers; the last good weights are kept. A lower --rate may help"
            )

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
        begun = select(true, self._remembered(batch.before, state), state)
        return replace(begun, valid=torch.where(cold, torch.zeros_like(begun.valid), begun.valid))

    @staticmethod
    def _remembered(before: Tensor, state: State) -> State:
        """As if the true picture had been painted, at every size of `state`."""
        image, *fine = (
            before if x.shape == before.shape else F.interpolate(before, x.shape[-2:], mode="area")
            for x in (state.image, *state.fine)
        )
        zeros, ones = torch.zeros_like(state.features), torch.ones_like(state.valid)
        return State(image, zeros, ones, tuple(fine))

    def _disturbed(self, state: State) -> State:
        """Noise on some of the memories that are trained: an hour-long stream must not drift."""
        which = torch.rand(len(state.valid)) < self.config.noise
        strength = NOISE * torch.rand(len(state.valid)) * which

        def disturb(image: Tensor) -> Tensor:
            noise = strength[:, None, None, None] * torch.randn(image.shape)
            return (image + noise.to(self.device)).clamp(0, 1)

        if state.fine:
            return replace(state, fine=tuple(disturb(x) for x in state.fine))
        return replace(state, image=disturb(state.image))

    def _update_average(self) -> None:
        keep = min(self.config.ema, (1 + self.step_index) / (10 + self.step_index))
        with torch.no_grad():
            for mean, value in zip(
                self.average.parameters(), self.generator.parameters(), strict=True
            ):
                mean.lerp_(value, 1 - keep)

    @torch.no_grad()
    def sample(self, frames: int = SAMPLE_FRAMES) -> Iterator[Tensor]:
        """Frames to look at, [3, H, 3W] in -1..1: condition, the average's output, truth.

        Plays a stream of its own on the model's output, from a cold start; a pyramid's on a window.
        """
        side = Streams(self.streams.clips, self.streams.styles, self._sample_config())
        empty = self.average.initial_state(1, side.window_height, side.window)
        state = empty
        for _ in range(frames):
            batch = side.next().to(self.device)
            state = empty if batch.start[0] else state
            output, state = self.average.step(batch.condition, batch.style, state, batch.told)
            truth = self.objective.composite(batch.target)
            shown = [in_colours(batch.condition, self.domain), output.image, truth]
            yield torch.cat(shown, 3)[0].clamp(-1, 1).cpu()

    def _sample_config(self) -> TrainConfig:
        crop = self.config.crop if self.config.stages else 0
        return replace(
            self.config, batch=1, crop=crop, restart=0.01, seed=self.step_index, gaps=(1,)
        )


def _memory(config: TrainConfig) -> str:
    if "recurrence" in config.without:
        return "none"
    return "seen" if "warping" in config.without else "blended"


def in_colours(condition: Tensor, domain: Domain) -> Tensor:
    """A condition to look at, [B, 3, H, W]: every plane, or every class, in its colour."""
    if domain.classes:
        table = torch.from_numpy(palette(tuple(domain.settings["classes"]))).to(condition.device)
        return table[condition[:, 0].long()].permute(0, 3, 1, 2) / 127.5 - 1
    hues = 6.28 * torch.arange(condition.shape[1], device=condition.device) / 7
    colours = 0.5 + 0.5 * torch.stack([torch.cos(hues + shift) for shift in (0, 2.1, 4.2)])
    shown = torch.einsum("nc,bchw->bnhw", colours, condition.clamp(0, 1)).clamp(0, 1)
    return F.interpolate(shown, scale_factor=4, mode="bilinear") * 2 - 1
