"""`rotolive models`."""

import json
from typing import Any

from .arguments import Positional


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
