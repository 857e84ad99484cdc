"""Reading what a client posted, refused with a sentence otherwise."""

from fastapi import Request

MAX_BODY_BYTES = 64 * 1024


class Refused(Exception):
    """A request that cannot be served: an HTTP status, a sentence, and headers."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers


async def read_sdp(request: Request) -> str:
    """Take an SDP body. Raises Refused with 400, 413 or 415."""
    content = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content != "application/sdp":
        raise Refused(415, f'the body is "{content or "untyped"}"; send application/sdp')
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Refused(413, f"the body is larger than {MAX_BODY_BYTES // 1024} KiB")
    try:
        return body.decode()
    except UnicodeError as error:
        raise Refused(400, "the offer is not SDP: it is not text") from error


def client_of(request: Request) -> str | None:
    """Return the address a request came from, where the server knows it."""
    return request.client.host if request.client else None
