"""Pools of states, stepped in batches: the same pictures as one slot after another."""

import copy
from dataclasses import replace

import pytest
import torch
from nets import small_generator

from rotolive.model.generator import Generator
from rotolive.model.runtime import StepInput, verify
from rotolive.model.runtime.eager import EagerStepper
from rotolive.model.runtime.graph import Flat, StepGraph
from rotolive.model.runtime.pool import PooledStepper, batches_for
from rotolive.model.runtime.stepper import pack

SLOTS = 6


@pytest.fixture(scope="module")
def generator() -> Generator:
    made = small_generator()
    made.style.weight.data.mul_(8)
    return made


def pooled(generator: Generator, *sizes: int, dtype: torch.dtype = torch.float32) -> PooledStepper:
    graph = StepGraph(generator, 1, dtype)
    engines = {size: Flat(graph.resized(size).generator) for size in sizes}
    return PooledStepper("test", graph, engines, SLOTS)


def turn(seed: int, *active: int) -> StepInput:
    rng = torch.Generator().manual_seed(seed)
    return StepInput(
        condition=torch.rand(SLOTS, 6, 16, 16, generator=rng),
        style=torch.eye(2)[torch.tensor([0, 1, 0, 1, 0, 1])],
        motion=3 * torch.randn(SLOTS, 2, 16, 16, generator=rng),
        active=torch.tensor([slot in active for slot in range(SLOTS)]),
    )


TURNS = [(0, 1, 2), (2,), (0, 1, 2, 3, 4, 5), (5, 1), (3,), (0, 5), (1, 2, 3, 4)]


@pytest.mark.parametrize("sizes", [(1,), (2,), (1, 4), (1, 3, 6), (16,)])
def test_any_slots_in_any_batches_paint_what_eager_paints(
    generator: Generator, sizes: tuple[int, ...]
) -> None:
    pool, eager = pooled(generator, *sizes), EagerStepper(generator, SLOTS)
    for seed, active in enumerate(TURNS):
        got, want = (stepper.step(turn(seed, *active)) for stepper in (pool, eager))
        torch.testing.assert_close(got.image, want.image, atol=1e-4, rtol=0)
        torch.testing.assert_close(got.alpha, want.alpha, atol=1e-4, rtol=0)
        if seed == 3:
            gone = torch.tensor([True, False, True, False, False, False])
            pool.reset(gone)
            eager.reset(gone)
    assert pool.batch == max(sizes)


def test_not_a_number_stays_in_its_slot_and_ends_with_a_reset(generator: Generator) -> None:
    pool, clean = pooled(generator, 1, 4), pooled(generator, 1, 4)
    everyone = range(SLOTS)
    for stepper in (pool, clean):
        stepper.step(turn(0, *everyone))
    poisoned = pool.snapshot(2)
    pool.restore(2, poisoned.each(lambda x: torch.where(x == x, torch.nan, x)))
    pool.restore(2, replace(pool.snapshot(2), valid=torch.ones(1)))
    got, want = (stepper.step(turn(1, *everyone)) for stepper in (pool, clean))
    assert got.image[2].isnan().any()
    others = torch.arange(SLOTS) != 2
    torch.testing.assert_close(got.image[others], want.image[others])
    for stepper in (pool, clean):
        stepper.reset(torch.arange(SLOTS) == 2)
    got, want = (stepper.step(turn(2, *everyone)) for stepper in (pool, clean))
    torch.testing.assert_close(got.image, want.image)


def test_streams_move_to_and_from_eager(generator: Generator) -> None:
    pool, eager = pooled(generator, 2), EagerStepper(generator, SLOTS)
    for seed in range(3):
        pool.step(turn(seed, 4))
    eager.restore(4, pool.snapshot(4))
    got, want = (stepper.step(turn(7, 4)).image[4] for stepper in (pool, eager))
    torch.testing.assert_close(got, want, atol=1e-4, rtol=0)
    pool.restore(4, eager.snapshot(4))
    got, want = (stepper.step(turn(8, 4)).image[4] for stepper in (pool, eager))
    torch.testing.assert_close(got, want, atol=1e-4, rtol=0)


def test_pictures_are_packed_where_they_are(generator: Generator) -> None:
    pool, other = pooled(generator, 1, 4), pooled(generator, 1, 4)
    painted = pool.paint(turn(0, 1, 4))
    want = pack(*other.step(turn(0, 1, 4)))
    for slot in (1, 4):
        assert torch.equal(painted.rgb[slot], want.rgb[slot])
        assert torch.equal(painted.alpha[slot], want.alpha[slot])
    assert painted.rgb[1].float().std() > 5


def test_half_precision_agrees(generator: Generator) -> None:
    deviation = verify(generator, pooled(generator, 1, 4, dtype=torch.float16))
    assert deviation.small and 40 < deviation.rollout < 100 and deviation.largest < 0.1


def test_what_is_not_connected_is_found(generator: Generator) -> None:
    """A lowering that drops an input paints frames that look right."""
    deaf = copy.deepcopy(generator)
    deaf.style.weight.data.zero_()
    engine = Flat(deaf)
    graph = StepGraph(generator)
    stepper = PooledStepper("deaf", graph, {1: engine}, SLOTS)
    assert verify(generator, stepper).missed > 0.9


def test_a_memory_that_is_dropped_is_found(generator: Generator) -> None:
    class Forgetful(Flat):
        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            image, alpha, *_ = super().forward(*inputs)
            return image, alpha, *inputs[3:]

    stepper = PooledStepper("forgetful", StepGraph(generator), {1: Forgetful(generator)}, SLOTS)
    deviation = verify(generator, stepper)
    assert deviation.single > 60 and not deviation.small


def test_an_output_that_is_not_written_is_found(generator: Generator) -> None:
    class Half(Flat):
        def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
            image, *rest = super().forward(*inputs)
            unwritten = torch.full_like(image, torch.nan)
            unwritten[..., :-1, :] = image[..., :-1, :]
            return unwritten, *rest

    stepper = PooledStepper("half", StepGraph(generator), {1: Half(generator)}, SLOTS)
    deviation = verify(generator, stepper)
    assert deviation.single == -torch.inf and not deviation.small


def test_batches_that_are_built() -> None:
    assert [batches_for(slots) for slots in (1, 2, 4, 5, 16, 64)] == [
        (1,),
        (1, 2),
        (1, 4),
        (1, 4, 5),
        (1, 4, 16),
        (1, 4, 16),
    ]
