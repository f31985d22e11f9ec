"""Throughput and memory of `xbdcnn denoise` on many files, by number of processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pandas as pd
import psutil
from PIL import Image

from xbdcnn._common.files import write_csv, write_json
from xbdcnn._common.machine import usable_cores
from xbdcnn._common.provenance import provenance
from xbdcnn.data import builtin_crop
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise_numpy

FILES, SIDE = 2000, 512
"""Number of files of an archive, and their height and width in pixels."""

INTERVAL = 0.5
"""Seconds between two readings of the memory."""


class Run(NamedTuple):
    """One run of the command: its seconds, its peak memory in bytes, and the rows of its report."""

    seconds: float
    memory: int
    report: pd.DataFrame


def measure_archive(
    output: Path | str,
    files: int = FILES,
    jobs: Sequence[int] | None = None,
    side: int = SIDE,
    network: str = "tiny",
) -> pd.DataFrame:
    """Restore the same files with different numbers of processes; write archive.csv and .json.

    Args:
        output: folder for the two files.
        files: number of files, noisy fields of the built-in radiograph in 8-bit PNG.
        jobs: numbers of processes; None for 1 and the number of usable cores.
        side: height and width of the files in pixels.
        network: name or weight file of the network.

    Returns:
        One row per number of processes: jobs, files, seconds (start included), per_second, speedup
        (over the first row), memory_gb (peak of all processes together), drift (median seconds per
        file in the last fifth of the run, relative to the first fifth).
    """
    rows = []
    with TemporaryDirectory() as folder:
        scans = write_archive(Path(folder) / "scans", files, side)
        for count in dict.fromkeys(jobs or (1, usable_cores())):
            run = denoise(scans, Path(folder) / f"restored-{count}", count, network)
            row = {"jobs": count, "files": files, "seconds": run.seconds}
            row |= {"per_second": files / run.seconds, "memory_gb": run.memory / 1e9}
            rows.append(row | {"drift": drift(run.report["seconds"])})
    table = pd.DataFrame(rows)
    table.insert(4, "speedup", table["per_second"] / table["per_second"].iloc[0])
    write_csv(table, Path(output) / "archive.csv")
    write_json(provenance(files=files, side=side, network=network), Path(output) / "archive.json")
    return table


def write_archive(folder: Path, files: int, side: int) -> Path:
    """Write noisy fields of the built-in radiograph, each with its own noise; return the folder."""
    folder.mkdir(parents=True)
    clean, rng = builtin_crop(side), np.random.default_rng(0)
    for number in range(files):
        noisy = add_hybrid_noise_numpy(clean, 0.8, 10.0, rng)
        pixels = (GREY_LEVELS * noisy.clip(0, 1)).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06}.png")
    return folder


def denoise(scans: Path, target: Path, jobs: int, network: str) -> Run:
    """Run the command on a folder with a number of processes."""
    report = target.with_suffix(".csv")
    command = [sys.executable, "-m", "xbdcnn", "denoise", str(scans), "-o", str(target)]
    command += ["--jobs", str(jobs), "--report", str(report), "--network", network]
    started, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, total_memory(psutil.Process(process.pid)))
            time.sleep(INTERVAL)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Run(time.perf_counter() - started, peak, pd.read_csv(report))


def total_memory(process: psutil.Process) -> int:
    """Return the bytes of a process and its children; pages that they share count once on Linux."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            used = one.memory_full_info()
        except psutil.Error:  # it has ended meanwhile
            continue
        total += getattr(used, "pss", used.rss)
    return total


def drift(seconds: pd.Series) -> float:
    """Return the median of the last fifth of a run relative to that of the first fifth."""
    fifth = max(1, len(seconds) // 5)
    return float(seconds.tail(fifth).median() / seconds.head(fifth).median())
