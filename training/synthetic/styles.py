"""The looks of the synthetic people: which meshes, textures and colours make up each one."""

from dataclasses import dataclass

Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Changes of build: factors on widths (x) and depths (y) of the rest body, all near 1."""

    shoulders: float = 1.0
    waist: float = 1.0
    hips: float = 1.0
    chest_depth: float = 1.0
    arms: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Style:
    """One look. Mesh and texture names are those of the asset pack; colours are sRGB 0..1."""

    name: str
    skin: str
    outfit: str
    shoes: str
    hair: str
    brows: str
    lashes: str
    eyes: Colour
    hair_tint: Colour = (1.0, 1.0, 1.0)
    brow_tint: Colour = (1.0, 1.0, 1.0)
    shape: Shape = Shape()


WOMAN = Shape(shoulders=0.94, waist=0.94, hips=1.03, arms=0.94)
MAN = Shape(shoulders=1.08, waist=1.04, hips=0.95, chest_depth=0.94, arms=1.08)

STYLES: tuple[Style, ...] = (
    Style(
        name="mara",
        skin="young_caucasian_female",
        outfit="female_casualsuit01",
        shoes="shoes06",
        hair="ponytail01",
        brows="eyebrow002",
        lashes="eyelashes02",
        eyes=(0.25, 0.45, 0.65),
        shape=WOMAN,
    ),
    Style(
        name="joel",
        skin="young_african_male",
        outfit="male_casualsuit03",
        shoes="shoes01",
        hair="short01",
        brows="eyebrow009",
        lashes="eyelashes03",
        eyes=(0.24, 0.13, 0.07),
        shape=MAN,
    ),
    Style(
        name="ines",
        skin="young_african_female",
        outfit="female_elegantsuit01",
        shoes="shoes04",
        hair="afro01",
        brows="eyebrow001",
        lashes="eyelashes02",
        eyes=(0.30, 0.17, 0.08),
        shape=WOMAN,
    ),
    Style(
        name="kenji",
        skin="young_asian_male",
        outfit="male_elegantsuit01",
        shoes="shoes03",
        hair="short04",
        brows="eyebrow009",
        lashes="eyelashes03",
        eyes=(0.20, 0.12, 0.08),
        shape=MAN,
    ),
    Style(
        name="freya",
        skin="young_asian_female",
        outfit="female_casualsuit02",
        shoes="shoes05",
        hair="bob02",
        brows="eyebrow002",
        lashes="eyelashes02",
        eyes=(0.30, 0.48, 0.28),
        shape=WOMAN,
    ),
    Style(
        name="otto",
        skin="young_caucasian_male",
        outfit="male_worksuit01",
        shoes="shoes02",
        hair="short03",
        brows="eyebrow009",
        lashes="eyelashes03",
        eyes=(0.35, 0.45, 0.50),
        shape=MAN,
    ),
)
