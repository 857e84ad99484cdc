"""The commands that make models: prepare or synth, train, evaluate."""

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, make_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..model.arguments import Model, Positional, at_least, check_folder_of, show, train_extra
from ..model.condition.labels.files import read_classes
from ..model.errors import InputError
from .clip_format import check_size
from .config import NARROWEST, PRESETS, Adversary, LossWeights, Part, TrainConfig

GivenWeights: Any = make_dataclass(
    "GivenWeights", [(field.name, float | None, None) for field in fields(LossWeights)], frozen=True
)
"""`LossWeights` of which only some are given."""


def prepare(
    videos: Positional[list[Path]],
    out: Path,
    condition: Literal["pose", "labels", "sketch"] = "pose",
    style: str | None = None,
    size: int = 256,
    seconds: float = 10.0,
    workers: int = 1,
    labels: list[Path] | None = None,
    classes: str | None = None,
    fps: float | None = None,
) -> None:
    """Make a training set of your own: videos of one dancer, in full, before a still camera; with
    --condition labels, pictures with labels; with --condition sketch, any videos.

    Args:
        videos: Files that FFmpeg reads, or folders of pictures with labels: vid2vid's train_A and
            train_B, Cityscapes' leftImg8bit and gtFine. Each is a style of its own, named after the
            file or folder.
        out: Folder of the data set; more videos can join it later, done ones are not done again.
        condition: What the model is going to be driven by.
        style: One name for what all these videos show, in place of a style each.
        size: Width and height of the pictures; with labels and sketches, their height.
        seconds: Length of the clips at most.
        workers: Videos, or sequences, that are worked on side by side.
        labels: Where the labels of each of the videos or folders lie, in any other layout.
        classes: Names of the label ids, in their order: sky,building,... or a file, one a line or
            JSON: ["sky", "building"], or with colours {"sky": [70, 130, 180]}. Those of Cityscapes
            are known.
        fps: Of label images (default: of Cityscapes 17, of others 15).
    """
    from rich.progress import Progress

    at_least("seconds", seconds, 1)
    at_least("workers", workers, 1)
    at_least("fps", fps, 1)
    if condition != "labels" and (labels or classes or fps):
        raise InputError("--labels, --classes and --fps go with --condition labels")
    own = {}
    if condition == "labels":
        names = read_classes(classes) if classes else None
        own = {"labels": labels or (), "classes": names, "fps": fps}
    run = _maker(condition)
    with Progress() as progress:
        bar = progress.add_task("preparing", total=1.0)
        accounts = run(
            videos,
            out,
            size=size,
            style=style,
            seconds=seconds,
            workers=workers,
            report=lambda share: progress.update(bar, completed=share),
            **own,
        )
    for account in accounts:
        print(account)


def _maker(condition: str) -> Callable[..., Sequence[object]]:
    """What makes clips for a condition and returns accounts of them."""
    with train_extra():
        if condition == "labels":
            from .prepare import labels as made
        elif condition == "sketch":
            from .prepare import sketch as made
        else:
            from .prepare import videos as made
    return made.prepare


def synth(
    what: Positional[Literal["actor", "street"]],
    out: Path,
    clips: int = 48,
    seconds: float = 10.0,
    seed: int = 0,
    size: int = 256,
    workers: int = 1,
    detect_share: float = 0.9,
) -> None:
    """Make a licence-clean training set.

    Args:
        what: The maker: actor, a rigged human that dances; street, a city that is driven through.
        out: Folder of the data set; finished clips in it are kept.
        clips: How many clips, in turns over the styles.
        seconds: Length of each.
        seed: Another seed makes other motion.
        size: Height of the pictures; an actor's are as wide, a street's twice as wide.
        workers: Processes that render side by side.
        detect_share: Of an actor: share of clips whose landmarks MediaPipe finds in the render;
            the others' are made by a noise model.
    """
    for name, value in (("clips", clips), ("seconds", seconds), ("workers", workers)):
        at_least(name, value, 1)
    if what == "street":
        _synth_street(out, clips, seconds, seed, size, workers)
        return
    with train_extra():
        from .synthetic.clips import synth_actor
    synth_actor(
        out,
        clips=clips,
        seconds=seconds,
        seed=seed,
        size=size,
        workers=workers,
        detect_share=detect_share,
    )


def _synth_street(
    out: Path, clips: int, seconds: float, seed: int, size: int, workers: int
) -> None:
    with train_extra():
        from .synthetic.street.clips import synth_street
    check_size(size)
    synth_street(out, clips, seconds, seed, width=2 * size, height=size, workers=workers)


def train(
    data: Positional[Path],
    out: Positional[Path],
    name: str = "dancer",
    preset: Literal["dancer", "street", "street-hd", "sketch", "smoke"] = "dancer",
    steps: int | None = None,
    minutes: float | None = None,
    warm_start: str | None = None,
    batch: int | None = None,
    crop: int | None = None,
    crop_height: int | None = None,
    stages: int | None = None,
    rate: float | None = None,
    rollout: int | None = None,
    rollout_from: float | None = None,
    adversary: Adversary | None = None,
    strides: tuple[int, ...] | None = None,
    perceptual: str | None = None,
    weights: Any = GivenWeights(),  # noqa: B008
    without: tuple[Part, ...] = (),
    device: str | None = None,
    threads: int = 2,
    workers: int | None = None,
    seed: int = 0,
) -> None:
    """Train a model on a data set; the same command goes on where it stopped.

    Args:
        data: What `rotolive prepare` or `rotolive synth` made.
        out: Folder of the run: checkpoint, samples, events for TensorBoard, package.
        name: What the model is called.
        preset: Settings to start from.
        steps: Iterations in all, in place of the preset's.
        minutes: Stop after this long, ready to go on.
        warm_start: A package whose weights to begin from.
        batch: Streams that are stepped together.
        crop: Width of the window that is trained on, in pixels; 0: the whole picture.
        crop_height: Its height; 0: that of the picture.
        stages: Finer stages around the model of the warm start, each of which doubles its picture.
        rate: Learning rate.
        rollout: Frames back-propagated through at most: one at first, then twice as many at equal
            intervals.
        rollout_from: Share of the run from which there is more than one.
        adversary: Loss of the critics.
        strides: Distances in time at which critics compare successive pictures, such as 1 3 9.
        perceptual: Network by whose features pictures are compared: lite0, or none.
        weights: Weights of the terms, in place of the preset's; 0 turns a term off.
        without: Parts of the method to leave out, to see what they are good for.
        device: cpu, cuda, cuda:1 ... (default: the first GPU, else the CPU).
        threads: Cores to use.
        workers: Processes that load beside it; 0: none (default: what suits the device).
        seed: Seed of everything random.
    """
    from rich.progress import Progress

    for option, value in (
        ("threads", threads),
        ("batch", batch),
        ("steps", steps),
        ("rollout", rollout),
    ):
        at_least(option, value, 1)
    for option, value in (("seed", seed), ("stages", stages), ("workers", workers)):
        at_least(option, value, 0)
    at_least("minutes", minutes, 0.01)
    at_least("rate", rate, 1e-7)
    if rollout_from is not None and not 0 <= rollout_from <= 1:
        raise InputError(f"--rollout-from is {rollout_from}; a share from 0 to 1 is accepted")
    if Path(name).name != name:
        raise InputError(f"--name is {name!r}; a word that can be a file's name is accepted")
    given = {
        "steps": steps,
        "batch": batch,
        "crop": crop,
        "crop_height": crop_height,
        "stages": stages,
        "rate": rate,
        "rollout": rollout,
        "rollout_from": rollout_from,
        "adversary": adversary,
        "strides": strides,
        "perceptual": perceptual,
    }
    _check_strides(strides)
    plain = PRESETS[preset]()
    with train_extra():
        from .distributed import joined, pick_device
        from .loader import suitable_workers
        from .run import train as run
    picked = pick_device(device)
    config = replace(
        plain,
        weights=_weighed(plain.weights, weights),
        device=picked,
        threads=threads,
        workers=suitable_workers(picked) if workers is None else workers,
        seed=seed,
        without=without,
        **{option: value for option, value in given.items() if value is not None},
    )
    _check_window(config)
    with joined(picked) as world, Progress(disable=not world.first) as progress:
        bar = progress.add_task("training", total=config.steps)

        def report(step: int, terms: dict[str, float]) -> None:
            text = " ".join(f"{term} {value:.3f}" for term, value in terms.items())
            progress.update(bar, completed=step, description=f"{step} {text}")
            if step % 50 == 0 and not progress.console.is_terminal:
                print(step, text, flush=True)

        path = run(
            data,
            out,
            config,
            name=name,
            warm_start=warm_start,
            minutes=minutes,
            world=world,
            tell=partial(progress.console.print, markup=False),
            report=report,
        )
    if world.first:
        print(path)


def _weighed(weights: LossWeights, given: Any) -> LossWeights:
    """The preset's weights, but for those that are given."""
    changed = {name: value for name, value in vars(given).items() if value is not None}
    for name, value in changed.items():
        if not 0 <= value < math.inf:
            raise InputError(f"--weights.{name} is {value}; 0 or more is accepted")
    return replace(weights, **changed)


def _check_strides(strides: tuple[int, ...] | None) -> None:
    if strides is not None and (not strides or min(strides) < 1 or len({*strides}) < len(strides)):
        raise InputError(
            f"--strides is {' '.join(map(str, strides)) or 'empty'}; numbers from 1, each once, "
            "are accepted; --without successions leaves their critics out"
        )


def _check_window(config: TrainConfig) -> None:
    unit = 16 << config.stages
    for option, size in (("crop", config.crop), ("crop-height", config.crop_height)):
        if size and (size % unit or size < NARROWEST):
            raise InputError(
                f"--{option} is {size}; 0 or a multiple of {unit} from {NARROWEST} is accepted"
            )


def evaluate(
    model: Positional[Model],
    clips: Positional[Path],
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    report: Path | None = None,
    frames: int = 120,
    count: int | None = None,
    drift: int = 2000,
    beside: tuple[Path, ...] = (),
    device: str | None = None,
) -> None:
    """Score a model on clips with a truth; prints JSON.

    Args:
        model: A bundled model's name or a package's path.
        clips: What `rotolive prepare` or `rotolive synth` made, of other videos or
            another seed than the model was trained with.
        json_file: Write the figures here as well.
        report: Folder for a page with the figures, pictures and plots.
        frames: Of each clip.
        count: Clips to take; all, when left out.
        drift: Frames of one long dance, to see whether pictures get worse; 0: none.
        beside: Packages of the same data to compare with, such as one trained `--without` a part.
        device: cpu, cuda, cuda:1 ... (default: the first GPU, else the CPU).
    """
    from rich.console import Console
    from rich.progress import Progress

    from ..model import package

    at_least("frames", frames, 3)
    at_least("count", count, 1)
    at_least("drift", drift, 0)
    check_folder_of(json_file)
    opened = package.load(model)
    with train_extra():
        from .distributed import pick_device
        from .evaluate import evaluate as run
        from .report import write_report
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("evaluating", total=1.0)
        figures, evaluation = run(
            opened,
            clips,
            frames=frames,
            clips=count,
            drift=drift,
            device=pick_device(device),
            beside=[package.load(str(path)) for path in beside],
            report=lambda share: progress.update(bar, completed=share),
        )
    show(figures, json_file)
    if report is not None:
        print(write_report(report, figures, evaluation))
