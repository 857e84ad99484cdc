"""What a training run is made of, and the presets."""

from dataclasses import dataclass, replace
from typing import Literal

Part = Literal["recurrence", "warping", "prior", "successions"]
"""Recurrence: every frame is a first one, the per-frame setting of pix2pixHD. Warping: memory is
seen, not warped and blended. Prior: the backdrop is painted, too. Successions: no critic of how
frames follow each other. The last three are the ablations of Wang et al. 2018."""

Adversary = Literal["hinge", "least-squares"]

NARROWEST = 48
"""Width of a crop at least: what critics see of faces and hands."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of the terms; zero turns a term off, and what only it needs: adversarial the critics.
    Of pyramids only, below: of the pictures between the coarsest and the finest; tone: what keeps
    the colours of the coarsest."""

    reconstruction: float = 10.0
    painted: float = 3.0
    gradient: float = 5.0
    change: float = 100.0
    repainting: float = 0.5
    warped: float = 3.0
    flow: float = 0.3
    parts: float = 0.2
    perceptual: float = 0.3
    pose: float = 10.0
    adversarial: float = 0.1
    feature_matching: float = 3.0
    below: float = 1.0
    tone: float = 20.0


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A run.

    steps: iterations in all. batch: persistent streams stepped together. crop: width of the window
    a stream is trained on, in pixels (0, and without the prior: the whole picture), crop_height:
    its height (0: all of it). stages: finer stages that are trained around a generator, which is
    left as it was. warm_up: steps to the full rate. rollout: frames back-propagated through at
    most: one at first, twice as many from `rollout_from` on (a share of the run), and again at
    equal intervals. adversarial_from: when the critics join, likewise. adversary: their loss.
    strides: in time, of the critics of successions. perceptual: a name in `losses.BACKBONES`.
    restart: chance per frame that a stream starts anew, of which `cold` start with no previous
    frame and `foreign` with somebody else's. noise: share of the memories that are disturbed.
    workers: processes that load. without: parts of the method to leave out, to see what they are
    good for.
    """

    preset: str = "live"
    steps: int = 20_000
    batch: int = 8
    crop: int = 192
    crop_height: int = 0
    stages: int = 0
    rate: float = 5e-4
    warm_up: int = 200
    seed: int = 0
    rollout: int = 2
    rollout_from: float = 0.93
    adversarial_from: float = 0.4
    adversary: Adversary = "hinge"
    strides: tuple[int, ...] = (1,)
    perceptual: str = "lite0"
    restart: float = 0.03
    cold: float = 0.5
    foreign: float = 0.15
    noise: float = 0.3
    gaps: tuple[int, ...] = (1, 1, 1, 1, 1, 2, 4)
    ema: float = 0.998
    clip_norm: float = 1.0
    device: str = "cpu"
    threads: int = 2
    workers: int = 0
    weights: LossWeights = LossWeights()
    without: tuple[Part, ...] = ()
    sample_every: int = 250
    save_every: int = 250


def dancer() -> TrainConfig:
    """The bundled pose model; about three steps a second on two cores with bf16."""
    return TrainConfig()


def street() -> TrainConfig:
    """The bundled labels model.

    Textures are finer than a body's and what moves is most of the picture: less weight on change
    and repainting, or memory blurs; more on the critics, who ask for detail.
    """
    weights = LossWeights(
        change=30.0, repainting=0.1, perceptual=1.0, adversarial=0.3, feature_matching=5.0
    )
    return TrainConfig(
        batch=6, crop=256, rate=7e-4, adversarial_from=0.2, gaps=(1, 1, 1, 2), weights=weights
    )


def sketch() -> TrainConfig:
    """Plain videos by their edges: everything may move, and most of a picture is between lines."""
    weights = LossWeights(
        change=50.0, repainting=0.2, perceptual=1.0, adversarial=0.2, feature_matching=5.0
    )
    return TrainConfig(adversarial_from=0.3, gaps=(1, 1, 1, 1, 2), weights=weights)


def street_hd() -> TrainConfig:
    """Finer stages around the bundled labels model: pieces of a picture, as large as one whole.

    Their task is what is small: more for the critics, who ask for textures, and more against
    flicker, as textures have more to flicker.
    """
    plain = street()
    weights = replace(
        plain.weights,
        change=60.0,
        repainting=0.2,
        perceptual=0.5,
        adversarial=0.6,
        feature_matching=10.0,
    )
    return replace(
        plain,
        weights=weights,
        preset="hd",
        stages=2,
        batch=4,
        crop=512,
        crop_height=512,
        rate=5e-4,
        steps=60_000,
        adversarial_from=0.05,
    )


def smoke() -> TrainConfig:
    """A few steps at the smallest size: does everything hold together?"""
    return TrainConfig(
        preset="nano", steps=4, batch=2, crop=64, warm_up=2, sample_every=2, save_every=2
    )


PRESETS = {
    "dancer": dancer,
    "street": street,
    "street-hd": street_hd,
    "sketch": sketch,
    "smoke": smoke,
}
