"""Class names: a sender's onto a model's.

Names are compared without case, spaces, hyphens and underscores. A class may have surfaces
("building:brick"): where a sender names one that a model does not have, the class itself is meant.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

STREET = (
    "unlabeled",
    "road",
    "road:cobbles",
    "lane marking",
    "sidewalk",
    "building",
    "building:brick",
    "building:glass",
    "window",
    "door",
    "fence",
    "pole",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "car",
)
"""Classes of the bundled street, in id order; a plain road is asphalt, a building is plaster."""

MOST = 256
"""Classes of a sender."""

ALIASES = {
    "unlabeled": "unlabelled void unknown none background nothing default ignore out_of_roi static "
    "dynamic ego_vehicle rectification_border",
    "road": "street asphalt drivable roadway path parking runway driveway parkingblock "
    "roadshoulder",
    "road:cobbles": "cobbles cobblestone",
    "lane marking": "lane_markings lanemkgsdriv lanemkgsnondriv roadline roadlines road_marking "
    "zebra_crossing",
    "sidewalk": "pavement footpath footway walkway kerb curb floor ground plaza",
    "building": "house skyscraper hovel tower bridge tunnel archway structure shop",
    "building:brick": "brick",
    "building:glass": "glass",
    "window": "windowpane windows glazing",
    "door": "entrance gate screen_door",
    "fence": "wall guard_rail railing hedge barrier handrail bannister",
    "pole": "column_pole polegroup lamp streetlight street_lamp post column",
    "traffic light": "signal",
    "traffic sign": "sign sign_symbol signboard traffic_cone billboard poster",
    "vegetation": "tree trees bush plant palm foliage vegetation_misc shrub flower",
    "terrain": "grass earth soil sand field dirt_track mountain hill land rock water",
    "sky": "clouds skydome skybox",
    "person": "pedestrian human character player npc people rider bicyclist cyclist child animal",
    "car": "vehicle truck bus van caravan trailer train tram motorcycle motorbike bicycle bike "
    "minibike suv/pickuptruck truck/bus motorcyclescooter other_moving",
}
"""Other names: of Cityscapes, CamVid (12 and 32 classes), ADE20K, and common in engines."""


class UnknownClasses(InputError):
    """Classes of a sender that a model does not have."""


def match(
    names: Sequence[str], known: Sequence[str], mapping: Mapping[str, str] | None = None
) -> NDArray[np.uint8]:
    """Return the model's id of each of the sender's ids, [256]; ids beyond `names` are 0.

    names: of the sender's classes, known: of the model's, both in id order. mapping: a sender's
    name to a model's, before all else. Raises UnknownClasses naming every class that has no place,
    and what is known.
    """
    if not 0 < len(names) <= MOST:
        raise UnknownClasses(f"{len(names)} classes; from 1 to {MOST} are accepted")
    places = _places(known)
    chosen = {_plain(name): other for name, other in (mapping or {}).items()}
    table = np.zeros(MOST, np.uint8)
    lost = []
    for i, name in enumerate(names):
        place = _find(chosen.get(_plain(name), name), places)
        if place is None:
            lost.append(name)
        else:
            table[i] = place
    if lost:
        raise UnknownClasses(
            f"no place for {', '.join(map(repr, lost))}: the model knows {', '.join(known)}; map "
            'the others onto those, as in {"' + lost[0] + '": "' + known[-1] + '"}'
        )
    return table


def _find(name: str, places: Mapping[str, int]) -> int | None:
    place = places.get(_plain(name))
    return places.get(_plain(name.partition(":")[0])) if place is None else place


def _places(known: Sequence[str]) -> dict[str, int]:
    """Every spelling of the model's classes; a name of its own goes before others' aliases."""
    own = {_plain(name): i for i, name in enumerate(known)}
    others = {
        _plain(alias): own[_plain(name)]
        for name, aliases in ALIASES.items()
        if _plain(name) in own
        for alias in aliases.split()
    }
    return others | own


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-/]+", "", name).lower()
