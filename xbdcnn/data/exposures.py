"""Repeated exposures of real X-ray detectors: flat fields, dark frames and projections.

With several frames of the same scene, noise is measured without a noise-free image. Excerpts are
part of this package, under the licences beside them; `fetch_exposures` downloads the complete files
from public repositories at fixed commits.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.download import cache_folder, fetch_files

REGISTRY = Path(__file__).with_name("exposures.csv")
"""Columns file, repository, commit, path, sha256, bytes; one row per file."""

EXCERPTS = Path(__file__).with_name("detectors")
"""Folder of the excerpts, `NAME.npz`, with their licences and their attribution."""

RAW_URL = "https://raw.githubusercontent.com"
"""Server of the files; the address of a file is RAW_URL/repository/commit/path."""


class Frames(NamedTuple):
    """Where frames are stored: HDF5 file and data set, and ranges (first, end) of its frames."""

    file: str
    dataset: str
    ranges: tuple[tuple[int, int | None], ...] = ((0, None),)


class Detector(NamedTuple):
    """A detector: where its frames are, from whom they come, and under which licence."""

    title: str
    credit: str
    licence: str
    flats: Frames
    darks: Frames
    projections: Frames | None = None


class Exposures(NamedTuple):
    """Frames of a detector, each (n, H, W) float64 in counts, not corrected.

    flats: beam without an object; darks: no beam; projections: beam through a rotating object, or
    None. detector: title, credit and licence.
    """

    flats: NDArray[np.float64]
    darks: NDArray[np.float64]
    projections: NDArray[np.float64] | None
    detector: Detector


def _savu(camera: str) -> Detector:
    return Detector(
        f"Diamond I12, {camera}",
        f"Diamond Light Source Ltd., beamline I12, camera {camera}; test data of Savu",
        "Apache-2.0",
        Frames(f"savu_i12_{camera}_flats.hdf", "entry/data/data"),
        Frames(f"savu_i12_{camera}_darks.hdf", "entry/data/data"),
    )


DETECTORS = {
    "savu-pco2": _savu("pco2"),
    "savu-pco3": _savu("pco3"),
    "tooth": Detector(
        "TomoPy, tooth",
        "UChicago Argonne, LLC; example data of TomoPy",
        "BSD-style, LICENSE-tomopy.txt",
        Frames("tomopy_tooth.h5", "exchange/data_white"),
        Frames("tomopy_tooth.h5", "exchange/data_dark"),
        Frames("tomopy_tooth.h5", "exchange/data"),
    ),
    "k11": Detector(
        "Diamond K11",
        "Diamond Light Source Ltd., beamline K11 (DIAD), scan 18014; test data of HTTomo",
        "Apache-2.0",
        Frames("httomo_k11.h5", "entry/detector/detector", ((0, 50), (3101, 3151))),
        Frames("httomo_k11.h5", "entry/detector/detector", ((50, 100), (3151, 3201))),
        Frames("httomo_k11.h5", "entry/detector/detector", ((100, 3101),)),
    ),
}
"""The detectors by name. The ranges of K11 follow the image keys of its scan, k11-18014.nxs."""


def load_exposures(name: str) -> Exposures:
    """Return the packaged excerpt of a detector's frames.

    It holds all flats and darks, and at most 20 projections at equal steps.
    XbdcnnError if the name is not one of `DETECTORS`.
    """
    detector = _find(name)
    with np.load(EXCERPTS / f"{name}.npz") as arrays:
        frames = {kind: arrays[kind].astype(np.float64) for kind in kinds(detector)}
    return Exposures(frames["flats"], frames["darks"], frames.get("projections"), detector)


def read_exposures(name: str, folder: str | Path | None = None) -> Exposures:
    """Return all frames of a detector from the folder of `fetch_exposures`.

    Raises:
        XbdcnnError: the name is not one of `DETECTORS`, a file or h5py is missing.
    """
    detector, folder = _find(name), Path(folder or exposures_folder())
    frames = {
        kind: stored_frames(getattr(detector, kind), folder).astype(np.float64)
        for kind in kinds(detector)
    }
    return Exposures(frames["flats"], frames["darks"], frames.get("projections"), detector)


def kinds(detector: Detector) -> list[str]:
    """Return which kinds of frames a detector has, as names of fields of `Detector`."""
    return [kind for kind in ("flats", "darks", "projections") if getattr(detector, kind)]


def stored_frames(frames: Frames, folder: Path) -> NDArray:
    """Return frames (n, H, W) from their HDF5 file in a folder, in the type in which it has them.

    XbdcnnError if the file is missing or h5py is not installed.
    """
    path = folder / frames.file
    try:
        import h5py
    except ImportError as error:
        raise XbdcnnError(f"{path}: h5py is not installed; pip install 'xbdcnn[train]'") from error
    if not path.is_file():
        raise XbdcnnError(f"{path}: no such file; download it with fetch_exposures")
    with h5py.File(path) as stored:
        dataset = stored[frames.dataset]
        return np.concatenate([dataset[first:end] for first, end in frames.ranges])


def exposures_folder() -> Path:
    """Return the default folder of `fetch_exposures`, in the user's cache."""
    return cache_folder("exposures")


def fetch_exposures(
    destination: str | Path | None = None,
    base_url: str = RAW_URL,
    progress: bool = True,
    registry: str | Path = REGISTRY,
    retries: int = 2,
) -> Path:
    """Download the complete exposures of all detectors (6 HDF5 files, about 5 MB).

    Every file is verified by its SHA-256. Complete files are kept and damaged ones downloaded
    again, so an interrupted download resumes. The attribution is printed.

    Args:
        destination: folder for the files; default `exposures_folder()`.
        base_url: server of the files, see `RAW_URL`.
        progress: show a progress bar over the files.
        registry: CSV file with the columns of `REGISTRY`.
        retries: further attempts for a file whose download fails.

    Returns:
        The folder, for `read_exposures`.

    Raises:
        XbdcnnError: the download or writing failed; run it again to resume.
    """
    folder, rows = Path(destination or exposures_folder()), read_registry(registry)
    digests = {row["file"]: row["sha256"] for row in rows}
    urls = {row["file"]: f"{base_url.rstrip('/')}/{source_of(row)}" for row in rows}
    print("\n".join(f"{d.title}: {d.credit} ({d.licence})" for d in DETECTORS.values()))
    fetch_files(folder, digests, urls, "detector exposures", progress, retries)
    return folder


def read_registry(registry: str | Path = REGISTRY) -> list[dict[str, str]]:
    """Return the rows of the registry, see `REGISTRY`."""
    with open(registry, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def source_of(row: dict[str, str]) -> str:
    """Return repository, commit and path of a file of the registry, joined as in an address."""
    return "/".join((row["repository"], row["commit"], row["path"]))


def _find(name: str) -> Detector:
    if name not in DETECTORS:
        raise XbdcnnError(f"detector {name!r}: choose {', '.join(DETECTORS)}")
    return DETECTORS[name]
