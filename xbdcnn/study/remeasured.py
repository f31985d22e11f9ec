"""A table measured anew beside the one that an earlier measurement left on file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.tables import KEY


def earlier_table(number: int, folder: Path | str) -> pd.DataFrame:
    """Read the csv of Table I or II that `tables.run_table` once wrote into `folder`.

    Raises:
        XbdcnnError: it is not there, damaged, or no such table.
    """
    path = Path(folder) / f"table_{number}.csv"
    if not path.is_file():
        raise XbdcnnError(f"{path}: not there; name a folder that `xbdcnn evaluate` wrote")
    try:
        table = pd.read_csv(path, dtype={"psnr": float})
    except ValueError as error:
        raise XbdcnnError(f"{path}: damaged ({error}); name another folder") from None
    if missing := [name for name in (*KEY[number], "psnr") if name not in table]:
        raise XbdcnnError(f"{path}: no such table, lacks {', '.join(missing)}; name another folder")
    return table


def largest_difference(
    number: int, table: pd.DataFrame, earlier: pd.DataFrame
) -> tuple[int, float]:
    """How many rows two versions of a table share, and how far apart their PSNR is at most, in dB.

    Raises:
        XbdcnnError: they share none.
    """
    new, old = (version.set_index(KEY[number])["psnr"] for version in (table, earlier))
    gaps = (new - old).abs().dropna()
    if gaps.empty:
        raise XbdcnnError(f"Table {'I' * number}: no row in common with the earlier one")
    return len(gaps), float(gaps.max())
