"""How fast the package is here: beside the plain way, and beside what the machine can do.

Everything is measured in one run, in interleaved rounds, so that ratios hold even where the
seconds depend on what else the machine has to do.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch

from benchmarks import tasks
from benchmarks.report import ROOFLINE, page, readable
from benchmarks.roofline import roofline_plot
from benchmarks.timing import Task, interleave, summarise
from xbdcnn._common.files import atomic_path, write_csv, write_json
from xbdcnn._common.provenance import provenance
from xbdcnn.inference.precision import native_bfloat16
from xbdcnn.plotting import save_figure

__all__ = ["ROUNDS", "collect", "machine", "readable", "run_benchmark"]

ROUNDS = {False: 7, True: 3}
"""Rounds of a full and of a quick benchmark."""


def run_benchmark(
    output: Path | str,
    quick: bool = False,
    device: str = "cpu",
    rounds: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure and write benchmark.csv (see `timing.summarise`), _rounds.csv, .json, .png and .md.

    Args:
        output: folder for the files.
        quick: small images and few rounds, to see that it works; a minute or two.
        device: "cpu", or "cuda", which is written for but was not measured here.
        rounds: how many; None for `ROUNDS`.
        progress: show progress bars.
    """
    place = torch.device(device)
    with TemporaryDirectory() as folder:
        chosen = collect(place, Path(folder), quick)
        times = interleave(chosen, rounds or ROUNDS[quick], place, progress)
    table, stem = summarise(chosen, times), Path(output) / "benchmark"
    write_csv(table, stem.with_suffix(".csv"))
    write_csv(times, stem.with_name("benchmark_rounds.csv"))
    count = int(times["round"].nunique())
    facts = provenance(quick=quick, rounds=count, **machine(place))
    write_json(facts, stem.with_suffix(".json"))
    shown = facts | {"profile": "benchmark", "data": f"{facts['cpu']}, {facts['threads']} threads"}
    save_figure(roofline_plot(table), stem, ROOFLINE, shown)
    with atomic_path(stem.with_suffix(".md")) as temporary:
        temporary.write_text(page(table, facts), encoding="utf-8")
    return table


def collect(device: torch.device, folder: Path, quick: bool) -> list[Task]:
    """Every task of a benchmark; `folder` holds its files while it runs."""
    count = 2 if quick else 8
    found = tasks.limits(device, 1024 if quick else 4096)
    for side in (128, 256) if quick else (128, 512, 1024, 2048):
        found += tasks.inference(device, side)
    found += tasks.classical(128 if quick else 512)
    found += tasks.training(device, count)
    for kind in (tasks.synthesis, tasks.ssim):
        found += kind(device, 8 * count)
    return found + tasks.loading(folder, 8 * count)


def machine(device: torch.device) -> dict[str, object]:
    """What the numbers depend on besides the code."""
    units = getattr(torch.cpu, "get_capabilities", dict)()
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cpu": units.get("cpu_name", "unknown"),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "native_bfloat16": native_bfloat16(device),
    }
