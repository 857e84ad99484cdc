"""A car at somebody's hands: how it moves, and where there is road."""

from dataclasses import dataclass
from math import atan, ceil, copysign, cos, hypot, pi, sin, tan

from ...training.synthetic.street.layout import CORNER, Plan, Street

FASTEST, BACKWARDS = 13.0, 3.0  # m/s
_PULL, _BRAKE, _ROLL = 3.0, 7.0, 0.6  # m/s^2
_TURN, _TURNING = 0.55, 1.4  # of the wheels: radians, radians/s
_GRIP = 4.0  # m/s^2 to the side
_WHEELBASE = 2.6  # metres
_CORNERS = ((1.9, 0.8), (1.9, -0.8), (-1.9, 0.8), (-1.9, -0.8))  # metres ahead and left of the eye
_PARKED, _CLEAR = 2.1, 7.0  # metres: width of a row of parked cars, and how far from a crossing
_TICK = 1 / 60


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What a driver asks for; throttle: from -1, brake and then back, to 1; steer: left is 1.

    again: put the car back onto the road. leave: end the drive.
    """

    throttle: float = 0.0
    steer: float = 0.0
    again: bool = False
    leave: bool = False


@dataclass(kw_only=True)
class Car:
    """x, y (metres) and heading (radians, counterclockwise from north) of who drives; m/s."""

    plan: Plan
    x: float
    y: float
    heading: float
    speed: float = 0.0
    wheels: float = 0.0

    def drive(self, controls: Controls, seconds: float) -> None:
        """Go on by some seconds, on the road; at its rim the car stops."""
        ticks = ceil(seconds / _TICK)
        for _ in range(ticks):
            self._tick(controls, seconds / ticks)

    def put_back(self) -> None:
        """Stand in the lane of the nearest street, in about the same direction."""
        plan, ahead = self.plan, (-sin(self.heading), cos(self.heading))
        streets = [(abs(self.x - street.at), street, plan.east) for street in plan.north]
        streets += [(abs(self.y - street.at), street, plan.north) for street in plan.east]
        _, street, others = min(streets, key=lambda found: found[0])
        forth = copysign(1.0, ahead[street.axis])
        where = min(max((self.x, self.y)[street.axis], others[0].at), others[-1].at)
        if street.axis:
            self.x, self.y = street.at + forth * street.lane, where
            self.heading = 0.0 if forth > 0 else pi
        else:
            self.x, self.y = where, street.at - forth * street.lane
            self.heading = -forth * pi / 2
        self.speed = self.wheels = 0.0

    def _tick(self, controls: Controls, seconds: float) -> None:
        self.speed = _next_speed(self.speed, controls.throttle, seconds)
        most = min(_TURN, atan(_GRIP * _WHEELBASE / max(self.speed**2, 1e-6)))
        step = min(
            max(controls.steer * most - self.wheels, -_TURNING * seconds), _TURNING * seconds
        )
        self.wheels += step
        heading = self.heading + self.speed / _WHEELBASE * tan(self.wheels) * seconds
        x = self.x - sin(heading) * self.speed * seconds
        y = self.y + cos(heading) * self.speed * seconds
        if self._fits(x, y, heading):
            self.x, self.y, self.heading = x, y, heading
        else:
            self.speed = 0.0

    def _fits(self, x: float, y: float, heading: float) -> bool:
        forth, left = (-sin(heading), cos(heading)), (-cos(heading), -sin(heading))
        return all(
            is_road(self.plan, x + a * forth[0] + b * left[0], y + a * forth[1] + b * left[1])
            for a, b in _CORNERS
        )


def _next_speed(speed: float, throttle: float, seconds: float) -> float:
    """Pull, or brake when it is against the way the car rolls; without either it rolls out."""
    if throttle * speed < 0:
        rate = _BRAKE * throttle
    elif throttle:
        rate = _PULL * throttle
    else:
        rate = -copysign(_ROLL, speed)
    then = speed + rate * seconds
    if then * speed < 0 or (not throttle and abs(speed) < _ROLL * seconds):
        return 0.0
    return min(max(then, -BACKWARDS), FASTEST)


def is_road(plan: Plan, x: float, y: float) -> bool:
    """Tell whether a place (metres) is on a carriageway, and not where cars are parked."""
    return (
        any(_is_on(street, x, y, plan.east) for street in plan.north)
        or any(_is_on(street, y, x, plan.north) for street in plan.east)
        or any(_is_rounded(north, east, x, y) for north in plan.north for east in plan.east)
    )


def _is_on(street: Street, across: float, along: float, others: tuple[Street, ...]) -> bool:
    first, last = others[0], others[-1]
    if not first.at - first.half <= along <= last.at + last.half:
        return False
    crossed = any(abs(along - other.at) < other.half + _CLEAR for other in others)
    parked = 0.0 if crossed or not street.parking else _PARKED
    return abs(across - street.at) <= street.half - parked


def _is_rounded(north: Street, east: Street, x: float, y: float) -> bool:
    """Tell whether a place is between the kerbs' straight lines and their round corner."""
    right, ahead = abs(x - north.at) - north.half, abs(y - east.at) - east.half
    inside = 0 <= right < CORNER and 0 <= ahead < CORNER
    return inside and hypot(CORNER - right, CORNER - ahead) > CORNER
