"""The door for engines, whatever carries their messages: hello, frames, wishes, goodbye."""

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from ..model.condition.labels.classes import UnknownClasses, match
from ..model.condition.labels.edits import Edits
from ..model.errors import InputError, RotoliveError
from ..model.live import UnknownStyle
from .engine_stream import EngineStream, Publish, Send, refusal
from .renderer import TooManySessions
from .webrtc.peers import NameTaken, Peers
from .wire.encodings import ENCODINGS
from .wire.errors import Code, WireError
from .wire.header import (
    CREDIT,
    SILENCE_S,
    Control,
    Frame,
    Hello,
    Part,
    Welcome,
    dump,
    parse,
)
from .wire.planes import Limits, check_size

logger = logging.getLogger(__name__)

MANDATORY = ("raw", "zlib")
LOOKED_AT = {"labels": ("label", "instance", "depth", "motion"), "pose": ("landmarks", "color")}
"""Planes that a model of a condition makes use of; others take pictures."""
CODES: dict[type[Exception], Code] = {
    NameTaken: "name_taken",
    TooManySessions: "full",
    UnknownStyle: "style",
    UnknownClasses: "classes",
}


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Where engines come in. addresses: of ZeroMQ, such as tcp://127.0.0.1:5599 or ipc:///tmp/x.

    publish: address at which painted frames are published. mapping: names of senders' classes onto
    the model's. curve: folder of keys, without which only this machine is let in.
    """

    addresses: tuple[str, ...] = ()
    publish: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    curve: Path | None = None


@dataclass(kw_only=True)
class Door:
    """What all engines come through. token: what each must show; publish: told of all pictures."""

    peers: Peers
    token: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    publish: Publish | None = None


class EngineClient:
    """One client: give `receive` its messages; answers and pictures go to `send`.

    trusted: its carrier has seen the token already. Use it from the event loop.
    """

    def __init__(self, door: Door, send: Send, *, trusted: bool = False) -> None:
        self._door = door
        self._send = send
        self._trusted = trusted or door.token is None
        self._stream: EngineStream | None = None
        self._opening: asyncio.Task[None] | None = None
        self._heard = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether it has a session, or is about to, and has not been silent for long."""
        if self._opening:
            return True
        if self._stream is None or self._stream.closed:
            return False
        return time.monotonic() - self._heard < SILENCE_S

    async def receive(self, parts: Sequence[Part]) -> None:
        """Take a message; what is wrong with it is answered, and the client stays."""
        self._heard = time.monotonic()
        seq = id = None
        try:
            header = parse(parts[0] if parts else b"")
            seq = header.seq if isinstance(header, Frame) else None
            id = header.id if isinstance(header, Control) else None
            match header:
                case Hello():
                    self._open(header)
                case Frame():
                    self._session().put(header, parts[1:])
                case Control():
                    await self._send([dump(self._obey(header))])
                case _:
                    self.close()
        except WireError as error:
            await self.refuse(error, seq, id)

    async def refuse(self, error: WireError, seq: int | None = None, id: int | None = None) -> None:
        """Answer what cannot be taken."""
        await self._send(refusal(error, seq, id))

    def close(self) -> None:
        """Free the session; safe to call again. The client is told."""
        if self._opening:
            self._opening.cancel()
        if self._stream:
            self._stream.close()

    def _session(self) -> EngineStream:
        if self._stream is None or self._stream.closed:
            raise WireError("no_session", "no session is open; say hello and wait for the welcome")
        self._stream.stage.heard()
        return self._stream

    def _open(self, hello: Hello) -> None:
        if self._opening:  # the answer is on its way
            return
        self.close()
        self._opening = asyncio.ensure_future(self._answer(hello))

    async def _answer(self, hello: Hello) -> None:
        try:
            welcome = await self._welcome(hello)
            await self._send([dump(welcome)])
        except RotoliveError as error:
            logger.info("an engine is refused: %s", error)
            await self._send(refusal(_coded(error, "stream")))
        except Exception as error:
            logger.exception("an engine could not be let in")
            await self._send(refusal(WireError("ended", f"no session could be opened: {error}")))
        finally:
            self._opening = None

    async def _welcome(self, hello: Hello) -> Welcome:
        door, model = self._door, self._door.peers.renderer.model
        self._check(hello)
        agreed = (
            *MANDATORY,
            *(e for e in hello.encodings if e in ENCODINGS and e not in MANDATORY),
        )
        if hello.painted not in agreed:
            came, known = hello.painted[:20], ", ".join(agreed)
            raise WireError("encoding", f"painted is {came!r}; {known} were agreed on")
        table = None
        if model.classes:
            table = match(hello.classes, model.classes, {**door.mapping, **hello.mapping})
        stage = await door.peers.open_stage(hello.stream, style=hello.style)
        limits = Limits(
            largest=door.peers.settings.largest,
            classes=len(hello.classes) if model.classes else 0,
            encodings=agreed,
        )
        self._stream = EngineStream(
            stage,
            limits=limits,
            table=table,
            painted=hello.painted,
            send=self._send,
            publish=door.publish,
            end=door.peers.close,
        )
        found = (
            [] if table is None else [model.classes[table[i]] for i in range(len(hello.classes))]
        )
        return Welcome(
            stream=stage.name,
            key=stage.key,
            model=model.name,
            width=model.width,
            height=model.height,
            condition=model.condition,
            styles=tuple(model.styles),
            classes=tuple(model.classes),
            mapping=dict(zip(hello.classes, found, strict=False)),
            planes=LOOKED_AT.get(model.condition, ("color",)),
            encodings=agreed,
            credit=CREDIT,
            silence_s=SILENCE_S,
        )

    def _check(self, hello: Hello) -> None:
        door, model = self._door, self._door.peers.renderer.model
        shown = (hello.token or "").encode()
        if not self._trusted and not secrets.compare_digest(shown, (door.token or "").encode()):
            raise WireError("token", "the token is not this server's; show it in hello")
        if hello.model not in (None, model.name):
            came = str(hello.model)[:80]
            raise WireError("model", f"no model {came!r} is served here; there is {model.name!r}")
        check_size(hello.width, hello.height, door.peers.settings.largest)

    def _obey(self, control: Control) -> Control:
        stream = self._session()
        answer = Control(type="ok", id=control.id)
        try:
            match control.type:
                case "ping":
                    pass
                case "style":
                    stream.session.set_style(-1 if control.index is None else control.index)
                case "reset":
                    stream.session.reset()
                case "edits":
                    stream.session.set_edits(
                        Edits(
                            classes=control.classes,
                            instances=control.instances,
                            erased=control.erased,
                        )
                    )
                case "stats":
                    return msgspec.structs.replace(answer, stats=stream.report())
                case _:
                    raise WireError("control", "ok is an answer; ask for something")
        except InputError as error:
            raise _coded(error, "classes") from error
        return answer


def _coded(error: Exception, otherwise: Code) -> WireError:
    """Return an error as one of the wire's."""
    if isinstance(error, WireError):
        return error
    return WireError(CODES.get(type(error), otherwise), str(error))


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """Read "sender's class=model's class" pairs. Raises InputError."""
    found = {}
    for pair in pairs:
        name, equals, known = pair.partition("=")
        if not (name and equals and known):
            raise InputError(f"--map is {pair!r}; give two classes, such as ute=car")
        found[name] = known
    return found
