"""Panda3D without a window: buffers, textures, programs and meshes."""

from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .mesh import Mesh
from .textures import bake

panda: Any = import_module("panda3d.core")  # its types say little
_CONFIG = """
load-display p3headlessgl
audio-library-name null
sync-video 0
gl-version 3 2
notify-level-egldisplay error
"""
_BINS = ("street_near", "street_leaves", "street_ground", "street_sky")


@cache
def engine() -> tuple[Any, Any, Any]:
    """The process's graphics engine, its pipe, and a small buffer that owns the context."""
    panda.load_prc_file_data("", _CONFIG)
    graphics = panda.GraphicsEngine.get_global_ptr()
    pipe = panda.GraphicsPipeSelection.get_global_ptr().make_default_pipe()
    manager = panda.CullBinManager.get_global_ptr()
    for order, name in enumerate(_BINS):
        manager.add_bin(name, panda.CullBinManager.BT_front_to_back, order)
    host = make_buffer(graphics, pipe, None, "host", (16, 16), panda.FrameBufferProperties(), -100)
    host.set_active(False)
    return graphics, pipe, host


def make_buffer(
    graphics: Any,
    pipe: Any,
    host: Any,
    name: str,
    size: tuple[int, int],
    properties: Any,
    order: int,
) -> Any:
    """An offscreen buffer of a size, drawn in an order."""
    window = panda.WindowProperties.size(*size)
    flags = panda.GraphicsPipe.BF_refuse_window
    gsg = (host.get_gsg(), host) if host is not None else ()
    buffer = graphics.make_output(pipe, name, order, properties, window, flags, *gsg)
    if buffer is None:
        raise RuntimeError(f"OpenGL cannot draw into a buffer of {size[0]}x{size[1]}")
    return buffer


@cache
def _format() -> Any:
    array = panda.GeomVertexArrayFormat()
    geom = panda.Geom
    for name, size, use in (
        ("vertex", 3, geom.C_point),
        ("normal", 3, geom.C_normal),
        ("texcoord", 2, geom.C_texcoord),
        ("color", 4, geom.C_color),
        ("ids", 4, geom.C_other),
        ("extra", 4, geom.C_other),
    ):
        array.add_column(name, size, geom.NT_float32, use)
    return panda.GeomVertexFormat.register_format(panda.GeomVertexFormat(array))


def upload(mesh: Mesh, name: str) -> Any:
    """A node of a mesh."""
    rows, faces = mesh.arrays()
    data = panda.GeomVertexData(name, _format(), panda.Geom.UH_static)
    data.unclean_set_num_rows(len(rows))
    data.modify_array_handle(0).copy_data_from(rows.tobytes())
    triangles = panda.GeomTriangles(panda.Geom.UH_static)
    triangles.set_index_type(panda.Geom.NT_uint32)
    vertices = triangles.modify_vertices()
    vertices.unclean_set_num_rows(faces.size)
    vertices.modify_handle().copy_data_from(faces.astype(np.uint32).tobytes())
    geom = panda.Geom(data)
    geom.add_primitive(triangles)
    node = panda.GeomNode(name)
    node.add_geom(geom)
    return panda.NodePath(node)


@cache
def surfaces() -> Any:
    """The baked surfaces as an array of textures."""
    baked = bake()
    count, size = baked.shape[:2]
    texture = panda.Texture("surfaces")
    texture.setup_2d_texture_array(
        size, size, count, panda.Texture.T_unsigned_byte, panda.Texture.F_rgba8
    )
    texture.set_ram_image(np.ascontiguousarray(baked[..., [2, 1, 0, 3]]).tobytes())
    texture.set_minfilter(panda.SamplerState.FT_linear_mipmap_linear)
    texture.set_magfilter(panda.SamplerState.FT_linear)
    texture.set_wrap_u(panda.SamplerState.WM_repeat)
    texture.set_wrap_v(panda.SamplerState.WM_repeat)
    return texture


def plane(values: NDArray[np.uint8]) -> Any:
    """A texture of two channels, uint8 [H, W, 2], clamped at its rim."""
    height, width = values.shape[:2]
    padded = np.zeros((height, width, 3), np.uint8)
    padded[..., 2], padded[..., 1] = values[..., 0], values[..., 1]
    texture = panda.Texture("plane")
    texture.setup_2d_texture(width, height, panda.Texture.T_unsigned_byte, panda.Texture.F_rgb8)
    texture.set_ram_image(padded.tobytes())
    texture.set_minfilter(panda.SamplerState.FT_linear)
    texture.set_wrap_u(panda.SamplerState.WM_clamp)
    texture.set_wrap_v(panda.SamplerState.WM_clamp)
    return texture
