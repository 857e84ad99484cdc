"""How many sessions are held, on models whose speed is known."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from browser import write_movie

from rotolive.model.condition import Observation
from rotolive.model.live import IdentityModel, PaletteModel, Picture, Request
from rotolive.stream.conditions import passing
from rotolive.stream.scale_bench import bench_scale, feed, measure, search, time_steps

SEEN = [Observation(condition=np.full((64, 64, 3), i, np.uint8)) for i in range(9)]
ROW = {"sessions", "batch", "holds", "fps_min", "fps_mean", "share", "p50_ms", "p95_ms"}


class Slow(IdentityModel):
    """Takes its time for each step, and more for each picture."""

    def __init__(self, slots: int, batch: int, step_ms: float, picture_ms: float) -> None:
        super().__init__(slots, 64, 64)
        self._batch, self.step_ms, self.picture_ms = batch, step_ms, picture_ms

    @property
    def batch(self) -> int:
        return self._batch

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        time.sleep((self.step_ms + self.picture_ms * len(requests)) / 1e3)
        return super().step(requests)


def test_the_search_finds_the_most_that_hold() -> None:
    for most in (1, 2, 7, 40):
        for true in range(most + 1):
            for guess in (0, 1, most // 2, most, most + 5):
                asked: list[int] = []

                def holds(number: int, asked: list[int] = asked, true: int = true) -> bool:
                    asked.append(number)
                    return number <= true

                assert search(holds, most, guess) == true
                assert len(set(asked)) == len(asked) and set(asked) <= set(range(1, most + 1))


def test_a_search_out_of_time_returns_what_it_knows() -> None:
    assert search(lambda n: n <= 30, 40, 10, more=lambda: False) == 10
    assert search(lambda n: n <= 30, 40, 35, more=lambda: False) == 0


def test_a_serial_model_holds_what_its_step_allows() -> None:
    figures = measure(Slow(3, 1, 0, 20), SEEN, time.monotonic() + 6)
    assert figures["sessions"] == 1 and figures["batch"] == 1  # 2 would take 40 ms of 33
    held, failed = figures["rows"]
    assert set(held) == set(failed) == ROW
    assert (held["sessions"], held["holds"]) == (1, True)
    assert (failed["sessions"], failed["holds"]) == (2, False)
    assert held["share"] >= 0.98 and figures["share"] == held["share"]
    assert failed["share"] < 0.9
    assert failed["fps_min"] > 0.8 * failed["fps_mean"]


def test_batches_hold_more_than_one_by_one() -> None:
    figures = measure(Slow(4, 4, 12, 0), SEEN, time.monotonic() + 4)
    assert figures["sessions"] == figures["sessions_most_tried"] == figures["slots"] == 4
    assert 3.5 < figures["batch_gain"] < 4.5
    *_, held, single = figures["rows"]
    assert (held["batch"], single["batch"]) == (4, 1)
    assert (held["sessions"], single["sessions"]) == (4, 4)
    assert held["holds"] and not single["holds"]
    assert figures["one_by_one_share"] == single["share"] < 0.85


def test_a_model_that_is_too_slow_holds_nobody() -> None:
    figures = measure(Slow(2, 1, 50, 0), SEEN, time.monotonic() + 3)
    assert figures["sessions"] == 0 and "share" not in figures
    assert [row["holds"] for row in figures["rows"]] == [False]


def test_steps_are_timed_alone_and_in_batches() -> None:
    alone, batch = time_steps(Slow(8, 6, 4, 1), SEEN, 0.2)
    assert alone >= 5 and batch >= 10
    assert 1.4 < batch / alone < 2.6


def test_what_the_model_raises_ends_the_bench() -> None:
    class Broken(IdentityModel):
        def step(self, requests: Sequence[Request]) -> list[Picture]:
            raise RuntimeError("no such kernel")

    with pytest.raises(RuntimeError, match="no such kernel"):
        feed(Broken(2, 64, 64), SEEN, 2, 0.2)


def test_blocks_pass_by_as_their_motion_says() -> None:
    frames = [dict(planes) for planes in passing(PaletteModel())]
    height, width = frames[0]["label"].shape
    assert (width, height) == (512, 256)
    y, x = np.mgrid[:height, :width]
    for before, now in zip([frames[-1], *frames], frames, strict=False):
        assert now["motion"].any()
        then_x = (x + now["motion"][0]).astype(int) % width
        then_y = (y + now["motion"][1]).astype(int)
        for name in ("label", "instance", "depth"):
            assert np.array_equal(now[name], before[name][then_y, then_x])
            assert (now[name] != before[name]).any()


@pytest.mark.parametrize("name", ["identity", "palette"])
def test_bench_scale_of_models_without_a_generator(name: str, tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "movie.webm")
    figures = bench_scale(name, movie, seconds=3, slots=3)
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["model"], figures["runtime"]) == (name, "none")
    assert figures["sessions"] == 3 and figures["fps_min"] > 29
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] < 67
    assert all(set(row) == ROW for row in figures["rows"])
    assert figures["seconds"] < 5
