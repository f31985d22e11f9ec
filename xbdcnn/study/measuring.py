"""Rows of Tables I and II: one per noisy image and method, measured or kept from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.source import Source
from xbdcnn.inference.methods import Method, known_labels, method_versions
from xbdcnn.study.profiles import Profile
from xbdcnn.study.results import ResultsFile
from xbdcnn.study.scoring import BEFORE, digest, evaluate, table_1_cases, table_2_cases


def measure_rows(
    number: int,
    profile: Profile,
    source: Source,
    methods: dict[str, Method],
    path: Path,
    weights: Path | str | None = None,
    resume: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Score methods on the cases of Table I or II, and keep the rows in a file.

    Args:
        number: 1 or 2.
        profile, source: which cases, see `scoring.table_1_cases` and `scoring.table_2_cases`.
        methods: by label.
        path: csv file, saved after each case; the conditions are in a JSON file of the same name.
        weights: folder of the weights of `methods`; None for the shipped ones.
        resume: keep the rows on file that are still valid, of these and of other methods.
        progress: show a progress bar.

    Returns:
        All rows, see `scoring.evaluate`, in table order.

    Raises:
        XbdcnnError: `resume`, and the file is damaged or has some rows only of another method.
    """
    cases = {1: table_1_cases, 2: table_2_cases}[number](source, profile)
    identity: dict[str, Any] = {"profile": profile.name, "data_sha256": source.fingerprint}
    identity |= {"cases": digest(cases), "methods": method_versions(methods, weights)}
    file = ResultsFile(path, identity)
    known = _kept_rows(file, len(cases), weights) if resume else None
    file.start(known)
    results = evaluate(methods, cases, progress, known, file.write)
    results = _in_table_order(results, weights)
    file.write(results)
    return results


def _kept_rows(file: ResultsFile, cases: int, weights: Path | str | None) -> pd.DataFrame | None:
    """Return the valid rows of a file, and add the other methods among them to its conditions."""
    chosen = file.identity["methods"]
    others = method_versions(set(file.saved_methods()) - set(chosen), weights)
    file.identity["methods"] = chosen | others
    if (rows := file.valid_rows()) is None:
        file.identity["methods"] = chosen
        return None
    counts = rows.loc[rows["method"].isin(others), "method"].value_counts()
    if started := ", ".join(counts.index[counts < cases]):
        raise XbdcnnError(f"{file.path}: measurement of {started} not finished; choose it, too")
    file.identity["methods"] = chosen | {label: others[label] for label in counts.index}
    return rows


def _in_table_order(results: pd.DataFrame, weights: Path | str | None) -> pd.DataFrame:
    """Sort rows by case and then by method: the noisy image, networks, other methods."""
    place = {label: number for number, label in enumerate([BEFORE, *known_labels(weights)])}
    order = results.assign(place=results["method"].map(place))
    order = order.sort_values(["case", "place"], kind="stable", ignore_index=True)
    return order.drop(columns="place")
