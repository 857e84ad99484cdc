"""One sequence of pictures with labels, made into clips."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...model.errors import InputError
from ..clip_format import save_clip
from ..optical_flow import is_cut, motion
from .accounts import Account, Flaw
from .bookkeeping import Report, Stretch, clear_left_over, file_name, read_notes, write_notes
from .frames import Frame, frames, length, rate
from .label_classes import Coding
from .label_pixels import Pixels
from .layouts import Series

FEWEST = 4
"""Frames of a clip at least."""
STUB = f"fewer than {FEWEST} in a row"
UNIT = 16
"""Sides of pictures are multiples of this."""
_NEAREST = cv2.INTER_NEAREST_EXACT


@dataclass(frozen=True, kw_only=True)
class Job:
    """One sequence, and where it goes. fps: of images. size: width and height of the clips."""

    source: str
    series: Series
    coding: Coding
    out: Path
    style: int
    name: str
    size: tuple[int, int]
    seconds: float
    fps: float

    @property
    def stem(self) -> str:
        """What its clips' names begin with."""
        return file_name("-".join(filter(None, (self.source, self.series.name))))

    @property
    def account_file(self) -> Path:
        """Where it is noted that the sequence is done."""
        return self.out / f"{self.stem}.account.json"

    def account(self) -> Account:
        """An empty one. Its bytes tell another sequence of the same name from this one."""
        size = sum(path.stat().st_size for path in self.series.files)
        return Account(source=self.source, style=self.name, bytes=size)

    def done(self) -> Account | None:
        """What became of it, if it is done. Raises InputError where it was another one."""
        if not self.account_file.is_file():
            return None
        account = Account.of_notes(read_notes(self.account_file))
        if account.bytes != self.account().bytes:
            raise InputError(
                f"{self.account_file} is of other files, or they have changed: rename "
                f"{self.source}, or delete that file to make its clips anew"
            )
        return account


def prepare_sequence(job: Job, report: Report = lambda share: None) -> Account:
    """Make the clips of a sequence; `report` is told the share that is done."""
    account = job.account()
    clear_left_over(job.out, job.stem)
    fps, total = rate(job.series, job.fps), length(job.series)
    for run in _runs(job, fps, account):
        _write(job, run, account.clips, fps)
        account.clips += 1
        account.used += len(run)
        report(min(1.0, account.frames / total))
    if account.clips:
        write_notes(job.account_file, asdict(account))
    return account


def fitted_size(picture: NDArray[np.uint8], height: int) -> tuple[int, int]:
    """Width and height of a picture [H, W, 3] at a height, in whole units."""
    tall, wide = picture.shape[:2]
    return UNIT * round(height * wide / tall / UNIT), height


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame in the size of the data set; instance: numbers as they came."""

    name: str
    time_s: float
    rgb: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]


def fit(frame: Frame, coding: Coding, size: tuple[int, int]) -> Moment:
    """Read a frame and bring it to a size. Raises Flaw for one that cannot be used."""
    rgb, (values, palette), things = frame.read()
    if fitted_size(rgb, size[1]) != size:
        raise Flaw("of another shape than the others", f"{rgb.shape[1]}x{rgb.shape[0]}")
    label = coding.classes(Pixels(cv2.resize(values, size, interpolation=_NEAREST), palette))
    instance = np.zeros_like(label, np.uint16)
    if things is not None:
        instance = cv2.resize(things, size, interpolation=_NEAREST).astype(np.uint16, copy=False)
    rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return Moment(name=frame.name, time_s=frame.time_s, rgb=rgb, label=label, instance=instance)


def _runs(job: Job, fps: float, account: Account) -> Iterator[list[Moment]]:
    """Stretches of good frames, none longer than a clip may be; counts what is left out."""
    longest = max(FEWEST, round(job.seconds * fps))
    run: Stretch[Moment] = Stretch(
        FEWEST, lambda few: account.skip(STUB, len(few), [moment.name for moment in few])
    )
    for frame in frames(job.series, fps):
        account.frames += 1
        try:
            moment = fit(frame, job.coding, job.size)
        except Flaw as flaw:
            account.skip(flaw.why, 1, [flaw.of(frame.name)])
            yield from run.end()
            continue
        if run and (len(run) >= longest or is_cut(run[-1].rgb, moment.rgb)):
            yield from run.end()
        run.append(moment)
    yield from run.end()


def _write(job: Job, run: list[Moment], index: int, fps: float) -> None:
    rgb = np.stack([moment.rgb for moment in run])
    width, height = job.size
    moved = np.zeros((len(run), 2, height // 4, width // 4), np.float16)
    moved[1:] = [motion(now, before) for before, now in pairwise(rgb)]
    about = {
        "condition": "labels",
        "style": job.style,
        "name": job.name,
        "fps": fps,
        "frames": len(run),
        "width": width,
        "height": height,
        "source": job.source if job.series.video else f"{job.source}/",
        "classes": list(job.coding.names),
    }
    save_clip(
        job.out / f"{job.stem}-{index:03d}",
        about,
        rgb=rgb,
        label=np.stack([moment.label for moment in run]),
        instance=_numbered(np.stack([moment.instance for moment in run])),
        depth=np.zeros(rgb.shape[:3], np.float16),
        motion=moved,
        times=np.array([moment.time_s - run[0].time_s for moment in run]),
    )


def _numbered(instance: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Things of a clip [T, H, W] numbered from 1 on; 0 stays."""
    numbers = np.cumsum(np.bincount(instance.ravel(), minlength=1)[1:] > 0)
    return np.concatenate([[0], numbers]).astype(np.uint16)[instance]
