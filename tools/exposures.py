"""Write the packaged excerpts of the detector exposures, and their attribution.

python tools/exposures.py            from the complete files, which are downloaded if missing
python tools/exposures.py --check    exit code 1 if an excerpt differs from the complete files
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.files import atomic_path, write_text
from xbdcnn.data.exposures import (
    DETECTORS,
    EXCERPTS,
    Detector,
    exposures_folder,
    fetch_exposures,
    kinds,
    read_registry,
    source_of,
    stored_frames,
)

PROJECTIONS = 20
"""Largest number of projections in an excerpt."""

INTRODUCTION = """\
# Excerpts of detector exposures

The files `*.npz` hold frames of real X-ray detectors, in counts: flat fields, dark frames, and some
of the projections. Each is an excerpt from files of a public repository, converted from HDF5;
values are unchanged. `tools/exposures.py` in the repository of xbdcnn writes them and this table.

| excerpt | credit | licence | source: repository, commit, path | SHA-256 of the source |
|---|---|---|---|---|
"""


def excerpt(detector: Detector, folder: Path) -> dict[str, NDArray]:
    """Return the arrays of a detector's excerpt, and the SHA-256 of the files they come from."""
    arrays = {kind: stored_frames(getattr(detector, kind), folder) for kind in kinds(detector)}
    if "projections" in arrays:
        step = -(-len(arrays["projections"]) // PROJECTIONS)
        arrays["projections"] = arrays["projections"][::step]
    digests = [f"{row['sha256']}  {row['file']}" for row in sources(detector)]
    return {**arrays, "sources": np.array(digests)}


def sources(detector: Detector) -> list[dict[str, str]]:
    """Return the rows of the registry from which a detector's frames come."""
    files = {getattr(detector, kind).file for kind in kinds(detector)}
    return [row for row in read_registry() if row["file"] in files]


def attribution() -> str:
    """Return the text of ATTRIBUTION.md: credit, licence and source of each excerpt."""
    rows = [
        f"| `{name}.npz` | {detector.credit} | {detector.licence} "
        f"| `{source_of(row)}` | `{row['sha256']}` |"
        for name, detector in DETECTORS.items()
        for row in sources(detector)
    ]
    return INTRODUCTION + "\n".join(rows) + "\n"


def write(folder: Path) -> None:
    """Write all excerpts and the attribution."""
    for name, detector in DETECTORS.items():
        with atomic_path(EXCERPTS / f"{name}.npz") as temporary:
            np.savez_compressed(temporary, **excerpt(detector, folder))
    write_text(attribution(), EXCERPTS / "ATTRIBUTION.md")


def differing(folder: Path) -> list[str]:
    """Return the names of the packaged files that `write` would change."""
    names = [
        f"{name}.npz"
        for name, detector in DETECTORS.items()
        if not same_arrays(EXCERPTS / f"{name}.npz", excerpt(detector, folder))
    ]
    text = (EXCERPTS / "ATTRIBUTION.md").read_text(encoding="utf-8")
    return names + ["ATTRIBUTION.md"] * (text != attribution())


def same_arrays(path: Path, expected: dict[str, NDArray]) -> bool:
    """Tell whether an .npz file holds exactly these arrays, types included."""
    with np.load(path) as stored:
        return set(stored) == set(expected) and all(
            stored[key].dtype == array.dtype and np.array_equal(stored[key], array)
            for key, array in expected.items()
        )


def main() -> int:
    """Write or check the excerpts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; report differences")
    parser.add_argument("--folder", type=Path, default=exposures_folder())
    options = parser.parse_args()
    folder = fetch_exposures(options.folder)
    if not options.check:
        write(folder)
        return 0
    names = differing(folder)
    for name in names:
        print(f"{name}: out of date; run python tools/exposures.py")
    return bool(names)


if __name__ == "__main__":
    sys.exit(main())
