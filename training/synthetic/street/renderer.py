"""Pictures of a world, with what is where, how far and how it moved."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ....model.condition import Planes
from ....model.condition.labels.palette import in_colours
from ...clip_format import check_size
from .cars import BODIES, CAR_TINTS, make_car
from .city import CELL, City, Detail
from .classes import CLASSES, Label
from .looks import LOOKS, Look
from .mesh import Material, Mesh, Paint
from .passes import Passes
from .paths import Pose
from .people import PEOPLE, make_person
from .shade import shade_map
from .stage import panda, plane, upload
from .traffic import Mover
from .world import World

DETAIL = 30.0  # metres from a cell within which its small things are drawn in full
REACH = 170.0  # metres within which small things and cars are drawn at all
_REACH_PEOPLE = 90.0
_TOO_NEAR = 2.6  # metres; a car that comes nearer to the camera is not drawn
_JUMP = 5.0  # metres; what moves further from frame to frame starts anew
_SUN_BEHIND = np.radians(125)  # where the sun stands, from where a drive heads at its start


@dataclass(frozen=True, kw_only=True)
class StreetFrame:
    """A picture of the street.

    rgb uint8 [H, W, 3]; label uint8 [H, W], ids of CLASSES; instance uint16 [H, W], 0: ground and
    sky; depth float32 [H, W], metres along the view, 0: sky; motion float32 [2, H, W], pixels
    (x right, y down): what is at p now was at p + motion in the frame before, 0 in the first.
    """

    rgb: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    depth: NDArray[np.float32]
    motion: NDArray[np.float32]

    @property
    def planes(self) -> Planes:
        """What an engine would send of it."""
        names = ("label", "instance", "depth", "motion")
        return {name: getattr(self, name) for name in names}


class _Cell(NamedTuple):
    """A part of the city: a node, when it is shown, and its middle."""

    node: Any
    detail: Detail
    x: float
    y: float


class StreetRenderer:
    """Draws worlds offscreen; software OpenGL is enough. One per process and thread."""

    def __init__(self, width: int = 512, height: int = 256) -> None:
        check_size(width)
        check_size(height)
        self.size = width, height
        self.passes = Passes(width, height)
        self.models = _moving_models()
        self.sky = _sky()
        self.sky.reparent_to(self.passes.groups["sky"])
        self.city: City | None = None
        self.cells: list[_Cell] = []
        self.movers: list[tuple[Mover, Any]] = []

    def enter(self, world: World, style: int) -> None:
        """Take up a world in the look of a style; the next frame is a first one."""
        self.world = world
        self.look = LOOKS[style]
        if self.city is not world.city:
            self._build(world.city)
        for _, node in self.movers:
            node.remove_node()
        self.movers = [(mover, self._mover(mover)) for mover in world.movers]
        self.last: list[Pose | None] = [None] * len(self.movers)
        self.was_clip: Any = None
        self._light(self.look, world)

    def render(self, time: float, *, shaded: bool = True) -> StreetFrame:
        """The picture at a time in seconds, and its motion since the picture before.

        Without shading it is painted in flat colours, one for each class.
        """
        first = self.was_clip is None
        eye, forward = self._view(time)
        self._show(eye)
        for index, (mover, node) in enumerate(self.movers):
            self._move(index, mover, node, mover.path(time), eye)
        if shaded:
            self.passes.aim("near", self.way, eye * (1, 1, 0) + forward * 24, 64.0, 50.0)
        self.passes.draw(ids=True, colour=shaded, mirror=shaded and self.look.wet > 0)
        places = self.passes.read_places()
        things = places[..., 3].astype(np.uint32)
        label = (things % 32).astype(np.uint8)
        return StreetFrame(
            rgb=self._glare(self.passes.read_colours()) if shaded else in_colours(label, CLASSES),
            label=label,
            instance=(things // 32).astype(np.uint16),
            depth=places[..., 0].copy(),
            motion=np.stack([places[..., 2], places[..., 1]]) * np.float32(not first),
        )

    def close(self) -> None:
        """Give the buffers back."""
        self.passes.close()

    def _build(self, city: City) -> None:
        """Upload a city."""
        for cell in self.cells:
            cell.node.remove_node()
        self.cells = []
        for (kind, detail, i, j), mesh in sorted(city.chunks.items()):
            node = upload(mesh, kind)
            node.reparent_to(self.passes.groups[kind])
            self.cells.append(_Cell(node, detail, (i + 0.5) * CELL, (j + 0.5) * CELL))
        texels, (x0, y0, x1, y1) = shade_map(city)
        self.passes.tell(shade_map=plane(texels), shade_box=(x0, y0, 1 / (x1 - x0), 1 / (y1 - y0)))
        self.city = city

    def _mover(self, mover: Mover) -> Any:
        node = self.passes.groups["movers"].attach_new_node("mover")
        self.models["car" if mover.car else "person"][mover.model].instance_to(node)
        node.set_shader_input("own", panda.LVecBase4f(mover.instance, 0, 0, 0))
        node.set_shader_input("paint", panda.LVecBase3f(*CAR_TINTS[mover.tint]))
        node.hide()
        return node

    def _light(self, look: Look, world: World) -> None:
        """Set a style's light, and draw the map of its sun's shadows."""
        tell = self.passes.tell
        for name in ("sun", "zenith", "horizon", "ambient", "bounce", "haze"):
            tell(**{name: getattr(look, name)})
        for name in ("sight", "clouds", "exposure", "softness", "wet", "snow", "night"):
            tell(**{name: float(getattr(look, name))})
        tell(mirrored=float(look.wet > 0))
        height, turn = np.radians(look.sun_height), world.route.place(0.0)[2] + _SUN_BEHIND
        level = np.cos(height)
        self.way = np.array([-np.sin(turn) * level, np.cos(turn) * level, np.sin(height)])
        tell(sun_way=tuple(self.way))
        x0, y0, x1, y1 = world.city.plan.bounds
        middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2, 0.0])
        self.passes.aim("sun", self.way, middle, float(np.hypot(x1 - x0, y1 - y0)), 300.0)
        for cell in self.cells:
            _show(cell.node, cell.detail != "far")
        self.passes.draw(ids=False, colour=False, mirror=False, sun=True)

    def _view(self, time: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Place the cameras as at a time; returns the eye and the direction of the view [3]."""
        eye, heading, pitch, roll = self.world.route.view(time)
        clip, forward = self.passes.look(eye, heading, pitch, roll)
        self.sky.set_pos(*eye)
        self.passes.tell(was_world_clip=clip if self.was_clip is None else self.was_clip)
        self.was_clip = clip
        return eye, forward

    def _show(self, eye: NDArray[np.float64]) -> None:
        """Show small things in full near the eye, coarse ones farther off."""
        for cell in self.cells:
            if cell.detail == "all":
                continue
            away = max(abs(cell.x - eye[0]), abs(cell.y - eye[1])) - CELL / 2
            near = away < DETAIL
            _show(cell.node, near if cell.detail == "near" else not near and away < REACH)

    def _move(
        self, index: int, mover: Mover, node: Any, pose: Pose, eye: NDArray[np.float64]
    ) -> None:
        """Put something that moves where it is, and tell its shader where it was."""
        was, self.last[index] = self.last[index], pose
        away = np.hypot(pose.x - eye[0], pose.y - eye[1])
        seen = _TOO_NEAR < away < REACH if mover.car else away < _REACH_PEOPLE
        _show(node, bool(seen))
        if not seen:
            return
        if was is None or np.hypot(pose.x - was.x, pose.y - was.y) > _JUMP:
            was = pose
        node.set_pos_hpr(was.x, was.y, was.z, np.degrees(was.heading), 0, 0)
        node.set_shader_input("was_model", panda.LMatrix4f(node.get_mat()))
        node.set_pos_hpr(pose.x, pose.y, pose.z, np.degrees(pose.heading), 0, 0)
        gait = panda.LVecBase4f(pose.phase, pose.gait, was.phase, was.gait)
        node.set_shader_input("gait", gait)

    def _glare(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Let what is very bright shine over its rim."""
        bright = np.clip(rgb.astype(np.float32) - 215, 0, None) * (0.25 + 1.5 * self.look.night)
        small = cv2.resize(bright, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        halo = cv2.GaussianBlur(small, (0, 0), 1.5) + cv2.GaussianBlur(small, (0, 0), 5)
        wide = cv2.resize(halo, self.size, interpolation=cv2.INTER_LINEAR)
        return np.clip(rgb + wide * 0.5, 0, 255).astype(np.uint8)


def _show(node: Any, wanted: bool) -> None:
    if wanted:
        node.show()
    else:
        node.hide()


def _sky() -> Any:
    mesh = Mesh()
    mesh.ball((0, 0, 0), (300, 300, 300), Paint(Label.SKY, Material.STONE), 16)
    node = upload(mesh, "sky")
    node.node().set_bounds(panda.OmniBoundingVolume())
    node.node().set_final(True)
    return node


def _moving_models() -> dict[str, list[Any]]:
    cars = [upload(make_car(kind, fine=True), "car") for kind in range(len(BODIES))]
    people = [upload(make_person(index), "person") for index in range(PEOPLE)]
    return {"car": cars, "person": people}
