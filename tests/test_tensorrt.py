"""The step as TensorRT builds it, on a machine without a GPU: whole, in half precision, no frame
forgotten. Running engines needs one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rotolive.model import layers
from rotolive.model.config import GeneratorConfig
from rotolive.model.errors import ModelError
from rotolive.model.generator import Generator
from rotolive.model.runtime import tensorrt
from rotolive.model.runtime.graph import StepGraph

NETS = {"dancer": 9e6, "street": 11e6, "live:512x512": 16e6, "base": 45e6, "hd": 90e6}
"""What is built, and the most bytes that its engine may have."""

KINDS = {
    "CONVOLUTION": {"HALF"},
    "MATRIX_MULTIPLY": {"HALF"},
    "GRID_SAMPLE": {"FLOAT"},
}


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    if tensorrt.builder() != "torch-tensorrt-rtx":
        pytest.skip("only TensorRT-RTX builds without a GPU")
    program = Path(__file__).with_name("tensorrt_cpu.py")
    made = subprocess.run(
        [sys.executable, program, *NETS], capture_output=True, text=True, timeout=600
    )
    assert made.returncode == 0, made.stderr[-3000:]
    rows = [json.loads(line) for line in made.stdout.splitlines() if line.startswith('{"name')]
    return {row["name"]: row for row in rows}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NETS)
def test_an_engine_is_built_of_the_whole_step(told: dict[str, dict[str, Any]], name: str) -> None:
    net = told[name]
    assert 1e6 < net["bytes"] < NETS[name]
    assert len(net["blocks"]) == 1 and net["whole"]
    states = [f"state_{i}" for i in range(len(net["inputs"]) - 3)]
    assert net["inputs"] == ["condition", "style", "motion", *states]


@pytest.mark.parametrize("name", NETS)
def test_its_convolutions_are_half_and_its_grids_are_not(
    told: dict[str, dict[str, Any]], name: str
) -> None:
    layers = told[name]["layers"]
    kinds = {kind: {key.split()[1] for key in layers if key.split()[0] == kind} for kind in KINDS}
    assert kinds == KINDS


@pytest.mark.parametrize("name", NETS)
def test_the_lowered_graph_remembers(told: dict[str, dict[str, Any]], name: str) -> None:
    """A lowering that drops the state is right at the first frame and wrong from the second on."""
    strays = told[name]["strays"]
    assert len(strays) >= 3 and max(strays) < 0.02


class Gpu:
    """Stands for what a GPU and its libraries would say: loads plans that were made for it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
        self.versions = {"gpu": "one", "driver": "580"}
        self.built, self.broken = 0, False
        monkeypatch.setenv("ROTOLIVE_CACHE", str(cache))
        monkeypatch.setattr(tensorrt, "versions", lambda: dict(self.versions))
        monkeypatch.setattr(tensorrt, "builder", lambda: "torch-tensorrt")
        monkeypatch.setattr(tensorrt, "build", self.build)
        monkeypatch.setattr(tensorrt, "TensorRtEngine", self.load)

    def build(self, graph: StepGraph) -> bytes:
        self.built += 1
        return f"plan {self.built} for {self.versions}".encode()

    def load(self, plan: bytes, graph: StepGraph) -> str:
        if self.broken or str(self.versions) not in plan.decode():
            raise ModelError("the engine was not taken")
        return plan.decode()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Gpu:
    return Gpu(monkeypatch, tmp_path)


def graph(**changed: Any) -> StepGraph:
    torch.manual_seed(0)
    settings = {"condition_channels": 4, "styles": 1, "width": 32, "height": 32, "channels": 8}
    return StepGraph(Generator(GeneratorConfig(**settings | changed)).eval())


def test_engines_are_kept_and_taken_again(gpu: Gpu) -> None:
    first = tensorrt.open_engine(graph())
    assert tensorrt.is_built(graph()) and tensorrt.open_engine(graph()) == first
    assert gpu.built == 1


def test_everything_that_matters_makes_another_engine(gpu: Gpu) -> None:
    """Keys of operators' names alone take one engine for nets of other strides or slopes."""
    plain = graph()
    other = graph()
    other.generator.flow.bias.data[0] += 1e-3  # pyright: ignore[reportAttributeAccessIssue]
    half = StepGraph(plain.generator, 1, torch.float16)
    several = [plain, plain.resized(4), half, other, graph(memory="seen"), graph(width=48)]
    assert len({str(tensorrt.open_engine(it)) for it in several}) == len(several)
    gpu.versions["driver"] = "590"
    assert not tensorrt.is_built(plain) and "590" in str(tensorrt.open_engine(plain))


def test_a_text_that_changed_makes_another_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = graph().key
    changed = tmp_path / "layers.py"
    changed.write_text(Path(str(layers.__file__)).read_text().replace("border", "zeros"))
    monkeypatch.setattr(layers, "__file__", str(changed))
    assert graph().key != before


def test_a_damaged_engine_is_built_anew(gpu: Gpu, tmp_path: Path) -> None:
    tensorrt.open_engine(graph())
    (plan,) = tmp_path.rglob(tensorrt.PLAN)
    plan.write_bytes(plan.read_bytes()[:-3])
    assert "plan 2" in str(tensorrt.open_engine(graph()))
    assert tensorrt.open_engine(graph()) == tensorrt.open_engine(graph()) and gpu.built == 2


def test_an_engine_that_cannot_be_loaded_is_built_anew_and_then_given_up(gpu: Gpu) -> None:
    tensorrt.open_engine(graph())
    gpu.broken = True
    with pytest.raises(ModelError, match="was not taken"):
        tensorrt.open_engine(graph())
    assert gpu.built == 2


def test_an_engine_that_strays_is_not_tried_again(gpu: Gpu) -> None:
    tensorrt.open_engine(graph())
    tensorrt.refuse(graph(), "12 dB")
    with pytest.raises(ModelError, match="of no use before: 12 dB"):
        tensorrt.open_engine(graph())
    gpu.versions["driver"] = "590"
    assert "590" in str(tensorrt.open_engine(graph()))
