"""The physical floor of a step: counted by hand, and by what really runs."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from rotolive.model.config import GeneratorConfig
from rotolive.model.generator import Generator
from rotolive.model.pyramid import build
from rotolive.model.runtime.floor import Ceiling, Ceilings, Cost, cost
from rotolive.model.runtime.graph import Flat, StepGraph

TINY = GeneratorConfig(
    condition_channels=3, styles=1, width=16, height=16, channels=2, blocks=(1, 0, 0, 0, 0)
)
LAYERS = [
    # inputs, outputs, side of the kernel, places read, places written
    (3, 2, 1, 16, 16),  # condition
    (3, 2, 1, 16, 16),  # previous condition
    (64, 2, 1, 16, 16),  # previous image
    (2, 2, 3, 16, 16),  # block, first
    (2, 2, 3, 16, 16),  # block, second
    (2, 4, 2, 16, 4),  # down to 1/8
    (4, 8, 2, 4, 1),  # down to 1/16
    (8, 16, 1, 1, 1),  # up to 1/8
    (4, 8, 1, 4, 4),  # up to 1/4
    (2, 4, 1, 16, 16),  # up to 1/2
    (1, 20, 3, 64, 64),  # paint
    (2, 2, 3, 16, 16),  # flow
    (1, 32, 1, 1, 1),  # style
    (32, 4, 1, 1, 1),  # the block's modulation
]
FLOP = sum(2 * i * o * k * k * written for i, o, k, _, written in LAYERS)
WEIGHTS = sum(i * o * k * k + o for i, o, k, *_ in LAYERS)
PLANES = sum(i * read + o * written for i, o, _, read, written in LAYERS)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_tiny_step_counted_by_hand(batch: int) -> None:
    found = cost(Generator(TINY), batch)
    assert found == Cost(flop=batch * FLOP, values=batch * PLANES + WEIGHTS)


class Counter:
    """Adds up what convolutions and linear layers do when they run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.flop = self.values = 0
        for name in ("conv2d", "linear"):
            monkeypatch.setattr(F, name, self.counted(getattr(F, name)))

    def counted(self, run: Any) -> Any:
        def counting(x: Any, weight: Any, bias: Any, *others: Any, **options: Any) -> torch.Tensor:
            output = run(x, weight, bias, *others, **options)
            self.flop += 2 * output.numel() * weight[0].numel()
            self.values += x.numel() + weight.numel() + bias.numel() + output.numel()
            return output

        return counting


@pytest.mark.parametrize(
    "settings",
    [
        {"condition_channels": 6, "classes": 9, "backdrop": False},
        {"condition_channels": 6, "classes": 9, "stages": 2, "width": 128, "height": 64},
        {"condition_channels": 5, "stages": 1, "fine_channels": 8, "width": 64, "height": 64},
    ],
)
def test_any_shape_counts_as_what_really_runs(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = build(GeneratorConfig(**{"styles": 2, "width": 32, "height": 32, **settings}))
    found = cost(generator, 2)
    graph, counter = StepGraph(generator, 2), Counter(monkeypatch)
    with torch.no_grad():
        Flat(generator)(*graph.inputs)
    assert found == Cost(flop=counter.flop, values=counter.values)


class Normed(Generator):
    """Reads its condition twice more than it needs to."""

    def step_with_details(self, condition, style, state, motion=None):  # type: ignore[no-untyped-def]
        condition = F.instance_norm(F.group_norm(condition, 3))
        return super().step_with_details(condition, style, state, motion)


def test_a_norm_reads_its_input_once() -> None:
    plain, normed = cost(Generator(TINY)), cost(Normed(TINY))
    assert normed.flop == plain.flop
    assert normed.values - plain.values == 2 * 3 * 4 * 4


def test_the_floor_is_the_slower_of_work_and_traffic() -> None:
    needs = Cost(flop=6_000_000, values=1_000_000)
    work = Ceiling(precision=torch.float16, flops=1e9, bandwidth=1e9)
    assert needs.floor_ms(work) == pytest.approx(6)
    traffic = Ceiling(precision=torch.float16, flops=1e9, bandwidth=1e8)
    assert needs.floor_ms(traffic) == pytest.approx(20)
    wider = Ceiling(precision=torch.float32, flops=1e9, bandwidth=1e8)
    assert needs.floor_ms(wider) == pytest.approx(40)


def test_ceilings_are_measured_and_never_fall() -> None:
    before = torch.get_num_threads()
    tf32 = torch.backends.cuda.matmul.fp32_precision
    ceilings = Ceilings(torch.device("cpu"), seconds=0.02)
    try:
        first = [ceilings.of(precision, 1) for precision in (torch.float32, torch.bfloat16)]
        assert ceilings.of(torch.float32, 1).flops == first[0].flops, "was measured twice"
        ceilings.look_again()
        again = [ceilings.of(precision, 1) for precision in (torch.float32, torch.bfloat16)]
    finally:
        torch.set_num_threads(before)
    assert torch.backends.cuda.matmul.fp32_precision == tf32
    for old, new in zip(first, again, strict=True):
        assert new.flops >= old.flops > 1e8 and new.bandwidth >= old.bandwidth > 1e8
    assert [row["precision"] for row in ceilings.rows()] == ["float32", "bfloat16"]
