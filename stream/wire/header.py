"""Headers: the first part of every message, UTF-8 JSON."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from .errors import WireError

VERSION = 1
MAX_HEADER_BYTES = 64 * 1024
MAX_NAME = 64
"""Characters of a stream's name."""
CREDIT = 2
SILENCE_S = 4.0
"""A client that says nothing for this long has left."""
LOST_S = 1.0
"""A frame that is not answered for this long gives its credit back."""

Part = bytes | memoryview
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Stamp = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Header(
    msgspec.Struct, tag_field="kind", tag=str.lower, frozen=True, kw_only=True, omit_defaults=True
):
    v: int = msgspec.field(default_factory=lambda: VERSION)


class Hello(_Header, frozen=True, kw_only=True):
    """A client's first message; classes: its names in id order; width, height: of its planes.

    mapping: names of its classes onto the model's, before the server's own. painted: the encoding
    of the pictures it gets.
    """

    stream: str
    width: int
    height: int
    v_min: int = msgspec.field(default_factory=lambda: VERSION)
    v_max: int = msgspec.field(default_factory=lambda: VERSION)
    fps: float = 30.0
    classes: tuple[str, ...] = ()
    mapping: dict[str, str] = {}
    model: str | None = None
    token: str | None = None
    encodings: tuple[str, ...] = ("raw",)
    painted: str = "raw"
    style: int = 0


class Welcome(_Header, frozen=True, kw_only=True):
    """The answer to a hello; width, height: of the pictures to come.

    mapping: every class of the sender onto the model's. classes: the model's. planes: what it looks
    at. encodings: that frames may use. credit: frames that may be unanswered. silence_s: of a
    client that has left. key: to the session, for recordings and statistics over HTTP.
    """

    stream: str
    key: str
    model: str
    width: int
    height: int
    condition: str
    styles: tuple[str, ...]
    classes: tuple[str, ...]
    mapping: dict[str, str]
    planes: tuple[str, ...] = ()
    encodings: tuple[str, ...]
    credit: int
    silence_s: float


class Plane(msgspec.Struct, frozen=True, kw_only=True):
    """One part that follows the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    encoding: str = "raw"


class Frame(_Header, frozen=True, kw_only=True):
    """Planes, one part each; captured_ns is the sender's own and comes back as it is.

    reset: a cut is before this frame. style: from this frame on. Of painted frames: skipped: frames
    of this session so far that a newer one replaced; server_ms: from a frame's arrival to here.
    """

    seq: Number
    width: int
    height: int
    planes: tuple[Plane, ...]
    captured_ns: Stamp = 0
    stream: str = ""
    reset: bool = False
    style: int | None = None
    skipped: int = 0
    server_ms: float = 0.0


class Control(_Header, frozen=True, kw_only=True):
    """A wish, answered by an "ok" of the same id or an error; index is a style's.

    classes, instances: what "edits" replaces by a class of the model, by class and by id; erased:
    classes that give way to what is next to them. No fields: no more edits.
    """

    type: Literal["ping", "style", "reset", "edits", "stats", "ok"]
    id: Number = 0
    index: int | None = None
    classes: dict[str, str] = {}
    instances: dict[int, str] = {}
    erased: tuple[str, ...] = ()
    stats: dict[str, Any] | None = None


class Error(_Header, frozen=True, kw_only=True):
    """A refusal: of a frame (seq), of a control message (id), else of the client."""

    code: str
    error: str
    seq: int | None = None
    id: int | None = None


class Bye(_Header, frozen=True, kw_only=True):
    """The session ends."""


Header = Hello | Welcome | Frame | Control | Error | Bye
FROM_CLIENT = ("hello", "frame", "control", "bye")
FROM_SERVER = ("welcome", "frame", "control", "error", "bye")


class _Envelope(msgspec.Struct):
    v: int
    kind: str
    v_min: int | None = None
    v_max: int | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_decoder = msgspec.json.Decoder(Header)
_encoder = msgspec.json.Encoder()
_T = TypeVar("_T")


def dump(header: Header) -> bytes:
    """Write a header."""
    return _encoder.encode(header)


def parse(part: Part, kinds: Sequence[str] = FROM_CLIENT) -> Header:
    """Read a header whose kind is one of `kinds`. Raises WireError."""
    size = len(part)
    if size > MAX_HEADER_BYTES:
        raise WireError("header", f"the header has {size} bytes; at most {MAX_HEADER_BYTES}")
    envelope = _read(_envelope, part)
    _check_version(envelope)
    if envelope.kind not in kinds:
        raise WireError("kind", f"kind is {envelope.kind[:40]!r}; it can be {', '.join(kinds)}")
    return _read(_decoder, part)


def _read(decoder: msgspec.json.Decoder[_T], part: Part) -> _T:
    try:
        return decoder.decode(part)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise WireError("header", f"the header does not fit: {error}") from error


def _check_version(envelope: _Envelope) -> None:
    first = envelope.v if envelope.v_min is None else envelope.v_min
    last = envelope.v if envelope.v_max is None else envelope.v_max
    if envelope.kind != "hello":
        first = last = envelope.v
    if not first <= VERSION <= last:
        came = str(first) if first == last else f"{first} to {last}"
        raise WireError("version", f"v is {came}; {VERSION} is spoken here")
