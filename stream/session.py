"""One user's stream: frames in, a worker thread that makes conditions, pictures out."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from ..model.condition import Conditioner, Observation
from ..model.condition.labels.edits import Edits
from ..model.live import Picture
from .colour import brightness, seen_planes
from .guard import is_finite
from .mailbox import Closed, Mailbox
from .marker import read_marker, write_marker
from .protocol import Frame, StatsReport
from .renderer import Job, Renderer
from .stats import Stats

logger = logging.getLogger(__name__)


PoseSink = Callable[[Observation], None]
ErrorSink = Callable[[str], None]
MAX_FAILURES = 30


class Session:
    """Put frames into `inbox`, take painted ones (plane "rgb") from `outbox`.

    marker: carry a bar code from each incoming frame over to the picture, for the bench.
    Raises TooManySessions, UnknownStyle.
    """

    def __init__(
        self, renderer: Renderer, *, style: int = 0, mirror: bool = True, marker: bool = False
    ) -> None:
        self.model = renderer.model
        self.stats = Stats(renderer.metrics)
        self.inbox: Mailbox[Frame] = Mailbox()
        self.outbox: Mailbox[Frame] = Mailbox()
        self.on_pose: PoseSink | None = None
        self.on_error: ErrorSink | None = None
        self._renderer = renderer
        self.style, self.edits = style, Edits()
        self._style = renderer.model.style(style)
        self._mirror = self._mirrored = mirror
        self._marker = marker
        self._watched = True
        self._begun = False
        self._reset = False
        self._seen = -1
        self._failures = 0
        self._seat = renderer.acquire(self._deliver, self._failed, self.close)
        self._worker = threading.Thread(target=self._work, name="condition", daemon=True)
        self._worker.start()

    @property
    def closed(self) -> bool:
        return self.inbox.closed

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced, anywhere on the way."""
        return self.inbox.dropped + self._seat.inbox.dropped + self.outbox.dropped

    def put(self, frame: Frame) -> None:
        """Take a frame in; the newest wins. Nothing is painted for nobody."""
        self.stats.came_in()
        if self._watched:
            self._begun = True
            self.inbox.put(frame)

    def watch(self, on: bool) -> None:
        """Paint, or rest while nobody watches; what was painted long ago is forgotten."""
        if on and not self._watched and self._begun:
            self.reset()
        self._watched = on

    def set_style(self, index: int) -> None:
        """Paint in another style. Raises UnknownStyle, which names the accepted range."""
        self._style, self.style = self.model.style(index), index

    def set_mirror(self, on: bool) -> None:
        """Mirror the camera from the next frame on."""
        self._mirror = on

    def set_edits(self, edits: Edits) -> None:
        """Show classes and instances as others from the next frame on. Raises InputError."""
        edits.check(self.model.classes)
        self.edits = edits

    def reset(self) -> None:
        """Forget the past: the conditioner's and the generator's."""
        self._reset = True
        self._renderer.reset(self._seat)

    def report(self) -> StatsReport:
        """Return times and rates over the last seconds."""
        info = self.model.info
        return StatsReport(
            dropped=self.dropped,
            runtime=info.runtime,
            about=info.sentence,
            **self.stats.report(),  # pyright: ignore[reportArgumentType]
        )

    def close(self) -> None:
        """Free the slot and the threads; safe to call twice and from any thread."""
        self.inbox.close()
        self.outbox.close()
        self._renderer.release(self._seat)
        self.on_pose = self.on_error = None

    def _work(self) -> None:
        self._mirrored = self._mirror
        try:
            conditioner = self.model.conditioner(mirror=self._mirrored)
        except Exception as error:
            self._failed(error)
            self.close()
            return
        try:
            while True:
                frame = self.inbox.get()
                if frame is not None:
                    self._try_frame(conditioner, frame)
        except Closed:
            pass
        finally:
            conditioner.close()

    def _try_frame(self, conditioner: Conditioner, frame: Frame) -> None:
        try:
            self._apply_wishes(conditioner)
            self._condition(conditioner, frame)
        except Exception as error:
            self._failed(error)

    def _apply_wishes(self, conditioner: Conditioner) -> None:
        if self._mirrored != self._mirror:
            self._mirrored = self._mirror
            conditioner.set_mirror(self._mirrored)
        conditioner.set_style(self.style)
        if self._reset:
            self._reset = False
            conditioner.reset()

    def _condition(self, conditioner: Conditioner, frame: Frame) -> None:
        frame.marks["picked"] = time.monotonic_ns()
        if self._seen < frame.cut:
            conditioner.reset()
        self._seen = frame.seq
        marker = read_marker(brightness(frame)) if self._marker else None
        planes = self.edits.apply(seen_planes(frame), self.model.classes)
        seen = conditioner.observe(planes, frame.captured_ns / 1e9)
        frame.marks["conditioned"] = time.monotonic_ns()
        on_pose = self.on_pose
        if on_pose:
            on_pose(seen)
        if is_finite(seen.condition):
            job = Job(frame=frame, seen=seen, style=self._style, marker=marker)
            self._seat.inbox.put(job)

    def _deliver(self, job: Job, picture: Picture) -> None:
        self._failures = 0
        rgb = picture.rgb
        if job.marker is not None:
            rgb = rgb.copy()
            write_marker(rgb, job.marker)
        self.outbox.put(replace(job.frame, planes={"rgb": rgb}))

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        logger.error("a frame failed: %s", error, exc_info=self._failures == 1 and error)
        if self._failures == 1:
            self._tell(f"a frame could not be painted: {error}")
        if self._failures >= MAX_FAILURES:
            self._tell("the session ends: no frame could be painted")
            self.close()

    def _tell(self, sentence: str) -> None:
        on_error = self.on_error
        if on_error:
            on_error(sentence)
