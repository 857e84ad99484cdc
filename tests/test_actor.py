"""The synthetic people: pictures, labels, motion, landmarks and noise belong together."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from rotolive.training.synthetic.actor import PARTS, Actor
from rotolive.training.synthetic.backdrop import backdrop, over
from rotolive.training.synthetic.bvh import HELD_OUT, TRAINING, load_capture, read_bvh
from rotolive.training.synthetic.clips import make_clip, synth_actor
from rotolive.training.synthetic.motion import NECK_YAW_LIMIT, sample_motion
from rotolive.training.synthetic.noise import default_noise, facing_of, load_noise
from rotolive.training.synthetic.rig import ASSETS, Motion, load_rig
from rotolive.training.synthetic.styles import STYLES
from rotolive.training.synthetic.webcam import filmed

SIZE = 256


@pytest.fixture(scope="module")
def actor() -> Iterator[Actor]:
    made = Actor(0, SIZE)
    yield made
    made.close()


@pytest.fixture(scope="module")
def motion() -> Motion:
    return sample_motion(np.random.default_rng(3), 6)


def rest_pose(frames: int = 1) -> Motion:
    local = np.tile(np.eye(3, dtype=np.float32), (frames, len(load_rig().labels), 1, 1))
    return Motion(local, np.zeros((frames, 3), np.float32))


def distance_to(mask: np.ndarray, point: np.ndarray) -> float:
    rows, columns = np.nonzero(mask)
    return float(np.hypot(columns + 0.5 - point[0], rows + 0.5 - point[1]).min())


def test_render_shapes_and_framing(actor: Actor) -> None:
    actor.reset()
    frame = actor.render(rest_pose()[0])
    assert frame.rgba.shape == (SIZE, SIZE, 4) and frame.rgba.dtype == np.uint8
    assert frame.parts.shape == (SIZE, SIZE)
    assert frame.motion.shape == (2, SIZE // 4, SIZE // 4) and frame.motion.dtype == np.float16
    assert frame.landmarks.shape == (33, 4) and frame.landmarks.dtype == np.float32
    assert not frame.motion.any()
    rows, columns = np.nonzero(frame.parts)
    assert 0.78 < (rows.max() - rows.min()) / SIZE < 0.9
    assert 0.91 < rows.max() / SIZE < 0.97
    assert abs((columns.max() + columns.min()) / 2 / SIZE - 0.5) < 0.02
    assert {PARTS[i] for i in np.unique(frame.parts)} >= set(PARTS) - {"eyes"}


def test_landmarks_lie_on_their_parts(actor: Actor) -> None:
    frame = actor.render(rest_pose()[0])
    places = frame.landmarks[:, :2] * SIZE
    expected = {0: "face", 15: "left_hand", 16: "right_hand", 25: "left_leg", 26: "right_leg"}
    expected |= {13: "left_arm", 14: "right_arm", 31: "left_foot", 32: "right_foot"}
    for landmark, part in expected.items():
        assert distance_to(frame.parts == PARTS.index(part), places[landmark]) < 4, part
    assert places[15, 0] > places[16, 0]  # a person facing us has their left on our right
    assert frame.landmarks[0, 2] < 0  # the nose is nearer than the hips


def test_alpha_is_solid_on_the_body_and_soft_below(actor: Actor) -> None:
    frame = actor.render(rest_pose()[0])
    inside = cv2.erode((frame.parts > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert frame.rgba[inside, 3].min() > 250
    shadow = frame.rgba[int(0.95 * SIZE), SIZE // 2, 3]
    assert 0 < shadow < 200
    assert frame.rgba[4, 4, 3] == 0


def test_motion_warps_the_previous_frame(actor: Actor, motion: Motion) -> None:
    actor.reset()
    studio = backdrop(SIZE)
    errors, still = [], []
    before = np.zeros((SIZE, SIZE, 3), np.float32)
    for t in range(40, 60):
        frame = actor.render(motion[t])
        now = over(frame.rgba, studio).astype(np.float32)
        if t > 40:
            flow = cv2.resize(frame.motion.astype(np.float32).transpose(1, 2, 0), (SIZE, SIZE))
            y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
            warped = cv2.remap(before, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
            body = cv2.erode((frame.parts > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
            errors.append(np.abs(warped - now)[body].mean())
            still.append(np.abs(before - now)[body].mean())
        before = now
    assert np.mean(still) > 4
    assert np.mean(errors) < 0.6 * np.mean(still)


def test_landmarks_of_a_motion_equal_those_of_its_frames(actor: Actor, motion: Motion) -> None:
    every = actor.landmarks(motion)
    assert np.allclose(every[7], actor.render(motion[7]).landmarks, atol=1e-5)


def test_styles_differ() -> None:
    pictures = []
    for style in (1, 3):
        other = Actor(style, 128)
        pictures.append(other.render(rest_pose()[0]).rgba.astype(float))
        other.close()
    assert len(STYLES) >= 4
    assert np.abs(pictures[0] - pictures[1]).mean() > 3


def test_several_people_in_one_process(actor: Actor, motion: Motion) -> None:
    first = actor.render(motion[0]).rgba
    other = Actor(3, 128)
    second = other.render(motion[0]).rgba
    assert np.array_equal(actor.render(motion[0]).rgba, first)
    assert np.array_equal(other.render(motion[0]).rgba, second)
    other.close()
    assert np.array_equal(actor.render(motion[0]).rgba, first)


@pytest.mark.parametrize("name", [*HELD_OUT, *TRAINING])
def test_captures_stand_upright(actor: Actor, name: str) -> None:
    capture = load_capture(name)
    assert capture.fps == 30
    marks = actor.landmarks(capture)
    nose, ankles = marks[:, 0, 1], marks[:, 27:29, 1].max(1)
    assert (nose < ankles - 0.4).mean() > 0.95
    assert facing_of(marks[:10]).mean() > 0.8
    assert np.abs(ankles - 0.9).max() < 0.25


def test_bvh_reader_finds_either_up_axis() -> None:
    for name in ("zombie", "jumping_jacks"):
        capture = read_bvh(ASSETS / f"{name}.bvh.gz")
        height = capture.joint("Head") - capture.joint("LeftFoot")
        assert (height[:, 2] > np.abs(height[:, 1])).mean() > 0.9


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    cosine = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_sampled_motion_keeps_limits() -> None:
    rig = load_rig()
    for seed in range(4):
        motion = sample_motion(np.random.default_rng(seed), 30)
        _, joints = rig.forward(motion.local, motion.root)
        for a, b, c in (("Arm", "ForeArm", "Hand"), ("UpLeg", "Leg", "Foot")):
            for side in ("Left", "Right"):
                p, q, r = (joints[:, rig.index(side + n)] for n in (a, b, c))
                assert angle(q - p, r - q).max() < 152
        neck = motion.local[:, [rig.index(n) for n in ("Neck", "Neck1", "Head")]]
        yaw = np.arctan2(neck[..., 1, 0], neck[..., 0, 0]).sum(1)
        assert np.abs(yaw).max() < NECK_YAW_LIMIT + 0.1
        assert np.abs(motion.root[:, 0]).max() < 1.0
        identity = motion.local @ np.swapaxes(motion.local, -1, -2)
        assert np.allclose(identity, np.eye(3), atol=1e-3)
        step = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * 30
        assert step.max() < 14  # metres a second


def test_sampled_motion_is_deterministic() -> None:
    first, second, other = (sample_motion(np.random.default_rng(s), 3) for s in (5, 5, 6))
    assert np.array_equal(first.local, second.local)
    assert not np.allclose(first.local, other.local)
    assert len(first) == 90


def test_noise_statistics(actor: Actor) -> None:
    exact = actor.landmarks(sample_motion(np.random.default_rng(1), 60))
    for model in (default_noise(), load_noise()):
        noisy = model.apply(exact, np.random.default_rng(0))
        lost = np.isnan(noisy[:, 0, 0])
        assert lost.mean() < 0.2
        error = np.linalg.norm((noisy - exact)[~lost, :, :2], axis=-1)
        assert 0.002 < np.median(error) < 0.03
        assert noisy[~lost, :, 3].min() >= 0 and noisy[~lost, :, 3].max() <= 1
        again = model.apply(exact, np.random.default_rng(0))
        assert np.array_equal(noisy, again, equal_nan=True)


def test_hands_and_faces_are_found_as_one(actor: Actor) -> None:
    exact = actor.landmarks(sample_motion(np.random.default_rng(1), 20))
    noisy = default_noise().apply(exact, np.random.default_rng(0))
    ok = ~np.isnan(noisy[:, 0, 0])
    error = (noisy - exact)[ok]
    together = np.corrcoef(error[:, 19, 2], error[:, 17, 2])[0, 1]
    apart = np.corrcoef(error[:, 19, 2], error[:, 20, 2])[0, 1]
    assert together > 0.8 and abs(apart) < 0.6
    ears = (7, 8)
    turn, found = (x[ok][:, 0, 0] - x[ok][:, ears, 0].mean(1) for x in (exact, noisy))
    assert 0.4 < np.polyfit(turn, found, 1)[0] < 0.7


def test_a_webcam_is_no_studio() -> None:
    picture = np.full((32, 32, 3), 128, np.uint8)
    picture[:, 16:] = 200
    cameras = [list(filmed([picture] * 2, np.random.default_rng(i))) for i in range(2)]
    assert all(seen.shape == picture.shape and seen.dtype == np.uint8 for seen in cameras[0])
    assert np.abs(cameras[0][0].astype(int) - cameras[1][0]).mean() > 3, "another camera"
    mean = [seen.mean() for seen in cameras[0]]
    assert abs(mean[0] - mean[1]) < 2, "one camera"


def test_clips_round_trip(tmp_path: Path, actor: Actor) -> None:
    path = tmp_path / "clip"
    motion = rest_pose(12)
    make_clip(path, 0, motion, np.random.default_rng(2), True, SIZE, actor=actor)
    count = len(motion)
    about = json.loads((path / "clip.json").read_text())
    assert about["parts"] == list(PARTS) and about["detected"] and about["frames"] == count
    shapes = {
        "rgba": (count, SIZE, SIZE, 4),
        "parts": (count, SIZE, SIZE),
        "motion": (count, 2, SIZE // 4, SIZE // 4),
        "truth": (count, 33, 4),
        "landmarks": (count, 33, 4),
        "times": (count,),
    }
    data = {name: np.load(path / f"{name}.npy") for name in shapes}
    assert {name: array.shape for name, array in data.items()} == shapes
    error = np.linalg.norm((data["landmarks"] - data["truth"])[..., :2], axis=-1)
    assert np.nanmedian(error) < 0.03


def test_data_sets_resume(tmp_path: Path) -> None:
    synth_actor(tmp_path, 2, 0.2, seed=1, size=64, detect_share=0, styles=(0,))
    first = (tmp_path / "00000" / "clip.json").stat().st_mtime_ns
    (tmp_path / "00001" / "clip.json").unlink()
    (tmp_path / "00001").rename(tmp_path / "gone")
    synth_actor(tmp_path, 2, 0.2, seed=1, size=64, detect_share=0, styles=(0,))
    assert (tmp_path / "00000" / "clip.json").stat().st_mtime_ns == first
    same = [np.load(tmp_path / n / "truth.npy") for n in ("gone", "00001")]
    assert np.array_equal(*same)
