"""Kept engines come back as they were written, or not at all; processes wait for one another."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rotolive.model.errors import InputError
from rotolive.model.runtime.store import META, STALE_S, Entry, Store, digest

KEY = {
    "graph": "3f2a",
    "precision": "bf16",
    "shapes": [[1, 60, 64, 64], [1, 6]],
    "backend": "openvino 2026.4.1",
    "torch": "2.13.0",
    "gpu": {"name": "H100", "capability": "9.0", "driver": "580.1"},
    "options": {"workspace": 4, "sparse": False},
    "format": 1,
}
FILES = {"graph.xml": b"<net/>", "graph.bin": bytes(range(256)) * 8}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "engines")


def keep(store: Store, key: dict = KEY) -> Entry:  # type: ignore[type-arg]
    entry = store.put(key, FILES, {"build_s": 1.5})
    assert entry is not None
    return entry


def test_an_entry_comes_back_as_it_was_written(store: Store, tmp_path: Path) -> None:
    assert store.get(KEY) is None
    large = tmp_path / "large.bin"
    large.write_bytes(b"x" * 5000)
    store.put(KEY, {**FILES, "large.bin": large}, {"build_s": 1.5, "agreement": {"single": 60.0}})
    entry = Store(store.folder).get(dict(reversed(KEY.items())))
    assert entry is not None and entry.size == 5000 + 6 + 2048
    assert entry.path("graph.bin").read_bytes() == FILES["graph.bin"]
    assert entry.path("large.bin").read_bytes() == large.read_bytes()
    assert entry.meta["key"] == KEY and entry.meta["about"]["agreement"]["single"] == 60.0
    assert entry.meta["files"]["large.bin"]["bytes"] == 5000 and entry.meta["built"]
    with pytest.raises(KeyError, match=r"other: there are graph.bin, graph.xml, large.bin"):
        entry.path("other")


def leaves(key: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:  # type: ignore[type-arg]
    for name, value in key.items():
        yield from leaves(value, (*path, name)) if isinstance(value, dict) else [(*path, name)]


@pytest.mark.parametrize("field", list(leaves(KEY)), ids=".".join)
def test_every_field_of_a_key_matters(store: Store, field: tuple[str, ...]) -> None:
    keep(store)
    other = {k: dict(v) if isinstance(v, dict) else v for k, v in KEY.items()}
    inner = other
    for name in field[:-1]:
        inner = inner[name]
    inner[field[-1]] = "another"
    assert store.get(other) is None and store.get(KEY) is not None


def test_a_key_must_be_plain_json(store: Store) -> None:
    for wrong in ({"path": Path()}, {"share": float("nan")}):
        with pytest.raises((TypeError, ValueError)):
            store.get(wrong)


@pytest.mark.parametrize("name", [META, "../other", "", "a/b"])
def test_files_have_plain_names(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a file"):
        store.put(KEY, {name: b""})


def truncate(entry: Entry) -> None:
    os.truncate(entry.path("graph.bin"), 2047)


def alter(entry: Entry) -> None:
    content = bytearray(entry.path("graph.bin").read_bytes())
    content[1000] ^= 1
    entry.path("graph.bin").write_bytes(content)


def remove(entry: Entry) -> None:
    entry.path("graph.xml").unlink()


def rewrite(entry: Entry, before: str, after: str) -> None:
    meta = (entry.folder / META).read_text()
    assert before in meta
    (entry.folder / META).write_text(meta.replace(before, after, 1))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "graph.bin has 2047 bytes, 2048 were written"),
        (alter, "graph.bin was altered"),
        (remove, "graph.xml"),
        (lambda entry: rewrite(entry, '"build_s":1.5', '"build_s":0.5'), "meta.json was altered"),
        (lambda entry: rewrite(entry, "{", "["), "Expecting"),
        (lambda entry: (entry.folder / META).write_bytes(b"\xff\xfe\x00"), "decode"),
        (lambda entry: (entry.folder / META).write_text("3"), "not subscriptable"),
        (lambda entry: (entry.folder / META).unlink(), META),
        (
            lambda entry: rewrite(entry, '"format_version":1', '"format_version":2'),
            "format version 2; this is 1",
        ),
    ],
)
def test_what_is_damaged_is_thrown_out_and_made_anew(
    store: Store,
    caplog: pytest.LogCaptureFixture,
    damage,  # type: ignore[no-untyped-def]
    reason: str,
) -> None:
    damage(keep(store))
    assert store.get(KEY) is None
    assert reason in caplog.text and reason in store.faults[digest(KEY)]
    assert not (store.folder / digest(KEY)).exists()
    keep(store)
    assert store.get(KEY) is not None


def test_a_folder_copied_by_hand_is_noticed(store: Store) -> None:
    other = {**KEY, "torch": "2.14.0"}
    shutil.copytree(keep(store).folder, store.folder / digest(other))
    assert store.get(other) is None and "another key" in store.faults[digest(other)]
    assert store.get(KEY) is not None


def test_what_was_refused_stays_refused_until_a_version_changes(store: Store) -> None:
    keep(store)
    store.quarantine(KEY, "strays from eager: 12 dB")
    later = Store(store.folder)
    assert later.get(KEY) is None and later.refused(KEY) == "strays from eager: 12 dB"
    assert not later.faults, "it is no damage"
    assert later.refused({**KEY, "torch": "2.14.0"}) is None
    keep(later)
    assert later.get(KEY) is not None and later.refused(KEY) is None


def aged(store: Store, *ages: int) -> list[dict[str, int]]:
    """Keep an entry for each age in hours."""
    keys = [{"age": age} for age in ages]
    for key in keys:
        folder = keep(store, key).folder
        used = time.time() - 3600 * key["age"]
        os.utime(folder / META, (used, used))
    return keys


def test_the_least_recently_used_give_way(store: Store) -> None:
    oldest, older, old = aged(store, 3, 2, 1)
    assert store.get(oldest) is not None, "now it is the newest"
    Store(store.folder, limit=3 * 2700).put({"age": 0}, FILES)
    left = [store.get(key) is not None for key in (oldest, older, old, {"age": 0})]
    assert left == [True, False, True, True]


def test_what_was_just_written_stays(store: Store) -> None:
    aged(store, 2, 1)
    small = Store(store.folder, limit=10)
    keep(small)
    assert small.get(KEY) is not None
    assert [path.name for path in store.folder.iterdir()] == [digest(KEY)]


def test_the_limit_is_a_setting(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROTOLIVE_CACHE_MB", "0.5")
    assert Store(store.folder).limit == 2**19
    monkeypatch.setenv("ROTOLIVE_CACHE_MB", "0")
    assert Store(store.folder).put(KEY, FILES) is None and not store.folder.exists()
    for wrong in ("much", "-1", "inf", "nan"):
        monkeypatch.setenv("ROTOLIVE_CACHE_MB", wrong)
        with pytest.raises(InputError, match=f"'{wrong}'; megabytes"):
            Store()


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Files of this process end after `room` bytes, with an error, as on a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 10, 1000, 2048])
def test_on_a_full_disk_nothing_is_kept_and_all_goes_on(store: Store, room: int, caplog) -> None:  # type: ignore[no-untyped-def]
    keep(store, {"before": 1})
    source = store.folder.parent / "source"
    source.write_bytes(bytes(4000))
    with full_disk(room), store.building(KEY):
        assert store.put(KEY, {"graph.bin": source}) is None
    assert "not kept" in caplog.text
    assert store.get(KEY) is None and store.get({"before": 1}) is not None
    assert not list(store.folder.glob("*.tmp")), "what was begun takes no room"


def test_without_a_folder_all_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "engines")
    with store.building(KEY):
        assert store.get(KEY) is None and store.put(KEY, FILES) is None
    store.quarantine(KEY, "it strays")
    assert store.refused(KEY) is None
    assert "cannot be locked" in caplog.text and caplog.text.count("not kept") == 2


def run(folder: Path, code: str) -> subprocess.Popen[str]:
    """Start a process in which `store` and KEY are there."""
    head = f"""
import logging, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from rotolive.model.runtime.store import Store
logging.basicConfig()
store, KEY = Store(Path({str(folder)!r})), {KEY!r}
def say(word): print(word, flush=True)
"""
    command = [sys.executable, "-c", head + code]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )


def hears(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None and process.stdout.readline().strip() == word


def test_two_processes_do_not_build_the_same(store: Store) -> None:
    code = """
say("ready"); sys.stdin.readline()
with store.building(KEY):
    entry = store.get(KEY)
    if entry is None:
        say("builds"); time.sleep(1.0)
        store.put(KEY, {"a": b"engine"})
    else:
        say("found " + entry.path("a").read_text())
"""
    processes = [run(store.folder, code) for _ in range(3)]
    for process in processes:
        hears(process, "ready")
    said = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        said.append(process.communicate(timeout=60)[0].strip())
    assert sorted(said) == ["builds", "found engine", "found engine"]


def test_another_key_does_not_wait(store: Store) -> None:
    process = run(store.folder, "with store.building(KEY): say('holds'); sys.stdin.readline()")
    hears(process, "holds")
    started = time.monotonic()
    with store.building({**KEY, "precision": "f32"}):
        assert time.monotonic() - started < 5
    process.communicate("\n", timeout=60)


def test_a_killed_build_leaves_no_half_and_blocks_nobody(store: Store) -> None:
    code = """
import os
def stuck(*_): say("writes"); time.sleep(60)
Path.replace = stuck  # all files are written then
with store.building(KEY):
    store.put(KEY, {"a": b"engine"})
"""
    process = run(store.folder, code)
    hears(process, "writes")
    process.kill()
    process.communicate(timeout=60)
    (half,) = store.folder.glob("*.tmp")
    started = time.monotonic()
    with store.building(KEY):
        assert time.monotonic() - started < 5
        assert store.get(KEY) is None
        keep(store)
    assert store.get(KEY) is not None and half.exists(), "it might still be written"
    os.utime(half, (time.time() - STALE_S - 1,) * 2)
    keep(store, {"later": 1})
    assert not half.exists()


def test_waiting_has_a_limit(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with store.building(KEY), store.building(KEY, wait_s=0.3):
        keep(store)
    assert "another process builds the same" in caplog.text and "going on without" in caplog.text
    assert store.get(KEY) is not None
    caplog.clear()
    with caplog.at_level(logging.WARNING), store.building(KEY):
        assert not caplog.text, "both locks were given back"


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_ends_the_waiting(store: Store) -> None:
    with store.building(KEY):
        process = run(store.folder, "say('waits')\nwith store.building(KEY): say('got it')")
        hears(process, "waits")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=20)
    assert "got it" not in said and "KeyboardInterrupt" in errors and process.returncode != 0
