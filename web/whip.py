"""Publishing and playing by the standards: WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep).

    POST /whip/MODEL?style=2&session=stage   publish; the session may be given a name
    POST /whep/SESSION                       play
    OPTIONS of either                        the ICE servers to use, as Link headers
    DELETE the Location that a POST answers  end it
    POST /whip/MODEL?resume=KEY              go on with a session over a new connection

A publisher's Location holds a key, not the session's name; a Link leads to the page that shows it.
Who publishes with an offer of "sendrecv" gets the painted video back on the same line, as the page
does. Answers hold all candidates, so there is nothing to trickle: PATCH is 405, as both allow. A
client whose network has changed resumes by the key, the last part of its Location.
"""

import hashlib

from fastapi import FastAPI, Request
from fastapi.responses import Response

from ..model.live import LiveModel
from ..stream.webrtc.peers import Peers
from .limits import OfferLimit
from .requests import Refused, client_of, read_sdp


def add_whip(app: FastAPI, model: LiveModel, peers: Peers) -> None:
    """Add both endpoints to an app."""
    limit = OfferLimit()

    def check_model(name: str) -> None:
        if name != model.name:
            raise Refused(404, f"no model {name!r} is served here; there is {model.name!r}")

    def created(answer: str, location: str, *links: str) -> Response:
        headers = {
            "Location": location,
            "ETag": f'"{hashlib.sha256(answer.encode()).hexdigest()[:16]}"',
            **_link_header(*links, *peers.settings.network.links()),
        }
        return Response(answer, 201, headers, media_type="application/sdp")

    @app.options("/whip/{name}")
    @app.options("/whep/{name}")
    async def options(name: str) -> Response:
        headers = {
            "Accept-Post": "application/sdp",
            **_link_header(*peers.settings.network.links()),
        }
        return Response(None, 204, headers)

    @app.post("/whip/{name}")
    async def publish(
        request: Request,
        name: str,
        style: int = 0,
        mirror: bool = False,
        session: str | None = None,
        resume: str | None = None,
    ) -> Response:
        client = client_of(request)
        limit.check(client)
        check_model(name)
        sdp = await read_sdp(request)
        if resume is not None:
            owner, answer = await peers.resume(resume, sdp, client=client)
        else:
            owner, answer = await peers.answer(
                sdp, style=style, mirror=mirror, client=client, name=session
            )
        view = f'</view/{owner.name}>; rel="alternate"'
        return created(answer, f"/whip/{model.name}/{owner.key}", view)

    @app.post("/whep/{session}")
    async def play(request: Request, session: str) -> Response:
        limit.check(client_of(request))
        sdp = await read_sdp(request)
        viewer, answer = await peers.watch(session, sdp, client=client_of(request))
        return created(answer, f"/whep/{session}/{viewer}")

    @app.delete("/whip/{name}/{key}")
    async def unpublish(name: str, key: str) -> Response:
        check_model(name)
        await peers.close(key)
        return Response()

    @app.delete("/whep/{session}/{viewer}")
    async def leave(session: str, viewer: str) -> Response:
        await peers.leave(session, viewer)
        return Response()


def _link_header(*links: str) -> dict[str, str]:
    return {"Link": ", ".join(links)} if links else {}
