"""Videos of somebody who dances before a camera that stands still: clips to train on."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.condition.pose.detect import PoseDetector
from ...model.condition.pose.skeleton import to_joints
from ...model.errors import InputError
from ...model.video import TimedPicture, VideoReader
from ..clip_format import check_size, save_clip
from ..smoothing import smoothed
from .frame import PARTS, cut_out, label, motion
from .survey import SEEN, Framing, Window, survey

FASTEST = 30.0
"""Frames per second taken at most."""
SHORTEST = 24
"""Frames of a clip at least."""
CUT = 40.0
"""Mean difference of two frames, in 255ths, from which there is a cut between them."""
INSIDE = 0.75
"""Share of the landmarks that must be seen inside the window."""
SMOOTHING = 1.0
"""Deviation in frames of the smoothing, forth and back, that takes detections for the truth."""
NOBODY, OUTSIDE, STUB = (
    "nobody found",
    "mostly outside the picture",
    f"fewer than {SHORTEST} in a row",
)

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


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

    def __str__(self) -> str:
        reasons = "".join(f", {count} {why}" for why, count in self.skipped.items())
        made = f"{self.clips} clips of {self.used} of {self.frames} frames"
        return f"{self.video}: {made}{reasons}; style {self.style!r}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One video, and where it goes."""

    video: Path
    out: Path
    style: int
    name: str
    size: int
    seconds: float
    framing: Framing

    @property
    def stem(self) -> str:
        """What its clips' names begin with."""
        return _stem(self.video)

    @property
    def account_file(self) -> Path:
        """Where it is noted that the video is done."""
        return self.out / f"{self.stem}.account.json"


def prepare(
    videos: list[Path],
    out: Path,
    *,
    size: int = 256,
    style: str | None = None,
    seconds: float = 10.0,
    workers: int = 1,
    report: Callable[[float], None] = lambda share: None,
) -> list[Account]:
    """Make clips of videos, each of them a style named after it unless one is named for all.

    What is there stays: the first video of a data set gives it its backdrop and framing, and
    videos that are done are not done again. report: told the share that is done. Raises
    InputError for a file that is no video, shows nobody or was filmed by hand.
    """
    _check(videos, size)
    names = [style or video.stem for video in videos]
    numbers = _number(out, names)
    framing = _framing(out, videos[0], size)
    jobs = [
        Job(
            video=video,
            out=out,
            style=numbers[name],
            name=name,
            size=size,
            seconds=seconds,
            framing=framing,
        )
        for video, name in zip(videos, names, strict=True)
    ]
    done = {job: _account_of(job) for job in jobs}
    fresh = [job for job, account in done.items() if account is None]
    return [*filter(None, done.values()), *_work(fresh, workers, report)]


def prepare_video(job: Job, report: Callable[[float], None] = lambda share: None) -> Account:
    """Make the clips of one video; `report` is told the share that is done."""
    video = VideoReader(job.video)
    seen = survey(video)
    window = seen.body.window(job.framing)
    try:
        backdrop = seen.backdrop(window, job.size)
    except InputError as error:
        raise InputError(f"{job.video}: {error}") from error
    account = Account(video=job.video.name, bytes=job.video.stat().st_size, style=job.name)
    for left_over in job.out.glob(f"{job.stem}-[0-9][0-9][0-9]"):
        shutil.rmtree(left_over)
    del seen  # some hundred MB of pictures
    for moments in _runs(job, video, _Cutter(window, backdrop), account):
        _write(job, moments, account.clips, min(video.fps, FASTEST))
        account.clips += 1
        account.used += len(moments)
        report(min(1.0, account.frames / max(1, video.seconds * min(video.fps, FASTEST))))
    if not account.clips:
        reasons = ", ".join(f"{count} {why}" for why, count in account.skipped.items())
        raise InputError(f"{job.video}: no clip came of its {account.frames} frames: {reasons}")
    _write_whole(job.account_file, asdict(account))
    return account


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
    skipped: Counter[str] = Counter()
    detector = PoseDetector(masks=True)
    longest = round(job.seconds * min(video.fps, FASTEST))
    run: list[_Moment] = []

    def end() -> Iterator[list[_Moment]]:
        if len(run) >= SHORTEST:
            yield list(run)
        else:
            skipped[STUB] += len(run)
        run.clear()
        cutter.before = None

    try:
        for frame in _frames(video):
            account.frames += 1
            picture = cutter.cut(frame.rgb)
            found = detector.detect_with_mask(picture, frame.time_s)
            if found is None or not _is_inside(found[0]):
                skipped[NOBODY if found is None else OUTSIDE] += 1
                yield from end()
                continue
            if run and (len(run) >= longest or _is_cut(cutter.before, picture)):
                yield from end()
            run.append(cutter.moment(frame.time_s, picture, *found))
        yield from end()
    finally:
        detector.close()
        account.skipped = {why: count for why, count in skipped.items() if count}


def _frames(video: VideoReader) -> Iterator[TimedPicture]:
    """The video's pictures, or as many of them as are FASTEST a second."""
    wanted = 0.0
    for frame in video:
        if frame.time_s + 0.25 / FASTEST >= wanted:
            wanted = max(wanted + 1 / FASTEST, frame.time_s)
            yield frame


def _is_inside(landmarks: Floats) -> bool:
    at = landmarks[:, :2]
    inside = ((at > 0) & (at < 1)).all(1) & (landmarks[:, 3] > SEEN)
    return bool(inside.mean() >= INSIDE)


def _is_cut(before: Picture | None, now: Picture) -> bool:
    return before is not None and float(cv2.absdiff(before, now).mean()) > CUT


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


def _check(videos: list[Path], size: int) -> None:
    if not videos:
        raise InputError("no video was named; any that FFmpeg reads is accepted")
    check_size(size)
    for video in videos:
        VideoReader(video)
    stems = Counter(_stem(video) for video in videos)
    if twice := [stem for stem, count in stems.items() if count > 1]:
        raise InputError(f"two of the videos are named {twice[0]}; rename one of them")


def _number(out: Path, names: list[str]) -> dict[str, int]:
    """Number the styles, those of clips that are there first."""
    known: dict[str, int] = {}
    for path in out.rglob("clip.json"):
        about = _read(path)
        known[about["name"]] = about["style"]
    for name in names:
        free = next(i for i in range(len(known) + 1) if i not in known.values())
        known.setdefault(name, free)
    return known


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is damaged: {error}") from error


def _write_whole(path: Path, values: dict[str, Any]) -> None:
    """Write a file that appears whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(values, indent=1) + "\n")
    part.replace(path)


def _framing(out: Path, first: Path, size: int) -> Framing:
    """Read how the data set frames its dancers; a new one does as suits the first video."""
    path, backdrop = out / "framing.json", out / "backdrop.png"
    if path.is_file() and backdrop.is_file():
        picture = cv2.imread(str(backdrop))
        if picture is not None and picture.shape[0] != size:
            raise InputError(f"{out} holds pictures of {picture.shape[0]} pixels, not {size}")
        return Framing(**_read(path))
    if backdrop.is_file():
        raise InputError(f"{out} is a data set of another kind; choose another folder")
    seen = survey(VideoReader(first))
    framing = seen.body.framing()
    try:
        behind = seen.backdrop(seen.body.window(framing), size)
    except InputError as error:
        raise InputError(f"{first}: {error}") from error
    out.mkdir(parents=True, exist_ok=True)
    _write_whole(path, asdict(framing))
    cv2.imwrite(str(backdrop), behind[:, :, ::-1])
    return framing


def _account_of(job: Job) -> Account | None:
    """Read what became of a video that is done. Raises InputError where it was another one."""
    if not job.account_file.is_file():
        return None
    account = Account(**_read(job.account_file))
    if account.bytes != job.video.stat().st_size:
        raise InputError(f"{job.out} holds another video named {job.stem}; rename {job.video}")
    return account


def _stem(video: Path) -> str:
    return re.sub(r"[^\w.-]+", "_", video.stem)


def _work(jobs: list[Job], workers: int, report: Callable[[float], None]) -> Iterator[Account]:
    """Prepare videos one by one, or side by side."""
    if workers <= 1 or len(jobs) <= 1:
        for i, job in enumerate(jobs):
            yield prepare_video(job, lambda share, i=i: report((i + share) / len(jobs)))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for i, done in enumerate(as_completed([pool.submit(prepare_video, job) for job in jobs])):
            yield done.result()
            report((i + 1) / len(jobs))
