"""The procedural city as an engine: labels, instances, depth and exact motion of every frame."""

from collections.abc import Mapping

from ...training.synthetic.street.classes import CLASSES
from ...training.synthetic.street.renderer import StreetRenderer
from ...training.synthetic.street.world import draw_world
from ..engine import EngineFrame

DRIVE_S = 60.0
"""Length of a drive; the next one goes through another city."""
FIRST_SEED = 100_000
"""Cities from here on were not trained on."""


class PandaCity:
    """Drives through cities by itself, without a window. shaded: with sun, shadows and textures.

    Shading costs as much as painting; the planes that go out are the same without.
    """

    name = "panda3d"
    classes = CLASSES
    mapping: Mapping[str, str] = {}

    def __init__(
        self, seed: int = 0, *, width: int = 512, height: int = 256, shaded: bool = False
    ) -> None:
        self.size = width, height
        self._renderer = StreetRenderer(width, height)
        self._shaded = shaded
        self._drive = FIRST_SEED + 1000 * seed
        self._time: float | None = None

    def step(self, seconds: float) -> EngineFrame:
        """Drive on by some seconds and render; a new drive is a cut."""
        cut = self._time is None or self._time + seconds >= DRIVE_S
        self._time = 0.0 if self._time is None or cut else self._time + seconds
        if cut:
            self._renderer.enter(draw_world(self._drive, self._drive, DRIVE_S), style=0)
            self._drive += 1
        frame = self._renderer.render(self._time, shaded=self._shaded)
        planes = {
            "label": frame.label,
            "instance": frame.instance,
            "depth": frame.depth,
            "motion": frame.motion,
        }
        return EngineFrame(rgb=frame.rgb, planes=planes, reset=cut)

    def close(self) -> None:
        """Nothing outlives the process."""
