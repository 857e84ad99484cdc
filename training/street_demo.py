"""The pictures that come with a street model: the styles' thumbnails, and the README's drive."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..model.condition.labels.palette import in_colours
from ..model.live import open_model as open_live
from ..model.live import paint
from .synthetic.street.renderer import StreetFrame, StreetRenderer
from .synthetic.street.world import draw_world

FPS = 30.0
WARM_UP, SHOWN = 30, 60
"""Frames before the first that is shown, and of those that are."""
EVERY, SCALE, QUALITY = 2, 0.75, 80
Picture = NDArray[np.uint8]


def write_pictures(model: str, seed: int, thumbnails: Path, poster: Path) -> None:
    """Drive through a city: {name}-{style}.png of each style, and an animated WebP of them all."""
    live = open_live(model, slots=1)
    frames = list(drive(seed, live.width, live.height))
    timed = [(frame.planes, t / FPS) for t, frame in enumerate(frames)]
    films = [[p.rgb for p in paint(timed, live, style)] for style in range(len(live.styles))]
    for style, film in enumerate(films):
        side = slice(live.width // 2 - live.height // 2, live.width // 2 + live.height // 2)
        path = thumbnails / f"{live.name}-{style}.png"
        cv2.imwrite(str(path), film[WARM_UP][:, side, ::-1])
    labels = [in_colours(frame.label, live.classes) for frame in frames]
    write_poster([labels, *films][:4], poster)


def drive(seed: int, width: int, height: int) -> Iterator[StreetFrame]:
    """What a car sees of a city that no model was trained on: planes, not shaded."""
    renderer = StreetRenderer(width, height)
    seconds = (WARM_UP + SHOWN) / FPS
    renderer.enter(draw_world(seed, seed, seconds), style=0)
    for t in range(WARM_UP + SHOWN):
        yield renderer.render(t / FPS, shaded=False)


def write_poster(films: list[list[Picture]], path: Path) -> None:
    """Four films in two rows, without their first frames."""
    moments = list(zip(*films, strict=True))[WARM_UP::EVERY]
    pictures = []
    for a, b, c, d in moments:
        whole = np.vstack([np.hstack([a, b]), np.hstack([c, d])])
        small = cv2.resize(whole, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_AREA)
        pictures.append(np.asarray(small, np.uint8)[:, :, ::-1].copy())
    animation = cv2.Animation()
    animation.frames = pictures
    animation.durations = [round(1000 * EVERY / FPS)] * len(pictures)
    cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
