import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from rotolive.model.errors import InputError, RotoliveError
from rotolive.model.live import IdentityConditioner, IdentityModel
from rotolive.stream.webrtc.ice import allow_loopback, resolve_mdns
from rotolive.stream.webrtc.peers import Peers
from rotolive.stream.webrtc.settings import Settings
from rotolive.web.access import Access, check_exposure
from rotolive.web.app import create_app
from rotolive.web.limits import BURST, OFFERS_A_SECOND, OfferLimit
from rotolive.web.requests import Refused
from rotolive.web.serve import address, bind, serve

WHIP = "/whip/identity"
SDP = {"content-type": "application/sdp"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(IdentityModel(2), Settings(max_sessions=1))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await app.state.peers.close_all()


async def make_offer(*, kind: str = "video", direction: str = "sendrecv") -> str:
    allow_loopback(only=True)
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    pc.createDataChannel("control")
    if kind:
        pc.addTransceiver(kind, direction=direction)
    await pc.setLocalDescription(await pc.createOffer())
    offer = pc.localDescription.sdp
    await pc.close()
    return offer


async def refused(
    http: httpx.AsyncClient, offer: str | bytes, status: int, words: str, query: str = ""
) -> None:
    reply = await http.post(WHIP + query, content=offer, headers=SDP)
    assert reply.status_code == status, reply.text
    assert words in reply.json()["error"]


async def taken(http: httpx.AsyncClient, offer: str) -> httpx.Response:
    reply = await http.post(WHIP, content=offer, headers=SDP)
    assert reply.status_code == 201, reply.text
    return reply


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
                ("GET", "/metrics"),
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
        await http.delete(f"{WHIP}/none"),
        await http.post("/api/sessions/none/recording"),
        await http.delete("/api/sessions/none/recording"),
    ):
        assert reply.status_code == 404
        assert reply.json()["error"]


@pytest.mark.parametrize(
    "sdp", ["", "hello", b"\xff\xfe", "{}", "v=0", "v=0\r\no=-", "v=0\r\nm=video x y z\r\n"]
)
async def test_what_is_not_sdp_is_refused(http: httpx.AsyncClient, sdp: str | bytes) -> None:
    reply = await http.post(WHIP, content=sdp, headers=SDP)
    assert reply.status_code in (400, 422)
    assert "offer" in reply.json()["error"]


async def test_offers_that_cannot_be_served(http: httpx.AsyncClient) -> None:
    good = await make_offer()
    await refused(http, good, 422, "no style 7: identity has 0 as is", "?style=7")
    await refused(http, " " * 70_000, 413, "64 KiB")
    await refused(http, await make_offer(kind=""), 422, "no video")
    await refused(http, await make_offer(kind="audio"), 422, "no video")
    await refused(http, await make_offer(direction="recvonly"), 422, "sendrecv")
    broken = good.replace("a=ice-pwd", "a=x-pwd").replace("a=fingerprint", "a=x-finger")
    await refused(http, broken, 400, "cannot be answered")
    no_codec = good.replace("VP8/90000", "XX/90000").replace("H264/90000", "YY/90000")
    await refused(http, no_codec, 422, "VP8")
    await taken(http, good)  # none of these has kept the only slot


async def test_other_content_types_are_415(http: httpx.AsyncClient) -> None:
    reply = await http.post(WHIP, content="{}", headers={"content-type": "application/json"})
    assert reply.status_code == 415
    assert "application/sdp" in reply.json()["error"]


async def test_a_flood_of_offers_is_429_and_others_come_in(http: httpx.AsyncClient) -> None:
    for _ in range(int(BURST)):
        await refused(http, "hello", 400, "not SDP")
    reply = await http.post(WHIP, content="hello", headers=SDP)
    assert reply.status_code == 429 and int(reply.headers["retry-after"]) >= 1
    assert "too many offers" in reply.json()["error"]
    assert (await http.get("/api/health")).status_code == 200


def test_offers_are_limited_by_client_and_forgiven_with_time() -> None:
    now = 0.0
    limit = OfferLimit(lambda: now)
    for _ in range(int(BURST)):
        limit.check("192.0.2.1")
    with pytest.raises(Refused):
        limit.check("192.0.2.1")
    limit.check("192.0.2.2")
    now += 1 / OFFERS_A_SECOND
    limit.check("192.0.2.1")
    with pytest.raises(Refused):
        limit.check("192.0.2.1")


async def test_too_many_sessions_is_503_until_one_ends(http: httpx.AsyncClient) -> None:
    offer = await make_offer()
    first = await taken(http, offer)
    assert "a=candidate" in first.text
    await refused(http, offer, 503, "too many sessions")
    key = first.headers["location"].rpartition("/")[2]
    unwanted = await http.post(f"/api/sessions/{key}/recording")
    assert unwanted.status_code == 409 and "--recordings" in unwanted.json()["error"]
    name = first.headers["link"].split(">")[0].rpartition("/")[2]
    assert (await http.delete(f"{WHIP}/{name}")).status_code == 404
    assert (await http.delete(first.headers["location"])).status_code == 200
    await taken(http, offer)


async def test_who_never_connects_loses_the_slot(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotolive.stream.webrtc.peer.CONNECT_TIMEOUT_S", 0.2)
    monkeypatch.setattr("rotolive.stream.webrtc.peers.SWEEP_S", 0.1)
    offer = await make_offer()
    await taken(http, offer)
    await asyncio.sleep(0.8)
    assert (await http.get("/api/health")).json()["sessions"] == 0
    await taken(http, offer)


@pytest.fixture
async def peers() -> AsyncIterator[Peers]:
    made = Peers(IdentityModel(1))
    yield made
    await made.close_all()


async def test_a_peer_whose_pictures_ended_is_dead(peers: Peers) -> None:
    offer = await make_offer()
    owner, _ = await peers.answer(offer)
    assert not owner.dead and owner._drain and owner._track
    owner._drain.cancel()
    await asyncio.sleep(0.05)
    assert owner.dead
    owner, _ = await peers.answer(offer)  # sweeps, and takes the only slot
    assert not owner.dead and owner._track
    owner._track.stop()
    assert owner.dead


async def test_a_connection_that_does_not_close_holds_up_nobody(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotolive.stream.webrtc.peer.HANG_UP_S", 0.1)
    offer = await make_offer()
    owner, _ = await peers.answer(offer)
    monkeypatch.setattr(owner._pc, "close", lambda: asyncio.sleep(60))
    async with asyncio.timeout(5):
        await peers.close(owner.key)
        await peers.answer(offer)


async def test_who_dropped_off_does_not_take_a_successor_along(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rotolive.stream.webrtc.peers.ABSENT_S", -1)
    offer = await make_offer()
    first, _ = await peers.answer(offer, name="stage")
    second, _ = await peers.answer(offer, name="stage")
    await peers._drop(first)  # as a sweep that found it dead before
    assert peers._find("stage") is second and not second.session.closed


async def test_a_peer_that_cannot_be_made_keeps_no_slot(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = await make_offer()
    with monkeypatch.context() as patched:
        patched.setattr("rotolive.stream.webrtc.peers.Peer", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await peers.answer(offer)
    await peers.answer(offer)


def test_a_model_that_cannot_see_fails_before_it_serves() -> None:
    class Blind(IdentityModel):
        def conditioner(self, *, mirror: bool) -> IdentityConditioner:
            raise RotoliveError("MediaPipe cannot start")

    with pytest.raises(RotoliveError, match="MediaPipe"):
        serve(Blind(1), port=0)


async def test_vp8_comes_first_whatever_the_offer_prefers(http: httpx.AsyncClient) -> None:
    offer = await make_offer()
    answer = (await taken(http, offer)).text
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
