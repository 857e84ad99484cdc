"""Builds TensorRT-RTX engines where there is no GPU; a program of its own, as it changes torch.

`python tensorrt_cpu.py NAME...` prints a line of JSON for each net: bytes, layers with their types,
what goes in and out, and how far the lowered graph strays from eager, frame by frame. The builder
needs no GPU, but asks for one on its way, and would run what it has built.
"""

import contextlib
import importlib
import json
import os
import sys
import types
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from rotolive.model import config
from rotolive.model.package import bundled_models, load
from rotolive.model.pyramid import build as build_net
from rotolive.model.runtime import tensorrt
from rotolive.model.runtime.graph import Flat, StepGraph

FRAMES = 3
SEEN: dict[str, Any] = {}


def pretend_a_gpu() -> None:
    """Answer what torch_tensorrt asks of a GPU."""
    properties = types.SimpleNamespace(
        name="none", major=8, minor=9, total_memory=80 << 30, multi_processor_count=132
    )
    answers = {
        "get_device_capability": (8, 9),
        "current_device": 0,
        "device_count": 1,
        "get_device_properties": properties,
        "get_device_name": "none",
        "mem_get_info": (70 << 30, 80 << 30),
        "synchronize": None,
        "empty_cache": None,
    }
    for name, answer in answers.items():
        setattr(torch.cuda, name, lambda device=None, answer=answer: answer)
    if not hasattr(torch._C, "_CudaDeviceProperties"):
        torch._C._CudaDeviceProperties = object


@contextlib.contextmanager
def without_native_runtime() -> Iterator[None]:
    """Its libraries need CUDA's; without them it runs in Python."""
    real = os.path.isfile
    os.path.isfile = lambda p: not os.path.basename(str(p)).startswith("libtorchtrt") and real(p)
    try:
        yield
    finally:
        os.path.isfile = real


class Kept:
    """A built engine that is not loaded."""

    def __init__(self, plan: bytes) -> None:
        self.plan = bytes(memoryview(plan))

    def serialize(self) -> bytes:
        return self.plan


def spy(interpreter: Any) -> None:
    """Keep engines instead of loading them, and note the network."""
    real, construct = interpreter.trt, interpreter.TRTInterpreter._construct_trt_network_def

    class Runtime:
        def __init__(self, _: Any) -> None: ...

        def deserialize_cuda_engine(self, plan: bytes) -> Kept:
            return Kept(plan)

    class Library:
        def __getattr__(self, name: str) -> Any:
            return Runtime if name == "Runtime" else getattr(real, name)

    def constructed(self: Any) -> None:
        construct(self)
        net = self.ctx.net
        layers = [net.get_layer(i) for i in range(net.num_layers)]
        SEEN["layers"] = dict(
            Counter(f"{x.type.name} {x.get_output(0).dtype.name}" for x in layers)
        )
        SEEN["inputs"] = [net.get_input(i).name for i in range(net.num_inputs)]
        SEEN["outputs"] = [tuple(net.get_output(i).shape) for i in range(net.num_outputs)]

    interpreter.trt = Library()
    interpreter.TRTInterpreter._construct_trt_network_def = constructed


def strays(graph: StepGraph, lowered: Any) -> list[float]:
    """Largest difference of each frame's picture, lowered against eager, on their own states."""
    eager, rng = Flat(graph.generator), torch.Generator().manual_seed(0)
    planes, style, motion, *state = graph.inputs
    states = [list(state), list(state)]
    found = []
    for _ in range(FRAMES):
        condition = (torch.rand(planes.shape, generator=rng) > 0.9).to(planes.dtype)
        moved = torch.randn(motion.shape, generator=rng)
        pictures = []
        for which, step in enumerate((eager, lowered)):
            image, _, *states[which] = step(condition, style + 1, moved, *states[which])
            pictures.append(image)
        found.append(float((pictures[0] - pictures[1]).abs().max()))
    return found


def net_of(name: str) -> torch.nn.Module:
    """Return a bundled net, or a preset's with random weights, as preset:HEIGHTxWIDTH."""
    torch.manual_seed(0)
    if name in bundled_models():
        return load(name).generator()
    preset, _, size = name.partition(":")
    shape = config.PRESETS[preset](8, 3)
    if size:
        height, width = (int(side) for side in size.split("x"))
        shape = replace(shape, height=height, width=width)
    return build_net(shape).eval().requires_grad_(False)


def main(names: list[str]) -> None:
    """Build each and tell of it."""
    pretend_a_gpu()
    with without_native_runtime():
        library = importlib.import_module("torch_tensorrt")
    spy(importlib.import_module("torch_tensorrt.dynamo.conversion._TRTInterpreter"))
    for name in names:
        graph = StepGraph(net_of(name), 1, torch.float16)
        plan = tensorrt.build(graph)
        with torch.no_grad():
            lowered = library.dynamo.compile(
                graph.program,
                arg_inputs=graph.inputs,
                device=library.Device(gpu_id=0),
                dryrun=True,
                min_block_size=1,
            )
            apart = strays(graph, lowered)
        blocks = [n for n, _ in lowered.named_children() if n.startswith("_run_on")]
        told = {"name": name, "bytes": len(plan), "strays": apart, "blocks": blocks, **SEEN}
        want = [tuple(x.shape) for x in graph.outputs]
        print(json.dumps({**told, "whole": want == SEEN["outputs"]}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
