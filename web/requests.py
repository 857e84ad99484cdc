"""Reading what a client posted: small JSON objects or SDP, refused with a sentence otherwise."""

from typing import TypeVar

import msgspec
from fastapi import Request

MAX_BODY_BYTES = 64 * 1024
T = TypeVar("T")


class Refused(Exception):
    """A request that cannot be served: an HTTP status and a sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


async def read_json(request: Request, kind: type[T]) -> T:
    """Parse the body into `kind`. Raises Refused with 400, 413 or 415."""
    body = await _read_body(request, "application/json")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Refused(400, f"the body is not the JSON object expected here: {error}") from error


async def read_sdp(request: Request) -> str:
    """Take an SDP body. Raises Refused with 400, 413 or 415."""
    body = await _read_body(request, "application/sdp")
    try:
        return body.decode()
    except UnicodeError as error:
        raise Refused(400, "the offer is not SDP: it is not text") from error


def client_of(request: Request) -> str | None:
    """Return the address a request came from, where the server knows it."""
    return request.client.host if request.client else None


async def _read_body(request: Request, expected: str) -> bytes:
    content = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content != expected:
        raise Refused(415, f'the body is "{content or "untyped"}"; send {expected}')
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, f"the body is larger than {MAX_BODY_BYTES // 1024} KiB")
    return bytes(body)
