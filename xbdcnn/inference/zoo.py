"""Every network of the tables by name: its label, its architecture and its recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.weights import checksums
from xbdcnn.models import (
    AS_RELEASED,
    AS_WRITTEN,
    BALANCED,
    WITHOUT_NLE,
    WITHOUT_SSIM,
    Recipe,
)

PLAIN_MSE = replace(AS_WRITTEN, use_nle=False, loss_weights=(1.0, 0.0, 0.0, 0.0), reduction="mean")
"""How DnCNN and the X-ReCNN-style network are trained: MSE only, on the same noise."""


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


ZOO: dict[str, Entry] = {
    "dncnn": Entry("DnCNN", "dncnn", PLAIN_MSE, "DnCNN"),
    "xrecnn": Entry("X-ReCNN-style", "xrecnn", PLAIN_MSE, "X-ReCNN"),
    "xbdcnn-as-written": Entry("X-BDCNN (as written)", "xbdcnn", AS_WRITTEN, "X-BDCNN"),
    "xbdcnn-without-ssim": Entry(
        "X-BDCNN (as written) w/o SSIM loss", "xbdcnn", WITHOUT_SSIM, "X-BDCNN w/o SSIM loss"
    ),
    "xbdcnn-without-nle": Entry(
        "X-BDCNN (as written) w/o NLE", "xbdcnn", WITHOUT_NLE, "X-BDCNN w/o the NLE"
    ),
    "xbdcnn-as-released": Entry("X-BDCNN (as released)", "xbdcnn", AS_RELEASED),
    "xbdcnn": Entry("X-BDCNN (balanced)", "xbdcnn", BALANCED, "X-BDCNN", longer=3, batch_size=8),
}


def entry(name: str) -> Entry:
    """Look up a network by its weight name, or raise XbdcnnError that lists the names."""
    if name not in ZOO:
        raise XbdcnnError(f"unknown network {name!r}; choose from {', '.join(ZOO)}")
    return ZOO[name]


def shipped_names() -> list[str]:
    """Names of the networks whose weights come with the package, in table order."""
    recorded = checksums()
    return [name for name in ZOO if f"{name}.safetensors" in recorded]
