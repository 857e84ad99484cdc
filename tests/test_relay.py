"""Streams change over to better runtimes, and fall back when one fails; nobody notices."""

import logging
import threading
import time

import pytest
import torch
from nets import small_generator

from rotolive.model.errors import ModelError
from rotolive.model.generator import Generator, Output
from rotolive.model.runtime import StepInput, choose, open_stepper
from rotolive.model.runtime.eager import EagerStepper
from rotolive.model.runtime.graph import Flat, StepGraph
from rotolive.model.runtime.pool import PooledStepper
from rotolive.model.runtime.relay import RelayStepper
from rotolive.model.runtime.stepper import Stepper

SLOTS = 2


@pytest.fixture(scope="module")
def generator() -> Generator:
    return small_generator()


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTOLIVE_CACHE", str(tmp_path_factory.mktemp("cache")))


def turn(seed: int) -> StepInput:
    rng = torch.Generator().manual_seed(seed)
    return StepInput(
        condition=torch.rand(SLOTS, 6, 16, 16, generator=rng),
        style=torch.eye(2),
        motion=3 * torch.randn(SLOTS, 2, 16, 16, generator=rng),
        active=torch.ones(SLOTS, dtype=torch.bool),
    )


class Failing(EagerStepper):
    """Runs out of memory at its third step."""

    name = "failing"
    steps = 0

    def step(self, batch: StepInput) -> Output:
        self.steps += 1
        if self.steps == 3:
            raise torch.OutOfMemoryError("out of memory: 2 GiB asked for")
        return super().step(batch)


def test_a_better_runtime_takes_over_between_two_frames(generator: Generator) -> None:
    relay, alone = RelayStepper(EagerStepper(generator, SLOTS)), EagerStepper(generator, SLOTS)
    graph = StepGraph(generator)
    better = PooledStepper("better", graph, {2: Flat(graph.resized(2).generator)}, SLOTS)
    for seed in range(6):
        if seed == 3:
            relay.offer(better)
            assert relay.name == "eager"
        got, want = relay.step(turn(seed)).image, alone.step(turn(seed)).image
        torch.testing.assert_close(got, want, atol=1e-4, rtol=0)
    assert (relay.name, relay.batch, relay.info.runtime) == ("better", 2, "better")


def test_a_runtime_that_fails_hands_its_streams_on(
    generator: Generator, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Stepper:
        raise ModelError("no room for it")

    relay = RelayStepper(
        Failing(generator, SLOTS), [broken, lambda: EagerStepper(generator, SLOTS)]
    )
    alone = EagerStepper(generator, SLOTS)
    with caplog.at_level(logging.WARNING):
        for seed in range(5):
            got, want = relay.step(turn(seed)).image, alone.step(turn(seed)).image
            torch.testing.assert_close(got, want)
    assert relay.name == "eager"
    assert [note.partition(":")[0] for note in relay.info.notes] == [
        "a runtime could not take over from failing",
        "failing failed, eager goes on",
    ]
    assert "2 GiB" in relay.info.sentence and "2 GiB" in caplog.text


def test_without_another_runtime_the_failure_is_told(generator: Generator) -> None:
    relay = RelayStepper(Failing(generator, SLOTS))
    relay.step(turn(0))
    relay.step(turn(1))
    with pytest.raises(torch.OutOfMemoryError, match="2 GiB"):
        relay.step(turn(2))


def test_it_starts_at_once_and_changes_over_when_the_better_one_is_built(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow runtime is held back until the stream runs."""
    held, seen = threading.Event(), []
    monkeypatch.setattr(choose, "available", lambda: ("inductor", "eager"))

    def slow_engine(backend: str, graph: StepGraph) -> Flat:
        seen.append(backend)
        assert held.wait(20)
        return Flat(graph.generator)

    monkeypatch.setattr(choose, "_engine", slow_engine)
    relay = open_stepper(generator, SLOTS, wait=False)
    alone = EagerStepper(generator, SLOTS)
    for seed in range(2):
        torch.testing.assert_close(relay.step(turn(seed)).image, alone.step(turn(seed)).image)
    assert relay.name == "eager" and "inductor: building" in relay.info.sentence
    held.set()
    ends = time.monotonic() + 20
    while relay.building and time.monotonic() < ends:
        time.sleep(0.02)
    for seed in range(2, 4):
        got, want = relay.step(turn(seed)).image, alone.step(turn(seed)).image
        torch.testing.assert_close(got, want, atol=1e-4, rtol=0)
    assert relay.name == "inductor" and relay.batch == 2 and not relay.info.building
    assert seen == ["inductor", "inductor"]


@pytest.mark.parametrize("runtime", ["tensorrt", "cuda"])
def test_without_a_gpu_its_runtimes_fall_back_and_say_why(
    generator: Generator, runtime: str
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    stepper = open_stepper(generator, SLOTS, runtime)
    assert stepper.name.startswith("openvino")
    assert stepper.info.notes == [
        f"runtime {runtime} is not used: there is no GPU to use: "
        + (f"PyTorch {torch.__version__} is built for the CPU")
    ]


def test_what_is_slow_to_build_reports_its_progress(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int]] = []
    monkeypatch.setattr(choose, "_engine", lambda backend, graph: Flat(graph.generator))
    open_stepper(generator, 5, "inductor", progress=lambda *now: told.append(now))
    assert [(done, of) for _, done, of in told] == [(0, 3), (1, 3), (2, 3), (0, 1)]
    assert "batch of 5" in told[2][0]
