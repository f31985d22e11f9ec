"""Train a network of the zoo by name and export its weights with their provenance."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from xbdcnn.batches import StoredPatches, TrainConfig
from xbdcnn.data import Source, build_store
from xbdcnn.processes import this_process
from xbdcnn.profiles import Profile
from xbdcnn.provenance import provenance
from xbdcnn.training import train
from xbdcnn.zoo import build_network, entry, save_weights

VALIDATION_IMAGES = 20
"""Radiographs whose central fields score a network during training."""

SPENT = ("seconds", "cpu_seconds")
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
    best = history.loc[history["val_psnr"].idxmax()].dropna()
    if not this_process().is_main_process:
        return path
    facts = provenance(data=source.name, data_sha256=source.fingerprint, seed=config.seed)
    save_weights(
        network,
        path,
        chosen.architecture,
        recipe,
        name=name,
        budget=asdict(config),
        **{name: round(float(history[name].iloc[-1]), 1) for name in SPENT},
        curve=history[list(CURVE)].round(3).to_dict("list"),
        scores={key: round(float(value), 4) for key, value in best.items()},
        provenance=facts,
    )
    return path


def training_pool(
    source: Source, profile: Profile, folder: Path | str, progress: bool = True
) -> StoredPatches | None:
    """Cut a profile's training patches to disk, or complete and check those in `folder`.

    The store holds patches of all radiographs that the profile draws at random from the source;
    training takes those of the `train` split. Of several processes on one machine the first does
    the work. None for a profile that trains from memory, and for the built-in radiograph.
    """
    if profile.patches_per_image is None or source.index is None:
        return None
    index = source.drawn(profile.images).index
    side, per_image = profile.train.patch_size, profile.patches_per_image
    with this_process().local_main_process_first():
        store = build_store(index, folder, per_image, side, progress=progress)
    return StoredPatches(store, np.flatnonzero(index["split"] == "train"))
