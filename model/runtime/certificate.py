"""What was found to agree with eager need not be rolled out again at every start."""

import os
import platform
from dataclasses import asdict
from typing import Any

import torch

from ..generator import Painter
from .graph import StepGraph
from .stepper import Stepper
from .store import Store
from .tensorrt import LIBRARIES, installed
from .verify import Deviation, verify

GLANCE = 2
"""Frames that are compared where the whole roll-out was found right before."""


def agreement(generator: Painter, stepper: Stepper) -> Deviation:
    """Compare a stepper with eager; briefly where the same one was right on this machine."""
    store, known = Store(), _key(generator, stepper)
    entry = store.get(known)
    if entry is not None and verify(generator, stepper, GLANCE).small:
        return Deviation(**entry.meta["about"])
    found = verify(generator, stepper)
    if found.small:
        store.put(known, {}, asdict(found))
    return found


def _key(generator: Painter, stepper: Stepper) -> dict[str, Any]:
    """Everything that the agreement depends on."""
    cuda = stepper.device.type == "cuda"
    return {
        "verified": stepper.name,
        "graph": StepGraph(generator).key,
        "precision": stepper.info.precision,
        "batch": stepper.batch,
        "torch": torch.__version__,
        **{name: installed(name) for name in ("openvino", *LIBRARIES)},
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if cuda else "",
        "driver": torch._C._cuda_getDriverVersion() if cuda else "",  # pyright: ignore
    }
