"""Where two threads meet: one slot, the newest item wins, what it replaces is counted."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """The mailbox was closed; nothing will come."""


class Mailbox(Generic[T]):
    """A one-slot mailbox for threads and coroutines alike.

    on_put: called without the lock after every put and on close, from the caller's thread.
    """

    def __init__(self, on_put: Callable[[], None] | None = None) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._closed = False
        self._on_put = on_put
        self.dropped = 0

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, item: T) -> bool:
        """Leave an item; return False when the mailbox is closed."""
        with self._condition:
            if self._closed:
                return False
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._wake()
        if self._on_put:
            self._on_put()
        return True

    def take(self) -> T | None:
        """Return the item if there is one."""
        with self._condition:
            item, self._item = self._item, None
            return item

    def get(self, timeout: float | None = None) -> T | None:
        """Block for an item; None after `timeout` seconds. Raises Closed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._condition:
            while self._item is None:
                if self._closed:
                    raise Closed
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._condition.wait(left)
            item, self._item = self._item, None
            return item

    async def receive(self) -> T:
        """Wait for an item without blocking the event loop. Raises Closed."""
        loop = asyncio.get_running_loop()
        while True:
            with self._condition:
                if self._item is not None:
                    item, self._item = self._item, None
                    return item
                if self._closed:
                    raise Closed
                waiter: asyncio.Future[None] = loop.create_future()
                self._waiters.append((loop, waiter))
            await waiter

    def close(self) -> None:
        """Throw away the item and wake everyone who waits."""
        with self._condition:
            self._closed, self._item = True, None
            self._wake()
        if self._on_put:
            self._on_put()

    def _wake(self) -> None:
        self._condition.notify_all()
        waiters, self._waiters = self._waiters, []
        for loop, waiter in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, waiter)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
