"""Weight files: storing, reading and verifying trained networks."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import PACKAGE, atomic_path, sha256_of
from xbdcnn.level_estimator import EstimatorRecipe, LevelEstimator
from xbdcnn.models import XBDCNN, Recipe
from xbdcnn.successor import AnyRecipe, Successor, SuccessorRecipe

WEIGHTS = PACKAGE / "weights"
CHECKSUMS = WEIGHTS / "checksums.json"
LEVEL_ERRORS = WEIGHTS / "level_errors.json"
"""Measured errors of the noise levels estimated with shipped weights, see `level_error`."""

DEFAULT = "generalist"
"""Name of the network of `load_pretrained` and of the commands if none is named."""

ESTIMATOR = "levels"
"""Name of the weights of the level estimator that all successors share."""

ARCHITECTURES = ("xbdcnn", "dncnn", "xrecnn", "skidnet", "successor", "estimator")
"""Architectures that `build_network` knows."""

_SUCCESSORS: dict[str, tuple[type[AnyRecipe], type[nn.Module]]] = {
    "successor": (SuccessorRecipe, Successor),
    "estimator": (EstimatorRecipe, LevelEstimator),
}
"""Classes of recipe and network of the architectures that follow X-BDCNN."""

PICKLES = (b"PK\x03\x04", b"\x80\x02\x8a\n")
"""First bytes of the formats of torch.save: a zip archive, formerly a bare pickle."""

_READ_ERRORS = (
    *(OSError, SafetensorError, LookupError, ValueError, TypeError, AttributeError),
    *(RecursionError, RuntimeError),
)
"""Exceptions that reading a damaged weight file can raise."""


def build_network(architecture: str, recipe: AnyRecipe, seed: int = 0) -> nn.Module:
    """Build an untrained network; `seed` determines its initial weights.

    DnCNN has the width of the recipe, the others in proportion, see `networks.build_baseline`.

    Raises:
        XbdcnnError: the architecture is not one of `ARCHITECTURES`.
    """
    if architecture not in ARCHITECTURES:
        raise XbdcnnError(
            f"unknown architecture {architecture!r}; choose from {', '.join(ARCHITECTURES)}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if architecture in _SUCCESSORS:
            return _SUCCESSORS[architecture][1](recipe)
        assert isinstance(recipe, Recipe)
        if architecture == "xbdcnn":
            return XBDCNN(recipe)
        from xbdcnn.baselines.networks import build_baseline

        return build_baseline(architecture, recipe.width)


def save_weights(
    network: nn.Module,
    path: Path | str,
    architecture: str,
    recipe: AnyRecipe,
    **facts: Any,
) -> None:
    """Write a network as safetensors, with architecture, recipe and `facts` in the header.

    facts: JSON-serialisable values, e.g. name, scores, provenance. For the dtypes see
    `storable_state`.
    """
    header = {"architecture": architecture, "recipe": asdict(recipe), **facts}
    with atomic_path(path) as temporary:
        save_file(storable_state(network), temporary, {"xbdcnn": json.dumps(header)})


def storable_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a network by name, in the dtypes in which they are stored.

    Filters are rounded to float16, which halves the file. Biases and batch norm statistics, which
    are few and have a large dynamic range, stay float32.
    """
    return {
        name: (value.half() if value.ndim >= 2 else value).contiguous().cpu()
        for name, value in network.state_dict().items()
    }


def read_weights(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a weight file: float32 tensors by name, and the header.

    Raises:
        XbdcnnError: the file is missing, damaged, or was not written by `save_weights`.
    """
    _refuse_pickle(path)
    try:
        with safe_open(path, framework="pt") as stream:
            header = json.loads(_header_text(path, stream.metadata() or {}))
            names = stream.keys()
            state = {name: stream.get_tensor(name) for name in names}
        # Raise here if the header lacks what `load_network` needs.
        _ = header["architecture"], header["recipe"].keys()
    except FileNotFoundError:
        raise XbdcnnError(f"{path}: no such weights; train them with `xbdcnn train`") from None
    except XbdcnnError:
        raise
    except _READ_ERRORS as error:
        reason = " ".join(str(error).split())[:200]
        raise XbdcnnError(
            f"{path}: not readable as xbdcnn weights ({reason}); copy or train them again"
        ) from None
    return {n: v.float() if v.is_floating_point() else v for n, v in state.items()}, header


def _refuse_pickle(path: Path | str) -> None:
    """Raise XbdcnnError for the formats of torch.save."""
    with suppress(OSError), open(path, "rb") as stream:
        if stream.read(4).startswith(PICKLES):
            raise XbdcnnError(
                f"{path}: a checkpoint of torch.save, which can execute code and is not read; "
                "save its network with xbdcnn.inference.weights.save_weights"
            )


def _header_text(path: Path | str, metadata: dict[str, str]) -> str:
    """Return the header of `save_weights`; XbdcnnError for tensors of another program."""
    if "xbdcnn" not in metadata:
        raise XbdcnnError(
            f"{path}: weights of another program, without the header of xbdcnn; choose from "
            f"{_available()}, or train a network with `xbdcnn train`"
        )
    return metadata["xbdcnn"]


def load_network(path: Path | str) -> tuple[nn.Module, dict[str, Any]]:
    """Return the trained network of a weight file, in evaluation mode, and the file's header.

    Raises:
        XbdcnnError: the file is damaged, or its tensors do not fit its architecture and recipe.
    """
    state, header = read_weights(path)
    try:
        # On the meta device no memory is allocated, even if a damaged header has a huge width.
        with torch.device("meta"):
            network = build_network(header["architecture"], _recipe_of(state, header))
        network.load_state_dict(state, assign=True)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise XbdcnnError(
            f"{path}: weights do not fit their network ({reason}); train them again"
        ) from None
    if any(not value.isfinite().all() for value in state.values()):
        raise XbdcnnError(f"{path}: holds NaN or infinity; train it again")
    return network.eval(), header


def _recipe_of(state: dict[str, Tensor], header: dict[str, Any]) -> AnyRecipe:
    """Return the recipe of a header, with the full width for tensors of a baseline that have it.

    Headers of version 0.1.0 may state another, although these networks then had no other width.
    """
    recipe, full = recipe_from(header), {"dncnn": 64, "xrecnn": 48}.get(header["architecture"])
    if full and isinstance(recipe, Recipe) and len(state["residual.0.weight"]) == full:
        return replace(recipe, width=Recipe().width)
    return recipe


def recipe_from(header: dict[str, Any]) -> AnyRecipe:
    """Return the recipe of a header, whose lists become tuples.

    Raises:
        XbdcnnError: the recipe has a field that this version does not know.
    """
    values: dict[str, Any] = header["recipe"]
    kind, _ = _SUCCESSORS.get(header["architecture"], (Recipe, None))
    if unknown := set(values) - {field.name for field in fields(kind)}:
        raise XbdcnnError(f"unknown recipe fields {sorted(unknown)}; update xbdcnn")
    tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return kind(**values | tuples)


def checksums() -> dict[str, str]:
    """Return the recorded SHA-256 of every shipped weight file, by file name."""
    return json.loads(CHECKSUMS.read_text(encoding="utf-8")) if CHECKSUMS.exists() else {}


def shipped_path(name: str) -> Path:
    """Return the path of a network's shipped weights after verifying their SHA-256.

    Raises:
        XbdcnnError: no weights are shipped under this name, or the file is missing or altered.
    """
    path, recorded = WEIGHTS / f"{name}.safetensors", checksums()
    if path.name not in recorded:
        raise XbdcnnError(
            f"no shipped weights for {name!r}; choose from {_available()}, pass the path of a "
            ".safetensors file, or train a network with `xbdcnn train`"
        )
    if not path.exists():
        raise XbdcnnError(
            f"{path}: weights of {name!r} are missing; reinstall xbdcnn, or choose from "
            f"{_available()}"
        )
    if sha256_of(path) != recorded[path.name]:
        raise XbdcnnError(f"{path}: bytes differ from the recorded SHA-256; reinstall xbdcnn")
    return path


def estimator_path(denoiser: Path) -> Path:
    """Return the level estimator of a successor: the one beside its weights, or the shipped one.

    XbdcnnError as for `shipped_path`.
    """
    path = denoiser.with_name(f"{ESTIMATOR}.safetensors")
    return path if path.exists() and path.parent != WEIGHTS else shipped_path(ESTIMATOR)


def _available() -> str:
    """Return the names of the networks whose shipped weights exist, for messages."""
    names = [Path(file).stem for file in checksums() if (WEIGHTS / file).exists()]
    names = [name for name in names if name != ESTIMATOR]
    return ", ".join(names) or "none (the package has no weights)"


def level_error(path: Path | str) -> dict[str, float] | None:
    """Return the recorded half widths of the 95 % intervals of eta and sigma; None if unknown.

    They are recorded for the SHA-256 of a weight file, see tools/ship.py.
    """
    if not LEVEL_ERRORS.exists():
        return None
    return json.loads(LEVEL_ERRORS.read_text(encoding="utf-8")).get(sha256_of(path))
