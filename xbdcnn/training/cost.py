"""Predict time, memory and disk space of a training run from a few measured steps."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from xbdcnn import paper
from xbdcnn.data.source import Source
from xbdcnn.inference.weights import build_network, recipe_from
from xbdcnn.inference.zoo import find_entry
from xbdcnn.models import count_parameters
from xbdcnn.successor import AnyRecipe
from xbdcnn.training import distributed
from xbdcnn.training.batches import TrainConfig, stored_config
from xbdcnn.training.checkpoint import Run
from xbdcnn.training.loop import checked_pool, train_step
from xbdcnn.training.named import with_width
from xbdcnn.training.objectives import objective_of

MEASURED_RADIOGRAPHS = 4
"""Radiographs that are decoded."""

MEASURED_PATCHES = 4
"""Patches per measured step and process."""

MEASURED_STEPS = 3
"""Measured steps after a warm-up step; the fastest determines the rate."""

FLOAT32_BYTES = 4

STATE_COPIES = 4
"""Weights, gradients and the two moments of Adam."""


class TrainingCost(NamedTuple):
    """Cost of a training run: patches, patches per second, times in seconds, sizes in bytes."""

    patches: int
    rate: float
    """Patches per second of all processes together."""
    decoding: float
    """Seconds to decode all radiographs on all processors."""
    memory: int
    """Memory of one process: activations, weights, gradients, moments, images."""
    disk: int
    """Stored patches and checkpoint."""
    machine: str
    """Device, arithmetic and number of processes."""

    @property
    def seconds(self) -> float:
        """Training time without decoding."""
        return self.patches / self.rate


def predict_cost(
    name: str,
    source: Source,
    config: TrainConfig,
    width: int,
    count: int,
    patches_per_image: int | None = None,
) -> TrainingCost:
    """Decode a few radiographs, train a few steps, and extrapolate to the whole run.

    Args:
        name: a network of `zoo.ZOO`.
        source: radiographs; a few are enough.
        config: budget; its batch is divided among the processes that a launcher has started.
        width: channels of an X-BDCNN or of DnCNN.
        count: number of radiographs of the whole run.
        patches_per_image: stored patches of each radiograph; None to train from memory.
    """
    chosen = find_entry(name)
    recipe = with_width(chosen.recipe, width)
    network = build_network(chosen.architecture, recipe, config.seed)
    started = time.perf_counter()
    images = source.images("train", MEASURED_RADIOGRAPHS)
    decoding = (time.perf_counter() - started) / len(images) / (os.cpu_count() or 1)
    rate, per_patch, machine = measure_steps(network, recipe, config, images)
    state = count_parameters(network) * FLOAT32_BYTES
    shard = config.batch_size // distributed.this_process().num_processes
    images_held = 0 if patches_per_image else count * images[0].size * (FLOAT32_BYTES + 1)
    stored = (patches_per_image or 0) * count * config.patch_size**2
    copies = 5 if config.ema else 4  # weights, two moments, the best weights, their average
    return TrainingCost(
        patches=config.patches,
        rate=rate,
        decoding=decoding * count,
        memory=shard * per_patch + STATE_COPIES * state + images_held,
        disk=stored + copies * state,
        machine=machine,
    )


def measure_steps(
    network: nn.Module,
    recipe: AnyRecipe,
    config: TrainConfig,
    images: list[NDArray[np.float32]],
    patches: int = MEASURED_PATCHES,
) -> tuple[float, int, str]:
    """Measure patches per second and activation bytes per patch; both, and the machine's name.

    The bytes are those of the tensors that autograd saves, which are the same on every device that
    computes in the same arithmetic.
    patches: number per step and process.
    """
    accelerator = distributed.accelerator(config.precision)
    config = replace(config, batch_size=patches * accelerator.num_processes)
    network = distributed.synchronise_batch_norm(network, accelerator)
    network.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    adam = objective_of(recipe).adam(network, config)
    run = Run(network, adam, recipe, config, images="")
    pool = checked_pool(images, objective_of(recipe).largest_factor * config.patch_size)
    forward, optimizer = accelerator.prepare(run.network, run.optimizer)
    memory = ActivationMemory(network)
    with torch.autograd.graph.saved_tensors_hooks(memory.add, lambda tensor: tensor):
        train_step(accelerator, forward, optimizer, run, pool)
    times = []
    for _ in range(MEASURED_STEPS):
        started = time.perf_counter()
        loss, _ = train_step(accelerator, forward, optimizer, run, pool)
        float(loss)  # waits for the device
        times.append(time.perf_counter() - started)
    count = accelerator.num_processes
    arithmetic = distributed.arithmetic(config.precision, accelerator.device)
    machine = f"{accelerator.device.type}, {arithmetic}, {count} process(es)"
    return config.batch_size / min(times), memory.bytes // patches, machine


class StepCost(NamedTuple):
    """Memory of a training step in bytes, and patches per second on a GPU, None without one."""

    memory: int
    """Activations of a batch, weights, gradients and moments of one process."""
    gpu_rate: float | None


def step_costs(
    headers: Mapping[str, dict[str, Any]], images: list[NDArray[np.float32]]
) -> dict[str, StepCost]:
    """Measure training steps of networks on this machine, with one process.

    headers: of weight files, by label; each network is trained for a few steps in its own
    precision. images: radiographs, (H, W) in [0, 1]. On a GPU the steps have the network's own
    batch size, so that they use it to capacity; the memory is that of this batch size everywhere.
    """
    return {label: _step_cost(header, images) for label, header in headers.items()}


def _step_cost(header: dict[str, Any], images: list[NDArray[np.float32]]) -> StepCost:
    recipe, config = recipe_from(header), stored_config(header["budget"])
    network = build_network(header["architecture"], recipe, config.seed)
    on_gpu = torch.cuda.is_available()
    patches = config.batch_size if on_gpu else MEASURED_PATCHES
    rate, per_patch, _ = measure_steps(network, recipe, config, images, patches)
    state = count_parameters(network) * FLOAT32_BYTES
    memory = config.batch_size * per_patch + STATE_COPIES * state
    return StepCost(memory, rate if on_gpu else None)


class ActivationMemory:
    """Sum of the bytes that autograd saves for the backward pass: each storage once, no weights."""

    def __init__(self, network: nn.Module) -> None:
        self.storages: dict[int, Tensor] = {
            p.untyped_storage().data_ptr(): p for p in network.parameters()
        }
        self.bytes = 0

    def add(self, tensor: Tensor) -> Tensor:
        """Add the storage of a tensor that is about to be saved; return the tensor."""
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.storages:
            # A reference keeps the storage alive, so that no later tensor has its address.
            self.storages[storage.data_ptr()] = tensor
            self.bytes += storage.nbytes()
        return tensor


def as_table(cost: TrainingCost) -> pd.DataFrame:
    """Format the prediction as a table beside the paper's training time."""
    paper_rate = TrainConfig().patches / paper.TRAINING_HOURS / 3600
    rows = [
        ("patches per second", f"{cost.rate:.1f}", f"{paper_rate:.0f}"),
        ("training", format_duration(cost.seconds), format_duration(3600 * paper.TRAINING_HOURS)),
        ("decoding", format_duration(cost.decoding), "–"),
        ("memory per process", format_bytes(cost.memory), "–"),
        ("disk", format_bytes(cost.disk), "–"),
    ]
    return pd.DataFrame(rows, columns=["", cost.machine, "paper, RTX 2080 Ti"])


def format_duration(seconds: float) -> str:
    """Format seconds in a suitable unit: 45 s, 12 min, 30 h, 9.1 days."""
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.{1 if seconds < 10 * length else 0}f} {unit}"
    return f"{seconds:.0f} s"


def format_bytes(size: int) -> str:
    """Format bytes in a suitable unit: 34 MB, 5.3 GB."""
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
