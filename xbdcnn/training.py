"""One training loop for every network (Sec. III-A): on-the-fly noise, exact resume, CSV log."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm.auto import tqdm

from xbdcnn import noise
from xbdcnn.batches import (
    Batch,
    TrainConfig,
    as_pool,
    draw_batch,
    learning_rate,
    pool_digest,
    validation_batch,
)
from xbdcnn.errors import XbdcnnError
from xbdcnn.files import atomic_path
from xbdcnn.losses import mixed_loss
from xbdcnn.metrics import psnr, ssim
from xbdcnn.models import Recipe

LOG_EVERY = 20
"""Steps between two looks at the loss; each look waits for the device."""

PLAIN = ("step", "seconds", "cpu_seconds", "best", "history")
"""What a checkpoint holds of a run besides the states of its parts."""


class Run:
    """Everything that changes during training, saved as one checkpoint."""

    def __init__(
        self, network: nn.Module, recipe: Recipe, config: TrainConfig, images: str
    ) -> None:
        self.network, self.recipe, self.config = network, recipe, config
        self.identity = {"config": asdict(config), "recipe": asdict(recipe), "images": images}
        self.optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rates[0])
        self.average = (
            AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(config.ema), use_buffers=True)
            if config.ema
            else None
        )
        self.step, self.seconds, self.cpu_seconds = 0, 0.0, 0.0
        self.best: tuple[float, dict[str, Tensor]] = (-math.inf, {})
        self.history: list[dict[str, float]] = []

    @property
    def kept(self) -> nn.Module:
        """The network to validate and to keep: the averaged one if there is one."""
        return self.average.module if self.average else self.network

    def parts(self) -> dict[str, Any]:
        """The stateful objects by name."""
        parts = {"network": self.network, "optimizer": self.optimizer, "average": self.average}
        return {name: part for name, part in parts.items() if part is not None}

    def save(self, path: Path) -> None:
        """Write the checkpoint atomically; tensors and plain values only, so no pickled code."""
        state = {name: part.state_dict() for name, part in self.parts().items()}
        state |= {name: getattr(self, name) for name in ("identity", *PLAIN)}
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint; XbdcnnError if it is damaged or of another run."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if state["identity"] != self.identity:
                raise XbdcnnError(
                    f"{path}: checkpoint of another configuration, recipe or set of images; "
                    "use another run folder"
                )
            for name, part in self.parts().items():
                part.load_state_dict(state[name])
        except (UnpicklingError, RuntimeError, KeyError, OSError, EOFError) as error:
            raise XbdcnnError(f"{path}: damaged checkpoint ({error}); delete it") from None
        for name in PLAIN:
            setattr(self, name, state[name])


def train(
    network: nn.Module,
    recipe: Recipe,
    images: Sequence[NDArray[np.floating]],
    validation: Sequence[NDArray[np.floating]],
    config: TrainConfig,
    folder: Path | str | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a network in place and return its history, one row per validation.

    Args:
        network: (B, 1, H, W) -> Denoised, e.g. from `zoo.build_network`.
        recipe: loss, noise sampling and level units; see `losses.mixed_loss`.
        images: clean radiographs (H, W) in [0, 1], no smaller than a patch.
        validation: clean radiographs whose central patches score the network; the weights
            with the best mean PSNR on them are the ones left in `network`.
        config: budget and optimiser.
        folder: where checkpoint.pt and log.csv go; an unfinished run found there is resumed.
        progress: show a progress bar.

    Raises:
        XbdcnnError: no images, images smaller than a patch, a checkpoint of another
            configuration, or a loss that is no longer finite.
    """
    pool = _checked_pool(images, config)
    held_out = validation_batch(validation, config)
    # accelerate keeps one global state and refuses a second precision in the same process.
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision=config.precision)
    network.to(accelerator.device, memory_format=torch.channels_last)
    run = Run(network, recipe, config, pool_digest(pool))
    checkpoint = Path(folder) / "checkpoint.pt" if folder else None
    if checkpoint and checkpoint.exists():
        run.load(checkpoint)
    forward, optimizer = accelerator.prepare(run.network, run.optimizer)
    saved = started = time.perf_counter() - run.seconds
    cpu_started = time.process_time() - run.cpu_seconds
    bar = tqdm(total=config.steps, initial=run.step, desc="training", disable=not progress)
    with bar:
        while run.step < config.steps:
            loss, terms = train_step(accelerator, forward, optimizer, run, pool)
            bar.update(1)
            run.seconds = time.perf_counter() - started
            run.cpu_seconds = time.process_time() - cpu_started
            due = run.step % config.validate_every == 0 or run.step == config.steps
            if run.step % LOG_EVERY and not due:
                continue
            _require_finite(loss, run, checkpoint)
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
    pool: Sequence[Tensor],
) -> tuple[Tensor, dict[str, Tensor]]:
    """One optimiser step; returns the loss and its terms, still on the device."""
    config, recipe = run.config, run.recipe
    forward.train()
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(run.step, config)
    batch = draw_batch(pool, recipe, config, run.step, accelerator.device)
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
    restored = torch.cat([output.restored.float().cpu() for output in outputs])
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


def _require_finite(loss: Tensor, run: Run, checkpoint: Path | None) -> None:
    if not torch.isfinite(loss):
        remedy = f"; the last good state is {checkpoint}" if checkpoint else ""
        raise XbdcnnError(
            f"the loss is {float(loss)} at step {run.step}; lower `learning_rates` or set "
            f"`clip_norm`{remedy}"
        )


def _checked_pool(images: Sequence[NDArray[np.floating]], config: TrainConfig) -> list[Tensor]:
    if not images:
        raise XbdcnnError("no training images; name a folder that has a `train` split")
    smallest = min(min(image.shape) for image in images)
    if smallest < config.patch_size:
        raise XbdcnnError(
            f"an image is {smallest} pixels wide, less than `patch_size` {config.patch_size}"
        )
    return as_pool(images)
