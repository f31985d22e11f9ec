"""Denoising methods of the tables by label, as functions with one signature."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn._common.provenance import installed_versions
from xbdcnn.baselines.block_matching import missing_bm3d
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.baselines.independent import INDEPENDENT, missing_part, version_of
from xbdcnn.inference.precision import Precision
from xbdcnn.inference.pretrained import Pretrained, load_pretrained
from xbdcnn.inference.weights import estimator_path, read_weights, shipped_path
from xbdcnn.inference.zoo import ZOO, shipped_names
from xbdcnn.models import Denoised

Method = Callable[[NDArray[np.float32], float, float], Denoised[NDArray[np.float32]]]
"""(noisy, eta, sigma) -> Denoised(image, levels).

noisy: (H, W) float32 in [0, 1]; eta: photons per grey level; sigma: 8-bit grey levels.
image: (H, W) float32 in [0, 1]; levels: (2, H, W) estimated maps of eta and sigma, or None.
Blind methods ignore eta and sigma.
"""

TOLD = {
    "BM3D": "one averaged sigma",
    "GAT+BM3D": "eta and sigma",
    "I+VST+BM3D": "eta and sigma",
    "NLM": "one averaged sigma",
    "NL-PCA": "eta and sigma",
    "TV": "one averaged sigma",
    "GAT+DnCNN (photographs)": "sigma = 25 after GAT with eta and sigma",
    "GAT+FFDNet (photographs)": "its sigma after GAT with eta and sigma",
} | {entry.label: "nothing" for entry in ZOO.values()}
"""What each method of the tables is told about the noise, by label.

The averaged sigma is `grey_levels.averaged_sigma`, computed from eta and sigma.
"""

CLASSICAL_PACKAGES = ("numpy", "scikit-image", "bm3d")
"""Packages whose versions can change the results of the classical methods."""


def collect_methods(
    classical: Sequence[str],
    precision: Precision = "auto",
    weights: Path | str | None = None,
    only: Sequence[str] | None = None,
) -> dict[str, Method]:
    """Return methods by label: networks in table order, then the classical ones; or as in `only`.

    Args:
        classical: names of methods of `CLASSICAL` and `INDEPENDENT`.
        precision: precision of the networks, see `load_pretrained`.
        weights: folder of .safetensors files to use instead of the shipped weights.
        only: names of networks (as in `zoo.ZOO`) and of any methods of `CLASSICAL` and
            `INDEPENDENT`; None for all networks and those in `classical`.

    Raises:
        XbdcnnError: the folder has no weights, a name in `only` is unknown, or a method lacks a
            part, see `require_parts`.
    """
    paths = weight_paths(weights)
    known = dict.fromkeys([*paths, *CLASSICAL, *INDEPENDENT])
    if unknown := sorted(set(only or ()) - set(known)):
        raise XbdcnnError(f"no method {', '.join(unknown)}; choose from {', '.join(known)}")
    names = only or default_names(classical, weights)
    require_parts(names)
    methods: dict[str, Method] = {}
    for name in names:
        if name in paths:
            network = load_pretrained(paths[name], precision=precision)
            methods[ZOO[name].label] = blind_method(network)
        else:
            methods[name] = oracle_method((CLASSICAL | INDEPENDENT)[name])
    return methods


def default_names(classical: Sequence[str], weights: Path | str | None = None) -> list[str]:
    """Return the names of `collect_methods` if none is chosen: networks, then `classical`."""
    return [*weight_paths(weights), *classical]


def known_labels(weights: Path | str | None = None) -> list[str]:
    """Return the labels of all methods that `collect_methods` knows, in table order."""
    return [*(ZOO[name].label for name in weight_paths(weights)), *CLASSICAL, *INDEPENDENT]


def require_parts(names: Sequence[str]) -> None:
    """Raise XbdcnnError, with all remedies in one line, if a method lacks a package or weights."""
    needing_bm3d = any(name in CLASSICAL and "BM3D" in name for name in names)
    found = [missing_bm3d() if needing_bm3d else None]
    found += [missing_part(name) for name in names if name in INDEPENDENT]
    if missing := "; ".join(message for message in found if message):
        raise XbdcnnError(f"{missing}; or choose other methods")


def weight_paths(weights: Path | str | None = None) -> dict[str, Path]:
    """Return weight files by network name: the shipped ones, or those in the folder `weights`."""
    if weights is None:
        return {name: shipped_path(name) for name in shipped_names()}
    return {name: Path(weights) / f"{name}.safetensors" for name in trained_names(weights)}


def trained_names(weights: Path | str) -> list[str]:
    """Return the names of the networks with weights in a folder, in table order.

    Raises:
        XbdcnnError: there are none.
    """
    names = [name for name in ZOO if (Path(weights) / f"{name}.safetensors").exists()]
    if not names:
        raise XbdcnnError(
            f"{weights}: no weights there; expected NAME.safetensors, NAME being one of "
            f"{', '.join(ZOO)}; train them with `xbdcnn train`"
        )
    return names


def method_versions(methods: Iterable[str], weights: Path | str | None = None) -> dict[str, str]:
    """Return, by label, what results depend on: SHA-256 of the weights, or package versions."""
    digests = {ZOO[name].label: _digest(name, path) for name, path in weight_paths(weights).items()}
    packages = json.dumps(
        {n: v for n, v in installed_versions().items() if n in CLASSICAL_PACKAGES}
    )
    return {
        label: version_of(label) if label in INDEPENDENT else digests.get(label, packages)
        for label in methods
    }


def _digest(name: str, path: Path) -> str:
    """Return the SHA-256 of a network's weights, for a successor also that of its estimator's."""
    if ZOO[name].architecture != "successor":
        return sha256_of(path)
    return f"{sha256_of(path)} {sha256_of(estimator_path(path))}"


def training_seeds(methods: Iterable[str], weights: Path | str | None = None) -> list[int]:
    """Return the training seeds of the networks among the labels, as far as they are recorded."""
    labels = set(methods)
    paths = [path for name, path in weight_paths(weights).items() if ZOO[name].label in labels]
    facts = [read_weights(path)[1].get("provenance", {}) for path in paths]
    return sorted({fact["seed"] for fact in facts if "seed" in fact})


def blind_method(pretrained: Pretrained) -> Method:
    """Return a network as a method, which is given the noisy image only."""
    return lambda noisy, eta, sigma: pretrained.restore(noisy, maps=True)


def oracle_method(denoise: Callable[..., NDArray[np.float32]]) -> Method:
    """Return a function of `baselines` as a method that is given the true eta and sigma."""
    return lambda noisy, eta, sigma: Denoised(denoise(noisy, eta=eta, sigma=sigma))
