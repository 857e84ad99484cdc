"""A whole file through a model."""

from collections.abc import Callable
from pathlib import Path

from ..model.errors import InputError
from ..model.live import LiveModel, paint
from ..model.video import VideoReader, VideoWriter


def render(
    source: Path,
    target: Path,
    model: LiveModel,
    style: int = 0,
    *,
    mirror: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Render `source` into `target` with its sound; returns how many frames. Raises InputError.

    progress: called with frames done and frames expected. Nothing is left behind on failure.
    """
    reader = VideoReader(source)
    if target.exists() and target.samefile(source):
        raise InputError(f"{target} is the input; give the output another name")
    done = 0
    with VideoWriter(target, model.width, model.height, reader.fps, source) as writer:
        for picture in paint(reader, model, style, mirror=mirror):
            writer.write(picture)
            done += 1
            progress(done, max(reader.frames, done))
    return done
