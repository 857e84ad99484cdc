"""A data set: clips, and what they have in common."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.condition.labels.packing import CHANNELS as LABEL_CHANNELS
from ..model.condition.labels.tints import CLUSTERS, Tints
from ..model.condition.pose.draw import CHANNELS as LIMBS
from ..model.condition.sketch.lines import CHANNELS as LINES
from ..model.condition.sketch.lines import settings
from .check import Inventory, check
from .clip_format import clip_folders
from .clips import open_clips
from .label_clips import LabelClip
from .measures import measure_clips
from .sketch_clips import SketchClip
from .streams import Domain, Playable

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
SCENE_EMPHASIS = {
    "sky": 0.7,
    "car": 2.0,
    "person": 3.0,
    "traffic": 3.0,
    "pole": 2.0,
    "window": 1.3,
    "door": 1.5,
}
"""Of classes; those not named count 1."""
MAKERS = {"sampled": "rotolive synth actor", "street": "rotolive synth street"}
"""Sources that belong to nobody, and what makes them."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Clips and what they share."""

    inventory: Inventory
    clips: Sequence[Playable]
    styles: tuple[str, ...]
    domain: Domain

    @property
    def maker(self) -> str | None:
        """What made these clips, if it is one of ours: nobody owns what they show."""
        makers = {MAKERS.get(name) for name in self.inventory.sources}
        return makers.pop() if len(makers) == 1 else None


def open_data(folder: Path) -> DataSet:
    """Open a data set. Raises InputError naming what does not fit."""
    inventory = check(folder)
    clips, domain = OPENERS[inventory.condition](folder, inventory)
    return DataSet(inventory=inventory, clips=clips, styles=tuple(inventory.styles), domain=domain)


def _people(folder: Path, inventory: Inventory) -> tuple[Sequence[Playable], Domain]:
    paths = clip_folders(folder)
    about = [json.loads((path / "clip.json").read_text()) for path in paths]
    measures = measure_clips(paths, about, inventory.width / inventory.height)
    picture = cv2.imread(str(folder / "backdrop.png"))
    assert picture is not None
    backdrop = torch.from_numpy(picture[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255
    domain = Domain(
        condition="pose",
        channels=LIMBS,
        weights=weigh(inventory.names, EMPHASIS, 1.5),
        settings=measures.to_dict(),
        parts=len(inventory.names),
        backdrop=backdrop,
    )
    return open_clips(folder, measures), domain


def _scenes(folder: Path, inventory: Inventory) -> tuple[Sequence[Playable], Domain]:
    names = inventory.names
    weights = weigh(names, SCENE_EMPHASIS, 1.0)
    clips = [LabelClip(path, weights) for path in clip_folders(folder)]
    tints = cluster(clips, len(inventory.styles), len(names))
    domain = Domain(
        condition="labels",
        channels=LABEL_CHANNELS,
        weights=weights,
        settings={"classes": list(names), "tints": tints.to_list()},
        classes=len(names),
    )
    return clips, domain


def _sketches(folder: Path, inventory: Inventory) -> tuple[Sequence[Playable], Domain]:
    domain = Domain(condition="sketch", channels=LINES, weights=torch.ones(1), settings=settings())
    return [SketchClip(path) for path in clip_folders(folder)], domain


OPENERS = {"pose": _people, "labels": _scenes, "sketch": _sketches}


def cluster(clips: Sequence[LabelClip], styles: int, classes: int) -> Tints:
    """The usual colours of each class in each style, of all things in some clips."""
    table = np.zeros((styles, classes, CLUSTERS, 3), np.float32)
    for style in range(styles):
        found: dict[int, list[NDArray[np.float32]]] = {}
        for clip in clips:
            for label, tint in clip.tints() if clip.style == style else ():
                found.setdefault(label, []).append(tint)
        for label, tints in found.items():
            table[style, label] = _centres(np.stack(tints))
    return Tints(table)


def _centres(tints: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of clusters of colours [N, 3], [CLUSTERS, 3]; of few colours, those again and again."""
    if len(tints) <= CLUSTERS:
        return tints[np.arange(CLUSTERS) % len(tints)]
    cv2.setRNGSeed(0)
    ends = cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4
    *_, centres = cv2.kmeans(tints, CLUSTERS, None, ends, 3, cv2.KMEANS_PP_CENTERS)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return np.asarray(centres, np.float32)


def weigh(names: tuple[str, ...], emphasis: dict[str, float], others: float) -> Tensor:
    """A weight per id [P]; a name counts as the last word in `emphasis` that it holds."""
    weights = []
    for name in names:
        found = [weight for word, weight in emphasis.items() if word in name]
        weights.append(found[-1] if found else others)
    return torch.tensor(weights)
