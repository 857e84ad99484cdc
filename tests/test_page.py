"""The page in a real browser, against the real server."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Server, chromium, chromium_or_skip, write_movie, write_y4m

pytestmark = pytest.mark.browser
PATIENCE_MS = 12_000

# Mean colours of a <video>'s halves, and where its disc is (any colour that is not the corner's).
LOOK = """(id) => {
  const video = document.getElementById(id), canvas = document.createElement('canvas');
  canvas.width = canvas.height = 64;
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, 64, 64);
  const data = context.getImageData(0, 0, 64, 64).data;
  const sum = {left: [0, 0, 0], right: [0, 0, 0]};
  let n = 0, x = 0, y = 0;
  const corner = [...data.slice(0, 3)];
  for (let i = 0; i < 64 * 64; i++) {
    const c = data.slice(4 * i, 4 * i + 3), half = i % 64 < 32 ? 'left' : 'right';
    for (let k = 0; k < 3; k++) sum[half][k] += c[k] / 2048;
    if (Math.abs(c[0] - corner[0]) + Math.abs(c[1] - corner[1]) < 120) continue;
    n++; x += i % 64 / 64; y += i / 4096;
  }
  return {corner, ...sum, disc: n, x: x / n, y: y / n};
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    chromium_or_skip()
    server = Server()
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    write_y4m(folder / "camera.y4m")
    write_movie(folder / "movie.webm")
    return folder


@pytest.fixture(scope="module")
def browser(made: Path) -> Iterator[Any]:
    with chromium(made / "camera.y4m") as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Any, server: Server) -> Iterator[Any]:
    """A tab that lives through the module, with all its requests written down."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["camera"], accept_downloads=True
    )
    page = context.new_page()
    page.seen, page.broken = [], []
    page.on("request", lambda request: page.seen.append(request.url))
    page.on("pageerror", lambda error: page.broken.append(str(error)))
    page.goto(server.url)
    yield page
    context.close()


@pytest.fixture
def live(page: Any) -> Any:
    """The tab with the camera running, in style 0, mirrored."""
    if page.evaluate("rotolive.state") != "live":
        page.evaluate("rotolive.start('camera')")
        until(page, "rotolive.state === 'live'")
    return page


def until(page: Any, condition: str) -> None:
    page.wait_for_function(condition, timeout=PATIENCE_MS, polling=50)


def look(page: Any, video: str = "output") -> dict[str, Any]:
    return page.evaluate(LOOK, video)


def eventually(page: Any, seen: Any, patience_s: float = 8) -> dict[str, Any]:
    """Look at the output until `seen(look)` holds. Raises AssertionError."""
    deadline = time.monotonic() + patience_s
    while not seen(found := look(page)):
        assert time.monotonic() < deadline, f"not seen in time: {found}"
        page.wait_for_timeout(50)
    return found


def on_left(found: dict[str, Any]) -> bool:
    return found["disc"] > 20 and found["x"] < 0.5


def on_right(found: dict[str, Any]) -> bool:
    return found["disc"] > 20 and found["x"] > 0.5


def test_camera_comes_back_moving(page: Any) -> None:
    page.get_by_role("button", name="Start camera").click()
    until(page, "rotolive.state === 'live' && rotolive.stats().frames > 20")
    places = []
    for _ in range(12):
        places.append(eventually(page, on_right))  # a camera is mirrored from the start
        page.wait_for_timeout(90)
    assert max(p["y"] for p in places) - min(p["y"] for p in places) > 0.1
    assert page.locator("#hero").is_hidden()
    assert page.evaluate("rotolive.session")


def test_statistics_fill(live: Any) -> None:
    until(live, "rotolive.stats().p50_ms > 0 && rotolive.stats().fps > 5")
    stats = live.evaluate("rotolive.stats()")
    assert stats["p95_ms"] >= stats["server_p50_ms"] > 0
    assert stats["model"] == "tinted"
    assert stats["sent"].startswith("320")  # the camera's own size, from the start
    live.locator("#stats summary").click()
    until(live, "document.querySelectorAll('#stats-list dt').length > 6")
    text = live.locator("#stats").inner_text()
    assert "Latency p50" in text and "tinted" in text and "fps" in text
    assert all(live.locator("#stats-list dt").nth(i).get_attribute("title") for i in range(5))
    live.locator("#stats summary").click()


def test_mirror(live: Any) -> None:
    eventually(live, on_right)
    live.get_by_role("switch", name="Mirror").click()
    eventually(live, on_left)
    assert "mirrored" not in (live.locator("#preview").get_attribute("class") or "")
    live.keyboard.press("m")
    eventually(live, on_right)


def test_pose_overlay(live: Any) -> None:
    until(live, "rotolive.skeletons > 3")
    live.keyboard.press("o")
    live.wait_for_timeout(300)
    before = live.evaluate("rotolive.skeletons")
    live.wait_for_timeout(400)
    assert live.evaluate("rotolive.skeletons") == before
    assert live.get_by_role("switch", name="Show overlay").get_attribute("aria-checked") == "false"
    live.keyboard.press("o")
    until(live, f"rotolive.skeletons > {before}")


def test_styles_and_reset_by_keyboard(live: Any) -> None:
    live.keyboard.press("2")
    eventually(live, lambda seen: seen["corner"][0] > 150)
    chosen = live.get_by_role("button", name="Negative", exact=True)
    assert chosen.get_attribute("aria-pressed") == "true"
    live.get_by_role("button", name="As is", exact=True).click()
    eventually(live, lambda seen: seen["corner"][0] < 100)
    live.keyboard.press("r")
    eventually(live, lambda seen: 115 < seen["corner"][0] < 165)  # pale, as after a reset
    eventually(live, on_right)
    assert "Painted afresh" in live.locator("#message").inner_text()


def test_full_screen(live: Any) -> None:
    live.keyboard.press("f")
    until(live, "document.fullscreenElement?.id === 'frame'")
    assert live.locator("#stats").is_hidden()
    live.keyboard.press("f")
    until(live, "!document.fullscreenElement")


def test_snapshot_and_recording_arrive(live: Any, tmp_path: Path) -> None:
    with live.expect_download() as waiting:
        live.keyboard.press("s")
    waiting.value.save_as(picture := tmp_path / waiting.value.suggested_filename)
    assert picture.suffix == ".png" and picture.read_bytes()[:4] == b"\x89PNG"
    live.get_by_role("button", name="Record").click()
    live.wait_for_timeout(1500)
    assert live.locator("#rec").is_visible()
    assert live.get_by_role("button", name="Stop recording").is_visible()
    with live.expect_download() as waiting:
        live.keyboard.press("v")
    waiting.value.save_as(movie := tmp_path / waiting.value.suggested_filename)
    assert movie.suffix in (".mp4", ".webm") and movie.stat().st_size > 2000
    import av

    with av.open(str(movie)) as container:
        assert len(list(container.decode(video=0))) > 5


def test_two_tabs_are_islands(live: Any, browser: Any, server: Server, made: Path) -> None:
    context = browser.new_context()
    other = context.new_page()
    other.goto(server.url)
    other.locator("#file").set_input_files(str(made / "movie.webm"))
    until(other, "rotolive.state === 'live'")
    eventually(other, lambda seen: on_left(seen) and seen["left"][1] > seen["left"][0])  # green
    other.keyboard.press("2")
    eventually(other, lambda seen: seen["corner"][0] > 150)
    assert other.evaluate("rotolive.session") != live.evaluate("rotolive.session")
    for _ in range(10):
        mine = look(live)
        assert on_right(mine) and mine["corner"][0] < 100
        live.wait_for_timeout(40)
    context.close()
    assert live.evaluate("rotolive.state") == "live"


def test_source_changes_without_a_new_session(live: Any, made: Path) -> None:
    session = live.evaluate("rotolive.session")
    live.locator("#file").set_input_files(str(made / "movie.webm"))
    eventually(live, lambda seen: on_left(seen) and seen["left"][1] > seen["left"][0])
    assert live.evaluate("rotolive.session") == session
    assert not live.evaluate("rotolive.stats().mirror")
    live.locator(".sources [data-source=camera]").click()
    eventually(live, lambda seen: on_right(seen) and seen["right"][0] > seen["left"][0])


def test_the_view_link_shows_the_picture_alone(live: Any, browser: Any) -> None:
    live.context.grant_permissions(["clipboard-read", "clipboard-write"])
    live.get_by_role("button", name="Copy view link").press("Enter")
    until(live, "document.getElementById('message').textContent.startsWith('Copied')")
    link = live.evaluate("navigator.clipboard.readText()")
    assert live.evaluate("rotolive.session") not in link  # the key is nobody else's
    context = browser.new_context()
    viewer = context.new_page()
    viewer.goto(link)
    until(viewer, "document.getElementById('output').videoWidth > 0")
    places = []
    for _ in range(12):
        places.append(eventually(viewer, on_right))
        viewer.wait_for_timeout(90)
    assert max(p["y"] for p in places) - min(p["y"] for p in places) > 0.1
    assert viewer.locator("#note").inner_text() == ""
    context.close()
    assert live.evaluate("rotolive.state") == "live"


def test_a_picture_that_stays_away_is_noticed(live: Any) -> None:
    live.evaluate("""() => {
      const track = document.getElementById('input').srcObject.getVideoTracks()[0];
      track.dispatchEvent(new Event('mute'));
      window.getStats = RTCPeerConnection.prototype.getStats;
      RTCPeerConnection.prototype.getStats = async () => new Map();
    }""")
    assert "camera sends no picture" in live.locator("#message").inner_text()
    until(live, "rotolive.state === 'reconnecting'")
    assert "No picture comes back" in live.locator("#wait").inner_text()
    live.evaluate("() => { RTCPeerConnection.prototype.getStats = window.getStats; }")
    until(live, "rotolive.state === 'live'")


def test_a_file_that_is_no_video(live: Any, tmp_path: Path) -> None:
    (broken := tmp_path / "notes.mp4").write_bytes(b"not a movie")
    live.locator("#file").set_input_files(str(broken))
    until(live, "document.getElementById('message').textContent.includes('cannot play')")
    assert live.evaluate("rotolive.state") == "live"


def test_recovers_when_the_server_comes_back(live: Any, server: Server) -> None:
    live.keyboard.press("2")
    server.kill()
    until(live, "rotolive.state === 'reconnecting'")
    assert "goes on by itself" in live.locator("#wait").inner_text()
    server.start()
    until(live, "rotolive.state === 'live'")
    eventually(live, lambda seen: seen["corner"][0] > 150)  # the same style, the same camera
    live.keyboard.press("1")
    eventually(live, on_right)


def test_stop_frees_the_session(live: Any, server: Server) -> None:
    session = live.evaluate("rotolive.session")
    with live.expect_response(lambda reply: session in reply.url) as waiting:
        live.get_by_role("button", name="Stop", exact=True).click()
    assert waiting.value.request.method == "DELETE" and waiting.value.ok
    assert live.evaluate("rotolive.state") == "idle"
    assert live.locator("#input").evaluate("(video) => video.srcObject") is None


def test_full_house_is_said_plainly(live: Any, browser: Any, server: Server) -> None:
    context = browser.new_context(permissions=["camera"])
    page = context.new_page()
    page.route(
        "**/whip/*",
        lambda route: route.fulfill(status=503, json={"error": "All places are taken."}),
    )
    page.goto(server.url)
    page.keyboard.press("Tab")  # reachable without a mouse
    page.locator("#start").focus()
    page.keyboard.press("Enter")
    until(page, "rotolive.state === 'error'")
    assert page.get_by_role("alert").inner_text() == "All places are taken."
    context.close()


def test_the_clip_alone_for_other_programs(browser: Any, server: Server, made: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/static/clip.webm", lambda route: route.fulfill(path=made / "movie.webm"))
    page.goto(f"{server.url}/?source=clip&style=1&view=bare")
    until(page, "rotolive.state === 'live'")
    eventually(page, lambda seen: seen["corner"][0] > 150)
    box, size = page.locator("#output").bounding_box(), page.viewport_size
    assert box and (box["width"], box["height"]) == (size["width"], size["height"])
    assert page.locator("#stats").is_hidden()
    context.close()


def test_no_webrtc_is_said_plainly(browser: Any, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script("delete window.RTCPeerConnection")
    page.goto(server.url)
    page.get_by_role("alert").wait_for()
    assert "no WebRTC" in page.get_by_role("alert").inner_text()
    page.goto(f"{server.url}/view/anybody")
    assert "no WebRTC" in page.locator("#note").inner_text()
    context.close()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("NotFoundError", "No camera"),
        ("NotReadableError", "in use"),
    ],
)
def test_camera_trouble_is_said_plainly(
    browser: Any, server: Server, name: str, sentence: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => "
        f"Promise.reject(new DOMException('', '{name}'))"
    )
    page.goto(server.url)
    page.locator("#start").click()
    page.get_by_role("alert").wait_for()
    assert sentence in page.get_by_role("alert").inner_text()
    context.close()


def test_a_refused_camera_is_said_plainly(browser: Any, server: Server) -> None:
    context = browser.new_context()
    context.grant_permissions(["notifications"])  # and with that, no other
    page = context.new_page()
    page.goto(server.url)
    page.locator("#start").click()
    page.get_by_role("alert").wait_for()
    assert "refused" in page.get_by_role("alert").inner_text()
    context.close()


def test_a_phone_scrolls_one_way(browser: Any, server: Server) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        is_mobile=True,
        has_touch=True,
        permissions=["camera"],
    )
    page = context.new_page()
    page.goto(server.url)
    page.locator("#start").tap()
    until(page, "rotolive.state === 'live'")
    width, visible = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= visible == 360
    page.evaluate("delete Element.prototype.requestFullscreen")  # as on an iPhone
    page.get_by_role("button", name="Full screen", exact=True).tap()
    box = page.locator("#output").bounding_box()
    assert box and box["x"] == box["y"] == 0 and box["height"] == 740
    page.get_by_role("button", name="Leave full screen").tap()
    assert not page.locator(".frame.fill").count()
    context.close()


def test_nothing_leaves_the_server_and_nothing_breaks(page: Any, server: Server) -> None:
    outside = [u for u in page.seen if not u.startswith((server.url, "blob:", "data:"))]
    assert outside == []
    assert page.broken == []
