"""Results of long measurements, made once on real radiographs and kept in figures/chestxray8."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import PACKAGE, atomic_path, sha256_of

FOLDER = PACKAGE.parent / "figures" / "chestxray8"
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


class ResultsFile:
    """A csv with one row per case and method, and a JSON that says what they were measured with.

    path: the csv; the JSON lies beside it. identity: what the cases are, and `methods`, which maps
    labels to versions. A row stays valid while the cases and its method's version do.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path, self.identity = path, identity
        self.record = path.with_suffix(".json")

    def known(self) -> pd.DataFrame | None:
        """Rows on file that are still valid; None if there are none.

        Raises:
            XbdcnnError: the files are damaged.
        """
        if not (self.path.exists() and self.record.exists()):
            return None
        try:
            old = json.loads(self.record.read_text(encoding="utf-8"))
            if any(old.get(name) != it for name, it in self.identity.items() if name != "methods"):
                return None
            versions = old["methods"].items()
            valid = [label for label, v in versions if self.identity["methods"].get(label) == v]
            rows = pd.read_csv(self.path)
            return rows[rows["method"].isin(valid)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise XbdcnnError(f"{self.path}: damaged ({error}); delete it to start anew") from None

    def begin(self, known: pd.DataFrame | None = None) -> None:
        """Forget what is on file but for known rows, and write down what the rows depend on."""
        if known is None:
            self.path.unlink(missing_ok=True)
        else:
            self.keep(known)
        with atomic_path(self.record) as temporary:
            temporary.write_text(json.dumps(self.identity, indent=2) + "\n", encoding="utf-8")

    def keep(self, rows: pd.DataFrame) -> None:
        """Put all rows so far on file."""
        with atomic_path(self.path) as temporary:
            rows.to_csv(temporary, index=False)
