"""Runtimes agree with eager, keep slots apart, and hand streams to one another."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nets import small_generator

from rotolive.model.errors import ModelError
from rotolive.model.generator import Generator, Output
from rotolive.model.runtime import LIMITS, StepInput, Stepper, open_stepper, openvino, verify

SLOTS = 3


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROTOLIVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def generator() -> Generator:
    return small_generator()


def planes(seed: int) -> torch.Tensor:
    return torch.rand(SLOTS, 6, 16, 16, generator=torch.Generator().manual_seed(seed))


def moves(seed: int) -> torch.Tensor:
    return 3 * torch.randn(SLOTS, 2, 16, 16, generator=torch.Generator().manual_seed(seed))


def step(stepper: Stepper, seed: int, *active: int) -> Output:
    mask = torch.tensor([slot in active for slot in range(SLOTS)])
    style = torch.eye(2)[torch.tensor([0, 1, 0])]
    return stepper.step(
        StepInput(condition=planes(seed), style=style, motion=moves(seed), active=mask)
    )


@pytest.mark.parametrize("runtime", ["openvino-f32", "openvino"])
def test_the_compiled_runtime_agrees_over_a_rollout(generator: Generator, runtime: str) -> None:
    stepper = open_stepper(generator, SLOTS, runtime, threads=1)
    assert stepper.name.startswith("openvino")
    deviation = verify(generator, stepper)
    assert deviation.small and deviation.rollout < 200


@pytest.mark.parametrize("runtime", ["eager", "openvino-f32"])
def test_slots_are_islands_and_reset_is_a_cold_start(generator: Generator, runtime: str) -> None:
    stepper = open_stepper(generator, SLOTS, runtime, threads=1)
    first = step(stepper, 0, 0, 1).image.clone()
    together = step(stepper, 1, 0, 1).image.clone()
    stepper.reset(torch.tensor([True, False, False]))
    again = step(stepper, 0, 0).image.clone()
    torch.testing.assert_close(again[0], first[0])
    step(stepper, 1, 0)
    alone = open_stepper(generator, SLOTS, runtime, threads=1)
    step(alone, 0, 1)
    torch.testing.assert_close(step(alone, 1, 1).image[1], together[1])


def test_a_stream_moves_between_runtimes(generator: Generator) -> None:
    eager = open_stepper(generator, SLOTS, "eager")
    compiled = open_stepper(generator, SLOTS, "openvino-f32", threads=1)
    for seed in range(4):
        step(eager, seed, 0)
    compiled.restore(2, eager.snapshot(0))
    want = step(eager, 9, 0).image[0]
    condition, motion = planes(9), moves(9)
    condition[2], motion[2] = condition[0], motion[0]
    got = compiled.step(
        StepInput(
            condition=condition,
            style=torch.eye(2)[torch.tensor([0, 0, 0])],
            motion=motion,
            active=torch.tensor([False, False, True]),
        )
    )
    torch.testing.assert_close(got.image[2], want, atol=2e-3, rtol=0)


def test_a_runtime_that_strays_is_not_used(
    generator: Generator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(LIMITS, "rollout", 1e6)
    with caplog.at_level(logging.WARNING):
        stepper = open_stepper(generator, 1, "openvino-bf16", threads=1)
    assert stepper.name == "eager" and "strays from eager" in caplog.text


def test_a_runtime_that_cannot_start_falls_back(
    generator: Generator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(openvino, "OpenVinoStepper", broken)
    with caplog.at_level(logging.WARNING):
        stepper = open_stepper(generator, 1, "auto")
    assert stepper.name == "eager" and "no such instruction" in caplog.text


def test_a_damaged_cache_is_made_anew(generator: Generator, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("ROTOLIVE_CACHE", str(tmp_path))
    open_stepper(generator, 1, "openvino-f32")
    (kept,) = tmp_path.rglob("*.xml")
    kept.write_text("<net")
    assert open_stepper(generator, 1, "openvino-f32").name == "openvino-f32"


def test_unknown_runtimes_are_named(generator: Generator) -> None:
    with pytest.raises(ModelError, match=r"'tpu'.*openvino"):
        open_stepper(generator, 1, "tpu")


def test_openvino_reports_to_nobody() -> None:
    code = """
import sys, torch
from rotolive.model.config import GeneratorConfig
from rotolive.model.generator import Generator
from rotolive.model.runtime import open_stepper
shape = GeneratorConfig(condition_channels=3, styles=1, width=32, height=32, channels=16)
assert open_stepper(Generator(shape).eval(), 1, "openvino").name.startswith("openvino")
assert "openvino" in sys.modules and sys.modules["openvino_telemetry"] is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
