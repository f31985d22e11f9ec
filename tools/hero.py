"""The panels of the front page's figure as single pictures, whose labels the page writes.

The labels within the figure are too small on a phone. Notebook 00 writes the panels, each with its
label in the file.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

PANELS = ("noisy", "restored", "clean", "removed")
"""Names of the panels of `plotting.hero`, from the left."""

MARKDOWN = "![A chest radiograph under strong noise, restored, and clean](figures/00_hero.png)"
"""The figure in docs/index.md, which `panel_grid` replaces in the book."""


def panel_grid(figures: Path) -> str:
    """Markdown of the panels, each with its label: four in a row, two on a phone."""
    panels = []
    for name in PANELS:
        path = figures / f"00_hero_{name}.png"
        options = f":alt: A chest radiograph, {name}"
        panels.append(f"```{{figure}} figures/{path.name}\n{options}\n{label(path)}\n```")
    return "\n".join(["````{container} hero", *panels, "````"])


def label(path: Path) -> str:
    """Return the label that `save_figure` stored in the file of a panel."""
    if not path.is_file():
        sys.exit(f"{path}: missing; run `make notebooks ARGS='--only 00'`")
    with Image.open(path) as image:
        return image.info["Description"]
