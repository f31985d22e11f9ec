"""Freed memory is reused inside the block and returned to the system after it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from xbdcnn._common import memory
from xbdcnn._common.memory import convert_out_of_memory, reuse_freed_memory

PAGE_FAULTS = """
import resource
import numpy as np
from xbdcnn._common.memory import reuse_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(2**26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

start, usual = resident(), faults()
with reuse_freed_memory():
    np.ones(2**26, np.uint8)
    kept, inside = faults(), resident() - start
print(usual, kept, inside, resident() - start, faults())
"""


@pytest.mark.skipif(memory._glibc() is None, reason="no GNU C library")
def test_freed_memory_is_reused_inside_the_block_and_returned_after_it():
    command = [sys.executable, "-c", PAGE_FAULTS]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    usual, kept, inside, after, again = map(int, run.stdout.split())
    assert kept < 0.1 * usual and again > 0.5 * usual
    assert inside > 0.9 * 2**26 / 4096 and after < 0.1 * inside


def test_block_has_no_effect_if_disabled_or_without_glibc(monkeypatch):
    def refused(*_):
        raise AssertionError("the C library was loaded")

    monkeypatch.setattr(memory, "_glibc", refused)
    with reuse_freed_memory(enabled=False):
        assert np.ones(10).sum() == 10
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with reuse_freed_memory():
        assert np.ones(10).sum() == 10


@pytest.mark.parametrize(
    ("message", "expected"),
    [("CUDA out of memory.", MemoryError), ("DefaultCPUAllocator: not enough memory", MemoryError),
     ("shapes differ", RuntimeError)],
)  # fmt: skip
def test_only_failed_allocations_become_memory_errors(message, expected):
    with pytest.raises(expected, match=message), convert_out_of_memory():
        raise RuntimeError(message)
