"""A whole file, or a folder of labels, through a model."""

from collections.abc import Callable, Iterable
from pathlib import Path

from ..model.condition import Planes
from ..model.errors import InputError
from ..model.live import LiveModel, paint
from ..model.video import VideoReader, VideoWriter
from .label_files import LabelFiles

Progress = Callable[[int, int], None]
"""Told frames done and frames expected."""


def render(
    source: Path,
    target: Path,
    model: LiveModel,
    style: int = 0,
    *,
    mirror: bool = False,
    progress: Progress = lambda done, total: None,
) -> int:
    """Render a video into `target` with its sound; returns how many frames. Raises InputError.

    Nothing is left behind on failure.
    """
    if model.classes:
        raise InputError(
            f"{model.name} paints labels, and {source} is no folder of them; videos are lossy and "
            "mix the ids of neighbours"
        )
    reader = VideoReader(source)
    if target.exists() and target.samefile(source):
        raise InputError(f"{target} is the input; give the output another name")
    frames = (({"rgb": picture.rgb}, picture.time_s) for picture in reader)
    with VideoWriter(target, model.width, model.height, reader.fps, source) as writer:
        return _write(writer, frames, reader.frames, model, style, mirror, progress)


def render_labels(
    labels: LabelFiles,
    target: Path,
    model: LiveModel,
    style: int = 0,
    *,
    progress: Progress = lambda done, total: None,
) -> int:
    """Render label images into a video; returns how many frames. Raises InputError."""
    with VideoWriter(target, model.width, model.height, labels.fps) as writer:
        return _write(writer, labels, len(labels), model, style, False, progress)


def _write(
    writer: VideoWriter,
    frames: Iterable[tuple[Planes, float]],
    expected: int,
    model: LiveModel,
    style: int,
    mirror: bool,
    progress: Progress,
) -> int:
    done = 0
    for picture in paint(frames, model, style, mirror=mirror):
        writer.write(picture)
        done += 1
        progress(done, max(expected, done))
    return done
