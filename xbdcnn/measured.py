"""Results of long measurements, made once on real radiographs and kept in figures/chestxray8."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn.errors import XbdcnnError
from xbdcnn.files import sha256_of

FOLDER = Path(__file__).resolve().parents[1] / "figures" / "chestxray8"
"""In a clone of the repository; an installed wheel comes without."""


def table(name: str) -> pd.DataFrame:
    """Read one of the tables, e.g. "trials_recipe".

    Raises:
        XbdcnnError: it is not there.
    """
    return pd.read_csv(_existing(f"{name}.csv"))


def facts(name: str) -> dict[str, Any]:
    """Read the provenance of a table: data, budget, seeds, versions, commit; errors as `table`."""
    return json.loads(_existing(f"{name}.json").read_text(encoding="utf-8"))


def source_line(name: str) -> str:
    """One line for a caption: data, commit and day of a table."""
    known = facts(name)
    return f"{known['data']}, commit {known['commit']}, {known['time'][:10]}"


def digest() -> str:
    """SHA-256 over all tables, so that notebooks that read them notice a change."""
    lines = [f"{path.name} {sha256_of(path)}" for path in sorted(FOLDER.glob("*.[cj]s*"))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _existing(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        raise XbdcnnError(f"{path}: not there; work in a clone of the repository")
    return path
