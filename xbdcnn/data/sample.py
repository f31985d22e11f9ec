"""Download the public ChestX-ray8 sample: 340 radiographs, each verified by its SHA-256.

The packaged registry lists image, patient, split and SHA-256; the images come from a public
repository at a fixed commit and are not part of this project.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path, sha256_of

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
    "CVPR 2017, pp. 3462-3471."
)
"""The attribution that the provider requires."""

MANIFEST = "manifest.csv"
"""Name of the registry's copy in a sample folder; written last, it marks a complete sample."""


def sample_folder() -> Path:
    """Return the default folder of `fetch_sample`, in the user's cache."""
    import pooch

    return Path(pooch.os_cache("xbdcnn")) / "chestxray8-sample"


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
    from tqdm.auto import tqdm

    folder, registry = Path(destination or sample_folder()), Path(registry)
    wanted = _read_registry(registry)
    _refuse_other_data(folder / MANIFEST, registry)
    print(ATTRIBUTION)
    fetcher = _fetcher(folder / "images", base_url, wanted, retries)
    for name in tqdm(wanted, desc="ChestX-ray8 sample", unit="file", disable=not progress):
        _fetch_one(fetcher, name, folder, wanted)
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


def _fetcher(images: Path, base_url: str, wanted: dict[str, str], retries: int):
    """Return the pooch that downloads into a folder."""
    import pooch

    pooch.get_logger().setLevel("ERROR")  # the progress bar reports instead
    return pooch.create(
        path=images,
        base_url=base_url.rstrip("/") + "/",
        registry={name: f"sha256:{digest}" for name, digest in wanted.items()},
        retry_if_failed=retries,
    )


def _fetch_one(fetcher, name: str, folder: Path, wanted: dict[str, str]) -> None:
    """Fetch one file unless it is complete; XbdcnnError states how many files are complete."""
    import pooch

    try:
        fetcher.fetch(name, downloader=pooch.HTTPDownloader(timeout=60))
    except (OSError, ValueError) as error:  # network errors are OSErrors; ValueError: wrong hash
        paths = {image: folder / "images" / image for image in wanted}
        complete = sum(p.is_file() and sha256_of(p) == wanted[i] for i, p in paths.items())
        reason = " ".join(str(error).split())
        raise XbdcnnError(
            f"{folder}: {complete} of {len(wanted)} images are complete, {name} failed ({reason}); "
            "run it again to resume"
        ) from error
