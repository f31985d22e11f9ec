"""The report of a batch: a csv file that grows by one row per file, also after an interruption."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xbdcnn._common.files import write_text
from xbdcnn.cli.reporting import UsageError, error_text

if TYPE_CHECKING:
    from xbdcnn.cli.batch import Restored

COLUMNS = ("file", "size", "eta", "sigma", "removed", "seconds", "error")
"""Name; height x width in pixels; photons per grey level and grey levels of 255, empty if no level
is known; root mean square of what was removed in grey levels; seconds; error, empty if restored.
Only the name is known of a file that --resume found restored and that had no row."""

ENCODING: dict[str, Any] = {"newline": "", "encoding": "utf-8", "errors": "surrogateescape"}
"""How rows are written, so that file names that are no UTF-8 keep their bytes."""


class Report:
    """Rows about files, each of which is on disk before the next file is begun.

    path: the csv file, see `open_report`; None to write nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def restored(self, file: Path, found: Restored) -> None:
        """Add the row of a restored file."""
        height, width = found.shape
        eta, sigma = found.levels or (None, None)
        numbers = (None if n is None else round(n, 4) for n in (eta, sigma, found.removed))
        self._write(file, f"{height}x{width}", *numbers, round(found.seconds, 3), None)

    def failed(self, file: Path, error: object) -> None:
        """Add the row of a file that was not restored."""
        unknown = [None] * (len(COLUMNS) - 2)
        self._write(file, *unknown, " ".join(error_text(error).split()))

    def restored_earlier(self, files: Iterable[Path]) -> None:
        """Add a row with the name only for each file that has none.

        It was restored without a report, or the process was killed before it wrote the row.
        """
        if self.path is None:
            return
        with open(self.path, **ENCODING) as stream:
            known = {row[0] for row in csv.reader(stream) if row}
        for file in files:
            if str(file) not in known:
                self._write(file, *[None] * (len(COLUMNS) - 1))

    def _write(self, *row: object) -> None:
        if self.path is None:
            return
        try:
            with open(self.path, "a", **ENCODING) as stream:
                csv.writer(stream, lineterminator="\n").writerow(row)
        except OSError as error:  # which names no file if the disk is full
            raise OSError(error.errno, error.strerror, str(self.path)) from None


def open_report(path: Path | None, append: bool, replace: bool) -> Report:
    """Return the report in a new file, or in an existing one to append to or to replace.

    Raises:
        UsageError: the file is no report, or exists and is neither to be appended to nor replaced.
    """
    if path is None:
        return Report(None)
    exists = os.path.lexists(path)
    if exists and not _is_report(path):
        raise UsageError(f"{path}: exists and is no report of `denoise`; name another file")
    if exists and not (append or replace):
        raise UsageError(f"{path}: exists already; append with --resume, replace with --overwrite")
    if exists and append:
        _drop_incomplete_row(path)
    else:
        write_text(",".join(COLUMNS) + "\n", path)
    return Report(path)


def _is_report(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as stream:
        return stream.readline(200).decode("latin-1").rstrip("\r\n") == ",".join(COLUMNS)


def _drop_incomplete_row(path: Path) -> None:
    """Remove the end of a row that was cut off, e.g. by a full disk."""
    with open(path, "r+b") as stream:
        stream.truncate(stream.read().rfind(b"\n") + 1)
