"""What a pixel of the street can show, and in which light and weather."""

from enum import IntEnum

from ....model.condition.labels.classes import STREET

CLASSES = STREET
STYLES: tuple[str, ...] = ("noon", "dusk", "wet", "snow")


class Label(IntEnum):
    """The classes by name: `name:surface` is a surface of a class, plain building is plaster."""

    UNLABELED = 0
    ROAD = 1
    ROAD_COBBLES = 2
    LANE_MARKING = 3
    SIDEWALK = 4
    BUILDING = 5
    BUILDING_BRICK = 6
    BUILDING_GLASS = 7
    WINDOW = 8
    DOOR = 9
    FENCE = 10
    POLE = 11
    TRAFFIC_LIGHT = 12
    TRAFFIC_SIGN = 13
    VEGETATION = 14
    TERRAIN = 15
    SKY = 16
    PERSON = 17
    CAR = 18
