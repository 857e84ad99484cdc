"""The trainer: learns, resumes exactly, packages what the live path loads."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from people import standing

from rotolive.model import package
from rotolive.model.condition.pose.skeleton import BONE, INDEX, Measures, to_joints
from rotolive.model.errors import InputError
from rotolive.training import manner
from rotolive.training.clips import (
    FURTHEST,
    LARGEST_TREMBLE,
    STRAY,
    TREMBLE,
    Clip,
    premultiplied,
)
from rotolive.training.config import LossWeights, TrainConfig, smoke
from rotolive.training.data import DataSet, open_data
from rotolive.training.discriminators import close_ups
from rotolive.training.distributed import pick_device
from rotolive.training.loop import Trainer
from rotolive.training.losses import flow_error, gradient_l1
from rotolive.training.measures import _at_ease, idle_landmarks, retarget_clip
from rotolive.training.run import train
from rotolive.training.smoothing import smoothed
from rotolive.training.streams import Streams

SIZE, FRAMES = 64, 24
PARTS = ["none", "face", "torso", "left_hand"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two styles of a coloured bar that sways where a person stands."""
    folder = tmp_path_factory.mktemp("data")
    cv2.imwrite(str(folder / "backdrop.png"), np.full((SIZE, SIZE, 3), 90, np.uint8))
    for style in range(2):
        clip = folder / f"{style:05d}"
        clip.mkdir()
        sway = 0.1 * np.sin(np.arange(FRAMES) / 4)
        truth = np.stack([standing(middle=0.5 + s) for s in sway])
        rgba = np.zeros((FRAMES, SIZE, SIZE, 4), np.uint8)
        parts = np.zeros((FRAMES, SIZE, SIZE), np.uint8)
        for t, s in enumerate(sway):
            columns = slice(int((0.4 + s) * SIZE), int((0.6 + s) * SIZE))
            rgba[t, 8:60, columns] = (220, 40, 40, 255) if style else (40, 40, 220, 255)
            parts[t, 8:60, columns] = 2
        for name, value in {
            "rgba": rgba,
            "parts": parts,
            "motion": np.zeros((FRAMES, 2, SIZE // 4, SIZE // 4), np.float16),
            "truth": truth,
            "landmarks": truth,
            "times": np.arange(FRAMES) / 30,
        }.items():
            np.save(clip / f"{name}.npy", value)
        about = {
            "style": style,
            "name": f"s{style}",
            "detected": True,
            "parts": PARTS,
            "frames": FRAMES,
        }
        (clip / "clip.json").write_text(json.dumps(about))
    return folder


def trainer_of(found: DataSet, config: TrainConfig) -> Trainer:
    streams = Streams(found.clips, 2, config)
    return Trainer(config, streams, found.domain)


def config(**changes: object) -> TrainConfig:
    plain = LossWeights(perceptual=0, pose=0)
    setting = replace(smoke(), crop=48, steps=8, threads=1, weights=plain)
    return replace(setting, **changes)  # type: ignore[arg-type]


def test_stop_and_resume_equals_no_stop(data: Path, tmp_path: Path) -> None:
    found = open_data(data)
    setting = config(adversarial_from=0.2, rollout_from=0.4)
    whole = trainer_of(found, setting)
    for _ in whole.run(6):
        pass
    first = trainer_of(found, setting)
    for _ in first.run(3):
        pass
    first.save(tmp_path / "x.pt")
    second = trainer_of(found, setting)
    second.load(tmp_path / "x.pt")
    for _ in second.run(3):
        pass
    for name, tensor in whole.average.state_dict().items():
        assert torch.equal(tensor, second.average.state_dict()[name]), name


def test_it_learns_the_bar(data: Path) -> None:
    found = open_data(data)
    trainer = trainer_of(found, replace(config(), steps=200, adversarial_from=1.0, rate=2e-3))
    terms = [step["reconstruction"] for step in trainer.run(120)]
    assert np.mean(terms[-5:]) < 0.7 * np.mean(terms[:5])


def test_a_run_writes_a_package_and_goes_on(data: Path, tmp_path: Path) -> None:
    setting = replace(config(), steps=2, sample_every=2, save_every=2)
    path = train(data, tmp_path, setting, name="bar")
    opened = package.load(path)
    assert opened.card.styles == ("s0", "s1") and opened.card.provenance["steps"] == 2
    opened.generator()
    assert (tmp_path / "samples" / "0000002.mp4").is_file()
    seen: list[int] = []
    train(data, tmp_path, replace(setting, steps=3), name="bar", report=lambda s, _: seen.append(s))
    assert seen == [3]


def test_a_warm_start_begins_from_weights_and_keeps_the_backdrop(
    data: Path, tmp_path: Path
) -> None:
    base = train(data, tmp_path / "base", config(), name="base")
    weights = package.load(str(base)).weights
    weights["backdrop"] = torch.ones_like(weights["backdrop"])
    found = open_data(data)
    trainer = trainer_of(found, config())
    trainer.warm_start({name: value.float() for name, value in weights.items()}, "base")
    assert torch.equal(trainer.generator.paint.weight, weights["paint.weight"].float())
    assert torch.equal(trainer.generator.backdrop[0], found.domain.backdrop)
    again = train(data, tmp_path / "again", replace(config(), steps=1), warm_start=str(base))
    assert package.load(str(again)).card.provenance["began_from"] == "base after 16 frames"
    with pytest.raises(InputError, match="sizes"):
        trainer.warm_start({**weights, "paint.weight": torch.zeros(1)}, "base")


def test_a_checkpoint_of_another_run_is_named(data: Path, tmp_path: Path) -> None:
    found = open_data(data)
    trainer_of(found, config()).save(tmp_path / "checkpoint.pt")
    other = trainer_of(found, replace(config(), preset="live"))
    with pytest.raises(InputError, match="other settings"):
        other.load(tmp_path / "checkpoint.pt")
    (tmp_path / "checkpoint.pt").write_bytes(b"PK")
    with pytest.raises(InputError, match="damaged"):
        other.load(tmp_path / "checkpoint.pt")


def test_the_perceptual_loss_sees_the_picture_and_the_close_ups(data: Path) -> None:
    found = open_data(data)
    setting = replace(config(), weights=LossWeights(perceptual=1, pose=0))
    trainer = trainer_of(found, setting)
    terms = next(trainer.run(1))
    assert terms["perceptual"] > 0


def test_a_window_wider_than_the_picture_is_the_picture(data: Path) -> None:
    assert Streams(open_data(data).clips, 2, replace(config(), crop=4 * SIZE)).window == SIZE


def test_streams_play_on_and_restart(data: Path) -> None:
    found = open_data(data)
    streams = Streams(found.clips, 2, config(restart=0.0, gaps=(1,)))
    batches = [streams.next() for _ in range(30)]
    assert any(batch.start.any() for batch in batches), "a clip must end"
    for batch in batches:
        assert batch.condition.shape[1:] == (found.domain.channels, SIZE // 4, 12)
        assert batch.motion_known[~batch.start].all()
    going = [i for i in range(1, 30) if not batches[i].start.any()]
    assert all(torch.equal(batches[i].before, batches[i - 1].target) for i in going)


def test_contradicting_frames_are_left_out(data: Path) -> None:
    found = open_data(data)
    assert found.clips[0].usable[5:-1].all()
    clip = Clip(found.clips[0].folder, Measures.from_dict(found.domain.settings))
    clip.truth[10, :, 0] += 0.2
    assert not clip.usable[10] and clip.usable[11]


def test_conditions_stray_less_than_the_retargeting(data: Path) -> None:
    clip = open_data(data).clips[0]
    assert np.abs(clip.errors).max() > 1e-3
    noise = clip.errors - clip.expected_errors
    left = clip.joints[..., :2] - clip.shown[..., :2] - clip.expected_errors
    body = [INDEX["chest"], INDEX["left_elbow"], INDEX["left_wrist"], INDEX["left_ankle"]]
    assert np.abs(noise[:, body]).max() < FURTHEST / STRAY
    tremble = noise - smoothed(noise, TREMBLE)
    assert np.abs(tremble[:, body]).max() < LARGEST_TREMBLE
    assert np.allclose(left[:, body], (STRAY * noise + tremble)[:, body], atol=1e-5)
    assert np.allclose(left[:, INDEX["head"]], tremble[:, INDEX["head"]], atol=1e-5)


def test_faces_hands_and_feet_stay_as_they_were_found(data: Path) -> None:
    clip = open_data(data).clips[0]
    found = retarget_clip(clip.folder, Measures.from_dict(open_data(data).domain.settings))
    for anchor, end in (("head", "nose"), ("left_wrist", "left_index"), ("left_ankle", "left_toe")):
        ends = [INDEX[end], INDEX[anchor]]
        made, wanted = (np.diff(j[:, ends, :2], axis=1) for j in (clip.joints, found))
        assert np.allclose(made, wanted, atol=1e-4)


def test_the_manner_of_errors_is_told_from_the_pose() -> None:
    """A detector that finds heads half turned: known from the pose, so no noise."""
    rng = np.random.default_rng(0)
    shown = rng.normal(0.5, 0.05, (400, len(INDEX), 3)).astype(np.float32)
    head, nose = INDEX["head"], INDEX["nose"]
    errors = np.zeros((400, len(INDEX), 2), np.float32)
    errors[:, nose] = -0.5 * (shown[:, nose] - shown[:, head])[:, :2]
    noise = rng.normal(0, 0.002, errors.shape).astype(np.float32)
    described = manner.features(shown, 0, 2)
    fitted = manner.fit(described[:300], (errors + noise)[:300])
    expected = (described[300:] @ fitted).reshape(100, -1, 2)
    assert np.abs(expected - errors[300:]).mean() < 0.003
    assert np.abs(errors[300:, nose]).mean() > 0.02


def test_measures_are_fitted_to_what_pictures_show(data: Path) -> None:
    """A detector that finds everybody a tenth too tall must not make a tall dancer."""
    folders = sorted(path.parent for path in data.rglob("clip.json"))
    try:
        for folder in folders:
            found = np.load(folder / "truth.npy")
            found[..., 1] = 1 + 1.1 * (found[..., 1] - 1)
            np.save(folder / "landmarks.npy", found)
        measures = Measures.from_dict(open_data(data).domain.settings)
        made = retarget_clip(folders[0], measures)
    finally:
        for folder in folders:
            np.save(folder / "landmarks.npy", np.load(folder / "truth.npy"))
    shown = to_joints(np.load(folders[0] / "truth.npy"), 1.0)
    error = np.abs(made - shown)[-1, [INDEX["head"], INDEX["left_knee"]], 1]
    assert error.max() < 0.01


def test_the_idle_stance_is_as_tall_as_people_are_in_the_pictures(data: Path) -> None:
    folders = sorted(path.parent for path in data.rglob("clip.json"))
    measures = Measures.from_dict(open_data(data).domain.settings)
    shown = np.concatenate([to_joints(np.load(f / "truth.npy"), 1.0) for f in folders])
    legs = [BONE["left_knee"], BONE["left_ankle"]]
    ends = [(INDEX["left_hip"], INDEX["left_knee"]), (INDEX["left_knee"], INDEX["left_ankle"])]
    long = replace(measures, idle=measures.idle * 1.3)
    eased = _at_ease(long, folders)
    for leg, (top, end) in zip(legs, ends, strict=True):
        longest = np.linalg.norm((shown[:, end] - shown[:, top])[:, :2], axis=1).max()
        assert np.linalg.norm(eased.idle[leg, :2]) < 1.01 * longest
    assert (np.abs(eased.idle) <= np.abs(long.idle) + 1e-6).all()


def test_what_is_no_data_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rotolive synth"):
        open_data(tmp_path)
    clip = tmp_path / "00000"
    clip.mkdir()
    about = {"style": 0, "name": "s", "frames": 9, "parts": ["none"], "detected": False}
    (clip / "clip.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"backdrop\.png"):
        open_data(tmp_path)


def test_the_idle_stance_is_the_calm_one_made_symmetric() -> None:
    waving = standing(middle=0.5)
    waving[[13, 15, 17, 19, 21], 1] -= 0.3
    leaning = standing(middle=0.4)
    leaning[:23, 0] += 0.002
    idle = idle_landmarks(np.stack([waving, leaning, waving]))
    assert np.allclose(idle[11, 0] - 0.5, 0.5 - idle[12, 0], atol=1e-6)
    assert idle[15, 1] > idle[11, 1] + 0.2


def test_losses_see_what_they_should() -> None:
    image = torch.rand(1, 4, 16, 16)
    weights = torch.ones(1, 1, 16, 16)
    assert gradient_l1(image, image + 0.3, weights) < 1e-6
    assert gradient_l1(image, torch.rand(1, 4, 16, 16), weights) > 0.1
    flow = torch.full((1, 2, 16, 16), 3.0)
    motion, inside = torch.zeros(1, 2, 4, 4), torch.ones(1, 1, 4, 4)
    assert abs(float(flow_error(flow, motion, inside, torch.ones(1))) - 18**0.5) < 0.01
    assert float(flow_error(flow, motion, inside, torch.zeros(1))) == 0


def test_close_ups_stay_inside() -> None:
    image = torch.arange(100 * 100).view(1, 1, 100, 100).float()
    cuts = close_ups(image, torch.tensor([[[50.0, 50.0], [-9.0, 500.0]]]), size=20)
    assert cuts.shape == (2, 1, 20, 20)
    assert cuts[0, 0, 0, 0] == 40 * 100 + 40 and cuts[1, 0, -1, 0] == 99 * 100


def test_premultiplied() -> None:
    pixel = np.array([[[200, 100, 0, 51]]], np.uint8)
    assert torch.allclose(premultiplied(pixel).flatten() * 255, torch.tensor([40.0, 20, 0, 51]))


def test_a_device_that_is_not_here_is_named() -> None:
    assert pick_device("cpu") == "cpu"
    with pytest.raises(InputError, match=r"'abacus'.*cpu"):
        pick_device("abacus")
