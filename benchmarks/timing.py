"""Timing that is fair on a machine with a changing load: interleaved rounds and their medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

PLAIN, LIMIT = "plain", "limit"
"""The variant that others are compared with, and the one that measures the machine."""


class Task(NamedTuple):
    """One thing to time.

    name: what is done; variant: how; run: does it once, for `items` of a `unit`. flops and bytes:
    arithmetic and least memory traffic of one run, NaN where that is no limit. arithmetic: "fp32"
    or "bf16", the matrix product that bounds it.
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
    """Time every task once per round, after one run each to warm up.

    Every other round goes backwards, so that no task always follows the same one. Returns one
    row per task and round: name, variant, round, seconds.
    """
    for task in tqdm(tasks, desc="warming up", disable=not progress):
        seconds(task, device)
    rows = []
    with tqdm(total=rounds * len(tasks), desc="measuring", disable=not progress) as bar:
        for number in range(rounds):
            for task in tasks[:: -1 if number % 2 else 1]:
                row = {"name": task.name, "variant": task.variant, "round": number}
                rows.append(row | {"seconds": seconds(task, device)})
                bar.update(1)
    return pd.DataFrame(rows)


def seconds(task: Task, device: torch.device) -> float:
    """Time of one run; on a GPU until it is idle again."""
    started = time.perf_counter()
    task.run()
    if device.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - started


def summarise(tasks: Sequence[Task], times: pd.DataFrame) -> pd.DataFrame:
    """One row per task, in their order: medians, rates, and how near they come to the limits.

    Columns: name, variant, unit, seconds (median), low and high (quartiles), per_second (items),
    speedup over the plain variant of the same name, gflops (achieved, 1e9/s), fraction (of the
    fastest matrix product in the same arithmetic), intensity (flop per byte), gbytes (achieved,
    1e9/s).
    """
    groups = times.groupby(["name", "variant"])["seconds"]
    low, median, high = (groups.quantile(q) for q in (0.25, 0.5, 0.75))
    rows = []
    for task in tasks:
        key = (task.name, task.variant)
        row = {"name": task.name, "variant": task.variant, "unit": task.unit}
        row |= {"seconds": median[key], "low": low[key], "high": high[key]}
        row |= {"per_second": task.items / median[key]}
        row |= {"speedup": median.get((task.name, PLAIN), np.nan) / median[key]}
        row |= {"gflops": task.flops / median[key] / 1e9, "gbytes": task.bytes / median[key] / 1e9}
        rows.append(row | {"intensity": task.flops / task.bytes, "arithmetic": task.arithmetic})
    table = pd.DataFrame(rows)
    limits = table[table["variant"] == LIMIT].groupby("arithmetic")["gflops"].max()
    table["fraction"] = table["gflops"] / table["arithmetic"].map(limits)
    return table
