"""What making clips of videos has in common: which frames are taken, and the account of them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ...model.errors import InputError
from ...model.video import TimedPicture, VideoReader
from ..clip_format import check_size
from .bookkeeping import (
    Report,
    Stretch,
    clear_left_over,
    file_name,
    number_styles,
    read_notes,
    work,
    write_notes,
)

FASTEST = 30.0
"""Frames per second taken at most."""
SHORTEST = 24
"""Frames of a clip at least."""
STUB = f"fewer than {SHORTEST} in a row"

Moment = TypeVar("Moment")


@dataclass(kw_only=True)
class Account:
    """What became of one video's frames."""

    video: str
    bytes: int
    style: str
    frames: int = 0
    used: int = 0
    clips: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def skip(self, why: str, frames: int = 1) -> None:
        """Count frames that were left out."""
        self.skipped[why] = self.skipped.get(why, 0) + frames

    @property
    def reasons(self) -> str:
        """Why frames were left out."""
        return ", ".join(f"{count} {why}" for why, count in self.skipped.items())

    def __str__(self) -> str:
        reasons = f", {self.reasons}" if self.skipped else ""
        made = f"{self.clips} clips of {self.used} of {self.frames} frames"
        return f"{self.video}: {made}{reasons}; style {self.style!r}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One video, and where it goes."""

    video: Path
    out: Path
    style: int
    name: str
    seconds: float

    @property
    def stem(self) -> str:
        """What its clips' names begin with."""
        return file_name(self.video.stem)

    @property
    def account_file(self) -> Path:
        """Where it is noted that the video is done."""
        return self.out / f"{self.stem}.account.json"


def check_videos(videos: list[Path], size: int) -> None:
    """Raise InputError where something cannot be read, or two would have one name."""
    if not videos:
        raise InputError("no video was named; any that FFmpeg reads is accepted")
    check_size(size)
    for video in videos:
        VideoReader(video)
    stems = Counter(file_name(video.stem) for video in videos)
    if twice := [stem for stem, count in stems.items() if count > 1]:
        raise InputError(f"two of the videos are named {twice[0]}; rename one of them")


def plan(videos: list[Path], out: Path, style: str | None, seconds: float) -> list[Job]:
    """A job for each video, which is a style named after it unless one is named for all."""
    names = [style or video.stem for video in videos]
    numbers = number_styles(out, names)
    return [
        Job(video=video, out=out, style=numbers[name], name=name, seconds=seconds)
        for video, name in zip(videos, names, strict=True)
    ]


def stretch(account: Account) -> Stretch[Any]:
    """An empty one, whose frames are counted where they are too few."""
    return Stretch(SHORTEST, lambda few: account.skip(STUB, len(few)))


def make_all(
    make: Callable[..., Account], jobs: Sequence[Job], workers: int, report: Report
) -> list[Account]:
    """Return what became of each video; those that are done are not done again."""
    done = {job: _account_of(job) for job in jobs}
    fresh = [job for job, account in done.items() if account is None]
    return [*filter(None, done.values()), *work(make, fresh, workers, report)]


def fill(
    job: Job,
    video: VideoReader,
    runs: Callable[[Account], Iterator[list[Moment]]],
    save: Callable[[list[Moment], int, float], None],
    report: Report,
) -> Account:
    """Save each run of a video's frames as a clip; runs: counts frames, and what it leaves out.

    save: told moments, the clip's number and its frames per second. Raises InputError where
    nothing came of it.
    """
    account = Account(video=job.video.name, bytes=job.video.stat().st_size, style=job.name)
    clear_left_over(job.out, job.stem)
    fps = min(video.fps, FASTEST)
    for moments in runs(account):
        save(moments, account.clips, fps)
        account.clips += 1
        account.used += len(moments)
        report(min(1.0, account.frames / max(1, video.seconds * fps)))
    if not account.clips:
        why = f": {account.reasons}" if account.skipped else ""
        raise InputError(f"{job.video}: no clip came of its {account.frames} frames{why}")
    write_notes(job.account_file, asdict(account))
    return account


def frames(video: VideoReader) -> Iterator[TimedPicture]:
    """Yield the video's pictures, or as many of them as are FASTEST a second."""
    wanted = 0.0
    for frame in video:
        if frame.time_s + 0.25 / FASTEST >= wanted:
            wanted = max(wanted + 1 / FASTEST, frame.time_s)
            yield frame


def _account_of(job: Job) -> Account | None:
    """Read what became of a video that is done. Raises InputError where it was another one."""
    if not job.account_file.is_file():
        return None
    account = Account(**read_notes(job.account_file))
    if account.bytes != job.video.stat().st_size:
        raise InputError(f"{job.out} holds another video named {job.stem}; rename {job.video}")
    return account
