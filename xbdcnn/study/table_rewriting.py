"""Write Tables I and II again from measured rows, with the columns of the current version."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.methods import method_versions
from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.tables import write_results


def rewrite_table(
    number: int, folder: Path | str, weights: Path | str | None = None
) -> pd.DataFrame:
    """Write Table I or II again from the rows in `folder`, without measuring them.

    number, folder, weights: as for `run_table`, which wrote the folder. The record of the
    measurement is kept; only what is computed from the rows and from the weights is new.

    Raises:
        XbdcnnError: files are missing or damaged, or a network was measured with other weights.
    """
    stem = Path(folder) / f"table_{number}"
    rows = stem.with_name(f"{stem.name}_results.csv")
    try:
        facts = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        versions = json.loads(rows.with_suffix(".json").read_text(encoding="utf-8"))["methods"]
        results = pd.read_csv(rows)
    except (OSError, ValueError, KeyError) as error:
        raise XbdcnnError(
            f"{stem}: files of the table unreadable ({error}); measure again"
        ) from None
    networks = {label for label in versions if label in {entry.label for entry in ZOO.values()}}
    current = method_versions(networks, weights)
    if changed := sorted(label for label in networks if current[label] != versions[label]):
        raise XbdcnnError(f"{rows}: other weights of {', '.join(changed)}; measure them again")
    del facts["caption"]
    return write_results(number, results, facts, stem, weights)
