"""Bad data and bad luck: a clear sentence before the first step, and nothing lost after it."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from people import standing

from rotolive.model import package
from rotolive.model.errors import InputError, TrainingStopped
from rotolive.training.check import check
from rotolive.training.clip_format import save_clip
from rotolive.training.config import LossWeights, Part, TrainConfig, smoke
from rotolive.training.data import open_data
from rotolive.training.loop import Trainer
from rotolive.training.run import train

SIZE, FRAMES = 64, 30
PLAIN = LossWeights(perceptual=0, pose=0)


def make(folder: Path, styles: int = 2) -> Path:
    """A data set of people who are a box."""
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "backdrop.png"), np.full((SIZE, SIZE, 3), 90, np.uint8))
    for style in range(styles):
        sway = 0.1 * np.sin(np.arange(FRAMES) / 4)
        truth = np.stack([standing(middle=0.5 + s) for s in sway])
        rgba = np.full((FRAMES, SIZE, SIZE, 4), (80 * style, 40, 90, 0), np.uint8)
        rgba[:, 8:60, 24:40, 3] = 255
        about = {"style": style, "name": f"s{style}", "frames": FRAMES, "detected": True}
        save_clip(
            folder / f"{style:05d}",
            {**about, "parts": ["none", "body"], "source": "box"},
            rgba=rgba,
            parts=(rgba[..., 3] > 0).astype(np.uint8),
            motion=np.zeros((FRAMES, 2, SIZE // 4, SIZE // 4), np.float16),
            truth=truth,
            landmarks=truth,
            times=np.arange(FRAMES) / 30,
        )
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make(tmp_path / "data")


def setting(**changes: object) -> TrainConfig:
    return replace(smoke(), crop=48, weights=PLAIN, **changes)  # type: ignore[arg-type]


def test_what_is_there_is_told(data: Path) -> None:
    said = str(check(data))
    assert "2 clips, 60 frames" in said and "64x64" in said and "s0 (1 clips)" in said
    (data / ".00009.77.tmp").mkdir()
    assert "1 unfinished" in str(check(data))


def change(path: Path, how: Callable[[np.ndarray], np.ndarray]) -> None:
    np.save(path, how(np.load(path)))


def rewrite(data: Path, **fields: object) -> None:
    path = data / "00001" / "clip.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


BAD = {
    "a missing array": (
        lambda d: (d / "00001" / "motion.npy").unlink(),
        r"00001/motion\.npy is missing",
    ),
    "a cut file": (
        lambda d: (d / "00000" / "rgba.npy").write_bytes(b"\x93NUMPY"),
        r"00000/rgba\.npy is missing or damaged",
    ),
    "a wrong size": (
        lambda d: change(d / "00001" / "rgba.npy", lambda x: x[:, :32]),
        r"rgba\.npy is uint8 \(30, 32, 64, 4\); uint8 \(30, 64, 64, 4\) is expected",
    ),
    "unpaired frames": (
        lambda d: change(d / "00001" / "parts.npy", lambda x: x[:-3]),
        r"parts\.npy is uint8 \(27, 64, 64\); uint8 \(30, 64, 64\)",
    ),
    "an unknown id": (
        lambda d: change(d / "00001" / "parts.npy", lambda x: x + 7),
        r"holds the id 8; clip\.json names 2",
    ),
    "time that stands still": (
        lambda d: change(d / "00001" / "times.npy", np.zeros_like),
        "times must rise",
    ),
    "two names for a style": (lambda d: rewrite(d, style=0), "style 0 is 's1' here, 's0' before"),
    "a style without clips": (lambda d: rewrite(d, style=2), "no clips of style 1; there are 3"),
    "other parts": (lambda d: rewrite(d, parts=["none", "fur"]), "labels other parts"),
    "a field that lacks": (
        lambda d: (d / "00001" / "clip.json").write_text("{}"),
        r"clip\.json lacks detected, frames",
    ),
    "no backdrop": (lambda d: (d / "backdrop.png").unlink(), r"backdrop\.png is missing"),
    "an empty file": (
        lambda d: (d / "00000" / "times.npy").write_bytes(b""),
        r"00000/times\.npy is missing or damaged",
    ),
    "a number in place of an array": (
        lambda d: np.save(d / "00000" / "rgba.npy", np.uint8(3)),
        "it holds one number",
    ),
    "one name for two styles": (lambda d: rewrite(d, name="s0"), "two styles have one name"),
    "nothing": (lambda d: [shutil.rmtree(d / f"0000{i}") for i in range(2)], "no clips in"),
}


@pytest.mark.parametrize("case", BAD)
def test_data_that_do_not_fit_are_named(data: Path, tmp_path: Path, case: str) -> None:
    spoil, words = BAD[case]
    spoil(data)
    with pytest.raises(InputError, match=words):
        train(data, tmp_path / "run", setting())
    assert not (tmp_path / "run").exists()


def test_a_run_tells_all_that_a_repetition_needs(data: Path, tmp_path: Path) -> None:
    told: list[str] = []
    path = train(data, tmp_path / "run", setting(seed=7), name="box", tell=told.append)
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["settings"]["seed"] == 7 and about["data"]["styles"] == {"s0": 1, "s1": 1}
    assert about["versions"]["torch"] and "2 clips" in told[0]
    assert list((tmp_path / "run" / "events").iterdir())
    card = package.load(path).card
    assert card.provenance["data"] == "2 clips of box" and "videos" in card.licence


@pytest.mark.parametrize("part", Part.__args__)  # pyright: ignore[reportAttributeAccessIssue]
def test_each_part_can_be_left_out(data: Path, tmp_path: Path, part: Part) -> None:
    path = train(data, tmp_path / "run", setting(without=(part,), adversarial_from=0.0))
    opened = package.load(path)
    generator, shape = opened.generator(), opened.card.generator
    memories = {"recurrence": "none", "warping": "seen"}
    assert shape.memory == memories.get(part, "blended") and shape.backdrop == (part != "prior")
    condition = torch.rand(1, shape.condition_channels, SIZE // 4, SIZE // 4)
    style, state = torch.eye(2)[:1], generator.initial_state(1)
    _, state = generator.step(condition, style, state)
    output, _, details = generator.step_with_details(condition, style, state)
    whole = torch.equal(generator.over_backdrop(details.painted) * 2 - 1, output.image)
    assert whole == (part in memories)
    first, _ = generator.step(condition, style, generator.initial_state(1))
    assert torch.equal(first.image, output.image) == (part == "recurrence")


def test_without_the_prior_the_picture_is_whole(data: Path) -> None:
    found = open_data(data)
    from rotolive.training.streams import Streams

    config = setting(without=("prior",))
    trainer = Trainer(config, Streams(found.clips, 2, config), found.domain)
    batch = trainer._next()
    assert (batch.target[:, 3] == 1).all()
    assert torch.allclose(batch.target[:, :3, 0, 0], found.domain.backdrop[:, 0, 0])


def test_styles_of_another_number_begin_as_their_mean(data: Path, tmp_path: Path) -> None:
    base = train(make(tmp_path / "three", styles=3), tmp_path / "base", setting())
    path = train(data, tmp_path / "run", setting(steps=1), warm_start=str(base))
    assert package.load(path).card.styles == ("s0", "s1")


def test_a_term_that_is_no_number_is_named_and_nothing_is_lost(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(data, tmp_path / "run", setting())
    kept = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    nan = torch.tensor(float("nan"))
    monkeypatch.setattr("rotolive.training.losses.gradient_l1", lambda *_: nan)
    with pytest.raises(TrainingStopped, match=r"step 4: no number came of gradient;.*kept"):
        train(data, tmp_path / "run", setting(steps=8))
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == kept


def test_gradients_that_stay_no_numbers_stop_the_run(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    infinite = torch.tensor(float("inf"))
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: infinite)
    with pytest.raises(TrainingStopped, match="20 steps in a row"):
        train(data, tmp_path / "run", setting(steps=40))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_out_of_memory_names_the_knobs(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("rotolive.model.generator.Generator.step_with_details", fail)
    with pytest.raises(TrainingStopped, match=r"batches of 2 windows of 48x64: .* --batch"):
        train(data, tmp_path / "run", setting())


def test_a_checkpoint_of_another_method_or_other_data_is_refused(
    data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(data, run, setting())
    with pytest.raises(InputError, match="other settings or data"):
        train(data, run, setting(steps=5, without=("warping",)))
    (data / "00001").rename(data / "00007")
    with pytest.raises(InputError, match="other settings or data"):
        train(data, run, setting(steps=5))


def test_a_smaller_batch_goes_on_with_the_weights(data: Path, tmp_path: Path) -> None:
    train(data, tmp_path / "run", setting())
    told: list[str] = []
    changed = replace(setting(steps=6), batch=1, crop=0)
    path = train(data, tmp_path / "run", changed, tell=told.append)
    assert "going on from step 4" in told[-1]
    assert package.load(path).card.provenance["steps"] == 6


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from dataclasses import replace
from rotolive.model.errors import TrainingStopped
from rotolive.training.run import train
from test_train_check import setting
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    train(Path(sys.argv[1]), Path(sys.argv[2]), setting(steps=8))
except TrainingStopped as error:
    print(error)
"""


def test_a_full_disk_leaves_the_last_checkpoint(data: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk."""
    assert resource.RLIMIT_FSIZE
    run = tmp_path / "run"
    train(data, run, setting())
    kept = (run / "checkpoint.pt").read_bytes()
    arguments = [sys.executable, "-c", FULL, data, run, Path(__file__).parent]
    said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert "checkpoint.pt cannot be written, what it held is kept" in said
    assert (run / "checkpoint.pt").read_bytes() == kept
    assert not list(run.glob("*.part"))
    train(data, run, setting(steps=5))
