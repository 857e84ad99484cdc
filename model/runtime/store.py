"""Where built engines are kept between starts: whole or not at all, checked when taken out.

FOLDER/DIGEST/meta.json   the key, SHA-256 and size of every file, when it was built, what its
                          builder tells of it, and why it is refused, if it is
FOLDER/DIGEST/...         the files
FOLDER/DIGEST.lock        held by the process that builds it
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from ..cache import cache_folder
from ..errors import InputError
from .lock import locked

log = logging.getLogger(__name__)

FORMAT_VERSION = 1
META = "meta.json"
LIMIT_MB = 2048.0
STALE_S = 3600.0
"""A temporary folder of this age was left behind by a process that was killed."""

Key = Mapping[str, Any]
"""Everything that decides what an engine computes and where it runs, as plain JSON types."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A kept engine: the folder of its files, and what is known of it."""

    folder: Path
    meta: Mapping[str, Any]

    def path(self, name: str) -> Path:
        """Return where one of its files is. Raises KeyError naming those there are."""
        if name not in self.meta["files"]:
            raise KeyError(f"{name}: there are {', '.join(sorted(self.meta['files']))}")
        return self.folder / name

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(about["bytes"] for about in self.meta["files"].values())


class Store:
    """Entries under keys, the least recently used of which give way at `limit` bytes.

    What cannot be written or read is a warning; nothing here stops a start.
    """

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        """folder: by default in the user's cache. limit: by default $ROTOLIVE_CACHE_MB, or 2 GiB;
        0 keeps nothing. Raises InputError.
        """
        self.folder = folder or cache_folder() / "engines"
        self.limit = _limit() if limit is None else limit
        self.faults: dict[str, str] = {}
        """Why entries were thrown out, by digest."""

    def get(self, key: Key) -> Entry | None:
        """Return what is kept under a key, each file as it was written; else None.

        What is damaged, or of another format, is thrown out with a warning.
        """
        folder = self._place(key)
        if not os.path.isdir(folder):  # of a folder that may not be read as well
            return None
        try:
            meta = _read(folder, key)
            _check_files(folder, meta)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._throw_out(folder, str(error) or type(error).__name__)
            return None
        if meta["refused"] is not None:
            return None
        _mark_used(folder)
        return Entry(folder=folder, meta=meta)

    def put(
        self, key: Key, files: Mapping[str, bytes | Path], about: Mapping[str, Any] | None = None
    ) -> Entry | None:
        """Keep files (their bytes, or where they are) in place of what was kept under the key.

        about: such as seconds that building took, and what was verified. Returns None when
        nothing can be kept, which is a warning.
        """
        return self._put(key, files, about or {}, None) if self.limit else None

    def quarantine(self, key: Key, reason: str) -> None:
        """Throw an engine out and remember why: as long as the key is the same, it is refused."""
        log.warning("an engine is not used any more: %s", reason)
        self._put(key, {}, {}, reason)

    def refused(self, key: Key) -> str | None:
        """Return why an engine of this key shall not be built again, None if it may."""
        try:
            return _read(self._place(key), key)["refused"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    @contextmanager
    def building(self, key: Key, wait_s: float = 900.0) -> Iterator[None]:
        """Let no other process build the same; look again inside, another may just have.

        Waits `wait_s` at most (Ctrl-C ends it sooner), then goes on alongside, as it does where
        nothing can be locked.
        """
        path = self._place(key).with_suffix(".lock")
        with locked(path, wait_s):
            yield

    def _place(self, key: Key) -> Path:
        return self.folder / digest(key)

    def _put(
        self,
        key: Key,
        files: Mapping[str, bytes | Path],
        about: Mapping[str, Any],
        refused: str | None,
    ) -> Entry | None:
        if wrong := [name for name in files if name in ("", META) or Path(name).name != name]:
            raise ValueError(f"{wrong[0]!r} is no name for a file of an engine")
        place = self._place(key)
        part = self._temporary(place)
        try:
            part.mkdir(parents=True, mode=0o700)
            meta = {
                "format_version": FORMAT_VERSION,
                "key": json.loads(canonical(key)),
                "files": {name: _write(part / name, file) for name, file in files.items()},
                "built": datetime.now(UTC).isoformat(timespec="seconds"),
                "about": dict(about),
                "refused": refused,
            }
            (part / META).write_text(canonical(meta | {"sha256": _sha256(canonical(meta))}))
            self._remove(place)
            part.replace(place)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            log.warning("what was built is not kept for the next start: %s", error)
            return None
        self._make_room(place)
        return Entry(folder=place, meta=meta)

    def _throw_out(self, folder: Path, reason: str) -> None:
        self.faults[folder.name] = reason
        log.warning("a kept engine is made anew: %s", reason)
        try:
            self._remove(folder)
        except OSError as error:
            log.warning("%s cannot be removed: %s", folder, error)

    def _remove(self, folder: Path) -> None:
        """Take an entry away; nobody sees half of one."""
        if folder.is_dir():
            moved = folder.replace(self._temporary(folder))
            shutil.rmtree(moved, ignore_errors=True)

    def _temporary(self, folder: Path) -> Path:
        return folder.with_name(f"{folder.name}.{uuid4().hex[:8]}.tmp")

    def _make_room(self, newest: Path) -> None:
        """Drop the least recently used until what is kept fits; never the newest."""
        try:
            _sweep(self.folder)
            kept = [path for path in self.folder.iterdir() if path.is_dir() and not path.suffix]
            total = sum(map(_size, kept))
            for path in sorted(kept, key=_last_use):
                if total > self.limit and path != newest:
                    total -= _size(path)
                    self._remove(path)
                    path.with_suffix(".lock").unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s cannot be tidied: %s", self.folder, error)


def digest(key: Key) -> str:
    """Name of an entry: SHA-256 of the key's canonical JSON. TypeError for what JSON lacks."""
    return _sha256(canonical(key))


def canonical(values: Mapping[str, Any]) -> str:
    """JSON that is the same for the same values."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _limit() -> int:
    text = os.environ.get("ROTOLIVE_CACHE_MB", str(LIMIT_MB))
    try:
        megabytes = float(text)
    except ValueError:
        megabytes = -1.0
    if not 0 <= megabytes < float("inf"):
        raise InputError(f"ROTOLIVE_CACHE_MB is {text!r}; megabytes are expected, 0 keeps nothing")
    return int(megabytes * 2**20)


def _read(folder: Path, key: Key) -> dict[str, Any]:
    """Read meta.json. Raises OSError, or ValueError that says what is wrong with it."""
    meta = json.loads((folder / META).read_text())
    if (version := meta["format_version"]) != FORMAT_VERSION:
        raise ValueError(f"{folder} has format version {version}; this is {FORMAT_VERSION}")
    if meta.pop("sha256", None) != _sha256(canonical(meta)):
        raise ValueError(f"{folder / META} was altered")
    if canonical(meta["key"]) != canonical(key):
        raise ValueError(f"{folder} was kept under another key")
    return meta


def _check_files(folder: Path, meta: Mapping[str, Any]) -> None:
    """Raise ValueError or OSError where a file is not what was written."""
    for name, about in meta["files"].items():
        path = folder / name
        if (size := path.stat().st_size) != about["bytes"]:
            raise ValueError(f"{path} has {size} bytes, {about['bytes']} were written")
        if _sha256(path) != about["sha256"]:
            raise ValueError(f"{path} was altered")


def _write(path: Path, file: bytes | Path) -> dict[str, Any]:
    if isinstance(file, Path):
        shutil.copyfile(file, path)
    else:
        path.write_bytes(file)
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(what: str | Path) -> str:
    if isinstance(what, str):
        return hashlib.sha256(what.encode()).hexdigest()
    with what.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mark_used(folder: Path) -> None:
    with suppress(OSError):  # somebody else's folder keeps its order
        os.utime(folder / META)


def _last_use(folder: Path) -> float:
    try:
        return (folder / META).stat().st_mtime
    except OSError:
        return 0.0


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _sweep(folder: Path) -> None:
    """Remove what processes left behind that were killed while they wrote."""
    for path in folder.glob("*.tmp"):
        if time.time() - path.stat().st_mtime > STALE_S:
            shutil.rmtree(path, ignore_errors=True)
