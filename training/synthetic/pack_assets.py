"""Make the asset pack: `python -m rotolive.training.synthetic.pack_assets MAKEHUMAN BVH`."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .styles import STYLES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ASSETS = Path(__file__).parent / "assets"
BODY_VERTICES = 13_380  # MakeHuman's base mesh: what follows are helpers
EYEBALLS = (slice(14_598, 14_670), slice(14_670, 14_742))  # helper spheres, left then right
BARE = ("Neck", "Head", "Hand", "Finger", "Thumb")  # bones whose skin no garment hides
RECOLOUR = {  # texture: boxes (x0, y0, x1, y1 in 0..1), hue shift in degrees, saturation and value
    "female_casualsuit01": [
        ((0.0, 0.0, 1.0, 0.42), 150, 0.9, 1.05),
        ((0.74, 0.56, 1.0, 1.0), 150, 0.9, 1.05),
    ],
    "female_casualsuit02": [
        ((0.0, 0.0, 1.0, 0.38), -75, 0.65, 1.05),
        ((0.74, 0.56, 1.0, 1.0), -75, 0.65, 1.05),
    ],
    "male_worksuit01": [((0.0, 0.0, 1.0, 1.0), 0, 1.25, 0.75)],
}


def to_rig(points: Floats) -> Floats:
    """MakeHuman decimetres, y up -> rig metres, z up, looking along -y."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1) * 0.1


def normals_of(points: Floats, faces: Ints) -> Floats:
    """Area-weighted unit vertex normals [N, 3]."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    face = np.cross(b - a, c - a)
    out = np.zeros_like(points)
    for k in range(3):
        np.add.at(out, faces[:, k], face)
    return out / (np.linalg.norm(out, axis=1, keepdims=True) + 1e-12)


def top_weights(dense: Floats) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Dense skin weights [N, B] -> the four strongest bones and weights (of 255) [N, 4]."""
    bones = np.argsort(-dense, axis=1)[:, :4]
    weights = np.take_along_axis(dense, bones, 1)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-9)
    return bones.astype(np.uint8), np.rint(weights * 255).astype(np.uint8)


def save_mesh(
    name: str,
    points: Floats,
    dense: Floats,
    faces: Ints,
    face_uv: Ints,
    uv: Floats,
    **extra: NDArray[np.generic],
) -> Ints:
    """Split vertices at texture seams and write one mesh; returns split -> source vertex."""
    pairs, index = np.unique(
        np.stack([faces.ravel(), face_uv.ravel()], 1), axis=0, return_inverse=True
    )
    source = pairs[:, 0]
    bones, weights = top_weights(dense[source])
    arrays: dict[str, Any] = {name: array[source] for name, array in extra.items()}
    np.savez_compressed(
        ASSETS / f"{name}.npz",
        points=np.rint(points[source] * 32767).astype(np.int16),
        normals=np.rint(normals_of(points, faces)[source] * 127).astype(np.int8),
        uv=np.rint(np.clip(uv[pairs[:, 1]], 0, 1) * 65535).astype(np.uint16),
        faces=index.reshape(-1, 3).astype(np.uint16),
        bones=bones,
        weights=weights,
        **arrays,
    )
    return source


def save_texture(name: str, source: Path) -> None:
    """Write a texture of at most 512 pixels: JPEG where opaque, WebP with alpha else."""
    image = cv2.imread(str(source), cv2.IMREAD_UNCHANGED)
    assert image is not None, source
    image = recolour(name, image.astype(np.uint8))
    if max(image.shape[:2]) > 512:
        image = cv2.resize(image, (512, 512), interpolation=cv2.INTER_AREA)
    if image.shape[2] == 3 or (image[..., 3] > 250).mean() > 0.999:
        jpeg = [cv2.IMWRITE_JPEG_QUALITY, 88]
        cv2.imwrite(str(ASSETS / f"{name}.jpg"), np.ascontiguousarray(image[..., :3]), jpeg)
    else:
        cv2.imwrite(str(ASSETS / f"{name}.webp"), image, [cv2.IMWRITE_WEBP_QUALITY, 85])


def recolour(name: str, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shift hue, saturation and value of boxes of a texture, for visibly different clothes."""
    height, width = image.shape[:2]
    for (x0, y0, x1, y1), hue, saturation, value in RECOLOUR.get(name, []):
        box = image[int(y0 * height) : int(y1 * height), int(x0 * width) : int(x1 * width), :3]
        hsv = cv2.cvtColor(np.ascontiguousarray(box), cv2.COLOR_BGR2HSV_FULL).astype(np.float32)
        hsv[..., 0] = (hsv[..., 0] + hue * 256 / 360) % 256
        hsv[..., 1:] = np.clip(hsv[..., 1:] * (saturation, value), 0, 255)
        box[:] = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2BGR_FULL)
    return image


def limb_of(dense: Floats, labels: list[str]) -> Ints:
    """A coarse limb per vertex: 0 head and trunk, 1 and 2 arms, 3 and 4 legs."""
    limb = np.zeros(len(labels), np.int64)
    for i, label in enumerate(labels):
        right = label.startswith("R")
        if any(k in label for k in ("Arm", "Hand", "Finger", "Thumb")):
            limb[i] = 1 + right
        elif any(k in label for k in ("Leg", "Foot", "Toe")):
            limb[i] = 3 + right
    return limb[dense.argmax(1)]


def covered(
    body: Floats, normals: Floats, limbs: Ints, points: Floats, faces: Ints, cloth_limbs: Ints
) -> NDArray[np.bool_]:
    """Which body vertices lie under a garment: it is near, outward, of the same limb, no rim."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    unique, counts = np.unique(edges, axis=0, return_counts=True)
    rim_points = np.zeros(len(points), bool)
    rim_points[unique[counts == 1]] = True
    rim_points[faces[rim_points[faces].any(1)]] = True
    samples = np.concatenate([points, points[faces].mean(1)])
    rim = np.concatenate([rim_points, rim_points[faces].any(1)])
    sample_limbs = np.concatenate([cloth_limbs, cloth_limbs[faces[:, 0]]])
    out = np.zeros(len(body), bool)
    for limb in range(5):
        mine, theirs = np.flatnonzero(limbs == limb), np.flatnonzero(sample_limbs == limb)
        if limb == 0:
            theirs = np.arange(len(samples))
        for part in np.array_split(mine, max(1, len(mine) // 500)):
            if not len(theirs):
                continue
            delta = samples[theirs][None] - body[part][:, None]
            squares = (delta**2).sum(-1)
            nearest = squares.argmin(1)
            rows = np.arange(len(part))
            distance = np.sqrt(squares[rows, nearest])
            outward = (delta[rows, nearest] * normals[part]).sum(1)
            good = (distance < 0.06) & (outward > -0.012) & (outward > 0.3 * distance - 0.012)
            out[part] = good & ~rim[theirs][nearest]
    return out


def eroded(mask: NDArray[np.bool_], faces: Ints, rings: int) -> NDArray[np.bool_]:
    """Take vertices off a mask that are within some rings of faces of its outside."""
    out = mask.copy()
    for _ in range(rings):
        out[faces[~out[faces].all(1)]] = False
    return out


def proxy(path: Path, body: Floats, dense: Floats) -> tuple[Floats, Floats, Ints, Ints, Floats]:
    """A garment fitted to the body: points, skin weights, faces, texture faces, texture points."""
    data = json.loads(path.read_text())
    quads = np.array(data["faces"]).reshape(-1, 10)
    refs, weights = np.array(data["ref_vIdxs"]), np.array(data["weights"])
    points = np.einsum("nk,nkj->nj", weights, body[refs]) + to_rig(np.array(data["offsets"]))
    skin = np.einsum("nk,nkb->nb", np.clip(weights, 0, 1), dense[refs])
    halves = ([0, 1, 2], [0, 2, 3])
    faces = np.concatenate([quads[:, 1:5][:, h] for h in halves])
    face_uv = np.concatenate([quads[:, 6:10][:, h] for h in halves])
    return points, skin, faces, face_uv, np.array(data["uvs"][0]).reshape(-1, 2)


class Packer:
    """Writes the pack; holds the source body."""

    def __init__(self, source: Path) -> None:
        rest = np.load(source / "anny_rest.npz")
        self.source, self.rest = source, rest
        self.labels = [str(label) for label in rest["labels"]]
        self.points: Floats = rest["v"]
        self.dense = np.zeros((len(self.points), len(self.labels)))
        np.add.at(self.dense, (np.arange(len(self.points))[:, None], rest["wi"]), rest["ww"])
        keep = rest["faces"].max(1) < BODY_VERTICES
        self.faces, self.face_uv = rest["faces"][keep], rest["fuv"][keep]
        self.normals = normals_of(self.points, self.faces)
        self.fitted: dict[str, tuple[Floats, Floats, Ints, Ints]] = {}

    def body(self) -> None:
        """Write the body mesh and the rig."""
        eyes = [(p.max(0) + p.min(0)) / 2 for p in (self.points[part] for part in EYEBALLS)]
        self.split = save_mesh(
            "body",
            self.points,
            self.dense,
            self.faces,
            self.face_uv,
            self.rest["uv"],
            source=np.arange(len(self.points), dtype=np.uint16),
        )
        np.savez_compressed(
            ASSETS / "rig.npz",
            labels=np.array(self.labels),
            parents=self.rest["parents"].astype(np.int8),
            heads=self.rest["heads"].astype(np.float32),
            eyes=np.array(eyes, np.float32),
        )

    def garment(self, kind: str, name: str) -> None:
        """Write one garment, its texture and which body vertices it hides."""
        folder = self.source / "proxies" / kind / name
        points, skin, faces, face_uv, uv = proxy(folder / f"{name}.json", self.points, self.dense)
        texture = next(folder.glob("textures/*diffuse.png"), folder / f"textures/{name}.png")
        save_texture(name, texture)
        split = save_mesh(name, points, skin, faces, face_uv, uv)
        if kind == "clothes":
            limbs, cloth = limb_of(self.dense, self.labels), limb_of(skin, self.labels)
            body = slice(BODY_VERTICES)
            hidden = covered(
                self.points[body], self.normals[body], limbs[body], points, faces, cloth
            )
            near = eroded(~eroded(~hidden, self.faces, 3), self.faces, 3)
            bare = [i for i, label in enumerate(self.labels) if any(k in label for k in BARE)]
            near &= ~np.isin(self.dense[body].argmax(1), bare)
            masks = np.stack([near, eroded(near, self.faces, 1)])[:, self.split]
            np.save(ASSETS / f"{name}_hides.npy", np.packbits(masks, axis=1))
            self.fitted[name] = points, skin, faces, split

    def shoes_under(self, outfit: str, shoes: str) -> None:
        """Write which vertices of shoes (socks, shafts) the trousers of an outfit hide."""
        points, skin, faces, split = self.fitted[shoes]
        cloth, cloth_skin, cloth_faces, _ = self.fitted[outfit]
        limbs, cloth_limbs = (limb_of(w, self.labels) for w in (skin, cloth_skin))
        normals = normals_of(points, faces)
        hidden = covered(points, normals, limbs, cloth, cloth_faces, cloth_limbs)
        hidden |= points[:, 2] > cloth[cloth_limbs > 2, 2].min(initial=9.0) + 0.04
        hidden &= points[:, 2] > -0.77
        np.save(ASSETS / f"{outfit}_hides_{shoes}.npy", np.packbits(hidden[split]))


def main(source: Path, motions: Path) -> None:
    """Write the whole pack anew."""
    ASSETS.mkdir(exist_ok=True)
    packer = Packer(source)
    packer.body()
    kinds = {"clothes": ("outfit", "shoes"), "hair": ("hair",), "eyebrows": ("brows",)}
    kinds["eyelashes"] = ("lashes",)
    for kind, fields in kinds.items():
        for name in sorted({getattr(style, f) for style in STYLES for f in fields}):
            packer.garment(kind, name)
    for style in STYLES:
        packer.shoes_under(style.outfit, style.shoes)
    for skin in sorted({style.skin for style in STYLES}):
        folder = source / "skins" / skin
        data = json.loads((folder / f"{skin}.json").read_text())
        texture = data.get("diffuseTexture") or next(folder.glob("textures/*diffuse*.png")).name
        save_texture(skin, folder / "textures" / Path(texture).name)
    for path in sorted(motions.glob("*.bvh")):
        (ASSETS / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
