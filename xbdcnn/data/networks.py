"""Download denoising networks that others trained on photographs, and convert them to safetensors.

The packaged registry lists repository, commit and SHA-256 of each file. The networks are not part
of this project; `xbdcnn.baselines.independent` applies them.

Reference:
    Zhang, Zuo, Chen, Meng and Zhang, Beyond a Gaussian denoiser: residual learning of deep CNN for
    image denoising, IEEE Trans. Image Process. 26(7), 2017.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from xbdcnn._common.files import atomic_path
from xbdcnn.data.download import cache_folder, fetch_files
from xbdcnn.data.exposures import RAW_URL, read_registry, source_of

REGISTRY = Path(__file__).with_name("networks.csv")
"""Columns file, repository, commit, path, sha256, bytes; one row per file."""

DNCNN = "kair_dncnn_25.safetensors"
"""File of the converted DnCNN for Gaussian noise of 25 grey levels, in `networks_folder`."""

ATTRIBUTION = (
    "DnCNN for a noise of 25 grey levels: Copyright (c) 2019 Kai Zhang, MIT licence, from "
    "https://github.com/cszn/KAIR\n"
    'Cite: K. Zhang et al., "Beyond a Gaussian Denoiser: Residual Learning of Deep CNN for Image '
    'Denoising", IEEE Trans. Image Process. 26(7), 2017, pp. 3142-3155.'
)


def networks_folder() -> Path:
    """Return the default folder of `fetch_networks`, in the user's cache."""
    return cache_folder("networks")


def fetch_networks(
    destination: str | Path | None = None,
    base_url: str = RAW_URL,
    progress: bool = True,
    registry: str | Path = REGISTRY,
    retries: int = 2,
) -> Path:
    """Download DnCNN, trained on photographs by its authors, with its licence (about 2 MB).

    Every file is verified by its SHA-256. Complete files are kept and damaged ones downloaded
    again. Then each checkpoint NAME.pth is converted to NAME.safetensors, with its tensors
    unchanged, in float32. The attribution is printed.

    Args:
        destination: folder for the files; default `networks_folder()`.
        base_url: server of the files; an address is base_url/repository/commit/path.
        progress: show a progress bar over the files.
        registry: CSV file with the columns of `REGISTRY`.
        retries: further attempts for a file whose download fails.

    Returns:
        The folder.

    Raises:
        XbdcnnError: the download or writing failed; run it again to resume.
    """
    folder, rows = Path(destination or networks_folder()), read_registry(registry)
    digests = {row["file"]: row["sha256"] for row in rows}
    urls = {row["file"]: f"{base_url.rstrip('/')}/{source_of(row)}" for row in rows}
    print(ATTRIBUTION)
    fetch_files(folder, digests, urls, "networks", progress, retries)
    for name in digests:
        if name.endswith(".pth"):
            _convert(folder / name, digests[name])
    return folder


def _convert(checkpoint: Path, digest: str) -> None:
    """Write the tensors of a checkpoint of torch.save to a safetensors file beside it."""
    # With weights_only, the checkpoint cannot execute code.
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    with atomic_path(checkpoint.with_suffix(".safetensors")) as temporary:
        save_file(state, temporary, {"source_sha256": digest})
