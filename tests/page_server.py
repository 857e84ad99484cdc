"""A server for the page's tests: python page_server.py PORT. Not a test itself."""

import sys
from collections.abc import Sequence

import numpy as np

from rotolive.model.condition import Observation, Planes
from rotolive.model.live import IdentityConditioner, IdentityModel, Picture, Request
from rotolive.web.serve import serve


class Standing(IdentityConditioner):
    """Sees the same upright person in every picture."""

    def observe(self, planes: Planes, time_s: float) -> Observation:
        seen = super().observe(planes, time_s)
        landmarks = np.full((33, 3), 0.9, np.float32)
        landmarks[:, 0] = np.where(np.arange(33) % 2, 0.6, 0.4)
        landmarks[:, 1] = np.linspace(0.1, 0.95, 33)
        return Observation(condition=seen.condition, landmarks=landmarks)


class Tinted(IdentityModel):
    """Gives back what it gets; style 1 is the negative, and a reset slot starts pale."""

    def __init__(self) -> None:
        super().__init__(slots=3)
        self.name, self.styles = "tinted", ("As is", "Negative")
        self._pale: dict[int, int] = {}

    def conditioner(self, *, mirror: bool) -> Standing:
        return Standing(self.width, self.height, mirror)

    def step(self, requests: Sequence[Request]) -> list[Picture]:
        return [self._paint(request) for request in requests]

    def _paint(self, request: Request) -> Picture:
        rgb = request.seen.condition.astype(np.uint8, copy=False)
        if self._pale.get(request.slot, 0) > 0:
            self._pale[request.slot] -= 1
            return Picture(rgb=rgb // 2 + 128)
        return Picture(rgb=255 - rgb if request.style[1] > 0.5 else rgb)

    def reset(self, slot: int) -> None:
        self._pale[slot] = 15


if __name__ == "__main__":
    serve(Tinted(), port=int(sys.argv[1]))
