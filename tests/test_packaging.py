"""The wheel holds what the tree holds."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_package_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = ("model", "nodes", "stream", "training", "web")
    found = [p.parent for f in folders for p in (ROOT / f).rglob("__init__.py")]
    assert sorted(listed) == sorted(
        ["rotolive", *(".".join(("rotolive", *p.relative_to(ROOT).parts)) for p in found)]
    )


def test_what_needs_no_torch_loads_none() -> None:
    code = "import sys, rotolive.nodes, rotolive.stream.protocol; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
