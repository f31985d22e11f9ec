"""Rows of finished training runs in a folder, which many processes and machines can add to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import write_csv, write_json
from xbdcnn._common.provenance import provenance

RUN = ["network", "width", "patches", "seed"]
"""Columns that identify a training run."""

CONDITIONS = ("data_sha256", "cases")
"""Facts on which all rows of a folder have to agree."""

RECORD = "seeds_results.json"
"""Facts about the rows of a folder: data, cases, and recipe and budget of each network."""


class SeedRows(NamedTuple):
    """Rows of training runs, each with the columns `RUN`.

    results: mean scores of each image. levels: accuracy of the estimated noise levels, for networks
    that estimate them. trainings: one row per run, see `trainings.training_row` and
    `runs.score_run`. The file of each is seeds_<name>.csv.
    """

    results: pd.DataFrame
    levels: pd.DataFrame
    trainings: pd.DataFrame


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts about the rows of a folder, {} if there is no file of them.

    Raises:
        XbdcnnError: the file is damaged.
    """
    path = folder / RECORD
    if not path.exists():
        return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        _ = [facts[name] for name in (*CONDITIONS, "settings")]
        return facts
    except (ValueError, KeyError, TypeError) as error:
        raise XbdcnnError(f"{path}: damaged ({error!r}); restore or delete it") from None


def read_rows(folder: Path) -> SeedRows:
    """Read the rows of all finished runs of a folder; empty tables if there are none.

    The row of `trainings` is written last, so that rows of a run without it are incomplete and are
    left out.

    Raises:
        XbdcnnError: a file is damaged.
    """
    results, levels, trainings = (_read_csv(folder / _file(name)) for name in SeedRows._fields)
    finished_results = results[_belong(results, trainings)]
    return SeedRows(finished_results, levels[_belong(levels, trainings)], trainings)


def add_rows(folder: Path, new: SeedRows, facts: dict[str, Any]) -> None:
    """Add runs to the rows of a folder; those of other runs remain.

    Of two processes that add to one folder at the same time, the rows of one may be lost; let each
    have its own, and merge them.

    Args:
        folder: created if it does not exist.
        new: rows of runs that replace rows of the same runs.
        facts: `CONDITIONS`, and `settings`, the recipe and budget of each network, see
            `settings_label`.

    Raises:
        XbdcnnError: the folder has rows of other conditions, or of other settings of a network.
    """
    known = read_facts(folder)
    require_same(folder, known, facts)
    settings = known.get("settings", {}) | facts["settings"]
    write_json(provenance(**facts | {"settings": settings}), folder / RECORD)
    for name, kept, added in zip(SeedRows._fields, read_rows(folder), new, strict=True):
        parts = [part for part in (without(kept, new.trainings), added) if not part.empty]
        table = pd.concat(parts, ignore_index=True) if parts else added
        write_csv(table, folder / _file(name))


def merge(folders: Sequence[Path], output: Path) -> None:
    """Add the runs of other folders that `output` does not have.

    Raises:
        XbdcnnError: a folder has no rows, or rows of other conditions or settings.
    """
    for folder in folders:
        if not (facts := read_facts(folder)):
            raise XbdcnnError(f"{folder / RECORD}: not there; name an output folder of `seeds`")
        present = read_rows(output).trainings
        rows = SeedRows(*(without(table, present) for table in read_rows(folder)))
        add_rows(output, rows, facts)


def settings_label(network: str, width: int, patches: int) -> str:
    """Return the name of a network at one size in the facts about rows."""
    return f"{network}, width {width}, {patches} patches"


def require_same(folder: Path, known: dict[str, Any], facts: dict[str, Any]) -> None:
    """Raise XbdcnnError unless rows with `facts` can stand beside those of a folder, `known`.

    A setting that one of them lacks, because it was added to the program later, is not compared.
    """
    remedy = "choose another output folder"
    for name in CONDITIONS if known else ():
        if known[name] != facts[name]:
            raise XbdcnnError(f"{folder / RECORD}: rows with other {name}; {remedy}")
    for label, parts in facts["settings"].items():
        for part, values in parts.items():
            earlier = known.get("settings", {}).get(label, {}).get(part, {})
            shared = sorted(earlier.keys() & values.keys())
            if changed := [name for name in shared if earlier[name] != values[name]]:
                raise XbdcnnError(
                    f"{folder / RECORD}: {label}, has rows with other {', '.join(changed)} in its "
                    f"{part}; {remedy}"
                )


def without(table: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table that belong to none of the runs."""
    return table[~_belong(table, runs)]


def _belong(table: pd.DataFrame, runs: pd.DataFrame) -> NDArray[np.bool_]:
    """Tell of each row of a table whether it belongs to one of the runs."""
    return pd.MultiIndex.from_frame(table[RUN]).isin(pd.MultiIndex.from_frame(runs[RUN]))


def _file(name: str) -> str:
    return f"seeds_{name}.csv"


def _read_csv(path: Path) -> pd.DataFrame:
    """Read rows of runs; an empty table with the columns `RUN` if there is no file."""
    if not path.exists():
        return pd.DataFrame(columns=RUN)
    try:
        table = pd.read_csv(path)
        _ = table[RUN]
        return table
    except (ValueError, KeyError) as error:
        raise XbdcnnError(f"{path}: damaged ({error}); restore or delete it") from None
