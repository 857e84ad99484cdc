"""The command line: the one place that knows every room."""

import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from .model.errors import InputError, RotoliveError, missing_library

Positional = tyro.conf.Positional
Model = Annotated[str, tyro.conf.arg(help="A bundled model's name or a package's path.")]
CLIP = Path(__file__).parent / "web" / "static" / "clip.webm"
Preset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"]
Runtime = Literal["auto", "eager", "openvino", "openvino-f32", "openvino-bf16"]


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
) -> None:
    """Serve the page, its WebRTC face, WHIP and WHEP.

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
    """
    from .model.live import open_model
    from .stream.webrtc.encode import Encoding
    from .stream.webrtc.network import Network, parse_ports
    from .stream.webrtc.settings import Settings, parse_size
    from .web.access import Access
    from .web.serve import serve as run
    from .web.tls import Tls
    from .web.tls import self_signed as make_certificate

    _at_least("sessions", sessions, 1)
    _at_least("threads", threads, 1)
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
        _at_least("mbit", mbit, 0.05)
    bitrate = round(mbit * 1e6) if mbit else None
    opened = open_model(model, slots=sessions, runtime=runtime, threads=threads)
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
    )


def render(
    input: Annotated[Positional[Path], tyro.conf.arg(metavar="INPUT")],
    output: Annotated[Positional[Path], tyro.conf.arg(metavar="OUTPUT")],
    model: Model = "dancer",
    style: int = 0,
    mirror: bool = False,
    runtime: Runtime = "auto",
) -> None:
    """Render a whole video file, with its sound.

    Args:
        input: Any file that FFmpeg reads.
        output: .mp4, .mov, .mkv or .webm.
        style: Which of the model's styles; `rotolive models` lists them.
        mirror: Flip the input and swap left and right.
        runtime: How the generator runs.
    """
    from rich.progress import Progress

    from .model.live import open_model
    from .stream.render import render as run

    opened = open_model(model, slots=1, runtime=runtime)
    with Progress() as progress:
        bar = progress.add_task("rendering", total=None)

        def report(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        frames = run(input, output, opened, style, mirror=mirror, progress=report)
    print(f"{output}: {frames} frames")


def models(path: Positional[str] = "", as_json: bool = False) -> None:
    """List the bundled models, or describe one package: size, styles, licence, provenance.

    Args:
        path: A name or a package's path; all bundled ones when left out.
        as_json: Print JSON.
    """
    from .model.package import bundled_models, load

    rows: list[dict[str, Any]] = []
    for name in [path] if path else bundled_models():
        package = load(name)
        card = package.card
        rows.append(
            {
                "name": card.name,
                "megabytes": round(package.path.stat().st_size / 1e6, 1),
                "size": f"{card.generator.width}x{card.generator.height}",
                "condition": card.condition,
                "styles": list(card.styles),
                "licence": card.licence,
                "provenance": card.provenance,
            }
        )
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(f"{row['name']}  {row['size']}  {row['condition']}  {row['megabytes']} MB  ", end="")
        print(row["licence"])
        print("  styles: " + ", ".join(f"{i} {name}" for i, name in enumerate(row["styles"])))
        print("  made from: " + ", ".join(f"{k} {v}" for k, v in row["provenance"].items()))


def synth(
    what: Positional[Literal["actor"]],
    out: Path,
    clips: int = 48,
    seconds: float = 10.0,
    seed: int = 0,
    size: int = 256,
    workers: int = 1,
    detect_share: float = 0.9,
) -> None:
    """Make a licence-clean training set.

    Args:
        what: The maker: actor, a rigged human that dances.
        out: Folder of the data set; finished clips in it are kept.
        clips: How many clips, in turns over the styles.
        seconds: Length of each.
        seed: Another seed makes other motion.
        size: Width and height of the pictures.
        workers: Processes that render side by side.
        detect_share: Share of clips whose landmarks MediaPipe finds in the render; the others'
            are made by a noise model.
    """
    for name, value in (("clips", clips), ("seconds", seconds), ("workers", workers)):
        _at_least(name, value, 1)
    try:
        from .training.synthetic.clips import synth_actor
    except ImportError as error:
        raise _train_extra(error) from error
    synth_actor(
        out,
        clips=clips,
        seconds=seconds,
        seed=seed,
        size=size,
        workers=workers,
        detect_share=detect_share,
    )


def train(
    data: Positional[Path],
    out: Positional[Path],
    preset: Literal["dancer", "smoke"] = "dancer",
    steps: int | None = None,
    minutes: float | None = None,
    warm_start: str | None = None,
    device: str | None = None,
    threads: int = 2,
    seed: int = 0,
) -> None:
    """Train a model on a data set; the same command goes on where it stopped.

    Args:
        data: What `rotolive synth` made.
        out: Folder of the run: checkpoint, samples, package.
        preset: Settings to start from.
        steps: Iterations in all, in place of the preset's.
        minutes: Stop after this long, ready to go on.
        warm_start: A package whose weights to begin from.
        device: cpu, cuda, cuda:1 ... (default: the first GPU, else the CPU).
        threads: Cores to use.
        seed: Seed of everything random.
    """
    from rich.progress import Progress

    from .training.config import PRESETS
    from .training.run import pick_device
    from .training.run import train as run

    _at_least("threads", threads, 1)
    config = replace(PRESETS[preset](), device=pick_device(device), threads=threads, seed=seed)
    config = replace(config, steps=steps or config.steps)
    with Progress() as progress:
        bar = progress.add_task("training", total=config.steps)

        def report(step: int, terms: dict[str, float]) -> None:
            text = " ".join(f"{name} {value:.3f}" for name, value in terms.items())
            progress.update(bar, completed=step, description=f"{step} {text}")
            if step % 50 == 0 and not progress.console.is_terminal:
                print(step, text, flush=True)

        try:
            path = run(data, out, config, warm_start=warm_start, minutes=minutes, report=report)
        except ImportError as error:
            raise _train_extra(error) from error
    print(path)


def evaluate(
    model: Positional[Model],
    clips: Positional[Path],
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    report: Path | None = None,
    frames: int = 120,
    count: int | None = None,
    drift: int = 2000,
    device: str | None = None,
) -> None:
    """Score a model on clips with a truth; prints JSON.

    Args:
        model: A bundled model's name or a package's path.
        clips: What `rotolive synth` made, of another seed than the model was trained with.
        json_file: Write the figures here as well.
        report: Folder for a page with the figures, pictures and plots.
        frames: Of each clip.
        count: Clips to take; all, when left out.
        drift: Frames of one long dance, to see whether pictures get worse; 0: none.
        device: cpu, cuda, cuda:1 ... (default: the first GPU, else the CPU).
    """
    from rich.console import Console
    from rich.progress import Progress

    from .model import package

    _at_least("frames", frames, 2)
    _at_least("count", count, 1)
    _at_least("drift", drift, 0)
    _check_folder_of(json_file)
    opened = package.load(model)
    try:
        from .training.evaluate import evaluate as run
        from .training.report import write_report
        from .training.run import pick_device
    except ImportError as error:
        raise _train_extra(error) from error
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("evaluating", total=1.0)
        figures, evaluation = run(
            opened,
            clips,
            frames=frames,
            clips=count,
            drift=drift,
            device=pick_device(device),
            report=lambda share: progress.update(bar, completed=share),
        )
    _show(figures, json_file)
    if report is not None:
        print(write_report(report, figures, evaluation))


def bench(
    what: Positional[Literal["live", "echo", "transport", "runtime", "follow", "soak"]],
    model: Model = "dancer",
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
    seconds: float | None = None,
    runtime: Runtime = "auto",
    clip: Path = CLIP,
) -> None:
    """Measure this machine and a model on it; prints JSON.

    Args:
        what: live: frame rate, latency and motion lag over WebRTC (--model identity: against
            stock aiortc). echo: that without a model. transport: that, 1280x720, 20 viewers and a
            bad network. runtime: each runtime's step. follow: does the dancer do what the person
            does? (needs the train extra). soak: memory and drift.
        json_file: Write the figures here as well.
        seconds: How long to measure (15); follow takes its own time. Of transport: how long it
            takes in all (40); above 120 it opens and closes sessions and overloads the model too.
        runtime: How the generator runs.
        clip: A video of somebody dancing, for live and soak, in place of the bundled one.
    """
    _check_folder_of(json_file)
    _at_least("seconds", seconds, 25 if what == "transport" else 1)
    seconds = seconds or (40.0 if what == "transport" else 15.0)
    _show(_measure(what, model, seconds, runtime, clip), json_file)


def _check_folder_of(json_file: Path | None) -> None:
    if json_file is not None and not json_file.parent.is_dir():
        raise InputError(f"{json_file}: there is no folder {json_file.parent}")


def _show(figures: dict[str, Any], json_file: Path | None) -> None:
    text = json.dumps(figures, indent=1)
    print(text)
    if json_file is not None:
        json_file.write_text(text + "\n")


def _measure(what: str, model: str, seconds: float, runtime: str, clip: Path) -> dict[str, Any]:
    if what == "runtime":
        from .model.runtime.bench import bench_runtime

        return bench_runtime(model, seconds)
    if what == "transport":
        from .stream.transport import bench_transport

        return bench_transport(seconds)
    if what in ("follow", "soak"):
        return _measure_in_process(what, model, seconds, runtime, clip)
    from .stream.bench import bench_dance, bench_echo

    if what == "echo" or model == "identity":
        return bench_echo(seconds)
    return bench_dance(model, seconds, runtime, video=clip)


def _measure_in_process(
    what: str, model: str, seconds: float, runtime: str, clip: Path
) -> dict[str, Any]:
    from .model.live import open_model

    opened = open_model(model, slots=1, runtime=runtime)
    if what == "soak":
        from .stream.soak import bench_soak

        return bench_soak(opened, clip, seconds)
    try:
        from .training.follow import bench_follow
    except ImportError as error:
        raise _train_extra(error) from error
    return bench_follow(opened, seconds)


def _at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and value < least:
        raise InputError(f"--{name} is {value}; {least} or more is accepted")


def _train_extra(error: ImportError) -> InputError:
    return InputError(f"{error}; install with `pip install 'rotolive[train]'`")


COMMANDS = {f.__name__: f for f in (demo, serve, render, models, synth, train, evaluate, bench)}


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
