"""The pose loss: the detector's own network, with gradients."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rotolive.model.condition.pose.detect import TASK
from rotolive.model.runtime.openvino_graph import core
from rotolive.training.landmarker import SIDE, Landmarker, PoseDistance, square_around

PERSON = Path(__file__).parents[1] / "web/static/styles/dancer-0.png"


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """A dancer, [1, 3, 256, 256] in 0..1."""
    rgb = cv2.imread(str(PERSON))[:, :, ::-1].copy()
    image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(image, (SIDE, SIDE), mode="bilinear")


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return Landmarker(TASK)


def test_it_finds_what_the_detector_finds(
    landmarker: Landmarker, picture: torch.Tensor, tmp_path: Path
) -> None:
    with zipfile.ZipFile(TASK) as bundle:
        model = bundle.extract("pose_landmarks_detector.tflite", tmp_path)
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    reference = core().compile_model(model, "CPU", exact)
    found = reference(picture.permute(0, 2, 3, 1).numpy())["Identity"].reshape(39, 5)[:33, :3]
    pair = landmarker(torch.cat([picture, picture.flip(3)]))
    assert np.abs(pair[0].numpy() - found).max() < 0.01
    assert (pair[0] - pair[1]).abs().max() > 1, "each picture of a batch is looked at"


def test_pulling_a_picture_to_the_pose_of_another(picture: torch.Tensor) -> None:
    """Two pictures, one blurred until its hands are lost: gradients bring the poses together."""
    distance = PoseDistance()
    truth = picture * 2 - 1
    blurred = F.avg_pool2d(truth, 25, 1, 12, count_include_pad=False).requires_grad_(True)
    body = torch.tensor([[[128.0, 130.0], [128.0, 70.0]]])
    reach = torch.tensor([115.0])
    optimizer = torch.optim.Adam([blurred], 0.02)
    losses = []
    for _ in range(6):
        torch.manual_seed(0)
        loss = distance(blurred, truth, body, reach)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    with torch.no_grad():
        assert float(distance(truth, truth, body, reach)) == 0


def test_the_square_turns_with_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *size: torch.full(size, 0.5))
    upright = torch.tensor([[50.0, 60.0], [50.0, 40.0]])
    fallen = torch.tensor([[50.0, 60.0], [70.0, 60.0]])
    grid = square_around(torch.stack([upright, fallen]), torch.tensor([20.0, 20.0]), (100, 100))
    pixels = (grid + 1) * 50
    middle = SIDE // 2
    assert torch.allclose(pixels[:, middle, middle], torch.tensor([50.0, 60.0]), atol=0.2)
    top = pixels[:, 0, middle]
    assert torch.allclose(top, torch.tensor([[50.0, 35.0], [75.0, 60.0]]), atol=0.3)
