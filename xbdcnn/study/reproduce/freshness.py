"""Whether the recorded results of a notebook are current: keys, products and the record."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of, write_json
from xbdcnn._common.provenance import installed_versions
from xbdcnn.study import results
from xbdcnn.study.reproduce.dependencies import dependency_digest

RECORD = "provenance.json"
"""File name of the record in an output folder; `notebooks` in it has one entry per notebook."""

Stamp = tuple[int, int, int]
"""Modification time in ns, size and inode of a file."""


def key_of(source: Path, profile: str, data_sha256: str, needed: dict[str, str]) -> str:
    """Compute the SHA-256 of everything that can change the results of a notebook.

    source: the .py file of the notebook. needed: keys of the notebooks whose products it reads.
    """
    facts = {
        "source": sha256_of(source),
        "profile": profile,
        "data": data_sha256,
        "needed": needed,
        "package": dependency_digest(source),
        "measured": results.digest(),
        "versions": {"python": platform.python_version()} | installed_versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def file_stamps(output: Path) -> dict[str, Stamp]:
    """Return a stamp of every product in an output folder, by relative path.

    A file that is written again has a different stamp.
    """
    found = {}
    for path in output.rglob("*"):
        name = path.relative_to(output).as_posix()
        if path.is_file() and not path.name.startswith(".tmp-") and name != RECORD:
            status = path.stat()
            found[name] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def written_since(output: Path, before: dict[str, Stamp]) -> dict[str, str]:
    """Return the SHA-256 of every file that was written after the stamps `before` were taken."""
    now = file_stamps(output)
    return {name: sha256_of(output / name) for name in sorted(now) if now[name] != before.get(name)}


def is_intact(output: Path, entry: dict[str, Any]) -> bool:
    """Tell whether all files in the entry of a notebook exist and are unchanged."""
    files = entry["files"].items()
    return all((output / n).is_file() and sha256_of(output / n) == digest for n, digest in files)


def read_record(folder: Path) -> dict[str, Any]:
    """Read provenance.json of a folder; without the file, the record has no notebooks.

    Raises:
        XbdcnnError: the file is not a record of a reproduction.
    """
    path = folder / RECORD
    if not path.exists():
        return {"notebooks": {}}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        entries = record["notebooks"].values()
        if all({"key", "profile", "data_sha256", "files"} <= entry.keys() for entry in entries):
            return record
    except (ValueError, TypeError, KeyError, AttributeError):
        pass
    raise XbdcnnError(f"{path}: not a record of a reproduction; delete it to start anew")


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write provenance.json of a folder, with the entries in the order of the notebooks."""
    write_json(record | {"notebooks": dict(sorted(record["notebooks"].items()))}, folder / RECORD)
