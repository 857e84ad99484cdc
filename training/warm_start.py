"""A package's weights, made to fit what is going to be trained."""

from torch import Tensor

from ..model.config import GeneratorConfig
from ..model.errors import InputError
from ..model.package import Card

STYLE = "style.weight"
BACKDROP = "backdrop"


def check_size(card: Card, config: GeneratorConfig) -> None:
    """Raise InputError where finer stages would be around a generator of another size."""
    base, middle = card.generator.coarse, config.coarse
    if config.stages and (base.width, base.height) != (middle.width, middle.height):
        raise InputError(
            f"{config.stages} finer stages for data of {config.width}x{config.height} go around a "
            f"model of {middle.width}x{middle.height}; {card.name} paints {base.width}x"
            f"{base.height}: data or --stages must be others"
        )


def fitted(weights: dict[str, Tensor], config: GeneratorConfig) -> dict[str, Tensor]:
    """Rename and repeat a package's weights.

    Backdrops are left out. Another number of styles begins as the mean of the package's. Into a
    pyramid a generator goes as the one in the middle, and stages that a smaller pyramid lacks
    begin as copies of its last.
    """
    found = {name: value for name, value in weights.items() if not name.endswith(BACKDROP)}
    if config.stages:
        found = _stacked(found, config.stages)
    for name, value in found.items():
        if name.endswith(STYLE) and value.shape[1] != config.styles:
            found[name] = value.mean(1, keepdim=True).repeat(1, config.styles)
    return found


def count_stages(weights: dict[str, Tensor]) -> int:
    """How many finer stages a package's weights are of."""
    return len({name.split(".")[1] for name in weights if name.startswith("stages.")})


def _stacked(weights: dict[str, Tensor], stages: int) -> dict[str, Tensor]:
    if not any(name.startswith("coarse.") for name in weights):
        return {f"coarse.{name}": value for name, value in weights.items()}
    there = count_stages(weights)
    last = f"stages.{there - 1}."
    copied = dict(weights)
    for missing in range(there, stages):
        for name, value in weights.items():
            if name.startswith(last):
                copied[f"stages.{missing}.{name.removeprefix(last)}"] = value
    return copied
