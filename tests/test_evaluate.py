"""Figures of pictures and motion, and the report made of them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import write_clips
from torch.nn import functional as F

from rotolive.model import package
from rotolive.model.errors import InputError
from rotolive.training import metrics
from rotolive.training.config import LossWeights, smoke
from rotolive.training.evaluate import (
    COPY,
    FORGETFUL,
    MODEL,
    STEADIED,
    UNTOLD,
    VARIANTS,
    drift_of,
    evaluate,
)
from rotolive.training.losses import same_thing
from rotolive.training.report import MEANINGS, write_report
from rotolive.training.run import train
from rotolive.training.stlpips import ShiftTolerantDistance, weights
from rotolive.training.synthetic.clips import synth_actor

SIZE = 64


def texture(seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return F.interpolate(torch.rand(1, 3, 12, 12), (48, 48), mode="bicubic").clamp(0, 1)


def test_psnr_is_that_of_the_error() -> None:
    x = torch.full((2, 3, 8, 8), 0.5)
    y = x.clone()
    y[0] += 0.1
    y[1, :, :4] += 0.1
    found = metrics.psnr(x, y)
    assert found.tolist() == pytest.approx([20.0, 23.01], abs=0.01)
    below = torch.zeros(2, 1, 8, 8)
    below[:, :, 4:] = 1
    assert metrics.psnr(x, y, below)[1] > 90


def test_ssim_sees_structure_not_brightness() -> None:
    x = texture()
    assert float(metrics.ssim(x, x)) == pytest.approx(1)
    brighter = float(metrics.ssim(x, (x + 0.05).clamp(0, 1)))
    other = float(metrics.ssim(x, texture(1)))
    assert other < 0.5 < 0.9 < brighter < 1


def test_a_picture_that_moves_as_it_should_has_no_warping_error() -> None:
    before = texture()
    now = before.roll(3, dims=3)
    motion = torch.zeros(1, 2, 48, 48)
    motion[:, 0] = -3
    inside = torch.zeros(1, 1, 48, 48)
    inside[..., 4:-4, 4:-4] = 1
    assert float(metrics.warping_error(now, before, motion, inside)) < 1e-3
    assert float(metrics.warping_error(now, before, 0 * motion, inside)) > 1
    flicker = now + 0.1
    assert float(metrics.warping_error(flicker, before, motion, inside)) == pytest.approx(10, 0.01)


def test_frechet_distance_of_known_gaussians() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, (20_000, 3)).astype(np.float32)
    b = (2 * rng.normal(0, 1, (20_000, 3)) + 1).astype(np.float32)
    assert metrics.frechet(a, a) < 1e-6
    assert metrics.frechet(a, b) == pytest.approx(3 * 1**2 + 3 * (1 + 4 - 2 * 2), rel=0.05)


def test_flows_differ_by_how_much_faster_one_moves() -> None:
    picture = (texture()[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)
    still, moved = (metrics.flow(picture, np.roll(picture, n, 1)) for n in (0, 2))
    assert metrics.flow_difference(still[8:-8, 8:-8], moved[8:-8, 8:-8]) == pytest.approx(2, 0.2)


def test_what_was_hidden_before_is_no_warping_error() -> None:
    before, now = torch.zeros(8, 8, dtype=torch.long), torch.zeros(8, 8, dtype=torch.long)
    before[:, :4], now[:, 2:6] = 1, 1
    motion = torch.zeros(1, 2, 8, 8)
    motion[:, 0] = -2
    seen = same_thing(now[None], before[None], motion)[0, 0]
    assert seen[:, 2:6].all()
    assert not same_thing(now[None], torch.zeros_like(before)[None], motion)[0, 0, :, 2:6].any()


def test_steadying_follows_what_moves_and_lets_go_of_what_changes() -> None:
    steady, rng = metrics.Steadying(), torch.Generator().manual_seed(0)
    picture = F.interpolate(torch.rand(1, 3, 24, 24, generator=rng), (96, 96), mode="bicubic")
    picture = picture.clamp(0, 1)
    errors, kept = [], []
    for shift in range(0, 12, 2):
        true = picture.roll(shift, 3)
        noisy = (true + 0.02 * torch.randn(true.shape, generator=rng)).clamp(0, 1)
        inner = slice(16, -16)
        errors.append(float((noisy - true)[..., inner, inner].abs().mean()))
        kept.append(float((steady(noisy) - true)[..., inner, inner].abs().mean()))
    assert np.mean(kept[2:]) < 0.8 * np.mean(errors[2:])
    other = 1 - picture
    assert float((steady(other) - other).abs().mean()) < 0.01


def test_drift_is_the_fall_from_the_first_to_the_last() -> None:
    assert drift_of([30.0] * 200 + [20.0] * 100 + [29.0] * 200) == 1.0


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("held")
    synth_actor(folder, 1, 1.0, seed=9, size=256, detect_share=0, styles=(0,))
    return folder


def test_the_dancer_is_scored_and_reported(held_out: Path, tmp_path: Path) -> None:
    figures, evaluation = evaluate(package.load("dancer"), held_out, frames=30, drift=40)
    rows = figures["rows"]
    assert set(rows) == set(VARIANTS)
    assert rows[STEADIED]["warping_error"] < rows[FORGETFUL]["warping_error"]
    assert figures["frames"] == 29 and figures["drift_frames"] == 40
    for row in rows.values():
        assert set(MEANINGS) <= set(row) and np.isfinite(list(row.values())).all()
    assert rows[MODEL]["psnr"] > 20 and rows[MODEL]["pose_within_3_percent"] > 0.5
    assert rows[MODEL]["warping_error"] != rows[FORGETFUL]["warping_error"]
    assert rows[COPY]["true_warping_error"] == rows[MODEL]["true_warping_error"]
    page = write_report(tmp_path / "report", figures, evaluation)
    text = page.read_text()
    assert "Fréchet" in text and "polyline" in text and f"{rows[MODEL]['psnr']:.3f}" in text
    assert (tmp_path / "report" / "pictures.png").stat().st_size > 10_000


def test_clips_of_another_size_or_none_are_named(held_out: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rotolive synth"):
        evaluate(package.load("dancer"), tmp_path)
    synth_actor(tmp_path, 1, 0.2, seed=9, size=SIZE, detect_share=0, styles=(0,))
    with pytest.raises(InputError, match="is 64x64; the model paints 256x256"):
        evaluate(package.load("dancer"), tmp_path)


def test_the_command_writes_figures_and_a_page(held_out: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rotolive", "evaluate", "dancer", str(held_out)]
    command += ["--frames", "4", "--drift", "0", "--json", str(tmp_path / "x.json")]
    done = subprocess.run(
        [*command, "--report", str(tmp_path / "r")], capture_output=True, text=True, check=True
    )
    figures = json.loads((tmp_path / "x.json").read_text())
    assert figures["frames"] == 3 and "drift_db" not in figures
    assert done.stdout.strip().endswith("index.html") and (tmp_path / "r/index.html").is_file()
    command[-1] = str(tmp_path / "no" / "x.json")
    assert subprocess.run(command, capture_output=True).returncode == 2


def test_scenes_are_scored_with_and_without_motion(tmp_path: Path) -> None:
    write_clips(tmp_path / "data")
    plain = replace(smoke(), steps=2, crop=64, weights=LossWeights(perceptual=0))
    model = package.load(train(tmp_path / "data", tmp_path / "run", plain, name="toy"))
    figures, evaluation = evaluate(model, tmp_path / "data", frames=8, drift=10)
    rows = figures["rows"]
    assert set(rows) == set(VARIANTS) and figures["frames"] == 14
    assert "pose_within_3_percent" not in rows[MODEL]
    assert rows[MODEL]["warping_error"] != rows[UNTOLD]["warping_error"]
    assert rows[MODEL]["true_warping_error"] < rows[COPY]["psnr"]
    page = write_report(tmp_path / "report", figures, evaluation).read_text()
    assert "by its own flow" in page and "joints" not in page


def test_a_model_beside_is_scored_as_it_is_by_itself(tmp_path: Path) -> None:
    data = write_clips(tmp_path / "data")
    plain = replace(smoke(), steps=2, crop=64, weights=LossWeights(perceptual=0))
    still = replace(plain, without=("recurrence",), seed=1)
    model, other = (
        package.load(train(data, tmp_path / name, config, name=name))
        for name, config in (("toy", plain), ("still", still))
    )
    figures, evaluation = evaluate(model, data, frames=6, beside=[other])
    alone, _ = evaluate(other, data, frames=6)
    assert figures["rows"]["still"] == alone["rows"][MODEL] != figures["rows"][MODEL]
    assert alone["rows"][MODEL] == alone["rows"][FORGETFUL]
    page = write_report(tmp_path / "report", figures, evaluation).read_text()
    assert "truth, model, still" in page
    with pytest.raises(InputError, match="names of their own"):
        evaluate(model, data, beside=[other, other])
    with pytest.raises(InputError, match="dancer is of other data than toy: its condition"):
        evaluate(model, data, beside=[package.load("dancer")])


def test_st_lpips_minds_blur_and_noise_more_than_a_shift() -> None:
    path = weights()
    assert path is not None, "the dev group has the weights"
    distance = ShiftTolerantDistance(path)
    picture = F.interpolate(texture(), (64, 64), mode="bilinear") * 2 - 1
    noisy = picture + 0.2 * torch.randn(picture.shape)
    others = [picture, picture.roll(1, 3), F.avg_pool2d(picture, 9, 1, 4), noisy]
    with torch.no_grad():
        same, shifted, blurred, disturbed = (float(distance(picture, x)) for x in others)
    assert same == 0 < 3 * shifted < min(blurred, disturbed)
