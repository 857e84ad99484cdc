"""Whose turn it is: the rotation alone, and the renderer's thread."""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from rotolive.model.condition import Observation
from rotolive.model.live import IdentityModel, Picture, Request
from rotolive.stream.protocol import Frame
from rotolive.stream.renderer import Job, Renderer
from rotolive.stream.schedule import Rotation

POISON = 66


def in_rotation(count: int) -> Rotation[int]:
    rotation: Rotation[int] = Rotation()
    for who in range(count):
        rotation.add(who)
    return rotation


def turns(rotation: Rotation[int], most: int, ready: Collection[int]) -> list[int]:
    """Who gets a turn, when some have a job."""
    return [who for who, _ in rotation.take(most, lambda who: str(who) if who in ready else None)]


def test_whose_last_turn_is_longest_ago_is_first() -> None:
    rotation = in_rotation(4)
    assert rotation.take(1, lambda who: f"job of {who}") == [(0, "job of 0")]
    assert turns(rotation, 1, {0, 3}) == [3]
    assert turns(rotation, 2, {0, 1, 2, 3}) == [1, 2]
    assert turns(rotation, 9, {0, 1, 2, 3}) == [0, 3, 1, 2]
    assert turns(rotation, 9, ()) == []


def test_who_comes_again_comes_last() -> None:
    rotation = in_rotation(3)
    rotation.remove(0)
    assert 0 not in rotation and 1 in rotation
    rotation.add(0)
    assert turns(rotation, 2, {0, 1, 2}) == [1, 2]
    with pytest.raises(KeyError):
        rotation.remove(5)


@pytest.mark.parametrize("batch", [1, 2, 3, 5])
def test_who_always_has_a_job_gets_the_same_share(batch: int) -> None:
    rotation, served = in_rotation(7), [0] * 7
    for step in range(100):
        for who in turns(rotation, batch, range(7)):
            served[who] += 1
        assert max(served) - min(served) <= 1, step
    assert sum(served) == 100 * batch


def test_who_seldom_has_a_job_loses_none_and_the_others_share_the_rest() -> None:
    """Of 8, two have a job in one of 20 steps; four have always one, two in one of 3 steps."""
    rotation, served = in_rotation(8), [0] * 8
    every = (20, 20, 1, 1, 1, 1, 3, 3)
    waiting: dict[int, int] = {}
    longest = 0
    for step in range(600):
        for who in range(8):
            if step % every[who] == 0:
                waiting.setdefault(who, step)
        for who in turns(rotation, 1, waiting):
            longest = max(longest, step - waiting.pop(who))
            served[who] += 1
    assert served[:2] == [30, 30]
    assert max(served[2:]) - min(served[2:]) <= 1
    assert longest < 8


def until(condition: Callable[[], bool], timeout: float = 3) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Gated(IdentityModel):
    """Begins a step when it is let; notes what it was asked to paint, (slot, seq) by steps."""

    def __init__(self, slots: int, batch: int) -> None:
        super().__init__(slots, 64, 64)
        self._batch = batch
        self.steps: list[list[tuple[int, int]]] = []
        self.resets: list[int] = []
        self.gate = threading.Semaphore(0)

    @property
    def batch(self) -> int:
        return self._batch

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        self.steps.append([(request.slot, request.seq) for request in requests])
        assert self.gate.acquire(timeout=10)
        if any(request.seen.condition[0, 0, 0] == POISON for request in requests):
            raise RuntimeError("poison")
        return super().step(requests)

    def reset(self, slot: int) -> None:
        self.resets.append(slot)


@dataclass
class Rented:
    """A seat of a renderer, without a session's worker: what is put is due at once."""

    renderer: Renderer

    def __post_init__(self) -> None:
        self.painted: list[int] = []
        self.errors: list[Exception] = []
        self.seat = self.renderer.acquire(self._deliver, self.errors.append)

    def _deliver(self, job: Job, picture: Picture) -> None:
        self.painted.append(job.frame.seq)

    def put(self, seq: int, value: int = 10, captured_ns: int | None = None) -> None:
        frame = Frame(
            seq=seq,
            pts=seq,
            time_base=Fraction(1, 30),
            captured_ns=time.monotonic_ns() if captured_ns is None else captured_ns,
            planes={},
        )
        seen = Observation(condition=picture(value))
        self.seat.inbox.put(Job(frame=frame, seen=seen, style=np.ones(1, np.float32)))


def picture(value: int) -> NDArray[np.uint8]:
    """Of two colours, as one colour alone looks broken."""
    rgb = np.full((64, 64, 3), value, np.uint8)
    rgb[32:] ^= 255
    return rgb


def rented(slots: int, batch: int) -> tuple[Gated, Renderer, list[Rented]]:
    """Seats 0, 1, ... of a gated model that is busy with frame 0 of seat 0."""
    model = Gated(slots, batch)
    renderer = Renderer(model)
    seats = [Rented(renderer) for _ in range(slots)]
    seats[0].put(0)
    until(lambda: model.steps == [[(0, 0)]])
    return model, renderer, seats


def open_gate(model: Gated, steps: int) -> None:
    """Let it begin so many steps in all, and be done with them."""
    model.gate.release(1000)
    until(lambda: len(model.steps) == steps)


def test_each_picture_is_handed_out_before_the_next_is_painted() -> None:
    model, renderer, seats = rented(slots=3, batch=1)
    for seat in seats[1:]:
        seat.put(0)
    for n in range(3):
        until(lambda n=n: len(model.steps) == n + 1)
        assert [seat.painted for seat in seats] == [[0]] * n + [[]] * (3 - n)
        model.gate.release()
    until(lambda: seats[2].painted == [0])
    renderer.close()
    assert model.steps == [[(0, 0)], [(1, 0)], [(2, 0)]]


def test_who_waits_takes_turns_and_the_newest_wins() -> None:
    model, renderer, seats = rented(slots=4, batch=1)
    for n, seq in ((0, 1), (0, 2), (3, 1), (1, 1), (0, 3), (3, 2), (2, 1), (0, 4)):
        seats[n].put(seq)
    assert [seat.seat.inbox.dropped for seat in seats] == [3, 0, 0, 1]
    model.gate.release()
    until(lambda: len(model.steps) == 2)
    seats[3].put(3)  # while it waits; and 1, which is being painted, goes to the end
    seats[1].put(2)
    open_gate(model, 6)
    renderer.close()
    assert model.steps[1:] == [[(1, 1)], [(2, 1)], [(3, 3)], [(0, 4)], [(1, 2)]]


def test_frames_that_claim_to_be_old_jump_no_line() -> None:
    model, renderer, seats = rented(slots=3, batch=1)
    seats[2].put(1, captured_ns=0)
    seats[1].put(1)
    open_gate(model, 3)
    renderer.close()
    assert model.steps[1:] == [[(1, 1)], [(2, 1)]]


def test_a_step_takes_no_more_than_a_batch_and_goes_on_at_once() -> None:
    model, renderer, seats = rented(slots=8, batch=3)
    for seat in seats:
        seat.put(1)
    open_gate(model, 4)
    until(lambda: all(seat.painted for seat in seats))
    renderer.close()
    assert model.steps[1:] == [
        [(1, 1), (2, 1), (3, 1)],
        [(4, 1), (5, 1), (6, 1)],
        [(7, 1), (0, 1)],
    ]


def test_one_that_fails_in_a_batch_is_found_and_who_waits_is_next() -> None:
    model, renderer, seats = rented(slots=5, batch=3)
    for n in (1, 2, 3, 4):
        seats[n].put(1, POISON if n == 2 else 10)
    open_gate(model, 6)
    until(lambda: seats[4].painted == [1])
    assert [seat.painted for seat in seats] == [[0], [1], [], [1], [1]]
    assert [len(seat.errors) for seat in seats] == [0, 0, 1, 0, 0]
    assert model.steps[1:] == [
        [(1, 1), (2, 1), (3, 1)],
        *([(n, 1)] for n in (1, 2, 3)),
        [(4, 1)],
    ]
    assert model.resets.count(2) == 2  # when it was rented, and now
    renderer.close()


def test_who_leaves_is_not_painted_and_the_next_tenant_starts_afresh() -> None:
    model, renderer, seats = rented(slots=3, batch=1)
    seats[1].put(1)
    seats[2].put(1)
    renderer.release(seats[1].seat)
    tenant = Rented(renderer)
    tenant.put(5)
    model.resets.clear()
    open_gate(model, 3)
    until(lambda: tenant.painted == [5])
    assert model.steps[1:] == [[(2, 1)], [(1, 5)]] and model.resets == [1]
    assert not seats[1].painted
    renderer.close()


def test_one_that_leaves_while_it_is_painted_gets_nothing() -> None:
    model, renderer, seats = rented(slots=2, batch=1)
    seats[1].put(1)
    renderer.release(seats[0].seat)
    open_gate(model, 2)
    until(lambda: seats[1].painted == [1])
    assert not seats[0].painted
    renderer.close()


class Weary(IdentityModel):
    """Takes 5 ms for each picture, one after another."""

    @property
    def batch(self) -> int:
        return 1

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        time.sleep(0.005 * len(requests))
        return super().step(requests)


def test_under_overload_all_get_the_same_share_of_new_frames() -> None:
    renderer = Renderer(Weary(slots=6))
    seats = [Rented(renderer) for _ in range(6)]
    newest_age = []
    for tick in range(1500):  # of 1 ms and more; all send more than they get back
        for n, seat in enumerate(seats):
            if tick % (1 + n) == 0:
                before = len(seat.painted)
                seat.put(tick, captured_ns=0 if n == 5 else None)
                if before:
                    newest_age.append(tick - seat.painted[before - 1])
        time.sleep(0.001)
    counts = [len(seat.painted) for seat in seats]
    renderer.close()
    assert min(counts) > 20
    assert max(counts) <= 1.3 * min(counts), counts
    assert all(seat.painted == sorted(set(seat.painted)) for seat in seats)
    assert np.percentile(newest_age, 90) < 150, "a queue would be more than 1000 behind"
