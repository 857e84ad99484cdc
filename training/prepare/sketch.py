"""Any videos: clips whose conditions are the edges of their pictures."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...model.errors import InputError
from ...model.picture import fitted
from ...model.video import VideoReader
from ..clip_format import LARGEST, save_clip
from ..config import NARROWEST
from ..optical_flow import is_cut, motion
from . import footage
from .bookkeeping import Report, Stretch, read_notes
from .footage import FASTEST, SHORTEST, Account, check_videos, fill, frames, make_all, plan, stretch

LONGEST = 2
"""A picture's longer side over its shorter at most: what is beyond is cut off."""
UNIT = 16
"""Sides are multiples of this."""


@dataclass(frozen=True, kw_only=True)
class Job(footage.Job):
    """One video, and how large its pictures become."""

    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class _Moment:
    time_s: float
    rgb: NDArray[np.uint8]
    motion: NDArray[np.float16]


def prepare(
    videos: list[Path],
    out: Path,
    *,
    size: int = 256,
    style: str | None = None,
    seconds: float = 10.0,
    workers: int = 1,
    report: Report = lambda share: None,
) -> list[Account]:
    """Make clips of videos, each of them a style named after it unless one is named for all.

    size: height of the pictures; their shape is that of the first video, at most 2:1. What is there
    stays: videos that are done are not done again, and all are cut to one shape. report: told the
    share that is done. Raises InputError for a file that is no video, or too short.
    """
    check_videos(videos, size)
    planned = plan(videos, out, style, seconds)
    width, height = _size_there(out, size) or _size_of(videos[0], size)
    jobs = [Job(**vars(job), width=width, height=height) for job in planned]
    return make_all(prepare_video, jobs, workers, report)


def prepare_video(job: Job, report: Report = lambda share: None) -> Account:
    """Make the clips of one video; `report` is told the share that is done."""
    video = VideoReader(job.video)
    return fill(job, video, partial(_runs, job, video), partial(_write, job), report)


def _size_there(out: Path, size: int) -> tuple[int, int] | None:
    """Width and height of the clips that are there. Raises InputError for others than asked for."""
    path = next(iter(sorted(out.rglob("clip.json"))), None)
    if path is None:
        return None
    about = read_notes(path)
    if about.get("condition") != "sketch":
        raise InputError(f"{out} is a data set of another kind; choose another folder")
    width, height = int(about["width"]), int(about["height"])
    if height != size:
        raise InputError(f"{out} holds pictures of {width}x{height}, not {size} high")
    return width, height


def _size_of(video: Path, size: int) -> tuple[int, int]:
    """Width and height of clips as high as asked for, of a video's shape as nearly as may be."""
    height, width = next(iter(VideoReader(video))).rgb.shape[:2]
    least, most = max(size // LONGEST, NARROWEST), min(size * LONGEST, LARGEST)
    units = round(size * width / height / UNIT)
    return min(max(units, -(-least // UNIT)), most // UNIT) * UNIT, size


def _runs(job: Job, video: VideoReader, account: Account) -> Iterator[list[_Moment]]:
    """Stretches without a cut, none longer than a clip may be; counts what is skipped."""
    longest = max(SHORTEST, round(job.seconds * min(video.fps, FASTEST)))
    run: Stretch[_Moment] = stretch(account)
    for frame in frames(video):
        account.frames += 1
        picture = fitted(frame.rgb, (job.width, job.height))
        if run and (len(run) >= longest or is_cut(run[-1].rgb, picture)):
            yield from run.end()
        before = run[-1].rgb if run else picture
        run.append(_Moment(time_s=frame.time_s, rgb=picture, motion=motion(picture, before)))
    yield from run.end()


def _write(job: Job, moments: list[_Moment], index: int, fps: float) -> None:
    about = {
        "condition": "sketch",
        "style": job.style,
        "name": job.name,
        "fps": fps,
        "frames": len(moments),
        "width": job.width,
        "height": job.height,
        "source": job.video.name,
    }
    save_clip(
        job.out / f"{job.stem}-{index:03d}",
        about,
        rgb=np.stack([moment.rgb for moment in moments]),
        motion=np.stack([moment.motion for moment in moments]),
        times=np.array([moment.time_s - moments[0].time_s for moment in moments]),
    )
