"""Show which ids share rows, and how far apart the model reads the features that do.

examples:
  recsys-train multiplexing configs/papers/unified-frappe.toml
      pairs of ids in one row, within each feature and between features, before any training
  recsys-train multiplexing runs/frappe-dnn --output runs/frappe-dnn/multiplexing
      the same of a finished run, and the angles between the blocks of its first layer

Ids of one feature that share all their rows are one to the model, for good. Ids of two features
that share a row are told apart by the first layer, as far as its blocks for the two are at right
angles; training turns them there (Unified Embedding, arXiv 2305.12102). DIR gets collisions.json
and multiplexing.png, one for each table whose rows are shared.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says what to analyse, and where the pictures go."""
    parser.add_argument("path", type=Path, help="a config in TOML, or the folder of a run")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder of the result (runs/multiplexing)"
    )


def run(options: argparse.Namespace) -> int:
    """Analyses, prints and draws."""
    import json

    import numpy as np
    from rich.console import Console

    from training.multiplexing.analysis import analyse
    from training.multiplexing.report import as_json, collision_table, draw

    found = analyse(options.path)
    output = options.output or Path("runs") / "multiplexing"
    output.mkdir(parents=True, exist_ok=True)
    console = Console()
    for name, of_table in found.of_table.items():
        console.print(collision_table(name, found.row_maps[name], of_table))
        if any(own.pairs for own in of_table.of_feature.values()) or len(found.of_table) == 1:
            draw(output / f"multiplexing-{name}.png", of_table, found.blocks, found.degrees)
    values = {name: as_json(of_table) for name, of_table in found.of_table.items()}
    (output / "collisions.json").write_text(json.dumps(values, indent=1))
    if found.degrees is not None:
        apart = found.degrees[~np.eye(len(found.degrees), dtype=bool)]
        mean, least = np.nanmean(apart), np.nanmin(apart)
        console.print(f"angles between first-layer blocks: mean {mean:.1f}°, least {least:.1f}°")
    console.print(f"pictures and figures: {output}", soft_wrap=True)
    return 0
