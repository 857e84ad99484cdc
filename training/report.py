"""An evaluation as a page that explains itself: a table, pictures, the course of a long dance."""

import html
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .evaluate import Evaluation

MEANINGS = {
    "psnr": ("PSNR", "dB, whole picture", 1),
    "psnr_body": ("PSNR, body", "dB, where anything but a backdrop is", 1),
    "ssim": ("SSIM", "of the luma", 1),
    "perceptual_lite0": ("Perceptual", "distance of EfficientNet-lite0 features", -1),
    "st_lpips": ("ST-LPIPS", "shift-tolerant distance of VGG16 features, every 10th frame", -1),
    "frechet_lite0": ("Fréchet", "distance of lite0 features' Gaussians; this is not FID", -1),
    "warping_error": (
        "Warping error",
        "times 1000, where it was to be seen before, along true motion",
        -1,
    ),
    "warping_ratio": ("… over the truth's own", "1 is as steady as the truth", -1),
    "tof_px": ("tOF", "pixels between the optical flows of output and truth", -1),
    "pose_within_3_percent": ("Pose", "share of 12 joints re-detected within 3%", 1),
}
"""Figure: its name, what it is, and whether more (1) or less (-1) is better."""
_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}
td,th{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}small{color:#666;display:block}
img{max-width:100%}figure{margin:2rem 0}"""


def write_report(folder: Path, figures: dict[str, Any], evaluation: Evaluation) -> Path:
    """Write index.html, figures.json and pictures.png into a folder; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.json").write_text(
        json.dumps({**figures, "drift_course": evaluation.course}, indent=1) + "\n"
    )
    sheet = np.hstack([np.vstack(column) for column in evaluation.pictures[:8]])
    cv2.imwrite(str(folder / "pictures.png"), sheet[:, :, ::-1])
    page = folder / "index.html"
    page.write_text(_page(figures, evaluation.course, evaluation.shown), encoding="utf-8")
    return page


def _page(figures: dict[str, Any], course: list[float], shown: tuple[str, ...]) -> str:
    name = html.escape(str(figures["model"]))
    heads = "".join(f"<th>{html.escape(row)}</th>" for row in figures["rows"])
    known = next(iter(figures["rows"].values()))
    lines = "".join(_line(key, figures["rows"]) for key in MEANINGS if key in known)
    return (
        f"<!doctype html><meta charset=utf-8><title>{name}</title><style>{_STYLE}</style>"
        f"<h1>{name}</h1><p>{figures['frames']} frames, conditions made by the live path; "
        f"{figures['step_ms']} ms a frame on {html.escape(str(figures['device']))}.</p>"
        f"<table><tr><th></th>{heads}</tr>{lines}</table>"
        "<figure><img src=pictures.png alt='truth and outputs'><figcaption>From the top: "
        f"{html.escape(', '.join(shown))}, in the middle of each clip.</figcaption></figure>"
        f"{_course(figures, course)}"
    )


def _line(key: str, rows: dict[str, dict[str, float]]) -> str:
    name, meaning, better = MEANINGS[key]
    values = [row[key] for row in rows.values()]
    best = max(values) if better > 0 else min(values)
    cells = "".join(f"<td>{'<b>' if v == best else ''}{v:.3f}</b></td>" for v in values)
    arrow = "↑" if better > 0 else "↓"
    return f"<tr><td>{name} {arrow}<small>{meaning}</small></td>{cells}</tr>"


def _course(figures: dict[str, Any], course: list[float]) -> str:
    """The PSNR over a long dance, as a line."""
    if not course:
        return ""
    wide, high = 800, 160
    groups = np.array_split(np.asarray(course), min(len(course), 200))
    values = np.array([group.mean() for group in groups])
    low, top = float(values.min()), float(values.max())
    xs = np.linspace(0, wide, len(values))
    ys = high - (values - low) / max(top - low, 1e-6) * high
    points = " ".join(f"{x:.0f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    return (
        f"<figure><svg viewBox='0 -5 {wide} {high + 10}'><polyline points='{points}' fill=none "
        f"stroke='#36c' stroke-width=1.5 /></svg><figcaption>PSNR of the body over "
        f"{figures['drift_frames']} frames, {low:.1f} to {top:.1f} dB; it falls by "
        f"{figures['drift_db']:.2f} dB.</figcaption></figure>"
    )
