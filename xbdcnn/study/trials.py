"""Short training runs at equal budget that differ in one choice, to measure its effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import write_csv, write_json
from xbdcnn._common.provenance import provenance
from xbdcnn.data.source import Source
from xbdcnn.inference.weights import build_network
from xbdcnn.inference.zoo import find_entry
from xbdcnn.study.series import BUDGET, SERIES, WIDTH, Trial
from xbdcnn.study.statistics import student_interval, student_p
from xbdcnn.training.batches import TrainConfig, validation_batch
from xbdcnn.training.distributed import arithmetic, this_process
from xbdcnn.training.loop import train
from xbdcnn.training.named import TIME_COLUMNS, VALIDATION_IMAGES
from xbdcnn.training.objectives import score


def run_series(
    name: str,
    source: Source,
    folder: Path | str,
    output: Path | str,
    seeds: Sequence[int] = (0,),
    budget: TrainConfig = BUDGET,
    progress: bool = True,
) -> pd.DataFrame:
    """Train every trial of a series once per seed; resume from checkpoints in `folder`.

    Args:
        name: a key of `series.SERIES`.
        source: radiographs, of which `train` is used for training and `val` for the scores.
        folder: checkpoints, in one folder per trial and seed.
        output: folder of trials_<name>.csv and .json (provenance).
        seeds: seeds of the initial weights, patches and noise.
        budget: training configuration that all trials share.
        progress: show a progress bar per training run.

    Returns:
        One row per trial and seed with the scores of the selected weights, see `training.loop`.

    Raises:
        XbdcnnError: unknown series.
    """
    if name not in SERIES:
        raise XbdcnnError(f"unknown series {name!r}; choose from {', '.join(SERIES)}")
    images, validation = source.images("train"), source.images("val", VALIDATION_IMAGES)
    checkpoints = Path(folder) / name
    rows = [
        {"trial": trial.label, "seed": seed}
        | run_trial(trial, images, validation, checkpoints, budget, seed, progress)
        for seed in seeds
        for trial in SERIES[name]
    ]
    table = pd.DataFrame(rows)
    write_csv(table, Path(output) / f"trials_{name}.csv")
    width = None if name == "successor" else WIDTH
    facts: dict[str, Any] = {"data": source.name, "data_sha256": source.fingerprint, "width": width}
    facts |= {"budget": asdict(budget), "seeds": list(seeds)}
    facts["arithmetic"] = arithmetic(budget.precision, this_process().device)
    write_json(provenance(**facts), Path(output) / f"trials_{name}.json")
    return table


def run_trial(
    trial: Trial,
    images: Sequence[NDArray[np.floating]],
    validation: Sequence[NDArray[np.floating]],
    folder: Path,
    budget: TrainConfig,
    seed: int,
    progress: bool,
) -> dict[str, float]:
    """Train one network; return the float32 scores of its selected weights, and the times."""
    recipe, config = trial.settings(budget, seed)
    network = build_network(find_entry(trial.network).architecture, recipe, seed)
    place = folder / f"{trial.label.replace(' ', '-').replace('/', '')}-{seed}"
    history = train(network, recipe, images, validation, config, place, progress)
    held_out = validation_batch(validation, config)
    scores = score(network, held_out, recipe, next(network.parameters()).device)
    return scores | {name: float(history[name].iloc[-1]) for name in TIME_COLUMNS}


def effects(table: pd.DataFrame, score: str = "val_psnr") -> pd.DataFrame:
    """Compute the effect of each trial relative to the first of its series, paired by seed.

    table: from `run_series`. Returns one row per other trial: trial, effect (mean difference of
    `score`), low and high (95 % interval by Student's t over seeds), p (probability of such a mean
    without an effect), seeds; low, high and p are nan for one seed.
    """
    wide = table.pivot(index="seed", columns="trial", values=score)
    first, *others = dict.fromkeys(table["trial"])
    rows = []
    for trial in others:
        difference = (wide[trial] - wide[first]).dropna()
        low, high = student_interval(difference)
        row = {"trial": trial, "effect": difference.mean(), "low": low, "high": high}
        rows.append(row | {"p": student_p(difference), "seeds": len(difference)})
    return pd.DataFrame(rows)
