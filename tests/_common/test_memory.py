"""Pages are kept while they are needed, and given back after."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from xbdcnn._common import memory
from xbdcnn._common.memory import kept_pages

FAULTS = """
import resource
import numpy as np
from xbdcnn._common.memory import kept_pages

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(2**26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1])

start, usual = resident(), faults()
with kept_pages():
    np.ones(2**26, np.uint8)
    kept, inside = faults(), resident() - start
print(usual, kept, inside, resident() - start, faults())
"""


@pytest.mark.skipif(memory._glibc() is None, reason="no GNU C library")
def test_pages_are_kept_inside_and_returned_after():
    command = [sys.executable, "-c", FAULTS]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    usual, kept, inside, after, again = map(int, run.stdout.split())
    assert kept < 0.1 * usual and again > 0.5 * usual
    assert inside > 0.9 * 2**26 / 4096 and after < 0.1 * inside


def test_without_that_library_or_wish_nothing_is_changed(monkeypatch):
    def refused(*_):
        raise AssertionError("the C library was asked")

    monkeypatch.setattr(memory, "_glibc", refused)
    with kept_pages(wanted=False):
        assert np.ones(10).sum() == 10
    monkeypatch.setattr(memory, "_glibc", lambda: None)
    with kept_pages():
        assert np.ones(10).sum() == 10
