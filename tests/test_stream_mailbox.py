import asyncio
import threading
import time

import pytest

from rotolive.stream.mailbox import Closed, Mailbox


def test_newest_wins_and_the_rest_is_counted() -> None:
    box: Mailbox[int] = Mailbox()
    for i in range(5):
        box.put(i)
    assert box.take() == 4
    assert box.take() is None
    assert box.dropped == 4


def test_a_thread_waits_and_gives_up() -> None:
    box: Mailbox[int] = Mailbox()
    assert box.get(timeout=0.01) is None
    threading.Timer(0.02, box.put, (7,)).start()
    assert box.get(timeout=2) == 7


def test_close_wakes_a_waiting_thread_and_refuses_more() -> None:
    box: Mailbox[int] = Mailbox()
    threading.Timer(0.02, box.close).start()
    with pytest.raises(Closed):
        box.get(timeout=2)
    assert not box.put(1)
    assert box.take() is None


async def test_a_coroutine_waits_for_a_thread() -> None:
    box: Mailbox[int] = Mailbox()
    threading.Timer(0.02, box.put, (3,)).start()
    assert await asyncio.wait_for(box.receive(), 2) == 3


async def test_close_wakes_a_coroutine() -> None:
    box: Mailbox[int] = Mailbox()
    waiting = asyncio.ensure_future(box.receive())
    await asyncio.sleep(0.01)
    box.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(waiting, 2)


async def test_a_cancelled_wait_loses_nothing() -> None:
    box: Mailbox[int] = Mailbox()
    waiting = asyncio.ensure_future(box.receive())
    await asyncio.sleep(0.01)
    waiting.cancel()
    box.put(1)
    assert await asyncio.wait_for(box.receive(), 2) == 1


def test_many_producers_and_one_consumer_see_order() -> None:
    box: Mailbox[int] = Mailbox()
    seen: list[int] = []

    def consume() -> None:
        try:
            while True:
                item = box.get()
                assert item is not None
                seen.append(item)
        except Closed:
            pass

    consumer = threading.Thread(target=consume)
    consumer.start()
    for i in range(2000):
        box.put(i)
    deadline = time.monotonic() + 2
    while (not seen or seen[-1] != 1999) and time.monotonic() < deadline:
        time.sleep(0.001)
    box.close()
    consumer.join(2)
    assert seen == sorted(seen)
    assert seen[-1] == 1999
    assert len(seen) + box.dropped == 2000
