"""The radiographs and the methods of restoration that the noise explorer offers."""

from __future__ import annotations

import tempfile
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.data.builtin import builtin_crop, builtin_fields
from xbdcnn.data.chests import CHESTS, load_chest
from xbdcnn.data.files.radiograph import load_radiograph
from xbdcnn.data.source import Source
from xbdcnn.inference import zoo
from xbdcnn.inference.methods import Method, oracle_method
from xbdcnn.inference.pretrained import Levels, Pretrained, load_pretrained
from xbdcnn.inference.trained_range import edge_warning
from xbdcnn.models import Denoised

NO_METHOD = "none"

BUILT_IN, PACKAGED, UPLOAD = "built-in: ", "packaged chest: ", "upload: "
"""Beginnings of the names of radiographs that everyone has, and of files of the user."""

TOLD = ("xbdcnn", "generalist")
"""Networks that are also offered with the true eta and sigma instead of their estimate."""

MEANINGS = {
    NO_METHOD: "the noisy image",
    "DnCNN": "a well-known network, for comparison",
    "X-ReCNN-style": "made from a brief description",
    "X-BDCNN (as written)": "trained as the paper's text says",
    "X-BDCNN (as written) w/o SSIM loss": "the same with three of four losses",
    "X-BDCNN (as written) w/o NLE": "the same without an estimate of η and σ",
    "X-BDCNN (fairest reading)": "the reading of the text with the highest PSNR",
    "X-BDCNN (fairest reading) w/o SSIM loss": "the same with three of four losses",
    "X-BDCNN (fairest reading) w/o NLE": "the same without an estimate of η and σ",
    "X-BDCNN (balanced)": "the paper's network, trained longer",
    "Successor (specialist)": "a smaller network for the paper's noise",
    "Successor (generalist)": "for radiographs as they come",
    "Successor (tiny)": "the smallest network, for radiographs as they come",
    "BM3D": "classical, η and σ given",
    "GAT+BM3D": "classical, for photon noise, η and σ given",
    "I+VST+BM3D": "classical, iterated for few photons, η and σ given",
    "NL-PCA": "classical, for few photons, slow, η and σ given",
    "NLM": "classical, non-local means, η and σ given",
    "TV": "classical, total variation, η and σ given",
}
"""What the methods in the menu are, by the label that tables give them."""

WHOLE_CHEST = 384
"""Side in pixels at which the whole built-in chest fits into the explored region."""


def collect_images(source: Source, count: int = 4) -> dict[str, NDArray[np.float32]]:
    """Radiographs by name: the built-in one, those of `CHESTS`, `count` test images of the source.

    The built-in radiograph is offered as the whole chest reduced to the explored region, at twice
    that size, and as two fields at the resolution of the detector; all others with their own
    pixels. Raises XbdcnnError if the source has no readable test images.
    """
    images = {
        f"{BUILT_IN}whole chest": builtin_crop(WHOLE_CHEST),
        f"{BUILT_IN}chest, larger": builtin_crop(2 * WHOLE_CHEST),
    }
    for number, field in enumerate(builtin_fields("test"), start=1):
        images[f"{BUILT_IN}field {number}"] = field
    for name, text in CHESTS.items():
        images[f"{PACKAGED}{text} (ChestX-ray8 {name})"] = load_chest(name)
    if source.index is not None:
        paths = source.paths("test", count)
        for path, image in zip(paths, source.images("test", count), strict=True):
            images[f"{source.name}: {path.stem}"] = image
    return images


def read_upload(name: str, content: bytes) -> NDArray[np.float32]:
    """Read an uploaded PNG, TIFF, JPEG or DICOM file; see `data.load_radiograph`.

    Returns (H, W) float32 in [0, 1]. Raises XbdcnnError with the name of the file and the remedy.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        path.write_bytes(content)
        try:
            return load_radiograph(path)
        except XbdcnnError as error:
            raise XbdcnnError(str(error).replace(str(path), name)) from None


def menu_text(method: str) -> str:
    """Return the label of a method with its meaning, as the menu shows it."""
    return f"{method}: {MEANINGS[method]}" if method in MEANINGS else method


def collect_methods() -> dict[str, Method]:
    """Available methods by label: none, the shipped networks, those of `TOLD`, the classical ones.

    A network is loaded when it is first used. BM3D is omitted if its package, which is free for
    non-commercial use only, is not installed.
    """
    methods: dict[str, Method] = {NO_METHOD: lambda noisy, eta, sigma: Denoised(noisy)}
    for name in zoo.shipped_names():
        methods[zoo.ZOO[name].label] = partial(_by_network, name)
    for name in filter(TOLD.__contains__, zoo.shipped_names()):
        methods[f"{zoo.ZOO[name].label}, η and σ given"] = partial(_with_true_levels, name)
    for name, denoise in CLASSICAL.items():
        if "BM3D" not in name or find_spec("bm3d"):
            methods[name] = oracle_method(denoise)
    return methods


def _by_network(name: str, noisy: NDArray[np.float32], eta: float, sigma: float) -> Denoised:
    return _loaded(name).restore(noisy, maps=True)


def _with_true_levels(name: str, noisy: NDArray[np.float32], eta: float, sigma: float) -> Denoised:
    return Denoised(_loaded(name).restore(noisy, levels=Levels(eta, sigma)).image)


def level_warning(method: str, levels: Levels | None) -> str:
    """Return the warning of `edge_warning` for the levels that a method has estimated, or ""."""
    names = [name for name, entry in zoo.ZOO.items() if entry.label == method]
    return edge_warning(_loaded(names[0]), levels) if names and levels else ""


@lru_cache(maxsize=len(zoo.ZOO))
def _loaded(name: str) -> Pretrained:
    return load_pretrained(name)
