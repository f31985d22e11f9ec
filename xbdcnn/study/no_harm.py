"""Whether a method damages a radiograph as it comes, to which no noise was added.

A method is a function of one image, (H, W) float32 in [0, 1], that returns the restored one; levels
or a strength are bound before, e.g. with `functools.partial`. Methods and images are given by
label. No clean image is needed; `study.dose` compares with images of less noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.measured_noise import noise_report, single_exposure
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.out_of_range import CONDITION
from xbdcnn.study.no_reference import (
    detectability,
    disc_centres,
    insert_discs,
    residual_structure,
)
from xbdcnn.study.scoring import BEFORE
from xbdcnn.study.statistics import bootstrap_interval, methods_in

Image = NDArray[np.float32]
Method = Callable[[Image], Image]

RADII = (2, 4, 8)
"""Radii in pixels of the inserted discs."""

CONTRASTS = (2.0, 4.0, 8.0, 16.0)
"""Contrasts of the inserted discs in grey levels."""

EDGE_SCALE = 1.0
"""Standard deviation in pixels of the Gaussian whose derivative is the gradient of an edge."""

EDGE_SHARE = 0.02
"""Share of the pixels, those with the largest gradient, that count as edges."""

CASE = ("image", "fraction", "radius", "contrast")
"""Columns that, as far as a table has them, tell which rows of two methods belong together."""


def residual_scores(images: Mapping[str, Image], methods: Mapping[str, Method]) -> pd.DataFrame:
    """Measure what each method removes from each image, which has its own noise only.

    Returns:
        One row per image and method:
        removed: standard deviation of image - restored, in grey levels.
        noise_least, noise_most: limits of the image's own noise in grey levels, see `own_noise`.
        anatomy, whiteness, offset: see `no_reference.Residual`.
        edges: contrast of edges that is kept, see `edges_kept`.
    """
    rows: list[dict[str, Any]] = []
    for name, image in images.items():
        least, most = own_noise(image)
        for label, method in methods.items():
            restored = method(image)
            rows.append(
                {
                    "image": name,
                    "method": label,
                    "removed": grey_levels_removed(image, restored),
                    "noise_least": least,
                    "noise_most": most,
                    **residual_structure(image, restored)._asdict(),
                    "edges": edges_kept(image, restored),
                }
            )
    return pd.DataFrame(rows)


def grey_levels_removed(image: Image, restored: Image) -> float:
    """std(f - g_hat) in grey levels."""
    return float(GREY_LEVELS * np.subtract(image, restored, dtype=np.float64).std())


def own_noise(image: Image) -> tuple[float, float]:
    """Lower and upper limit of the root mean square noise of an image, in grey levels.

    Lower: of the finest diagonal detail, `single_exposure`; anatomy hardly counts, and noise that
    is correlated between adjacent pixels is underestimated. Upper: of the quietest blocks,
    `noise_report`, whose correlation is accounted for; fine anatomy counts as noise. nan if the
    report is undetermined. The rounding of an 8-bit image, 0.29 grey levels, is part of its noise.
    """
    grey = GREY_LEVELS * np.asarray(image, np.float64)
    detail = single_exposure(grey).variance.mean()
    bins = noise_report(image).bins
    most = np.sqrt(bins.variance.mean()) if bins else np.nan
    return float(np.sqrt(max(detail, 0.0))), float(most)


def edges_kept(image: Image, restored: Image) -> float:
    """Share of the contrast of edges that is kept: sum(G g_hat . G f) / sum(G f . G f).

    G: gradient by derivatives of a Gaussian of `EDGE_SCALE`; the sums are over the `EDGE_SHARE` of
    the pixels with the largest gradient of f. It is the slope of the gradients after against those
    before: 1 if the edges are unchanged, below 1 if they are smoothed, above 1 if sharpened.
    Noise contributes to f, so that its removal lowers the share slightly.

    XbdcnnError for a constant image, which has no edges.
    """
    before, after = _gradient(image), _gradient(restored)
    strength = (before**2).sum(axis=0)
    if not strength.any():
        raise XbdcnnError("a constant image has no edges; use a radiograph")
    edge = strength >= np.quantile(strength, 1 - EDGE_SHARE)
    return float((before * after).sum(axis=0)[edge].sum() / strength[edge].sum())


def _gradient(image: Image) -> NDArray[np.float64]:
    """Derivatives of the smoothed image along y and x, (2, H, W)."""
    f = np.asarray(image, np.float64)
    return np.stack([gaussian_filter(f, EDGE_SCALE, order) for order in ((1, 0), (0, 1))])


def disc_scores(
    images: Mapping[str, Image],
    methods: Mapping[str, Method],
    radii: Sequence[int] = RADII,
    contrasts: Sequence[float] = CONTRASTS,
) -> pd.DataFrame:
    """Measure how detectable discs remain that are inserted before a method is applied.

    Returns:
        One row per image, method, radius (pixels) and contrast (grey levels):
        kept, d_prime: contrast that remains, and detectability after the method, see
        `no_reference.Detectability`.
        before: d' in the image itself.
        detectability: d_prime / before; 1 if the discs are as detectable as they were.
    """
    rows: list[dict[str, Any]] = []
    discs = [(radius, contrast) for radius in radii for contrast in contrasts]
    for name, image in images.items():
        before = {disc: disc_score(lambda f: f, image, image, *disc)["d_prime"] for disc in discs}
        for label, method in methods.items():
            restored = method(image)
            for disc in discs:
                facts = {"image": name, "method": label, "radius": disc[0], "contrast": disc[1]}
                score = disc_score(method, image, restored, *disc)
                ratio = {"detectability": score["d_prime"] / before[disc]}
                rows.append(facts | score | {"before": before[disc]} | ratio)
    return pd.DataFrame(rows)


def disc_score(
    method: Method, image: Image, restored: Image, radius: int, contrast: float
) -> dict[str, float]:
    """Return kept and d_prime of discs inserted into an image before the method is applied.

    restored: the image without discs after the method. Discs are clipped at white, as a radiograph
    is.
    """
    centres = disc_centres(image.shape, radius)
    marked = insert_discs(image, centres, radius, contrast).clip(0, 1)
    return detectability(restored, method(marked), centres, radius, contrast)._asdict()


def worse_than_noisy(rows: pd.DataFrame, method: str) -> pd.DataFrame:
    """List the conditions under which a method's mean PSNR is below that of the noisy image.

    rows: of `out_of_range.evaluate_conditions`. Returns one row per such condition, the worst
    first: eta, sigma, blur, gain, and the mean `lead` in dB over the noisy image, below 0. Empty if
    the method does no harm. XbdcnnError if it is not among the rows.
    """
    _require_method(rows, method)
    mean = rows.pivot_table(index=CONDITION, columns="method", values="psnr")
    lead = (mean[method] - mean[BEFORE]).rename("lead")
    return lead[lead < 0].sort_values().reset_index()


def average_scores(
    rows: pd.DataFrame, scores: Sequence[str], by: Sequence[str] = ("method",)
) -> pd.DataFrame:
    """Average scores per group, each with the 95 % bootstrap interval of its mean.

    Rows of the same image are not independent: they are averaged first, and images resampled.

    Returns one row per group: the columns `by`, the number of `images`, and NAME, NAME_low and
    NAME_high for each score. Undetermined scores (nan) are left out.
    """
    table = []
    for key, group in rows.groupby(list(by), sort=False):
        per_image = group.groupby("image")[list(scores)].mean()
        row = dict(zip(by, key, strict=True)) | {"images": len(per_image)}
        for name in scores:
            values = per_image[name].dropna()
            row[name] = values.mean()
            row[f"{name}_low"], row[f"{name}_high"] = bootstrap_interval(values)
        table.append(row)
    return pd.DataFrame(table)


def paired_scores(
    rows: pd.DataFrame, reference: str, scores: Sequence[str], by: Sequence[str] = ("method",)
) -> pd.DataFrame:
    """Average the differences of every other method to `reference` in the same `CASE`.

    Returns the columns of `average_scores`, in which the scores are differences. XbdcnnError if the
    reference is not among the rows.
    """
    _require_method(rows, reference)
    case = [name for name in CASE if name in rows]
    base = rows[rows["method"] == reference].set_index(case)[list(scores)]
    others = rows[rows["method"] != reference].set_index(case)
    difference = others[list(scores)] - base.reindex(others.index)
    return average_scores(others.assign(**difference).reset_index(), scores, by)


def _require_method(rows: pd.DataFrame, method: str) -> None:
    if method not in set(rows["method"]):
        raise XbdcnnError(f"{method!r} is not in the rows; choose from {methods_in(rows)}")
