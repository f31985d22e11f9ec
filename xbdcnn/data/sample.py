"""Download the public ChestX-ray8 sample: 340 radiographs, each verified by its SHA-256.

The packaged registry lists image, patient, split and SHA-256; the images come from a public
repository at a fixed commit. Six of them are part of this package, see `data.chests`.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.data.download import cache_folder, fetch_files

REGISTRY = Path(__file__).with_name("chestxray8_sample.csv")
"""Columns image, patient_id, split, view, finding_labels, sha256, bytes; one row per image."""

BASE_URL = (
    "https://raw.githubusercontent.com/jrzech/reproduce-chexnet/"
    "a011a9ab108cb03a533aeab52dc934b02a823ac8/starter_images/"
)
"""Folder of the original PNG files, at a fixed commit."""

ATTRIBUTION = (
    "ChestX-ray8 images: provided by the NIH Clinical Center, "
    "https://nihcc.app.box.com/v/ChestXray-NIHCC\n"
    'Cite: X. Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks on '
    'Weakly-Supervised Classification and Localization of Common Thorax Diseases", '
    "CVPR 2017, pp. 3462-3471, doi:10.1109/CVPR.2017.369."
)
"""The attribution that the provider requires."""

MANIFEST = "manifest.csv"
"""Name of the registry's copy in a sample folder; written last, it marks a complete sample."""


def sample_folder() -> Path:
    """Return the default folder of `fetch_sample`, in the user's cache."""
    return cache_folder("chestxray8-sample")


def fetch_sample(
    destination: str | Path | None = None,
    base_url: str = BASE_URL,
    progress: bool = True,
    registry: str | Path = REGISTRY,
    retries: int = 2,
) -> Path:
    """Download the ChestX-ray8 sample (340 PNG files, 1024 x 1024, 8 bit, about 140 MB).

    Every file is verified by its SHA-256. Complete files are kept and damaged ones downloaded
    again, so an interrupted download resumes. `manifest.csv` is written last.

    Args:
        destination: folder for images/ and manifest.csv; default `sample_folder()`.
        base_url: URL of the folder of the images.
        progress: show a progress bar over the files.
        registry: CSV file with the columns of `REGISTRY`.
        retries: further attempts for a file whose download fails.

    Returns:
        The folder, ready for `xbdcnn.data.find_source`. The attribution is printed.

    Raises:
        XbdcnnError: the download or writing failed (run it again to resume), or the folder
            holds another data set.
    """
    folder, registry = Path(destination or sample_folder()), Path(registry)
    wanted = _read_registry(registry)
    _refuse_other_data(folder / MANIFEST, registry)
    print(ATTRIBUTION)
    urls = {name: f"{base_url.rstrip('/')}/{name}" for name in wanted}
    images = folder / "images"
    fetch_files(images, wanted, urls, "ChestX-ray8 sample", progress, retries, unit="images")
    with atomic_path(folder / MANIFEST) as temporary:
        shutil.copyfile(registry, temporary)
    return folder


def _read_registry(registry: Path) -> dict[str, str]:
    """Return the SHA-256 of each image by its name."""
    with open(registry, newline="", encoding="utf-8") as stream:
        return {row["image"]: row["sha256"] for row in csv.DictReader(stream)}


def _refuse_other_data(manifest: Path, registry: Path) -> None:
    """Raise XbdcnnError for another data set; remove the manifest until all files are verified."""
    if manifest.exists() and not same_csv_text(manifest, registry):
        raise XbdcnnError(
            f"{manifest}: belongs to another data set; choose another destination folder"
        )
    manifest.unlink(missing_ok=True)


def same_csv_text(one: Path, other: Path) -> bool:
    """Tell whether two CSV files have the same text, apart from line ends."""
    return one.read_bytes().split() == other.read_bytes().split()
