"""Every network of the tables by name: how to build it, and its weights on disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from xbdcnn.baselines import DnCNN, XReCNNStyle
from xbdcnn.batches import TrainConfig
from xbdcnn.errors import XbdcnnError
from xbdcnn.files import atomic_path, sha256_of
from xbdcnn.models import (
    AS_RELEASED,
    AS_WRITTEN,
    BALANCED,
    WITHOUT_NLE,
    WITHOUT_SSIM,
    XBDCNN,
    Recipe,
)

WEIGHTS = Path(__file__).parent / "weights"
CHECKSUMS = WEIGHTS / "checksums.json"
LEVEL_ERRORS = WEIGHTS / "level_errors.json"
"""How far the noise levels of shipped weights are off, by SHA-256; see `record_level_error`."""

PLAIN_MSE = replace(AS_WRITTEN, use_nle=False, loss_weights=(1.0, 0.0, 0.0, 0.0), reduction="mean")
"""How DnCNN and the X-ReCNN-style network are trained: MSE only, on the same noise."""


_DAMAGE = (OSError, SafetensorError, LookupError, ValueError, TypeError, AttributeError)
_DAMAGE += (RecursionError, RuntimeError)
"""What reading a damaged weight file may raise."""


@dataclass(frozen=True)
class Entry:
    """A trained network: its label in tables, its architecture and its recipe."""

    label: str
    architecture: Literal["xbdcnn", "dncnn", "xrecnn"]
    recipe: Recipe
    printed_as: str | None = None
    """The row of the paper's tables that it answers to, if there is one."""
    longer: int = 1
    """How many times the patches of the compared networks it is trained on."""
    batch_size: int | None = None
    """Patches per step, if not those of the compared networks."""

    def budget(self, compared: TrainConfig) -> TrainConfig:
        """The training of this network, given that of the networks that are compared."""
        size = self.batch_size or compared.batch_size
        return replace(compared, patches=self.longer * compared.patches, batch_size=size)


ZOO: dict[str, Entry] = {
    "dncnn": Entry("DnCNN", "dncnn", PLAIN_MSE, "DnCNN"),
    "xrecnn": Entry("X-ReCNN-style", "xrecnn", PLAIN_MSE, "X-ReCNN"),
    "xbdcnn-as-written": Entry("X-BDCNN", "xbdcnn", AS_WRITTEN, "X-BDCNN"),
    "xbdcnn-without-ssim": Entry(
        "X-BDCNN w/o SSIM loss", "xbdcnn", WITHOUT_SSIM, "X-BDCNN w/o SSIM loss"
    ),
    "xbdcnn-without-nle": Entry(
        "X-BDCNN w/o the NLE", "xbdcnn", WITHOUT_NLE, "X-BDCNN w/o the NLE"
    ),
    "xbdcnn-as-released": Entry("X-BDCNN as released", "xbdcnn", AS_RELEASED),
    "xbdcnn": Entry("X-BDCNN balanced", "xbdcnn", BALANCED, longer=3, batch_size=8),
}


def build_network(architecture: str, recipe: Recipe, seed: int = 0) -> nn.Module:
    """Build an untrained network with initial weights fixed by `seed`.

    Raises:
        XbdcnnError: the architecture is none of xbdcnn, dncnn, xrecnn.
    """
    builders = {"xbdcnn": lambda: XBDCNN(recipe), "dncnn": DnCNN, "xrecnn": XReCNNStyle}
    if architecture not in builders:
        raise XbdcnnError(f"unknown architecture {architecture!r}; choose from {list(builders)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return builders[architecture]()


def entry(name: str) -> Entry:
    """Look up a network by its weight name, or raise XbdcnnError that lists the names."""
    if name not in ZOO:
        raise XbdcnnError(f"unknown network {name!r}; choose from {', '.join(ZOO)}")
    return ZOO[name]


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
            state = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
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


def shipped_path(name: str) -> Path:
    """Path of a network's shipped weights, once its recorded SHA-256 has been verified.

    Raises:
        XbdcnnError: unknown name, weights not shipped, or their bytes differ from the record.
    """
    entry(name)
    path = WEIGHTS / f"{name}.safetensors"
    recorded = _read(CHECKSUMS).get(path.name)
    if recorded is None or not path.exists():
        raise XbdcnnError(f"no shipped weights for {name!r}; train them with `xbdcnn train {name}`")
    if sha256_of(path) != recorded:
        raise XbdcnnError(f"{path}: bytes differ from the recorded SHA-256; reinstall xbdcnn")
    return path


def shipped_names() -> list[str]:
    """Names of the networks whose weights come with the package, in table order."""
    recorded = _read(CHECKSUMS)
    return [name for name in ZOO if f"{name}.safetensors" in recorded]


def ship(path: Path | str, name: str) -> Path:
    """Copy finished weights into the package and record their SHA-256."""
    entry(name)
    target = WEIGHTS / f"{name}.safetensors"
    with atomic_path(target) as temporary:
        temporary.write_bytes(Path(path).read_bytes())
    recorded = _read(CHECKSUMS) | {target.name: sha256_of(target)}
    _write(CHECKSUMS, dict(sorted(recorded.items())))
    return target


def record_level_error(name: str, error: dict[str, float]) -> None:
    """Keep the measured error of a shipped network's noise level estimate.

    error: half widths of the 95 % interval, {"eta": photons per grey level, "sigma": grey levels}.
    """
    known = _read(LEVEL_ERRORS) | {_read(CHECKSUMS)[f"{name}.safetensors"]: error}
    # Errors of weights that are shipped no more say nothing.
    kept = {sha: known[sha] for sha in _read(CHECKSUMS).values() if sha in known}
    _write(LEVEL_ERRORS, kept)


def level_error(path: Path | str) -> dict[str, float] | None:
    """The recorded error of a weight file's noise level estimate, None if it was never measured."""
    return _read(LEVEL_ERRORS).get(sha256_of(path))


def _read(record: Path) -> dict[str, Any]:
    return json.loads(record.read_text()) if record.exists() else {}


def _write(record: Path, values: dict[str, Any]) -> None:
    with atomic_path(record) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n")
