"""Memory of PyTorch on the CPU: reuse of freed blocks, and one error type if it runs out."""

from __future__ import annotations

import ctypes
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4
"""Parameters of mallopt(3)."""

_DEFAULTS = {_M_MMAP_MAX: 65536, _M_MMAP_THRESHOLD: 2**25, _M_TRIM_THRESHOLD: 2**26}
"""Their values at the end of glibc's dynamic adjustment, restored after the block."""

_OUT_OF_MEMORY = re.compile("allocate memory|not enough memory|out of memory", re.IGNORECASE)
"""Messages of PyTorch's RuntimeError on Linux and Windows CPUs, CUDA and MPS."""


@contextmanager
def convert_out_of_memory() -> Iterator[None]:
    """Raise MemoryError in place of PyTorch's RuntimeError about a failed allocation."""
    try:
        yield
    except RuntimeError as error:
        if _OUT_OF_MEMORY.search(str(error)):
            raise MemoryError(str(error)) from error
        raise


@contextmanager
def reuse_freed_memory(enabled: bool = True) -> Iterator[None]:
    """Keep freed memory in the process for reuse inside the block; return it at the end.

    By default glibc returns every large block to the kernel when it is freed. Each activation of
    a network then consists of new pages that the kernel has to clear, which takes a quarter of
    the processor time of restoring 1024 x 1024 pixels, and a tenth of that of a training step.
    Has no effect with another C library, or if `enabled` is False.
    """
    library = _glibc() if enabled else None
    if library is None:
        yield
        return
    library.mallopt(_M_MMAP_MAX, 0)
    library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    try:
        yield
    finally:
        for parameter, value in _DEFAULTS.items():
            library.mallopt(parameter, value)
        library.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc, else None."""
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
