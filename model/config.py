"""What a generator is made of, and the presets."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from .errors import ModelError

MOST = 8192
"""No setting of a generator is larger."""
MOST_STAGES = 4
MEMORIES = ("blended", "seen", "none")
"""Warped and blended with the painted; seen by the net only; none, all frames are first ones."""


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig:
    """Shape of a generator.

    width, height: of the picture, multiples of 16 times 2**stages. condition_channels: planes at
    1/4; of labels: at full resolution, the first of ids. classes: of labels (0: none).
    styles: number of appearances. channels: features at 1/4 resolution (twice that at 1/8, four
    times at 1/16). blocks: residual blocks at 1/4, 1/8, 1/16, 1/8, 1/4. backdrop: composite over
    a still picture kept in the weights. memory: of the last picture, one of MEMORIES.
    parts: classes of the training-only label head (0: none). stages: of a pyramid, finer stages
    around the generator, each of which doubles its picture (0: a generator alone); fine_channels,
    fine_blocks: their features and residual blocks at 1/4 of their resolution.
    """

    condition_channels: int
    styles: int
    width: int = 256
    height: int = 256
    channels: int = 48
    blocks: tuple[int, int, int, int, int] = (0, 1, 1, 1, 1)
    backdrop: bool = True
    memory: str = "blended"
    parts: int = 0
    classes: int = 0
    stages: int = 0
    fine_channels: int = 48
    fine_blocks: int = 2

    def __post_init__(self) -> None:
        counts = {"condition_channels": 1, "styles": 1, "channels": 2, "parts": 0, "classes": 0}
        for name, least in {**counts, "width": 16, "height": 16}.items():
            _check_count(name, getattr(self, name), least)
        if len(self.blocks) != 5:
            raise ModelError(f"blocks has {len(self.blocks)} numbers; 5 are expected")
        for value in self.blocks:
            _check_count("blocks", value, 0)
        if self.memory not in MEMORIES:
            raise ModelError(f"memory is {self.memory!r}; there are {', '.join(MEMORIES)}")
        self._check_stages()
        for name in ("channels", "fine_channels"):
            if getattr(self, name) % 2:
                raise ModelError(f"{name} is {getattr(self, name)}; it must be even")
        unit = 16 << self.stages
        if self.width % unit or self.height % unit:
            finer = f" with {self.stages} finer stages" if self.stages else ""
            raise ModelError(
                f"size {self.width}x{self.height}{finer}: both must be multiples of {unit}"
            )

    def _check_stages(self) -> None:
        _check_count("stages", self.stages, 0, MOST_STAGES)
        _check_count("fine_channels", self.fine_channels, 2)
        _check_count("fine_blocks", self.fine_blocks, 0)

    @property
    def condition_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a condition."""
        shrink = 1 if self.classes else 4
        return self.condition_channels, self.height // shrink, self.width // shrink

    @property
    def coarse(self) -> "GeneratorConfig":
        """Of the generator inside a pyramid; its own where there are no finer stages."""
        if not self.stages:
            return self
        width, height = self.width >> self.stages, self.height >> self.stages
        return replace(self, width=width, height=height, stages=0, backdrop=False, parts=0)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return {**asdict(self), "blocks": list(self.blocks)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "GeneratorConfig":
        """Rebuild from `to_dict`; raises ModelError on unknown or missing fields."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise ModelError(f"unknown generator settings {', '.join(unknown)}")
        try:
            return cls(**{**values, "blocks": tuple(values["blocks"])})
        except (TypeError, KeyError) as error:
            raise ModelError(f"incomplete generator settings: {error}") from error


def _check_count(name: str, value: object, least: int, most: int = MOST) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ModelError(f"{name} is {value!r}; a whole number from {least} to {most} is expected")


def nano(condition_channels: int, styles: int, *, parts: int = 0) -> GeneratorConfig:
    """About 0.8 GFLOP a frame at 256x256: slow laptops, one core."""
    return GeneratorConfig(
        condition_channels=condition_channels, styles=styles, parts=parts, channels=32
    )


def live(condition_channels: int, styles: int, *, parts: int = 0) -> GeneratorConfig:
    """About 1.8 GFLOP a frame at 256x256: 30 fps in fp32 on two cores beside pose and codecs."""
    return GeneratorConfig(condition_channels=condition_channels, styles=styles, parts=parts)


def base(condition_channels: int, styles: int, *, parts: int = 0) -> GeneratorConfig:
    """About 50 GFLOP a frame at 512x512: a GPU."""
    shape = live(condition_channels, styles, parts=parts)
    return replace(shape, width=512, height=512, channels=128)


def hd(condition_channels: int, styles: int, *, parts: int = 0) -> GeneratorConfig:
    """About 50 GFLOP a frame at 2048x1024: two finer stages around `live` at 512x256."""
    shape = live(condition_channels, styles, parts=parts)
    return replace(shape, width=2048, height=1024, stages=2, backdrop=False)


PRESETS = {"nano": nano, "live": live, "base": base, "hd": hd}
