"""One training loop for every network (Sec. III-A): on-the-fly noise, exact resume, CSV log.

Several GPUs or processes are the business of `accelerate launch` or `torchrun`: started by one of
them, the same loop shares each batch out, and the result is that of one process.
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

from xbdcnn import noise
from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn._common.memory import kept_pages
from xbdcnn.losses import mixed_loss
from xbdcnn.metrics import psnr, ssim
from xbdcnn.models import Recipe
from xbdcnn.training import distributed
from xbdcnn.training.batches import (
    Batch,
    Pool,
    StoredPatches,
    TrainConfig,
    as_pool,
    draw_batch,
    learning_rate,
    pool_digest,
    resident,
    validation_batch,
)
from xbdcnn.training.checkpoint import Run

LOG_EVERY = 20
"""Steps between two looks at the loss; each look waits for the device."""


def train(
    network: nn.Module,
    recipe: Recipe,
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
        folder: where checkpoint.pt and log.csv go; an unfinished run found there is resumed,
            also by another number of processes. All of them must see it.
        progress: show a progress bar.

    Raises:
        XbdcnnError: no images, images smaller than a patch, a checkpoint of another
            configuration, a loss that is no longer finite, or processes that cannot share a
            batch evenly.
    """
    pool = _checked_pool(images, config)
    held_out = validation_batch(validation, config)
    accelerator = distributed.accelerator(config.precision)
    network = distributed.synchronise_batch_norm(network, config, accelerator)
    network.to(accelerator.device, memory_format=torch.channels_last)
    run = Run(network, recipe, config, pool_digest(pool))
    pool = resident(pool, accelerator.device)
    checkpoint = Path(folder) / "checkpoint.pt" if folder else None
    if checkpoint and checkpoint.exists():
        run.load(checkpoint)
    distributed.require_same_step(run.step, accelerator, folder)
    # One process writes; the others compute the same and keep it to themselves.
    folder, checkpoint = (p if accelerator.is_main_process else None for p in (folder, checkpoint))
    forward, optimizer = accelerator.prepare(run.network, run.optimizer)
    saved = started = time.perf_counter() - run.seconds
    cpu_started = time.process_time() - run.cpu_seconds
    quiet = not (progress and accelerator.is_main_process)
    bar = tqdm(total=config.steps, initial=run.step, desc="training", disable=quiet)
    with bar, kept_pages(accelerator.device.type == "cpu"):
        while run.step < config.steps:
            loss, terms = train_step(accelerator, forward, optimizer, run, pool)
            bar.update(1)
            run.seconds = time.perf_counter() - started
            run.cpu_seconds = time.process_time() - cpu_started
            due = run.step % config.validate_every == 0 or run.step == config.steps
            if run.step % LOG_EVERY and not due:
                continue
            loss, terms = accelerator.reduce((loss, terms), "mean")
            _require_finite(loss, run)
            bar.set_postfix(loss=f"{float(loss):.3g}", refresh=False)
            if due:
                _validate(accelerator, run, held_out, loss, terms, folder)
            if checkpoint and time.perf_counter() - saved > config.checkpoint_seconds:
                run.save(checkpoint)
                saved = time.perf_counter()
    if checkpoint:
        run.save(checkpoint)
    network.load_state_dict(run.best[1])
    network.eval()
    return pd.DataFrame(run.history)


def train_step(
    accelerator: Accelerator,
    forward: nn.Module,
    optimizer: torch.optim.Optimizer,
    run: Run,
    pool: Pool,
) -> tuple[Tensor, dict[str, Tensor]]:
    """One optimiser step; returns the loss and its terms, still on the device."""
    config, recipe = run.config, distributed.local_recipe(run.recipe, accelerator.num_processes)
    forward.train()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(run.step, config)
    whole = draw_batch(pool, recipe, config, run.step, accelerator.device)
    batch = distributed.share(whole, accelerator.process_index, accelerator.num_processes)
    output = forward(batch.noisy.contiguous(memory_format=torch.channels_last))
    levels = noise.level_maps(batch.eta, batch.sigma, batch.clean, recipe.level_scaling)
    loss, terms = mixed_loss(output, batch.noisy, batch.clean, levels, recipe)
    optimizer.zero_grad()
    accelerator.backward(loss)
    if config.clip_norm:
        accelerator.clip_grad_norm_(forward.parameters(), config.clip_norm)
    optimizer.step()
    if run.average:
        run.average.update_parameters(run.network)
    run.step += 1
    return loss.detach(), terms


@torch.no_grad()
def score(
    network: nn.Module, batch: Batch, recipe: Recipe, device: torch.device
) -> dict[str, float]:
    """Mean PSNR in dB, mean SSIM, and rms errors of the estimated levels on a batch."""
    network.eval()
    outputs = [network(noisy.to(device)) for noisy in batch.noisy.split(4)]
    restored = torch.cat([output.image.float().cpu() for output in outputs])
    restored = restored.clamp(0, 1)
    scores = {"val_psnr": float(np.mean(psnr(restored, batch.clean)))}
    scores["val_ssim"] = float(np.mean(ssim(restored, batch.clean)))
    if outputs[0].levels is not None:
        maps = torch.cat([output.levels.float().cpu() for output in outputs])
        eta, sigma = noise.levels_from_maps(maps, recipe.level_scaling)
        scores["val_eta_rmse"] = float((eta - batch.eta).square().mean().sqrt())
        scores["val_sigma_rmse"] = float((sigma - batch.sigma).square().mean().sqrt())
    return scores


def _validate(
    accelerator: Accelerator,
    run: Run,
    held_out: Batch,
    loss: Tensor,
    terms: dict[str, Tensor],
    folder: Path | str | None,
) -> None:
    """Score the kept network, remember it if it is the best so far, and append to the log."""
    with accelerator.autocast():
        scores = score(run.kept, held_out, run.recipe, accelerator.device)
    if scores["val_psnr"] > run.best[0]:
        state = {
            name: value.detach().cpu().clone() for name, value in run.kept.state_dict().items()
        }
        run.best = (scores["val_psnr"], state)
    row = {"step": run.step, "patches": run.step * run.config.batch_size}
    row |= {"seconds": run.seconds, "cpu_seconds": run.cpu_seconds}
    row |= {"learning_rate": learning_rate(run.step - 1, run.config), "loss": float(loss)}
    row |= {f"loss_{name}": float(term) for name, term in terms.items()} | scores
    run.history.append(row)
    if folder:
        with atomic_path(Path(folder) / "log.csv") as temporary:
            pd.DataFrame(run.history).to_csv(temporary, index=False)


def _require_finite(loss: Tensor, run: Run) -> None:
    if not torch.isfinite(loss):
        raise XbdcnnError(
            f"the loss is {float(loss)} at step {run.step}; lower `learning_rates` or set "
            "`clip_norm`, and train in another run folder"
        )


def _checked_pool(images: Sequence[NDArray] | StoredPatches, config: TrainConfig) -> Pool:
    if not len(images):
        raise XbdcnnError("no training images; name a folder that has a `train` split")
    stored = isinstance(images, StoredPatches)
    smallest = min(min(image.shape) for image in ([images[0]] if stored else images))
    if smallest < config.patch_size:
        raise XbdcnnError(
            f"an image is {smallest} pixels wide, less than `patch_size` {config.patch_size}"
        )
    return images if stored else as_pool(images)
