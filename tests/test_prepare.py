"""A dance video becomes clips: cut out, labelled, moving; and what is no such video is refused."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from rotolive.model.errors import InputError
from rotolive.model.video import TimedPicture, VideoReader, VideoWriter
from rotolive.training.clip_format import clip_folders
from rotolive.training.data import open_data
from rotolive.training.prepare.frame import PARTS, cut_out, label, motion
from rotolive.training.prepare.survey import Framing, survey
from rotolive.training.prepare.videos import NOBODY, prepare
from rotolive.training.synthetic.actor import Actor
from rotolive.training.synthetic.backdrop import backdrop, over
from rotolive.training.synthetic.motion import sample_motion

SIDE, WIDE, FPS = 384, 512, 30.0
STYLE, SEED = 1, 4
EMPTY = slice(40, 46)


class Movie:
    """Somebody who dances before a wall, walks off for a moment, and comes back."""

    def __init__(self, path: Path) -> None:
        dance = sample_motion(np.random.default_rng(SEED), 3.0, FPS)
        actor = Actor(STYLE, SIDE)
        side = (WIDE - SIDE) // 2
        studio = backdrop(SIDE)
        self.wall = np.pad(studio, ((0, 0), (side, side), (0, 0)), "edge")
        self.path, self.alphas = path, []
        with VideoWriter(path, WIDE, SIDE, FPS) as writer:
            for t in range(len(dance)):
                picture = self.wall.copy()
                rgba = actor.render(dance[t]).rgba
                if not EMPTY.start <= t < EMPTY.stop:
                    picture[:, side : side + SIDE] = over(rgba, studio)
                self.alphas.append(np.pad(rgba[..., 3], ((0, 0), (side, side))))
                writer.write(TimedPicture(rgb=picture, time_s=t / FPS))
        actor.close()


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Movie:
    return Movie(tmp_path_factory.mktemp("movie") / "my dance.mp4")


@pytest.fixture(scope="module")
def made(movie: Movie, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "data"
    accounts = prepare([movie.path], out, size=128)
    assert accounts[0].clips == 2
    assert accounts[0].frames == 90 and 70 <= accounts[0].used <= 84
    assert accounts[0].skipped[NOBODY] >= EMPTY.stop - EMPTY.start - 2
    return out


def test_it_can_be_trained_on(made: Path) -> None:
    data = open_data(made)
    assert data.styles == ("my dance",) and data.inventory.names == PARTS
    assert data.domain.backdrop.shape == (3, 128, 128)
    assert all(clip.usable.mean() > 0.6 for clip in data.clips)


def test_the_dancer_is_cut_out(made: Path, movie: Movie) -> None:
    """Against the exact coverage of the render, in the same window."""
    framing = Framing(**json.loads((made / "framing.json").read_text()))
    window = survey(VideoReader(movie.path)).body.window(framing)
    rgba = np.load(clip_folders(made)[0] / "rgba.npy")
    overlaps = []
    for t in range(0, len(rgba), 5):
        exact = window.cut(movie.alphas[t], 128) > 127
        found = rgba[t, ..., 3] > 127
        overlaps.append((exact & found).sum() / (exact | found).sum())
    assert np.mean(overlaps) > 0.85


def test_heads_are_up_and_feet_are_down(made: Path) -> None:
    parts = np.load(clip_folders(made)[0] / "parts.npy")
    rows = {name: np.nonzero(parts == PARTS.index(name))[1] for name in PARTS}
    assert np.median(rows["face"]) < np.median(rows["torso"]) < np.median(rows["left_leg"])
    assert np.median(rows["left_leg"]) < np.median(rows["right_foot"])


def test_what_is_done_is_not_done_again(made: Path, movie: Movie) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.npy")}
    accounts = prepare([movie.path], made, size=128)
    assert accounts[0].clips == 2
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob("*.npy")}


def test_what_was_left_half_done_is_done_anew(made: Path, movie: Movie) -> None:
    (made / "my_dance.account.json").unlink()
    accounts = prepare([movie.path], made, size=128)
    assert accounts[0].clips == 2 and len(clip_folders(made)) == 2


def test_a_second_video_is_a_second_style_framed_alike(made: Path, movie: Movie) -> None:
    other = movie.path.with_name("other.mp4")
    other.write_bytes(movie.path.read_bytes())
    prepare([other], made, size=128)
    styles = {json.loads((f / "clip.json").read_text())["name"] for f in clip_folders(made)}
    assert styles == {"my dance", "other"}
    assert open_data(made).styles == ("my dance", "other")


def test_another_video_of_the_same_name_is_refused(made: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "my dance.mp4", [backdrop(128)] * 30)
    with pytest.raises(InputError, match="another video named my_dance"):
        prepare([path], made, size=128)
    twice = [tmp_path / "my dance.mp4", tmp_path / "my_dance.mp4"]
    twice[1].write_bytes(twice[0].read_bytes())
    with pytest.raises(InputError, match="two of the videos are named my_dance"):
        prepare(twice, tmp_path / "data", size=128)


def test_another_size_is_refused(made: Path, movie: Movie) -> None:
    with pytest.raises(InputError, match="128 pixels, not 256"):
        prepare([movie.path], made)


def write(path: Path, pictures: list[np.ndarray]) -> Path:
    height, width = pictures[0].shape[:2]
    with VideoWriter(path, width, height, FPS) as writer:
        for t, picture in enumerate(pictures):
            writer.write(TimedPicture(rgb=picture, time_s=t / FPS))
    return path


def test_nobody_in_the_video(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.mp4", [backdrop(128)] * 30)
    with pytest.raises(InputError, match=r"empty\.mp4: nobody was found"):
        prepare([empty], tmp_path / "data", size=128)
    assert not (tmp_path / "data").exists()


def test_a_camera_that_moves(movie: Movie, tmp_path: Path) -> None:
    checks = np.indices((SIDE, 2 * WIDE)).sum(0) // 24 % 2 * 160
    shaken = []
    for t in range(60):
        wall = np.repeat(checks[:, 8 * t : 8 * t + WIDE, None], 3, 2).astype(np.uint8)
        alpha = movie.alphas[t][..., None] / 255
        shaken.append((wall * (1 - alpha) + 90 * alpha).astype(np.uint8))
    path = write(tmp_path / "shaken.mp4", shaken)
    with pytest.raises(InputError, match=r"shaken\.mp4: (the backdrop differs|nobody)"):
        prepare([path], tmp_path / "data", size=128)


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    with pytest.raises(InputError, match="cannot be read"):
        prepare([text], tmp_path / "data")


def test_colours_at_the_rim_are_freed_of_the_backdrop() -> None:
    behind = np.full((64, 64, 3), 200, np.uint8)
    picture, mask = behind.copy(), np.zeros((64, 64), np.float32)
    picture[16:48, 16:48] = (30, 60, 90)
    mask[15:49, 15:49] = 1
    rgba = cut_out(picture, behind, mask)
    assert (rgba[20:44, 20:44, 3] == 255).all() and rgba[:10, :, 3].max() == 0
    alpha = rgba[..., 3:] / 255
    again = rgba[..., :3] * alpha + behind * (1 - alpha)
    assert np.abs(again - picture).max() < 12


def test_motion_is_backward_and_in_pixels() -> None:
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8), (128, 128))
    now, alpha = np.roll(texture, 3, axis=1), np.full((128, 128), 255, np.uint8)
    found = motion(now, texture, alpha)[:, 8:24, 8:24]
    assert np.abs(found[0] + 3).mean() < 0.3 and np.abs(found[1]).mean() < 0.3


def test_every_part_has_bones() -> None:
    joints = np.random.default_rng(0).random((31, 3)).astype(np.float32)
    ids = label(np.full((64, 64), 255, np.uint8), joints)
    assert ids.min() >= 1 and ids.max() < len(PARTS)
