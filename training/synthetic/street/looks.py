"""The light and weather of the styles."""

from dataclasses import dataclass

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Look:
    """Linear colours of light, and how wet, snowy and dark it is (0..1).

    sun_height: degrees; sun: its colour times its strength; zenith, horizon: the sky; ambient,
    bounce: light from above and below; haze: of the air, that hides half at `sight` metres.
    """

    sun_height: float
    sun: Colour
    zenith: Colour
    horizon: Colour
    ambient: Colour
    bounce: Colour
    haze: Colour
    sight: float
    clouds: float
    exposure: float
    softness: float
    wet: float = 0.0
    snow: float = 0.0
    night: float = 0.0


LOOKS: tuple[Look, ...] = (
    Look(
        sun_height=56,
        sun=(2.15, 1.95, 1.65),
        zenith=(0.16, 0.36, 0.80),
        horizon=(0.62, 0.78, 0.95),
        ambient=(0.52, 0.64, 0.86),
        bounce=(0.36, 0.33, 0.29),
        haze=(0.62, 0.74, 0.90),
        sight=420,
        clouds=0.9,
        exposure=0.78,
        softness=1.0,
    ),
    Look(
        sun_height=62,
        sun=(0.24, 0.17, 0.15),
        zenith=(0.11, 0.12, 0.32),
        horizon=(1.15, 0.52, 0.26),
        ambient=(0.25, 0.22, 0.36),
        bounce=(0.16, 0.12, 0.11),
        haze=(0.36, 0.24, 0.28),
        sight=300,
        clouds=0.75,
        exposure=0.95,
        softness=2.5,
        night=1.0,
    ),
    Look(
        sun_height=78,
        sun=(0.22, 0.22, 0.23),
        zenith=(0.48, 0.52, 0.57),
        horizon=(0.72, 0.75, 0.78),
        ambient=(0.62, 0.66, 0.72),
        bounce=(0.20, 0.20, 0.20),
        haze=(0.60, 0.64, 0.69),
        sight=260,
        clouds=0.5,
        exposure=0.80,
        softness=4.0,
        wet=1.0,
        night=0.35,
    ),
    Look(
        sun_height=70,
        sun=(0.40, 0.39, 0.38),
        zenith=(0.60, 0.67, 0.76),
        horizon=(0.86, 0.88, 0.90),
        ambient=(0.66, 0.71, 0.80),
        bounce=(0.48, 0.50, 0.54),
        haze=(0.80, 0.83, 0.87),
        sight=260,
        clouds=0.35,
        exposure=0.72,
        softness=3.0,
        snow=1.0,
    ),
)
