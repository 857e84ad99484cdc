"""Pictures with labels, in the layouts that people have them in, become clips of scenes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from paired import (
    COLOURS,
    NAMES,
    Drive,
    drive,
    in_colours,
    write_ids,
    write_palette,
    write_picture,
    write_video,
)
from scenes import FRAMES, HEIGHT, SPEED, WIDTH, write_clip

from rotolive.model import package
from rotolive.model.condition.labels.classes import STREET
from rotolive.model.condition.labels.files import ClassNames
from rotolive.model.errors import InputError
from rotolive.training import commands
from rotolive.training.check import check
from rotolive.training.clip_format import clip_folders
from rotolive.training.config import LossWeights, smoke
from rotolive.training.data import open_data
from rotolive.training.prepare.cityscapes import CITYSCAPES
from rotolive.training.prepare.labels import prepare
from rotolive.training.run import train
from rotolive.training.streams import Window

GIVEN = ClassNames(NAMES)
IN_COLOURS = ClassNames(NAMES, COLOURS)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Drive:
    return drive(tmp_path_factory.mktemp("drive"))


def vid2vid(root: Path, scene: Drive, write: Callable = write_ids, names: str = "{:02d}") -> Path:
    """Two sequences, of the first and the last frames."""
    for t in range(FRAMES):
        name = f"{'first' if t < 7 else 'last'}/{names.format(t)}"
        write_picture(root / "train_B" / f"{name}.jpg", scene.rgb[t])
        write(root / "train_A" / f"{name}.png", scene.label[t])
    return root


def array(out: Path, name: str) -> NDArray:
    """What all clips hold, one after the other."""
    return np.concatenate([np.load(folder / f"{name}.npy") for folder in clip_folders(out)])


@pytest.mark.parametrize(
    ("write", "classes"),
    [
        (write_ids, GIVEN),
        (write_palette, GIVEN),
        (write_palette, IN_COLOURS),
        (lambda path, ids: write_picture(path, in_colours(ids)), IN_COLOURS),
    ],
    ids=["grey", "palette", "palette by colours", "colours"],
)
def test_the_folders_of_vid2vid(
    tmp_path: Path, scene: Drive, write: Callable, classes: ClassNames
) -> None:
    out = tmp_path / "out"
    [account] = prepare([vid2vid(tmp_path / "town", scene, write)], out, classes=classes, size=64)
    assert (account.clips, account.used, account.frames, account.sequences) == (2, 12, 12, 2)
    found = check(out)
    assert (found.width, found.height) == (WIDTH, HEIGHT) and found.styles == {"town": 2}
    assert found.names == found.shown == NAMES and not found.missing
    assert (array(out, "label") == scene.label).all()
    assert not array(out, "instance").any() and not array(out, "depth").any()
    assert np.abs(array(out, "rgb").astype(int) - scene.rgb).mean() < 6
    assert np.allclose(np.diff(array(out, "times")[:7]), 1 / 15)


def test_motion_leads_to_what_was_seen(tmp_path: Path, scene: Drive) -> None:
    prepare([vid2vid(tmp_path / "town", scene)], tmp_path / "out", classes=GIVEN, size=64)
    motion = array(tmp_path / "out", "motion").astype(float)
    assert not motion[0].any() and not motion[7].any(), "nothing is known of first frames"
    inner = motion[1:7, :, 3:-3, 4:-8]
    assert abs(np.median(inner[:, 0]) - SPEED) < 0.3 and abs(np.median(inner[:, 1])) < 0.3


def test_pictures_are_made_smaller_with_their_labels(tmp_path: Path, scene: Drive) -> None:
    large = Drive(
        scene.rgb.repeat(3, 1).repeat(3, 2),
        scene.label.repeat(3, 1).repeat(3, 2),
        scene.instance,
    )
    prepare([vid2vid(tmp_path / "town", large)], tmp_path / "out", classes=GIVEN, size=64)
    assert (array(tmp_path / "out", "label") == scene.label).all()
    assert np.abs(array(tmp_path / "out", "rgb").astype(int) - scene.rgb).mean() < 6
    prepare([tmp_path / "town"], tmp_path / "wide", classes=GIVEN, size=80, seconds=1)
    assert array(tmp_path / "wide", "rgb").shape[1:] == (80, 160, 3)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_things_are_numbered_anew(tmp_path: Path, scene: Drive, kind: type) -> None:
    """16 bits are 1000 * class + number where a thing is, else the class, as in Cityscapes."""
    root = vid2vid(tmp_path / "town", scene)
    for t in range(FRAMES):
        numbers = scene.instance[t].astype(kind)
        if kind is np.uint16:
            numbers = np.where(numbers > 0, numbers + 26000, scene.label[t]).astype(kind)
        folder = "first" if t < 7 else "last"
        write_ids(root / "train_inst" / folder / f"{t:02d}.png", numbers)
    prepare([root], tmp_path / "out", classes=GIVEN, size=64)
    instance = array(tmp_path / "out", "instance")
    assert instance.dtype == np.uint16
    assert ((instance == 1) == (scene.instance == 3)).all()
    assert ((instance == 2) == (scene.instance == 9)).all() and instance.max() == 2


def cityscapes(root: Path, scene: Drive, split: str = "train") -> Path:
    """Frames 0 to 7 of a drive and 10 to 13 of it; one more of another drive."""
    ids = np.array([list(CITYSCAPES).index(name) for name in NAMES], np.uint8)
    numbers = [*range(8), *range(10, 14)]
    for t, name in enumerate([*(f"ulm_000000_{n:06d}" for n in numbers), "ulm_000001_000019"]):
        at = min(t, FRAMES - 1)
        label = ids[scene.label[at]]
        car = np.where(label == 26, np.uint16(26001), label)
        truth = root / "gtFine" / split / "ulm" / f"{name}_gtFine"
        shown = root / "leftImg8bit" / split / "ulm"
        write_picture(shown / f"{name}_leftImg8bit.png", scene.rgb[at])
        write_ids(truth.with_name(f"{truth.name}_labelIds.png"), label)
        write_ids(truth.with_name(f"{truth.name}_instanceIds.png"), car)
        write_picture(truth.with_name(f"{truth.name}_color.png"), scene.rgb[at])
        truth.with_name(f"{truth.name}_polygons.json").write_text("{}")
    return root


def test_cityscapes_is_known_by_name(tmp_path: Path, scene: Drive) -> None:
    root = cityscapes(tmp_path / "cs", scene)
    [account] = prepare([root], tmp_path / "out", size=64)
    assert account.clips == 2 and account.used == 12 and account.sequences == 3
    assert "1 fewer than 4 in a row (ulm/ulm_000001_000019_leftImg8bit.png)" in str(account)
    found = check(tmp_path / "out")
    assert found.names == tuple(CITYSCAPES) and len(found.names) == 34
    assert found.shown == ("road", "building", "sky", "car") and "rider" in found.missing
    names = np.array(found.names)[array(tmp_path / "out", "label")]
    assert (names == np.array(NAMES)[scene.label]).all()
    assert (array(tmp_path / "out", "instance") == (scene.label == 3)).all()
    assert np.allclose(np.diff(array(tmp_path / "out", "times")[:8]), 1 / 17)
    assert "never shown, so not learned: unlabeled, " in str(found)


def test_another_part_of_cityscapes(tmp_path: Path, scene: Drive) -> None:
    root = cityscapes(tmp_path / "cs", scene, "val")
    cityscapes(root, scene)
    [account] = prepare([root / "leftImg8bit" / "val"], tmp_path / "out", size=64)
    assert account.source == "val" and account.clips == 2
    [account] = prepare([root], tmp_path / "other", size=64)
    assert account.frames == 13, "of the whole it is train"


def test_train_ids_of_cityscapes(tmp_path: Path, scene: Drive) -> None:
    trained = np.array([10, 255, 2, 13], np.uint8)
    for t in range(FRAMES):
        write_picture(tmp_path / "town" / "shown" / f"{t}_leftImg8bit.png", scene.rgb[t])
        path = tmp_path / "town" / "truth" / f"{t}_gtFine_labelTrainIds.png"
        write_ids(path, trained[scene.label[t]])
    shown, truth = tmp_path / "town" / "shown", tmp_path / "town" / "truth"
    prepare([shown], tmp_path / "out", labels=[truth], size=64)
    found = check(tmp_path / "out")
    assert len(found.names) == 20
    assert found.shown == ("unlabeled", "building", "sky", "car")


@pytest.mark.parametrize(
    "write", [write_palette, lambda path, ids: write_picture(path, in_colours(ids))]
)
def test_its_colours_are_known_as_well(tmp_path: Path, scene: Drive, write: Callable) -> None:
    prepare([vid2vid(tmp_path / "town", scene, write)], tmp_path / "out", size=64)
    names = np.array(check(tmp_path / "out").names)[array(tmp_path / "out", "label")]
    assert (names == np.array(NAMES)[scene.label]).all()


def test_other_ids_need_names(tmp_path: Path, scene: Drive) -> None:
    root = vid2vid(tmp_path / "town", scene)
    with pytest.raises(InputError, match=r"--classes must name .*; found: 0, 1, 2, 3$"):
        prepare([root], tmp_path / "out", size=64)
    write = lambda path, ids: write_picture(path, in_colours(ids) + 1)  # noqa: E731
    root = vid2vid(tmp_path / "other", scene, write)
    with pytest.raises(InputError, match=r"found: \[1, 1, 143\], \[71, 71, 71\], "):
        prepare([root], tmp_path / "out", size=64)
    assert not (tmp_path / "out").exists()


def test_one_folder_holds_both(tmp_path: Path, scene: Drive) -> None:
    for t in range(FRAMES):
        write_picture(tmp_path / "town" / f"{t}_rgb.jpg", scene.rgb[t])
        write_ids(tmp_path / "town" / f"{t}_label.png", scene.label[t])
        write_ids(tmp_path / "town" / f"{t}_inst.png", scene.instance[t].astype(np.uint8))
    [account] = prepare([tmp_path / "town"], tmp_path / "out", classes=GIVEN, size=64, fps=30)
    assert account.clips == 1 and not account.flaws
    assert (array(tmp_path / "out", "label") == scene.label).all(), "2 comes before 10"
    assert ((array(tmp_path / "out", "instance") > 0) == (scene.instance > 0)).all()
    assert np.allclose(np.diff(array(tmp_path / "out", "times")), 1 / 30)


def test_labels_of_other_names_pair_by_their_order(tmp_path: Path, scene: Drive) -> None:
    for t in range(FRAMES):
        write_picture(tmp_path / "town" / f"picture{t + 1}.png", scene.rgb[t])
        write_ids(tmp_path / "ids" / f"mask{t:04d}.png", scene.label[t])
    paths = [tmp_path / "town"], tmp_path / "out"
    prepare(*paths, labels=[tmp_path / "ids"], classes=GIVEN, size=64, style="noon")
    assert (array(tmp_path / "out", "label") == scene.label).all()
    assert check(tmp_path / "out").styles == {"noon": 1}


@pytest.mark.parametrize(
    ("file", "codec", "pixels"),
    [("ids.mkv", "ffv1", "gray"), ("ids.mov", "png", "rgb24"), ("ids.avi", "ffvhuff", "bgra")],
)
def test_a_video_beside_that_of_its_labels(
    tmp_path: Path, scene: Drive, file: str, codec: str, pixels: str
) -> None:
    video = write_video(tmp_path / "town.mkv", scene.rgb, "ffv1", "bgr0", fps=20)
    ids = scene.label if pixels == "gray" else in_colours(scene.label)
    labels = write_video(tmp_path / file, ids, codec, pixels, fps=20)
    [account] = prepare([video], tmp_path / "out", labels=[labels], classes=IN_COLOURS, size=64)
    assert account.clips == 1 and account.source == "town.mkv"
    assert (array(tmp_path / "out", "label") == scene.label).all()
    assert (array(tmp_path / "out", "rgb") == scene.rgb).all()
    assert np.allclose(np.diff(array(tmp_path / "out", "times")), 1 / 20, atol=1e-3)


@pytest.mark.parametrize(
    ("file", "codec", "pixels", "sentence"),
    [
        ("ids.mp4", "libx264", "yuv420p", "labels in h264, which can mix the ids of neighbours"),
        ("ids.mkv", "ffv1", "yuv420p", "labels in yuv420p pixels, where colours are rounded"),
        ("ids.mkv", "ffv1", "gray10le", "labels in gray10le pixels, where ids have not 8 bits"),
    ],
)
def test_labels_in_lossy_videos_are_refused(
    tmp_path: Path, scene: Drive, file: str, codec: str, pixels: str, sentence: str
) -> None:
    video = write_video(tmp_path / "town.mkv", scene.rgb, "ffv1", "bgr0")
    labels = write_video(tmp_path / file, scene.label, codec, pixels)
    with pytest.raises(InputError, match=rf"ids\.m.*: {sentence}; FFV1, .* are accepted"):
        prepare([video], tmp_path / "out", labels=[labels], classes=GIVEN)


def test_videos_that_do_not_fit(tmp_path: Path, scene: Drive) -> None:
    video = write_video(tmp_path / "town.mkv", scene.rgb, "ffv1", "bgr0")
    with pytest.raises(InputError, match="--labels must name the video of its labels"):
        prepare([video], tmp_path / "out", classes=GIVEN)
    slow = write_video(tmp_path / "slow.mkv", scene.label, "ffv1", "gray", fps=5)
    with pytest.raises(InputError, match=r"5 pictures a second, .* 15; each picture must"):
        prepare([video], tmp_path / "out", labels=[slow], classes=GIVEN, size=64)
    short = write_video(tmp_path / "short.mkv", scene.label[:9], "ffv1", "gray")
    [account] = prepare([video], tmp_path / "out", labels=[short], classes=GIVEN, size=64)
    assert account.used == 9 and "3 without labels (town.mkv 9, town.mkv 10" in str(account)


def test_bad_frames_are_left_out_and_named(tmp_path: Path, scene: Drive) -> None:
    for t in range(28):
        write_picture(tmp_path / "town" / f"{t:02d}.png", scene.rgb[min(t, FRAMES - 1)])
        write_ids(tmp_path / "ids" / f"{t:02d}.png", scene.label[min(t, FRAMES - 1)])
    broken = tmp_path / "town" / "04.png"
    broken.write_bytes(broken.read_bytes()[:200])
    write_ids(tmp_path / "ids" / "09.png", scene.label[0][:32])
    write_ids(tmp_path / "ids" / "14.png", scene.label[0] + 40)
    (tmp_path / "ids" / "19.png").unlink()
    (tmp_path / "town" / "23.png").unlink()
    write_picture(tmp_path / "town" / "27.png", scene.rgb[0][:, :64])
    write_ids(tmp_path / "ids" / "27.png", scene.label[0][:, :64])
    paths = [tmp_path / "town"], tmp_path / "out"
    [account] = prepare(*paths, labels=[tmp_path / "ids"], classes=GIVEN, size=64)
    assert (account.clips, account.used, account.frames) == (4, 16, 28)
    assert {why: (f.frames, f.first) for why, f in account.flaws.items()} == {
        "unreadable": (1, ["town/04.png"]),
        "with labels of another size than the picture": (1, ["town/09.png: 128x32 of 128x64"]),
        "with ids or colours outside the classes": (1, ["town/14.png: 40"]),
        "without labels": (1, ["town/19.png"]),
        "without a picture": (1, ["ids/23.png"]),
        "of another shape than the others": (1, ["town/27.png: 64x64"]),
        "fewer than 4 in a row": (6, ["town/20.png", "town/21.png", "town/22.png"]),
    }


def test_nothing_but_bad_frames_is_refused(tmp_path: Path, scene: Drive) -> None:
    root = vid2vid(tmp_path / "town", scene)
    with pytest.raises(
        InputError, match=r"none of the 12 .* 12 with ids .* \(first/00.jpg: 3, first/01"
    ):
        prepare([root], tmp_path / "out", classes=ClassNames(NAMES[:3]), size=64)
    for folder in ("nowhere", "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=f"{folder}"):
            prepare([tmp_path / folder], tmp_path / "out", classes=GIVEN, size=64)
    assert not (tmp_path / "out").exists()


def test_clips_are_no_longer_than_asked_and_end_at_cuts(tmp_path: Path, scene: Drive) -> None:
    cut = scene.rgb.copy()
    cut[5:] = 255 - cut[5:]
    root = vid2vid(tmp_path / "town", scene._replace(rgb=cut))
    prepare([root], tmp_path / "out", classes=GIVEN, size=64, seconds=1, fps=4)
    lengths = [len(np.load(folder / "times.npy")) for folder in clip_folders(tmp_path / "out")]
    assert lengths == [4, 4]


def test_what_is_done_is_not_done_again(tmp_path: Path, scene: Drive) -> None:
    root, out = vid2vid(tmp_path / "town", scene), tmp_path / "out"
    first = [str(account) for account in prepare([root], out, classes=GIVEN, size=64)]
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    (out / "town-last.account.json").unlink()
    again = [str(account) for account in prepare([root], out, classes=GIVEN, size=64)]
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    assert first == again and before.keys() == after.keys()
    redone = {path.parent.name for path in before if before[path] != after[path]}
    assert redone == {"town-last-000"}
    write_ids(root / "train_A" / "first" / "03.png", scene.label[0])
    with pytest.raises(InputError, match=r"town-first\.account\.json is of other files"):
        prepare([root], out, classes=GIVEN, size=64)


def test_a_data_set_has_one_size_one_list_of_classes_and_many_styles(
    tmp_path: Path, scene: Drive
) -> None:
    out = tmp_path / "out"
    roots = [vid2vid(tmp_path / name, scene) for name in ("noon", "dusk")]
    told: list[float] = []
    accounts = prepare(roots, out, classes=GIVEN, size=64, workers=2, report=told.append)
    assert [account.style for account in accounts] == ["noon", "dusk"] and told[-1] == 1
    assert check(out).styles == {"noon": 2, "dusk": 2}
    with pytest.raises(InputError, match="holds pictures of 64 pixels, not 128"):
        prepare(roots, out, classes=GIVEN, size=128)
    with pytest.raises(InputError, match="a data set has one list"):
        prepare(roots, out, classes=ClassNames((*NAMES, "tree")), size=64)
    tall = scene._replace(rgb=scene.rgb[:, :, :64], label=scene.label[:, :, :64])
    with pytest.raises(InputError, match=r"become 64x64, those of .* are 128x64"):
        prepare([vid2vid(tmp_path / "tall", tall)], out, classes=GIVEN, size=64)
    about = out / "noon-first-000" / "clip.json"
    about.write_text(json.dumps(json.loads(about.read_text()) | {"condition": "pose"}))
    (out / "dusk-first-000" / "clip.json").unlink()
    (out / "dusk-last-000" / "clip.json").unlink()
    with pytest.raises(InputError, match="a data set of another kind"):
        prepare(roots, out, classes=GIVEN, size=64)


def test_clips_of_ours_do_not_make_yours_ours(tmp_path: Path, scene: Drive) -> None:
    out = tmp_path / "out"
    write_clip(out / "00000", 0)
    root = vid2vid(tmp_path / "street", scene)
    assert open_data(out).maker == "rotolive synth street"
    prepare([root], out, classes=ClassNames(STREET), size=64, style="noon")
    assert open_data(out).maker is None
    (out / "00000" / "clip.json").unlink()
    assert open_data(out).maker is None, "whatever the folder is called"


def test_the_command_and_a_run(
    tmp_path: Path, scene: Drive, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out, names = vid2vid(tmp_path / "town", scene), tmp_path / "out", tmp_path / "names.json"
    names.write_text(json.dumps(dict(zip(NAMES, COLOURS, strict=True))))
    commands.prepare([root], out, condition="labels", classes=str(names), size=64)
    said = capsys.readouterr().out
    assert "town: 2 clips of 12 of 12 frames in 2 sequences; style 'town'" in said
    with pytest.raises(InputError, match="go with --condition labels"):
        commands.prepare([root], out, classes="a,b")
    clip = open_data(out).clips[0]
    whole = Window(slice(0, HEIGHT), slice(0, WIDTH))
    shown = [clip.moment(3, 2, whole, whim)["condition"][0] for whim in range(30)]
    assert all((ids.numpy() == scene.label[3]).all() for ids in shown), "no finer classes to hide"
    config = replace(smoke(), steps=2, weights=LossWeights(perceptual=0))
    path = train(out, tmp_path / "run", config, name="town")
    assert package.load(path).card.condition_settings["classes"] == list(NAMES)
