"""The training loop: persistent streams on the model's own output.

Every stream keeps what the model painted as its state from one iteration to the next, so each step
trains on states that are hundreds of frames old at the price of one frame.
"""

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..model.config import PRESETS as SHAPES
from ..model.config import GeneratorConfig
from ..model.errors import InputError, TrainingStopped
from ..model.generator import State
from ..model.pyramid import Pyramid, build
from . import checkpoint, schedule
from .config import TrainConfig
from .discriminators import Critics, History
from .distributed import ALONE, World
from .loader import Loader, is_lost
from .memories import begun, disturbed
from .objective import Objective, Painted
from .samples import in_colours
from .streams import Batch, Domain, Streams
from .warm_start import count_stages, fitted

log = logging.getLogger(__name__)

BETAS = (0.5, 0.99)
PATIENCE = 20
"""Steps in a row that may come to nothing."""
SAMPLE_FRAMES = 90
CRITIC_RATE = 2.0
"""Learning rate of the critics over the generator's: spectral norm slows them."""

KEPT = ("generator", "average", "critics", "generator_optimizer", "critic_optimizer")
"""What has a state of its own in a checkpoint."""


class Trainer:
    """A run: generator, its average, critics, optimisers, streams. Steps, saves, goes on."""

    def __init__(
        self, config: TrainConfig, streams: Streams, domain: Domain, world: World = ALONE
    ) -> None:
        """world: the processes that train together, each on `streams` of its own."""
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.config, self.streams, self.domain, self.world = config, streams, domain, world
        self.device = torch.device(config.device)
        shape = self._shape()
        self.generator = self._fast(build(shape))
        if domain.backdrop is not None:
            self.generator.backdrop.data.copy_(domain.backdrop[None])
        self.generator.backdrop.requires_grad_(False)
        self._keep(0)
        self.average = self._fast(build(shape)).requires_grad_(False)
        planes = domain.channels + max(domain.classes - 1, 0)
        strides = () if "successions" in config.without else config.strides
        self.critics = self._fast(Critics(planes, strides))
        world.share(self.generator, self.critics)
        self.average.load_state_dict(self.generator.state_dict())
        trained = [p for p in self.generator.parameters() if p.requires_grad]
        self.generator_optimizer = torch.optim.Adam(trained, config.rate, BETAS, fused=True)
        self.critic_optimizer = torch.optim.Adam(
            self.critics.parameters(), CRITIC_RATE * config.rate, BETAS, fused=True
        )
        self.loader = Loader(streams, config.workers, pinned=self.device.type == "cuda")
        self.state = self._empty_state()
        self.history = History(strides)
        self.objective = Objective(
            config, self.generator, self.critics, self.critic_optimizer, self.history, domain, world
        )
        if not world.first:
            torch.manual_seed(config.seed + world.rank)
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
        """Write everything an exact resume of all processes needs; see `checkpoint.write`."""
        everybodys = self.world.gather(self._own())
        if self.world.first:
            checkpoint.write(path, {**self._shared(), "processes": everybodys})

    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote. Raises InputError for another kind of run.

        With another batch or crop, or other processes, the weights go on, and the streams begin
        anew.
        """
        with checkpoint.opened(path, self.device) as saved:
            self._load(saved)

    def close(self) -> None:
        """End what loads in the background."""
        self.loader.close()

    def _load(self, saved: dict[str, Any]) -> None:
        if saved["without"] != list(self.config.without) or saved["clips"] != self._clips():
            raise KeyError("without or clips")
        for name in KEPT:
            getattr(self, name).load_state_dict(saved[name])
        if saved["shape"] == self._batch_shape():
            self._load_own(saved["processes"][self.world.rank])
        self.step_index, self.origin = saved["step"], saved["origin"]
        self._keep(saved.get("kept", 0))

    def _load_own(self, saved: dict[str, Any]) -> None:
        self.loader.load_state_dict(saved["streams"])
        self.history.load_state_dict(saved["history"])
        self.state = State.of(saved["state"])
        torch.set_rng_state(saved["rng"].cpu())
        for buffer, kept in zip(self.critics.buffers(), saved["norms"], strict=True):
            buffer.copy_(kept)

    def _clips(self) -> list[str]:
        return [clip.folder.name for clip in self.streams.clips]

    def _batch_shape(self) -> list[int]:
        window = self.streams.window, self.streams.window_height
        return [self.config.batch, *window, self.world.size]

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

    def _own(self) -> dict[str, Any]:
        """What differs from process to process; norms: what critics know of their spectra."""
        return {
            "streams": self.loader.state_dict(),
            "history": [[x.cpu() for x in moment] for moment in self.history.state_dict()],
            "state": [x.cpu() for x in self.state.tensors],
            "rng": torch.get_rng_state(),
            "norms": [x.cpu() for x in self.critics.buffers()],
        }

    def _shared(self) -> dict[str, Any]:
        return {
            **{name: getattr(self, name).state_dict() for name in KEPT},
            "without": list(self.config.without),
            "clips": self._clips(),
            "shape": self._batch_shape(),
            "step": self.step_index,
            "origin": self.origin,
            "kept": self.kept,
        }

    def _empty_state(self) -> State:
        size = self.streams.window_height, self.streams.window
        return self.generator.initial_state(self.config.batch, *size)

    def _guarded(self) -> dict[str, float]:
        try:
            return self._iterate()
        except RuntimeError as error:
            if is_lost(error):
                raise TrainingStopped(
                    f"step {self.step_index}: a process that loads batches has died, perhaps for "
                    f"want of memory: {error}; fewer --workers need less, 0 none"
                ) from error
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(
                error
            ):
                raise
            raise TrainingStopped(
                f"out of memory with batches of {self.config.batch} windows of "
                f"{self.streams.window}x{self.streams.window_height}: a smaller --batch, a "
                "narrower --crop or a shorter --rollout needs less"
            ) from error

    def _iterate(self) -> dict[str, float]:
        self._set_rates()
        config = self.config
        frames = schedule.rollout(config, self.step_index)
        adversarial = schedule.critics_join(config, self.step_index)
        total, terms, state = torch.zeros((), device=self.device), {}, self.state
        for frame in range(frames):
            batch = self._next()
            state = begun(batch, state, config)
            with self.objective.autocast():
                output, following, details = self.generator.step_with_details(
                    batch.condition, batch.style, disturbed(state, config.noise), batch.told
                )
            painted = Painted(state, output, following, details)
            loss, terms = self.objective.terms(batch, painted, self.step_index)
            if adversarial and frame == frames - 1 and self.step_index % 2:
                loss = loss + self.objective.adversarial(batch, output, terms)
            total, state = total + loss / frames, following
        self.generator_optimizer.zero_grad(set_to_none=True)
        self._check_finite(total, terms)
        total.backward()
        self.world.average(self.generator.parameters(), total)
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
        batch = self.loader.next().to(self.device)
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
        rate = schedule.learning_rate(self.config, self.step_index)
        for group in self.generator_optimizer.param_groups:
            group["lr"] = rate
        for group in self.critic_optimizer.param_groups:
            group["lr"] = CRITIC_RATE * rate

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
