"""The data channel: control messages in, notices out."""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable

import cv2
import numpy as np
from aiortc import RTCDataChannel
from numpy.typing import NDArray

from ...model.condition import Observation
from ...model.errors import InputError
from ..protocol import (
    Control,
    Error,
    Notice,
    Ok,
    Ping,
    Pong,
    Pose,
    Ready,
    Reset,
    SetMirror,
    SetOverlay,
    SetStyle,
    decode_control,
    encode_notice,
    message_type,
)
from ..session import Session
from .broadcast import Broadcast

logger = logging.getLogger(__name__)

MAX_BUFFERED = 16 * 1024
STATS_INTERVAL_S = 1.0
LINES = 255, 211, 111, 255
"""Colour of lines: blue, green, red, alpha."""
LOSSLESS = 101
"""Quality of WebP above which OpenCV loses nothing, which is smaller for lines."""


class ControlChannel:
    """Serves one session's "control" channel; lives on the event loop.

    heard: called whenever the client says something, as a sign of life.
    """

    def __init__(
        self,
        channel: RTCDataChannel,
        broadcast: Broadcast,
        ready: Ready,
        heard: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._broadcast = broadcast
        self._session: Session = broadcast.session
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._session.on_error = self._error_from_thread
        channel.on("message", self._on_message)
        self.send(ready)
        self._reporter = asyncio.ensure_future(self._report())

    def send(self, notice: Notice) -> None:
        """Send if the channel is open; a client that went away is no error."""
        if self._channel.readyState != "open":
            return
        try:
            self._channel.send(encode_notice(notice))
        except Exception:
            logger.debug("a notice could not be sent", exc_info=True)

    def close(self) -> None:
        """Say no more, nor of what the session tells; another channel's place is left alone."""
        self._reporter.cancel()
        if self._session.on_error == self._error_from_thread:
            self._session.on_error = None
        if self._session.on_pose == self._pose_from_thread:
            self._session.on_pose = None

    def _on_message(self, data: str | bytes) -> None:
        self._heard()
        try:
            message = decode_control(data)
            self.send(self._obey(message))
        except InputError as error:
            self.send(Error(str(error)))

    def _obey(self, message: Control) -> Notice:
        match message:
            case Ping(t=t):
                return Pong(t)
            case SetStyle(index=index):
                self._session.set_style(index)
            case SetMirror(on=on):
                self._session.set_mirror(on)
            case Reset():
                self._session.reset()
            case SetOverlay(on=on):
                self._session.on_pose = self._pose_from_thread if on else None
        return Ok(message_type(message))

    async def _report(self) -> None:
        while self._channel.readyState != "closed" and not self._session.closed:
            await asyncio.sleep(STATS_INTERVAL_S)
            self.send(self._broadcast.report())

    def _pose_from_thread(self, seen: Observation) -> None:
        landmarks = None if seen.landmarks is None else np.round(seen.landmarks, 4).tolist()
        lines = "" if seen.lines is None else _picture(seen.lines)
        self._call(self._send_pose, Pose(landmarks, lines))

    def _send_pose(self, pose: Pose) -> None:
        if self._channel.bufferedAmount < MAX_BUFFERED:
            self.send(pose)

    def _error_from_thread(self, sentence: str) -> None:
        self._call(self.send, Error(sentence))

    def _call(self, function: Callable[..., None], notice: Notice) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, notice)


def _picture(lines: NDArray[np.float32]) -> str:
    """Lines [H, W] in their colour on nothing, in base64."""
    drawn = (lines > 0)[..., None] * np.array(LINES, np.uint8)
    packed = cv2.imencode(".webp", drawn, (cv2.IMWRITE_WEBP_QUALITY, LOSSLESS))[1]
    return b64encode(packed.tobytes()).decode()
