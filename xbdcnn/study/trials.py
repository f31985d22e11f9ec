"""Short training runs at equal budget that differ in one choice, to measure its effect."""

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
from xbdcnn.inference.zoo import find_entry
from xbdcnn.study.profiles import PROFILES
from xbdcnn.study.statistics import student_interval
from xbdcnn.successor import AnyRecipe
from xbdcnn.training.batches import TrainConfig, validation_batch
from xbdcnn.training.loop import train
from xbdcnn.training.named import (
    SUCCESSOR_BUDGET,
    TIME_COLUMNS,
    VALIDATION_IMAGES,
    with_width,
)
from xbdcnn.training.objectives import score

WIDTH = 32
"""Channels of the networks: half of the paper's, hence a quarter of the arithmetic."""

BUDGET = replace(PROFILES["cpu"].train, patches=24_000, validate_every=250)
"""24,000 patches of 64 x 64, which have as many pixels as 6,000 patches of 128 x 128."""


@dataclass(frozen=True)
class Trial:
    """One training run: a network of the zoo and the changes to its recipe and budget."""

    label: str
    network: str = "xbdcnn"
    recipe: dict[str, Any] = field(default_factory=dict)
    """Fields of the recipe to replace."""
    config: dict[str, Any] = field(default_factory=dict)
    """Fields of the budget to replace; the number of training pixels remains the same."""

    def settings(self, budget: TrainConfig, seed: int) -> tuple[AnyRecipe, TrainConfig]:
        """Return the recipe and the training configuration of this trial."""
        recipe = replace(with_width(find_entry(self.network).recipe, WIDTH), **self.recipe)
        config = replace(budget, **self.config, seed=seed)
        pixels = budget.patches * budget.patch_size**2
        return recipe, replace(config, patches=pixels // config.patch_size**2)


def with_loss_weights(*weights: float) -> dict[str, Any]:
    """Return the change of a recipe to other weights of the MSE, SSIM, asymmetric and TV losses."""
    return {"loss_weights": weights}


BASELINE = "xbdcnn-as-written"
RELEASED_SSIM = {"ssim_domain": "residual", "ssim_data_range": 255.0}
RELATIVE_MSE = {"fidelity": "relative"} | with_loss_weights(1.0, 0.01, 0.1, 0.01)
FIRST_GUESS = with_loss_weights(1.0, 0.001, 0.01, 0.001)
"""Start of the search for a recipe: weights with which the terms are of similar magnitude."""

SUCCESSOR = {
    name: getattr(SUCCESSOR_BUDGET, name)
    for name in ("learning_rates", "schedule", "ema", "clip_norm")
}
"""Changes of the budget to the optimiser of a successor."""


def specialist(label: str, config: dict[str, Any] | None = None, **recipe: Any) -> Trial:
    """Return a trial of the successor that is trained on the noise of the paper."""
    return Trial(label, "specialist", recipe, SUCCESSOR | (config or {}))


SERIES: dict[str, tuple[Trial, ...]] = {
    "recipe": (
        Trial("first guess", recipe=FIRST_GUESS),
        Trial("MSE relative to the noise", recipe=RELATIVE_MSE, config={"clip_norm": 1.0}),
        Trial("no SSIM term", recipe=with_loss_weights(1.0, 0.0, 0.01, 0.001)),
        Trial("ten times the SSIM weight", recipe=with_loss_weights(1.0, 0.01, 0.01, 0.001)),
        Trial("a tenth of the SSIM weight", recipe=with_loss_weights(1.0, 1e-4, 0.01, 0.001)),
        Trial("ten times the level weights", recipe=with_loss_weights(1.0, 0.001, 0.1, 0.01)),
        Trial("a tenth of SSIM, ten times the levels"),
        Trial(
            "a tenth of SSIM, a hundred times the levels",
            recipe=with_loss_weights(1.0, 1e-4, 1.0, 0.1),
        ),
        Trial("level maps in released units", recipe=FIRST_GUESS | {"level_scaling": "released"}),
        Trial(
            "patches of 128, 4 per step",
            recipe=FIRST_GUESS,
            config={"patch_size": 128, "batch_size": 4},
        ),
        Trial("8 patches per step", recipe=FIRST_GUESS, config={"batch_size": 8}),
        Trial("4 patches per step", recipe=FIRST_GUESS, config={"batch_size": 4}),
        Trial("best weights, 8 per step", config={"batch_size": 8}),
        Trial("best weights, 4 per step", config={"batch_size": 4}),
        Trial("flips and turns", recipe=FIRST_GUESS, config={"augment": True}),
        Trial("averaged weights (EMA 0.999)", recipe=FIRST_GUESS, config={"ema": 0.999}),
        Trial(
            "twice the learning rate",
            recipe=FIRST_GUESS,
            config={"learning_rates": (2e-3, 2e-5)},
        ),
    ),
    "ablation": (
        Trial("X-BDCNN (as written)", BASELINE),
        Trial("X-BDCNN (as written) w/o SSIM loss", "xbdcnn-without-ssim"),
        Trial("X-BDCNN (as written) w/o NLE", "xbdcnn-without-nle"),
    ),
    "choices": (
        Trial("as written", BASELINE),
        Trial("NLE layers share weights", BASELINE, {"share_nle_weights": True}),
        Trial("1x1 output filter", BASELINE, {"output_kernel": 1}),
        Trial("level maps in equal units", BASELINE, {"level_scaling": "unit"}),
        Trial("noise levels from a grid", BASELINE, {"level_sampling": "grid"}),
        Trial("beta as Eq. 3 prints it", BASELINE, {"asymmetry": "equation"}),
        Trial("beta as released", BASELINE, {"asymmetry": "released"}),
        Trial("means instead of sums", BASELINE, {"reduction": "mean", "tv_reduction": "mean"}),
        Trial("TV summed over the batch", BASELINE, {"tv_reduction": "released"}),
        Trial("SSIM of residuals", BASELINE, {"ssim_domain": "residual"}),
        Trial("SSIM data range 255", BASELINE, {"ssim_data_range": 255.0}),
        Trial("SSIM of residuals, range 255", BASELINE, RELEASED_SSIM),
        Trial("no SSIM loss", "xbdcnn-without-ssim"),
        Trial("no NLE", "xbdcnn-without-nle"),
        Trial("as released", "xbdcnn-as-released"),
    ),
    "successor": (
        specialist("specialist"),
        specialist("twice the width", widths=(32, 80, 192, 320)),
        specialist("half the width", widths=(8, 20, 48, 80)),
        specialist("one block per level", blocks=1),
        specialist("no averaged weights", {"ema": 0.0}),
    ),
}
"""Series by name: the search for a recipe, the ablations of Table I, each ambiguous choice of the
paper changed by itself, and sizes and recipes of the successor."""


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
        name: a key of `SERIES`.
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
    `score`), low and high (95 % interval by Student's t over seeds, nan for one seed), seeds.
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
