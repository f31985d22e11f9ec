"""What is measured: the machine's limits, and every step of the work beside its plain way."""

from __future__ import annotations

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
from benchmarks.timing import LIMIT, PLAIN, Task
from xbdcnn import noise
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.data.builtin import builtin_crop
from xbdcnn.data.store import build_store
from xbdcnn.inference.layers import record
from xbdcnn.inference.precision import chosen_precision
from xbdcnn.inference.pretrained import Pretrained
from xbdcnn.inference.weights import build_network
from xbdcnn.losses import ssim_loss
from xbdcnn.models import BALANCED
from xbdcnn.training import distributed
from xbdcnn.training.batches import (
    StoredPatches,
    TrainConfig,
    as_pool,
    draw_batch,
    random_patch,
)
from xbdcnn.training.checkpoint import Run
from xbdcnn.training.loop import train_step

OURS = "ours"
SIDE, BYTES = 128, {"fp32": 4, "bf16": 2}
"""Side of a patch in pixels; bytes of a number."""


def limits(device: torch.device, side: int) -> list[Task]:
    """The machine itself: dense products of side x side matrices, and a copy of 256 MB.

    The product is taken as a matrix and as a 1 x 1 convolution, since these go through different
    libraries, either of which may be the slower; the faster is the limit.
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
    """The product of (N, N) matrices as input (1, N, N, 1) and weight of a 1 x 1 convolution."""
    pixels, weight = left.T[None, :, :, None], right.T[:, :, None, None]
    return tuple(part.contiguous(memory_format=torch.channels_last) for part in (pixels, weight))


def inference(device: torch.device, side: int) -> list[Task]:
    """Restore one radiograph of side x side pixels, in every precision."""
    network = build_network("xbdcnn", BALANCED).eval().to(device)
    image = np.resize(builtin_crop(min(side, 1792)), (side, side))
    flops, name = forward_flops(network, side), f"inference {side}"
    work = {"items": 1, "unit": "images", "flops": flops}
    tasks = [
        Task(name, PLAIN, partial(reference.restore, network, image),
             bytes=traffic(network, side, "fp32"), arithmetic="fp32", **work)
    ]  # fmt: skip
    fast = build_network("xbdcnn", BALANCED).eval().to(device, memory_format=torch.channels_last)
    for arithmetic in dict.fromkeys(("fp32", chosen_precision("auto", device))):
        run = partial(Pretrained(fast, BALANCED, {}, arithmetic).restore, image)
        moved = traffic(network, side, arithmetic)
        variant = f"{OURS}, {arithmetic}"
        tasks.append(Task(name, variant, run, bytes=moved, arithmetic=arithmetic, **work))
    return tasks


def forward_flops(network: nn.Module, side: int) -> float:
    """Arithmetic of one image, which is proportional to its pixels."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, SIDE, SIDE, device=next(network.parameters()).device))
    return counter.get_total_flops() * (side / SIDE) ** 2


def traffic(network: nn.Module, side: int, arithmetic: str) -> float:
    """Least bytes that one image moves, if every layer reads its inputs and writes its output."""
    layers = record(network, SIDE)
    sizes = [layer.channels * layer.side**2 for layer in layers]
    moved = sum(
        size + sum(sizes[i] for i in layer.inputs)
        for size, layer in zip(sizes, layers, strict=True)
    )
    return float(moved) * (side / SIDE) ** 2 * BYTES[arithmetic]


def training(device: torch.device, count: int) -> list[Task]:
    """One step on `count` patches, noise and loss included; three forward passes' arithmetic."""
    arithmetic = chosen_precision("auto", device)
    config = TrainConfig(batch_size=count, precision="bf16" if arithmetic == "bf16" else "no")
    pool = as_pool([builtin_crop(512)])
    accelerator = distributed.accelerator(config.precision)
    network = build_network("xbdcnn", BALANCED).to(device, memory_format=torch.channels_last)
    run = Run(network, BALANCED, config, images="")
    forward, optimizer = accelerator.prepare(run.network, run.optimizer)
    ours = partial(train_step, accelerator, forward, optimizer, run, pool)
    slow = build_network("xbdcnn", BALANCED).to(device)
    batch = draw_batch(pool, BALANCED, config, 0, torch.device("cpu"))
    state = (slow, torch.optim.Adam(slow.parameters(), lr=1e-3))
    rng = np.random.default_rng(0)
    theirs = partial(reference.train_step, *state, batch.clean, batch.eta, batch.sigma, rng)
    work = {"items": count, "unit": "patches", "flops": 3 * count * forward_flops(slow, SIDE)}
    moved = {kind: 3 * count * traffic(slow, SIDE, kind) for kind in BYTES}
    return [
        Task("training", PLAIN, theirs, bytes=moved["fp32"], arithmetic="fp32", **work),
        Task("training", OURS, ours, bytes=moved[arithmetic], arithmetic=arithmetic, **work),
    ]


def synthesis(device: torch.device, count: int) -> list[Task]:
    """Noise of Eq. 1 on `count` patches."""
    config = TrainConfig(batch_size=count)
    clean, _, eta, sigma = draw_batch(
        as_pool([builtin_crop(512)]), BALANCED, config, 0, torch.device("cpu")
    )
    theirs = partial(reference.add_noise, clean, eta, sigma, np.random.default_rng(0))
    there = [part.to(device) for part in (clean, eta, sigma)]
    ours = partial(noise.add_hybrid_noise, *there, torch.Generator(device), check=False)
    return [
        Task("noise", PLAIN, theirs, count, "patches"),
        Task("noise", OURS, ours, count, "patches"),
    ]


def ssim(device: torch.device, count: int) -> list[Task]:
    """SSIM loss and its gradient on `count` patches."""
    clean = torch.rand(count, 1, SIDE, SIDE, device=device)
    restored = (clean + 0.1 * torch.rand_like(clean)).requires_grad_()

    def gradient(loss) -> None:
        torch.autograd.grad(loss(restored, clean), restored)

    return [
        Task("SSIM loss", PLAIN, partial(gradient, reference.ssim_loss), count, "patches"),
        Task(
            "SSIM loss",
            OURS,
            partial(gradient, partial(ssim_loss, reduction="mean")),
            count,
            "patches",
        ),
    ]


def loading(folder: Path, count: int) -> list[Task]:
    """`count` patches from files: decoded on the way, or from the patch store."""
    path = folder / "radiograph.png"
    Image.fromarray((builtin_crop(1024) * 255).astype(np.uint8)).save(path)
    index = pd.DataFrame({"image": [path.name], "path": [str(path)]})
    store = build_store(index, folder / "store", 256, workers=1, progress=False)
    pool, config = StoredPatches(store, np.array([0])), TrainConfig(batch_size=count)
    generator = torch.Generator()

    def ours() -> torch.Tensor:
        patches = [random_patch(pool, config, generator) for _ in range(count)]
        return torch.stack(patches)[:, None].float() / noise.GREY_LEVELS

    theirs = partial(reference.load_patches, [path] * count, SIDE, np.random.default_rng(0))
    return [
        Task("loading", PLAIN, theirs, count, "patches"),
        Task("loading", OURS, ours, count, "patches"),
    ]


def classical(side: int) -> list[Task]:
    """BM3D, on as many threads as the networks, and non-local means of one radiograph."""
    noisy = noise.add_hybrid_noise_numpy(builtin_crop(side), 0.6, 10.0, np.random.default_rng(0))
    levels, threads = {"eta": 0.6, "sigma": 10.0}, {"threads": torch.get_num_threads()}
    options = {"BM3D": threads, "GAT+BM3D": threads} if find_spec("bm3d") else {}
    return [
        Task(f"inference {side}", n, partial(CLASSICAL[n], noisy, **levels, **given), 1, "images")
        for n, given in (options | {"NLM": {}}).items()
    ]
