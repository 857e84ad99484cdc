import numpy as np
import pytest

from rotolive.model.errors import InputError
from rotolive.stream.guard import PATIENCE, Guard, is_finite
from rotolive.stream.marker import read_marker, write_marker
from rotolive.stream.protocol import (
    MAX_MESSAGE_BYTES,
    Pose,
    SetStyle,
    decode_control,
    encode_notice,
)
from rotolive.stream.stats import Stats, stage_times

MS = 1_000_000


def test_stages_add_up_to_the_whole_way() -> None:
    marks = {
        "began": -4 * MS,
        "decoded": 2 * MS,
        "picked": 3 * MS,
        "conditioned": 8 * MS,
        "stepping": 9 * MS,
        "stepped": 14 * MS,
        "taken": 15 * MS,
        "converted": 16 * MS,
        "encoded": 17 * MS,
        "sent": 18 * MS,
    }
    times = stage_times(0, marks)
    assert times == {
        "receive": 4,
        "decode": 2,
        "wait": 3,
        "condition": 5,
        "step": 5,
        "convert": 1,
        "encode": 1,
        "send": 1,
    }
    assert sum(times.values()) == 18 + 4


def test_rates_and_percentiles_over_the_window() -> None:
    stats = Stats(window_s=2.0)
    for i in range(91):  # three seconds at 30 fps; the last two count
        now = i / 30
        stats.came_in(now)
        slow = 10 if i < 20 else 20
        stats.went_out(int(now * 1e9) - slow * MS, {"sent": int(now * 1e9)})
    report = stats.report(now=3.0)
    assert report["fps"] == pytest.approx(30, abs=0.5)
    assert report["in_fps"] == pytest.approx(30, abs=0.5)
    assert report["p50_ms"] == report["p95_ms"] == 20


def test_rates_fall_when_nothing_comes() -> None:
    stats = Stats(window_s=5.0)
    for i in range(31):
        stats.came_in(i / 30)
    assert stats.report(now=1.0)["in_fps"] == pytest.approx(30, abs=0.5)
    assert float(str(stats.report(now=4.0)["in_fps"])) < 11
    assert stats.report(now=10.0)["in_fps"] == 0


def test_guard_resets_once_after_several_flat_pictures() -> None:
    flat = np.zeros((64, 64, 3), np.uint8)
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    guard = Guard()
    assert not any(guard.look(picture) for _ in range(100))
    looks = [guard.look(flat) for _ in range(30)]
    assert looks.index(True) == PATIENCE - 1
    assert sum(looks) == 1


def test_non_finite_conditions_are_told_from_good_ones() -> None:
    condition = np.zeros((3, 8, 8), np.float32)
    assert is_finite(condition)
    condition[1, 2, 3] = np.nan
    assert not is_finite(condition)
    assert is_finite(np.zeros((8, 8, 3), np.uint8))


@pytest.mark.parametrize("shape", [(256, 256), (256, 256, 3)])
@pytest.mark.parametrize("number", [0, 1, 123456, (1 << 24) - 1])
def test_marker_survives_noise(shape: tuple[int, ...], number: int) -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 255, shape, np.uint8)
    write_marker(picture, number)
    noisy = np.clip(picture + rng.normal(0, 25, shape), 0, 255).astype(np.uint8)
    assert read_marker(noisy) == number


def test_control_messages_parse() -> None:
    assert decode_control('{"type":"style","index":2}') == SetStyle(2)
    assert encode_notice(Pose(None)) == '{"type":"pose","landmarks":null}'


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"type":"nuke"}', '{"type":"style"}', '{"type":"style","index":"x"}', b"\xff"],
)
def test_bad_control_messages_are_refused(text: str | bytes) -> None:
    with pytest.raises(InputError, match="known types"):
        decode_control(text)


def test_long_control_messages_are_refused() -> None:
    with pytest.raises(InputError, match="at most"):
        decode_control(" " * (MAX_MESSAGE_BYTES + 1))
