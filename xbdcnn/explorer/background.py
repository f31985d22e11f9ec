"""Run work in a background thread, for the newest request only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any


class LatestOnly:
    """Run `work(request)` in a background thread for the newest request only, after a pause.

    A request that is superseded before it starts is never run, so dragging a slider over a hundred
    values costs one restoration.
    """

    def __init__(self, work: Callable[[Any], None]) -> None:
        self._work = work
        self._changed = threading.Condition()
        # One permanent thread, because PyTorch keeps a thread pool for each thread that calls it.
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explorer")
        self._job: Future | None = None
        self._newest: Any = None
        self._due = 0.0

    def submit(self, request: Any, pause: float = 0.0) -> None:
        """Replace any earlier request that has not started; return immediately.

        pause: seconds to wait for a newer request before this one starts.
        """
        with self._changed:
            self._newest, self._due = request, time.monotonic() + pause
            if self._job is None:
                self._job = self._executor.submit(self._run)

    def skip_pause(self) -> None:
        """Start the newest request without the rest of its pause."""
        with self._changed:
            self._due = 0.0
            self._changed.notify()

    def is_newest(self, request: Any) -> bool:
        """Whether no other request has replaced this one; work in several steps ends if not."""
        return request is self._newest

    def wait(self) -> None:
        """Block until the newest request is done."""
        while job := self._job:
            job.result()

    def _run(self) -> None:
        """Run requests until no newer one has been submitted."""
        done = None
        while not self._finish(done):
            with self._changed:
                while (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(left)
                done = self._newest
            self._work(done)

    def _finish(self, done: Any) -> bool:
        """End the job if `done` is still the newest request; `submit` waits for the lock."""
        with self._changed:
            # Identity, not equality: an equal request that comes later must be answered again.
            if finished := done is self._newest:
                self._job = None
            return finished
