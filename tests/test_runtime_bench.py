"""The bench of runtimes: its rows, what it leaves out and why, and its table."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from rotolive.model.config import PRESETS, GeneratorConfig
from rotolive.model.errors import ModelError
from rotolive.model.generator import Generator
from rotolive.model.package import Card, bundled_models, save
from rotolive.model.runtime import LIMITS
from rotolive.model.runtime import bench as bench_module
from rotolive.model.runtime.bench import BATCHES, Bench, Case, bench_runtime, cases
from rotolive.model.runtime.floor import cost
from rotolive.model.runtime.openvino import OpenVinoStepper
from rotolive.model.runtime.table import markdown

SHAPE = GeneratorConfig(condition_channels=4, styles=2, width=64, height=32, channels=16)


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROTOLIVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    generator = Generator(SHAPE)
    generator.paint.weight.data.mul_(8)
    cost(generator)  # the first one loads what later ones find
    card = Card(
        name="small",
        generator=SHAPE,
        condition="pose",
        condition_settings={},
        styles=("x", "y"),
    )
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save(path, card, generator)
    return path


@pytest.fixture(scope="module")
def figures(small: Path) -> dict[str, Any]:
    return bench_runtime(str(small), 8.0)


def test_every_runtime_has_its_row(figures: dict[str, Any]) -> None:
    assert figures == json.loads(json.dumps(figures))
    rows = figures["rows"]
    assert {"eager", "openvino-f32"} <= {row["runtime"] for row in rows}
    assert len({(row["runtime"], row["threads"]) for row in rows}) == len(rows)
    assert 1 in {row["threads"] for row in rows}
    for row in rows:
        assert row["width"] == 64 and row["height"] == 32 and row["batch"] == 1
        assert row["steps"] > 0 and 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["fps"] <= 1e3 / (0.5 * row["p50_ms"]), "the median is half of the steps or more"
        assert row["gflop"] == pytest.approx(cost(Generator(SHAPE)).flop / 1e9, abs=1e-3)
        assert row["floor_share"] == pytest.approx(row["floor_ms"] / row["p50_ms"], rel=0.1)
        assert row["load_s"] >= 0 and row["memory_mb"] >= 0


def test_agreement_is_with_eager(figures: dict[str, Any]) -> None:
    for row in figures["rows"]:
        if row["runtime"] == "eager":
            assert row["single_db"] is None and row["rollout_db"] is None
        else:
            assert row["rollout_db"] >= LIMITS["rollout"] and row["single_db"] >= LIMITS["single"]


def test_floors_are_of_what_was_measured_here(figures: dict[str, Any]) -> None:
    needs = cost(Generator(SHAPE))
    (eager,) = (x for x in figures["rows"] if x["runtime"] == "eager" and x["threads"] == 1)
    (ceiling,) = (
        x for x in figures["ceilings"] if x["precision"] == "float32" and x["threads"] == 1
    )
    work_ms = needs.flop / ceiling["tflops"] / 1e9
    traffic_ms = 4 * needs.values / ceiling["gb_s"] / 1e6
    assert eager["floor_ms"] == pytest.approx(max(work_ms, traffic_ms), rel=0.05)


def test_a_runtime_that_strays_is_left_out_with_its_reason(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "rollout", 1e6)
    found = bench_runtime(str(small), 4.0)
    assert {row["runtime"] for row in found["rows"]} == {"eager"}
    reasons = {row["runtime"]: row["reason"] for row in found["skipped"]}
    assert "strays from eager" in reasons["openvino-f32"]


def test_a_step_of_many_slots_is_timed_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = Generator(SHAPE).eval().requires_grad_(False)
    with closing(Bench(1.0)) as bench:
        bench.open(Case(model="x", generator=generator, runtime="eager", batch=3, threads=1))
        monkeypatch.setattr(bench_module, "_step_s", lambda *_: 0.01)
        bench.measure()
        (row,) = bench.figures()["rows"]
    assert row["gflop"] == pytest.approx(3 * cost(generator).flop / 1e9, abs=1e-3)
    assert row["batch"] == 3 and row["p50_ms"] == row["p99_ms"] == 10 and row["fps"] == 300


def test_a_runtime_that_fails_on_the_way_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the device was lost")

    generator = Generator(SHAPE).eval().requires_grad_(False)
    with closing(Bench(1.0)) as bench:
        case = Case(model="x", generator=generator, runtime="openvino-f32", batch=1, threads=1)
        bench.open(case)
        monkeypatch.setattr(OpenVinoStepper, "_step_one", broken)
        bench.measure()
        found = bench.figures()
    assert not found["rows"]
    assert "the device was lost" in found["skipped"][0]["reason"]


def test_a_gpu_is_asked_for_batches_and_for_what_opens_quickly_first(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_module, "best_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(bench_module, "available", lambda: ("tensorrt", "inductor", "cuda"))
    found = [(case.runtime, case.batch) for case in cases(str(small), 2)]
    wanted = [(name, size) for name in ("cuda", "inductor", "tensorrt") for size in BATCHES]
    assert found == wanted


def test_what_there_is_no_time_for_is_named() -> None:
    """The smallest budget still measures something, and tells of everything else."""
    found = bench_runtime("all", 1.0)
    assert found["rows"][0]["preset"] == bundled_models()[0]
    everything = [*found["rows"], *found["skipped"]]
    sizes = {(row["preset"], row["width"], row["height"]) for row in everything}
    assert {name for name, *_ in sizes} == {*bundled_models(), *PRESETS}
    assert {("live", 512, 512), ("hd", 2048, 1024), ("street", 512, 256)} <= sizes
    kinds = {row["runtime"] for row in everything}
    assert len(everything) == len(sizes) * len(kinds)
    assert all(
        "no time is left" in row["reason"] for row in found["skipped"] if row["preset"] == "nano"
    )


def test_no_such_model() -> None:
    with pytest.raises(ModelError, match="no model 'nobody'"):
        bench_runtime("nobody", 1.0)


def test_rows_are_a_table(figures: dict[str, Any]) -> None:
    eager = {
        "preset": "live",
        "width": 512,
        "height": 256,
        "runtime": "eager",
        "threads": 2,
        "batch": 16,
        "p50_ms": 4.5678,
        "p99_ms": 123.456,
        "fps": 3502.7,
        "floor_share": 0.256,
        "rollout_db": None,
    }
    other = {**eager, "runtime": "cuda", "p50_ms": 0.1234, "floor_share": 0.0123, "rollout_db": 41}
    head, rule, first, second = markdown([eager, other]).splitlines()
    assert head.startswith("| model | size | runtime |") and set(rule) <= set("|-: ")
    cells = "| `live` | 512x256 | eager | 2 | 16 | 4.57 | 123 | 3503 | 26% | is eager |"
    assert first == cells
    assert "| 0.123 | 123 | 3503 | 1.2% | 41.0 |" in second
    assert len(markdown(figures["rows"]).splitlines()) == len(figures["rows"]) + 2
