"""`rotolive models` and `rotolive compile`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import tyro

from .arguments import Model, Positional, Runtime, at_least, check_folder_of, show


def compile_model(
    model: Positional[Model] = "dancer",
    sessions: int = 4,
    runtime: Runtime = "auto",
    json_file: Annotated[Path | None, tyro.conf.arg(name="json")] = None,
) -> None:
    """Build what runs a model fastest on this machine ahead of time, and keep it; prints JSON.

    A server that finds nothing built starts on something slower, builds while it runs, and changes
    over.

    Args:
        sessions: How many people may dance at once: `rotolive serve` looks for the same.
        runtime: What to build for.
        json_file: Write what was built here as well.
    """
    from rich.console import Console
    from rich.progress import Progress

    from .live import open_model

    at_least("sessions", sessions, 1)
    check_folder_of(json_file)
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("compiling", total=None)

        def report(what: str, done: int, of: int) -> None:
            progress.update(bar, description=what, completed=done, total=of)

        opened = open_model(model, slots=sessions, runtime=runtime, progress=report)
        progress.update(bar, description=opened.runtime, completed=1, total=1)
    show({"model": opened.name, "sessions": sessions, **asdict(opened.info)}, json_file)


def models(path: Positional[str] = "", as_json: bool = False) -> None:
    """List the bundled models, or describe one package: size, styles, licence, provenance.

    Args:
        path: A name or a package's path; all bundled ones when left out.
        as_json: Print JSON.
    """
    from .package import bundled_models, load

    rows: list[dict[str, Any]] = []
    for name in [path] if path else bundled_models():
        package = load(name)
        card = package.card
        rows.append(
            {
                "name": card.name,
                "megabytes": round(package.path.stat().st_size / 1e6, 1),
                "size": f"{card.generator.width}x{card.generator.height}",
                "condition": card.condition,
                "styles": list(card.styles),
                "licence": card.licence,
                "provenance": card.provenance,
            }
        )
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        print(f"{row['name']}  {row['size']}  {row['condition']}  {row['megabytes']} MB  ", end="")
        print(row["licence"])
        print("  styles: " + ", ".join(f"{i} {name}" for i, name in enumerate(row["styles"])))
        print("  made from: " + ", ".join(f"{k} {v}" for k, v in row["provenance"].items()))
