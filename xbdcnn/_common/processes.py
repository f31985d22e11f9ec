"""Pools of worker processes that leave neither processes nor temporary files behind."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import Any, TypeVar

T = TypeVar("T")

_stopped = threading.Event()
"""Set in a worker process that has been told to stop."""


class _Pool(ProcessPoolExecutor):
    def submit(self, task: Callable[..., T], /, *args: Any) -> Future[T]:  # type: ignore[override]
        """Queue a task; a process that has been told to stop no longer begins one."""
        return super().submit(_unless_stopped, task, *args)


@contextmanager
def process_pool(workers: int) -> Iterator[Executor]:
    """Provide a pool of processes; an exception in the block, such as Ctrl-C, ends their tasks.

    The processes are spawned, because a fork of a process with threads, as of PyTorch, may hang.
    """
    others = set(active_children())
    pool = _Pool(workers, mp_context=get_context("spawn"), initializer=_prepare_worker)
    try:
        yield pool
    except BaseException:
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _unless_stopped(task: Callable[..., T], *args: Any) -> T:
    if _stopped.is_set():
        raise SystemExit(1)
    return task(*args)


def _prepare_worker() -> None:
    """Leave Ctrl-C to the parent process, clean up when it ends this one, and exit with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _stop(*_: object) -> None:
    _stopped.set()
    raise SystemExit(1)  # unlike the default action, it lets a task remove its temporary file


def _exit_with_parent() -> None:
    """Exit when the parent process is killed, instead of waiting for work forever."""
    parent = parent_process()
    if parent is not None:  # None in the main process
        parent.join()
        os._exit(1)
