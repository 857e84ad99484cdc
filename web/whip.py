"""Publishing and playing by the standards: WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep).

    POST /whip/MODEL?style=2&session=stage   publish; the session may be given a name
    POST /whep/SESSION                       play
    DELETE the Location that either answers  end it

A publisher's Location holds a key, not the session's name; a Link leads to the page that shows it.
Answers hold all candidates, so there is nothing to trickle: PATCH is 405, as both allow.
"""

import hashlib

from fastapi import FastAPI, Request
from fastapi.responses import Response

from ..model.live import LiveModel
from ..stream.webrtc.peers import Peers
from .requests import Refused, client_of, read_sdp


def add_whip(app: FastAPI, model: LiveModel, peers: Peers) -> None:
    """Add both endpoints to an app."""

    def check_model(name: str) -> None:
        if name != model.name:
            raise Refused(404, f"no model {name!r} is served here; there is {model.name!r}")

    @app.post("/whip/{name}")
    async def publish(
        request: Request,
        name: str,
        style: int = 0,
        mirror: bool = False,
        session: str | None = None,
    ) -> Response:
        check_model(name)
        owner, answer = await peers.answer(
            await read_sdp(request),
            "offer",
            style=style,
            mirror=mirror,
            client=client_of(request),
            direction="recvonly",
            name=session,
        )
        shown = f'</view/{owner.name}>; rel="alternate"'
        return _created(answer, f"/whip/{model.name}/{owner.key}", Link=shown)

    @app.post("/whep/{session}")
    async def play(request: Request, session: str) -> Response:
        sdp = await read_sdp(request)
        viewer, answer = await peers.watch(session, sdp, client=client_of(request))
        return _created(answer, f"/whep/{session}/{viewer}")

    @app.delete("/whip/{name}/{key}")
    async def unpublish(name: str, key: str) -> Response:
        check_model(name)
        await peers.close(key)
        return Response()

    @app.delete("/whep/{session}/{viewer}")
    async def leave(session: str, viewer: str) -> Response:
        await peers.leave(session, viewer)
        return Response()


def _created(answer: str, location: str, **more: str) -> Response:
    headers = {
        **more,
        "Location": location,
        "ETag": f'"{hashlib.sha256(answer.encode()).hexdigest()[:16]}"',
    }
    return Response(answer, 201, headers, media_type="application/sdp")
