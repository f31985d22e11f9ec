"""Every row of the tables as a function: shipped or own networks, and classical methods."""

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
from xbdcnn.inference.precision import Precision
from xbdcnn.inference.pretrained import Pretrained, load_pretrained
from xbdcnn.inference.weights import read_weights, shipped_path
from xbdcnn.inference.zoo import ZOO, shipped_names
from xbdcnn.models import Denoised

Method = Callable[[NDArray[np.float32], float, float], Denoised]
"""(noisy (H, W) in [0, 1], eta, sigma) -> image and level maps; blind methods ignore the levels."""

CLASSICAL_PACKAGES = ("numpy", "scikit-image", "bm3d")


def collect_methods(
    classical: Sequence[str],
    precision: Precision = "auto",
    weights: Path | str | None = None,
    only: Sequence[str] | None = None,
) -> dict[str, Method]:
    """Every row of the tables by label: networks first, then the classical methods.

    Args:
        classical: names of the classical methods, see `CLASSICAL`.
        precision: in what the networks compute, see `load_pretrained`.
        weights: folder of *.safetensors to use instead of the shipped ones (profiles that train).
        only: names of networks (as in `zoo.ZOO`) and classical methods; None for all.

    Raises:
        XbdcnnError: no weights, or a name in `only` that is not at hand.
    """
    paths, known = weight_paths(weights), names_at_hand(classical, weights)
    if unknown := sorted(set(only or ()) - set(known)):
        raise XbdcnnError(f"no method {', '.join(unknown)}; choose from {', '.join(known)}")
    methods: dict[str, Method] = {}
    for name in only or known:
        if name in paths:
            methods[ZOO[name].label] = blind(load_pretrained(paths[name], precision=precision))
        else:
            methods[name] = informed(CLASSICAL[name])
    return methods


def names_at_hand(classical: Sequence[str], weights: Path | str | None = None) -> list[str]:
    """Every name that `collect_methods` knows: networks first, then the classical methods."""
    return [*weight_paths(weights), *classical]


def weight_paths(weights: Path | str | None = None) -> dict[str, Path]:
    """Weight files of the networks by name: shipped ones, or those in a folder."""
    if weights is None:
        return {name: shipped_path(name) for name in shipped_names()}
    return {name: Path(weights) / f"{name}.safetensors" for name in trained_names(weights)}


def method_versions(methods: Iterable[str], weights: Path | str | None = None) -> dict[str, str]:
    """What each method's results depend on: the SHA-256 of its weights, or its package versions."""
    digests = {ZOO[name].label: sha256_of(path) for name, path in weight_paths(weights).items()}
    packages = json.dumps(
        {n: v for n, v in installed_versions().items() if n in CLASSICAL_PACKAGES}
    )
    return {label: digests.get(label, packages) for label in methods}


def training_seeds(methods: Iterable[str], weights: Path | str | None = None) -> list[int]:
    """Seeds with which the networks among the methods were trained, as far as headers tell."""
    labels = set(methods)
    paths = [path for name, path in weight_paths(weights).items() if ZOO[name].label in labels]
    facts = [read_weights(path)[1].get("provenance", {}) for path in paths]
    return sorted({fact["seed"] for fact in facts if "seed" in fact})


def trained_names(weights: Path | str) -> list[str]:
    """Names of the networks whose weights lie in a folder, in table order."""
    names = [name for name in ZOO if (Path(weights) / f"{name}.safetensors").exists()]
    if not names:
        raise XbdcnnError(f"{weights}: no weights there; train them with `xbdcnn train`")
    return names


def blind(pretrained: Pretrained) -> Method:
    """Wrap a network, which sees the noisy image only."""
    return lambda noisy, eta, sigma: pretrained.restore(noisy, maps=True)


def informed(denoise: Callable[..., NDArray]) -> Method:
    """Wrap a classical method, which is told the true eta and sigma."""
    return lambda noisy, eta, sigma: Denoised(denoise(noisy, eta=eta, sigma=sigma))
