"""Statistics of scores: means with bootstrap intervals, paired differences, Student's t."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import bootstrap, t

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.scoring import SCORES


def summarise(results: pd.DataFrame, by: Sequence[str] = ("method",)) -> pd.DataFrame:
    """Average each score per group, with 95 % bootstrap intervals of psnr and ssim.

    Cases cut from the same radiograph are not independent, so the scores are first averaged per
    radiograph and the bootstrap resamples radiographs.

    results: rows of `scoring.evaluate`. Returns one row per group, in the order of `results`, with
    the median of `seconds` and the number of `images` (radiographs) and `cases`.
    """
    rows = []
    for key, group in results.groupby(list(by), sort=False):
        per_image = group.groupby("image")[[*SCORES, "seconds"]].mean()
        row = dict(zip(by, key, strict=True)) | per_image.mean().to_dict()
        row["seconds"] = group["seconds"].median()
        for name in ("psnr", "ssim"):
            row[f"{name}_low"], row[f"{name}_high"] = bootstrap_interval(per_image[name])
        rows.append(row | {"images": len(per_image), "cases": len(group)})
    return pd.DataFrame(rows)


def paired_differences(
    results: pd.DataFrame, reference: str, by: Sequence[str] = ("method",)
) -> pd.DataFrame:
    """Average the differences of every method to `reference` on the same noisy images.

    Returns the columns of `summarise`, in which the scores are differences; `seconds` remain those
    of each method. XbdcnnError if the reference is not among the results.
    """
    if reference not in set(results["method"]):
        raise XbdcnnError(f"{reference!r} is not in the results; choose from {methods_in(results)}")
    base = results[results["method"] == reference].set_index("case")[list(SCORES)]
    others = results[results["method"] != reference].set_index("case")
    difference = others[list(SCORES)] - base.reindex(others.index)
    return summarise(others.assign(**difference).reset_index(), by)


def methods_in(results: pd.DataFrame) -> list[str]:
    """Return the labels of the methods in the order of the rows."""
    return list(dict.fromkeys(results["method"]))


def bootstrap_interval(values: Iterable[float], resamples: int = 2000) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean; nan for fewer than two values."""
    sample = np.asarray(list(values), np.float64)
    if len(sample) < 2:
        return np.nan, np.nan
    result = bootstrap(
        (sample,), np.mean, n_resamples=resamples, method="percentile", rng=np.random.default_rng(0)
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def student_interval(values: Iterable[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean by Student's t; nan for fewer than two values."""
    sample = np.asarray(list(values), np.float64)
    if len(sample) < 2:
        return np.nan, np.nan
    half_width = t.ppf(0.975, len(sample) - 1) * sample.std(ddof=1) / np.sqrt(len(sample))
    return float(sample.mean() - half_width), float(sample.mean() + half_width)
