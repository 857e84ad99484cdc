import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from rotolive.model.live import IdentityModel, Picture, Request, UnknownStyle
from rotolive.stream.protocol import Frame
from rotolive.stream.renderer import Renderer, TooManySessions
from rotolive.stream.session import Session


class Counting(IdentityModel):
    """Paints what came, plus the slot's step count in red and its style in green."""

    def __init__(self, slots: int = 2) -> None:
        super().__init__(slots, 64, 64)
        self.styles = ("a", "b", "c")
        self.counts = [0] * slots
        self.threads: set[str] = set()

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        self.threads.add(threading.current_thread().name)
        if any((request.seen.condition[0, 0, 2] == 66) for request in requests):
            raise RuntimeError("poison")
        pictures = []
        for request in requests:
            self.counts[request.slot] += 1
            rgb = request.seen.condition.astype(np.uint8)
            rgb[32:, :, 0] = self.counts[request.slot]
            rgb[32:, :, 1] = 50 * int(request.style.argmax())
            pictures.append(Picture(rgb=rgb))
        return pictures

    def reset(self, slot: int) -> None:
        self.counts[slot] = 0


def frame(seq: int, value: int) -> Frame:
    rgb = np.full((64, 64, 3), value, np.uint8)
    rgb[:, ::2, 0] ^= 255
    return Frame(
        seq=seq,
        pts=seq * 3000,
        time_base=Fraction(1, 90000),
        captured_ns=time.monotonic_ns(),
        planes={"rgb": rgb},
    )


def through(session: Session, seq: int, value: int) -> Frame:
    session.put(frame(seq, value))
    out = session.outbox.get(timeout=3)
    assert out is not None
    return out


def until(condition: Callable[[], bool], timeout: float = 3) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def corner(out: Frame) -> NDArray[np.uint8]:
    return out.planes["rgb"][-1, 1]


def test_two_sessions_are_islands() -> None:
    model = Counting()
    renderer = Renderer(model)
    one = Session(renderer, style=1, mirror=False)
    two = Session(renderer, style=2, mirror=False)
    for i in range(10):
        for session, value, style in ((one, 10, 1), (two, 200, 2)):
            out = through(session, i, value)
            assert (out.seq, out.pts) == (i, i * 3000)
            assert out.planes["rgb"][0, 1, 2] == value
            assert list(corner(out)[:2]) == [i + 1, 50 * style]
    one.set_style(0)
    assert corner(through(one, 10, 10))[1] == 0
    assert corner(through(two, 10, 200))[1] == 100
    one.reset()
    assert corner(through(one, 11, 10))[0] == 1
    assert corner(through(two, 11, 200))[0] == 12
    assert model.threads == {"renderer"}
    renderer.close()
    assert one.closed and two.closed


def test_a_failing_session_hurts_nobody_else() -> None:
    renderer = Renderer(Counting())
    good, bad = Session(renderer, mirror=False), Session(renderer, mirror=False)
    errors: list[str] = []
    bad.on_error = errors.append
    for i in range(5):
        bad.put(frame(i, 66))
        assert through(good, i, 10).planes["rgb"][0, 1, 2] == 10
    until(lambda: bool(errors))
    assert "poison" in errors[0]
    assert through(bad, 9, 20).planes["rgb"][0, 1, 2] == 20
    renderer.close()


def test_slots_run_out_and_come_back_fresh() -> None:
    renderer = Renderer(Counting())
    one, two = Session(renderer, mirror=False), Session(renderer, mirror=False)
    through(one, 0, 10)
    with pytest.raises(TooManySessions, match="2 at a time"):
        Session(renderer)
    one.close()
    one.close()
    three = Session(renderer, mirror=False)
    assert corner(through(three, 0, 10))[0] == 1
    with pytest.raises(TooManySessions):
        Session(renderer)
    two.close()
    renderer.close()


def test_who_left_resets_nobody() -> None:
    renderer = Renderer(Counting(slots=1))
    gone = Session(renderer, mirror=False)
    gone.close()
    session = Session(renderer, mirror=False)
    through(session, 0, 10)
    gone.reset()
    assert corner(through(session, 1, 10))[0] == 2
    renderer.close()


def test_only_a_session_that_painted_forgets_when_it_is_watched_again() -> None:
    model = Counting()
    renderer = Renderer(model)
    session = Session(renderer, mirror=False)
    forgotten: list[bool] = []
    session.reset = lambda: forgotten.append(True)  # type: ignore[method-assign]
    session.watch(False)
    session.put(frame(0, 10))
    session.watch(True)
    assert not forgotten
    through(session, 1, 10)
    session.watch(False)
    session.watch(True)
    assert forgotten == [True]
    renderer.close()


def test_an_unknown_style_names_the_range_and_takes_no_slot() -> None:
    renderer = Renderer(Counting(slots=1))
    with pytest.raises(UnknownStyle, match=r"no style 3: .* 0 a, 1 b, 2 c"):
        Session(renderer, style=3)
    session = Session(renderer)
    with pytest.raises(UnknownStyle):
        session.set_style(-1)
    renderer.close()


class Slow(IdentityModel):
    """Takes 30 ms a step."""

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        time.sleep(0.03)
        return super().step(requests)


def test_latency_does_not_grow_when_the_model_is_too_slow() -> None:
    renderer = Renderer(Slow(1, 64, 64))
    session = Session(renderer, mirror=False)
    ages = []
    for i in range(120):  # 100 fps into a model of 33 fps
        session.put(frame(i, 10))
        out = session.outbox.take()
        if out:
            ages.append(i - out.seq)
        time.sleep(0.01)
    assert max(ages) <= 30  # a queue would be 80 behind by the end
    assert session.dropped > 50
    session.close()
    renderer.close()


def test_worker_threads_end_with_their_sessions() -> None:
    renderer = Renderer(Counting())
    for i in range(5):
        session = Session(renderer, mirror=False)
        through(session, i, 10)
        session.close()
    until(lambda: not any(t.name == "condition" for t in threading.enumerate()))
    renderer.close()


def test_a_conditioner_that_cannot_be_made_ends_its_session() -> None:
    class Broken(Counting):
        def conditioner(self, *, mirror: bool):
            raise RuntimeError("no detector")

    renderer = Renderer(Broken(slots=1))
    session = Session(renderer)
    until(lambda: session.closed)
    renderer.acquire(lambda *_: None, lambda _: None)
    renderer.close()


def test_a_bad_frame_is_skipped() -> None:
    renderer = Renderer(Counting())
    session = Session(renderer, mirror=False)
    bad = frame(0, 1)
    bad.planes["rgb"] = np.zeros((0, 0, 3), np.uint8)
    session.put(bad)
    until(lambda: session.inbox.take() is None)
    time.sleep(0.02)
    assert through(session, 1, 10).seq == 1
    renderer.close()


def test_a_cut_is_not_lost_with_its_frame() -> None:
    renderer = Renderer(Counting())
    session = Session(renderer, mirror=False)
    painted = []
    for seq, cut in ((1, -1), (2, -1), (5, 4), (6, 4), (7, 7)):  # 4, the cut itself, was skipped
        session.put(replace(frame(seq, 10), cut=cut))
        out = session.outbox.get(timeout=3)
        assert out is not None
        painted.append(int(corner(out)[0]))
    renderer.close()
    assert painted == [1, 2, 1, 2, 1]
