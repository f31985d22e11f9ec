"""Restore a folder of any size: parts of it, several processes, a report, and a summary."""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from pathlib import Path

from xbdcnn.cli import batch, workers
from xbdcnn.cli.processing import load_requested_network, process_files
from xbdcnn.cli.report import Report
from xbdcnn.cli.reporting import UsageError, print_log


def shard_of(text: str) -> slice:
    """Return the files of part K of N, every N-th one, for the text "K/N" with 1 <= K <= N."""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    part, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= part <= parts:
        raise UsageError(f"--shard is K/N with K from 1 to N, e.g. 3/16, not {text!r}")
    return slice(part - 1, None, parts)


def restore_all(
    pairs: list[workers.Pair],
    settings: workers.Settings,
    jobs: int | None,
    report: Report,
    debug: bool,
) -> int:
    """Restore the source of each pair into its target, and return the number of failures.

    jobs: number of processes; None to choose it. The network is loaded if there is a file to
    restore, first of all in this process, which tells whether its weights can be used.
    """

    def done(file: Path, restored: batch.Restored) -> None:
        report.restored(file, restored)
        print_log(restored.line)

    existing = [] if settings.overwrite else [pair for pair in pairs if os.path.exists(pair[1])]
    refused = workers.attempts(batch.refuse_existing, existing, 1)
    failures = process_files(refused, len(existing), done, report.failed, debug)
    known = set(existing)
    left = [pair for pair in pairs if pair not in known]
    if not left:
        return failures
    jobs = min(jobs or workers.default_jobs(len(left)), len(left))
    purpose = f"radiographs to restore: {len(left)}, processes: {jobs}"
    pretrained = load_requested_network(settings.network, settings.precision, purpose)
    task = partial(workers.restore, settings)
    if jobs == 1:
        bar = len(left) == 1 and sys.stderr.isatty()
        task = partial(workers.restore_with, pretrained, settings, bar)
    attempts = workers.attempts(task, left, jobs)
    return failures + process_files(attempts, len(left), done, report.failed, debug)


def summary(tried: int, failures: int, earlier: int, skipped: int, output: Path) -> str:
    """Return the last line of a batch; `earlier`: files that --resume has found restored."""
    if tried:
        text = f"{tried - failures} of {tried} radiographs restored into {output}"
        text += f"; {earlier} restored already" if earlier else ""
    elif earlier:
        text = f"nothing to do, all {earlier} radiographs were restored into {output} earlier"
    else:
        text = "nothing to do, this part has no file"
    return text + (f"; {skipped} other files skipped" if skipped else "")
