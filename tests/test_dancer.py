"""The dancer does what the person does: a real browser, a real server, the bundled model."""

import base64
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browser import Server, chromium, chromium_or_skip, write_y4m
from numpy.typing import NDArray

from rotolive.model.condition.pose.detect import PoseDetector
from rotolive.model.condition.pose.retarget import mirrored
from rotolive.model.live import open_model, paint
from rotolive.model.video import TimedPicture
from rotolive.stream.protocol import Frame
from rotolive.stream.renderer import Renderer
from rotolive.stream.session import Session
from rotolive.training.synthetic.actor import Actor
from rotolive.training.synthetic.backdrop import backdrop, over
from rotolive.training.synthetic.motion import sample_motion

MODEL = "dancer"
WIDTH, HEIGHT, FPS = 640, 480, 30
SEED, FRAMES = 9149, slice(90, 150)  # hands cross the body, a knee is lifted; never trained on
STYLE, OTHER = 0, 1
WRISTS = [15, 16]
TWELVE = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
STEP_NS = 133_000_000
NEAR = 0.035  # of the picture's height

GRAB = """async ([count, gap]) => {
  const canvases = [[640, 480], [256, 256]].map(([width, height]) =>
    Object.assign(document.createElement('canvas'), { width, height }));
  const pairs = [];
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, gap));
    const now = performance.now() / 1000;
    ['input', 'output'].forEach((id, k) => canvases[k].getContext('2d').drawImage(
      document.getElementById(id), 0, 0, canvases[k].width, canvases[k].height));
    pairs.push([now, ...canvases.map((canvas) => canvas.toDataURL('image/jpeg', 0.92))]);
  }
  return pairs;
}"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Landmarks in input and output at the same times: [T] s, and x, y [T, 33, 2] in heights."""

    times: NDArray[np.float64]
    sent: NDArray[np.float64]
    returned: NDArray[np.float64]

    def earlier(self, lag_s: float) -> NDArray[np.float64]:
        """What was sent `lag_s` ago, [T, 33, 2]."""
        flat = self.sent.reshape(len(self.times), -1)
        columns = [np.interp(self.times - lag_s, self.times, column) for column in flat.T]
        return np.stack(columns, 1).reshape(self.sent.shape)

    def likeness(self, lag_s: float) -> NDArray[np.float64]:
        """Correlations of the wrists' x and y with those sent `lag_s` ago, [2, 2]."""
        late = self.times >= self.times[0] + lag_s
        a, b = self.earlier(lag_s)[late][:, WRISTS], self.returned[late][:, WRISTS]
        a, b = a - a.mean(0), b - b.mean(0)
        return (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))

    def distance(self, lag_s: float) -> float:
        """Median distance of the twelve joints, in picture heights."""
        apart = (self.earlier(lag_s) - self.returned)[:, TWELVE]
        return float(np.median(np.linalg.norm(apart[self.times >= self.times[0] + lag_s], axis=-1)))


@pytest.fixture(scope="module")
def dance() -> list[NDArray[np.uint8]]:
    """Somebody who moves slowly before a wall as wide as a webcam's, there and back."""
    motion = sample_motion(np.random.default_rng(SEED), 6.0, 1.5 * FPS)
    studio, actor = backdrop(HEIGHT), Actor(STYLE, HEIGHT)
    side = (WIDTH - HEIGHT) // 2
    pictures = []
    for t in range(FRAMES.start, FRAMES.stop):
        picture = over(actor.render(motion[t]).rgba, studio)
        wide = cv2.copyMakeBorder(picture, 0, 0, side, side, cv2.BORDER_REPLICATE)
        pictures.append(np.asarray(wide, np.uint8))
    actor.close()
    return [*pictures, *pictures[-2:0:-1]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    chromium_or_skip()
    server = Server(sys.executable, "-m", "rotolive", "serve", "--model", MODEL, "--port")
    server.start(patience_s=60)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def browser(dance: list[NDArray[np.uint8]], tmp_path_factory: Any) -> Iterator[Any]:
    camera: Path = tmp_path_factory.mktemp("dance") / "camera.y4m"
    with chromium(write_y4m(camera, dance)) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser: Any, server: Server) -> Any:
    """A tab with the camera running, not mirrored, in the style of who dances."""
    page = open_tab(browser, server, STYLE)
    page.get_by_role("switch", name="Mirror").click()
    assert page.evaluate("rotolive.stats().mirror") is False
    page.wait_for_timeout(1500)  # calibrated anew
    return page


def open_tab(browser: Any, server: Server, style: int) -> Any:
    page = browser.new_context(permissions=["camera"]).new_page()
    page.goto(f"{server.url}/?source=camera&style={style}")
    page.wait_for_function("rotolive.state === 'live' && rotolive.stats().frames > 20")
    return page


def decode(url: str) -> NDArray[np.uint8]:
    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def watch(page: Any, count: int = 45, gap_ms: int = 80) -> Seen:
    """Take pairs of what is sent and what is seen, and find the person in both."""
    pairs = page.evaluate(GRAB, [count, gap_ms])
    times = np.array([time_s for time_s, _, _ in pairs])
    sent = landmarks(times, [decode(sent) for _, sent, _ in pairs])
    returned = landmarks(times, [decode(returned) for _, _, returned in pairs])
    sent[..., 0] = 0.5 + (sent[..., 0] - 0.5) * WIDTH / HEIGHT
    return Seen(times=times, sent=sent, returned=returned)


def landmarks(times: NDArray[np.float64], pictures: list[NDArray[np.uint8]]) -> Any:
    detector = PoseDetector()
    found = [detector.detect(rgb, t - times[0]) for t, rgb in zip(times, pictures, strict=True)]
    detector.close()
    missed = sum(one is None for one in found)
    assert missed <= 2, f"nobody is seen in {missed} of {len(found)} pictures"
    last = next(one for one in found if one is not None)
    held = [last := last if one is None else one for one in found]
    return np.stack(held)[..., :2].astype(np.float64)


def best_lag(seen: Seen) -> float:
    """The lag [s] at which the wrists agree best."""
    lags = np.arange(0, 0.6, 0.01)
    return float(lags[np.argmax([seen.likeness(lag).mean() for lag in lags])])


@pytest.mark.browser
def test_the_dancer_follows(page: Any) -> None:
    seen = watch(page)
    lag = best_lag(seen)
    assert seen.likeness(lag).min() > 0.85, (lag, seen.likeness(lag))
    assert seen.distance(lag) < NEAR, (lag, seen.distance(lag))


@pytest.mark.browser
def test_mirrored_left_is_right(page: Any) -> None:
    page.keyboard.press("m")
    page.wait_for_timeout(1500)
    seen = watch(page)
    page.keyboard.press("m")
    flipped = Seen(
        times=seen.times, sent=np.stack([mirrored(p) for p in seen.sent]), returned=seen.returned
    )
    lag = best_lag(flipped)
    assert flipped.likeness(lag).min() > 0.85, (lag, flipped.likeness(lag))
    assert flipped.distance(lag) < NEAR < seen.distance(lag)


@pytest.mark.browser
def test_two_tabs_two_dancers(page: Any, browser: Any, server: Server) -> None:
    other = open_tab(browser, server, OTHER)
    colours = [dancer_colour(tab) for _ in range(3) for tab in (page, other)]
    other.context.close()
    mine, theirs = np.array(colours[::2]), np.array(colours[1::2])
    assert np.linalg.norm(mine.mean(0) - theirs.mean(0)) > 20
    assert max(np.ptp(mine, 0).max(), np.ptp(theirs, 0).max()) < 15


def dancer_colour(page: Any) -> NDArray[np.float64]:
    """Mean colour of what is not the studio."""
    page.wait_for_timeout(150)
    picture = decode(page.evaluate(GRAB, [1, 0])[0][2]).astype(np.float64)
    person = np.abs(picture - backdrop(256)).max(-1) > 40
    assert 0.03 < person.mean() < 0.4
    return picture[person].mean(0)


@pytest.mark.parametrize("mirror", [False, True])
def test_streamed_equals_offline(dance: list[NDArray[np.uint8]], mirror: bool) -> None:
    model = open_model(MODEL, slots=2, runtime="eager")
    style = len(model.styles) - 1
    pictures = [TimedPicture(rgb=dance[4 * i], time_s=i * STEP_NS / 1e9) for i in range(12)]
    renderer = Renderer(model)
    session = Session(renderer, style=style, mirror=mirror)
    streamed = [through(session, i, picture) for i, picture in enumerate(pictures)]
    renderer.close()
    frames = [({"rgb": picture.rgb}, picture.time_s) for picture in pictures]
    offline = [picture.rgb for picture in paint(frames, model, style, mirror=mirror)]
    assert np.array_equal(np.stack(streamed), np.stack(offline))
    assert np.ptp(np.stack(streamed), axis=0).max() > 30  # it moves


def through(session: Session, i: int, picture: TimedPicture) -> NDArray[np.uint8]:
    """Send one frame and wait for it."""
    frame = Frame(
        seq=i,
        pts=3000 * i,
        time_base=Fraction(1, 90_000),
        captured_ns=i * STEP_NS,
        planes={"rgb": picture.rgb},
    )
    session.put(frame)
    painted = session.outbox.get(timeout=10)
    assert painted is not None and painted.seq == i
    return painted.planes["rgb"]
