"""The record of a training run: budget, time, validation scores and provenance of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.inference.methods import weight_paths
from xbdcnn.inference.weights import ESTIMATOR, estimator_path, read_weights
from xbdcnn.inference.zoo import ESTIMATORS, ZOO
from xbdcnn.study.audit.recipe_choices import UNITS
from xbdcnn.training.distributed import ARITHMETIC


def paper_share(patches: int, patch_size: int) -> float:
    """Return the training pixels of a run, repeats included, in percent of `paper.TRAINING_PIXELS`.

    patches: number of patches seen; patch_size: their height and width in pixels. XbdcnnError if
    one of them is negative.

    >>> round(paper_share(160_000, 64), 2)
    0.45
    """
    if patches < 0 or patch_size < 0:
        raise XbdcnnError(f"{patches} patches of side {patch_size}: give numbers of at least 0")
    return 100 * patches * patch_size**2 / paper.TRAINING_PIXELS


def recorded_share(path: Path | str) -> float | None:
    """Return `paper_share` of the runs recorded in a weight file; None without a record.

    Includes the runs of the weights from which the last run started. XbdcnnError if the file is
    unreadable.
    """
    header = read_weights(path)[1]
    if "budget" not in header:
        return None
    share, before = 0.0, 0
    for run in [*header.get("earlier", []), header["budget"]]:
        # The patches of a run include those of the runs before it.
        share += paper_share(run["patches"] - before, run["patch_size"])
        before = run["patches"]
    return share


def recorded_shares(weights: Path | str | None = None) -> dict[str, float | None]:
    """Return `recorded_share` by label, of the networks of `methods.weight_paths`.

    If there are successors, that of their level estimator, too.
    """
    paths = weight_paths(weights)
    shares = {ZOO[name].label: recorded_share(path) for name, path in paths.items()}
    for name, path in paths.items():
        if ZOO[name].architecture == "successor":
            shares[ESTIMATORS[ESTIMATOR].label] = recorded_share(estimator_path(path))
    return shares


def training_row(path: Path | str) -> dict[str, Any]:
    """Return one row of trainings.csv from the header of a weight file.

    network, seed, patches, patch_size, width (channels; None for a network without one width),
    arithmetic ("fp32", "bf16" or "fp16"), core_hours (None if unknown), the scores of
    `recipe_choices.UNITS` that the run has, commit and time of the run, data_sha256, and the sha256
    of the file. XbdcnnError if it is unreadable.
    """
    header = read_weights(path)[1]
    known, budget = header["provenance"], header["budget"]
    row = {"network": header["name"], "seed": budget["seed"], "patches": budget["patches"]}
    row |= {"patch_size": budget["patch_size"], "width": header["recipe"].get("width")}
    # A file without the record is of a version that computed in the format of the budget.
    row |= {"arithmetic": header.get("arithmetic", ARITHMETIC[budget["precision"]])}
    row |= {
        "core_hours": round(header["cpu_seconds"] / 3600, 2) if "cpu_seconds" in header else None
    }
    row |= {name: score for name, score in header["scores"].items() if name in UNITS}
    row |= {"commit": known["commit"], "data_sha256": known["data_sha256"], "time": known["time"]}
    return row | {"sha256": sha256_of(path)}
