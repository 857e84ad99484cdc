"""The passes of a picture: ids, colour, what wet ground mirrors, and two maps of shadows."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .drive import FIELD_OF_VIEW
from .shaders import KINDS, fragment_source, vertex_source
from .stage import engine, make_buffer, panda, surfaces

NEAR, FAR = 0.35, 420.0  # metres
_STILL, _MOVING, _GROUND, _SKY = (panda.BitMask32.bit(i) for i in range(4))
_ALL = _STILL | _MOVING | _GROUND | _SKY
_MASKS = {"movers": _MOVING, "ground": _GROUND, "sky": _SKY}
_BINS = {"leaves": ("street_leaves", 1), "ground": ("street_ground", 2), "sky": ("street_sky", 3)}
_SUN_MAP, _NEAR_MAP = (4096, 4096), (512, 512)  # pixels


class Passes:
    """Buffers and cameras over a tree of nodes that has a group for each kind of mesh.

    ids holds motion, depth and things as floats; colour is smoothed by four samples a pixel; sun is
    the map of shadows of what stands still, near the one of what moves around the camera.
    """

    def __init__(self, width: int, height: int) -> None:
        self.size = width, height
        self.graphics, self.pipe, self.host = engine()
        self.root = panda.NodePath("street")
        self.root.set_antialias(panda.AntialiasAttrib.M_multisample)
        self.groups = {kind: self._group(kind) for kind in KINDS}
        self.lens = panda.PerspectiveLens()
        self.lens.set_aspect_ratio(width / height)
        self.lens.set_fov(FIELD_OF_VIEW)
        self.lens.set_near_far(NEAR, FAR)
        half = width // 2, height // 2
        self.mirror, self.mirror_camera = self._add(
            "mirror", "colour", half, _rgba(), 2, _ALL & ~_GROUND
        )
        self.sun, self.sun_camera = self._add("sun", "shadow", _SUN_MAP, _depth(), 0, _STILL)
        self.near, self.near_camera = self._add("near", "shadow", _NEAR_MAP, _depth(), 1, _MOVING)
        self.ids, self.ids_camera = self._add("ids", "ids", self.size, _floats(), 3, _ALL)
        self.colour, self.camera = self._add("colour", "colour", self.size, _rgba(4), 4, _ALL)
        for camera in (self.ids_camera, self.camera, self.mirror_camera):
            camera.node().set_lens(self.lens)
        backs = panda.RenderState.make(panda.CullFaceAttrib.make_reverse())
        self.mirror_camera.node().set_initial_state(backs)
        self._connect()
        self.sun.set_active(False)

    def _group(self, kind: str) -> Any:
        node = self.root.attach_new_node(kind)
        node.set_tag("kind", kind)
        node.set_bin(*_BINS.get(kind, ("street_near", 0)))
        node.set_two_sided(kind in ("leaves", "sky"))
        mask = _MASKS.get(kind, _STILL)
        node.show_through(mask)
        node.hide(panda.BitMask32.all_on() & ~mask)
        return node

    def _add(
        self, name: str, purpose: str, size: tuple[int, int], properties: Any, order: int, mask: Any
    ) -> tuple[Any, Any]:
        buffer = make_buffer(self.graphics, self.pipe, self.host, name, size, properties, order)
        buffer.set_clear_color((0, 0, 0, 0))
        buffer.set_clear_color_active(True)
        node = panda.Camera(name)
        node.set_camera_mask(mask)
        node.set_tag_state_key("kind")
        for kind in KINDS:
            node.set_tag_state(kind, _program(kind, purpose))
        camera = self.root.attach_new_node(node)
        buffer.make_display_region().set_camera(camera)
        return buffer, camera

    def _connect(self) -> None:
        """Make textures of what the passes draw, for other passes and for reading."""
        out = panda.GraphicsOutput
        self.places, self.colours, mirror = (panda.Texture(name) for name in ("p", "c", "m"))
        self.ids.add_render_texture(self.places, out.RTM_copy_ram, out.RTP_color)
        self.colour.add_render_texture(self.colours, out.RTM_copy_ram, out.RTP_color)
        self.mirror.add_render_texture(mirror, out.RTM_bind_or_copy, out.RTP_color)
        inputs = {"mirror_map": mirror, "surfaces": surfaces()}
        for name, buffer in (("sun_map", self.sun), ("near_map", self.near)):
            texture = inputs[name] = panda.Texture(name)
            texture.set_format(panda.Texture.F_depth_component24)
            texture.set_minfilter(panda.SamplerState.FT_shadow)
            texture.set_magfilter(panda.SamplerState.FT_shadow)
            buffer.add_render_texture(texture, out.RTM_bind_or_copy, out.RTP_depth)
        width, height = self.size
        self.tell(**inputs, was_model=panda.LMatrix4f.ident_mat())
        self.tell(frame=(width, height), pixels=(width / 2, -height / 2))

    def tell(self, **inputs: Any) -> None:
        """Set inputs of all shaders: numbers, tuples of numbers, textures, matrices."""
        kinds = {2: panda.LVecBase2f, 3: panda.LVecBase3f, 4: panda.LVecBase4f}
        for name, value in inputs.items():
            if isinstance(value, tuple):
                value = kinds[len(value)](*value)
            self.root.set_shader_input(name, value)

    def aim(
        self,
        which: str,
        towards: NDArray[np.float64],
        middle: NDArray[np.float64],
        span: float,
        far: float,
    ) -> None:
        """Let the map of shadows `sun` or `near` cover `span` metres around a point.

        towards: unit vector to the sun; far: how many metres above and below count.
        """
        camera = {"sun": self.sun_camera, "near": self.near_camera}[which]
        lens = panda.OrthographicLens()
        lens.set_film_size(span, span)
        lens.set_near_far(1.0, 2 * far)
        camera.node().set_lens(lens)
        camera.set_pos(*(middle + towards * far))
        camera.look_at(*middle)
        clip = self.root.get_transform(camera).get_mat() * lens.get_projection_mat()
        self.tell(**{f"{which}_clip": panda.LMatrix4f(clip)})

    def look(
        self, eye: NDArray[np.float64], heading: float, pitch: float, roll: float
    ) -> tuple[Any, NDArray[np.float64]]:
        """Place the cameras (metres, degrees): returns the world's matrix to the picture, and the
        direction of the view."""
        for camera in (self.ids_camera, self.camera):
            camera.set_pos_hpr(*eye, heading, pitch, roll)
        self.mirror_camera.set_mat(self.camera.get_mat() * panda.LMatrix4f.scale_mat(1, 1, -1))
        forward = np.array(self.root.get_relative_vector(self.camera, panda.LVector3f(0, 1, 0)))
        clip = self.root.get_transform(self.camera).get_mat() * self.lens.get_projection_mat()
        self.tell(eye=tuple(eye), forward=tuple(forward))
        return panda.LMatrix4f(clip), forward

    def draw(self, *, ids: bool, colour: bool, mirror: bool, sun: bool = False) -> None:
        """Run some of the passes."""
        for buffer, on in (
            (self.ids, ids),
            (self.colour, colour),
            (self.near, colour),
            (self.mirror, mirror),
            (self.sun, sun),
        ):
            buffer.set_active(on)
        self.graphics.render_frame()

    def read_places(self) -> NDArray[np.float32]:
        """Depth, motion downwards, to the right, and class + 32 * instance [H, W, 4]."""
        width, height = self.size
        data = np.frombuffer(self.places.get_ram_image(), np.float32)
        return data.reshape(height, width, 4)[::-1]

    def read_colours(self) -> NDArray[np.uint8]:
        """The picture, uint8 [H, W, 3]."""
        width, height = self.size
        data = np.frombuffer(self.colours.get_ram_image(), np.uint8)
        return np.ascontiguousarray(data.reshape(height, width, 4)[::-1, :, 2::-1])

    def close(self) -> None:
        """Give the buffers back."""
        for buffer in (self.mirror, self.sun, self.near, self.ids, self.colour):
            self.graphics.remove_window(buffer)


@cache
def _program(kind: str, purpose: str) -> Any:
    """The state that draws a kind of mesh for a purpose; compiled once for all renderers."""
    sources = vertex_source(kind), fragment_source(kind, purpose)
    shader = panda.Shader.make(panda.Shader.SL_GLSL, *sources)
    return panda.RenderState.make(panda.ShaderAttrib.make(shader, 1))


def _rgba(samples: int = 0) -> Any:
    properties = panda.FrameBufferProperties()
    properties.set_rgba_bits(8, 8, 8, 8)
    properties.set_depth_bits(24)
    properties.set_multisamples(samples)
    return properties


def _floats() -> Any:
    properties = panda.FrameBufferProperties()
    properties.set_float_color(True)
    properties.set_rgba_bits(32, 32, 32, 32)
    properties.set_depth_bits(24)
    return properties


def _depth() -> Any:
    properties = panda.FrameBufferProperties()
    properties.set_depth_bits(24)
    return properties
