"""Data-parallel training on several processes or GPUs, with the result of a single process.

`accelerate launch` or `torchrun` starts the processes; PyTorch averages their gradients.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState
from torch import nn
from torch.distributed import Store, rendezvous

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.precision import native_bfloat16
from xbdcnn.models import Recipe
from xbdcnn.successor import AnyRecipe
from xbdcnn.training.batches import Batch

START_TIMEOUT = timedelta(seconds=30)
"""Time within which all processes of a launcher must have started."""

ARITHMETIC = {"no": "fp32", "bf16": "bf16", "fp16": "fp16"}
"""Names of the arithmetic in outputs, by autocast format."""


def accelerator(precision: str) -> Accelerator:
    """Create the Accelerator of this process: device, rank and `autocast_format`.

    accelerate keeps a global state and refuses a second precision in the same process, so an
    earlier state is reset.
    """
    device = this_process().device
    AcceleratorState._reset_state()
    chosen = autocast_format(precision, device)
    return Accelerator(cpu=_launched_on_cpus(), mixed_precision=chosen)


def autocast_format(precision: str, device: torch.device) -> str:
    """Return the autocast format in which a device computes a run of `TrainConfig.precision`.

    "bf16" becomes "no", which is float32, on a device without bfloat16 instructions, where a step
    in emulated bfloat16 takes longer.
    """
    emulated = precision == "bf16" and not native_bfloat16(device)
    return "no" if emulated else precision


def arithmetic(precision: str, device: torch.device) -> str:
    """Return the name in `ARITHMETIC` of what a device computes a run of a precision in."""
    return ARITHMETIC[autocast_format(precision, device)]


def this_process() -> PartialState:
    """Return the rank of this process among those of the launcher; 0 of 1 without a launcher.

    Raises:
        XbdcnnError: WORLD_SIZE announces processes that do not start within `START_TIMEOUT`.
    """
    if os.environ.get("WORLD_SIZE", "1") != "1" and not PartialState._shared_state:
        _meet_other_processes(os.environ["WORLD_SIZE"])
    return PartialState(cpu=_launched_on_cpus())


@cache
def _meet_other_processes(count: str) -> Store:
    """Wait for all processes; without this, a WORLD_SIZE left over from a job waits for ever.

    The store has to live as long as the process, since the other processes may still use it.
    """
    try:
        store, _, _ = next(rendezvous("env://", timeout=START_TIMEOUT))
    except (RuntimeError, ValueError) as error:
        seconds = START_TIMEOUT.total_seconds()
        raise XbdcnnError(
            f"WORLD_SIZE={count} in the environment announces {count} processes, which have not "
            f"all started within {seconds:.0f} s; unset WORLD_SIZE, or start them with torchrun"
        ) from error
    return store


def _launched_on_cpus() -> bool:
    """Tell whether a launcher has started processes without GPUs.

    accelerate has to be told, otherwise each process would train on its own.
    """
    return "WORLD_SIZE" in os.environ and not torch.accelerator.is_available()


def shard_batch(batch: Batch, rank: int, processes: int) -> Batch:
    """Return the patches of a batch that one of several processes trains on: every n-th patch.

    Every process draws the whole batch, so that the training data do not depend on the number of
    processes. Drawing takes less than one percent of the time of a step.
    """
    shards = {
        name: part[rank::processes] for name, part in batch._asdict().items() if part is not None
    }
    return Batch(**shards)


def scale_tv_weight(recipe: AnyRecipe, processes: int) -> AnyRecipe:
    """Multiply the weight of the released TV term by the number of processes.

    The released term sums over the patches of a batch whereas all other terms average over them,
    so its mean over processes would be too small by that factor. Other recipes are unchanged.
    """
    if not isinstance(recipe, Recipe) or recipe.tv_reduction != "released" or processes == 1:
        return recipe
    mse, ssim, asymm, tv = recipe.loss_weights
    return replace(recipe, loss_weights=(mse, ssim, asymm, tv * processes))


def require_even_shards(batch_size: int, accelerator: Accelerator) -> None:
    """Raise XbdcnnError unless the batch size is a multiple of the number of processes."""
    if batch_size % accelerator.num_processes:
        raise XbdcnnError(
            f"a batch of {batch_size} cannot be divided among {accelerator.num_processes} "
            "processes; choose a `batch_size` that is a multiple"
        )


def synchronise_batch_norm(network: nn.Module, accelerator: Accelerator) -> nn.Module:
    """Convert batch norm layers so that their statistics cover the batch of all processes.

    Returns the network unchanged for a single process. Raises XbdcnnError for batch norm on
    several CPU processes, which PyTorch does not support.
    """
    if accelerator.num_processes == 1:
        return network
    normalised = any(isinstance(part, nn.BatchNorm2d) for part in network.modules())
    if normalised and accelerator.device.type == "cpu":
        raise XbdcnnError("batch norm on CPUs needs a single process; start without a launcher")
    return nn.SyncBatchNorm.convert_sync_batchnorm(network)


def require_same_step(step: int, accelerator: Accelerator, folder: Path | str | None) -> None:
    """Raise XbdcnnError if some processes have resumed from a checkpoint and others have not."""
    steps = accelerator.gather(torch.tensor([step], device=accelerator.device))
    if (steps != step).any():
        raise XbdcnnError(f"{folder}: not all processes see this folder; put it on a shared disk")
