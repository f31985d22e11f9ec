"""Names that commands accept, checked without importing PyTorch, which takes seconds.

A test compares them with their definitions in `inference` and `study`.
"""

from __future__ import annotations

from collections.abc import Sequence

from xbdcnn._common.files import PACKAGE
from xbdcnn.cli.reporting import UsageError

PROFILES = ("smoke", "quick", "cpu", "paper")
PRECISIONS = ("auto", "fp32", "bf16")
SERIES = ("recipe", "ablation", "choices", "successor", "reading", "dncnn")
EXPERIMENTS = (
    "calibration",
    "levels",
    "averaging",
    "bm3d-sigma",
    "out-of-range",
    "physical-noise",
    "detectors",
    "leakage",
    "residual",
    "removed",
    "discs",
    "doses",
    "exposures",
    "weak-noise",
    "whole-levels",
    "draws",
    "references",
    "detectability",
)
NETWORKS = (
    "dncnn",
    "xrecnn",
    "cbdnet",
    "skidnet",
    "xbdcnn-as-written",
    "xbdcnn-without-ssim",
    "xbdcnn-without-nle",
    "xbdcnn-fairest",
    "xbdcnn-fairest-without-ssim",
    "xbdcnn-fairest-without-nle",
    "xbdcnn-as-released",
    "xbdcnn",
    "specialist",
    "generalist",
    "tiny",
)
SCALABLE = tuple(name for name in NETWORKS if name not in ("specialist", "generalist", "tiny"))
"""Networks with one width, from which that of each layer follows."""
DEFAULT_NETWORK = "generalist"
ESTIMATORS = ("levels",)
"""Networks that can be trained and restore nothing."""


def shipped_networks() -> list[str]:
    """Return the names of the networks whose weights are part of the package."""
    return [name for name in NETWORKS if (PACKAGE / "weights" / f"{name}.safetensors").is_file()]


def require_known(kind: str, name: str, known: Sequence[str]) -> None:
    """Raise UsageError, which lists the known names, for any other name."""
    if name not in known:
        raise UsageError(f"unknown {kind} {name!r}; choose from {', '.join(known)}")
