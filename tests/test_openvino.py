"""OpenVINO's graphs: exact where it matters, kept between starts, and in eight bits."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from rotolive.model.config import GeneratorConfig
from rotolive.model.errors import ModelError
from rotolive.model.generator import Painter
from rotolive.model.pyramid import build
from rotolive.model.runtime import StepInput, calibrate, openvino_graph, verify
from rotolive.model.runtime.calibrate import Recorder, Told, noise
from rotolive.model.runtime.eager import EagerStepper
from rotolive.model.runtime.graph import StepGraph
from rotolive.model.runtime.openvino import OpenVinoStepper
from rotolive.model.runtime.openvino_graph import WIDEST, core, key, library, open_graph
from rotolive.model.runtime.store import Store

POSE = GeneratorConfig(condition_channels=6, styles=2, width=64, height=64, channels=16)
LABELS = replace(POSE, classes=5, width=96, backdrop=False)
NO_BFLOAT16 = "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROTOLIVE_CACHE", str(tmp_path))
    return tmp_path


def painter(shape: GeneratorConfig = POSE) -> Painter:
    """With contrast: a flat picture agrees with anything."""
    torch.manual_seed(1)
    made = build(shape).eval().requires_grad_(False)
    for name, weight in made.named_parameters():
        if name.endswith("paint.weight"):
            weight.data.normal_(std=0.05)
    return made


def frames(shape: GeneratorConfig, count: int, furthest: float = 4.0) -> Iterator[StepInput]:
    for told in noise(shape, count):
        yield StepInput(
            condition=told.condition,
            style=told.style,
            motion=told.motion * (furthest / 4),
            active=torch.ones(1, dtype=torch.bool),
        )


def decibels(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(-10 * torch.log10((one - other).div(2).pow(2).mean().clamp(min=1e-12)))


@pytest.mark.parametrize(
    "shape",
    [
        POSE,
        LABELS,
        replace(POSE, memory="seen", backdrop=False),
        replace(POSE, stages=1, fine_channels=8, fine_blocks=1),
        replace(LABELS, stages=1, width=128, fine_channels=8, fine_blocks=1),
    ],
    ids=["pose", "labels", "seen", "pyramid", "labels pyramid"],
)
def test_every_kind_of_generator_is_stepped_as_eager_does(shape: GeneratorConfig) -> None:
    generator = painter(shape)
    stepper = OpenVinoStepper(generator, 2, 1, "f32")
    assert stepper.name == "openvino-f32" and stepper.info.precision == "float32"
    assert len(stepper.snapshot(0).fine) == shape.stages
    deviation = verify(generator, stepper)
    assert deviation.rollout > 85 and deviation.missed < 0.01


@pytest.mark.skipif(NO_BFLOAT16, reason="needs a processor with bfloat16")
def test_grids_are_exact_in_bfloat16(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    shape = replace(POSE, width=256)
    generator = painter(shape)

    def worst() -> float:
        eager, stepper = EagerStepper(generator, 1), OpenVinoStepper(generator, 1, 1, "bf16")
        assert stepper.name == "openvino-bf16" and stepper.info.precision == "bfloat16"
        batches = list(frames(shape, 6, furthest=20))
        return min(decibels(stepper.step(b).image, eager.step(b).image) for b in batches)

    kept = worst()
    monkeypatch.setattr(openvino_graph, "_keep_grids_exact", lambda model: None)
    monkeypatch.setenv("ROTOLIVE_CACHE", str(cache / "other"))
    assert kept > worst() + 6


@pytest.mark.parametrize("width", [24, WIDEST + 16])
def test_small_planes_are_enlarged_by_products(width: int) -> None:
    class Enlarge(torch.nn.Module):
        def forward(self, small: torch.Tensor) -> torch.Tensor:
            return F.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False)

    small = torch.randn(1, 2, 16, width)
    model: Any = library().convert_model(torch.export.export(Enlarge(), (small,)))
    model.reshape([1, 2, 16, width])
    openvino_graph._enlarge_by_products(model)
    kinds = [op.get_type_name() for op in model.get_ops()]
    assert ("Interpolate" in kinds) == (width > WIDEST)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    (made,) = core().compile_model(model, "CPU", exact)([small.numpy()]).values()
    torch.testing.assert_close(torch.from_numpy(made.copy()), Enlarge()(small))


def test_a_later_start_reads_what_was_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = painter()
    first = OpenVinoStepper(generator, 1, 1, "f32")
    monkeypatch.setattr(openvino_graph, "convert", None)
    later = OpenVinoStepper(generator, 1, 1, "f32")
    for batch in frames(POSE, 3):
        torch.testing.assert_close(later.step(batch), first.step(batch), rtol=0, atol=0)


LEAVING = """
import os, signal
from test_openvino import POSE, OpenVinoStepper, painter
steppers = [OpenVinoStepper(painter(), 1, 1, "f32") for _ in range(2)]
while steppers:
    steppers.pop(0)
signal.signal(signal.SIGINT, lambda *_: print("heard"))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_interrupts_are_heard_after_runtimes_have_gone() -> None:
    command = [sys.executable, "-c", LEAVING]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


def test_what_is_damaged_is_converted_anew(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    generator = painter()
    OpenVinoStepper(generator, 1, 1, "f32")
    (weights,) = cache.rglob("*.bin")
    content = weights.read_bytes()
    weights.write_bytes(content[:-64])
    assert verify(generator, OpenVinoStepper(generator, 1, 1, "f32")).rollout > 85
    assert "made anew" in caplog.text
    (weights,) = cache.rglob("*.bin")
    assert weights.read_bytes() == content


def test_a_cache_that_cannot_be_written_is_no_hindrance(
    cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (cache / "file").touch()
    monkeypatch.setenv("ROTOLIVE_CACHE", str(cache / "file"))
    assert OpenVinoStepper(painter(), 1, 1, "f32").name == "openvino-f32"
    assert "not kept" in caplog.text


def test_another_graph_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = painter()
    known = key(StepGraph(generator), "float")
    assert known == key(StepGraph(painter()), "float")
    assert known != key(StepGraph(generator), "int8")
    assert known != key(StepGraph(painter(replace(POSE, memory="seen"))), "float")
    for module, name in ((torch, "__version__"), (library(), "__version__")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, "99")
            assert known != key(StepGraph(generator), "float")
    dict(generator.named_parameters())["paint.bias"].data[0] += 1e-6
    assert known != key(StepGraph(generator), "float")


def test_nothing_that_was_handed_out_is_written_again() -> None:
    generator = painter()
    graph = StepGraph(generator)
    engine = openvino_graph.OpenVinoEngine(open_graph(graph), graph, 1, "f32")
    state = graph.inputs[3:]
    steps, copies = [], []
    for told in noise(POSE, 4):
        made = engine(*told, *state)
        steps.append((*told, *state, *made))
        copies.append([x.clone() for x in steps[-1]])
        state = made[2:]
    for step, copy in zip(steps, copies, strict=True):
        torch.testing.assert_close(list(step), copy, rtol=0, atol=0)


def recorded(generator: Painter, count: int = 6) -> list[list[Told]]:
    recorder = Recorder(generator)
    for batch in frames(generator.config, count):
        recorder.step(batch)
    recorder.reset(torch.ones(1, dtype=torch.bool))
    for batch in frames(generator.config, 2):
        assert not recorder.step(batch).image.any(), "it paints nothing"
    return list(recorder.streams)


def test_a_recorder_remembers_streams_from_cold_start_to_cold_start() -> None:
    streams = recorded(painter())
    assert [len(stream) for stream in streams] == [6, 2]
    for told, batch in zip(streams[0], frames(POSE, 6), strict=True):
        torch.testing.assert_close(list(told), [batch.condition, batch.style, batch.motion])


def test_eight_bits_need_a_calibration() -> None:
    with pytest.raises(ModelError, match="not calibrated for int8"):
        OpenVinoStepper(painter(), 1, 1, "int8")


def test_without_nncf_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ModelError, match=r"rotolive\[int8\].*'nncf'"):
        calibrate.calibrate(painter())


@pytest.mark.parametrize("shape", [POSE, LABELS], ids=["pose", "labels"])
def test_inner_convolutions_in_eight_bits_paint_the_same(
    shape: GeneratorConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nncf")
    monkeypatch.setattr(calibrate, "ENOUGH", 30.0)  # of weights that nobody trained
    generator = painter(shape)
    about = calibrate.calibrate(generator, recorded(generator))
    assert about["frames"] == 8 and 30 < about["worst_db"] <= about["mean_db"] < 80
    assert not capsys.readouterr().out, "what is printed there is for programs"
    stepper = OpenVinoStepper(generator, 2, 1, "int8")
    assert stepper.name == "openvino-int8" and stepper.info.precision == "int8"
    assert 25 < verify(generator, stepper).rollout < 90
    model = openvino_graph.read(Store(), key(StepGraph(generator), "int8"))
    convolutions = [op for op in model.get_ops() if op.get_type_name() == "Convolution"]
    sources = [op.input_value(0).get_node().get_type_name() for op in convolutions]
    outer = 3 + 2 + (1 if shape.classes else 0)  # what sees inputs; paint and flow; detail
    assert sources.count("FakeQuantize") == len(convolutions) - outer


def test_eight_bits_that_stray_are_refused_ever_after(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nncf")
    monkeypatch.setattr(calibrate, "ENOUGH", 200.0)
    generator = painter()
    for attempt in (
        lambda: calibrate.calibrate(generator),
        lambda: OpenVinoStepper(generator, 1, 1, "int8"),
    ):
        with pytest.raises(ModelError, match="int8 strays from eager, at least 200 dB"):
            attempt()


def test_nncf_reports_to_nobody() -> None:
    pytest.importorskip("nncf")
    code = """
import sys
from rotolive.model.runtime.calibrate import _nncf
_nncf()
assert sys.modules["openvino_telemetry"] is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
