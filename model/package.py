"""A model on disk: one .safetensors, everything it needs to run in its JSON header."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .config import GeneratorConfig
from .errors import ModelError
from .generator import Painter
from .pyramid import build

FORMAT_VERSION = 1
WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model is: its shape, its domain, its styles, where it comes from."""

    name: str
    generator: GeneratorConfig
    condition: str
    condition_settings: dict[str, Any]
    styles: tuple[str, ...]
    fps: float = 30.0
    licence: str = "Apache-2.0"
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the header's text."""
        values = asdict(self) | {"generator": self.generator.to_dict()}
        return json.dumps({"format_version": FORMAT_VERSION, **values})

    @classmethod
    def from_json(cls, text: str, source: str) -> "Card":
        """Read the header's text; raises ModelError naming `source`."""
        try:
            values = json.loads(text)
            version = values.pop("format_version")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise ModelError(f"{source}: its rotolive header is damaged") from error
        if version != FORMAT_VERSION:
            raise ModelError(
                f"{source} has format version {version}; this rotolive reads version "
                f"{FORMAT_VERSION}. A newer rotolive may read it."
            )
        try:
            shape = GeneratorConfig.from_dict(values.pop("generator"))
            if not isinstance(values["styles"], list):
                raise TypeError("styles is no list")
            card = cls(**{**values, "styles": tuple(values["styles"]), "generator": shape})
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{source}: its rotolive header lacks something: {error}") from error
        except ModelError as error:
            raise ModelError(f"{source}: {error}") from error
        if not isinstance(card.name, str) or not all(isinstance(s, str) for s in card.styles):
            raise ModelError(f"{source}: its name and its styles must be text")
        if len(card.styles) != shape.styles:
            raise ModelError(f"{source} names {len(card.styles)} styles and has {shape.styles}")
        return card


@dataclass(frozen=True, kw_only=True)
class Package:
    """An opened package."""

    card: Card
    weights: dict[str, Tensor]
    path: Path

    def generator(self) -> Painter:
        """Build the generator in float32, ready to run. Raises ModelError on missing weights."""
        generator = build(self.card.generator)
        weights = {name: tensor.float() for name, tensor in self.weights.items()}
        if not generator.backdrop.numel():
            weights["backdrop"] = generator.backdrop.data  # early packages hold an empty picture
        try:
            generator.load_state_dict(weights)
        except RuntimeError as error:
            raise ModelError(
                f"{self.path}: its weights are not those of its settings; was it made by another "
                "version of rotolive?"
            ) from error
        return generator.eval().requires_grad_(False)


def save(path: Path, card: Card, generator: Painter) -> None:
    """Write generator (float16, without its training-only head) and card, whole or not at all."""
    weights = {
        name: tensor.detach().half().contiguous()
        for name, tensor in generator.state_dict().items()
        if not name.startswith("parts.")
    }
    card = replace(card, generator=replace(card.generator, parts=0))
    part = path.with_suffix(".part")
    try:
        save_file(weights, part, metadata={"rotolive": card.to_json()})
    except (SafetensorError, OSError) as error:
        part.unlink(missing_ok=True)
        raise ModelError(f"{path} cannot be written, what it held is kept: {error}") from error
    part.replace(path)


def load(name_or_path: str | Path) -> Package:
    """Open a bundled model by name or a package by path. Raises ModelError."""
    path = find(name_or_path)
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("rotolive")
            if header is None:
                raise ModelError(f"{path} is a safetensors file but no rotolive model")
            card = Card.from_json(header, str(path))
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read: {error}. Rotolive reads .safetensors") from error
    if not all(torch.isfinite(tensor.float()).all() for tensor in weights.values()):
        raise ModelError(f"{path} holds weights that are not numbers")
    return Package(card=card, weights=weights, path=path)


def find(name_or_path: str | Path) -> Path:
    """Resolve a bundled name or a path; raises ModelError that lists what there is."""
    bundled = WEIGHTS / f"{name_or_path}.safetensors"
    path = bundled if bundled.is_file() else Path(name_or_path)
    if path.is_file():
        return path
    if str(name_or_path) == "identity":
        raise ModelError("identity returns the camera's picture; it has no package")
    known = ", ".join(["identity", *bundled_models()])
    raise ModelError(f"no model {str(name_or_path)!r}: bundled are {known}; or give a file's path")


def bundled_models() -> list[str]:
    """Names of the models that come with rotolive."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))
