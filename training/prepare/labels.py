"""Pictures with labels, as people have them for vid2vid or Cityscapes: clips of scenes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...model.condition.labels.files import ClassNames
from ...model.errors import InputError
from ..clip_format import LARGEST, check_size
from .accounts import Account, Flaw
from .bookkeeping import Report, number_styles, read_notes, work
from .cityscapes import known_coding
from .frames import frames
from .label_classes import Coding, coding_of
from .layouts import Series, find_series
from .scene_clips import FEWEST, STUB, Job, fitted_size, prepare_sequence

SMALLEST = 64
"""Side of a picture at least."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set of somebody's, or a video of it: its sequences and what its labels stand for."""

    path: Path
    series: list[Series]
    coding: Coding

    @property
    def name(self) -> str:
        """Of the folder or file."""
        return self.path.resolve().name

    @property
    def style(self) -> str:
        """What its look is called where nobody gives it a name."""
        return self.path.stem if self.path.is_file() else self.name


def prepare(
    paths: Sequence[Path],
    out: Path,
    *,
    labels: Sequence[Path] = (),
    classes: ClassNames | None = None,
    size: int = 256,
    style: str | None = None,
    seconds: float = 10.0,
    fps: float | None = None,
    workers: int = 1,
    report: Report = lambda share: None,
) -> list[Account]:
    """Make clips of pictures with labels; an account of each path.

    labels: where they lie for each path, if not in a layout that is known (see `layouts`). classes:
    what ids or colours stand for; Cityscapes' are known. Each path is a style named after it unless
    one is named for all. size: height of the pictures. fps: of image sequences. Sequences that are
    done are not done again. Raises InputError for a path of which nothing can be used.
    """
    check_size(size)
    sources = list(_sources(paths, labels, classes))
    shape = _shape(out, sources, size)
    styles = [style or source.style for source in sources]
    numbers = number_styles(out, styles)
    jobs = [
        Job(
            source=source.name,
            series=sequence,
            coding=source.coding,
            out=out,
            style=numbers[name],
            name=name,
            size=shape,
            seconds=seconds,
            fps=fps or sequence.fps,
        )
        for source, name in zip(sources, styles, strict=True)
        for sequence in source.series
    ]
    if twice := [stem for stem, count in Counter(job.stem for job in jobs).items() if count > 1]:
        raise InputError(f"two sequences are named {twice[0]}; rename one of them")
    return _work(jobs, workers, report)


def _work(jobs: list[Job], workers: int, report: Report) -> list[Account]:
    """Make the clips that are not there; accounts of the sources."""
    accounts = {job.source: Account(source=job.source, style=job.name, sequences=0) for job in jobs}
    fresh: list[Job] = []
    for job in jobs:
        if done := _short(job) or job.done():
            accounts[job.source].add(done)
        else:
            fresh.append(job)
    for account in work(prepare_sequence, fresh, workers, report):
        accounts[account.source].add(account)
    if empty := [str(account) for account in accounts.values() if not account.clips]:
        raise InputError(f"nothing to train on came of {empty[0]}")
    return list(accounts.values())


def _short(job: Job) -> Account | None:
    """The account of a sequence too short for a clip, else None."""
    pairs = job.series.pairs
    if job.series.video or len(pairs) >= FEWEST:
        return None
    account = Account(source=job.source, style=job.name, frames=len(pairs))
    account.skip(STUB, len(pairs), [pair.name for pair in pairs])
    return account


def _sources(
    paths: Sequence[Path], labels: Sequence[Path], classes: ClassNames | None
) -> Iterator[Source]:
    if not paths:
        raise InputError("no data were named: a folder of pictures and labels, or a video of them")
    if labels and len(labels) != len(paths):
        raise InputError(f"--labels names {len(labels)} places for {len(paths)} of pictures")
    given = None if classes is None else coding_of(classes)
    names: set[str] = set()
    for path, beside in zip(paths, labels or [None] * len(paths), strict=True):
        found = find_series(path, beside)
        coding = given or known_coding([file for sequence in found for file in sequence.labels])
        source = Source(path=path, series=found, coding=coding)
        if source.name in names:
            raise InputError(f"two of the paths are named {source.name}; rename one of them")
        names.add(source.name)
        yield source


def _shape(out: Path, sources: list[Source], height: int) -> tuple[int, int]:
    """Width and height of the data set: as of clips that are there, or as suits the first source.

    Raises InputError for sources that do not fit it.
    """
    where, (width, tall), classes = str(out), (0, height), sources[0].coding.names
    clip = next(iter(sorted(out.rglob("clip.json"))), None)
    if clip is None:
        where, (width, tall) = str(sources[0].path), _size_of(sources[0], height)
    else:
        about = read_notes(clip)
        if about.get("condition") != "labels":
            raise InputError(f"{out} is a data set of another kind; choose another folder")
        width, tall, classes = about["width"], about["height"], tuple(about["classes"])
    if tall != height:
        raise InputError(f"{out} holds pictures of {tall} pixels, not {height}")
    for source in sources:
        if source.coding.names != classes:
            raise InputError(
                f"the classes of {source.path} are {', '.join(source.coding.names)}; those of "
                f"{where} are {', '.join(classes)}: a data set has one list"
            )
        if (found := _size_of(source, height)) != (width, height):
            raise InputError(
                f"pictures of {source.path} become {found[0]}x{height}, those of {where} are "
                f"{width}x{height}; a data set has one shape"
            )
    return width, height


def _size_of(source: Source, height: int) -> tuple[int, int]:
    """Width and height that suit the first good frame. Raises InputError where there is none."""
    account = Account(source=source.name, style="")
    for sequence in source.series:
        for frame in frames(sequence, sequence.fps):
            try:
                planes = frame.read()
                source.coding.classes(planes.label)
            except Flaw as flaw:
                account.frames += 1
                account.skip(flaw.why, 1, [flaw.of(frame.name)])
                continue
            width, _ = size = fitted_size(planes.rgb, height)
            if not SMALLEST <= width <= LARGEST:
                raise InputError(
                    f"pictures of {source.path} become {width}x{height}; sides from {SMALLEST} to "
                    f"{LARGEST} are accepted, so --size must be another"
                )
            return size
    raise InputError(
        f"none of the {account.frames} frames of {source.path} can be used: {account.reasons}"
    )
