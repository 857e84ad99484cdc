"""The command line as people use it: real processes, exit codes, sentences, no tracebacks."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import av
import numpy as np
import pytest
from browser import free_port, write_movie

from rotolive.model.package import bundled_models

ROTOLIVE = [sys.executable, "-m", "rotolive"]
COMMANDS = ("demo", "serve", "render", "engine", "models", "prepare", "synth", "train")
COMMANDS += ("evaluate", "bench")


def rotolive(*arguments: object, code: int = 0) -> str:
    """Run a command to its end; returns what it said. Fails on another exit code or a traceback."""
    done = subprocess.run(
        [*ROTOLIVE, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    said = done.stdout if code == 0 else done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == code, done.stdout + done.stderr
    return said


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WebM of 30 frames, 320x240."""
    return write_movie(tmp_path_factory.mktemp("cli") / "movie.webm")


def test_help_lists_every_command() -> None:
    said = rotolive("--help")
    assert all(command in said for command in COMMANDS)
    for command in COMMANDS:
        assert "--help" in rotolive(command, "--help")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "demo"),
        (["dance"], "demo"),
        (["demo", "--prot", "3"], "--port"),
        (["demo", "--port", "many"], "--port"),
        (["bench", "speed"], "soak"),
        (["render"], "INPUT"),
    ],
)
def test_what_cannot_be_parsed_says_what_can(arguments: list[str], words: str) -> None:
    assert words in rotolive(*arguments, code=2)


@pytest.mark.parametrize("command", [["serve"], ["bench", "soak"], ["render", "a.mp4", "b.mp4"]])
def test_an_unknown_model_lists_the_known_ones(command: list[str]) -> None:
    said = rotolive(*command, "--model", "nobody", code=2)
    assert "no model 'nobody'" in said and "identity" in said
    assert all(name in said for name in bundled_models())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "--sessions", "0"], "--sessions is 0; 1 or more"),
        (["bench", "runtime", "--seconds", "0"], "--seconds is 0"),
        (["train", "data", "run", "--threads", "0"], "--threads is 0"),
        (["train", "data", "run", "--crop", "100"], "--crop is 100; 0 or a multiple of 16"),
        (["train", "data", "run", "--rate", "-1"], "--rate is -1"),
        (["train", "data", "run", "--minutes", "0"], "--minutes is 0"),
        (["train", "data", "run", "--name", "a/b"], "--name is 'a/b'"),
        (["prepare", "nothing.mp4", "--out", "never"], "nothing.mp4 cannot be read"),
        (["synth", "actor", "--out", "never", "--clips", "0"], "--clips is 0"),
        (["synth", "actor", "--out", "never", "--size", "130"], "size 130: a multiple of 16"),
    ],
)
def test_numbers_out_of_range_are_named(arguments: list[str], words: str) -> None:
    assert words in rotolive(*arguments, code=2)
    assert not Path("never").exists()


def test_an_unknown_style_lists_the_known_ones(movie: Path, tmp_path: Path) -> None:
    options = ["--model", "identity", "--style", 3]
    assert "no style 3: identity has 0 as is" in rotolive("serve", *options, code=2)
    said = rotolive("render", movie, tmp_path / "out.mp4", *options, code=2)
    assert "0 as is" in said and not list(tmp_path.iterdir())


def test_a_port_in_use_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = rotolive("demo", "--model", "identity", "--no-browser", "--port", port, code=2)
    assert f"port {port} is in use" in said


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("notes.txt", "out.mp4", "notes.txt cannot be read"),
        ("missing.mp4", "out.mp4", "no such file"),
        ("movie.webm", "out.txt", ".mp4"),
        ("movie.webm", "nowhere/out.mp4", "no folder"),
    ],
)
def test_render_refuses_and_leaves_nothing(
    movie: Path, tmp_path: Path, source: str, target: str, words: str
) -> None:
    (tmp_path / "notes.txt").write_text("no video at all\n" * 50)
    (tmp_path / "movie.webm").write_bytes(movie.read_bytes())
    before = sorted(tmp_path.iterdir())
    said = rotolive("render", tmp_path / source, tmp_path / target, "--model", "identity", code=2)
    assert words in said
    assert sorted(tmp_path.iterdir()) == before


def test_render_there_and_back(movie: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    assert "30 frames" in rotolive("render", movie, target, "--model", "identity")
    sent, painted = read(movie), read(target)
    assert painted.shape == (30, 256, 256, 3)
    assert np.abs(painted[:, 128, 128].astype(int) - sent[:, 120, 160]).mean() < 12
    rotolive("render", movie, target, "--model", "identity", "--mirror")
    flipped = read(target)[:, :, ::-1]
    assert np.abs(flipped.astype(int) - painted).mean() < 4


def read(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


def test_models_as_json() -> None:
    rows = json.loads(rotolive("models", "--as-json"))
    assert [row["name"] for row in rows] == bundled_models()
    for row in rows:
        assert row["styles"] and row["licence"] and row["megabytes"] > 0


def test_a_damaged_package_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x40\0\0\0\0\0\0\0{" + bytes(200))
    for command in (["models"], ["serve", "--model"]):
        said = rotolive(*command, damaged, code=2)
        assert "damaged.safetensors cannot be read" in said
    assert "cannot be read" in rotolive("bench", "live", "--model", damaged, code=2)


def test_bench_train_measures_each_preset() -> None:
    said = json.loads(rotolive("bench", "train", "--seconds", "1"))
    assert [row["preset"] for row in said["rows"]] == ["nano", "live"]
    assert all(row["frames_per_s"] > 0 and 0 < row["loading"] < 1 for row in said["rows"])


def test_bench_soak_writes_its_figures(movie: Path, tmp_path: Path) -> None:
    target = tmp_path / "soak.json"
    options = ["--model", "identity", "--clip", movie, "--seconds", 1]
    said = rotolive("bench", "soak", *options, "--json", target)
    figures = json.loads(said)
    assert figures == json.loads(target.read_text())
    assert figures["loops"] >= 3 and figures["frames"] == 58 * figures["loops"]
    assert figures["drift_db"] == 99 and figures["mean_change"] == 0
    assert figures["rss_growth_mb"] < 20
    said = rotolive("bench", "soak", *options, "--json", tmp_path / "no" / "x.json", code=2)
    assert "no folder" in said


def test_bench_scale_counts_sessions(movie: Path, tmp_path: Path) -> None:
    target = tmp_path / "scale.json"
    options = ["--model", "identity", "--clip", movie, "--seconds", 3]
    figures = json.loads(rotolive("bench", "scale", *options, "--json", target))
    assert figures == json.loads(target.read_text())
    assert figures["sessions"] > 0 and figures["rows"][0]["share"] > 0.5


def test_compile_builds_and_tells_what(tmp_path: Path) -> None:
    told = json.loads(rotolive("compile", "dancer", "--sessions", 1, "--runtime", "openvino-f32"))
    assert told["runtime"] == "openvino-f32" and told["agreement"]["rollout"] > 60
    told = json.loads(rotolive("compile", "dancer", "--runtime", "tensorrt", "--sessions", 1))
    if told["runtime"] == "eager":
        assert "there is no GPU to use" in told["notes"][0]


def test_bench_runtime_writes_a_table(tmp_path: Path) -> None:
    table = tmp_path / "table.md"
    options = ["--model", "dancer", "--seconds", 8, "--markdown", table]
    rows = json.loads(rotolive("bench", "runtime", *options))["rows"]
    assert rows and rows[0]["gflop"] > 1 and table.read_text().count("|") > 20


def test_demo_says_where_it_is_and_stops_at_once() -> None:
    port = free_port()
    process = subprocess.Popen(
        [*ROTOLIVE, "demo", "--model", "identity", "--no-browser", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith(f"ready: http://localhost:{port}/")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5) as reply:
            assert json.load(reply)["model"] == "identity"
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=10)
        assert time.monotonic() - started < 3
        assert process.returncode in (0, 130)
        assert "Traceback" not in complaints
    finally:
        process.kill()
        process.wait()
