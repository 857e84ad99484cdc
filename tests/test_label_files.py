"""Folders of label images: what is read, what is refused, and a video made of them."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from rotolive.model.condition.labels.classes import STREET, UnknownClasses
from rotolive.model.condition.labels.files import read_classes, read_names
from rotolive.model.condition.labels.palette import palette
from rotolive.model.errors import InputError
from rotolive.model.live import PaletteModel
from rotolive.model.video import VideoReader
from rotolive.stream.label_files import LabelFiles
from rotolive.stream.render import render, render_labels

NAMES = ("Sky", "Road", "Tree")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for t in range(4):
        label = np.zeros((48, 96), np.uint8)
        label[24:] = 1
        label[10:30, 10 * t : 10 * t + 10] = 2
        cv2.imwrite(str(tmp_path / f"{t:03d}_label.png"), label)
        cv2.imwrite(str(tmp_path / f"{t:03d}_rgb.png"), np.zeros((48, 96, 3), np.uint8))
    return tmp_path


def test_images_become_planes_of_the_models_ids(folder: Path) -> None:
    files = LabelFiles(folder, NAMES, STREET, fps=15)
    frames = list(files)
    assert len(files) == len(frames) == 4 and [t for _, t in frames] == [0, 1 / 15, 2 / 15, 3 / 15]
    label = frames[2][0]["label"]
    assert label[0, 0] == STREET.index("sky") and label[47, 0] == STREET.index("road")
    assert label[20, 25] == STREET.index("vegetation")
    mapped = LabelFiles(folder, NAMES, STREET, mapping={"Tree": "building:brick"})
    assert next(iter(mapped))[0]["label"][20, 5] == STREET.index("building:brick")


def test_a_video_is_made_of_them(folder: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out.mp4", []
    labels = LabelFiles(folder, NAMES, STREET, fps=15)
    report = lambda done, total: seen.append((done, total))  # noqa: E731
    assert render_labels(labels, out, PaletteModel(1, 96, 48), progress=report) == 4
    assert seen[-1] == (4, 4)
    pictures = [picture.rgb for picture in VideoReader(out)]
    assert len(pictures) == 4
    road = palette(STREET)[STREET.index("road")].astype(int)
    assert np.abs(pictures[0][40, 60] - road).max() < 25


def test_what_is_no_label_image_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownClasses, match="'Lava'"):
        LabelFiles(folder, ("Sky", "Lava", "Tree"), STREET)
    with pytest.raises(InputError, match=r"000_label\.png holds the id 2; 2 classes are named"):
        list(LabelFiles(folder, NAMES[:2], STREET))
    empty = tmp_path / "empty"
    empty.mkdir()
    cv2.imwrite(str(empty / "a.jpg"), np.zeros((8, 8), np.uint8))
    with pytest.raises(InputError, match="lossy pictures mix the ids"):
        LabelFiles(empty, NAMES, STREET)
    cv2.imwrite(str(empty / "a.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="one id of 8 bits a pixel"):
        list(LabelFiles(empty, NAMES, STREET))


def test_a_video_of_labels_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="videos are lossy"):
        render(tmp_path / "labels.mp4", tmp_path / "out.mp4", PaletteModel(1, 96, 48))


def test_names_come_from_a_line_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("sky\nroad \n\ntree\n")
    assert read_names(str(tmp_path / "names.txt")) == read_names("sky, road,tree")
    assert len(read_names(",".join(f"class {i}" for i in range(100)))) == 100
    with pytest.raises(InputError, match="names no classes"):
        read_names(" , ")
    with pytest.raises(InputError, match="No such file"):
        read_names(str(tmp_path / "other.json"))


def test_names_and_colours_come_from_json(tmp_path: Path) -> None:
    path = tmp_path / "names.json"
    path.write_text('["sky", "road"]')
    assert read_classes(str(path)) == (("sky", "road"), ())
    path.write_text('{"road": [128, 64, 128], "sky": [70, 130, 180]}')
    assert read_classes(str(path)) == (("road", "sky"), ((128, 64, 128), (70, 130, 180)))
    assert read_names(str(path)) == ("road", "sky")
    for wrong in ('{"road": [128, 64]}', '{"road": [1, 2, 300]}', "[1]", "{}", "7"):
        path.write_text(wrong)
        with pytest.raises(InputError, match="must hold a list of names"):
            read_classes(str(path))
    path.write_text("[")
    with pytest.raises(InputError, match=r"names\.json holds no class names: "):
        read_classes(str(path))
