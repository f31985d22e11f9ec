"""Train a network of the zoo by name and export its weights with their provenance."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from torch import nn

from xbdcnn._common.provenance import provenance
from xbdcnn.data.source import Source
from xbdcnn.data.store import build_store
from xbdcnn.inference.weights import build_network, save_weights, stored
from xbdcnn.inference.zoo import entry
from xbdcnn.models import Recipe
from xbdcnn.training.batches import Batch, StoredPatches, TrainConfig, validation_batch
from xbdcnn.training.distributed import this_process
from xbdcnn.training.loop import score, train

VALIDATION_IMAGES = 20
"""Radiographs whose central fields score a network during training."""

TIME_COLUMNS = ("seconds", "cpu_seconds")
"""Time of a training by the clock, pauses included, and by its processors together."""

CURVE = ("patches", "val_psnr")
"""Columns of the log that travel with the weights, so that every curve can be drawn from them."""


def train_named(
    name: str,
    source: Source,
    config: TrainConfig,
    folder: Path | str,
    width: int | None = None,
    count: int | None = None,
    progress: bool = True,
    pool: StoredPatches | None = None,
) -> Path:
    """Train a network of `zoo.ZOO` on a source's `train` split, resuming what `folder` holds.

    Args:
        name: which network, e.g. "xbdcnn" or "dncnn".
        source: radiographs; its `val` split chooses the weights that are kept.
        config: budget and optimiser, the same for networks that are to be compared.
        folder: where checkpoint.pt, log.csv and the finished <name>.safetensors go.
        width: channels of an X-BDCNN at full resolution, None for the recipe's own.
        count: train on at most so many radiographs, all of which are held in memory.
        progress: show a progress bar.
        pool: patches on disk to train on instead, see `training_pool`.

    Returns:
        The weight file; its header holds recipe, budget, times, data, scores, curve, provenance.
    """
    chosen = entry(name)
    recipe = replace(chosen.recipe, width=width) if width else chosen.recipe
    network = build_network(chosen.architecture, recipe, config.seed)
    images = source.images("train", count) if pool is None else pool
    validation = source.images("val", VALIDATION_IMAGES)
    history = train(network, recipe, images, validation, config, folder, progress)
    path = Path(folder) / f"{name}.safetensors"
    if not this_process().is_main_process:
        this_process().wait_for_everyone()  # until the file is there
        return path
    best = history.loc[history["val_psnr"].idxmax()].dropna().to_dict()
    best |= exact_scores(network, recipe, validation_batch(validation, config))
    facts = provenance(data=source.name, data_sha256=source.fingerprint, seed=config.seed)
    save_weights(
        network,
        path,
        chosen.architecture,
        recipe,
        name=name,
        budget=asdict(config),
        **{name: round(float(history[name].iloc[-1]), 1) for name in TIME_COLUMNS},
        curve=history[list(CURVE)].round(3).to_dict("list"),
        scores={key: round(float(value), 4) for key, value in best.items()},
        provenance=facts,
    )
    this_process().wait_for_everyone()
    return path


def exact_scores(network: nn.Module, recipe: Recipe, held_out: Batch) -> dict[str, float]:
    """Scores of finished weights in float32, whatever the precision of the training.

    Returns what `training.score` does, and stored_psnr: the PSNR of the weights as `stored`
    rounds them.
    """
    device = next(network.parameters()).device
    rounded = deepcopy(network)
    rounded.load_state_dict(stored(network))
    scores = score(network, held_out, recipe, device)
    return scores | {"stored_psnr": score(rounded, held_out, recipe, device)["val_psnr"]}


def budget_of(name: str, compared: TrainConfig) -> TrainConfig:
    """The training of a network of the zoo, given that of the networks that are compared."""
    chosen = entry(name)
    size = chosen.batch_size or compared.batch_size
    return replace(compared, patches=chosen.longer * compared.patches, batch_size=size)


def training_pool(
    source: Source,
    folder: Path | str,
    images: int | None,
    per_image: int | None,
    side: int,
    progress: bool = True,
) -> StoredPatches | None:
    """Cut training patches to disk, or complete and check those in `folder`.

    The store holds patches of all radiographs that are drawn at random from the source; training
    takes those of the `train` split. Of several processes on one machine the first does the work.

    Args:
        source: radiographs.
        folder: where the store is, or will be.
        images: how many radiographs to draw; None for all.
        per_image: patches of each; None to train from memory.
        side: height and width of a patch.
        progress: show a progress bar.

    Returns:
        The patches; None to train from memory, and for the built-in radiograph.
    """
    if per_image is None or source.index is None:
        return None
    index = source.drawn(images).index
    with this_process().local_main_process_first():
        store = build_store(index, folder, per_image, side, progress=progress)
    return StoredPatches(store, np.flatnonzero(index["split"] == "train"))
