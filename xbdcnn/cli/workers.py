"""Apply a task to many files in several processes, each of which loads the network once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.machine import usable_cores, usable_memory
from xbdcnn._common.processes import process_pool
from xbdcnn.cli import batch

if TYPE_CHECKING:
    from xbdcnn.inference.precision import Precision
    from xbdcnn.inference.pretrained import Pretrained

T = TypeVar("T")
Pair = tuple[Path, Path]
"""Source and target of a file to restore."""

Attempt = tuple[Path, Callable[[], T]]
"""A file, and a function that returns the result of its task or raises the error."""

MEMORY_PER_JOB = 2.5e9
"""Bytes that a process needs for the largest tile, with PyTorch and the image."""

FILES_PER_JOB = 8
"""Files for which it pays to start a process, which takes some seconds."""

ENDED_ABRUPTLY = (BrokenProcessPool, SystemExit)
"""How the end of a worker process appears in the result of its task."""


class Settings(NamedTuple):
    """What all files of a batch have in common; for network and precision see `load_pretrained`."""

    network: str
    precision: str = "auto"
    overwrite: bool = False
    window: batch.StoredWindow = None
    control: batch.Control = batch.AUTOMATIC


def default_jobs(files: int) -> int:
    """Return the number of processes for a number of files, by cores and free memory."""
    memory = usable_memory()
    fitting = files if memory is None else int(memory / MEMORY_PER_JOB)
    return max(1, min(usable_cores(), fitting, files // FILES_PER_JOB))


def restore(settings: Settings, source: Path, target: Path) -> batch.Restored:
    """Restore a file with one thread and the network of this process, which is loaded once."""
    pretrained = _load_once(settings.network, settings.precision)
    return restore_with(pretrained, settings, False, source, target)


def restore_with(
    pretrained: Pretrained, settings: Settings, progress: bool, source: Path, target: Path
) -> batch.Restored:
    """Restore a file with a network; `progress`: show a progress bar over its tiles."""
    options = (settings.overwrite, settings.window, progress, settings.control)
    return batch.denoise_file(pretrained, source, target, *options)


@cache
def _load_once(network: str, precision: str) -> Pretrained:
    import torch

    from xbdcnn.inference.pretrained import load_pretrained

    torch.set_num_threads(1)
    return load_pretrained(network, precision=cast("Precision", precision))


def attempts(
    task: Callable[[Path, Path], T], pairs: Iterable[Pair], jobs: int
) -> Generator[Attempt[T], None, None]:
    """Yield the source of each pair with its attempt: in order for one job, else as they finish.

    A task whose process ends abruptly, for lack of memory or by a crash, is repeated in a process
    of its own, since any of the running tasks may be the cause.
    """
    if jobs == 1:
        yield from ((source, partial(task, source, target)) for source, target in pairs)
        return
    waiting = deque(pairs)
    while waiting:
        for pair in (yield from _in_pool(task, waiting, jobs)):
            yield pair[0], partial(_alone, task, pair)


def _in_pool(
    task: Callable[[Path, Path], T], waiting: deque[Pair], jobs: int
) -> Generator[Attempt[T], None, list[Pair]]:
    """Take pairs from `waiting` until a process ends abruptly; return the pairs it may concern."""
    running: dict[Future[T], Pair] = {}
    lost: list[Pair] = []
    broken = False
    with process_pool(jobs) as pool:
        while running or (waiting and not broken):
            # A few tasks are queued at a time, so that their number takes no memory.
            while waiting and not broken and len(running) < 2 * jobs:
                try:
                    running[pool.submit(task, *waiting[0])] = waiting[0]
                    waiting.popleft()
                except BrokenProcessPool:
                    broken = True
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                pair = running.pop(future)
                if isinstance(future.exception(), ENDED_ABRUPTLY):
                    broken = True
                    lost.append(pair)
                else:
                    yield pair[0], future.result
    return lost


def _alone(task: Callable[[Path, Path], T], pair: Pair) -> T:
    try:
        with process_pool(1) as pool:
            return pool.submit(task, *pair).result()
    except ENDED_ABRUPTLY:
        raise XbdcnnError(
            f"{pair[0]}: the process that restored it ended abruptly, probably for lack of memory; "
            "use fewer --jobs, or crop the image"
        ) from None
