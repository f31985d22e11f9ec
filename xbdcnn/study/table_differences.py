"""Differences between two versions of a table: re-measured or reproduced, and on file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.tables import ROW_KEY

TIMES = ("seconds", "seconds_low", "seconds_high", "cpu_seconds")
"""Columns that are not compared, because running times are never the same twice."""


class Difference(NamedTuple):
    """Difference between two versions of a table, without the columns in `TIMES`."""

    values: int
    """Number of values in the larger of the two."""
    differing: int
    """Number of values that are not equal; all of them if rows or columns do not match."""
    largest: float
    """Largest absolute difference of two numbers; infinite if rows or columns do not match."""


def compare_tables(old: pd.DataFrame, new: pd.DataFrame) -> Difference:
    """Compare two tables value by value; rows are matched by position, columns by name."""
    old, new = (table.drop(columns=list(TIMES), errors="ignore") for table in (old, new))
    size = max(old.size, new.size)
    if list(old) != list(new) or len(old) != len(new):
        return Difference(size, max(size, 1), np.inf)
    differing, largest = 0, 0.0
    for name in old:
        a, b = old[name].reset_index(drop=True), new[name].reset_index(drop=True)
        differing += int((~((a == b) | (a.isna() & b.isna()))).sum())
        if is_numeric_dtype(a) and is_numeric_dtype(b):
            gaps = (a.astype(float) - b.astype(float)).abs()
            largest = max(largest, float(gaps.max(skipna=True) or 0.0))
    return Difference(size, differing, largest)


def compare_files(recorded: Iterable[Path], folder: Path) -> pd.DataFrame:
    """Compare each recorded csv file with the file of the same name in `folder`.

    Returns one row per file: file, and the fields of `Difference`. A file that is missing on
    either side differs in all its values.
    """
    rows = [(path.name, *_compare_paths(path, folder / path.name)) for path in recorded]
    return pd.DataFrame(rows, columns=["file", *Difference._fields])


def _compare_paths(old: Path, new: Path) -> Difference:
    tables = [pd.read_csv(path) if path.is_file() else pd.DataFrame() for path in (old, new)]
    found = compare_tables(*tables)
    if old.is_file() and new.is_file():
        return found
    return found._replace(differing=max(found.values, 1), largest=np.inf)


def read_earlier_table(number: int, folder: Path | str) -> pd.DataFrame:
    """Read the csv file of Table I or II that `tables.run_table` wrote to `folder`.

    Raises:
        XbdcnnError: the file is missing or damaged, or is not that table.
    """
    path = Path(folder) / f"table_{number}.csv"
    if not path.is_file():
        raise XbdcnnError(f"{path}: not there; name a folder that `xbdcnn evaluate` wrote")
    try:
        table = pd.read_csv(path, dtype={"psnr": float})
    except ValueError as error:
        raise XbdcnnError(f"{path}: damaged ({error}); name another folder") from None
    if missing := [name for name in (*ROW_KEY[number], "psnr") if name not in table]:
        raise XbdcnnError(f"{path}: no such table, lacks {', '.join(missing)}; name another folder")
    return table


def compare_psnr(number: int, earlier: pd.DataFrame, table: pd.DataFrame) -> Difference:
    """Compare the PSNR in dB of the rows that two versions of Table I or II have in common.

    Raises:
        XbdcnnError: they have no row in common.
    """
    columns = [version.set_index(ROW_KEY[number])["psnr"] for version in (earlier, table)]
    common = pd.concat(columns, axis=1, join="inner", keys=["old", "new"]).dropna()
    if common.empty:
        raise XbdcnnError(f"Table {'I' * number}: no row in common with the earlier table")
    return compare_tables(*(common[[name]].set_axis(["psnr"], axis=1) for name in common))
