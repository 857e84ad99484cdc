"""A session's painted pictures into a file, while they are shown."""

import logging
import queue
import threading
from pathlib import Path

from ..model.errors import InputError
from ..model.video import TimedPicture, VideoWriter
from .protocol import Frame

logger = logging.getLogger(__name__)

FPS = 30.0
MAX_WAITING = 60
LONGEST_S = 3600.0
"""A recording that nobody ends ends by itself."""
FINISH_S = 10.0


class Recorder:
    """Writes pictures on a thread of its own; the file appears when `close` is called.

    A disk or an encoder that cannot keep up costs pictures of the recording, which are counted in
    `dropped`, and never holds up the session. Raises InputError where the file cannot be made.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        self.path = path
        self.frames = 0
        self.dropped = 0
        self.seconds = 0.0
        self._writer = VideoWriter(path, width, height, FPS)
        self._waiting: queue.Queue[Frame | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    def put(self, frame: Frame) -> None:
        """Take a picture (plane "rgb"); safe from any thread."""
        if self._waiting.qsize() < MAX_WAITING:
            self._waiting.put(frame)
        else:
            self.dropped += 1

    def close(self) -> None:
        """Finish the file. Raises InputError when it could not be written."""
        self._waiting.put(None)
        self._thread.join(FINISH_S)
        if not self.path.exists():
            raise InputError(f"{self.path.name} could not be written; the server's log says why")

    def _write(self) -> None:
        try:
            with self._writer as writer:
                self._write_all(writer)
        except (InputError, OSError) as error:
            logger.error("the recording failed: %s", error)

    def _write_all(self, writer: VideoWriter) -> None:
        begin: float | None = None
        while (frame := self._waiting.get()) is not None:
            now = float(frame.pts * frame.time_base)
            begin = now if begin is None else begin
            if now - begin > LONGEST_S:
                return
            self.seconds = now - begin
            writer.write(TimedPicture(rgb=frame.planes["rgb"], time_s=self.seconds))
            self.frames += 1
