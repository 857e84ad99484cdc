"""Training on labelled scenes: data check, streams, a run, the package that comes of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import HEIGHT, ID, SPEED, WIDTH, write_clip, write_clips

from rotolive.model import package
from rotolive.model.condition.labels.classes import STREET
from rotolive.model.condition.labels.packing import NO_TINT, OFFSETS, SCALES
from rotolive.model.condition.labels.tints import GAIN, Tints
from rotolive.model.errors import InputError
from rotolive.model.generator_live import GeneratorModel
from rotolive.model.live import Request
from rotolive.model.runtime import open_stepper
from rotolive.training.config import LossWeights, TrainConfig, smoke
from rotolive.training.data import open_data
from rotolive.training.label_clips import LabelClip
from rotolive.training.loop import Trainer
from rotolive.training.losses import same_thing
from rotolive.training.run import train
from rotolive.training.streams import Streams, Window

WHOLE = Window(slice(0, HEIGHT), slice(0, WIDTH))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("scenes"))


def config(**changes: object) -> TrainConfig:
    plain = LossWeights(perceptual=0)
    return replace(smoke(), crop=64, steps=8, weights=plain, **changes)  # type: ignore[arg-type]


def test_the_data_set_says_what_it_holds(data: Path) -> None:
    found = open_data(data)
    assert found.maker == "rotolive synth street" and found.styles == ("noon", "dusk")
    assert "128x64" in str(found.inventory) and "lane marking" in str(found.inventory)
    assert found.domain.classes == len(STREET) and found.domain.backdrop is None


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("label", lambda x: np.full_like(x, 40), "label.npy holds the id 40; clip.json names 19"),
        ("depth", lambda x: x.astype(np.float32), "depth.npy is float32"),
        ("motion", lambda x: x[:, :, :4], r"motion.npy is float16 \(12, 2, 4, 32\)"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, name: str, change, sentence: str) -> None:
    write_clip(tmp_path / "00000", 0)
    path = tmp_path / "00000" / f"{name}.npy"
    np.save(path, change(np.load(path)))
    with pytest.raises(InputError, match=sentence):
        open_data(tmp_path)


def test_motion_leads_to_what_was_seen(data: Path) -> None:
    found = open_data(data)
    streams = Streams(found.clips, 2, config(restart=0.0, gaps=(1,)))
    streams.next()
    batch = streams.next()
    motion = torch.nn.functional.interpolate(batch.motion, batch.target.shape[-2:], mode="bilinear")
    seen = same_thing(batch.things, batch.things_before, motion)
    assert 0.85 < seen.mean() < 1  # what comes in at the edge was not
    assert batch.target.shape == (2, 4, HEIGHT, 64) and (batch.target[:, 3] == 1).all()


def test_streams_go_without_planes_and_finer_classes(data: Path) -> None:
    clip = open_data(data).clips[0]
    assert isinstance(clip, LabelClip)
    window = WHOLE
    rows = [clip.moment(3, 2, window, whim) for whim in range(40)]
    assert any(not row["told"].any() for row in rows) and any(row["told"].any() for row in rows)
    for plane in (1, 2, 3):
        filled = {bool(row["condition"][plane].any()) for row in rows}
        assert filled == {False, True}
    shown = [set(row["condition"][0].unique().int().tolist()) for row in rows]
    assert any(ID["window"] not in ids for ids in shown)
    assert any(ID["lane marking"] not in ids for ids in shown)
    walls = next(row for row, ids in zip(rows, shown, strict=True) if ID["window"] not in ids)
    assert walls["condition"][0, 25, 75] == ID["building:brick"]
    assert walls["parts"][25, 75] == ID["window"], "what counts does not depend on the sender"
    again = clip.moment(3, 2, window, 5)
    assert torch.equal(again["condition"], rows[5]["condition"])


def test_things_have_their_mean_colours(data: Path) -> None:
    clip = open_data(data).clips[0]
    assert isinstance(clip, LabelClip)
    rows = [clip.moment(3, 2, WHOLE, whim) for whim in range(20)]
    row = next(row for row in rows if row["condition"][3:].any())
    tints, target = row["condition"][3:], row["target"][:3]
    things = row["things"] >= 256
    assert (tints[:, ~things] == 0).all()
    told = tints[:, things] / GAIN + 0.5
    assert torch.allclose(told, target[:, things], atol=0.003), "its things are flat"


def test_the_package_knows_the_usual_colours(data: Path) -> None:
    found = open_data(data)
    tints = Tints.from_list(found.domain.settings["tints"], 2, len(STREET))
    label = np.full((4, 4), ID["building:brick"], np.uint8)
    packed = [tints.paint(label, np.full((4, 4), 3, np.uint16), style) for style in range(2)]
    shown = [(x[:, 0, 0] - OFFSETS[3]) * SCALES[3] / GAIN + 0.5 for x in packed]
    clip = np.load(data / "00000" / "rgb.npy"), np.load(data / "00000" / "label.npy")
    true = clip[0][0][clip[1][0] == ID["building:brick"]][0] / 255
    assert np.allclose(shown[0], true, atol=0.01)
    assert np.allclose(shown[1], true / 2, atol=0.01)
    car = tints.paint(np.full_like(label, ID["car"]), np.full((4, 4), 3, np.uint16), 0)
    assert (car == NO_TINT).all(), "too small to be told"


def test_two_frames_on_the_motion_is_doubled(data: Path) -> None:
    clip = open_data(data).clips[0]
    told = [clip.moment(4, 2, WHOLE, whim)["told"] for whim in range(20)]
    assert {float(t.max()) for t in told} == {0.0, 2.0 * SPEED}


def test_it_learns_and_ships(data: Path, tmp_path: Path) -> None:
    found = open_data(data)
    setting = config(adversarial_from=0.3, rollout_from=0.8)
    setting = replace(setting, steps=60, rate=2e-3)
    trainer = Trainer(setting, Streams(found.clips, 2, setting), found.domain)
    terms = [step["reconstruction"] for step in trainer.run(60)]
    assert np.mean(terms[-5:]) < 0.6 * np.mean(terms[:5])
    assert [x.shape for x in trainer.sample(3)] == 3 * [(3, HEIGHT, 3 * WIDTH)]


def test_a_run_writes_a_package_that_paints(data: Path, tmp_path: Path) -> None:
    path = train(data, tmp_path, replace(config(), steps=2), name="toy")
    opened = package.load(path)
    assert opened.card.condition == "labels" and opened.card.licence == "Apache-2.0"
    assert opened.card.provenance["data"] == "2 clips of `rotolive synth street`"
    model = GeneratorModel(opened, open_stepper(opened.generator(), 1, "eager"))
    assert model.classes == STREET
    label = np.load(data / "00000" / "label.npy")[0]
    seen = model.conditioner(mirror=False).observe({"label": label}, 0.0)
    picture = model.step([Request(slot=0, seen=seen, style=model.style(1))])[0]
    assert picture.rgb.shape == (HEIGHT, WIDTH, 3)
