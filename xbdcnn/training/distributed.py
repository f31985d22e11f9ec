"""Several processes, or GPUs, that train one network as one process would.

`accelerate launch` or `torchrun` starts and watches them; PyTorch averages their gradients.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from torch import nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.models import Recipe
from xbdcnn.training.batches import Batch, TrainConfig


def accelerator(precision: str) -> Accelerator:
    """This process's part of the training: its device, its rank, and the autocast format.

    accelerate keeps one global state and refuses a second precision in the same process, so its
    former one is dropped.
    """
    this_process()
    AcceleratorState._reset_state()
    return Accelerator(cpu=_launched_on_cpus(), mixed_precision=precision)


def this_process() -> PartialState:
    """Rank of this process among those that a launcher has started, 0 of 1 without one."""
    return PartialState(cpu=_launched_on_cpus())


def _launched_on_cpus() -> bool:
    """Processes on CPUs would each train alone, unless accelerate is told that there is no GPU."""
    return "WORLD_SIZE" in os.environ and not torch.accelerator.is_available()


def share(batch: Batch, rank: int, processes: int) -> Batch:
    """The part of a batch that falls to one of several processes.

    Each draws the whole batch and keeps every n-th patch of it: no noise is drawn twice, and all
    together see what one process would, however many there are. Drawing is below one percent of
    a step's work.
    """
    return Batch(*(part[rank::processes] for part in batch))


def local_recipe(recipe: Recipe, processes: int) -> Recipe:
    """The recipe for one of several processes, whose gradients are averaged.

    The released TV term adds up the patches of a batch where every other term averages them, so
    its mean over processes would be too small by their number.
    """
    if recipe.tv_reduction != "released" or processes == 1:
        return recipe
    *others, tv = recipe.loss_weights
    return replace(recipe, loss_weights=(*others, tv * processes))


def synchronise_batch_norm(
    network: nn.Module, config: TrainConfig, accelerator: Accelerator
) -> nn.Module:
    """Prepare a network for several processes: batch norm has to see the whole batch, too.

    Raises:
        XbdcnnError: the batch cannot be shared evenly, or a batch norm would have to be
            synchronised between CPUs, which PyTorch cannot do.
    """
    if accelerator.num_processes == 1:
        return network
    if config.batch_size % accelerator.num_processes:
        raise XbdcnnError(
            f"a batch of {config.batch_size} cannot be shared by {accelerator.num_processes} "
            "processes; choose a `batch_size` that is a multiple"
        )
    normalised = any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    if normalised and accelerator.device.type == "cpu":
        raise XbdcnnError("batch norm runs in one process on CPUs; start it without a launcher")
    return nn.SyncBatchNorm.convert_sync_batchnorm(network)


def require_same_step(step: int, accelerator: Accelerator, folder: Path | str | None) -> None:
    """Raise XbdcnnError if some processes have resumed from a checkpoint that others do not see."""
    steps = accelerator.gather(torch.tensor([step], device=accelerator.device))
    if (steps != step).any():
        raise XbdcnnError(f"{folder}: not all processes see this folder; put it on a shared disk")
