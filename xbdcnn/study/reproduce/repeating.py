"""Repeating a reproduction from its record, and comparing what comes out with what is on record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.provenance import provenance
from xbdcnn.data.source import Source
from xbdcnn.study.reproduce.freshness import RECORD, read_record

TIMES = ("seconds", "seconds_low", "seconds_high", "cpu_seconds")
"""Columns that no second run can repeat."""


@dataclass(frozen=True)
class RecordedRun:
    """What a provenance.json says of a reproduction, and the folder of its results."""

    folder: Path
    facts: dict[str, Any]

    @property
    def profile(self) -> str:
        """Profile of the run."""
        return self.facts["profile"]

    @property
    def notebooks(self) -> list[str]:
        """The notebooks that ran under this profile on these images."""
        same = (self.profile, self.facts["data_sha256"])
        entries = self.facts["notebooks"].items()
        return [name for name, e in entries if (e["profile"], e["data_sha256"]) == same]

    @property
    def tables(self) -> list[Path]:
        """The csv files that these notebooks wrote.

        Names are relative to the folder, or to the one above it if the results were published.
        """
        files = {name for n in self.notebooks for name in self.facts["notebooks"][n]["files"]}
        names = sorted(name for name in files if name.endswith(".csv"))
        published = any(name.startswith("figures/") for name in names)
        return [(self.folder.parent if published else self.folder) / name for name in names]


def read_run(path: Path) -> RecordedRun:
    """Read the record of a reproduction, named by the file or by its folder.

    Raises:
        XbdcnnError: there is none, or it is damaged.
    """
    folder = path if path.is_dir() else path.parent
    if not (folder / RECORD).is_file() or (path != folder and path.name != RECORD):
        raise XbdcnnError(f"{path}: no record of a reproduction; name a {RECORD}")
    facts = read_record(folder)
    if not {"profile", "data", "data_sha256", "commit", "versions"} <= facts.keys():
        raise XbdcnnError(f"{folder / RECORD}: incomplete; it says nothing of its profile or data")
    return RecordedRun(folder, facts)


def require_repeatable(run: RecordedRun, source: Source) -> None:
    """Raise XbdcnnError unless a run finished some notebook, on the very images of the source."""
    if source.fingerprint != run.facts["data_sha256"]:
        raise XbdcnnError(
            f"{run.folder / RECORD}: made from {run.facts['data']}, but these images "
            f"({source.name}) are others; name the folder with --data"
        )
    if not run.notebooks:
        raise XbdcnnError(
            f"{run.folder / RECORD}: no finished notebook on record; nothing to repeat"
        )


def changes(run: RecordedRun) -> list[str]:
    """Say what is not as it was: commit, machine and versions, one line each."""
    now = provenance()
    then = {"commit": run.facts["commit"], "machine": run.facts.get("machine")}
    then |= run.facts["versions"]
    here = {"commit": now["commit"], "machine": now["machine"]} | now["versions"]
    return [
        f"{name}: {then.get(name, 'none')} then, {here.get(name, 'none')} now"
        for name in dict.fromkeys([*then, *here])
        if then.get(name) != here.get(name)
    ]


def compare(run: RecordedRun, output: Path) -> pd.DataFrame:
    """Compare every recorded table with its repetition: file, values, differing, largest.

    differing counts the values that are not equal, times left out; largest is the largest
    difference of two numbers. A table that is missing on either side differs as a whole.
    """
    repeated = output / "tables"
    rows = [(path.name, *_difference(path, repeated / path.name)) for path in run.tables]
    return pd.DataFrame(rows, columns=["file", "values", "differing", "largest"])


def _difference(then: Path, now: Path) -> tuple[int, int, float]:
    """Values of a table, how many of them differ, and the largest difference of two numbers."""
    tables = [_read(path) for path in (then, now)]
    size = max(table.size for table in tables)
    absent = not (then.is_file() and now.is_file())
    if absent or list(tables[0]) != list(tables[1]) or len(tables[0]) != len(tables[1]):
        return size, max(size, 1), np.inf
    differing, largest = 0, 0.0
    for name in tables[0]:
        old, new = (table[name] for table in tables)
        differing += int((~((old == new) | (old.isna() & new.isna()))).sum())
        if pd.api.types.is_numeric_dtype(old) and pd.api.types.is_numeric_dtype(new):
            gaps = (old.astype(float) - new.astype(float)).abs()
            largest = max(largest, float(gaps.max(skipna=True) or 0.0))
    return size, differing, largest


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        return pd.DataFrame()
    return pd.read_csv(path).drop(columns=list(TIMES), errors="ignore")
