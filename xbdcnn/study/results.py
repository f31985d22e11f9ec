"""Files of results: the committed tables on ChestX-ray8, and rows of a running measurement."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import PACKAGE, sha256_of, write_csv, write_json

FOLDER = PACKAGE.parent / "figures" / "chestxray8"
"""Committed results on ChestX-ray8; present in a clone of the repository, not in a wheel."""


def table(name: str) -> pd.DataFrame:
    """Read a committed table, e.g. "trials_recipe"; XbdcnnError if it does not exist."""
    return pd.read_csv(_existing(f"{name}.csv"))


def available(name: str) -> bool:
    """Tell whether a table has been measured and committed."""
    return (FOLDER / f"{name}.csv").exists()


def facts(name: str) -> dict[str, Any]:
    """Read the provenance of a committed table: data, budget, seeds, versions, commit, time.

    XbdcnnError if it does not exist.
    """
    return json.loads(_existing(f"{name}.json").read_text(encoding="utf-8"))


def source_line(name: str) -> str:
    """Return data, commit and date of a committed table as one line for a caption."""
    known = facts(name)
    return f"{known['data']}, commit {known['commit']}, {known['time'][:10]}"


def digest() -> str:
    """Compute the SHA-256 of all committed tables, on which the notebooks that read them depend."""
    lines = [f"{path.name} {sha256_of(path)}" for path in sorted(FOLDER.glob("*.[cj]s*"))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _existing(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        raise XbdcnnError(f"{path}: not there; work in a clone of the repository")
    return path


class ResultsFile:
    """Rows of a measurement, saved after each case so that an interrupted measurement can resume.

    The rows are in a csv file, one per case and method, and the conditions under which they are
    valid in a JSON file of the same name.

    Args:
        path: the csv file.
        identity: the conditions: facts about the cases, and `methods`, which maps each label to
            the version of the method. A row is valid as long as the facts and the version of its
            method are unchanged.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path, self.identity = path, identity
        self.record = path.with_suffix(".json")

    def saved_methods(self) -> list[str]:
        """Return the labels of the methods in the record; none if there is no record.

        Raises:
            XbdcnnError: the record is damaged.
        """
        if not self.record.exists():
            return []
        try:
            return list(json.loads(self.record.read_text(encoding="utf-8"))["methods"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(error) from None

    def valid_rows(self) -> pd.DataFrame | None:
        """Read the saved rows that are still valid; None if there are none.

        Raises:
            XbdcnnError: the files are damaged.
        """
        if not (self.path.exists() and self.record.exists()):
            return None
        try:
            saved = json.loads(self.record.read_text(encoding="utf-8"))
            conditions = self.identity.items()
            if any(saved.get(name) != it for name, it in conditions if name != "methods"):
                return None
            current = self.identity["methods"]
            unchanged = [label for label, v in saved["methods"].items() if current.get(label) == v]
            rows = pd.read_csv(self.path)
            return rows[rows["method"].isin(unchanged)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(error) from None

    def start(self, rows: pd.DataFrame | None = None) -> None:
        """Replace the saved rows by `rows`, and record the conditions of this measurement."""
        if rows is None:
            self.path.unlink(missing_ok=True)
        else:
            self.write(rows)
        write_json(self.identity, self.record)

    def write(self, rows: pd.DataFrame) -> None:
        """Save all rows so far."""
        write_csv(rows, self.path)

    def _damaged(self, error: Exception) -> XbdcnnError:
        return XbdcnnError(f"{self.path}: damaged ({error}); delete it to start anew")
