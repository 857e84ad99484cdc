"""The page and the API: static files, models, statistics; WHIP, WHEP and engines beside them."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.exceptions import HTTPException

from ..model.errors import InputError
from ..model.live import LiveModel, UnknownStyle
from ..stream.engine import Door, EngineSettings
from ..stream.renderer import TooManySessions
from ..stream.webrtc.peers import CannotRecord, NameTaken, NoSuchSession, Peers, TooManyViewers
from ..stream.webrtc.sdp import NoVideo
from ..stream.webrtc.settings import Settings
from ..stream.zeromq import ZeroMQ
from .access import Access, guard
from .engine import add_engine
from .requests import Refused
from .scene import add_scenes
from .whip import add_whip

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"
STATUS = {NoSuchSession: 404, NameTaken: 409, CannotRecord: 409, NoVideo: 422, UnknownStyle: 422}


def create_app(
    model: LiveModel,
    settings: Settings = Settings(),  # noqa: B008
    access: Access = Access(),  # noqa: B008
    engines: EngineSettings = EngineSettings(),  # noqa: B008
) -> FastAPI:
    """Serve one model. Raises InputError where engines cannot be let in."""
    peers = Peers(model, settings)
    door = Door(peers=peers, token=access.token, mapping=engines.mapping)
    zeromq = ZeroMQ(door, engines)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        zeromq.start()
        yield
        await peers.close_all()
        zeromq.close()

    app = FastAPI(title="Rotolive", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.peers = peers
    guard(app, access)
    _add_errors(app)
    _add_api(app, model, peers)
    add_whip(app, model, peers)
    add_engine(app, door, access)
    add_scenes(app, peers)
    _add_page(app, "engine.html" if model.condition == "labels" else "index.html")
    return app


def _add_api(app: FastAPI, model: LiveModel, peers: Peers) -> None:
    @app.get("/health")
    @app.get("/api/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "model": model.name, "sessions": len(peers)}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(peers.renderer.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    @app.get("/api/models")
    async def models() -> list[dict[str, Any]]:
        return [describe(model)]

    @app.get("/api/sessions")
    async def sessions() -> list[dict[str, Any]]:
        return [asdict(session) for session in peers.sessions()]

    @app.get("/api/sessions/{key}/stats")
    async def stats(key: str) -> dict[str, Any]:
        return msgspec.to_builtins(peers.stats(key))

    @app.post("/api/sessions/{key}/recording", status_code=201)
    async def record(key: str) -> dict[str, Any]:
        return {"file": peers.record(key)}

    @app.delete("/api/sessions/{key}/recording")
    async def stop_recording(key: str) -> dict[str, Any]:
        done = await peers.stop_recording(key)
        seconds = round(done.seconds, 3)
        return {"file": done.path.name, "seconds": seconds, "frames": done.frames}


def describe(model: LiveModel) -> dict[str, Any]:
    """Describe a model for the page."""
    return {
        "name": model.name,
        "width": model.width,
        "height": model.height,
        "styles": [{"index": i, "name": name} for i, name in enumerate(model.styles)],
        "runtime": model.runtime,
        "runtime_info": asdict(model.info),
        "condition": model.condition,
    }


def _add_page(app: FastAPI, page: str) -> None:
    @app.get("/")
    async def index() -> FileResponse:
        return FileResponse(STATIC / page, headers={"Cache-Control": "no-cache"})

    @app.get("/view/{name}")
    async def view(name: str) -> FileResponse:
        return FileResponse(STATIC / "view.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", _FreshFiles(directory=STATIC, check_dir=False), name="static")


class _FreshFiles(StaticFiles):
    """Files that browsers ask for anew each time, so that no new page meets an old script."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return _sentence(error.status, error.sentence, error.headers)

    @app.exception_handler(InputError)
    async def bad_input(_: Request, error: InputError) -> JSONResponse:
        return _sentence(STATUS.get(type(error), 400), str(error))

    @app.exception_handler(RequestValidationError)
    async def bad_parameter(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        given = repr(first.get("input"))[:80]
        return _sentence(422, f"{first['loc'][-1]} is {given}: {first['msg'].lower()}")

    @app.exception_handler(TooManySessions)
    @app.exception_handler(TooManyViewers)
    async def too_many(_: Request, error: Exception) -> JSONResponse:
        return _sentence(503, str(error))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> JSONResponse:
        return _sentence(error.status_code, str(error.detail))


def _sentence(status: int, sentence: str, headers: dict[str, str] | None = None) -> JSONResponse:
    logger.info("%d: %s", status, sentence)
    return JSONResponse({"error": sentence}, status, headers)
