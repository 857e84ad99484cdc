"""Labels as a condition: class names, edits, planes of any size, motion."""

from typing import Any

import numpy as np
import pytest
import torch

from rotolive.model.condition.labels.classes import STREET, UnknownClasses, match
from rotolive.model.condition.labels.conditioner import LabelConditioner, nearness
from rotolive.model.condition.labels.edits import Edits
from rotolive.model.condition.labels.packing import CHANNELS, OFFSETS, SCALES
from rotolive.model.condition.labels.tints import CLUSTERS, GAIN, Tints, chosen
from rotolive.model.config import GeneratorConfig, live
from rotolive.model.errors import InputError, ModelError
from rotolive.model.generator import Generator
from rotolive.model.generator_live import FURTHEST_GAP, GeneratorModel
from rotolive.model.live import PaletteModel, Request
from rotolive.model.package import Card, load, save
from rotolive.model.runtime import StepInput, open_stepper

CITYSCAPES = (
    "unlabeled,ego vehicle,rectification border,out of roi,static,dynamic,ground,road,sidewalk,"
    "parking,rail track,building,wall,fence,guard rail,bridge,tunnel,pole,polegroup,traffic light,"
    "traffic sign,vegetation,terrain,sky,person,rider,car,truck,bus,caravan,trailer,train,"
    "motorcycle,bicycle"
)
CAMVID = "Sky Building Pole Road Pavement Tree SignSymbol Fence Car Pedestrian Bicyclist Unlabelled"


def names(sent: list[str], **mapping: str) -> list[str]:
    return [STREET[i] for i in match(sent, STREET, mapping)[: len(sent)]]


def test_names_of_other_data_sets_find_their_place() -> None:
    assert names(CAMVID.split()) == [
        *("sky", "building", "pole", "road", "sidewalk", "vegetation", "traffic sign", "fence"),
        *("car", "person", "person", "unlabeled"),
    ]
    with pytest.raises(UnknownClasses, match="'rail track'") as refusal:
        match(CITYSCAPES.split(","), STREET)
    assert "lane marking" in str(refusal.value) and "'road'" not in str(refusal.value)
    found = dict(
        zip(
            CITYSCAPES.split(","),
            names(CITYSCAPES.split(","), **{"rail track": "terrain"}),
            strict=True,
        )
    )
    assert found["rider"] == "person" and found["bus"] == "car" and found["wall"] == "fence"


def test_names_are_compared_as_people_write_them() -> None:
    assert names(["Traffic_Light", "LANE-MARKING", "building:marble", "Road:Cobbles"]) == [
        *("traffic light", "lane marking", "building", "road:cobbles")
    ]
    assert names(["tree"], tree="building:brick") == ["building:brick"]
    with pytest.raises(UnknownClasses, match="0 classes"):
        match([], STREET)


def test_ids_beyond_the_names_are_unlabeled() -> None:
    assert match(["road"], STREET)[1:].max() == 0


def planes(height: int = 32, width: int = 64) -> dict[str, np.ndarray]:
    label = np.full((height, width), STREET.index("sky"), np.uint8)
    label[height // 2 :] = STREET.index("road")
    label[height // 4 :, : width // 4] = STREET.index("vegetation")
    instance = np.zeros((height, width), np.uint16)
    instance[height // 4 :, : width // 4] = 7
    return {"label": label, "instance": instance}


def test_classes_change_places_and_instances_go_first() -> None:
    sent = planes()
    swap = Edits(
        classes={"vegetation": "building", "road": "sky", "sky": "road"}, instances={7: "car"}
    )
    shown = swap.apply(sent, STREET)["label"]
    assert shown[0, 63] == STREET.index("road") and shown[31, 63] == STREET.index("sky")
    assert shown[31, 0] == STREET.index("car")
    without = Edits(classes=swap.classes).apply({"label": sent["label"]}, STREET)["label"]
    assert without[31, 0] == STREET.index("building")
    assert sent["label"][0, 63] == STREET.index("sky")


def test_what_is_erased_gives_way_to_what_is_next_to_it() -> None:
    sent = planes()
    sent["motion"] = np.where(sent["instance"] == 7, 5, 1) * np.ones((2, 1, 1), np.float32)
    shown = Edits(erased=["vegetation"]).apply(sent, STREET)
    assert not (shown["label"] == STREET.index("vegetation")).any()
    assert (shown["label"][20:, :10] == STREET.index("road")).mean() > 0.5
    assert not shown["instance"].any() and (shown["motion"] == 1).all()
    everything = {"label": np.zeros((8, 8), np.uint8)}
    assert Edits(erased=["unlabeled"]).apply(everything, STREET)["label"].shape == (8, 8)


def test_surfaces_are_drawn_for_each_instance_by_a_seed() -> None:
    numbers = np.arange(900, dtype=np.uint32).reshape(30, 30)
    label = np.full((30, 30), STREET.index("building"), np.uint8)
    label[0] = STREET.index("road")

    def drawn(name: str, **more: Any) -> np.ndarray:
        edits = Edits(classes={"building": name}, **more)
        edits.check(STREET)
        return edits.apply({"label": label, "instance": numbers}, STREET)["label"]

    kinds = [STREET.index(f"building{surface}") for surface in ("", ":brick", ":glass")]
    shown = drawn("building:*7")
    shares = [(shown[1:] == kind).mean() for kind in kinds]
    assert (shown[0] == STREET.index("road")).all() and sum(shares) == pytest.approx(1)
    assert min(shares) > 0.25, "every surface is taken by about a third"
    np.testing.assert_array_equal(drawn("building:*7"), shown)
    np.testing.assert_array_equal(drawn("building:*"), drawn("building:*0"))
    assert 0.5 < (drawn("building:*8")[1:] != shown[1:]).mean() < 0.8
    one = Edits(instances={42: "building:*7"}).apply({"label": label, "instance": numbers}, STREET)
    assert one["label"][1, 12] == shown[1, 12]
    alone = Edits(classes={"building": "building:*7"}).apply({"label": label}, STREET)["label"]
    assert len(np.unique(alone[1:])) == 1, "without instances there is one"


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        (Edits(classes={"tree": "road"}), "no class 'tree'"),
        (Edits(classes={"road": "lava"}), "no class 'lava'"),
        (Edits(erased=["lava"]), "no class 'lava'"),
        (Edits(classes={"car": "car:*7"}), "car has no surfaces"),
        (Edits(instances={1: "lava:*7"}), "no class 'lava:\\*7'"),
        (Edits(classes={"car": "building:*x"}), "no class 'building:\\*x'"),
        (Edits(classes={"building:*7": "car"}), "no class 'building:\\*7'"),
        (Edits(instances={0: "car"}), "no instance 0"),
        (Edits(instances=dict.fromkeys(range(1, 300), "car")), "299 instances"),
    ],
)
def test_edits_that_cannot_be_say_so(edits: Edits, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        edits.check(STREET)


def unpacked(condition: np.ndarray) -> np.ndarray:
    assert condition.dtype == np.uint8
    offsets, scales = (np.array(x, np.float32)[:, None, None] for x in (OFFSETS, SCALES))
    return (condition - offsets) * scales


def test_planes_of_another_size_are_cut_to_shape_and_scaled_by_nearest_pixels() -> None:
    conditioner = LabelConditioner(STREET, 64, 32)
    sent = planes(96, 128)  # taller than the model's 2:1: 16 rows go above and below
    sent["motion"] = np.full((2, 96, 128), 6, np.float16)
    sent["depth"] = np.full((96, 128), 10, np.float32)
    seen = conditioner.observe(sent, 0.0)
    shown = unpacked(seen.condition)
    assert shown.shape == (CHANNELS, 32, 64)
    assert set(np.unique(shown[0])) == {STREET.index(n) for n in ("sky", "road")} | {
        STREET.index("vegetation")
    }
    assert (shown[0, 16:, 20:] == STREET.index("road")).all()
    assert np.allclose(shown[1], 0.5, atol=1 / 255)
    assert shown[2].sum() > 20 and set(np.unique(shown[2])) == {0, 1}
    assert not shown[3:].any()
    assert seen.motion is not None and seen.motion.shape == (2, 8, 16)
    assert np.allclose(seen.motion, 3)  # 6 pixels of 128 are 3 of 64


def test_motion_is_taken_at_the_centres_of_cells() -> None:
    motion = np.broadcast_to(np.arange(64, dtype=np.float32), (2, 32, 64))
    seen = LabelConditioner(STREET, 64, 32).observe({**planes(), "motion": motion}, 0.0)
    assert seen.motion is not None and (seen.motion[0, 0] == np.arange(2, 64, 4)).all()


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"rgb": np.zeros((32, 64, 3), np.uint8)}, "takes label planes; what came is rgb"),
        ({"label": np.full((32, 64), 40, np.uint8)}, "id 40; the model's classes end at 18"),
        ({**planes(), "depth": np.ones((16, 64))}, "a plane of 64x16 beside labels of 64x32"),
    ],
)
def test_planes_that_do_not_fit_are_refused(sent: dict[str, np.ndarray], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        LabelConditioner(STREET, 64, 32).observe(sent, 0.0)


def test_unknown_depth_is_far_away() -> None:
    far = np.array([0, np.inf, np.nan, -1, 10], np.float32)
    assert np.allclose(nearness(far), [0, 0, 0, 0, 0.5])


def colour(told: np.ndarray) -> np.ndarray:
    return told / GAIN + 0.5


def test_every_thing_keeps_a_tint_of_its_class_and_the_style() -> None:
    table = np.random.default_rng(0).random((2, len(STREET), CLUSTERS, 3)).astype(np.float32)
    tints = Tints.from_list(Tints(table).to_list(), 2, len(STREET))
    conditioner = LabelConditioner(STREET, 64, 32, tints)
    day = unpacked(conditioner.observe(planes(), 0.0).condition)[3:]
    assert not day[:, 0].any() and (day[:, 12:, 2] == day[:, 12:13, 2]).all()
    shown = day[:, 31, 0]
    vegetation = STREET.index("vegetation")
    assert np.abs(table[0, vegetation] - colour(shown)).max(1).min() < 0.005
    moved = planes()
    moved["label"], moved["instance"] = (np.roll(moved[n], 20, 1) for n in ("label", "instance"))
    assert (unpacked(conditioner.observe(moved, 0.1).condition)[3:, 31, 20] == shown).all()
    conditioner.set_style(1)
    night = unpacked(conditioner.observe(planes(), 0.2).condition)[3:, 31, 0]
    assert (
        np.abs(table[1, vegetation] - colour(night)).max(1).min() < 0.005 and (night != shown).any()
    )
    car = Edits(instances={7: "car"}).apply(planes(), STREET)
    edited = unpacked(conditioner.observe(car, 0.3).condition)[3:, 31, 0]
    assert np.abs(table[1, STREET.index("car")] - colour(edited)).max(1).min() < 0.005


def test_things_take_different_clusters() -> None:
    taken = chosen(np.arange(1, 400, dtype=np.uint16))
    assert (np.bincount(taken, minlength=CLUSTERS) > 30).all() and taken.max() < CLUSTERS
    with pytest.raises(ModelError, match="tints of shape"):
        Tints.from_list([[1]], 2, 19)


def test_the_palette_model_paints_classes() -> None:
    model = PaletteModel(width=64, height=32)
    seen = model.conditioner(mirror=False).observe(planes(), 0.0)
    painted = model.step([Request(slot=0, seen=seen, style=model.style(0))])[0].rgb
    assert tuple(painted[31, 63]) == (128, 64, 128) and tuple(painted[0, 0]) == (70, 130, 180)


@pytest.fixture
def street(tmp_path) -> GeneratorModel:
    torch.manual_seed(0)
    shape = live(CHANNELS, 2).to_dict() | {
        "width": 64,
        "height": 32,
        "classes": len(STREET),
        "backdrop": False,
    }
    generator = Generator(GeneratorConfig.from_dict(shape))
    card = Card(
        name="street",
        generator=generator.config,
        condition="labels",
        condition_settings={"classes": list(STREET)},
        styles=("noon", "dusk"),
    )
    save(tmp_path / "street.safetensors", card, generator)
    package = load(tmp_path / "street.safetensors")
    return GeneratorModel(package, open_stepper(package.generator(), 2, "eager"))


def test_a_labels_model_paints_opaque_pictures_that_depend_on_the_labels(
    street: GeneratorModel,
) -> None:
    assert street.classes == STREET
    conditioner = street.conditioner(mirror=False)
    seen = conditioner.observe(planes(), 0.0)
    other = conditioner.observe(Edits(classes={"road": "car"}).apply(planes(), STREET), 0.0)
    first, second = street.step(
        [Request(slot=i, seen=s, style=street.style(0)) for i, s in enumerate((seen, other))]
    )
    assert first.alpha is None and first.rgb.shape == (32, 64, 3)
    assert np.abs(first.rgb[20:].astype(int) - second.rgb[20:]).mean() > 0.5


def test_motion_over_frames_that_were_not_painted_adds_up(street: GeneratorModel) -> None:
    moving = {**planes(), "motion": np.full((2, 32, 64), 1, np.float32)}
    seen = street.conditioner(mirror=False).observe(moving, 0.0)
    told = []
    stepper = street._stepper  # pyright: ignore[reportPrivateUsage]
    paint = stepper.paint

    def spy(batch: StepInput):
        told.append(float(batch.motion[0].max()))
        return paint(batch)

    stepper.paint = spy
    for seq in (5, 6, 9, 200):
        street.step([Request(slot=0, seen=seen, style=street.style(0), seq=seq)])
    street.reset(0)
    street.step([Request(slot=0, seen=seen, style=street.style(0), seq=201)])
    assert told == [0, 1, 3, FURTHEST_GAP, 0]


def test_another_style_is_there_at_once(street: GeneratorModel) -> None:
    seen = street.conditioner(mirror=False).observe(planes(), 0.0)

    def paint(slot: int, style: int, seq: int) -> np.ndarray:
        request = Request(slot=slot, seen=seen, style=street.style(style), seq=seq)
        return street.step([request])[0].rgb

    for seq in range(3):
        paint(0, 0, seq)
    assert (paint(0, 1, 3) == paint(1, 1, 0)).all(), "as if it had begun so"
    assert (paint(0, 1, 4) != paint(1, 0, 1)).any()


def test_openvino_agrees_with_eager_on_labels(street: GeneratorModel) -> None:
    generator = Generator(street.card.generator).eval().requires_grad_(False)
    stepper = open_stepper(generator, 1, "openvino-f32")
    assert stepper.name == "openvino-f32"


def test_a_card_that_names_other_classes_is_refused(street: GeneratorModel, tmp_path) -> None:
    generator = Generator(street.card.generator)
    card = Card(
        name="wrong",
        generator=generator.config,
        condition="labels",
        condition_settings={"classes": ["road"]},
        styles=("noon", "dusk"),
    )
    save(tmp_path / "wrong.safetensors", card, generator)
    package = load(tmp_path / "wrong.safetensors")
    with pytest.raises(ModelError, match="names 1 classes and has 19"):
        GeneratorModel(package, open_stepper(package.generator(), 1, "eager"))
