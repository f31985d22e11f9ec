"""Tasks of the benchmark: the machine's limits, and each step by the package and the reference."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import reference
from benchmarks.timing import LIMIT, REFERENCE, Task
from xbdcnn import noise
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.data.builtin import builtin_crop
from xbdcnn.data.store import build_store
from xbdcnn.inference.layers import record_layers
from xbdcnn.inference.precision import resolve_precision
from xbdcnn.inference.pretrained import Pretrained
from xbdcnn.inference.successor import PretrainedSuccessor
from xbdcnn.inference.weights import build_network
from xbdcnn.level_estimator import LevelEstimator
from xbdcnn.losses import ssim_loss
from xbdcnn.models import BALANCED
from xbdcnn.successor import FULL, TINY, BlindSuccessor, Successor
from xbdcnn.training import distributed
from xbdcnn.training.batches import (
    Pool,
    StoredPatches,
    TrainConfig,
    as_pool,
    draw_batch,
    random_patch,
)
from xbdcnn.training.checkpoint import Run
from xbdcnn.training.loop import train_step

OURS = "ours"
SIDE = 128
"""Side of a patch in pixels."""

BYTES = {"fp32": 4, "bf16": 2}
"""Bytes per number."""


def machine_limits(device: torch.device, side: int) -> list[Task]:
    """Return products of side x side matrices, and a copy of 256 MB.

    The product is computed as such and as a 1 x 1 convolution, since PyTorch uses different
    libraries for them; the faster one is the limit.
    """
    tasks = []
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        work = {"flops": 2.0 * side**3, "bytes": 3.0 * side**2 * BYTES[name], "arithmetic": name}
        left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        ways = {
            "matrix product": partial(torch.mm, left, right),
            "1 x 1 convolution": partial(torch.conv2d, *as_convolution(left, right)),
        }
        tasks += [Task(f"{way} {name}", LIMIT, run, 1, "", **work) for way, run in ways.items()]
    source = torch.ones(2**26, device=device)
    copy = partial(torch.empty_like(source).copy_, source)
    return [*tasks, Task("memory", LIMIT, copy, 1, "", bytes=2.0 * 4 * 2**26)]


def as_convolution(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Return input (1, N, N, 1) and weight of a 1 x 1 convolution, given two (N, N) matrices."""
    pixels, weight = left.T[None, :, :, None], right.T[:, :, None, None]
    return tuple(part.contiguous(memory_format=torch.channels_last) for part in (pixels, weight))


def inference(device: torch.device, side: int) -> list[Task]:
    """Restore one radiograph of side x side pixels in each precision."""
    network = build_network("xbdcnn", BALANCED).eval().to(device)
    image = np.resize(builtin_crop(min(side, 1792)), (side, side))
    flops, name = forward_flops(network, side), f"inference {side}"
    work = {"items": 1, "unit": "images", "flops": flops}
    tasks = [
        Task(name, REFERENCE, partial(reference.restore, network, image),
             bytes=memory_traffic(network, side, "fp32"), arithmetic="fp32", **work)
    ]  # fmt: skip
    fast = build_network("xbdcnn", BALANCED).eval().to(device, memory_format=torch.channels_last)
    for arithmetic in dict.fromkeys(("fp32", resolve_precision("auto", device))):
        run = partial(Pretrained(fast, BALANCED, {}, arithmetic).restore, image)
        moved = memory_traffic(network, side, arithmetic)
        variant = f"{OURS}, {arithmetic}"
        tasks.append(Task(name, variant, run, bytes=moved, arithmetic=arithmetic, **work))
    return tasks


def successor_inference(device: torch.device, side: int) -> list[Task]:
    """Restore the radiograph of `inference` by the successors, level estimator included."""
    image = np.resize(builtin_crop(min(side, 1792)), (side, side))
    arithmetic, tasks = resolve_precision("auto", device), []
    for name, recipe in {"successor": FULL, "tiny successor": TINY}.items():
        network = BlindSuccessor(LevelEstimator(), Successor(recipe)).eval()
        network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        run = partial(PretrainedSuccessor(network, recipe, {}, arithmetic).restore, image)
        work = {"flops": forward_flops(network, side), "arithmetic": arithmetic}
        tasks.append(Task(f"inference {side}", f"{name}, {arithmetic}", run, 1, "images", **work))
    return tasks


def forward_flops(network: nn.Module, side: int) -> float:
    """Return the floating-point operations for one image, in proportion to its pixels."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, SIDE, SIDE, device=next(network.parameters()).device))
    return counter.get_total_flops() * (side / SIDE) ** 2


def memory_traffic(network: nn.Module, side: int, arithmetic: str) -> float:
    """Return the bytes that the layers read and write for one image, without the weights."""
    layers = record_layers(network, SIDE)
    sizes = [layer.channels * layer.side**2 for layer in layers]
    moved = sum(
        size + sum(sizes[i] for i in layer.inputs)
        for size, layer in zip(sizes, layers, strict=True)
    )
    return float(moved) * (side / SIDE) ** 2 * BYTES[arithmetic]


def training(device: torch.device, count: int) -> list[Task]:
    """Take one training step on `count` patches, noise and loss included.

    Its arithmetic is counted as three forward passes.
    """
    arithmetic = resolve_precision("auto", device)
    config = TrainConfig(batch_size=count, precision="bf16" if arithmetic == "bf16" else "no")
    pool, network = as_pool([builtin_crop(512)]), build_network("xbdcnn", BALANCED).to(device)
    work = {"items": count, "unit": "patches", "flops": 3 * count * forward_flops(network, SIDE)}
    moved = {kind: 3 * count * memory_traffic(network, SIDE, kind) for kind in BYTES}
    slow, fast = reference_step(network, pool, config), package_step(device, pool, config)
    return [
        Task("training", REFERENCE, slow, bytes=moved["fp32"], arithmetic="fp32", **work),
        Task("training", OURS, fast, bytes=moved[arithmetic], arithmetic=arithmetic, **work),
    ]


def package_step(device: torch.device, pool: Pool, config: TrainConfig) -> Callable[[], object]:
    """Return a function that takes one training step by the package, on a network of its own."""
    accelerator = distributed.accelerator(config.precision)
    network = build_network("xbdcnn", BALANCED).to(device, memory_format=torch.channels_last)
    adam = torch.optim.Adam(network.parameters(), lr=config.learning_rates[0])
    run = Run(network, adam, BALANCED, config, images="")
    forward, optimizer = accelerator.prepare(run.network, run.optimizer)
    return partial(train_step, accelerator, forward, optimizer, run, pool)


def reference_step(network: nn.Module, pool: Pool, config: TrainConfig) -> Callable[[], object]:
    """Return a function that takes one training step by the reference implementation."""
    batch = draw_batch(pool, BALANCED, config, 0, torch.device("cpu"))
    state = (network, torch.optim.Adam(network.parameters(), lr=1e-3))
    rng = np.random.default_rng(0)
    return partial(reference.train_step, *state, batch.clean, batch.eta, batch.sigma, rng)


def noise_synthesis(device: torch.device, count: int) -> list[Task]:
    """Add the noise of Eq. 1 to `count` patches."""
    config = TrainConfig(batch_size=count)
    clean, _, eta, sigma, _ = draw_batch(
        as_pool([builtin_crop(512)]), BALANCED, config, 0, torch.device("cpu")
    )
    slow = partial(reference.add_noise, clean, eta, sigma, np.random.default_rng(0))
    arguments = [tensor.to(device) for tensor in (clean, eta, sigma)]
    fast = partial(noise.add_hybrid_noise, *arguments, torch.Generator(device), check=False)
    return [
        Task("noise", REFERENCE, slow, count, "patches"),
        Task("noise", OURS, fast, count, "patches"),
    ]


def ssim_gradient(device: torch.device, count: int) -> list[Task]:
    """Compute the SSIM loss and its gradient for `count` patches."""
    clean = torch.rand(count, 1, SIDE, SIDE, device=device)
    restored = (clean + 0.1 * torch.rand_like(clean)).requires_grad_()

    def gradient(loss: Callable[..., Tensor]) -> None:
        torch.autograd.grad(loss(restored, clean), restored)

    slow = partial(gradient, reference.ssim_loss)
    fast = partial(gradient, partial(ssim_loss, reduction="mean"))
    return [
        Task("SSIM loss", REFERENCE, slow, count, "patches"),
        Task("SSIM loss", OURS, fast, count, "patches"),
    ]


def patch_loading(folder: Path, count: int) -> list[Task]:
    """Load `count` patches from image files (reference) or from a patch store (ours)."""
    path = folder / "radiograph.png"
    Image.fromarray((builtin_crop(1024) * 255).astype(np.uint8)).save(path)
    index = pd.DataFrame({"image": [path.name], "path": [str(path)]})
    store = build_store(index, folder / "store", 256, workers=1, progress=False)
    pool, config = StoredPatches(store, np.array([0])), TrainConfig(batch_size=count)
    generator = torch.Generator()

    def fast() -> torch.Tensor:
        patches = [random_patch(pool, config, generator) for _ in range(count)]
        return torch.stack(patches)[:, None].float() / noise.GREY_LEVELS

    slow = partial(reference.load_patches, [path] * count, SIDE, np.random.default_rng(0))
    return [
        Task("loading", REFERENCE, slow, count, "patches"),
        Task("loading", OURS, fast, count, "patches"),
    ]


def classical_methods(side: int) -> list[Task]:
    """Denoise one radiograph by BM3D, with as many threads as the networks, and by NLM."""
    noisy = noise.add_hybrid_noise_numpy(builtin_crop(side), 0.6, 10.0, np.random.default_rng(0))
    levels, threads = {"eta": 0.6, "sigma": 10.0}, {"threads": torch.get_num_threads()}
    options = {"BM3D": threads, "GAT+BM3D": threads} if find_spec("bm3d") else {}
    return [
        Task(f"inference {side}", n, partial(CLASSICAL[n], noisy, **levels, **given), 1, "images")
        for n, given in (options | {"NLM": {}}).items()
    ]
