import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from rotolive.model.errors import InputError, RotoliveError
from rotolive.model.live import IdentityConditioner, IdentityModel
from rotolive.stream.webrtc.ice import allow_loopback, resolve_mdns
from rotolive.stream.webrtc.peers import Peers
from rotolive.web.access import Access, check_exposure
from rotolive.web.app import create_app
from rotolive.web.serve import address, bind, serve

JSON = {"content-type": "application/json"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(IdentityModel(2), max_sessions=1)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await app.state.peers.close_all()


async def make_offer(*, kind: str = "video", direction: str = "sendrecv") -> dict[str, Any]:
    allow_loopback(only=True)
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.createDataChannel("control")
    if kind:
        pc.addTransceiver(kind, direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    offer = {"sdp": pc.localDescription.sdp, "type": "offer"}
    await pc.close()
    return offer


async def refused(http: httpx.AsyncClient, body: object, status: int, words: str) -> None:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    reply = await http.post("/api/offer", content=content, headers=JSON)
    assert reply.status_code == status, reply.text
    assert words in reply.json()["error"]


async def test_page_health_and_models(http: httpx.AsyncClient) -> None:
    assert (await http.get("/")).status_code == 200
    assert (await http.get("/static/main.js")).headers["cache-control"] == "no-cache"
    assert (await http.get("/api/health")).json()["status"] == "ok"
    (model,) = (await http.get("/api/models")).json()
    assert model["name"] == "identity"
    assert model["styles"] == [{"index": 0, "name": "as is"}]
    assert (model["width"], model["height"]) == (256, 256)


async def test_a_token_is_asked_for_on_all_but_the_page() -> None:
    access = Access(token="correct horse", origins=("https://stage.example",))
    app = create_app(IdentityModel(1), access=access)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        for path in ("/", "/view/x", "/static/main.js", "/api/health"):
            assert (await http.get(path)).status_code == 200
        for shown in ({}, {"authorization": "Bearer correct horsf"}, {"authorization": "correct"}):
            for method, path in (
                ("GET", "/api/models"),
                ("POST", "/api/offer"),
                ("POST", "/whip/identity"),
                ("POST", "/whep/x"),
                ("DELETE", "/whip/identity/x"),
            ):
                reply = await http.request(method, path, headers=shown)
                assert reply.status_code == 401 and "token" in reply.json()["error"]
                assert reply.headers["www-authenticate"] == "Bearer"
        right = {"authorization": "Bearer correct horse"}
        assert (await http.get("/api/models", headers=right)).status_code == 200
        asks = {"origin": "https://stage.example", "access-control-request-method": "POST"}
        allowed = await http.options("/whep/x", headers=asks)
        assert allowed.headers["access-control-allow-origin"] == "https://stage.example"
        other = await http.options("/whep/x", headers={**asks, "origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
    await app.state.peers.close_all()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_others_come_in_by_token_or_not_at_all(host: str) -> None:
    with pytest.raises(InputError, match="--token"):
        check_exposure(host, Access(), insecure=False)
    check_exposure(host, Access(), insecure=True)
    check_exposure(host, Access(token="long enough"), insecure=False)
    for own in ("127.0.0.1", "::1", "localhost"):
        check_exposure(own, Access(), insecure=False)
    with pytest.raises(InputError, match="3 characters"):
        Access(token="abc")


async def test_unknown_paths_answer_with_a_sentence(http: httpx.AsyncClient) -> None:
    for reply in (
        await http.get("/api/nothing"),
        await http.get("/static/../app.py"),
        await http.get("/api/sessions/none/stats"),
        await http.delete("/api/sessions/none"),
    ):
        assert reply.status_code == 404
        assert reply.json()["error"]


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '"x"', "{}", '{"sdp": 5}', b"\xff\xfe", '{"x":' + "[" * 30_000]
)
async def test_what_is_not_the_json_expected_is_400(
    http: httpx.AsyncClient, body: str | bytes
) -> None:
    await refused(http, body, 400, "the body is not the JSON object")


@pytest.mark.parametrize("sdp", ["", "hello", "v=0", "v=0\r\no=-", "v=0\r\nm=video x y z\r\n"])
async def test_what_is_not_sdp_is_refused(http: httpx.AsyncClient, sdp: str) -> None:
    reply = await http.post("/api/offer", json={"sdp": sdp, "type": "offer"})
    assert reply.status_code in (400, 422)
    assert "offer" in reply.json()["error"]


async def test_offers_that_cannot_be_served(http: httpx.AsyncClient) -> None:
    good = await make_offer()
    await refused(http, {**good, "type": "answer"}, 400, '"offer" is expected')
    await refused(http, {**good, "style": 7}, 422, "no style 7: identity has 0 as is")
    await refused(http, {**good, "sdp": " " * 70_000}, 413, "64 KiB")
    await refused(http, await make_offer(kind=""), 422, "no video")
    await refused(http, await make_offer(kind="audio"), 422, "no video")
    await refused(http, await make_offer(direction="recvonly"), 422, "sendrecv")
    broken = good["sdp"].replace("a=ice-pwd", "a=x-pwd").replace("a=fingerprint", "a=x-finger")
    await refused(http, {**good, "sdp": broken}, 400, "cannot be answered")
    no_codec = good["sdp"].replace("VP8/90000", "XX/90000").replace("H264/90000", "YY/90000")
    await refused(http, {**good, "sdp": no_codec}, 422, "VP8")
    reply = await http.post("/api/offer", json=good)  # none of these has kept the only slot
    assert reply.status_code == 200, reply.text


async def test_other_content_types_are_415(http: httpx.AsyncClient) -> None:
    reply = await http.post("/api/offer", content="{}", headers={"content-type": "text/plain"})
    assert reply.status_code == 415
    assert "application/json" in reply.json()["error"]


async def test_too_many_sessions_is_503_until_one_ends(http: httpx.AsyncClient) -> None:
    offer = await make_offer()
    first = (await http.post("/api/offer", json=offer)).json()
    assert first["type"] == "answer"
    assert "a=candidate" in first["sdp"]
    await refused(http, offer, 503, "too many sessions")
    assert (await http.delete(f"/api/sessions/{first['name']}")).status_code == 404
    assert (await http.delete(f"/api/sessions/{first['session']}")).status_code == 204
    assert (await http.post("/api/offer", json=offer)).status_code == 200


async def test_who_never_connects_loses_the_slot(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotolive.stream.webrtc.peer.CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr("rotolive.stream.webrtc.peers.SWEEP_S", 0.1)
    offer = await make_offer()
    assert (await http.post("/api/offer", json=offer)).status_code == 200
    await asyncio.sleep(0.8)
    assert (await http.get("/api/health")).json()["sessions"] == 0
    assert (await http.post("/api/offer", json=offer)).status_code == 200


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    made = Peers(IdentityModel(1))
    yield made
    await made.close_all()


async def test_a_peer_whose_pictures_ended_is_dead(peers: Peers) -> None:
    offer = await make_offer()
    owner, _ = await peers.answer(offer["sdp"], "offer")
    assert not owner.dead and owner._drain and owner._track
    owner._drain.cancel()
    await asyncio.sleep(0.05)
    assert owner.dead
    owner, _ = await peers.answer(offer["sdp"], "offer")  # sweeps, and takes the only slot
    assert not owner.dead and owner._track
    owner._track.stop()
    assert owner.dead


async def test_a_connection_that_does_not_close_holds_up_nobody(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotolive.stream.webrtc.peer.HANG_UP_S", 0.1)
    offer = await make_offer()
    owner, _ = await peers.answer(offer["sdp"], "offer")
    monkeypatch.setattr(owner._pc, "close", lambda: asyncio.sleep(60))
    async with asyncio.timeout(5):
        await peers.close(owner.key)
        await peers.answer(offer["sdp"], "offer")


async def test_who_dropped_off_does_not_take_a_successor_along(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotolive.stream.webrtc.peers.ABSENT_S", -1)
    offer = await make_offer()
    first, _ = await peers.answer(offer["sdp"], "offer", name="stage")
    second, _ = await peers.answer(offer["sdp"], "offer", name="stage")
    await peers._drop(first)  # as a sweep that found it dead before
    assert peers._find("stage") is second and not second.session.closed


async def test_a_peer_that_cannot_be_made_keeps_no_slot(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = await make_offer()
    with monkeypatch.context() as patched:
        patched.setattr("rotolive.stream.webrtc.peers.Peer", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await peers.answer(offer["sdp"], "offer")
    await peers.answer(offer["sdp"], "offer")


def test_a_model_that_cannot_see_fails_before_it_serves() -> None:
    class Blind(IdentityModel):
        def conditioner(self, *, mirror: bool) -> IdentityConditioner:
            raise RotoliveError("MediaPipe cannot start")

    with pytest.raises(RotoliveError, match="MediaPipe"):
        serve(Blind(1), port=0)


async def test_vp8_comes_first_whatever_the_offer_prefers(http: httpx.AsyncClient) -> None:
    offer = await make_offer()
    answer = (await http.post("/api/offer", json=offer)).json()["sdp"]
    maps = [line for line in answer.splitlines() if line.startswith("a=rtpmap")]
    assert "VP8" in maps[0]


def test_a_port_in_use_names_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} is in use.*--port {port + 1}"):
            bind("127.0.0.1", port)
    with pytest.raises(InputError, match="cannot listen"):
        bind("127.0.0.1", 70000)


def test_the_url_is_one_a_browser_gives_the_camera_to() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert address(listener).startswith("http://localhost:")


def test_names_of_browsers_become_the_address_of_the_client() -> None:
    line = "a=candidate:1 1 udp 2113937151 1f4712db-ea17.local 52077 typ host\r\n"
    assert resolve_mdns(line, "192.0.2.7") == line.replace("1f4712db-ea17.local", "192.0.2.7")
    assert " 127.0.0.1 " in resolve_mdns(line, None)
    assert " 127.0.0.1 " in resolve_mdns(line, "testclient")
    plain = "a=candidate:1 1 udp 2113937151 10.0.0.1 52077 typ host\r\n"
    assert resolve_mdns(plain, "192.0.2.7") == plain
