"""A whole file through a model: the live path without the clock."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ..model.live import LiveModel, Request
from ..model.video import TimedPicture, VideoReader, VideoWriter


def paint(
    pictures: Iterable[TimedPicture], model: LiveModel, style: int, *, mirror: bool = False
) -> Iterator[TimedPicture]:
    """Yield one painted picture for each that comes, at the same time."""
    weights = model.style(style)
    conditioner = model.conditioner(mirror=mirror)
    model.reset(0)
    try:
        for picture in pictures:
            seen = conditioner.observe(picture.rgb, picture.time_s)
            painted = model.step([Request(slot=0, condition=seen.condition, style=weights)])
            yield TimedPicture(rgb=painted[0].rgb, time_s=picture.time_s)
    finally:
        conditioner.close()


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
    done = 0
    with VideoWriter(target, model.width, model.height, reader.fps, source) as writer:
        for picture in paint(reader, model, style, mirror=mirror):
            writer.write(picture)
            done += 1
            progress(done, max(reader.frames, done))
    return done
