"""Weight files: how trained networks are stored, read back and verified."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import PACKAGE, atomic_path, sha256_of
from xbdcnn.models import XBDCNN, Recipe

WEIGHTS = PACKAGE / "weights"
CHECKSUMS = WEIGHTS / "checksums.json"
LEVEL_ERRORS = WEIGHTS / "level_errors.json"
"""How far the noise levels of shipped weights are off, by SHA-256; see `level_error`."""

ARCHITECTURES = ("xbdcnn", "dncnn", "xrecnn")
"""Names that a weight file may give its network."""

_DAMAGE = (OSError, SafetensorError, LookupError, ValueError, TypeError, AttributeError)
_DAMAGE += (RecursionError, RuntimeError)
"""What reading a damaged weight file may raise."""


def build_network(architecture: str, recipe: Recipe, seed: int = 0) -> nn.Module:
    """Build an untrained network with initial weights fixed by `seed`.

    Raises:
        XbdcnnError: the architecture is none of xbdcnn, dncnn, xrecnn.
    """
    if architecture not in ARCHITECTURES:
        raise XbdcnnError(
            f"unknown architecture {architecture!r}; choose from {', '.join(ARCHITECTURES)}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if architecture == "xbdcnn":
            return XBDCNN(recipe)
        from xbdcnn.baselines import networks

        return networks.DnCNN() if architecture == "dncnn" else networks.XReCNNStyle()


def save_weights(
    network: nn.Module, path: Path | str, architecture: str, recipe: Recipe, **facts: Any
) -> None:
    """Write a network as safetensors, see `stored`, with recipe and provenance in the header."""
    header = {"architecture": architecture, "recipe": asdict(recipe), **facts}
    with atomic_path(path) as temporary:
        save_file(stored(network), temporary, {"xbdcnn": json.dumps(header)})


def stored(network: nn.Module) -> dict[str, Tensor]:
    """A network's tensors by name, as they are stored.

    Filters as float16, which halves the file; biases and batch norm statistics, few but of large
    range, stay float32.
    """
    return {
        name: (value.half() if value.ndim >= 2 else value).contiguous().cpu()
        for name, value in network.state_dict().items()
    }


def read_weights(path: Path | str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_weights` wrote: float32 tensors by name, and the header.

    Raises:
        XbdcnnError: the file is missing, damaged, or not one of ours.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            header = json.loads((stream.metadata() or {})["xbdcnn"])
            state = {name: stream.get_tensor(name) for name in stream.keys()}
        # A header may say anything; what it must say is looked up here, where that is an error.
        _ = header["architecture"], header["recipe"].keys()
    except FileNotFoundError:
        raise XbdcnnError(f"{path}: no such weights; train them with `xbdcnn train`") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200]
        raise XbdcnnError(
            f"{path}: not readable as xbdcnn weights ({reason}); copy or train them again"
        ) from None
    return {n: v.float() if v.is_floating_point() else v for n, v in state.items()}, header


def load_network(path: Path | str) -> tuple[nn.Module, dict[str, Any]]:
    """Rebuild a trained network in evaluation mode from its file, with the file's header.

    Raises:
        XbdcnnError: the file is damaged, or its tensors do not fit the network it names.
    """
    state, header = read_weights(path)
    try:
        # On the meta device a network has shapes but no memory, whatever width a header claims.
        with torch.device("meta"):
            network = build_network(header["architecture"], recipe_from(header["recipe"]))
        network.load_state_dict(state, assign=True)
    except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[-1].strip()
        raise XbdcnnError(
            f"{path}: weights do not fit their network ({reason}); train them again"
        ) from None
    if any(not value.isfinite().all() for value in state.values()):
        raise XbdcnnError(f"{path}: holds NaN or infinity; train it again")
    return network.eval(), header


def recipe_from(values: dict[str, Any]) -> Recipe:
    """Rebuild a Recipe from a header, refusing fields that this version does not know."""
    known = {field.name for field in fields(Recipe)}
    if unknown := set(values) - known:
        raise XbdcnnError(f"unknown recipe fields {sorted(unknown)}; update xbdcnn")
    return Recipe(**values | {"loss_weights": tuple(values["loss_weights"])})


def checksums() -> dict[str, str]:
    """Recorded SHA-256 of every shipped weight file, by file name."""
    return json.loads(CHECKSUMS.read_text(encoding="utf-8")) if CHECKSUMS.exists() else {}


def shipped_path(name: str) -> Path:
    """Path of a network's shipped weights, once its recorded SHA-256 has been verified.

    Raises:
        XbdcnnError: no such weights are shipped, or their bytes differ from the record.
    """
    path, recorded = WEIGHTS / f"{name}.safetensors", checksums()
    if path.name not in recorded or not path.exists():
        known = ", ".join(Path(file).stem for file in recorded)
        raise XbdcnnError(
            f"no shipped weights for {name!r}; choose from {known}, or train a network with "
            "`xbdcnn train`"
        )
    if sha256_of(path) != recorded[path.name]:
        raise XbdcnnError(f"{path}: bytes differ from the recorded SHA-256; reinstall xbdcnn")
    return path


def level_error(path: Path | str) -> dict[str, float] | None:
    """The recorded error of a weight file's noise level estimate, None if it was never measured."""
    if not LEVEL_ERRORS.exists():
        return None
    return json.loads(LEVEL_ERRORS.read_text(encoding="utf-8")).get(sha256_of(path))
