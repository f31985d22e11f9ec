"""Timing in interleaved rounds, whose medians are comparable under a changing load."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

REFERENCE, LIMIT = "reference", "limit"
"""Variants: the reference implementation, and a measurement of the machine's limits."""


class Task(NamedTuple):
    """A computation to time.

    name: of the computation; variant: implementation; run: performs it once; items, unit: number
    and kind of items that one run processes. flops, bytes: floating-point operations and least
    memory traffic of one run, NaN if unknown. arithmetic: "fp32" or "bf16", the precision of the
    matrix product that limits it.
    """

    name: str
    variant: str
    run: Callable[[], object]
    items: int
    unit: str
    flops: float = np.nan
    bytes: float = np.nan
    arithmetic: str = ""


def interleave(
    tasks: Sequence[Task], rounds: int, device: torch.device, progress: bool = True
) -> pd.DataFrame:
    """Time every task once per round, after a warm-up run.

    Every second round is in reverse order, so that no task always follows the same one. Returns one
    row per task and round with the columns name, variant, round, seconds.
    """
    for task in tqdm(tasks, desc="warming up", disable=not progress):
        time_once(task, device)
    rows = []
    with tqdm(total=rounds * len(tasks), desc="measuring", disable=not progress) as bar:
        for number in range(rounds):
            for task in tasks[:: -1 if number % 2 else 1]:
                row = {"name": task.name, "variant": task.variant, "round": number}
                rows.append(row | {"seconds": time_once(task, device)})
                bar.update(1)
    return pd.DataFrame(rows)


def time_once(task: Task, device: torch.device) -> float:
    """Return the seconds of one run; on a GPU, until its work is finished."""
    started = time.perf_counter()
    task.run()
    if device.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - started


def summarise(tasks: Sequence[Task], times: pd.DataFrame) -> pd.DataFrame:
    """Return medians, rates and fractions of the machine's limits, one row per task.

    times: from `interleave`. Columns: name, variant, unit, seconds (median), low, high (quartiles),
    per_second (items), speedup (over the reference of the same name), gflops (1e9/s), gbytes
    (1e9/s), intensity (FLOP per byte), arithmetic, fraction (gflops, of those of the fastest matrix
    product of the same precision).
    """
    groups = times.groupby(["name", "variant"])["seconds"]
    low, median, high = (groups.quantile(q) for q in (0.25, 0.5, 0.75))
    rows = []
    for task in tasks:
        key = (task.name, task.variant)
        row = {"name": task.name, "variant": task.variant, "unit": task.unit}
        row |= {"seconds": median[key], "low": low[key], "high": high[key]}
        row |= {"per_second": task.items / median[key]}
        row |= {"speedup": median.get((task.name, REFERENCE), np.nan) / median[key]}
        row |= {"gflops": task.flops / median[key] / 1e9, "gbytes": task.bytes / median[key] / 1e9}
        rows.append(row | {"intensity": task.flops / task.bytes, "arithmetic": task.arithmetic})
    table = pd.DataFrame(rows)
    limits = table[table["variant"] == LIMIT].groupby("arithmetic")["gflops"].max()
    table["fraction"] = table["gflops"] / table["arithmetic"].map(limits)
    return table
