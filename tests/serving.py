"""An app on a real socket in a thread, and waiting for what it does."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from rotolive.web.serve import bind


@contextmanager
def serving(app: FastAPI, host: str = "127.0.0.1", **settings: Any) -> Iterator[int]:
    """Serve an app on a free port of this machine, which is given."""
    listener = bind(host, 0)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1, **settings)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(5)
    assert not thread.is_alive()


async def until(condition: Callable[[], bool], timeout: float = 8) -> None:
    """Wait for a condition; fails when it does not come about in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
