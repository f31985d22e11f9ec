"""The panels of the front page's figure as single pictures, whose labels the page writes.

The labels within the figure are too small on a phone.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

PANELS = ("noisy", "restored", "clean", "removed")
"""Labels of the panels of `plotting.hero`, from the left."""

LABELS = 0.1
"""Share of a panel's height at its lower edge that holds the label."""

MARKDOWN = "![A chest radiograph under strong noise, restored, and clean](figures/00_hero.png)"
"""The figure in docs/index.md, which `panel_grid` replaces in the book."""


def write_panels(figure: Path, folder: Path) -> None:
    """Write each panel without its label at the figure's own pixels, as <label>.png."""
    folder.mkdir(parents=True)
    with Image.open(figure) as image:
        grey = np.asarray(image.convert("L"))
        columns = runs(grey)
        left, right = columns[0]
        top, bottom = runs(grey[:, left:right].T)[0]
        bottom -= round(LABELS * (bottom - top))
        for label, (left, right) in zip(PANELS, columns, strict=True):
            image.crop((left, top, right, bottom)).save(folder / f"{label}.png")


def runs(grey: np.ndarray) -> list[tuple[int, int]]:
    """First and last + 1 of the columns between gaps that are white over the whole height."""
    inked = np.r_[False, (grey < 255).any(axis=0), False]
    edges = np.flatnonzero(np.diff(inked))
    return list(zip(edges[::2], edges[1::2], strict=True))


def panel_grid() -> str:
    """Markdown of the panels, each with its label: four in a row, two on a phone."""
    panels = [
        f"```{{figure}} figures/hero/{label}.png\n:alt: A chest radiograph, {label}\n{label}\n```"
        for label in PANELS
    ]
    return "\n".join(["````{container} hero", *panels, "````"])
