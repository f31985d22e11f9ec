"""Processor cores and memory that this process may use, limits of containers and jobs included."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMORY_INFO, OWN_CGROUP = Path("/proc/meminfo"), Path("/proc/self/cgroup")
"""Where Linux tells the limits of a container or of a job of a batch system (version 2)."""


def usable_cores() -> int:
    """Return the number of processor cores that this process may use, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    for quota, period in (limit.split() for limit in _cgroup_limits("cpu.max")):
        if quota != "max":
            cores = min(cores, int(quota) // int(period))
    return max(1, cores)


def usable_memory() -> int | None:
    """Return the bytes of memory that this process may use; None if they are unknown.

    On Linux these are the free ones, elsewhere all of the machine.
    """
    found = [int(limit) for limit in _cgroup_limits("memory.max") if limit.strip() != "max"]
    with suppress(OSError, ValueError, AttributeError):
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    with suppress(OSError):
        free = re.search(r"MemAvailable:\s+(\d+) kB", MEMORY_INFO.read_text())
        found += [1024 * int(free[1])] if free else []
    return min(found, default=None)


def _cgroup_limits(name: str) -> Iterator[str]:
    """Yield the content of the file `name` of the control group of this process and its parents."""
    with suppress(OSError):
        own = re.search("^0::/(.*)$", OWN_CGROUP.read_text(), flags=re.MULTILINE)
        folder = CGROUPS / (own[1] if own else "")
        for place in (folder, *folder.parents):
            if (place / name).is_file():
                yield (place / name).read_text()
