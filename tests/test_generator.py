"""The step contract: functional, one graph, islands, nothing leaks through a reset."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rotolive.model.config import GeneratorConfig, live, nano
from rotolive.model.errors import ModelError
from rotolive.model.generator import Generator, State, select


@pytest.fixture(scope="module")
def generator() -> Generator:
    torch.manual_seed(0)
    made = Generator(
        GeneratorConfig(condition_channels=6, styles=3, width=64, height=48, channels=16)
    )
    return made.eval().requires_grad_(False)


def planes(batch: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(batch, 6, 12, 16, generator=torch.Generator().manual_seed(seed))


def warm(generator: Generator, batch: int) -> State:
    _, state = generator.step(planes(batch), torch.eye(3)[:batch], generator.initial_state(batch))
    return state


def test_shapes_and_ranges(generator: Generator) -> None:
    output, state = generator.step(planes(2), torch.eye(3)[:2], generator.initial_state(2))
    assert output.image.shape == (2, 3, 48, 64) and output.alpha.shape == (2, 1, 48, 64)
    assert output.image.abs().max() <= 1 and 0 <= output.alpha.min() <= output.alpha.max() <= 1
    assert state.image.shape == (2, 4, 48, 64) and state.valid.tolist() == [1, 1]


def test_a_step_changes_nothing_but_what_it_returns(generator: Generator) -> None:
    state = warm(generator, 2)
    copies = [x.clone() for x in (state.image, state.features, state.valid)]
    first, _ = generator.step(planes(2, 1), torch.eye(3)[:2], state)
    second, _ = generator.step(planes(2, 1), torch.eye(3)[:2], state)
    assert torch.equal(first.image, second.image)
    for now, before in zip((state.image, state.features, state.valid), copies, strict=True):
        assert torch.equal(now, before)


def test_memory_matters_and_a_cold_slot_has_none(generator: Generator) -> None:
    state = warm(generator, 2)
    cold = State(torch.full_like(state.image, torch.nan), state.features, state.valid * 0)
    fresh, _ = generator.step(planes(2, 1), torch.eye(3)[:2], generator.initial_state(2))
    reset, _ = generator.step(planes(2, 1), torch.eye(3)[:2], cold)
    going_on, _ = generator.step(planes(2, 1), torch.eye(3)[:2], state)
    assert torch.equal(reset.image, fresh.image)
    assert not torch.allclose(going_on.image, fresh.image)


def test_idle_slots_keep_their_state(generator: Generator) -> None:
    state = warm(generator, 2)
    active = torch.tensor([True, False])
    _, following = generator.step(planes(2, 1), torch.eye(3)[:2], state, active=active)
    assert not torch.equal(following.image[0], state.image[0])
    assert torch.equal(following.image[1], state.image[1])


def test_slots_are_islands(generator: Generator) -> None:
    state = warm(generator, 2)
    _, poisoned = generator.step(
        planes(2, 1),
        torch.eye(3)[:2],
        select(torch.tensor([True, False]), State(state.image * torch.nan, *_rest(state)), state),
    )
    _, clean = generator.step(planes(2, 1), torch.eye(3)[:2], state)
    assert poisoned.image[0].isnan().any()
    torch.testing.assert_close(poisoned.image[1], clean.image[1])


def _rest(state: State) -> tuple[torch.Tensor, torch.Tensor]:
    return state.features, state.valid


def test_memory_goes_along_with_what_is_told_of_the_motion(generator: Generator) -> None:
    state = warm(generator, 1)
    told = torch.full((1, 2, 12, 16), 5.0)
    seen = planes(1, 1), torch.eye(3)[:1], state
    _, _, along = generator.step_with_details(*seen, told)
    _, _, alone = generator.step_with_details(*seen)
    _, _, still = generator.step_with_details(*seen, torch.zeros(1, 2, 12, 16))
    torch.testing.assert_close(along.flow, 5 + alone.flow, atol=1.0, rtol=0)
    assert torch.equal(still.flow, alone.flow)


def test_a_first_frame_is_the_same_whatever_is_told(generator: Generator) -> None:
    seen = planes(1, 1), torch.eye(3)[:1], generator.initial_state(1)
    told = torch.full((1, 2, 12, 16), 5.0)
    assert torch.equal(generator.step(*seen, told)[0].image, generator.step(*seen)[0].image)


@pytest.mark.parametrize(("preset", "budget"), [(nano, 1.0e9), (live, 1.9e9)])
def test_presets_keep_their_budget(preset, budget: float) -> None:  # type: ignore[no-untyped-def]
    generator = Generator(preset(60, 4)).eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        generator.step(torch.zeros(1, 60, 64, 64), torch.eye(4)[:1], generator.initial_state(1))
    assert 0.5 * budget < counter.get_total_flops() < budget


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ModelError, match="250x256"):
        GeneratorConfig(condition_channels=3, styles=1, width=250)
