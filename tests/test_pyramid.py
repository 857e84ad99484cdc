"""Finer stages: nothing at first, one graph, islands; trained around a model that stays."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scenes import HEIGHT, WIDTH, write_clips
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from rotolive.model import package
from rotolive.model.config import GeneratorConfig, base, hd
from rotolive.model.errors import InputError, ModelError
from rotolive.model.generator import State, select
from rotolive.model.package import Card
from rotolive.model.pyramid import Pyramid, build
from rotolive.model.runtime.graph import Flat
from rotolive.training import memories
from rotolive.training.config import LossWeights, TrainConfig, smoke
from rotolive.training.data import open_data
from rotolive.training.evaluate import evaluate
from rotolive.training.loop import Trainer
from rotolive.training.run import train
from rotolive.training.streams import Streams, Window

SHAPE = GeneratorConfig(
    condition_channels=6,
    styles=3,
    width=128,
    height=64,
    channels=16,
    backdrop=False,
    classes=5,
    stages=2,
    fine_channels=8,
)
STYLE = torch.eye(3)[:2]


def made(shape: GeneratorConfig, *, trained: bool = False) -> Pyramid:
    """A pyramid; trained: one that paints something of its own."""
    torch.manual_seed(0)
    pyramid = build(shape)
    assert isinstance(pyramid, Pyramid)
    for stage in pyramid.stages if trained else ():
        torch.nn.init.normal_(stage.paint.weight, std=0.1)  # type: ignore[union-attr]
        torch.nn.init.normal_(stage.flow.weight, std=0.1)  # type: ignore[union-attr]
    return pyramid.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pyramid() -> Pyramid:
    return made(SHAPE, trained=True)


def planes(seed: int = 0, batch: int = 2) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    found = torch.rand(batch, 6, 64, 128, generator=rng)
    found[:, 0] = torch.randint(5, (batch, 64, 128), generator=rng)
    return found


def motion(seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(2, 2, 16, 32, generator=torch.Generator().manual_seed(seed))


def warm(pyramid: Pyramid) -> State:
    return pyramid.step(planes(), STYLE, pyramid.initial_state(2))[1]


def test_shapes_and_ranges(pyramid: Pyramid) -> None:
    output, state = pyramid.step(planes(), STYLE, pyramid.initial_state(2), motion())
    assert output.image.shape == (2, 3, 64, 128) and output.alpha.shape == (2, 1, 64, 128)
    assert output.image.abs().max() <= 1 and 0 <= output.alpha.min() <= output.alpha.max() <= 1
    sizes = [(2, 4, 16, 32), (2, 4, 32, 64), (2, 4, 64, 128)]
    assert [x.shape for x in (state.image, *state.fine)] == sizes


def test_untrained_stages_enlarge_what_the_generator_paints() -> None:
    plain = made(SHAPE)
    output, state = plain.step(planes(), STYLE, plain.initial_state(2))
    image = state.image
    for _ in range(2):
        image = F.interpolate(image, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(output.image, image[:, :3] * 2 - 1)
    _, _, details = plain.step_with_details(planes(), STYLE, state)
    below = plain.step(planes(), STYLE, state)[1].fine[0]
    torch.testing.assert_close(
        details.painted, F.interpolate(below, scale_factor=2, mode="bilinear")
    )


def test_the_generator_inside_is_the_generator_alone(pyramid: Pyramid) -> None:
    """It sees the nearest label, every edge, and the motion in pixels of its own."""
    flat, told = torch.zeros(2, 6, 64, 128), torch.full((2, 2, 16, 32), 8.0)
    flat[:, 0, :, 64:] = 3
    flat[:, 2, :, 65] = 1
    small = flat[..., 2::4, 2::4].clone()
    small[:, 2, :, 16] = 1
    alone = pyramid.coarse.initial_state(2)
    whole = pyramid.initial_state(2)
    for _ in range(3):
        _, alone = pyramid.coarse.step(small, STYLE, alone, told[..., ::4, ::4] / 4)
        _, whole = pyramid.step(flat, STYLE, whole, told)
    assert torch.equal(whole.image, alone.image)


def test_motion_moves_every_memory() -> None:
    """A white spot in each layer's memory is found where the motion says that it was."""
    still = made(SHAPE)
    torch.nn.init.zeros_(still.coarse.flow.weight)
    told = torch.zeros(2, 2, 16, 32)
    told[:, 0] = 8.0
    state = warm(still)
    for i, shift in enumerate((4, 8)):
        spotted = list(state.fine)
        spotted[i] = state.fine[i].clone()
        spotted[i][..., 16:24, 16 + shift : 24 + shift] = 9.0
        _, following, details = still.step_with_details(
            planes(), STYLE, replace(state, fine=tuple(spotted)), told
        )
        _, before, _ = still.step_with_details(planes(), STYLE, state, told)
        assert torch.equal(details.flow[:, 0], torch.full((2, 64, 128), 8.0))
        assert not details.flow[:, 1].any()
        change = (following.fine[i] - before.fine[i])[:, :3].sum(1)
        inside = torch.zeros_like(change)
        inside[:, 16:24, 16:24] = 1
        assert change[inside > 0].min() > 0.1 and change[inside == 0].abs().max() < 1e-4


def test_a_cold_slot_has_no_memory_and_nothing_crosses_it(pyramid: Pyramid) -> None:
    state = warm(pyramid)
    broken = state.each(lambda x: torch.full_like(x, torch.nan))
    cold = replace(broken, valid=torch.zeros(2))
    fresh, _ = pyramid.step(planes(1), STYLE, pyramid.initial_state(2), motion())
    reset, following = pyramid.step(planes(1), STYLE, cold, motion())
    going_on, _ = pyramid.step(planes(1), STYLE, state, motion())
    assert torch.equal(reset.image, fresh.image)
    assert all(x.isfinite().all() for x in following.tensors)
    assert not torch.allclose(going_on.image, fresh.image)


def test_slots_are_islands_and_idle_ones_stay(pyramid: Pyramid) -> None:
    state = warm(pyramid)
    finest = replace(state, fine=(state.fine[0], state.fine[1] * torch.nan))
    active = torch.tensor([True, False])
    poisoned, kept = pyramid.step(
        planes(1), STYLE, select(active, finest, state), motion(), active=active
    )
    clean, _ = pyramid.step(planes(1), STYLE, state, motion())
    assert poisoned.image[0].isnan().any()
    torch.testing.assert_close(poisoned.image[1], clean.image[1])
    assert all(torch.equal(a[1], b[1]) for a, b in zip(kept.tensors, state.tensors, strict=True))


@pytest.mark.parametrize("memory", ["seen", "none"])
def test_other_memories(memory: str) -> None:
    pyramid = made(replace(SHAPE, memory=memory), trained=True)
    state = warm(pyramid)
    again, _ = pyramid.step(planes(), STYLE, state)
    fresh, _ = pyramid.step(planes(), STYLE, pyramid.initial_state(2))
    assert torch.equal(again.image, fresh.image) == (memory == "none")


@pytest.mark.parametrize("classes", [5, 0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_exported_step_paints_the_same(classes: int, dtype: torch.dtype) -> None:
    pyramid = made(replace(SHAPE, classes=classes, backdrop=not classes), trained=True).to(dtype)
    grid = made(SHAPE).grid
    for module in (pyramid, pyramid.coarse):
        module.grid = grid[..., : module.config.height, : module.config.width]
    shrink = 1 if classes else 4
    size = slice(0, 64 // shrink), slice(0, 128 // shrink)
    state = pyramid.initial_state(2)
    seen = planes()[..., *size].to(dtype), STYLE.to(dtype), motion()
    step = torch.export.export(Flat(pyramid), (*seen, *state.tensors), strict=False).module()
    tensors = state.tensors
    for frame in range(4):
        seen = planes(frame)[..., *size].to(dtype), STYLE.to(dtype), motion(frame)
        output, state = pyramid.step(seen[0], seen[1], state, seen[2])
        image, _, *tensors = step(*seen, *tensors)
        assert image.dtype == dtype and torch.equal(image, output.image)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"width": 96}, "96x64 with 2 finer stages: both must be multiples of 64"),
        ({"stages": 5}, "stages is 5; a whole number from 0 to 4"),
        ({"fine_channels": 7}, "fine_channels is 7; it must be even"),
    ],
)
def test_shapes_that_cannot_be_are_refused(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        replace(SHAPE, **change)  # type: ignore[arg-type]


def test_presets_keep_their_budget() -> None:
    for shape, budget in ((base(60, 4), 50e9), (replace(hd(6, 4), classes=19), 50e9)):
        painter = build(shape).eval()
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            condition = torch.zeros(1, *shape.condition_shape)
            painter.step(condition, torch.eye(4)[:1], painter.initial_state(1))
        assert 0.8 * budget < counter.get_total_flops() < budget


def card(shape: GeneratorConfig) -> Card:
    return Card(
        name="toy", generator=shape, condition="labels", condition_settings={}, styles=("a",) * 3
    )


def test_a_package_holds_everything_and_no_backdrop(pyramid: Pyramid, tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    package.save(path, card(SHAPE), pyramid)
    opened = package.load(path)
    loaded = opened.generator()
    assert loaded.config == SHAPE and isinstance(loaded, Pyramid)
    assert sum(x.numel() for name, x in opened.weights.items() if "backdrop" in name) == 0
    for name, tensor in pyramid.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float()), name


def test_early_packages_of_labels_hold_an_empty_backdrop(tmp_path: Path) -> None:
    shape = SHAPE.coarse
    package.save(tmp_path / "toy.safetensors", card(shape), build(shape))
    opened = package.load(tmp_path / "toy.safetensors")
    opened.weights["backdrop"] = torch.zeros(1, 3, shape.height, shape.width)
    assert opened.generator().config == shape


# Training


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("scenes"))


def config(**changes: object) -> TrainConfig:
    plain = LossWeights(perceptual=0)
    return replace(smoke(), stages=1, crop_height=64, steps=8, weights=plain, **changes)  # type: ignore[arg-type]


def trainer_of(data: Path, setting: TrainConfig) -> Trainer:
    found = open_data(data)
    return Trainer(setting, Streams(found.clips, 2, setting), found.domain)


@pytest.fixture(scope="module")
def middle(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of half the size, as `street` is to the data here."""
    shape = trainer_of(data, config()).generator.config.coarse
    names = open_data(data)
    path = tmp_path_factory.mktemp("middle") / "middle.safetensors"
    about = Card(
        name="middle",
        generator=shape,
        condition="labels",
        condition_settings=names.domain.settings,
        styles=names.styles,
    )
    package.save(path, about, build(shape))
    return path


def test_only_the_stages_learn(data: Path, middle: Path, tmp_path: Path) -> None:
    path = train(data, tmp_path, config(adversarial_from=0.3), name="fine", warm_start=str(middle))
    began, opened = package.load(middle), package.load(path)
    for name, value in began.weights.items():
        assert torch.equal(opened.weights[f"coarse.{name}"], value), name
    paint = opened.weights["stages.0.paint.weight"]
    assert paint.abs().max() > 1e-4, "it began at zero"
    assert opened.card.generator.stages == 1 and opened.card.generator.width == WIDTH
    figures, _ = evaluate(opened, data, frames=3, clips=1)
    assert figures["frames"] == 2 and figures["rows"]["model"]["psnr"] > 5


def test_a_second_stage_begins_as_the_first(data: Path, middle: Path, tmp_path: Path) -> None:
    first = package.load(train(data, tmp_path, config(), name="one", warm_start=str(middle)))
    bigger = trainer_of(data, replace(config(), stages=2))
    bigger.warm_start({k: v.float() for k, v in first.weights.items()}, "one")
    weights = bigger.generator.state_dict()
    for name, value in first.weights.items():
        assert torch.equal(weights[name], value.float()), name
        if name.startswith("stages.0."):
            assert torch.equal(weights[name.replace("stages.0", "stages.1")], value.float())
    began = {name: value.clone() for name, value in weights.items()}
    assert len(list(bigger.run(3))) == 3
    bigger.save(tmp_path / "x.pt")
    again = trainer_of(data, bigger.config)
    again.load(tmp_path / "x.pt")
    assert "below" not in next(again.run(1)), "nothing is asked of what is left as it is"
    moved = {n for n, value in again.generator.state_dict().items() if not value.equal(began[n])}
    assert moved and all(name.startswith("stages.1.") for name in moved)


def test_stages_that_are_both_new_are_both_trained(data: Path) -> None:
    trainer = trainer_of(data, replace(config(), stages=2))
    weights = {k: v.clone() for k, v in trainer.generator.coarse.state_dict().items()}
    trainer.warm_start(weights, "middle")
    before, *_, last = trainer.run(4)
    assert before["below"] > 0 and last["tone"] >= 0
    assert all(stage.paint.weight.abs().max() > 0 for stage in trainer.generator.stages)


def test_the_middle_must_be_there_and_fit(data: Path, middle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--warm-start names it"):
        train(data, tmp_path / "a", config())
    with pytest.raises(InputError, match="around a model of 32x16; middle paints 64x32"):
        train(data, tmp_path / "b", replace(config(), stages=2), warm_start=str(middle))


def test_stop_and_resume_equals_no_stop(data: Path, middle: Path, tmp_path: Path) -> None:
    setting = config(adversarial_from=0.2, rollout_from=0.4)
    weights = {k: v.float() for k, v in package.load(middle).weights.items()}
    whole, first, second = (trainer_of(data, setting) for _ in range(3))
    for trainer, steps in ((whole, 6), (first, 3)):
        torch.manual_seed(7)
        trainer.warm_start(weights, "middle")
        assert len(list(trainer.run(steps))) == steps
    first.save(tmp_path / "x.pt")
    second.load(tmp_path / "x.pt")
    assert len(list(second.run(3))) == 3
    for name, tensor in whole.average.state_dict().items():
        assert torch.equal(tensor, second.average.state_dict()[name]), name
    for a, b in zip(whole.state.tensors, second.state.tensors, strict=True):
        assert torch.equal(a, b)


def test_windows_have_two_sides_and_begin_on_a_coarse_cell(data: Path) -> None:
    setting = replace(config(), crop=64, crop_height=32, restart=1.0)
    found = open_data(data)
    streams = Streams(found.clips, 2, setting)
    corners: set[tuple[int, int]] = set()
    for _ in range(30):
        batch = streams.next()
        assert batch.target.shape[-2:] == (32, 64) and batch.motion.shape[-2:] == (8, 16)
        for i, (clip, frame, *_, left, top, _) in enumerate(streams._places):
            corners.add((left % 8, top % 8))
            window = Window(slice(top, top + 32), slice(left, left + 64))
            true = torch.from_numpy(found.clips[clip].rgb[frame][window].copy())  # type: ignore[attr-defined]
            assert torch.equal((batch.target[i, :3] * 255).round().byte().permute(1, 2, 0), true)
    assert corners == {(0, 0)} and HEIGHT > 32


def test_a_stream_may_begin_from_the_truth_at_every_size(data: Path, middle: Path) -> None:
    trainer = trainer_of(data, config(cold=0.0, foreign=0.0, restart=1.0))
    batch = trainer.streams.next()
    begun = memories.begun(batch, trainer.state, trainer.config)
    assert torch.equal(begun.picture, batch.before) and begun.valid.all()
    torch.testing.assert_close(begun.image, F.avg_pool2d(batch.before, 2))
