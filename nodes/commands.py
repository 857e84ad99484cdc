"""The command that runs an engine through a model."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..model.arguments import Model, Positional, at_least, check_folder_of
from ..model.errors import InputError, RotoliveError
from .client import Client
from .engine import Engine, connect, play, record

if TYPE_CHECKING:
    from .panda3d.window import Window

START_S = 60.0
"""How long a server may take to let us in."""


def engine(
    what: Positional[Literal["panda3d", "vizdoom"]],
    model: Model = "street",
    style: int = 0,
    out: Path | None = None,
    seconds: float | None = None,
    server: str | None = None,
    token: str | None = None,
    port: int = 8080,
    fps: float = 30.0,
    seed: int = 0,
    drive: bool = False,
    browser: bool = True,
) -> None:
    """Play an engine's world through a model: its picture, its labels and what is painted.

    Args:
        what: panda3d: a city to drive through. vizdoom: a real game, played by a bot.
        style: The style that is chosen at first.
        out: Write engine | labels | painted into this video, frame by frame, instead of playing.
        seconds: How long; 10 for a video, and otherwise until Ctrl-C.
        server: Address of a running `rotolive serve --engine ADDRESS`, or of its page as
            ws://HOST:PORT/api/engine; one is started here, with its page, when left out.
        token: What that server asks for.
        port: Where the page of the server that is started here is.
        fps: Frames per second that the engine renders.
        seed: Another seed is another city, or another game.
        drive: Of panda3d: drive yourself, in a window: arrow keys or WASD, R to come back onto the
            road, Escape to end.
        browser: Open the page in the browser.
    """
    at_least("seconds", seconds, 0.1)
    at_least("fps", fps, 1)
    check_folder_of(out)
    if drive and (what != "panda3d" or out is not None):
        raise InputError("--drive is for playing panda3d, without --out")
    show = browser and out is None
    with (
        contextlib.closing(_open(what, seed)) as world,
        _window(world) if drive else contextlib.nullcontext() as window,
        _server(server, model, port, show) as address,
        connect(world, address, fps=fps, style=style, token=token) as client,
    ):
        client.wait(START_S)
        if out is not None:
            _record(world, client, out, fps, seconds or 10.0)
            return
        for frame, painted in play(world, client, fps=fps, seconds=seconds):
            if window:
                window.show(painted.rgb if painted else frame.rgb)
                if window.closed:
                    return


def _record(world: Engine, client: Client, out: Path, fps: float, seconds: float) -> None:
    from rich.progress import Progress

    with Progress() as progress:
        bar = progress.add_task("painting", total=1.0)
        for share in record(world, client, out, fps=fps, seconds=seconds):
            progress.update(bar, completed=share)
    print(out)


def _window(world: Engine) -> "contextlib.closing[Window]":
    """A window at whose keys somebody drives."""
    from .panda3d.engine import PandaCity
    from .panda3d.window import Window

    assert isinstance(world, PandaCity)
    world.wheel = window = Window(world.size)
    return contextlib.closing(window)


def _open(what: str, seed: int) -> Engine:
    try:
        if what == "panda3d":
            from .panda3d.engine import PandaCity

            return PandaCity(seed)
        from .vizdoom.engine import VizDoom

        return VizDoom(seed=seed)
    except ImportError as error:
        raise InputError(
            f"{what} is missing ({error.name}): pip install 'rotolive[engines]'"
        ) from error


@contextlib.contextmanager
def _server(address: str | None, model: str, port: int, browser: bool) -> Iterator[str]:
    """The address of a server; one that is started here ends with us."""
    if address is not None:
        yield address
        return
    with tempfile.TemporaryDirectory() as folder:
        address = f"ipc://{folder}/engine"
        command = [sys.executable, "-m", "rotolive", "serve", "--model", model]
        command += ["--port", str(port), "--engine", address]
        command += ["--browser"] if browser else []
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None
            ready = child.stdout.readline().strip()
            if not ready:
                raise RotoliveError(f"the server ended with {child.wait()} before it was ready")
            print(ready, file=sys.stderr)
            yield address
        finally:
            child.terminate()
            child.wait(10)
