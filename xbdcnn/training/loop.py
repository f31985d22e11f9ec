"""The training loop of every network (Sec. III-A): noise drawn at each step, exact resume, CSV log.

Started by `accelerate launch` or `torchrun`, the same loop divides each batch among several GPUs or
processes; the result is that of a single process.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn._common.memory import reuse_freed_memory
from xbdcnn.successor import AnyRecipe
from xbdcnn.training import distributed
from xbdcnn.training.batches import (
    Batch,
    Pool,
    StoredPatches,
    TrainConfig,
    as_pool,
    pool_digest,
    to_gpu_if_it_fits,
    validation_batch,
)
from xbdcnn.training.checkpoint import Run
from xbdcnn.training.objectives import objective_of, score

CHECKPOINT, LOG = "checkpoint.pt", "log.csv"
"""Files in the folder of a training run."""

LOG_EVERY = 20
"""Steps between two readings of the loss, each of which waits for the device."""


def train(
    network: nn.Module,
    recipe: AnyRecipe,
    images: Sequence[NDArray[np.floating]] | StoredPatches,
    validation: Sequence[NDArray[np.floating]],
    config: TrainConfig,
    folder: Path | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network in place and return its history, one row per validation.

    Args:
        network: (B, 1, H, W) -> Denoised, e.g. from `build_network`.
        recipe: loss, noise sampling and level units; see `losses.mixed_loss`.
        images: clean radiographs (H, W) in [0, 1], no smaller than a patch, or stored patches.
        validation: clean radiographs whose central patches score the network; the weights
            with the best mean PSNR on them are the ones left in `network`.
        config: budget and optimiser.
        folder: folder for checkpoint.pt and log.csv, visible to all processes; an unfinished run
            in it is resumed, possibly by another number of processes. None to write no files.
        progress: show a progress bar.

    Raises:
        XbdcnnError: no images, images smaller than a patch, a checkpoint of another
            configuration, a loss that is not finite, or a batch size that is no multiple of the
            number of processes.
    """
    objective = objective_of(recipe)
    pool = checked_pool(images, objective.largest_factor * config.patch_size)
    held_out = validation_batch(validation, config)
    accelerator = distributed.accelerator(config.precision)
    distributed.require_even_shards(config.batch_size, accelerator)
    network = distributed.synchronise_batch_norm(network, accelerator)
    network.to(accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = objective.adam(network, config)
    run = Run(network, optimizer, recipe, config, pool_digest(pool))
    folder = Path(folder) if folder else None
    if folder and (folder / CHECKPOINT).exists():
        run.load(folder / CHECKPOINT)
    distributed.require_same_step(run.step, accelerator, folder)
    pool = to_gpu_if_it_fits(pool, accelerator.device)
    # All processes compute the same results; only the main one writes files and shows progress.
    main = accelerator.is_main_process
    _take_steps(accelerator, run, pool, held_out, folder if main else None, progress and main)
    network.load_state_dict(run.best[1])
    network.eval()
    return pd.DataFrame(run.history)


def _take_steps(
    accelerator: Accelerator,
    run: Run,
    pool: Pool,
    held_out: Batch,
    folder: Path | None,
    progress: bool,
) -> None:
    """Take the remaining steps of a run; validate, log and save it at their intervals."""
    config = run.config
    forward, optimizer = accelerator.prepare(run.network, run.optimizer)
    started, cpu_started = time.perf_counter() - run.seconds, time.process_time() - run.cpu_seconds
    saved_at = run.seconds
    label = f"training, {distributed.arithmetic(config.precision, accelerator.device)}"
    bar = tqdm(total=config.steps, initial=run.step, desc=label, disable=not progress)
    with bar, reuse_freed_memory(accelerator.device.type == "cpu"):
        while run.step < config.steps:
            loss, terms = train_step(accelerator, forward, optimizer, run, pool)
            bar.update(1)
            run.seconds = time.perf_counter() - started
            run.cpu_seconds = time.process_time() - cpu_started
            validation_due = run.step % config.validate_every == 0 or run.step == config.steps
            if run.step % LOG_EVERY and not validation_due:
                continue
            loss, terms = accelerator.reduce((loss, terms), "mean")
            _require_finite(loss, run)
            bar.set_postfix(loss=f"{float(loss):.3g}", refresh=False)
            if validation_due:
                _validate(accelerator, run, held_out, loss, terms, folder)
            if folder and run.seconds - saved_at > config.checkpoint_seconds:
                run.save(folder / CHECKPOINT)
                saved_at = run.seconds
    if folder:
        run.save(folder / CHECKPOINT)


def train_step(
    accelerator: Accelerator,
    forward: nn.Module,
    optimizer: torch.optim.Optimizer,
    run: Run,
    pool: Pool,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Take one optimiser step on newly drawn noise (Eq. 8); return the loss and its terms.

    forward, optimizer: network and optimiser of the run as `accelerator.prepare` wraps them. The
    returned scalars stay on the device, so that the step does not wait for them. The learning rate
    is set from `run.step`, which is then increased.
    """
    rank, processes = accelerator.process_index, accelerator.num_processes
    config = run.config
    objective = objective_of(distributed.scale_tv_weight(run.recipe, processes))
    forward.train()
    for group in optimizer.param_groups:
        group["lr"] = objective.rate(run.step, config)
    whole = objective.draw(pool, config, run.step, accelerator.device)
    batch = distributed.shard_batch(whole, rank, processes)  # (b, 1, h, w), b = B / processes
    loss, terms = objective.loss(forward, batch)  # scalars
    optimizer.zero_grad()
    accelerator.backward(loss)
    if config.clip_norm:
        accelerator.clip_grad_norm_(forward.parameters(), config.clip_norm)
    optimizer.step()
    if run.average:
        run.average.update_parameters(run.network)
    run.step += 1
    return loss.detach(), terms


def _validate(
    accelerator: Accelerator,
    run: Run,
    held_out: Batch,
    loss: Tensor,
    terms: dict[str, Tensor],
    folder: Path | None,
) -> None:
    """Score the network, keep a copy of its weights if they are the best, and append to the log."""
    objective = objective_of(run.recipe)
    with accelerator.autocast():
        scores = score(run.kept, held_out, run.recipe, accelerator.device)
    if scores[objective.criterion] > run.best[0]:
        state = {
            name: value.detach().cpu().clone() for name, value in run.kept.state_dict().items()
        }
        run.best = (scores[objective.criterion], state)
    row: dict[str, float] = {"step": run.step, "patches": run.step * run.config.batch_size}
    row |= {"seconds": run.seconds, "cpu_seconds": run.cpu_seconds}
    row |= {"learning_rate": objective.rate(run.step - 1, run.config), "loss": float(loss)}
    row |= {f"loss_{name}": float(term) for name, term in terms.items()} | scores
    run.history.append(row)
    if folder:
        with atomic_path(folder / LOG) as temporary:
            pd.DataFrame(run.history).to_csv(temporary, index=False)


def _require_finite(loss: Tensor, run: Run) -> None:
    if not torch.isfinite(loss):
        raise XbdcnnError(
            f"the loss is {float(loss)} at step {run.step}; lower `learning_rates` or set "
            "`clip_norm`, and train in another run folder"
        )


def checked_pool(images: Sequence[NDArray[np.floating]] | StoredPatches, side: int) -> Pool:
    """Return the pool of images, which must be at least `side` pixels wide, else XbdcnnError."""
    if not len(images):
        raise XbdcnnError("no training images; name a folder that has a `train` split")
    pool: Pool = images if isinstance(images, StoredPatches) else as_pool(images)
    # All stored patches have the same size.
    checked = 1 if isinstance(images, StoredPatches) else len(images)
    smallest = min(min(pool[index].shape) for index in range(checked))
    if smallest < side:
        raise XbdcnnError(
            f"an image is {smallest} pixels wide, less than {side}, the area that a patch is made "
            "from; lower `patch_size` or use larger images"
        )
    return pool
