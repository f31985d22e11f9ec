"""What a notebook's results depend on, and whether they are still the ones on record."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import PACKAGE, atomic_path, sha256_of
from xbdcnn._common.provenance import installed_versions
from xbdcnn.study import results

RECORD = "provenance.json"
"""Name of the record in an output folder; `notebooks` in it has one entry per notebook."""

Stamp = tuple[int, int, int]


def package_digest(package: Path = PACKAGE) -> str:
    """SHA-256 over every module, table and checksum list of the package.

    The checksum list stands for the weights: they are verified against it when loaded.
    """
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*")):
        if path.suffix in (".py", ".csv", ".json"):
            digest.update(f"{path.relative_to(package).as_posix()} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def key_of(source: Path, profile: str, data_sha256: str, needed: dict[str, str]) -> str:
    """SHA-256 over all that may change a notebook's results.

    source: the notebook's .py file. needed: keys of the notebooks whose products it reads.
    """
    facts = {
        "source": sha256_of(source),
        "profile": profile,
        "data": data_sha256,
        "needed": needed,
        "package": package_digest(),
        "measured": results.digest(),
        "versions": {"python": platform.python_version()} | installed_versions(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def stamps(output: Path) -> dict[str, Stamp]:
    """What tells each product in an output folder from a later version, by relative path."""
    found = {}
    for path in output.rglob("*"):
        name = path.relative_to(output).as_posix()
        if path.is_file() and not path.name.startswith(".tmp-") and name != RECORD:
            status = path.stat()
            found[name] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


def written_since(output: Path, before: dict[str, Stamp]) -> dict[str, str]:
    """SHA-256 of every file that is new or was written anew since `before` was taken."""
    now = stamps(output)
    return {name: sha256_of(output / name) for name in sorted(now) if now[name] != before.get(name)}


def is_intact(output: Path, entry: dict[str, Any]) -> bool:
    """Tell whether all files of a notebook's entry are there, byte for byte."""
    files = entry["files"].items()
    return all((output / n).is_file() and sha256_of(output / n) == digest for n, digest in files)


def read_record(folder: Path) -> dict[str, Any]:
    """Read provenance.json of a folder; one without it has no notebooks yet.

    Raises:
        XbdcnnError: the file is there, but is not one of ours.
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
    """Write provenance.json of a folder, entries in the order of the notebooks."""
    record = record | {"notebooks": dict(sorted(record["notebooks"].items()))}
    with atomic_path(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
