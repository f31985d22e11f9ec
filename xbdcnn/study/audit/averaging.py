"""What a network gains if its results for turned and mirrored versions of an image are averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from xbdcnn import metrics
from xbdcnn.inference.pretrained import Pretrained
from xbdcnn.study.scoring import Case, noisy_image

VERSIONS = {1: (0,), 2: (0, 4), 8: tuple(range(8))}
"""Versions of an image that are averaged, see `turned`, by their number."""


def turned(image: NDArray, version: int) -> NDArray:
    """Return one of eight versions of an image: quarter turns 0 to 3; mirrored and turned 4 to 7.

    image: (H, W). Returns (H, W) or (W, H).
    """
    return np.rot90(image[:, ::-1] if version >= 4 else image, version % 4)


def turned_back(image: NDArray, version: int) -> NDArray:
    """Undo `turned`."""
    upright = np.rot90(image, -(version % 4))
    return upright[:, ::-1] if version >= 4 else upright


def psnr_by_versions(models: Mapping[str, Pretrained], cases: Sequence[Case]) -> pd.DataFrame:
    """Measure PSNR if the results for 1, 2 and 8 versions of a noisy image are averaged.

    models: networks by label. Returns one row per case, network and number of versions: image,
    method, versions, psnr in dB.
    """
    rows: list[dict[str, Any]] = []
    for case in tqdm(cases, desc="averaging"):
        noisy = noisy_image(case)
        for label, model in models.items():
            results = [turned_back(model.denoise(turned(noisy, v)), v) for v in VERSIONS[8]]
            for count, chosen in VERSIONS.items():
                mean = np.mean([results[v] for v in chosen], axis=0, dtype=np.float32)
                facts = {"image": case.image, "method": label, "versions": count}
                rows.append(facts | {"psnr": float(metrics.psnr(mean, case.clean))})
    return pd.DataFrame(rows)


def gains(rows: pd.DataFrame) -> pd.DataFrame:
    """Average the gain in PSNR over a single version; one row per method, one column per number."""
    mean = rows.groupby(["method", "versions"], sort=False)["psnr"].mean().unstack()
    return mean.sub(mean[1], axis=0).drop(columns=1)
