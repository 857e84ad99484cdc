"""How good a packaged model is on clips with a truth, beside references.

The condition is what the live path makes of the clip's landmarks; nothing of the truth leaks in.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model.errors import InputError
from ..model.generator import Painter, State
from ..model.package import Package
from . import metrics
from .follow import compare
from .losses import Perceptual
from .metrics import to_bytes
from .moments import PLAYERS, Floats, Moment
from .stlpips import ShiftTolerantDistance, weights
from .streams import Playable
from .synthetic.detect import detect

MODEL, UNTOLD, FORGETFUL = "model", "by its own flow", "without memory"
STEADIED, COPY = "steadied afterwards", "previous true frame"
VARIANTS = (MODEL, UNTOLD, FORGETFUL, STEADIED, COPY)
"""By its own flow: nothing is told of the motion. Without memory: the same weights, every frame
painted as the first one. Steadied afterwards: that, blended with its own past along optical flow,
as video stylization does. The previous true frame has seen the truth: a model near its figures is a
good one."""
DRIFT_SPAN, DRIFT_LOOP = 200, 120
LEAST_WARPING = 1e-3
DEAR = 10
"""Every so many frames ST-LPIPS is taken, as its VGG costs more than everything else."""


@dataclass
class Way:
    """A way to paint a film: by which generator, what it is told, whether it remembers."""

    generator: Painter
    told: bool = True
    remembers: bool = True
    state: State | None = None
    moment: Moment | None = None

    def paint(self, moment: Moment, style: Tensor) -> Tensor:
        """Paint what follows the moment before, [1, 3, H, W] in 0..1."""
        moved = moment.motion_since(self.moment) if self.told else None
        motion = None if moved is None else torch.from_numpy(moved)[None].to(style.device)
        state = self.state if self.remembers else None
        if state is None:
            state = self.generator.initial_state(1)
        output, self.state = self.generator.step(moment.condition, style, state, motion)
        self.moment = moment
        return (output.image.float().clamp(-1, 1) + 1) / 2


@dataclass
class Scores:
    """What one variant collected over all clips."""

    values: dict[str, list[float]] = field(default_factory=dict)
    features: list[Floats] = field(default_factory=list)

    def add(self, **found: float) -> None:
        """Note figures of a frame."""
        for name, value in found.items():
            self.values.setdefault(name, []).append(value)

    def summary(self) -> dict[str, float]:
        """Return the means."""
        return {name: round(float(np.mean(values)), 4) for name, values in self.values.items()}


class Evaluation:
    """Plays clips through a model, its variants and others beside it, and keeps the scores."""

    def __init__(self, model: Package, device: str = "cpu", beside: Sequence[Package] = ()) -> None:
        """beside: models of the same data; raises InputError for others."""
        self.device = torch.device(device)
        self.card = model.card
        self.generator = self._opened(model)
        if model.card.condition not in PLAYERS:
            raise InputError(f"{self.card.name} takes {self.card.condition}: not evaluated yet")
        self.player = PLAYERS[model.card.condition](self.card, self.generator, self.device)
        self.beside = {other.card.name: self._opened(other) for other in beside}
        if len({*self.beside, *VARIANTS, "truth"}) < len(beside) + len(VARIANTS) + 1:
            raise InputError(f"models beside need names of their own, not {', '.join(self.beside)}")
        self.perceptual = Perceptual().to(self.device)
        path = weights()
        self.shift_tolerant = ShiftTolerantDistance(path).to(self.device) if path else None
        self.scores = {name: Scores() for name in (*VARIANTS, *self.beside)}
        self.truth = Scores()
        self.pictures: list[list[NDArray[np.uint8]]] = []
        self.seconds: list[float] = []
        self.course: list[float] = []

    @torch.no_grad()
    def play(self, clip: Playable, frames: int) -> None:
        """Play the first frames of a clip, and score them all but the first."""
        style, ways, steady = self._style(clip), self._ways(), metrics.Steadying()
        before: dict[str, Tensor] = {}
        films: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in (*self.scores, "truth")}
        for moment in self.player.play(clip, frames):
            now = {"truth": moment.truth, COPY: before.get("truth", moment.truth)}
            for name, way in ways.items():
                began = time.perf_counter()
                now[name] = way.paint(moment, style)
                if name == MODEL:
                    now[name].cpu()
                    self.seconds.append(time.perf_counter() - began)
            now[STEADIED] = steady(now[FORGETFUL])
            for name, picture in now.items():
                films[name].append(to_bytes(picture))
            if before:
                self._score(moment, now, before, films)
            before = now
        if self.card.condition == "pose":
            self._score_poses(films)
        middle = len(films["truth"]) // 2
        self.pictures.append([films[name][middle] for name in self.shown])

    @property
    def shown(self) -> tuple[str, ...]:
        """What the columns of `pictures` show, from the top."""
        return ("truth", MODEL, *(self.beside or (FORGETFUL,)))

    @torch.no_grad()
    def drift(self, clip: Playable, frames: int) -> None:
        """Note the PSNR inside the body [dB] of every frame of one long dance to and fro."""
        style = self._style(clip)
        moments = list(self.player.play(clip, DRIFT_LOOP))
        to_and_fro = cycle(chain(moments, moments[-2:0:-1]))
        way = Way(self.generator)
        for moment, _ in zip(to_and_fro, range(frames), strict=False):
            picture = way.paint(moment, style)
            self.course.append(float(metrics.psnr(picture, moment.truth, moment.body)))

    def report(self) -> dict[str, Any]:
        """Return every variant's figures, and the speed."""
        real = np.concatenate(self.truth.features)
        rows = {}
        for name, scores in self.scores.items():
            far = metrics.frechet(np.concatenate(scores.features), real)
            rows[name] = {**scores.summary(), "frechet_lite0": round(far, 4)}
        for row in rows.values():
            row["warping_ratio"] = round(
                row["warping_error"] / max(row["true_warping_error"], LEAST_WARPING), 3
            )
        step = float(np.median(self.seconds))
        return {
            "model": self.card.name,
            "device": str(self.device),
            "frames": len(self.scores[MODEL].values["psnr"]),
            "step_ms": round(step * 1e3, 2),
            "rows": rows,
            **self._drifted(),
        }

    def _drifted(self) -> dict[str, Any]:
        if not self.course:
            return {}
        return {"drift_frames": len(self.course), "drift_db": drift_of(self.course)}

    def _style(self, clip: Playable) -> Tensor:
        return torch.eye(len(self.card.styles), device=self.device)[[clip.style]]

    def _opened(self, model: Package) -> Painter:
        """Raises InputError for a model that takes other conditions than the one evaluated."""
        own, other = self.card, model.card
        for what in ("condition", "condition_settings", "styles"):
            if getattr(own, what) != getattr(other, what):
                raise InputError(
                    f"{other.name} is of other data than {own.name}: its {what} differ"
                )
        return model.generator().to(self.device).eval()

    def _ways(self) -> dict[str, Way]:
        return {
            MODEL: Way(self.generator),
            UNTOLD: Way(self.generator, told=False),
            FORGETFUL: Way(self.generator, remembers=False),
            **{name: Way(generator) for name, generator in self.beside.items()},
        }

    def _score(
        self,
        moment: Moment,
        now: dict[str, Tensor],
        before: dict[str, Tensor],
        films: dict[str, list[NDArray[np.uint8]]],
    ) -> None:
        truth = now["truth"]
        seen = {name: self.perceptual.features(picture * 2 - 1) for name, picture in now.items()}
        self.truth.features.append(pooled(seen["truth"]))
        true_flow = metrics.flow(*films["truth"][-2:])
        moved = moment.motion, moment.was_seen
        own = float(metrics.warping_error(truth, before["truth"], *moved))
        for name, scores in self.scores.items():
            picture = now[name]
            scores.features.append(pooled(seen[name]))
            scores.add(
                psnr=float(metrics.psnr(picture, truth)),
                psnr_body=float(metrics.psnr(picture, truth, moment.body)),
                ssim=float(metrics.ssim(picture, truth)),
                perceptual_lite0=float(self.perceptual.distance(seen[name], seen["truth"])),
                warping_error=float(metrics.warping_error(picture, before[name], *moved)),
                true_warping_error=own,
                tof_px=metrics.flow_difference(metrics.flow(*films[name][-2:]), true_flow),
            )
        if self.shift_tolerant is not None and len(films["truth"]) % DEAR == 2:
            self._score_dearly(self.shift_tolerant, now)

    def _score_dearly(self, distance: ShiftTolerantDistance, now: dict[str, Tensor]) -> None:
        true = distance.features(now["truth"] * 2 - 1)
        for name, scores in self.scores.items():
            seen = distance.features(now[name] * 2 - 1)
            scores.add(st_lpips=float(distance.distance(seen, true)))

    def _score_poses(self, films: dict[str, list[NDArray[np.uint8]]]) -> None:
        there = detect(films["truth"])
        for name, scores in self.scores.items():
            shares = compare(there, detect(films[name]))
            scores.add(pose_within_3_percent=float(np.mean(list(shares.values()))))


def pooled(features: list[Tensor]) -> Floats:
    """Mean over the picture of the deepest features [B, F]."""
    return features[-1].mean((2, 3)).cpu().numpy()


def drift_of(found: list[float]) -> float:
    """How much the PSNR [dB] falls from the first DRIFT_SPAN frames to the last ones."""
    return round(float(np.mean(found[:DRIFT_SPAN]) - np.mean(found[-DRIFT_SPAN:])), 3)


def evaluate(
    model: Package,
    folder: Path,
    *,
    frames: int = 120,
    clips: int | None = None,
    drift: int = 0,
    device: str = "cpu",
    beside: Sequence[Package] = (),
    report: Callable[[float], None] = lambda share: None,
) -> tuple[dict[str, Any], Evaluation]:
    """Score a model on the first `frames` of each clip, and `drift` frames of one of them.

    beside: other models of the same data, such as one trained without some part. Raises InputError
    where clips and models do not fit. report: told the share that is done.
    """
    evaluation = Evaluation(model, device, beside)
    found = evaluation.player.open(folder, clips)
    for i, clip in enumerate(found):
        evaluation.play(clip, frames)
        report((i + 1) / len(found))
    if drift:
        evaluation.drift(found[0], drift)
    return evaluation.report(), evaluation
