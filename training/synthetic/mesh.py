"""Meshes of the asset pack and the procedural eyes, ready for drawing."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .rig import ASSETS, Rig, reshape
from .styles import Colour, Shape, Style

PARTS: tuple[str, ...] = (
    "none",
    "face",  # skin of head and neck
    "hair",
    "eyes",
    "torso",
    "left_arm",  # skin or sleeve
    "right_arm",
    "left_hand",
    "right_hand",
    "left_leg",  # skin, trousers or skirt
    "right_leg",
    "left_foot",  # skin or shoe
    "right_foot",
)
_WORDS = (
    (("Head", "Neck"), "face"),
    (("Hand", "Finger", "Thumb"), "hand"),
    (("Arm",), "arm"),
    (("Foot", "Toe"), "foot"),
    (("UpLeg", "Leg"), "leg"),
)
EYE_RADIUS = 0.0148  # metres, of the base mesh's eye sockets


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """points, normals [N, 3], uv [N, 2], bones and weights [N, 4], parts [N], faces [F, 3];
    texture: RGBA uint8, bottom row first; gloss: strength of highlights; blended: has alpha."""

    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    uv: NDArray[np.float32]
    bones: NDArray[np.uint8]
    weights: NDArray[np.float32]
    parts: NDArray[np.float32]
    faces: NDArray[np.uint32]
    texture: NDArray[np.uint8]
    gloss: float
    blended: bool


def part_of_bone(label: str) -> int:
    """The part id of what hangs on a bone."""
    side = "left_" if label.startswith("L") else "right_"
    for words, name in _WORDS:
        if any(word in label for word in words):
            return PARTS.index(name if name == "face" else side + name)
    return PARTS.index("torso")


def load_texture(name: str, tint: Colour = (1.0, 1.0, 1.0)) -> NDArray[np.uint8]:
    """A texture as RGBA, tinted, bottom row first."""
    path = next(p for p in (ASSETS / f"{name}.jpg", ASSETS / f"{name}.webp") if p.exists())
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGBA
    rgba = cv2.cvtColor(image, code).astype(np.uint8)
    rgba[..., :3] = np.clip(rgba[..., :3] * np.array(tint), 0, 255).astype(np.uint8)
    if image.shape[2] == 4:
        rgba = bleed(rgba)
    return np.ascontiguousarray(rgba[::-1])


def bleed(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spread colours into transparent texels, so that filtering draws no dark fringes."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    colour = rgba[..., :3].astype(np.float32)
    total, weight = colour * alpha, alpha[..., 0]
    for sigma in (2.0, 8.0, 32.0):
        blurred = cv2.GaussianBlur(total, (0, 0), sigma)
        share = cv2.GaussianBlur(weight, (0, 0), sigma)
        fill = blurred / np.maximum(share, 1e-4)[..., None]
        empty = (weight < 0.02) & (share > 1e-3)
        total[empty], weight[empty] = fill[empty], 1
    out = rgba.copy()
    out[..., :3] = np.clip(total / np.maximum(weight, 1e-3)[..., None], 0, 255)
    return out


def load_mesh(
    name: str, rig: Rig, shape: Shape, *, texture: NDArray[np.uint8], gloss: float, part: str = ""
) -> Mesh:
    """A mesh of the pack in a build; `part` labels all of it, else its bones do."""
    with np.load(ASSETS / f"{name}.npz") as data:
        bones = data["bones"]
        by_bone = np.array([part_of_bone(label) for label in rig.labels], np.float32)
        parts = by_bone[bones[:, 0]] if not part else np.full(len(bones), PARTS.index(part))
        weights = data["weights"].astype(np.float32)
        return Mesh(
            points=reshape(data["points"].astype(np.float32) / 32767, shape),
            normals=data["normals"].astype(np.float32) / 127,
            uv=data["uv"].astype(np.float32) / 65535,
            bones=bones,
            weights=weights / weights.sum(1, keepdims=True),
            parts=parts.astype(np.float32),
            faces=data["faces"].astype(np.uint32),
            texture=texture,
            gloss=gloss,
            blended=bool((texture[..., 3] < 250).mean() > 0.02),
        )


def without_hidden(mesh: Mesh, near: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Mesh:
    """Drop faces wholly under clothes and draw in what is left of the covered rim."""
    faces = mesh.faces[~hidden[mesh.faces].all(1)]
    points = mesh.points - mesh.normals * np.where(near, 0.014, 0)[:, None].astype(np.float32)
    return Mesh(**{**mesh.__dict__, "faces": faces, "points": points})


def eye_texture(colour: Colour, size: int = 128) -> NDArray[np.uint8]:
    """An eyeball seen from the front: sclera, limbal ring, iris, pupil."""
    grid = (np.arange(size) + 0.5) / size * 2 - 1
    radius = np.hypot(grid[None], grid[:, None])[..., None]
    iris = np.array(colour) * (0.75 + 0.9 * np.clip(radius - 0.2, 0, 0.25))
    out = np.where(radius < 0.47, iris, np.array((0.90, 0.87, 0.85)) * (1.02 - 0.2 * radius))
    out = np.where(np.abs(radius - 0.45) < 0.035, out * 0.45, out)
    out = np.where(radius < 0.2, 0.02, out)
    rgb = np.clip(out * 255, 0, 255).astype(np.uint8)
    return np.dstack([rgb, np.full((size, size), 255, np.uint8)])


def eye_mesh(rig: Rig, colour: Colour) -> Mesh:
    """Both eyeballs, looking along -y, carried by the head."""
    rows, columns = 12, 16
    tilt = np.linspace(0, np.pi, rows + 1)[:, None]
    turn = np.linspace(0, 2 * np.pi, columns + 1)[None]
    normals = np.stack(
        [np.sin(tilt) * np.cos(turn), -np.cos(tilt) + 0 * turn, np.sin(tilt) * np.sin(turn)], -1
    ).reshape(-1, 3)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)[None]).ravel()
    a, b, c, d = corner, corner + 1, corner + columns + 1, corner + columns + 2
    one = np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])
    count = len(normals)
    bones = np.zeros((2 * count, 4), np.uint8)
    bones[:, 0] = rig.index("Head")
    return Mesh(
        points=np.concatenate([normals * EYE_RADIUS + eye for eye in rig.eyes]).astype(np.float32),
        normals=np.tile(normals, (2, 1)).astype(np.float32),
        uv=np.tile(normals[:, [0, 2]] * 0.5 + 0.5, (2, 1)).astype(np.float32),
        bones=bones,
        weights=np.tile(np.array([1, 0, 0, 0], np.float32), (2 * count, 1)),
        parts=np.full(2 * count, PARTS.index("eyes"), np.float32),
        faces=np.concatenate([one, one + count]).astype(np.uint32),
        texture=eye_texture(colour),
        gloss=0.6,
        blended=False,
    )


def dress(style: Style, rig: Rig) -> list[Mesh]:
    """All meshes of a look, opaque ones first."""
    shape = style.shape
    body = load_mesh("body", rig, shape, texture=load_texture(style.skin), gloss=0.12)
    masks = np.zeros((2, len(body.points)), bool)
    for name in (style.outfit, style.shoes):
        packed = np.load(ASSETS / f"{name}_hides.npy")
        masks |= np.unpackbits(packed, axis=1, count=len(body.points)).astype(bool)
    meshes = [without_hidden(body, masks[0], masks[1]), eye_mesh(rig, style.eyes)]
    cloth = load_mesh(style.outfit, rig, shape, texture=load_texture(style.outfit), gloss=0.03)
    shoes = load_mesh(style.shoes, rig, shape, texture=load_texture(style.shoes), gloss=0.15)
    packed = np.load(ASSETS / f"{style.outfit}_hides_{style.shoes}.npy")
    under = np.unpackbits(packed, count=len(shoes.points)).astype(bool)
    meshes += [cloth, without_hidden(shoes, under, under)]
    for name, tint, part in (
        (style.brows, style.brow_tint, "face"),
        (style.lashes, (1.0, 1.0, 1.0), "eyes"),
        (style.hair, style.hair_tint, "hair"),
    ):
        texture = load_texture(name, tint)
        meshes.append(load_mesh(name, rig, shape, texture=texture, gloss=0.1, part=part))
    return meshes
