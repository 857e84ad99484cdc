"""Model packages: what goes in comes out, and what cannot be read is named."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rotolive.model import package
from rotolive.model.config import GeneratorConfig
from rotolive.model.errors import ModelError
from rotolive.model.generator import Generator


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    shape = GeneratorConfig(
        condition_channels=4, styles=2, width=32, height=32, channels=16, parts=5
    )
    card = package.Card(
        name="small",
        generator=shape,
        condition="pose",
        condition_settings={"a": 1},
        styles=("x", "y"),
    )
    package.save(tmp_path / "small.safetensors", card, Generator(shape))
    return tmp_path / "small.safetensors"


def _header(path: Path) -> dict:  # type: ignore[type-arg]
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["rotolive"])


def _with_header(path: Path, header: str) -> Path:
    save_file({"x": torch.zeros(1)}, path, metadata={"rotolive": header})
    return path


def test_round_trip_without_the_training_head(saved: Path) -> None:
    opened = package.load(saved)
    assert opened.card.styles == ("x", "y") and opened.card.generator.parts == 0
    assert not any(name.startswith("parts.") for name in opened.weights)
    assert all(tensor.dtype == torch.float16 for tensor in opened.weights.values())
    opened.generator()


def test_a_newer_format_is_refused_by_its_number(saved: Path, tmp_path: Path) -> None:
    header = _header(saved) | {"format_version": 7}
    path = _with_header(tmp_path / "new.safetensors", json.dumps(header))
    with pytest.raises(ModelError, match=r"format version 7.*reads version 1"):
        package.load(path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("blocks", [1, 1]),
        ("blocks", [1, 1, 1, 1, -1]),
        ("channels", -1),
        ("channels", 48.0),
        ("channels", "a"),
        ("width", 256.0),
        ("width", 10**9),
        ("styles", 0),
    ],
)
def test_settings_that_cannot_be_are_named(
    saved: Path, tmp_path: Path, setting: str, value: object
) -> None:
    header = _header(saved)
    header["generator"][setting] = value
    with pytest.raises(ModelError, match=setting):
        package.load(_with_header(tmp_path / "odd.safetensors", json.dumps(header)))


@pytest.mark.parametrize(
    "change", [{"name": None}, {"styles": "xy"}, {"styles": [1, 2]}, {"styles": ["x"]}]
)
def test_cards_that_contradict_themselves_are_refused(
    saved: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    header = _header(saved) | change
    with pytest.raises(ModelError, match=r"styles|name"):
        package.load(_with_header(tmp_path / "odd.safetensors", json.dumps(header)))


def test_weights_of_other_settings_are_one_sentence(saved: Path, tmp_path: Path) -> None:
    path = _with_header(tmp_path / "odd.safetensors", json.dumps(_header(saved)))
    with pytest.raises(ModelError, match="not those of its settings"):
        package.load(path).generator()


def test_pickles_and_strangers_are_refused(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(ModelError, match=r"reads \.safetensors"):
        package.load(tmp_path / "evil.pt")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="no rotolive model"):
        package.load(tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="damaged"):
        package.load(_with_header(tmp_path / "bad.safetensors", "{"))


def test_a_cut_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cannot be read"):
        package.load(saved)


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(ModelError, match=r"'nobody'.*identity"):
        package.load("nobody")
