"""A lock between processes: a file that one of them holds, and that the system frees at its end."""

import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)

POLL_S = 0.1
TAKEN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES)
"""What the systems answer when another process holds the lock."""

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path, wait_s: float) -> Iterator[bool]:
    """Hold the lock inside; yields whether it is held.

    It is not where another process holds it longer than `wait_s`, and where files cannot be locked:
    a warning says so.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        log.warning("%s cannot be locked: %s", path, error)
        yield False
        return
    try:
        yield _wait(file, path, wait_s)
    finally:
        os.close(file)


def _wait(file: int, path: Path, wait_s: float) -> bool:
    """Poll, so that Ctrl-C is heard on every system."""
    ends = time.monotonic() + wait_s
    told = False
    while True:
        try:
            _lock(file)
            return True
        except OSError as error:
            if error.errno not in TAKEN:
                log.warning("%s cannot be locked: %s", path, error)
                return False
        if time.monotonic() > ends:
            log.warning("%s was held for %.0f s; going on without it", path, wait_s)
            return False
        if not told:
            log.warning("another process builds the same; waiting for it")
            told = True
        time.sleep(POLL_S)
