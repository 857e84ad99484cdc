"""What crosses the wire and the threads: frames and control messages."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import msgspec
from numpy.typing import NDArray

from ..model.errors import InputError

MAX_MESSAGE_BYTES = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture and its place in time; what goes out keeps `seq` and `pts` of what came in.

    planes: "rgb" uint8 [H, W, 3], or "y" uint8 [H, W] with "u", "v" uint8 [H/2, W/2], or what
    an engine sends (`model.condition.Planes`).
    captured_ns: monotonic time of arrival. cut: seq of the last cut until then (-1: none); what was
    painted before it is forgotten, even when the frames up to here are skipped. marks: monotonic
    times of the hops since, in ns.
    """

    seq: int
    pts: int
    time_base: Fraction
    captured_ns: int
    planes: dict[str, NDArray[Any]]
    cut: int = -1
    marks: dict[str, int] = field(default_factory=dict)


class SetStyle(msgspec.Struct, tag="style", frozen=True):
    """Paint in another style from the next frame on."""

    index: int


class SetMirror(msgspec.Struct, tag="mirror", frozen=True):
    """Mirror the camera, or stop it."""

    on: bool


class Reset(msgspec.Struct, tag="reset", frozen=True):
    """Forget what was painted before."""


class SetOverlay(msgspec.Struct, tag="overlay", frozen=True):
    """Send landmarks with every frame, or stop it."""

    on: bool


class Ping(msgspec.Struct, tag="ping", frozen=True):
    """Ask for a Pong with the same `t`."""

    t: float


Control = SetStyle | SetMirror | Reset | SetOverlay | Ping


class Ready(msgspec.Struct, tag="ready", frozen=True, kw_only=True):
    """First message to a client: what it is connected to; name is the session's, for viewers."""

    name: str
    model: str
    styles: list[str]
    runtime: str
    width: int
    height: int


class Ok(msgspec.Struct, tag="ok", frozen=True):
    """A control message took effect."""

    of: str


class Pong(msgspec.Struct, tag="pong", frozen=True):
    """The answer to Ping."""

    t: float


class Error(msgspec.Struct, tag="error", frozen=True):
    """A sentence about what went wrong."""

    error: str


class StatsReport(msgspec.Struct, tag="stats", frozen=True, kw_only=True):
    """Times from a frame's arrival to its departure over the last seconds, in ms.

    runtime: what steps the model; about: what is being built to take its place, and why others
    are not used. encoding: in which way pictures are encoded smaller than they should be, and why.
    """

    fps: float
    in_fps: float
    p50_ms: float
    p95_ms: float
    dropped: int
    runtime: str
    about: str = ""
    encoding: str = ""
    stages: dict[str, dict[str, float]]


class Pose(msgspec.Struct, tag="pose", frozen=True, omit_defaults=True):
    """What was seen in one frame: landmarks, [x, y, visibility] in 0..1 of the incoming picture;
    or lines, a WebP picture in base64 of the largest middle part of it."""

    landmarks: list[list[float]] | None
    lines: str = ""


Notice = Ready | Ok | Pong | Error | StatsReport | Pose

_decoder = msgspec.json.Decoder(Control)
_encoder = msgspec.json.Encoder()


def decode_control(data: str | bytes) -> Control:
    """Parse a client's message. Raises InputError."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise InputError(f"message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES} are taken")
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InputError(
            f"not a control message ({error}); known types: style, mirror, reset, overlay, ping"
        ) from error


def encode_notice(notice: Notice) -> str:
    """Serialize a server's message as JSON text."""
    return _encoder.encode(notice).decode()


def message_type(message: Control) -> str:
    """Return the wire name of a control message."""
    config: Any = message.__struct_config__
    return str(config.tag)
