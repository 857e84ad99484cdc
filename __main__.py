"""The command line: the one place that knows every room."""

import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from .model.live import LiveModel
    from .stream.label_files import LabelFiles

from .model.arguments import (
    Model,
    Positional,
    at_least,
    check_folder_of,
    show,
    train_extra,
)
from .model.commands import models
from .model.errors import InputError, RotoliveError, missing_library
from .model.info import Runtime
from .nodes.commands import engine
from .training.commands import evaluate, prepare, synth, train

CLIP = Path(__file__).parent / "web" / "static" / "clip.webm"
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]
Bench = Literal[
    "live", "echo", "transport", "runtime", "scale", "follow", "soak", "train", "engine"
]
SECONDS = {"transport": 40.0, "engine": 30.0, "runtime": 35.0, "scale": 35.0}
"""That a bench takes, where it is not 15."""
Mapping = Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(name="map")]


def demo(port: int = 8080, model: Model = "dancer", style: int = 0, browser: bool = True) -> None:
    """Open the live page in your browser: dance before the camera, or let the bundled clip dance.

    Args:
        port: Where the page is served, on this machine only.
        style: The style that is chosen at first.
        browser: Open the browser by itself.
    """
    serve(model=model, port=port, browser=browser, style=style)


def serve(
    model: Model = "dancer",
    host: str = "127.0.0.1",
    port: int = 8080,
    sessions: int = 4,
    runtime: Runtime = "auto",
    threads: int | None = None,
    browser: bool = False,
    style: int = 0,
    token: str | None = None,
    insecure: bool = False,
    allow_origin: tuple[str, ...] = (),
    self_signed: bool = False,
    certificate: Path | None = None,
    key: Path | None = None,
    stun: str | None = None,
    turn: str | None = None,
    turn_user: str | None = None,
    turn_password: str | None = None,
    turn_secret: str | None = None,
    udp_ports: str | None = None,
    address: str | None = None,
    mbit: float | None = None,
    preset: Preset | None = None,
    hardware: bool = True,
    recordings: Path | None = None,
    largest: str = "1920x1080",
    engine: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    publish: str | None = None,
    mapping: Mapping = (),
    curve: Path | None = None,
) -> None:
    """Serve the page, its WebRTC face, WHIP, WHEP and engines.

    Args:
        host: Interface to listen on; for others than this machine, give a token.
        port: Port to listen on.
        sessions: How many people may dance at once.
        runtime: How the generator runs; auto takes the fastest that agrees with PyTorch.
        threads: Cores the model may take; by default one less than there are, at most four.
        browser: Open the browser by itself.
        style: The style that is chosen at first.
        token: What every client must show, as a bearer token; the page has it in its address.
        insecure: Let everybody in without a token.
        allow_origin: Pages elsewhere that may use the API, such as https://example.org.
        self_signed: Serve HTTPS with a certificate made here: a phone gives no camera without.
        certificate: Serve HTTPS with this certificate (PEM), and
        key: its private key (PEM).
        stun: STUN server for clients and for us, such as stun:stun.example.org:3478.
        turn: TURN server, such as turn:turn.example.org:3478; with
        turn_user: a fixed name and
        turn_password: its password, or
        turn_secret: the secret that coturn shares with us (use-auth-secret).
        udp_ports: UDP ports that the video may use, such as 50000-50100; any, when left out.
        address: Outer IPv4 address of this machine, behind a one-to-one NAT.
        mbit: Megabits per second of each picture stream; by its size, when left out.
        preset: x264's preset for viewers who need H264; by the size, when left out.
        hardware: Encode H264 on the GPU (NVENC) where that works.
        recordings: Folder for recordings, which the API can begin and end.
        largest: Size of the largest pictures that are taken; who sends larger ones is let go.
        engine: Let engines in here, over ZeroMQ: tcp://127.0.0.1:5599 or ipc:///tmp/x.
        publish: ZeroMQ address at which the pictures of all engines are published.
        mapping: A class of an engine onto one of the model's, such as ute=car.
        curve: Folder of ZeroMQ keys, for engines elsewhere; see docs/wire.md.
    """
    from .model.live import open_model
    from .stream.engine import EngineSettings, parse_mapping
    from .stream.webrtc.encode import Encoding
    from .stream.webrtc.network import Network, parse_ports
    from .stream.webrtc.settings import Settings, parse_size
    from .web.access import Access
    from .web.serve import serve as run
    from .web.tls import Tls
    from .web.tls import self_signed as make_certificate

    at_least("sessions", sessions, 1)
    at_least("threads", threads, 1)
    if (certificate is None) != (key is None):
        raise InputError("--certificate and --key go together")
    tls = make_certificate() if self_signed else None
    if certificate and key:
        tls = Tls(certificate=certificate, key=key)
    network = Network(
        stun=stun,
        turn=turn,
        turn_user=turn_user,
        turn_password=turn_password,
        turn_secret=turn_secret,
        ports=parse_ports(udp_ports) if udp_ports else None,
        address=address,
    )
    if mbit is not None:
        at_least("mbit", mbit, 0.05)
    bitrate = round(mbit * 1e6) if mbit else None
    opened = open_model(model, slots=sessions, runtime=runtime, threads=threads, wait=False)
    opened.style(style)
    page = f"?style={style}" if style else ""
    run(
        opened,
        host,
        port,
        open_browser=browser,
        settings=Settings(
            max_sessions=sessions,
            largest=parse_size(largest),
            network=network,
            encoding=Encoding(bitrate=bitrate, preset=preset, hardware=hardware),
            recordings=recordings,
        ),
        page=page,
        access=Access(token=token, origins=allow_origin),
        insecure=insecure,
        tls=tls,
        engines=EngineSettings(
            addresses=engine, publish=publish, mapping=parse_mapping(mapping), curve=curve
        ),
    )


def render(
    input: Annotated[Positional[Path], tyro.conf.arg(metavar="INPUT")],
    output: Annotated[Positional[Path], tyro.conf.arg(metavar="OUTPUT")],
    model: Model = "dancer",
    style: int = 0,
    mirror: bool = False,
    runtime: Runtime = "auto",
    classes: str | None = None,
    mapping: Mapping = (),
    fps: float = 30.0,
) -> None:
    """Render a whole video file, with its sound; or a folder of label images.

    Args:
        input: Any file that FFmpeg reads; for a labels model, a folder of PNG files, one id of 8
            bits a pixel.
        output: .mp4, .mov, .mkv or .webm.
        style: Which of the model's styles; `rotolive models` lists them.
        mirror: Flip the input and swap left and right.
        runtime: How the generator runs.
        classes: Names of the label ids, in their order: sky,building,... or a file, JSON or of one
            a line.
        mapping: A class onto one of the model's, such as ute=car.
        fps: Of the label images.
    """
    from rich.progress import Progress

    from .model.live import open_model
    from .stream.render import render as run
    from .stream.render import render_labels

    at_least("fps", fps, 1)
    opened = open_model(model, slots=1, runtime=runtime)
    with Progress() as progress:
        bar = progress.add_task("rendering", total=None)

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        if input.is_dir():
            labels = _labels(input, opened, classes, mapping, fps)
            frames = render_labels(labels, output, opened, style, progress=report)
        else:
            frames = run(input, output, opened, style, mirror=mirror, progress=report)
    print(f"{output}: {frames} frames")


def _labels(
    folder: Path, model: "LiveModel", classes: str | None, mapping: tuple[str, ...], fps: float
) -> "LabelFiles":
    from .model.condition.labels.files import read_names
    from .stream.engine import parse_mapping
    from .stream.label_files import LabelFiles

    if not model.classes:
        raise InputError(f"{folder} is a folder; {model.name} takes a video")
    if classes is None:
        raise InputError("--classes must name the ids of the labels, in their order")
    return LabelFiles(
        folder, read_names(classes), model.classes, mapping=parse_mapping(mapping), fps=fps
    )


def compile_model(
    model: Positional[Model] = "dancer",
    sessions: int = 4,
    runtime: Runtime = "auto",
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    clip: Path = CLIP,
) -> None:
    """Build what runs a model fastest on this machine ahead of time, and keep it; prints JSON.

    A server that finds nothing built starts on something slower, builds while it runs, and changes
    over.

    Args:
        sessions: How many people may dance at once: `rotolive serve` looks for the same.
        runtime: What to build for.
        json_file: Write what was built here as well.
        clip: A video of somebody dancing, in place of the bundled one: openvino-int8 is calibrated
            on it.
    """
    from rich.console import Console
    from rich.progress import Progress

    from .model.live import open_model
    from .model.package import load
    from .model.runtime.calibrate import calibrate
    from .stream.calibration import record_streams

    at_least("sessions", sessions, 1)
    check_folder_of(json_file)
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("compiling", total=None)

        def report(what: str, done: int, of: int) -> None:
            progress.update(bar, description=what, completed=done, total=of)

        if runtime == "openvino-int8":
            report("calibrating on the clip", 0, 1)
            calibrate(load(model).generator(), record_streams(model, clip))
        opened = open_model(model, slots=sessions, runtime=runtime, progress=report)
        progress.update(bar, description=opened.runtime, completed=1, total=1)
    show({"model": opened.name, "sessions": sessions, **asdict(opened.info)}, json_file)


def bench(
    what: Positional[Bench],
    model: Model = "dancer",
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    markdown: Path | None = None,
    seconds: float | None = None,
    runtime: Runtime = "auto",
    clip: Path = CLIP,
) -> None:
    """Measure this machine and a model on it; prints JSON.

    Args:
        what: live: frame rate, latency and motion lag over WebRTC (--model identity: against
            stock aiortc). echo: that without a model. transport: that, 1280x720, 20 viewers and a
            bad network. runtime: each runtime's step (--model all: of every model and preset).
            scale: how many sessions at 30 fps. follow: does the dancer do what the person does?
            (needs the train extra). soak: memory and drift. train: each preset's speed. engine:
            labels in and pictures out over ZeroMQ, 1280x720, without a model.
        json_file: Write the figures here as well.
        markdown: Write the table of runtimes here.
        seconds: How long to measure (15); follow takes its own time. Of engine (30), runtime (35),
            scale (35) and transport (40): how long it takes in all. Above 120, transport opens and
            closes sessions and overloads the model too.
        runtime: How the generator runs.
        clip: A video of somebody dancing, for live and soak, in place of the bundled one.
    """
    check_folder_of(json_file)
    check_folder_of(markdown)
    at_least("seconds", seconds, {"transport": 25, "engine": 10}.get(what, 1))
    seconds = seconds or SECONDS.get(what, 15.0)
    figures = _measure(what, model, seconds, runtime, clip)
    if markdown and what == "runtime":
        from .model.runtime.table import markdown as table

        markdown.write_text(table(figures["rows"]))
    show(figures, json_file)


def _measure(what: str, model: str, seconds: float, runtime: str, clip: Path) -> dict[str, Any]:
    if what == "runtime":
        from .model.runtime.bench import bench_runtime

        return bench_runtime(model, seconds)
    if what == "scale":
        from .stream.scale_bench import bench_scale

        return bench_scale(model, clip, seconds, runtime)
    if what == "transport":
        from .stream.transport import bench_transport

        return bench_transport(seconds)
    if what == "engine":
        from .nodes.engine_bench import bench_engine

        return bench_engine(seconds)
    if what in ("follow", "soak", "train"):
        return _measure_in_process(what, model, seconds, runtime, clip)
    from .stream.bench import bench_dance, bench_echo

    if what == "echo" or model == "identity":
        return bench_echo(seconds)
    return bench_dance(model, seconds, runtime, video=clip)


def _measure_in_process(
    what: str, model: str, seconds: float, runtime: str, clip: Path
) -> dict[str, Any]:
    from .model.live import open_model

    if what == "train":
        with train_extra():
            from .training.bench import bench_train
        return bench_train(seconds)
    opened = open_model(model, slots=1, runtime=runtime)
    if what == "soak":
        from .stream.soak import bench_soak

        return bench_soak(opened, clip, seconds)
    with train_extra():
        from .training.follow import bench_follow
    return bench_follow(opened, seconds)


COMMANDS = {
    f.__name__: f
    for f in (demo, serve, render, engine, models, prepare, synth, train, evaluate, bench)
} | {"compile": compile_model}


def main() -> None:
    """Run the `rotolive` command; exits with 2 on what the user can mend, 130 on Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="rotolive: %(message)s")
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS, prog="rotolive", description="Live video-to-video synthesis."
        )
    except (RotoliveError, OSError, ImportError) as error:
        sentence = missing_library(error)
        if sentence is None and isinstance(error, ImportError):
            raise
        print(f"rotolive: {sentence or error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
