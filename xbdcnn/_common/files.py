"""Atomic writing of files, and their SHA-256."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PACKAGE = Path(__file__).resolve().parents[1]
"""Folder of the package; in a clone, its parent is the root of the repository."""


@contextmanager
def atomic_path(target: Path | str) -> Iterator[Path]:
    """Yield a temporary path in the folder of `target`, and rename it to `target` on success.

    Missing folders are created. The temporary path has the suffix of `target`, from which many
    writers infer the format. If the block raises, `target` is unchanged (or absent) and the
    temporary file is removed.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".tmp-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp creates files that only their owner can read.
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def sha256_of(path: Path | str) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a DataFrame as csv, atomically."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


def write_json(facts: dict[str, Any], path: Path) -> None:
    """Write JSON-serialisable values as JSON, atomically."""
    write_text(json.dumps(facts, indent=2) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a UTF-8 text file, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
