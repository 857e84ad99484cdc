"""Videos of somebody who dances before a camera that stands still: clips to train on."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.condition.pose.detect import PoseDetector
from ...model.condition.pose.skeleton import to_joints
from ...model.errors import InputError
from ...model.video import VideoReader
from ..clip_format import save_clip
from ..optical_flow import is_cut
from ..smoothing import smoothed
from . import footage
from .bookkeeping import Report, Stretch, read_notes, write_notes
from .footage import (
    FASTEST,
    Account,
    check_videos,
    fill,
    frames,
    make_all,
    plan,
    stretch,
)
from .frame import PARTS, cut_out, label, motion
from .survey import SEEN, Framing, Window, survey

INSIDE = 0.75
"""Share of the landmarks that must be seen inside the window."""
SMOOTHING = 1.0
"""Deviation in frames of the smoothing, forth and back, that takes detections for the truth."""
NOBODY, OUTSIDE = "nobody found", "mostly outside the picture"

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Job(footage.Job):
    """One video, how large its pictures become and what of it they show."""

    size: int
    framing: Framing


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

    What is there stays: the first video of a data set gives it its backdrop and framing, and
    videos that are done are not done again. report: told the share that is done. Raises
    InputError for a file that is no video, shows nobody or was filmed by hand.
    """
    check_videos(videos, size)
    planned = plan(videos, out, style, seconds)
    framing = _framing(out, videos[0], size)
    jobs = [Job(**vars(job), size=size, framing=framing) for job in planned]
    return make_all(prepare_video, jobs, workers, report)


def prepare_video(job: Job, report: Report = lambda share: None) -> Account:
    """Make the clips of one video; `report` is told the share that is done."""
    video = VideoReader(job.video)
    seen = survey(video)
    window = seen.body.window(job.framing)
    try:
        backdrop = seen.backdrop(window, job.size)
    except InputError as error:
        raise InputError(f"{job.video}: {error}") from error
    del seen  # some hundred MB of pictures
    runs = partial(_runs, job, video, _Cutter(window, backdrop))
    return fill(job, video, runs, partial(_write, job), report)


@dataclass(frozen=True, kw_only=True)
class _Moment:
    time_s: float
    rgba: Picture
    motion: NDArray[np.float16]
    landmarks: Floats


class _Cutter:
    """Makes moments of pictures that follow each other."""

    def __init__(self, window: Window, backdrop: Picture) -> None:
        self.window, self.backdrop = window, backdrop
        self.before: Picture | None = None

    def cut(self, picture: Picture) -> Picture:
        """Cut the window out of a video's picture."""
        return self.window.cut(picture, len(self.backdrop)).astype(np.uint8)

    def moment(self, time_s: float, picture: Picture, landmarks: Floats, mask: Floats) -> _Moment:
        """Tell the dancer in a window's picture from the backdrop, and how it moved."""
        rgba = cut_out(picture, self.backdrop, mask)
        before = picture if self.before is None else self.before
        self.before = picture
        moved = motion(picture, before, rgba[..., 3])
        return _Moment(time_s=time_s, rgba=rgba, motion=moved, landmarks=landmarks)


def _runs(
    job: Job, video: VideoReader, cutter: _Cutter, account: Account
) -> Iterator[list[_Moment]]:
    """Stretches of good frames, none longer than a clip may be; counts what is skipped."""
    detector = PoseDetector(masks=True)
    longest = round(job.seconds * min(video.fps, FASTEST))
    run: Stretch[_Moment] = stretch(account)

    def end() -> Iterator[list[_Moment]]:
        yield from run.end()
        cutter.before = None

    try:
        for frame in frames(video):
            account.frames += 1
            picture = cutter.cut(frame.rgb)
            found = detector.detect_with_mask(picture, frame.time_s)
            if found is None or not _is_inside(found[0]):
                account.skip(NOBODY if found is None else OUTSIDE)
                yield from end()
                continue
            if run and (len(run) >= longest or is_cut(cutter.before, picture)):
                yield from end()
            run.append(cutter.moment(frame.time_s, picture, *found))
        yield from end()
    finally:
        detector.close()


def _is_inside(landmarks: Floats) -> bool:
    at = landmarks[:, :2]
    inside = ((at > 0) & (at < 1)).all(1) & (landmarks[:, 3] > SEEN)
    return bool(inside.mean() >= INSIDE)


def _write(job: Job, moments: list[_Moment], index: int, fps: float) -> None:
    found = np.stack([moment.landmarks for moment in moments])
    truth = found.copy()
    truth[..., :3] = smoothed(found[..., :3], SMOOTHING)
    joints = to_joints(truth, 1.0)
    rgba = np.stack([moment.rgba for moment in moments])
    about = {
        "style": job.style,
        "name": job.name,
        "fps": fps,
        "frames": len(moments),
        "size": job.size,
        "detected": True,
        "source": job.video.name,
        "parts": list(PARTS),
    }
    save_clip(
        job.out / f"{job.stem}-{index:03d}",
        about,
        rgba=rgba,
        parts=np.stack([label(p[..., 3], j) for p, j in zip(rgba, joints, strict=True)]),
        motion=np.stack([moment.motion for moment in moments]),
        truth=truth,
        landmarks=found,
        times=np.array([moment.time_s - moments[0].time_s for moment in moments]),
    )


def _framing(out: Path, first: Path, size: int) -> Framing:
    """Read how the data set frames its dancers; a new one does as suits the first video."""
    path, backdrop = out / "framing.json", out / "backdrop.png"
    if path.is_file() and backdrop.is_file():
        picture = cv2.imread(str(backdrop))
        if picture is not None and picture.shape[0] != size:
            raise InputError(f"{out} holds pictures of {picture.shape[0]} pixels, not {size}")
        return Framing(**read_notes(path))
    if backdrop.is_file():
        raise InputError(f"{out} is a data set of another kind; choose another folder")
    seen = survey(VideoReader(first))
    framing = seen.body.framing()
    try:
        behind = seen.backdrop(seen.body.window(framing), size)
    except InputError as error:
        raise InputError(f"{first}: {error}") from error
    out.mkdir(parents=True, exist_ok=True)
    write_notes(path, asdict(framing))
    cv2.imwrite(str(backdrop), behind[:, :, ::-1])
    return framing
