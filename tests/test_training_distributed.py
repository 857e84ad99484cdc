"""Training by several processes: as one with all their streams, and stopped as one."""

import json
import multiprocessing
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from ranks import EVEN, Joined, config, learnt, process
from scenes import write_clips

from rotolive.model import package
from rotolive.model.errors import InputError
from rotolive.training import distributed
from rotolive.training.data import open_data
from rotolive.training.loop import Trainer
from rotolive.training.run import train
from rotolive.training.streams import Streams


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("scenes") / "data")


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes leave behind."""
    folder = tmp_path_factory.mktemp("out")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rotolive.training.run"])
    processes = [
        context.Process(target=process, args=(rank, port, data, folder))
        for port in [free_port()]
        for rank in range(2)
    ]
    for one in processes:
        one.start()
    for one in processes:
        one.join()
        assert one.exitcode == 0
    return folder


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def test_two_processes_learn_what_one_with_all_streams_learns(data: Path, out: Path) -> None:
    found = open_data(data)
    ours, theirs = (torch.load(out / f"learnt{rank}.pt") for rank in range(2))
    both = replace(EVEN, batch=2 * EVEN.batch)
    several = [Streams(found.clips, 2, replace(EVEN, seed=rank)) for rank in range(2)]
    one = learnt(Trainer(both, Joined(several, both), found.domain))
    alone = learnt(Trainer(EVEN, Streams(found.clips, 2, EVEN), found.domain))
    for name, value in one.items():
        assert torch.equal(ours[name], theirs[name]), name
        assert distance(ours[name], value) < 0.2 * distance(alone[name], value), name


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_stop_and_resume_of_two_equals_no_stop(out: Path) -> None:
    whole, parts = (torch.load(out / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert len(whole["processes"]) == 2
    first, second = (state["streams"]["places"] for state in whole["processes"])
    assert first != second, "each has streams of its own"
    assert_same(whole, parts)


def assert_same(a: Any, b: Any, name: str = "") -> None:
    assert type(a) is type(b), name
    if isinstance(a, dict):
        a, b = ([found[key] for key in sorted(found, key=str)] for found in (a, b))
    if isinstance(a, list | tuple):
        for i, pair in enumerate(zip(a, b, strict=True)):
            assert_same(*pair, f"{name}/{i}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), name
    else:
        assert a == b, name


def test_only_the_first_writes(out: Path) -> None:
    run = out / "whole"
    assert len(list((run / "events").iterdir())) == 1 and not list(run.glob("*.part"))
    assert package.load(run / "dancer.safetensors").card.provenance["frames"] == 16


def test_other_processes_go_on_with_the_weights(data: Path, out: Path) -> None:
    told: list[str] = []
    path = train(data, out / "whole", config(steps=5), tell=told.append)
    assert "going on from step 4" in told[-1]
    assert package.load(path).card.provenance["steps"] == 5


def test_one_that_fails_stops_all(out: Path) -> None:
    assert (out / "said1").read_text() == "the clip has burnt"
    assert "another process of this run has ended" in (out / "said0").read_text()


def test_gradients_that_only_some_have_are_the_mean_of_theirs(out: Path) -> None:
    for rank in range(2):
        assert torch.load(out / f"mean{rank}.pt") == [[1.5, 1.5], [2.0, 2.0], None, 3.0]


def test_devices_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed.pick_device(None) == "cuda:0"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert distributed.pick_device(None) == distributed.pick_device("cuda") == "cuda:1"
    assert distributed.pick_device("cpu") == "cpu"
    with pytest.raises(InputError, match=r"'cuda:0' here: there is cpu, cuda$"):
        distributed.pick_device("cuda:0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(InputError, match="3 processes for 2 GPUs"):
        distributed.pick_device(None)


def test_torchrun_trains(data: Path, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = ["-m", "rotolive", "train", data, tmp_path / "run", "--preset", "smoke"]
    options = ["--device", "cpu", "--threads", "1", "--perceptual", "none", "--strides", "1", "3"]
    said = subprocess.run(
        [*launch, *command, *options], capture_output=True, text=True, check=True
    ).stdout
    assert said.count("dancer.safetensors") == 1
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["settings"]["strides"] == [1, 3]
    assert package.load(tmp_path / "run" / "dancer.safetensors").card.provenance["frames"] == 16
