"""Train a network of the zoo by name and export its weights with their provenance."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn._common.provenance import provenance
from xbdcnn.data.source import Source
from xbdcnn.data.store import build_store
from xbdcnn.inference.weights import (
    build_network,
    load_network,
    recipe_from,
    save_weights,
    storable_state,
)
from xbdcnn.inference.zoo import find_entry
from xbdcnn.level_estimator import EstimatorRecipe
from xbdcnn.models import Recipe
from xbdcnn.successor import AnyRecipe, SuccessorRecipe
from xbdcnn.training.batches import Batch, StoredPatches, TrainConfig, validation_batch
from xbdcnn.training.distributed import arithmetic, this_process
from xbdcnn.training.loop import train
from xbdcnn.training.objectives import objective_of, score

VALIDATION_IMAGES = 20
"""Radiographs whose central crops score a network during training."""

SUCCESSOR_BUDGET = TrainConfig(
    patches=360_000,
    patch_size=64,
    batch_size=16,
    learning_rates=(1e-3, 1e-6),
    schedule="cosine",
    precision="bf16",
    ema=0.999,
    clip_norm=1.0,
    validate_every=1000,
)
"""Budget of a run of a successor: 360,000 patches of 64 x 64, one to two hours of a CPU core."""

ESTIMATOR_BUDGET = replace(
    SUCCESSOR_BUDGET, patches=80_000, patch_size=512, precision="no", ema=0.99, validate_every=250
)
"""Budget of a level estimator, which needs large patches: about 25 minutes of one CPU core."""

TIME_COLUMNS = ("seconds", "cpu_seconds")
"""Elapsed time of a training run, and processor time of all its threads, in seconds."""


def train_named(
    name: str,
    source: Source,
    config: TrainConfig,
    folder: Path | str,
    width: int | None = None,
    count: int | None = None,
    progress: bool = True,
    pool: StoredPatches | None = None,
    initial: Path | None = None,
) -> Path:
    """Train a network of `zoo.ZOO` on a source's `train` split, resuming what `folder` holds.

    Args:
        name: which network, e.g. "xbdcnn" or "dncnn".
        source: radiographs; its `val` split chooses the weights that are kept.
        config: budget and optimiser, the same for networks that are to be compared.
        folder: where checkpoint.pt, log.csv and the finished <name>.safetensors go.
        width: channels of an X-BDCNN at full resolution or of DnCNN, see `build_network`; None for
            the recipe's own.
        count: largest number of training radiographs, all of which are held in memory.
        progress: show a progress bar.
        pool: stored patches to train on instead of radiographs, see `training_pool`.
        initial: weight file of the same network to start from; None for random weights.

    Returns:
        Path of the weight file; its header holds recipe, budget, times, scores, learning curve and
        provenance. Patches, times and curve include those of `initial`, whose budget stands in
        `earlier`.

    Raises:
        XbdcnnError: `initial` is unreadable or of another network.
    """
    chosen = find_entry(name)
    recipe = with_width(chosen.recipe, width)
    network, before = build_network(chosen.architecture, recipe, config.seed), None
    if initial:
        network, before = load_initial(initial, chosen.architecture, recipe)
        config = replace(config, initial=sha256_of(initial))
    images = source.images("train", count) if pool is None else pool
    validation = source.images("val", VALIDATION_IMAGES)
    history = train(network, recipe, images, validation, config, folder, progress)
    path = Path(folder) / f"{name}.safetensors"
    if not this_process().is_main_process:
        this_process().wait_for_everyone()  # until the file is written
        return path
    held_out = validation_batch(validation, config)
    facts = {"name": name} | training_facts(network, recipe, config, history, held_out, before)
    origin = provenance(data=source.name, data_sha256=source.fingerprint, seed=config.seed)
    save_weights(network, path, chosen.architecture, recipe, **facts, provenance=origin)
    this_process().wait_for_everyone()
    return path


def load_initial(
    path: Path, architecture: str, recipe: AnyRecipe
) -> tuple[nn.Module, dict[str, Any]]:
    """Load the weights that a run starts from, and their header.

    XbdcnnError if they are unreadable, of another architecture or recipe, or of a version that did
    not record what was spent on them.
    """
    network, header = load_network(path)
    if missing := {"budget", "curve", *TIME_COLUMNS} - header.keys():
        raise XbdcnnError(f"{path}: records no {', '.join(sorted(missing))}; train it again first")
    if header["architecture"] != architecture or recipe_from(header) != recipe:
        raise XbdcnnError(f"{path}: weights of another network or recipe; choose others")
    return network, header


def training_facts(
    network: nn.Module,
    recipe: AnyRecipe,
    config: TrainConfig,
    history: pd.DataFrame,
    held_out: Batch,
    before: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return budget, arithmetic, times, scores and learning curve for the header of weights.

    history: from `train`; held_out: what scores the weights; before: header of the weights that
    the run started from, whose steps, patches and times are added. Its budget stands in `earlier`.
    """
    criterion = objective_of(recipe).criterion
    device = next(network.parameters()).device
    facts: dict[str, Any] = {"budget": asdict(config)}
    facts["arithmetic"] = arithmetic(config.precision, device)
    curve = history[["patches", criterion]].round(3)
    if before:
        spent = {"patches": before["budget"]["patches"]}
        spent |= {"step": spent["patches"] // before["budget"]["batch_size"]}
        spent |= {name: before[name] for name in TIME_COLUMNS}
        history = history.assign(**{name: history[name] + n for name, n in spent.items()})
        curve = pd.concat([pd.DataFrame(before["curve"]), history[curve.columns].round(3)])
        facts["budget"] |= {"patches": config.patches + spent["patches"]}
        facts["earlier"] = [*before.get("earlier", []), before["budget"]]
    best = history.loc[history[criterion].idxmax()].dropna().to_dict()
    best |= float32_scores(network, recipe, held_out)
    facts |= {name: round(float(history[name].iloc[-1]), 1) for name in TIME_COLUMNS}
    facts["curve"] = curve.to_dict("list")
    return facts | {"scores": {key: round(float(value), 4) for key, value in best.items()}}


def with_width(recipe: AnyRecipe, width: int | None) -> AnyRecipe:
    """Return the recipe of a network of the paper's tables with another width, others unchanged."""
    return replace(recipe, width=width) if width and isinstance(recipe, Recipe) else recipe


def float32_scores(network: nn.Module, recipe: AnyRecipe, held_out: Batch) -> dict[str, float]:
    """Score trained weights in float32, independent of the precision of the training.

    Returns the scores of `objectives.score`, and stored_psnr (or stored_log_likelihood), which is
    that of the weights as they are rounded in the weight file, see `weights.storable_state`.
    """
    device = next(network.parameters()).device
    rounded = deepcopy(network)
    rounded.load_state_dict(storable_state(network))
    scores = score(network, held_out, recipe, device)
    criterion = objective_of(recipe).criterion
    stored = score(rounded, held_out, recipe, device)[criterion]
    return scores | {criterion.replace("val_", "stored_"): stored}


def budget_of(name: str, compared: TrainConfig) -> TrainConfig:
    """Return the configuration of a network of the zoo, given that of the compared networks.

    A successor and its level estimator have budgets of their own.
    """
    chosen = find_entry(name)
    if isinstance(chosen.recipe, SuccessorRecipe):
        return SUCCESSOR_BUDGET
    if isinstance(chosen.recipe, EstimatorRecipe):
        return ESTIMATOR_BUDGET
    patches = chosen.budget_factor * compared.patches
    return replace(compared, **chosen.optimiser, patches=patches)


def training_pool(
    source: Source,
    folder: Path | str,
    images: int | None,
    per_image: int | None,
    side: int,
    progress: bool = True,
) -> StoredPatches | None:
    """Cut training patches and store them in `folder`, or complete and verify an existing store.

    The store holds patches of all radiographs that are drawn at random from the source; training
    uses those of the `train` split. Of several processes on one machine, the first cuts them.

    Args:
        source: radiographs.
        folder: folder of the store.
        images: number of radiographs to draw; None for all.
        per_image: patches of each; None to train from memory.
        side: height and width of a patch in pixels.
        progress: show a progress bar.

    Returns:
        The patches; None to train from memory, and for the built-in radiograph.
    """
    index = source.drawn(images).index
    if per_image is None or index is None:
        return None
    with this_process().local_main_process_first():
        store = build_store(index, folder, per_image, side, progress=progress)
    return StoredPatches(store, np.flatnonzero(index["split"] == "train"))
