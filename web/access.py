"""Who may use the server: a bearer token, and which pages of other origins."""

import secrets
from dataclasses import dataclass

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ..model.errors import InputError
from ..stream.addresses import is_loopback

GUARDED = ("/api/", "/whip/", "/whep/", "/metrics")
FREE = ("/api/health",)
SHORTEST_TOKEN = 8


@dataclass(frozen=True, kw_only=True)
class Access:
    """token: what every client must show (RFC 6750); None: nothing is asked.

    origins: pages elsewhere that may use the API, such as https://example.org; "*": all pages.
    """

    token: str | None = None
    origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < SHORTEST_TOKEN:
            raise InputError(
                f"the token has {len(self.token)} characters; give {SHORTEST_TOKEN} or more"
            )


def check_exposure(host: str, access: Access, insecure: bool) -> None:
    """Raise InputError when others than this machine could come in unasked."""
    if insecure or access.token is not None or is_loopback(host):
        return
    raise InputError(
        f"on {host} everybody on the network could use this machine: "
        "give them a --token, or allow it with --insecure"
    )


def guard(app: FastAPI, access: Access) -> None:
    """Ask for the token on everything but the page itself; let other origins in."""
    if access.token is not None:
        app.add_middleware(_TokenGuard, access=access)
    if access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=access.origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["Location", "ETag", "Link"],
        )


def shows_token(access: Access, headers: Headers) -> bool:
    """Tell whether a request shows the token, where one is asked for."""
    shown = headers.get("authorization", "")
    return access.token is None or secrets.compare_digest(
        shown.encode(), f"Bearer {access.token}".encode()
    )


def admits_origin(access: Access, headers: Headers) -> bool:
    """Tell whether the page that opens a WebSocket, if it is one, is ours or let in (RFC 6455)."""
    origin = headers.get("origin")
    if origin is None or origin in access.origins or "*" in access.origins:
        return True
    return origin.partition("://")[2] == headers.get("host")


class _TokenGuard:
    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._refuses(scope):
            sentence = "this server asks for its token: Authorization: Bearer TOKEN"
            answer = JSONResponse({"error": sentence}, 401, {"WWW-Authenticate": "Bearer"})
            await answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refuses(self, scope: Scope) -> bool:
        path: str = scope["path"]
        if not path.startswith(GUARDED) or path in FREE:
            return False
        return not shows_token(self._access, Headers(scope=scope))
