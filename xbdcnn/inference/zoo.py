"""The trained networks of the tables by name: label, architecture, recipe and training budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.weights import ESTIMATOR, checksums
from xbdcnn.level_estimator import EstimatorRecipe
from xbdcnn.models import (
    AS_RELEASED,
    AS_WRITTEN,
    BALANCED,
    FAIREST,
    FAIREST_WITHOUT_NLE,
    FAIREST_WITHOUT_SSIM,
    WITHOUT_NLE,
    WITHOUT_SSIM,
)
from xbdcnn.successor import FULL, TINY, AnyRecipe

MSE_ONLY = replace(AS_WRITTEN, use_nle=False, loss_weights=(1.0, 0.0, 0.0, 0.0), reduction="mean")
"""Recipe of DnCNN and of the networks in the style of X-ReCNN and SkiDNet: MSE loss only, on the
same noise."""

CBDNET = replace(
    AS_WRITTEN,
    level_maps="standard deviation",
    loss_weights=(1.0, 0.0, 0.5, 0.05),
    reduction="mean",
    tv_reduction="mean",
)
"""Recipe of CBDNet [9]: the two networks of X-BDCNN with one level map and without the SSIM loss.

Guo, Yan, Zhang, Zuo and Zhang, Toward convolutional blind denoising of real photographs, CVPR 2019,
model the noise of a pixel of irradiance L as Gaussian with variance sigma_s^2 L + sigma_c^2. With
L = g this is the variance of Eq. 1, so the truth of the one map is the standard deviation of each
pixel by Eq. 1, in units of the image, see `noise.standard_deviation_map`. Like all networks of the
tables, it is trained on the noise of Eq. 1, whose quantum part is Poisson, without the processing
in a camera that CBDNet simulates as well.

Differences from `WITHOUT_SSIM`: the map follows the image, instead of two constant maps; the map
has the scale of the image, where eta dominates the two; the MSE weighs 1 instead of 0.4. Means
instead of sums scale all terms alike. Differences from CBDNet: the noise, and the skip connection
of the estimator, which is that of X-BDCNN.
"""


@dataclass(frozen=True)
class ZooEntry:
    """How a network of the tables is labelled, built and trained."""

    label: str
    """Name in tables and figures, which states the recipe."""
    architecture: Literal["xbdcnn", "dncnn", "xrecnn", "skidnet", "successor", "estimator"]
    recipe: AnyRecipe
    paper_row: str | None = None
    """Corresponding row of the paper's tables; None if there is none."""
    budget_factor: int = 1
    """Number of training patches, in multiples of the common budget of the compared networks."""
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `TrainConfig` that differ from those of the compared networks."""


ZOO: dict[str, ZooEntry] = {
    "dncnn": ZooEntry("DnCNN", "dncnn", MSE_ONLY, "DnCNN"),
    "xrecnn": ZooEntry("X-ReCNN-style", "xrecnn", MSE_ONLY, "X-ReCNN"),
    "cbdnet": ZooEntry("CBDNet", "xbdcnn", CBDNET),
    "skidnet": ZooEntry("SkiDNet-style", "skidnet", MSE_ONLY),
    "xbdcnn-as-written": ZooEntry("X-BDCNN (as written)", "xbdcnn", AS_WRITTEN, "X-BDCNN"),
    "xbdcnn-without-ssim": ZooEntry(
        "X-BDCNN (as written) w/o SSIM loss", "xbdcnn", WITHOUT_SSIM, "X-BDCNN w/o SSIM loss"
    ),
    "xbdcnn-without-nle": ZooEntry(
        "X-BDCNN (as written) w/o NLE", "xbdcnn", WITHOUT_NLE, "X-BDCNN w/o the NLE"
    ),
    "xbdcnn-fairest": ZooEntry("X-BDCNN (fairest reading)", "xbdcnn", FAIREST, "X-BDCNN"),
    "xbdcnn-fairest-without-ssim": ZooEntry(
        "X-BDCNN (fairest reading) w/o SSIM loss",
        "xbdcnn",
        FAIREST_WITHOUT_SSIM,
        "X-BDCNN w/o SSIM loss",
    ),
    "xbdcnn-fairest-without-nle": ZooEntry(
        "X-BDCNN (fairest reading) w/o NLE", "xbdcnn", FAIREST_WITHOUT_NLE, "X-BDCNN w/o the NLE"
    ),
    "xbdcnn-as-released": ZooEntry("X-BDCNN (as released)", "xbdcnn", AS_RELEASED),
    "xbdcnn": ZooEntry(
        "X-BDCNN (balanced)",
        "xbdcnn",
        BALANCED,
        "X-BDCNN",
        budget_factor=3,
        optimiser={"batch_size": 8},
    ),
    "specialist": ZooEntry("Successor (specialist)", "successor", replace(FULL, noise="paper")),
    "generalist": ZooEntry("Successor (generalist)", "successor", FULL),
    "tiny": ZooEntry("Successor (tiny)", "successor", TINY),
}
"""Networks by the name that `load_pretrained` takes, in the order of the tables."""

ESTIMATORS: dict[str, ZooEntry] = {
    ESTIMATOR: ZooEntry("Level estimator", "estimator", EstimatorRecipe()),
}
"""Networks that can be trained and restore nothing: the level estimator of all successors."""


def find_entry(name: str) -> ZooEntry:
    """Return the entry of a network; XbdcnnError, which lists the names, if there is none."""
    known = ZOO | ESTIMATORS
    if name not in known:
        raise XbdcnnError(f"unknown network {name!r}; choose from {', '.join(known)}")
    return known[name]


def shipped_names() -> list[str]:
    """Return the names of the networks with shipped weights, in table order."""
    recorded = checksums()
    return [name for name in ZOO if f"{name}.safetensors" in recorded]
