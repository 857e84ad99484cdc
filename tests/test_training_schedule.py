"""The trainer's loader, and what changes in the course of a run."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
import tyro
from scenes import write_clips

from rotolive.model.errors import InputError, TrainingStopped
from rotolive.model.layers import pixel_grid
from rotolive.training import commands, losses, run, schedule
from rotolive.training.config import LossWeights, TrainConfig, dancer, smoke, street
from rotolive.training.data import open_data
from rotolive.training.discriminators import History, composed
from rotolive.training.label_clips import LabelClip
from rotolive.training.loader import AHEAD, Loader
from rotolive.training.loop import Trainer
from rotolive.training.streams import Batch, Streams


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_clips(tmp_path / "scenes")


def config(**changes: object) -> TrainConfig:
    plain = LossWeights(perceptual=0)
    return replace(smoke(), **{"weights": plain, "steps": 8, "threads": 1, **changes})  # type: ignore[arg-type]


def loader_of(data: Path, workers: int) -> Loader:
    return Loader(Streams(open_data(data).clips, 2, config(restart=0.1)), workers)


def trainer_of(data: Path, setting: TrainConfig) -> Trainer:
    found = open_data(data)
    return Trainer(setting, Streams(found.clips, 2, setting), found.domain)


def same(a: Batch, b: Batch) -> bool:
    ours, theirs = vars(a), vars(b)
    return all(
        value is theirs[name] is None or torch.equal(value, theirs[name])
        for name, value in ours.items()
    )


def test_batches_are_the_same_for_any_number_of_workers(data: Path) -> None:
    loaders = [loader_of(data, workers) for workers in (0, 1, 3)]
    rng = torch.get_rng_state()
    for _ in range(12):
        alone, *others = (loader.next() for loader in loaders)
        assert all(same(alone, other) for other in others)
    assert torch.equal(torch.get_rng_state(), rng), "loading draws no number of the trainer's"
    assert [len(loader._planned) for loader in loaders] == [0, AHEAD, 3 * AHEAD]
    for loader in loaders:
        loader.close()
    assert not multiprocessing.active_children()


def test_a_loader_goes_on_after_the_batch_taken_last(data: Path) -> None:
    ahead, plain = loader_of(data, 2), loader_of(data, 0)
    for _ in range(5):
        ahead.next(), plain.next()
    state, following = ahead.state_dict(), plain.next()
    ahead.load_state_dict(state)
    assert same(ahead.next(), following)
    ahead.close()
    assert same(ahead.next(), plain.next()), "closing loses nothing"
    ahead.close()


def test_stop_and_resume_with_workers_equals_no_stop_without(data: Path, tmp_path: Path) -> None:
    setting = config(adversarial_from=0.2, rollout=4, rollout_from=0.2)
    whole = trainer_of(data, setting)
    assert len(list(whole.run(6))) == 6
    first = trainer_of(data, replace(setting, workers=1))
    assert len(list(first.run(3))) == 3
    first.save(tmp_path / "x.pt")
    second = trainer_of(data, replace(setting, workers=2))
    second.load(tmp_path / "x.pt")
    assert len(list(second.run(3))) == 3
    for name, tensor in whole.average.state_dict().items():
        assert torch.equal(tensor, second.average.state_dict()[name]), name
    first.close(), second.close()


def test_an_error_in_a_worker_comes_with_its_sentence(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise InputError("the clip has burnt")

    loader = loader_of(data, 2)
    monkeypatch.setattr(LabelClip, "moment", refuse)
    with pytest.raises(InputError, match=r"^the clip has burnt$"):
        loader.next()
    loader.close()
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_stops_the_run_with_a_sentence(data: Path) -> None:
    trainer = trainer_of(data, config(workers=1))
    for clip in data.rglob("rgb.npy"):
        os.truncate(clip, 200)  # the map of a file that ends too soon is a bus error
    with pytest.raises(TrainingStopped, match="step 0: a process that loads batches has died"):
        next(trainer.run(1))
    trainer.close()
    assert not multiprocessing.active_children()


def test_ctrl_c_ends_the_workers(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "rotolive", "train", data, run, "--preset", "smoke"]
    process = subprocess.Popen(
        [*command, "--steps", "100000", "--workers", "2", "--threads", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may ignore it
        text=True,
    )
    while not (run / "checkpoint.pt").exists():
        assert process.poll() is None
        time.sleep(0.1)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130 and "Traceback" not in said, said
    assert len(workers) == 2
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        time.sleep(0.1)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_rollouts_double(data: Path) -> None:
    setting = config(steps=100, rollout=8, rollout_from=0.4)
    lengths = [schedule.rollout(setting, step) for step in range(100)]
    assert [lengths.index(n) for n in (1, 2, 4, 8)] == [0, 40, 60, 80] and max(lengths) == 8
    assert schedule.rollout(replace(setting, rollout=6), 99) == 6
    assert {schedule.rollout(replace(setting, rollout=1), step) for step in range(100)} == {1}
    never = replace(setting, rollout_from=1.0)
    assert {schedule.rollout(never, step) for step in range(100)} == {1}
    bundled = replace(dancer(), steps=100)
    assert [schedule.rollout(bundled, step) for step in (92, 93, 99)] == [1, 2, 2]


def test_a_rollout_takes_as_many_frames(data: Path) -> None:
    trainer = trainer_of(data, config(rollout=4, rollout_from=0.25))
    taken, take = count(), trainer.loader.next
    trainer.loader.next = lambda: (next(taken), take())[1]  # type: ignore[method-assign]
    frames = [next(taken) - 1 for _ in trainer.run(8)]
    assert list(np.diff(frames) - 1) == [1, 2, 2, 2, 4, 4, 4]


def test_least_squares_want_ones_and_zeros() -> None:
    right, wrong = [[torch.ones(1, 1, 2, 2)]], [[torch.zeros(1, 1, 2, 2)]]
    assert losses.critic_loss(right, wrong, "least-squares") == 0
    assert losses.critic_loss(wrong, right, "least-squares") == 1
    assert losses.generator_adversarial(right, "least-squares") == 0
    assert losses.generator_adversarial(wrong, "least-squares") == 0.5
    assert losses.critic_loss(right, wrong, "hinge") == 1
    assert losses.generator_adversarial(right, "hinge") == -1


def test_the_critics_learn_by_least_squares(data: Path) -> None:
    """Of a generator that hardly minds them."""
    weights = LossWeights(perceptual=0, adversarial=1e-6, feature_matching=0)
    setting = config(steps=200, adversarial_from=0.0, rollout=1, weights=weights, rate=2e-3)
    trainer = trainer_of(data, replace(setting, adversary="least-squares"))
    terms = [step["critic"] for step in trainer.run(24) if "critic" in step]
    assert np.mean(terms[-3:]) < 0.8 * terms[0]


def test_a_term_of_no_weight_is_not_computed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nobody asked for it")

    for name in ("gradient_l1", "flow_error", "Perceptual", "critic_loss"):
        monkeypatch.setattr(losses, name, refuse)
    weights = LossWeights(gradient=0, flow=0, perceptual=0, adversarial=0)
    trainer = trainer_of(data, config(weights=weights, adversarial_from=0.0))
    for terms in trainer.run(2):
        assert {"reconstruction", "change"} < set(terms)
        assert not {"gradient", "flow", "perceptual", "critic"} & set(terms)


def test_without_its_package_the_perceptual_term_is_left_out(
    data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    trainer = trainer_of(data, config(weights=LossWeights()))
    assert "perceptual" not in next(trainer.run(1))
    assert "training goes on without the perceptual term" in caplog.text
    with pytest.raises(InputError, match=r"no perceptual backbone 'vgg'; there are lite0, none"):
        trainer_of(data, config(weights=LossWeights(), perceptual="vgg"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--weights.flow", "-1"), "--weights.flow is -1.0; 0 or more"),
        (("--strides", "1", "1"), "--strides is 1 1; numbers from 1, each once"),
        (("--rollout-from", "2"), "--rollout-from is 2.0; a share from 0 to 1"),
    ],
)
def test_options_that_cannot_be_are_named(
    data: Path, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        tyro.cli(commands.train, args=[str(data), str(tmp_path / "run"), *options])


def test_weights_are_the_presets_but_for_those_given(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TrainConfig] = []
    monkeypatch.setattr(run, "train", lambda *rest, **_: seen.append(rest[2]))
    options = ["--preset", "street", "--weights.flow", "0", "--strides", "1", "3", "9"]
    tyro.cli(commands.train, args=[str(data), str(tmp_path), *options, "--workers", "0"])
    assert seen[0].weights == replace(street().weights, flow=0.0)
    assert seen[0].strides == (1, 3, 9) and street().strides == (1,)


def test_flows_are_composed_along_constant_motion() -> None:
    steps = [torch.tensor([2.0, -4.0]).view(1, 2, 1, 1).expand(1, 2, 16, 24) * k for k in (1, 2, 3)]
    assert torch.allclose(composed(steps), 6 * steps[0], atol=1e-4)
    assert torch.equal(composed(steps[:1]), steps[0])


def test_flows_are_composed_along_affine_motion() -> None:
    """What turns and grows by the same map at each step: the map's powers, away from edges."""
    height, width, steps = 48, 64, 5
    turn = torch.tensor([[1.02, 0.03], [-0.03, 0.99]], dtype=torch.float64)
    shift = torch.tensor([1.5, -0.8], dtype=torch.float64)
    where = 4 * pixel_grid(height, width)[0].double().permute(1, 2, 0)
    middle = torch.tensor([2.0 * width, 2.0 * height], dtype=torch.float64)
    places = [where]
    for _ in range(steps):
        places.append((places[-1] - middle) @ turn.T + middle + shift)
    motion, whole = ((p - where).permute(2, 0, 1)[None].float() for p in (places[1], places[-1]))
    found = composed([motion] * steps)
    inside = (..., slice(8, -8), slice(8, -8))
    assert (found - whole)[inside].abs().max() < 0.01
    assert (3 * motion - whole)[inside].abs().max() > 0.5, "adding them up would not do"


def test_strides_look_as_far_back_as_they_say() -> None:
    """Each moment's picture is its number; one stream begins anew at the twelfth."""
    history, strides = History((1, 3, 9)), (1, 3, 9)
    for t in range(25):
        start = torch.tensor([t == 0, t in (0, 12)])
        now = torch.full((2, 3, 8, 8), float(t))
        history.push(now, now + 100, torch.full((2, 2, 4, 4), 1.0), start)
        truths, films = history.successions(now)
        for stride in strides:
            ready = [age >= 2 * stride for age in (t, t - 12 if t >= 12 else t)]
            assert (stride in films) == any(ready)
            if stride in films:
                film, true = films[stride], truths[stride]
                assert len(film.pictures) == len(true.pictures) == len(film.flows) == sum(ready)
                moments = torch.tensor([t - 2 * stride, t - stride, t]).float()
                assert torch.equal(film.pictures[0, ::3, 0, 0], moments)
                assert torch.equal(true.pictures[0, ::3, 0, 0], moments + 100)
                assert (film.flows == stride).all()
    assert len(history.state_dict()) == 19


def test_critics_at_several_strides_learn_and_resume(data: Path, tmp_path: Path) -> None:
    """Clips are of 12 frames: at stride 2 a stream can be judged, at 9 none."""
    setting = config(steps=30, adversarial_from=0.0, strides=(1, 2, 9), gaps=(1,), restart=0.0)
    setting = replace(setting, rollout=1, crop=48)
    whole = trainer_of(data, setting)
    critics = whole.critics.successions
    began = {stride: critics[stride].score.bias.clone() for stride in critics}
    assert len(list(whole.run(16))) == 16
    assert {s for s in critics if not torch.equal(critics[s].score.bias, began[s])} == {"1", "2"}
    first = trainer_of(data, setting)
    assert len(list(first.run(9))) == 9
    first.save(tmp_path / "x.pt")
    second = trainer_of(data, setting)
    second.load(tmp_path / "x.pt")
    assert len(list(second.run(7))) == 7
    for name, tensor in whole.critics.state_dict().items():
        assert torch.equal(tensor, second.critics.state_dict()[name]), name
