"""What the bench of runtimes measured, as a table to read."""

from collections.abc import Sequence
from typing import Any

COLUMNS = (
    "model",
    "size",
    "runtime",
    "threads",
    "batch",
    "ms p50",
    "p99",
    "fps",
    "of the floor",
    "agreement dB",
)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows of `bench_runtime` as a Markdown table, in the order they came.

    of the floor: what part of the time the step would take at the least. agreement: with eager,
    of the worst frame of a roll-out.
    """
    lines = [COLUMNS, ["---"] * 3 + ["--:"] * (len(COLUMNS) - 3), *map(_cells, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cells(row: dict[str, Any]) -> list[str]:
    agreement = row["rollout_db"]
    return [
        f"`{row['preset']}`",
        f"{row['width']}x{row['height']}",
        row["runtime"],
        str(row["threads"]),
        str(row["batch"]),
        _short(row["p50_ms"]),
        _short(row["p99_ms"]),
        _short(row["fps"]),
        f"{row['floor_share']:.0%}" if row["floor_share"] >= 0.1 else f"{row['floor_share']:.1%}",
        "is eager" if agreement is None else f"{agreement:.1f}",
    ]


def _short(value: float) -> str:
    """Three digits are enough: 0.123, 1.23, 12.3, 123, 1235."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
