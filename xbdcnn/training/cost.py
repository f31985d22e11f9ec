"""What a training will take here, foretold from some seconds of it, beside the paper's 30 hours."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xbdcnn import paper
from xbdcnn.data.source import Source
from xbdcnn.inference.weights import build_network
from xbdcnn.inference.zoo import entry
from xbdcnn.models import Recipe, count_parameters
from xbdcnn.training import distributed
from xbdcnn.training.batches import TrainConfig, as_pool
from xbdcnn.training.checkpoint import Run
from xbdcnn.training.loop import train_step

SAMPLE = 4
"""Patches per measured step and process, and radiographs that are decoded: cheap to hold."""

STEPS = 3
"""Measured steps, of which the fastest counts, after one that warms up."""

FORMATS = {"no": "fp32", "bf16": "bf16", "fp16": "fp16"}
"""Autocast formats as people call them."""

FLOAT = 4
"""Bytes of a float32."""


class TrainingCost(NamedTuple):
    """Cost of a training: patches, patches per second, times in seconds, sizes in bytes."""

    patches: int
    rate: float
    """Patches per second of all processes together."""
    decoding: float
    """Seconds to decode the radiographs on all processors."""
    memory: int
    """What one process holds: activations, weights, gradients, moments, images."""
    disk: int
    """Stored patches and checkpoint."""
    machine: str

    @property
    def seconds(self) -> float:
        """Time of the training itself."""
        return self.patches / self.rate


def predict_cost(
    name: str,
    source: Source,
    config: TrainConfig,
    width: int,
    count: int,
    patches_per_image: int | None = None,
) -> TrainingCost:
    """Decode a few radiographs, train a few steps, and extrapolate to the whole training.

    Args:
        name: a network of `zoo.ZOO`.
        source: some radiographs; the protocol's number of them need not be there.
        config: budget; its batch is shared by the processes that a launcher has started.
        width: channels of an X-BDCNN.
        count: how many radiographs there will be.
        patches_per_image: how many patches of each are stored; None to train from memory.
    """
    chosen = entry(name)
    recipe = replace(chosen.recipe, width=width)
    network = build_network(chosen.architecture, recipe, config.seed)
    started = time.perf_counter()
    images = source.images("train", SAMPLE)
    decoding = (time.perf_counter() - started) / len(images) / (os.cpu_count() or 1)
    rate, per_patch, machine = measure_steps(network, recipe, config, images)
    state = count_parameters(network) * FLOAT
    held = 0 if patches_per_image else count * images[0].size * (FLOAT + 1)
    stored = (patches_per_image or 0) * count * config.patch_size**2
    copies = 5 if config.ema else 4  # weights, two moments, the best weights, their average
    return TrainingCost(
        config.patches,
        rate,
        decoding * count,
        config.batch_size // distributed.this_process().num_processes * per_patch
        + 4 * state
        + held,
        stored + copies * state,
        machine,
    )


def measure_steps(
    network: nn.Module, recipe: Recipe, config: TrainConfig, images: list[NDArray[np.float32]]
) -> tuple[float, int, str]:
    """Patches per second, bytes that one patch keeps for the backward pass, and on what.

    The bytes are those of the tensors that autograd saves: exact, and the same on every device.
    """
    accelerator = distributed.accelerator(config.precision)
    config = replace(config, batch_size=SAMPLE * accelerator.num_processes)
    network = distributed.synchronise_batch_norm(network, config, accelerator)
    network.to(accelerator.device, memory_format=torch.channels_last)
    run, pool = Run(network, recipe, config, images=""), as_pool(images)
    forward, optimizer = accelerator.prepare(run.network, run.optimizer)
    saved = Saved(network)
    with torch.autograd.graph.saved_tensors_hooks(saved.keep, lambda tensor: tensor):
        train_step(accelerator, forward, optimizer, run, pool)
    times = []
    for _ in range(STEPS):
        started = time.perf_counter()
        loss, _ = train_step(accelerator, forward, optimizer, run, pool)
        float(loss)  # waits for the device
        times.append(time.perf_counter() - started)
    count = accelerator.num_processes
    machine = f"{accelerator.device.type}, {FORMATS[config.precision]}, {count} process(es)"
    return config.batch_size / min(times), saved.bytes // SAMPLE, machine


class Saved:
    """Adds up what autograd keeps for the backward pass: each storage once, no weights."""

    def __init__(self, network: nn.Module) -> None:
        self.storages = {p.untyped_storage().data_ptr(): p for p in network.parameters()}
        self.bytes = 0

    def keep(self, tensor: Tensor) -> Tensor:
        """Count a tensor that is about to be saved, and hand it on."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.storages:
            # Kept alive, so that no later tensor has the same address.
            self.storages[storage.data_ptr()] = tensor
            self.bytes += storage.nbytes()
        return tensor


def as_table(found: TrainingCost) -> pd.DataFrame:
    """The estimate as text, with the paper's training time beside it."""
    paper_rate = TrainConfig().patches / paper.TRAINING_HOURS / 3600
    rows = [
        ("patches per second", f"{found.rate:.1f}", f"{paper_rate:.0f}"),
        ("training", duration(found.seconds), duration(3600 * paper.TRAINING_HOURS)),
        ("decoding", duration(found.decoding), "–"),
        ("memory per process", volume(found.memory), "–"),
        ("disk", volume(found.disk), "–"),
    ]
    return pd.DataFrame(rows, columns=["", found.machine, "paper, RTX 2080 Ti"])


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 30 h, 9.1 days."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.{1 if seconds < 10 * length else 0}f} {unit}"
    return f"{seconds:.0f} s"


def volume(size: int) -> str:
    """Bytes as people say them: 34 MB, 5.3 GB."""
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
