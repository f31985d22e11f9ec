"""Memory: an allocator that keeps its pages, and one error for when there is none left."""

from __future__ import annotations

import ctypes
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# Parameters of mallopt(3), and where the library's own adjustment of them would end.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
_USUAL = {_M_MMAP_MAX: 65536, _M_MMAP_THRESHOLD: 2**25, _M_TRIM_THRESHOLD: 2**26}


_NONE_LEFT = re.compile("allocate memory|not enough memory|out of memory", re.IGNORECASE)
"""How PyTorch says so on a CPU, on Windows, and on CUDA and MPS, each time as a RuntimeError."""


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError where PyTorch raises a RuntimeError because no memory is left."""
    try:
        yield
    except RuntimeError as error:
        if _NONE_LEFT.search(str(error)):
            raise MemoryError(str(error)) from error
        raise


@contextmanager
def kept_pages(wanted: bool = True) -> Iterator[None]:
    """Let freed memory be reused inside the block instead of going back to the system, if wanted.

    The C library of Linux returns every large block at once, so each activation of a network is
    made of new pages, which the kernel has to clear: a quarter of the processor time of a
    1024 x 1024 radiograph, a tenth of a training step's. Elsewhere the block runs as it is. All
    is returned at the end.
    """
    library = _glibc() if wanted else None
    if library is None:
        yield
        return
    library.mallopt(_M_MMAP_MAX, 0)
    library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is the one whose parameters these are."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
