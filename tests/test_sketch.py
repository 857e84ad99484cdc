"""Edges as a condition: drawn alike live and in training, from a video to a model that paints."""

import json
import shutil
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from films import HEIGHT, SPEED, WIDTH, disc, write_film
from serving import serving, until
from torch.nn import functional as F

from rotolive.model import package
from rotolive.model.condition.sketch.conditioner import SketchConditioner, in_grey
from rotolive.model.condition.sketch.lines import draw, folded, unfolded
from rotolive.model.errors import InputError, ModelError
from rotolive.model.generator_live import GeneratorModel
from rotolive.model.live import IdentityModel, Picture, Request
from rotolive.model.optical_flow import seen_motion
from rotolive.model.runtime import open_stepper
from rotolive.model.video import VideoReader
from rotolive.stream.webrtc.client import Camera, Client
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.webrtc.settings import Settings
from rotolive.training.check import check
from rotolive.training.clip_format import clip_folders
from rotolive.training.config import LossWeights, sketch, smoke
from rotolive.training.data import open_data
from rotolive.training.evaluate import MODEL, UNTOLD, evaluate
from rotolive.training.prepare.footage import STUB
from rotolive.training.prepare.sketch import prepare
from rotolive.training.run import train
from rotolive.training.sketch_clips import SketchClip, was_seen
from rotolive.training.streams import Streams, Window
from rotolive.web.app import create_app

SIZE, WIDE = 64, 96
"""Height and width of the clips made here."""
WHOLE = Window(slice(0, SIZE), slice(0, WIDE))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_film(tmp_path_factory.mktemp("film") / "my film.mp4", (30, 8, 40))


@pytest.fixture(scope="module")
def data(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two styles: three scenes, of which one is too short; and the first of them again."""
    out = tmp_path_factory.mktemp("data") / "set"
    other = write_film(film.with_name("other.mp4"), (26,))
    accounts = prepare([film, other], out, size=SIZE)
    assert [account.clips for account in accounts] == [2, 1]
    assert accounts[0].frames == 78 and accounts[0].used == 70
    assert accounts[0].skipped == {STUB: 8}
    return out


def test_lines_are_thin_and_where_something_ends() -> None:
    lines = draw(in_grey(disc(0)))
    assert lines.shape == (HEIGHT, WIDTH) and lines.dtype == np.float32
    assert lines.min() >= 0 and lines.max() == 1 and 0.01 < (lines > 0).mean() < 0.06
    ys, xs = np.nonzero(lines[:, :50])
    distances = np.hypot(xs - 50, ys - 64)
    rim = distances[distances > 30]
    assert len(rim) > 60 and np.abs(rim - 36).max() < 2.5
    assert np.array_equal(lines, draw(in_grey(disc(0))))


@pytest.mark.parametrize("exposure", [0.35, 0.7, 1.2])
def test_exposure_does_not_matter(exposure: float) -> None:
    picture = cv2.GaussianBlur(disc(0), (0, 0), 1.5)
    exposed = (picture * exposure).round().astype(np.uint8)
    lines, again = draw(in_grey(picture)), draw(in_grey(exposed))
    assert ((lines > 0) & (again > 0)).sum() > 0.95 * ((lines > 0) | (again > 0)).sum()
    both = (lines > 0) & (again > 0)
    assert np.abs(lines - again)[both].max() < 0.1


def test_noise_makes_no_lines() -> None:
    noise = np.random.default_rng(0).normal(120, 2, (HEIGHT, WIDTH)).round().astype(np.uint8)
    assert not draw(noise).any()
    assert not draw(np.zeros_like(noise)).any()


def test_nothing_of_the_lines_is_lost() -> None:
    lines = draw(in_grey(disc(3)))
    condition = folded(lines)
    unshuffled = F.pixel_unshuffle(torch.from_numpy(lines)[None, None], 4)[0]
    assert np.array_equal(condition, unshuffled.numpy())
    assert np.array_equal(unfolded(condition), lines)


def plain_moment(clip: SketchClip, frame: int, *, mirrored: bool) -> dict[str, torch.Tensor]:
    """One that is filmed by the clip's own camera."""
    for whim in range(100):
        row = clip.moment(frame, frame - 1, WHOLE, whim)
        picture = clip.rgb[frame][:, :: -1 if mirrored else 1]
        seen = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
        lines = torch.from_numpy(folded(draw(in_grey(np.ascontiguousarray(picture)))))
        if torch.equal(row["target"][:3], seen) and torch.equal(row["condition"], lines):
            return row
    raise AssertionError("none is as it was filmed")


@pytest.mark.parametrize("mirrored", [False, True])
def test_live_and_training_see_the_same(data: Path, film: Path, mirrored: bool) -> None:
    """From the video's own pictures, three times as large as the clip's."""
    clip = SketchClip(clip_folders(data)[0])
    row = plain_moment(clip, 5, mirrored=mirrored)
    conditioner = SketchConditioner(WIDE, SIZE, mirror=mirrored)
    pictures = [picture.rgb for picture, _ in zip(VideoReader(film), range(6), strict=False)]
    before, now = (conditioner.observe({"rgb": rgb}, 0.0) for rgb in pictures[4:])
    assert np.array_equal(now.condition, row["condition"].numpy())
    assert now.picture is not None and before.picture is not None
    assert np.array_equal(seen_motion(now.picture, before.picture), row["told"].numpy())


def test_other_shapes_are_cropped_around_the_middle() -> None:
    square = cv2.copyMakeBorder(disc(0), 32, 32, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    conditioner = SketchConditioner(WIDTH, HEIGHT, mirror=False)
    seen = conditioner.observe({"rgb": square}, 0.0).condition
    assert np.array_equal(unfolded(seen), draw(in_grey(disc(0))))
    with pytest.raises(InputError, match="takes rgb planes; what came is label"):
        conditioner.observe({"label": square[..., 0]}, 0.0)


def test_motion_is_backward_and_what_was_covered_is_new(data: Path) -> None:
    clip = SketchClip(clip_folders(data)[0])
    row = plain_moment(clip, 5, mirrored=False)
    x = (50 + SPEED * 5) // 2
    across, down = row["motion"][:, 10:22, x // 4 - 3 : x // 4 + 4].mean((1, 2))
    assert float(across) == pytest.approx(-SPEED / 2, abs=0.25) and abs(float(down)) < 0.15
    turned = plain_moment(clip, 5, mirrored=True)["motion"]
    assert torch.equal(turned[0].flip(-1), -row["motion"][0])
    still = np.zeros((2, SIZE // 4, WIDE // 4))
    apart = was_seen(clip.rgb[20], clip.rgb[0], still)
    assert not apart[:, x + 32 : x + 36].all() and apart[:4].all()
    assert was_seen(clip.rgb[6], clip.rgb[5], clip.motion[6]).mean() > 0.97


def test_cameras_differ_and_stay_the_same_for_a_stream(data: Path) -> None:
    clip = SketchClip(clip_folders(data)[0])
    rows = [clip.moment(3, 2, WHOLE, whim) for whim in range(12)]
    shown = {row["condition"].numpy().tobytes() for row in rows}
    assert len(shown) > 3
    assert torch.equal(clip.moment(3, 2, WHOLE, 7)["condition"], rows[7]["condition"])
    assert len({row["target"].numpy().tobytes() for row in rows}) == 2, "as it is, and mirrored"


def test_windows_cut_everything_alike(data: Path) -> None:
    clip = SketchClip(clip_folders(data)[0])
    whole, window = clip.moment(3, 1, WHOLE, 4), Window(slice(0, 64), slice(16, 80))
    part = clip.moment(3, 1, window, 4)
    for name in ("condition", "told", "motion"):
        assert torch.equal(part[name], whole[name][..., 4:20])
    for name in ("target", "before", "things", "parts"):
        assert torch.equal(part[name], whole[name][..., 16:80])
    assert not part["motion_known"] and part["crops"].shape == (3, 2)


def test_a_cut_ends_a_clip(data: Path) -> None:
    folders = clip_folders(data)
    about = [json.loads((folder / "clip.json").read_text()) for folder in folders]
    assert [(x["name"], x["frames"]) for x in about] == [
        ("my film", 30),
        ("my film", 40),
        ("other", 26),
    ]
    for folder in folders:
        rgb = np.load(folder / "rgb.npy")
        assert rgb.shape[1:] == (SIZE, WIDE, 3)
        assert np.abs(np.diff(rgb.astype(int), axis=0)).mean((1, 2, 3)).max() < 20
        assert np.load(folder / "motion.npy")[0].any() == False  # noqa: E712


def test_the_data_set_says_what_it_holds(data: Path) -> None:
    found = open_data(data)
    assert found.styles == ("my film", "other") and found.maker is None
    assert str(found.inventory) == (
        "3 clips, 96 frames, 0.1 minutes, 96x64; styles: my film (2 clips), other (1 clips)"
    )
    assert found.domain.backdrop is None and found.domain.parts == found.domain.classes == 0


def test_what_is_done_is_not_done_again(data: Path, film: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*.npy")}
    assert prepare([film], data, size=SIZE)[0].clips == 2
    assert before == {path: path.stat().st_mtime_ns for path in data.rglob("*.npy")}


def test_what_was_left_half_done_is_done_anew(data: Path, film: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    (copy / "my_film.account.json").unlink()
    (copy / "my_film-001" / "rgb.npy").write_bytes(b"half")
    prepare([film], copy, size=SIZE)
    assert check(copy).clips == 3


def test_longer_scenes_are_cut_and_faster_films_thinned(tmp_path: Path) -> None:
    fast = write_film(tmp_path / "fast.mp4", (120,), fps=60)
    account = prepare([fast], tmp_path / "data", size=SIZE, seconds=1)[0]
    assert (account.frames, account.clips, account.skipped) == (60, 2, {})
    times = np.load(tmp_path / "data" / "fast-000" / "times.npy")
    assert np.diff(times) == pytest.approx(1 / 30, abs=1e-3)


def test_what_does_not_fit_is_named(data: Path, film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds pictures of 96x64, not 128 high"):
        prepare([film], data, size=128)
    short = write_film(tmp_path / "short.mp4", (12, 12))
    with pytest.raises(InputError, match=f"no clip came of its 24 frames: 24 {STUB}"):
        prepare([short], tmp_path / "new", size=SIZE)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match="cannot be read"):
        prepare([tmp_path / "text.mp4"], tmp_path / "new", size=SIZE)
    (tmp_path / "poses" / "00000").mkdir(parents=True)
    (tmp_path / "poses" / "00000" / "clip.json").write_text('{"style": 0, "name": "a"}')
    with pytest.raises(InputError, match="a data set of another kind"):
        prepare([film], tmp_path / "poses", size=SIZE)


def test_an_unknown_condition_is_named(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    path = copy / "other-000" / "clip.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "condition": "depth"}))
    with pytest.raises(InputError, match="is for depth; known conditions are pose, labels, sketch"):
        open_data(copy)


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few steps, critics and roll-outs included."""
    weights = LossWeights(perceptual=0)
    config = replace(smoke(), adversarial_from=0.25, rollout_from=0.7, threads=1, steps=8)
    config = replace(config, weights=weights)
    return train(data, tmp_path_factory.mktemp("run"), config, name="toy")


def test_it_is_trained_on_all_streams(data: Path) -> None:
    found = open_data(data)
    streams = Streams(found.clips, 2, replace(sketch(), batch=4))
    batch = [streams.next() for _ in range(3)][-1]
    assert batch.condition.shape == (4, 16, SIZE // 4, WIDE // 4)
    assert batch.body is None and (batch.target[:, 3] == 1).all()


def test_a_package_paints_live_and_is_told_of_motion(made: Path, film: Path) -> None:
    opened = package.load(made)
    assert opened.card.condition == "sketch" and opened.card.styles == ("my film", "other")
    assert opened.card.licence == "that of the videos it learned from"
    stepper = open_stepper(opened.generator(), 2, "eager")
    told, paint = [], stepper.paint
    stepper.paint = lambda batch: (told.append(batch.motion[1].clone()), paint(batch))[1]
    model = GeneratorModel(opened, stepper)
    conditioner = model.conditioner(mirror=False)
    seen = [
        conditioner.observe({"rgb": picture.rgb}, picture.time_s)
        for picture, _ in zip(VideoReader(film), range(8), strict=False)
    ]
    for t in (0, 3, 7):
        picture = model.step([Request(slot=1, seen=seen[t], style=model.style(1), seq=t)])[0]
        assert picture.rgb.shape == (SIZE, WIDE, 3) and picture.alpha is None
    assert not told[0].any()
    between = seen_motion(seen[7].picture, seen[3].picture)
    assert np.array_equal(told[2].numpy(), between), "of the frames that were painted"
    assert between[0].min() < -1.5 * SPEED / 2
    model.reset(1)
    model.step([Request(slot=1, seen=seen[7], style=model.style(0))])
    assert not told[3].any()


class Drawing(IdentityModel):
    """Gives back what it draws its lines of."""

    def conditioner(self, *, mirror: bool) -> SketchConditioner:
        return SketchConditioner(self.width, self.height, mirror=mirror)

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        return [Picture(rgb=np.dstack(3 * [request.seen.picture])) for request in requests]


async def test_the_page_is_shown_the_lines() -> None:
    """Over WebRTC, where the incoming picture has them: not mirrored, though it is painted so."""
    width, height = 2 * WIDTH, 2 * HEIGHT
    app = create_app(Drawing(1, width, height), Settings(max_sessions=1))
    with serving(app) as port:
        allow_loopback(only=True)
        camera = Camera(cycle([cv2.resize(disc(0), (width, height))]))
        painted: list[av.VideoFrame] = []
        client = Client(f"http://127.0.0.1:{port}", camera, lambda *seen: painted.append(seen[2]))
        await client.connect(mirror="true")
        notices = client.notices
        await until(lambda: any(n["type"] == "ready" for n in notices))
        client.say(type="overlay", on=True)
        await until(lambda: any(n["type"] == "pose" for n in notices) and len(painted) > 3)
        shown = next(n for n in notices if n["type"] == "pose")
        await client.close()
    packed = np.frombuffer(b64decode(shown["lines"]), np.uint8)
    picture = cv2.imdecode(packed, cv2.IMREAD_UNCHANGED)
    assert shown["landmarks"] is None and picture.shape == (height, width, 4)
    xs = np.nonzero(picture[height // 4 :, :, 3])[1]
    assert abs(xs.min() - 2 * (50 - 36)) < 6 and abs(xs.max() - 2 * (50 + 36)) < 6
    rim = painted[-1].to_ndarray(format="rgb24")[height // 2, -2 * 50]
    assert abs(int(rim.mean()) - int(in_grey(disc(0))[64, 50])) < 25


def test_another_version_is_refused(made: Path) -> None:
    opened = package.load(made)
    other = replace(opened, card=replace(opened.card, condition_settings={"condition_version": 9}))
    stepper = open_stepper(opened.generator(), 1, "eager")
    with pytest.raises(ModelError, match="sketch condition version 9: this build reads version 1"):
        GeneratorModel(other, stepper)


def test_it_is_evaluated(made: Path, data: Path) -> None:
    figures, _ = evaluate(package.load(made), data, frames=4, clips=2, drift=6)
    rows = figures["rows"]
    assert figures["frames"] == 6 and figures["drift_frames"] == 6
    assert 5 < rows[MODEL]["psnr"] < 40 and "pose_within_3_percent" not in rows[MODEL]
    assert rows[UNTOLD]["warping_error"] != rows[MODEL]["warping_error"]
