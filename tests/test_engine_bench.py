"""The bench of the door for engines, run for real: its figures belong together."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("panda3d")

RUN = ("fps", "p50_ms", "p95_ms", "server_p50_ms", "client_ms")
OVERLOAD = ("in_fps", "fps", "skipped", "p50_first_ms", "p50_last_ms", "rss_growth_mb")


@pytest.mark.slow
def test_bench_engine_writes_its_figures(tmp_path: Path) -> None:
    target = tmp_path / "engine.json"
    command = [sys.executable, "-m", "rotolive", "bench", "engine", "--seconds", "10"]
    done = subprocess.run(
        [*command, "--json", str(target)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(target.read_text())
    assert json.loads(done.stdout) == found
    names = [f"{part}{name}" for part in ("", "tcp_", "small_", "street_") for name in RUN]
    names += [f"overload_{name}" for name in OVERLOAD]
    names += ["fastest_fps", "street_with_engine_fps"]
    assert set(found) >= set(names) and (found["model"], found["size"]) == ("palette", "1280x720")
    for part in ("", "tcp_", "small_", "street_"):
        fps, p50, p95, server, client = (found[part + name] for name in RUN)
        assert fps > 0 and 0 < server <= p50 <= p95 and client > 0, part
    assert found["fastest_fps"] > 0 and found["street_with_engine_fps"] > 0
    assert 0 < found["overload_fps"] < found["overload_in_fps"]
    assert found["overload_skipped"] > 0 and found["overload_p50_last_ms"] > 0
