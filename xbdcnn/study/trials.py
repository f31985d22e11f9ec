"""Short trainings of equal budget that differ in one choice, so that each choice is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
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
from xbdcnn.inference.zoo import entry
from xbdcnn.models import Recipe
from xbdcnn.study.profiles import PROFILES
from xbdcnn.study.statistics import student_interval
from xbdcnn.training.batches import TrainConfig, validation_batch
from xbdcnn.training.loop import score, train
from xbdcnn.training.named import TIME_COLUMNS, VALIDATION_IMAGES

WIDTH = 32
"""Channels of the networks on trial: half of the paper's, a quarter of its arithmetic."""

BUDGET = replace(PROFILES["cpu"].train, patches=24_000, validate_every=250)
"""24,000 patches of 64 x 64, the pixels of 6,000 of 128 x 128."""


@dataclass(frozen=True)
class Trial:
    """One training: a network of the zoo and what is changed about it."""

    label: str
    network: str = "xbdcnn"
    recipe: dict[str, Any] = field(default_factory=dict)
    """Fields of the network's recipe to replace."""
    config: dict[str, Any] = field(default_factory=dict)
    """Fields of the budget to replace; the number of training pixels stays the same."""

    def settings(self, budget: TrainConfig, seed: int) -> tuple[Recipe, TrainConfig]:
        """Recipe and training configuration of this trial."""
        recipe = replace(entry(self.network).recipe, **{"width": WIDTH, **self.recipe})
        config = replace(budget, **self.config, seed=seed)
        pixels = budget.patches * budget.patch_size**2
        return recipe, replace(config, patches=pixels // config.patch_size**2)


def weighing(*weights: float) -> dict[str, Any]:
    """Change of a recipe to other weights of MSE, SSIM, asymmetric and TV loss."""
    return {"loss_weights": weights}


WRITTEN = "xbdcnn-as-written"
INERT = {"ssim_domain": "residual", "ssim_data_range": 255.0}
RELATIVE = {"fidelity": "relative"} | weighing(1.0, 0.01, 0.1, 0.01)
FIRST = weighing(1.0, 0.001, 0.01, 0.001)
"""Where the search for a recipe began, with terms of about equal size."""

SERIES: dict[str, tuple[Trial, ...]] = {
    "recipe": (
        Trial("first guess", recipe=FIRST),
        Trial("MSE relative to the noise", recipe=RELATIVE, config={"clip_norm": 1.0}),
        Trial("no SSIM term", recipe=weighing(1.0, 0.0, 0.01, 0.001)),
        Trial("ten times the SSIM weight", recipe=weighing(1.0, 0.01, 0.01, 0.001)),
        Trial("a tenth of the SSIM weight", recipe=weighing(1.0, 1e-4, 0.01, 0.001)),
        Trial("ten times the level weights", recipe=weighing(1.0, 0.001, 0.1, 0.01)),
        Trial("a tenth of SSIM, ten times the levels"),
        Trial("a tenth of SSIM, a hundred times the levels", recipe=weighing(1.0, 1e-4, 1.0, 0.1)),
        Trial("level maps in released units", recipe=FIRST | {"level_scaling": "released"}),
        Trial(
            "patches of 128, 4 per step", recipe=FIRST, config={"patch_size": 128, "batch_size": 4}
        ),
        Trial("8 patches per step", recipe=FIRST, config={"batch_size": 8}),
        Trial("4 patches per step", recipe=FIRST, config={"batch_size": 4}),
        Trial("best weights, 8 per step", config={"batch_size": 8}),
        Trial("best weights, 4 per step", config={"batch_size": 4}),
        Trial("flips and turns", recipe=FIRST, config={"augment": True}),
        Trial("averaged weights (EMA 0.999)", recipe=FIRST, config={"ema": 0.999}),
        Trial("twice the learning rate", recipe=FIRST, config={"learning_rates": (2e-3, 2e-5)}),
    ),
    "ablation": (
        Trial("X-BDCNN", WRITTEN),
        Trial("X-BDCNN w/o SSIM loss", "xbdcnn-without-ssim"),
        Trial("X-BDCNN w/o the NLE", "xbdcnn-without-nle"),
    ),
    "flips": (
        Trial("as written", WRITTEN),
        Trial("NLE layers share weights", WRITTEN, {"share_nle_weights": True}),
        Trial("1x1 output filter", WRITTEN, {"output_kernel": 1}),
        Trial("level maps in equal units", WRITTEN, {"level_scaling": "unit"}),
        Trial("noise levels from a grid", WRITTEN, {"level_sampling": "grid"}),
        Trial("beta as Eq. 3 prints it", WRITTEN, {"asymmetry": "equation"}),
        Trial("beta as released", WRITTEN, {"asymmetry": "released"}),
        Trial("means instead of sums", WRITTEN, {"reduction": "mean", "tv_reduction": "mean"}),
        Trial("TV summed over the batch", WRITTEN, {"tv_reduction": "released"}),
        Trial("SSIM of residuals", WRITTEN, {"ssim_domain": "residual"}),
        Trial("SSIM data range 255", WRITTEN, {"ssim_data_range": 255.0}),
        Trial("SSIM of residuals, range 255", WRITTEN, INERT),
        Trial("no SSIM loss", "xbdcnn-without-ssim"),
        Trial("no NLE", "xbdcnn-without-nle"),
        Trial("as released", "xbdcnn-as-released"),
    ),
}
"""Series by name: which recipe serves the network best, what Table I's ablations bring, and what
each disputed choice changes when it alone is flipped."""


def run_series(
    name: str,
    source: Source,
    folder: Path | str,
    output: Path | str,
    seeds: Sequence[int] = (0,),
    budget: TrainConfig = BUDGET,
    progress: bool = True,
) -> pd.DataFrame:
    """Train every trial of a series once per seed, resuming what `folder` holds.

    Args:
        name: a key of `SERIES`.
        source: radiographs; trained on `train`, scored on `val`.
        folder: checkpoints, one folder per trial and seed.
        output: where trials_<name>.csv and .json (provenance) go.
        seeds: of initial weights, patches and noise.
        budget: what every trial spends.
        progress: show a progress bar per training.

    Returns:
        One row per trial and seed with the scores of the kept weights, see `training.score`.

    Raises:
        XbdcnnError: there is no such series.
    """
    if name not in SERIES:
        raise XbdcnnError(f"unknown series {name!r}; choose from {', '.join(SERIES)}")
    images, validation = source.images("train"), source.images("val", VALIDATION_IMAGES)
    place = Path(folder) / name
    rows = [
        {"trial": trial.label, "seed": seed}
        | run_trial(trial, images, validation, place, budget, seed, progress)
        for seed in seeds
        for trial in SERIES[name]
    ]
    table = pd.DataFrame(rows)
    write_csv(table, Path(output) / f"trials_{name}.csv")
    facts = {"data": source.name, "data_sha256": source.fingerprint, "width": WIDTH}
    facts |= {"budget": asdict(budget), "seeds": list(seeds)}
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
    """Train one network; return the scores of the weights it keeps, in float32, and its times."""
    recipe, config = trial.settings(budget, seed)
    network = build_network(entry(trial.network).architecture, recipe, seed)
    place = folder / f"{trial.label.replace(' ', '-').replace('/', '')}-{seed}"
    history = train(network, recipe, images, validation, config, place, progress)
    held_out = validation_batch(validation, config)
    scores = score(network, held_out, recipe, next(network.parameters()).device)
    return scores | {name: float(history[name].iloc[-1]) for name in TIME_COLUMNS}


def effects(table: pd.DataFrame, score: str = "val_psnr") -> pd.DataFrame:
    """What each trial changes against the first of its series, paired by seed.

    table: from `run_series`. Returns one row per other trial: trial, effect (mean difference of
    `score`), low and high (95 % by Student's t over seeds, nan for one seed), seeds.
    """
    wide = table.pivot(index="seed", columns="trial", values=score)
    first, *others = dict.fromkeys(table["trial"])
    rows = []
    for trial in others:
        difference = (wide[trial] - wide[first]).dropna()
        low, high = student_interval(difference)
        row = {"trial": trial, "effect": difference.mean(), "low": low, "high": high}
        rows.append(row | {"seeds": len(difference)})
    return pd.DataFrame(rows)
