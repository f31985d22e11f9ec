"""Complete training runs on file, by budget: trials, runs with several seeds, shipped weights.

A point on the learning curve of a run is not a run with a smaller budget, because the learning rate
there is still that of the longer run. Budgets are therefore compared between complete runs only,
and only between runs that differ in their budget and in nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn import paper
from xbdcnn.inference.weights import recipe_from
from xbdcnn.inference.zoo import find_entry
from xbdcnn.models import Recipe
from xbdcnn.study import results
from xbdcnn.study.seeds.rows import read_facts, read_rows, settings_label
from xbdcnn.study.series import SERIES
from xbdcnn.study.trainings import paper_share
from xbdcnn.successor import AnyRecipe
from xbdcnn.training.batches import TrainConfig, stored_config
from xbdcnn.training.cost import StepCost, format_bytes

NOT_COMPARED = ("patches", "seed", "validate_every", "checkpoint_seconds")
"""Fields of a configuration in which runs of one network with several budgets may differ."""

CURVE_PATCH = 64
"""Height and width in pixels of the patches that learning curves are counted in."""

PAPER_PATCHES = paper.TRAINING_PIXELS / CURVE_PATCH**2
"""Patches of this size that have as many pixels as the training of the paper."""


def budget_table(
    headers: Mapping[str, dict[str, Any]], costs: Mapping[str, StepCost]
) -> pd.DataFrame:
    """Return what each network with stored weights saw and cost, and its validation PSNR, as text.

    headers: of weight files, by label. costs: of a training step by label, see `cost.step_costs`.
    Core hours, and patches per second of one core, are those of the training on CPUs; the GPU
    hours are predicted for the same number of patches. One row per network.
    """
    rows = {label: _spent(header, costs[label]) for label, header in headers.items()}
    return pd.DataFrame(rows).T


def _spent(header: dict[str, Any], cost: StepCost) -> dict[str, str]:
    patches, side = header["budget"]["patches"], header["budget"]["patch_size"]
    seconds, rate = header.get("cpu_seconds"), cost.gpu_rate
    return {
        "patches": f"{patches:,} of {side} × {side}",
        "% of the paper's pixels": f"{paper_share(patches, side):.2f}",
        "memory of a step": format_bytes(cost.memory),
        "patches/s of a CPU core": f"{patches / seconds:.0f}" if seconds else "not recorded",
        "core hours (CPU)": f"{seconds / 3600:.2f}" if seconds else "not recorded",
        "GPU patches/s": f"{rate:.0f}" if rate else "not measured",
        "GPU hours": f"{patches / rate / 3600:.2f}" if rate else "not measured",
        "validation PSNR (dB)": f"{header['scores']['val_psnr']:.2f}",
    }


def learning_curve(header: dict[str, Any]) -> pd.DataFrame:
    """Return patches (in units of 64 x 64 pixels) and val_psnr (dB) of a run with stored weights.

    header: of a weight file. One row per validation, in the precision of the training.
    """
    curve = pd.DataFrame(header["curve"])
    return curve.assign(
        patches=curve["patches"] * (header["budget"]["patch_size"] / CURVE_PATCH) ** 2
    )


def complete_runs(headers: Iterable[dict[str, Any]], folder: Path = results.FOLDER) -> pd.DataFrame:
    """Collect the complete training runs of trials, of several seeds and of weight files.

    Args:
        headers: of weight files. Of weights that were trained in several runs, one after the other,
            only the first is such a run. Its score is the best of its learning curve, in the
            precision of the training; all other scores are in float32.
        folder: with trials_<series>.csv and seeds_trainings.csv; files that are not there, and
            trials that are no longer in `series.SERIES`, are left out.

    Returns:
        One row per run: network (label), width (channels; None for a network without one width),
        patches, patch_size, batch_size, seed, val_psnr in dB, and settings, a text that is equal
        for runs of the same network, recipe, optimiser and data. All are scored on the same
        validation images; the noise on them depends on the seed.

    Raises:
        XbdcnnError: a file of several seeds is damaged.
    """
    rows = [*_trial_runs(folder), *_seed_runs(folder), *_stored_runs(headers)]
    table = pd.DataFrame(rows)
    return table.drop_duplicates(["settings", "patches", "seed"], ignore_index=True)


def _trial_runs(folder: Path) -> Iterator[dict[str, Any]]:
    for name, trials in SERIES.items():
        path = folder / f"trials_{name}.csv"
        if not path.exists():
            continue
        known = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        by_label = {trial.label: trial for trial in trials}
        for run in pd.read_csv(path).to_dict("records"):
            if trial := by_label.get(run["trial"]):
                recipe, config = trial.settings(stored_config(known["budget"]), run["seed"])
                changed = f": {trial.label}" if trial.recipe else ""
                psnr, data = run["val_psnr"], known["data_sha256"]
                yield _row(trial.network, changed, recipe, config, psnr, data)


def _seed_runs(folder: Path) -> Iterator[dict[str, Any]]:
    facts = read_facts(folder)
    for run in read_rows(folder).trainings.to_dict("records"):
        known = facts["settings"][settings_label(run["network"], run["width"], run["patches"])]
        config = stored_config(known["budget"] | {"seed": run["seed"]})
        recipe = recipe_from({"architecture": "xbdcnn", "recipe": known["recipe"]})
        yield _row(run["network"], "", recipe, config, run["val_psnr"], facts["data_sha256"])


def _stored_runs(headers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for header in headers:
        config, psnr = stored_config(header["budget"]), header["scores"]["val_psnr"]
        if "earlier" in header:
            config, curve = stored_config(header["earlier"][0]), pd.DataFrame(header["curve"])
            psnr = curve.loc[curve["patches"] <= config.patches, "val_psnr"].max()
        data = header["provenance"]["data_sha256"]
        yield _row(header["name"], "", recipe_from(header), config, psnr, data)


def _row(
    name: str, changed: str, recipe: AnyRecipe, config: TrainConfig, psnr: float, data: str
) -> dict[str, Any]:
    entry = find_entry(name)
    row: dict[str, Any] = {"network": entry.label + changed}
    row |= {"width": recipe.width if isinstance(recipe, Recipe) else None}
    row |= {key: getattr(config, key) for key in ("patches", "patch_size", "batch_size", "seed")}
    optimiser = {key: v for key, v in asdict(config).items() if key not in NOT_COMPARED}
    same = [entry.architecture, asdict(recipe), optimiser, data]
    return row | {"val_psnr": float(psnr), "settings": json.dumps(same, sort_keys=True)}
