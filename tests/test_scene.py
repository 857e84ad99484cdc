"""A session of an engine in the browser: watched, clicked at, edited, restyled."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from browser import chromium, chromium_or_skip, write_y4m
from numpy.typing import NDArray
from serving import serving

from rotolive.model.condition.labels.classes import STREET
from rotolive.model.condition.labels.palette import palette
from rotolive.model.live import PaletteModel
from rotolive.nodes.client import Client
from rotolive.stream.engine import EngineSettings
from rotolive.web.app import create_app

W, H = 128, 64
CLASSES = ("road", "building", "car")
COLOURS = dict(zip(STREET, palette(STREET).astype(int), strict=True))
MEAN = """(id) => {
  const video = document.getElementById(id), canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0);
  return [[.1, .2], [.4, .2], [.6, .2], [.9, .2], [.5, .9]].map(([x, y]) =>
    [...context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data.slice(0, 3)]);
}"""


def world() -> dict[str, NDArray[Any]]:
    """Two houses over a road; the right one is number 12."""
    label = np.zeros((H, W), np.uint8)
    label[: H // 2] = 1
    instance = np.zeros((H, W), np.uint16)
    instance[: H // 2, : W // 2], instance[: H // 2, W // 2 :] = 11, 12
    grey = np.full((H, W, 3), 200, np.uint8)
    return {"label": label, "instance": instance, "color": grey}


class TwoStyles(PaletteModel):
    def __init__(self) -> None:
        super().__init__(2, W, H)
        self.styles = ("day", "night")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    address = f"ipc://{tmp_path_factory.mktemp('scene')}/engine"
    app = create_app(TwoStyles(), engines=EngineSettings(addresses=(address,)))
    with serving(app) as port, Client(address, CLASSES, stream="town", size=(W, H)) as engine:
        stop = threading.Event()
        feeder = threading.Thread(target=feed, args=(engine, stop), daemon=True)
        feeder.start()
        engine.wait()
        yield f"http://127.0.0.1:{port}"
        stop.set()
        feeder.join()


def feed(engine: Client, stop: threading.Event) -> None:
    while not stop.wait(0.03):
        engine.send(**world())
        engine.receive()


def painted(url: str) -> dict[str, Any]:
    return httpx.get(f"{url}/api/sessions/town/scene").json()


def test_a_scene_is_described_and_changed(url: str) -> None:
    scene = painted(url)
    assert scene["classes"] == list(STREET) and scene["styles"] == ["day", "night"]
    assert scene["edits"] == {"classes": {}, "instances": {}, "erased": []}
    wish = {
        "style": 1,
        "edits": {"classes": {"building": "vegetation"}, "instances": {"12": "car"}},
    }
    answer = httpx.patch(f"{url}/api/sessions/town/scene", json=wish).json()
    assert answer["style"] == 1 and answer["edits"]["instances"] == {"12": "car"}
    assert painted(url)["edits"]["classes"] == {"building": "vegetation"}
    answer = httpx.patch(f"{url}/api/sessions/town/scene", json={"edits": {}, "reset": True}).json()
    assert answer["style"] == 1 and answer["edits"]["classes"] == {}


def test_what_is_at_a_place_is_told(url: str) -> None:
    at = f"{url}/api/sessions/town/scene/at"
    assert httpx.get(f"{at}?x=0.9&y=0.1").json() == {"class": "building", "instance": 12}
    assert httpx.get(f"{at}?x=0.5&y=0.9").json() == {"class": "road", "instance": 0}
    assert httpx.get(f"{at}?x=1.5&y=0").status_code == 400


@pytest.mark.parametrize(
    ("wish", "status", "sentence"),
    [
        ({"style": 7}, 422, "no style 7: palette has 0 day, 1 night"),
        ({"edits": {"classes": {"road": "lava"}}}, 400, "no class 'lava'"),
        ({"edits": {"instances": {"0": "car"}}}, 400, "no instance 0"),
        ({"colour": 3}, 422, "colour"),
    ],
)
def test_wishes_that_cannot_be_are_refused(
    url: str, wish: dict[str, Any], status: int, sentence: str
) -> None:
    answer = httpx.patch(f"{url}/api/sessions/town/scene", json=wish)
    assert answer.status_code == status and sentence in answer.json()["error"]


def test_only_sessions_of_engines_are_scenes(url: str) -> None:
    assert httpx.get(f"{url}/api/sessions/nobody/scene").status_code == 404


@pytest.fixture(scope="module")
def page(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium_or_skip()
    camera = write_y4m(tmp_path_factory.mktemp("made") / "camera.y4m")
    with chromium(camera) as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.broken = []
        page.on("pageerror", lambda error: page.broken.append(str(error)))
        page.goto(url)
        yield page
        context.close()


def shows(page: Any, names: list[str], video: str = "output") -> None:
    """Wait until the video's five places have these classes' colours."""
    page.wait_for_function("document.body.dataset.state === 'live'", timeout=15_000)
    wanted = np.array([COLOURS[name] for name in names])
    deadline = time.monotonic() + 10
    while True:
        page.wait_for_function(f"document.getElementById('{video}').videoWidth > 2")
        found = np.array(page.evaluate(MEAN, video))
        if np.abs(found - wanted).max() < 45:
            return
        assert time.monotonic() < deadline, f"{found.tolist()} is not {wanted.tolist()}"
        time.sleep(0.1)


@pytest.mark.browser
def test_the_page_plays_the_engine_and_what_it_sends(page: Any) -> None:
    shows(page, ["building"] * 4 + ["road"])
    page.wait_for_function("document.getElementById('seen').videoWidth === 128")
    found = np.array(page.evaluate(MEAN, "seen"))
    assert np.abs(found[:2] - 200).max() < 30, "its own picture is on the left"
    assert np.abs(found[2:4] - COLOURS["building"]).max() < 30, "and its labels on the right"
    assert "fps" in page.inner_text("#stats-line") and not page.broken


@pytest.mark.browser
def test_a_class_becomes_another_and_back(page: Any) -> None:
    page.select_option("#subject", "building")
    page.select_option("#target", "vegetation")
    page.click("#edit button")
    shows(page, ["vegetation"] * 4 + ["road"])
    page.click("text=Undo")
    shows(page, ["building"] * 4 + ["road"])


@pytest.mark.browser
def test_one_thing_is_clicked_at_and_changed(page: Any) -> None:
    box = page.locator("#output").bounding_box()
    high = box["width"] / 2 / box["height"]  # of the picture, letterboxed
    y = box["y"] + box["height"] * (0.5 - 0.3 * high)
    page.mouse.click(box["x"] + box["width"] * 0.8, y)
    page.wait_for_selector("text=this building (12)", state="attached")
    page.select_option("#target", "car")
    page.click("#edit button")
    shows(page, ["building", "building", "car", "car", "road"])
    page.select_option("#subject", "road")
    page.select_option("#target", "")
    page.click("#edit button")
    shows(page, ["building", "building", "car", "car", "car"])
    while page.locator("#edits button").count():
        page.locator("#edits button").first.click()
        page.wait_for_timeout(300)
    shows(page, ["building"] * 4 + ["road"])


@pytest.mark.browser
def test_styles_are_chosen_by_name_and_key(page: Any, url: str) -> None:
    page.click("#styles >> text=night")
    page.wait_for_function(
        "document.querySelector('#styles [aria-pressed=true]').innerText === 'night'"
    )
    assert painted(url)["style"] == 1
    page.keyboard.press("1")
    page.wait_for_function(
        "document.querySelector('#styles [aria-pressed=true]').innerText === 'day'"
    )
    assert not page.broken
