"""What an engine's session shows, to look at and to change: style, edits of labels."""

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict

from ..model.condition.labels.edits import Edits
from ..stream.webrtc.peers import Peers
from ..stream.webrtc.stage import Stage


class _EditsWish(BaseModel):
    model_config = ConfigDict(extra="forbid")
    classes: dict[str, str] = {}
    instances: dict[int, str] = {}
    erased: list[str] = []


class _Wish(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    style: int | None = None
    edits: _EditsWish | None = None
    reset: bool = False


def add_scenes(app: FastAPI, peers: Peers) -> None:
    """Serve /api/sessions/{name}/scene for engines' sessions."""

    @app.get("/api/sessions/{name}/scene")
    async def scene(name: str) -> dict[str, Any]:
        return describe(peers.stage(name))

    @app.patch("/api/sessions/{name}/scene")
    async def change(name: str, wish: _Wish) -> dict[str, Any]:
        stage = peers.stage(name)
        if wish.edits is not None:
            stage.session.set_edits(Edits(**wish.edits.model_dump()))
        if wish.style is not None:
            stage.session.set_style(wish.style)
        if wish.reset:
            stage.session.reset()
        return describe(stage)

    @app.get("/api/sessions/{name}/scene/at")
    async def at(name: str, x: float, y: float) -> dict[str, Any]:
        found = await run_in_threadpool(peers.stage(name).at, x, y)
        return {"class": found[0], "instance": found[1]}


def describe(stage: Stage) -> dict[str, Any]:
    """Describe a session for the page."""
    session, model = stage.session, stage.session.model
    edits = session.edits
    return {
        "name": stage.name,
        "model": model.name,
        "width": model.width,
        "height": model.height,
        "styles": list(model.styles),
        "style": session.style,
        "classes": list(model.classes),
        "edits": {
            "classes": dict(edits.classes),
            "instances": {str(key): name for key, name in edits.instances.items()},
            "erased": list(edits.erased),
        },
        "stats": msgspec.to_builtins(stage.broadcast.report()),
    }
