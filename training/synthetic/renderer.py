"""Drawing dressed people with OpenGL, offscreen (EGL; Mesa's software drawing is enough)."""

from dataclasses import dataclass
from typing import Any

import cv2
import moderngl
import numpy as np
from numpy.typing import NDArray

from .camera import FLOOR, matrix
from .mesh import Mesh
from .shaders import FRAGMENT, VERTEX

OVERSAMPLING = 2
_LAYOUT = ("3f4 3f4 2f4 4f4 4f4 1f4", "point", "normal", "uv", "bones", "weights", "part")


@dataclass(frozen=True, kw_only=True)
class Layers:
    """rgba uint8 [H, W, 4] straight alpha, parts uint8 [H, W], motion float16 [2, H/4, W/4]."""

    rgba: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    motion: NDArray[np.float16]


class Renderer:
    """Draws a fixed list of meshes; one per process and thread."""

    def __init__(self, meshes: list[Mesh], size: int) -> None:
        self.size = size
        side = size * OVERSAMPLING
        self.context = context = moderngl.create_context(
            standalone=True,
            backend="egl",  # pyright: ignore[reportArgumentType]
        )
        self.program = context.program(vertex_shader=VERTEX, fragment_shader=FRAGMENT)
        colour = context.texture((side, side), 4)
        part = context.texture((side, side), 1)
        motion = context.texture((side, side), 2, dtype="f2")
        depth = context.depth_renderbuffer((side, side))
        self.solid = context.framebuffer([colour, part, motion], depth)
        self.soft = context.framebuffer([colour], depth)
        self.program["camera"].write(matrix().T.tobytes())  # pyright: ignore[reportAttributeAccessIssue]
        self._set("size", float(size))
        self._set("floor_z", FLOOR)
        self.items = [(self._upload(mesh), mesh) for mesh in meshes]

    def draw(self, now: NDArray[np.float32], was: NDArray[np.float32]) -> Layers:
        """Draw with the bones' matrices [B, 4, 4] of this and the previous frame."""
        with self.context:  # several people may be in one process
            self._draw(now, was)
            return self._read()

    def _draw(self, now: NDArray[np.float32], was: NDArray[np.float32]) -> None:
        for name, bones in (("now", now), ("was", was)):
            data = np.ascontiguousarray(np.swapaxes(bones, -1, -2), np.float32).tobytes()
            self.program[name].write(data)  # pyright: ignore[reportAttributeAccessIssue]
        context = self.context
        self.solid.use()
        self.solid.clear()
        context.enable_only(moderngl.DEPTH_TEST)
        self._set("soft", False)
        for item, _ in self.items:
            self._render(item)
        self.soft.use()
        self.soft.depth_mask = False
        context.enable(moderngl.BLEND)
        context.blend_func = moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA
        self._set("soft", True)
        for item, mesh in self.items:
            if mesh.blended:
                self._render(item)

    def release(self) -> None:
        """Give the context back."""
        self.context.release()

    def _set(self, name: str, value: float | bool) -> None:
        self.program[name].value = value  # pyright: ignore[reportAttributeAccessIssue]

    def _upload(self, mesh: Mesh) -> tuple[moderngl.VertexArray, moderngl.Texture, float]:
        rows = np.concatenate(
            [mesh.points, mesh.normals, mesh.uv, mesh.bones, mesh.weights, mesh.parts[:, None]], 1
        )
        vertices = self.context.buffer(rows.astype(np.float32).tobytes())
        indices = self.context.buffer(mesh.faces.tobytes())
        array = self.context.vertex_array(self.program, [(vertices, *_LAYOUT)], indices)
        height, width = mesh.texture.shape[:2]
        texture = self.context.texture((width, height), 4, mesh.texture.tobytes())
        texture.build_mipmaps()
        texture.filter = moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR
        return array, texture, mesh.gloss

    def _render(self, item: tuple[moderngl.VertexArray, moderngl.Texture, float]) -> None:
        array, texture, gloss = item
        texture.use()
        self._set("gloss", gloss)
        array.render()

    def _pixels(self, attachment: int, channels: int, dtype: str) -> NDArray[Any]:
        kind = "f2" if dtype == "f2" else "f1"
        data = self.solid.read(components=channels, attachment=attachment, dtype=kind)
        side = self.size * OVERSAMPLING
        return np.frombuffer(data, dtype).reshape(side, side, channels)[::-1]

    def _read(self) -> Layers:
        large = self._pixels(0, 4, "u1")
        mean = cv2.resize(large, (self.size, self.size), interpolation=cv2.INTER_AREA)
        alpha = np.maximum(mean[..., 3:], 1).astype(np.float32)
        rgb = np.minimum(mean[..., :3] * (255 / alpha), 255).astype(np.uint8)
        step = 4 * OVERSAMPLING
        parts = self._pixels(1, 1, "u1")[1::OVERSAMPLING, ::OVERSAMPLING, 0]
        motion = self._pixels(2, 2, "f2")[step // 2 :: step, step // 2 :: step]
        return Layers(
            rgba=np.dstack([rgb, mean[..., 3]]).astype(np.uint8),
            parts=np.ascontiguousarray(parts).astype(np.uint8),
            motion=np.ascontiguousarray(motion.transpose(2, 0, 1)).astype(np.float16),
        )
