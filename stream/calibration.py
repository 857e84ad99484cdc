"""What a model is told live, recorded: 8-bit runtimes are calibrated on it."""

from pathlib import Path

from ..model.generator_live import GeneratorModel
from ..model.live import Request
from ..model.package import load
from ..model.runtime.calibrate import Recorder, Stream
from .conditions import conditions

STYLES, FRAMES = 3, 24
"""Styles that are recorded, and frames of each."""


def record_streams(name: str, video: str | Path) -> list[Stream]:
    """Record some dozens of frames of a model's conditions, a stream for each of some styles.

    video: somebody who moves; models of labels see blocks that pass by.
    """
    package = load(name)
    recorder = Recorder(package.generator())
    model = GeneratorModel(package, recorder)
    seen = conditions(model, video)[:FRAMES]
    for index in range(min(STYLES, len(model.styles))):
        model.reset(0)
        for seq, moment in enumerate(seen):
            model.step([Request(slot=0, seen=moment, style=model.style(index), seq=seq)])
    return list(recorder.streams)
