"""Provenance of a result: commit, package versions, machine and time."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from xbdcnn._common.files import PACKAGE

PACKAGES = ("xbdcnn", "torch", "numpy", "scipy", "scikit-image", "pydicom", "bm3d")


def provenance(**facts: Any) -> dict[str, Any]:
    """Return `facts` (profile, data, seed, ...) and commit, versions, machine and UTC time."""
    return {
        **facts,
        "commit": commit(),
        "versions": {"python": platform.python_version()} | installed_versions(),
        "machine": f"{platform.system()} {platform.machine()}",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def installed_versions() -> dict[str, str]:
    """Return the versions of the installed packages that can change a result, by name."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def commit() -> str:
    """Return the commit of the clone that contains the package, "unknown" outside a clone.

    The suffix "-dirty" marks uncommitted changes.
    """
    root = PACKAGE.parent
    if not (root / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
