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
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.baselines.independent import INDEPENDENT, missing_part, require_part, version_of
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
        classical: names of methods of `CLASSICAL` and `INDEPENDENT`; of the latter, those that lack
            something are left out, see `left_out`.
        precision: precision of the networks, see `load_pretrained`.
        weights: folder of .safetensors files to use instead of the shipped weights.
        only: names of networks (as in `zoo.ZOO`), of the classical methods, and of any method of
            `INDEPENDENT`; None for all.

    Raises:
        XbdcnnError: the folder has no weights, a name in `only` is not available, or a method of
            `INDEPENDENT` in `only` lacks its weights or its package.
    """
    paths, available = weight_paths(weights), available_names(classical, weights)
    known = dict.fromkeys([*available, *INDEPENDENT])
    if unknown := sorted(set(only or ()) - set(known)):
        raise XbdcnnError(f"no method {', '.join(unknown)}; choose from {', '.join(known)}")
    methods: dict[str, Method] = {}
    for name in only or available:
        if name in paths:
            network = load_pretrained(paths[name], precision=precision)
            methods[ZOO[name].label] = blind_method(network)
        elif name in INDEPENDENT:
            require_part(name)
            methods[name] = oracle_method(INDEPENDENT[name])
        else:
            methods[name] = oracle_method(CLASSICAL[name])
    return methods


def available_names(classical: Sequence[str], weights: Path | str | None = None) -> list[str]:
    """Return the names of `collect_methods` if none is chosen: networks, then `classical`."""
    missing = left_out(classical)
    return [*weight_paths(weights), *(name for name in classical if name not in missing)]


def left_out(classical: Sequence[str]) -> dict[str, str]:
    """Return what the methods of `INDEPENDENT` lack and the remedy, by name, if they lack it."""
    found = {name: missing_part(name) for name in classical if name in INDEPENDENT}
    return {name: missing for name, missing in found.items() if missing}


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
