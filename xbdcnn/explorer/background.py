"""Work in the background for the newest request only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class LatestOnly:
    """Run `work(request)` in a background thread for the newest request only, after a pause.

    Requests that are overtaken before their turn are never run, so a drag of a hundred steps
    costs one restoration.
    """

    def __init__(self, work: Callable[[Any], None]) -> None:
        self._work = work
        self._changed = threading.Condition()
        # One lasting thread: PyTorch keeps a thread pool for each thread that calls it.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explorer")
        self._job: Future | None = None
        self._newest: Any = None
        self._due = 0.0

    def ask(self, request: Any, pause: float = 0.0) -> None:
        """Put a request in the place of any earlier one; returns at once.

        pause: seconds in which a newer request may still take its place.
        """
        with self._changed:
            self._newest, self._due = request, time.monotonic() + pause
            if self._job is None:
                self._job = self._executor.submit(self._run)

    def hurry(self) -> None:
        """Spare the newest request what is left of its pause."""
        with self._changed:
            self._due = 0.0
            self._changed.notify()

    def wait(self) -> None:
        """Block until the newest request is done."""
        while job := self._job:
            job.result()

    def _run(self) -> None:
        """Work until nothing new has come in meanwhile."""
        done = None
        while not self._retire(done):
            with self._changed:
                while (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                done = self._newest
            self._work(done)

    def _retire(self, done: Any) -> bool:
        """Close the job if its last request is still the newest; the lock lets none slip by."""
        with self._changed:
            # The same object, not an equal one: who asks again may have missed the first answer.
            if retired := done is self._newest:
                self._job = None
            return retired
