"""Speed of the package, compared with a reference implementation and with the machine's limits.

All times are measured in one run, in interleaved rounds, so that ratios are valid even if the load
of the machine changes during the run.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch

from benchmarks import tasks
from benchmarks.report import ROOFLINE_CAPTION, markdown_page
from benchmarks.roofline import roofline_plot
from benchmarks.timing import Task, interleave, summarise
from xbdcnn._common.files import write_csv, write_json, write_text
from xbdcnn._common.provenance import provenance
from xbdcnn.inference.precision import native_bfloat16
from xbdcnn.plotting import save_figure

ROUNDS, QUICK_ROUNDS = 7, 3
"""Number of rounds of a full and of a quick benchmark."""


def run_benchmark(
    output: Path | str,
    quick: bool = False,
    device: str = "cpu",
    rounds: int | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure; write benchmark.csv, benchmark_rounds.csv, benchmark.json, .png and .md.

    Args:
        output: folder for the files.
        quick: use small images and few rounds, for a test of one or two minutes.
        device: "cpu" or "cuda"; the published numbers are for a CPU.
        rounds: number of rounds; None for `ROUNDS` or `QUICK_ROUNDS`.
        progress: show progress bars.

    Returns:
        The table of benchmark.csv, see `timing.summarise`.
    """
    where = torch.device(device)
    with TemporaryDirectory() as folder:
        chosen = collect_tasks(where, Path(folder), quick)
        times = interleave(chosen, rounds or (QUICK_ROUNDS if quick else ROUNDS), where, progress)
    table = summarise(chosen, times)
    facts = provenance(quick=quick, rounds=int(times["round"].nunique()), **machine_facts(where))
    write_results(table, times, facts, Path(output))
    return table


def write_results(
    table: pd.DataFrame, times: pd.DataFrame, facts: dict[str, Any], output: Path
) -> None:
    """Write the tables, the provenance, the roofline plot and the page into a folder."""
    stem = output / "benchmark"
    write_csv(table, stem.with_suffix(".csv"))
    write_csv(times, stem.with_name("benchmark_rounds.csv"))
    write_json(facts, stem.with_suffix(".json"))
    shown = facts | {"profile": "benchmark", "data": f"{facts['cpu']}, {facts['threads']} threads"}
    save_figure(roofline_plot(table), stem, ROOFLINE_CAPTION, shown)
    write_text(markdown_page(table, facts), stem.with_suffix(".md"))


def collect_tasks(device: torch.device, folder: Path, quick: bool) -> list[Task]:
    """Return the tasks of a benchmark; `folder` must exist until they have run."""
    count = 2 if quick else 8
    found = tasks.machine_limits(device, 1024 if quick else 4096)
    for side in (128, 256) if quick else (128, 512, 1024, 2048):
        found += tasks.inference(device, side) + tasks.successor_inference(device, side)
    found += tasks.classical_methods(128 if quick else 512)
    found += tasks.training(device, count)
    found += tasks.noise_synthesis(device, 8 * count)
    found += tasks.ssim_gradient(device, 8 * count)
    return found + tasks.patch_loading(folder, 8 * count)


def machine_facts(device: torch.device) -> dict[str, Any]:
    """Return the properties of the machine on which the times depend."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "cpu": capabilities.get("cpu_name", "unknown"),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "native_bfloat16": native_bfloat16(device),
    }
