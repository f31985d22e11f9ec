"""Download files, each verified by its SHA-256, into a folder from which an attempt can resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of


def cache_folder(name: str) -> Path:
    """Return the folder of a data set in the user's cache, the default of its download."""
    import pooch

    return Path(pooch.os_cache("xbdcnn")) / name


def fetch_files(
    folder: Path,
    digests: Mapping[str, str],
    urls: Mapping[str, str],
    title: str,
    progress: bool = True,
    retries: int = 2,
    unit: str = "files",
) -> None:
    """Download the files that are missing from a folder or damaged.

    Args:
        folder: where the files are written; created if missing.
        digests: SHA-256 of each file by its name.
        urls: address of each file by its name.
        title: name of the data set, for the progress bar.
        progress: show a progress bar over the files.
        retries: further attempts for a file whose download fails.
        unit: what the files are, for the error message.

    Raises:
        XbdcnnError: the download or writing failed; it states how many files are complete.
    """
    from tqdm.auto import tqdm

    fetcher = _fetcher(folder, digests, urls, retries)
    for name in tqdm(digests, desc=title, unit="file", disable=not progress):
        _fetch_one(fetcher, name, folder, digests, unit)


def _fetcher(folder: Path, digests: Mapping[str, str], urls: Mapping[str, str], retries: int):
    """Return the pooch that downloads into a folder."""
    import pooch

    pooch.get_logger().setLevel("ERROR")  # the progress bar reports instead
    return pooch.create(
        path=folder,
        base_url="",
        registry={name: f"sha256:{digest}" for name, digest in digests.items()},
        urls=dict(urls),
        retry_if_failed=retries,
    )


def _fetch_one(fetcher, name: str, folder: Path, digests: Mapping[str, str], unit: str) -> None:
    """Fetch one file unless it is complete; XbdcnnError states how many files are complete."""
    import pooch

    try:
        fetcher.fetch(name, downloader=pooch.HTTPDownloader(timeout=60))
    except (OSError, ValueError) as error:  # network errors are OSErrors; ValueError: wrong hash
        paths = {file: folder / file for file in digests}
        complete = sum(p.is_file() and sha256_of(p) == digests[f] for f, p in paths.items())
        reason = " ".join(str(error).split())
        raise XbdcnnError(
            f"{folder}: {complete} of {len(digests)} {unit} are complete, {name} failed "
            f"({reason}); run it again to resume"
        ) from error
