"""A session outlives its connection: whose network changes goes on with it over another one."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, chromium_or_skip, write_y4m
from page_server import Tinted
from serving import serving, until
from test_page import eventually, on_right
from test_page import until as until_on
from test_whip import Peer, Served, ask, camera, hang_up

from rotolive.model.live import IdentityModel
from rotolive.stream.protocol import Frame
from rotolive.stream.transport import Link
from rotolive.stream.webrtc.ice import allow_loopback
from rotolive.stream.webrtc.peer import Peer as Member
from rotolive.stream.webrtc.settings import Settings
from rotolive.web.app import create_app


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    allow_loopback(only=True)
    app = create_app(IdentityModel(1), Settings(marker=True))
    with serving(app) as port:
        yield Served(f"http://127.0.0.1:{port}", app.state.peers, Path())


@contextmanager
def breakable() -> Iterator[Link]:
    """Connections that are opened in this block break when the link is set `on`."""
    link = Link(1.0, 0.0, random.Random(0))
    with link.installed():
        yield link


async def test_a_session_goes_on_over_another_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with breakable() as link:
        first = await Peer(f"{served.url}/whip/identity?session=stage", camera()).connect()
    before = served.peers._find("stage")
    assert isinstance(before, Member)
    frames: list[Frame] = []
    put = before.session.put
    monkeypatch.setattr(before.session, "put", lambda frame: (frames.append(frame), put(frame)))
    viewer = await Peer(f"{served.url}/whep/stage").connect()
    await viewer.frames(5)
    link.on = True
    key = first.resource.rpartition("/")[2]
    second = await Peer(f"{served.url}/whip/identity?resume={key}", camera()).connect()
    assert second.resource == first.resource and second.link == first.link
    after = served.peers._find("stage")
    assert after is not before and after.session is before.session and len(served.peers) == 1
    old = len(frames)
    await viewer.frames(10)
    assert len(frames) > old + 5
    assert [frame.seq for frame in frames] == list(range(len(frames)))
    times = [frame.pts for frame in frames]
    assert times == sorted(set(times)) and times[-1] - times[0] < 20 * 90_000
    assert before._pc.connectionState == "closed" and not after.session.closed
    await hang_up(served, second)
    assert after.session.closed
    await hang_up(served, first, viewer)


async def test_only_who_has_the_key_goes_on_and_a_bad_offer_ends_nothing(served: Served) -> None:
    owner = await Peer(f"{served.url}/whip/identity?session=mine", camera()).connect()
    member = served.peers._find("mine")
    offer, key = owner.pc.localDescription.sdp, owner.resource.rpartition("/")[2]
    broken = offer.replace("a=ice-pwd", "a=x-pwd").replace("a=fingerprint", "a=x-finger")
    for resume, body, status, words in (
        ("mine", offer, 404, "no such session"),
        ("nobody", offer, 404, "no such session"),
        (key, "hello", 400, "not SDP"),
        (key, broken, 400, "cannot be answered"),
    ):
        url = f"{served.url}/whip/identity?resume={resume}"
        found, _, text = await ask("POST", url, body)
        assert (found, words in text) == (status, True), text
    assert served.peers._find("mine") is member and not member.session.closed
    frames = member.session.stats.frames_in
    await until(lambda: member.session.stats.frames_in > frames + 3)
    await hang_up(served, owner)


@pytest.mark.browser
async def test_the_page_goes_on_when_its_network_is_cut(tmp_path: Path) -> None:
    chromium_or_skip()
    allow_loopback()
    app = create_app(Tinted())
    with serving(app) as port:
        await asyncio.to_thread(_watch_the_page, port, app.state.peers, tmp_path)


def _watch_the_page(port: int, peers: Any, folder: Path) -> None:
    with chromium(write_y4m(folder / "camera.y4m")) as browser:
        context = browser.new_context(permissions=["camera"])
        page, viewer = context.new_page(), context.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        with breakable() as link:
            page.evaluate("rotolive.start('camera')")
            until_on(page, "rotolive.state === 'live'")
        page.keyboard.press("2")
        eventually(page, lambda seen: seen["corner"][0] > 150)
        (before,) = (member for member in peers._peers.values() if member.owns)
        resource = page.evaluate("rotolive.session")
        with breakable() as other_link:
            viewer.goto(f"http://127.0.0.1:{port}/view/{before.name}")
            until_on(viewer, "document.getElementById('output').videoWidth > 0")
        page.bring_to_front()
        before.session._renderer.model._pale.clear()
        resets: list[int] = []
        before.session._renderer.model.reset = resets.append
        link.on = True
        until_on(page, "rotolive.state === 'reconnecting'")
        until_on(page, "rotolive.state === 'live'")
        eventually(page, lambda seen: on_right(seen) and seen["corner"][0] > 150)
        assert page.evaluate("rotolive.session") == resource
        (after,) = (member for member in peers._peers.values() if member.owns)
        assert after is not before and after.session is before.session
        assert not resets and len(peers.sessions()) == 1
        viewer.bring_to_front()
        moves(viewer)
        other_link.on = True
        viewer.evaluate("dispatchEvent(new Event('online'))")
        moves(viewer, patience_s=20)
        context.close()


def moves(page: Any, patience_s: float = 8) -> None:
    """Wait until the disc has gone some way."""
    start = eventually(page, on_right)["y"]
    eventually(page, lambda seen: on_right(seen) and abs(seen["y"] - start) > 0.15, patience_s)
