"""Train a network of the zoo by name and export its weights with their provenance."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from xbdcnn.batches import TrainConfig
from xbdcnn.data import Source
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

    Returns:
        The weight file; its header holds recipe, budget, times, data, scores, curve, provenance.
    """
    chosen = entry(name)
    recipe = replace(chosen.recipe, width=width) if width else chosen.recipe
    network = build_network(chosen.architecture, recipe, config.seed)
    images, validation = source.images("train", count), source.images("val", VALIDATION_IMAGES)
    history = train(network, recipe, images, validation, config, folder, progress)
    path = Path(folder) / f"{name}.safetensors"
    best = history.loc[history["val_psnr"].idxmax()].dropna()
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
