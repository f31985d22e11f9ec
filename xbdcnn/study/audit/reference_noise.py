"""How much of the error of a restored radiograph is the noise of the reference itself.

A reference r = g + n has noise of its own. A method that finds g is charged with n, and its squared
error grows by the variance of n. Averaging 2 x 2 pixels gives references with less noise but with
other structure at the scale of a pixel, so the effect of noise is measured by adding it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from xbdcnn import metrics
from xbdcnn.data.patches import central_crop
from xbdcnn.data.source import Source
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.image_draws import (
    CELLS,
    SIDE,
    highest_ten,
    printed_gains,
    random_tens,
)
from xbdcnn.study.audit.radiographs import halved
from xbdcnn.study.no_harm import Image, Method, own_noise
from xbdcnn.study.scoring import Case, noisy_image

AS_IT_IS, HALVED = "central field as it is", "halved"
"""References of equal size: without averaging, and the whole field after it."""

MULTIPLES = (1, 2)
"""White noise added to the halved reference, in multiples of the noise of the unhalved field."""


def scored_references(source: Source) -> pd.DataFrame:
    """Score X-BDCNN (balanced) on the radiographs of Table II; see `score_references`."""
    fields = (central_crop(image, SIDE) for image in source.images("table2"))
    return score_references(fields, load_pretrained("xbdcnn").denoise)


def score_references(fields: Iterable[Image], method: Method) -> pd.DataFrame:
    """Score a method against references with more and less noise of their own.

    fields: (H, W) float32 in [0, 1]; method: function of one noisy image. The noise of a cell is
    added to each reference, so that the task has the same levels for all of them.

    Returns:
        One row per field, reference of `references_of` and cell of `CELLS`: image, reference, added
        (standard deviation in grey levels of the noise added to the reference), noise_least and
        noise_most (limits of its noise, see `no_harm.own_noise`), eta, sigma, noisy (PSNR before),
        psnr in dB, and mse in squared grey levels.
    """
    rows: list[dict[str, Any]] = []
    for number, field in enumerate(tqdm(fields, desc="fields")):
        for label, (added, reference) in references_of(field, number).items():
            least, most = own_noise(reference)
            facts = {"image": f"table2-{number:02d}", "reference": label, "added": added}
            facts |= {"noise_least": least, "noise_most": most}
            rows += [facts | _score(method, reference, cell, number) for cell in CELLS]
    return pd.DataFrame(rows)


def references_of(field: Image, seed: int) -> dict[str, tuple[float, Image]]:
    """Return references of half the side by label, each with the noise added, in grey levels.

    The noise added is white, with the lower limit of the noise of the whole field as standard
    deviation, then with twice that, and the same random numbers. The sums are clipped to [0, 1].
    """
    half = halved(field)
    found = {AS_IT_IS: (0.0, central_crop(field, min(half.shape))), HALVED: (0.0, half)}
    own, _ = own_noise(field)
    white = np.random.default_rng(seed).normal(0, 1 / GREY_LEVELS, half.shape)
    for multiple in MULTIPLES:
        noisier = (half + multiple * own * white).clip(0, 1).astype(np.float32)
        found[f"{HALVED}, {multiple} x noise added"] = (multiple * own, noisier)
    return found


def _score(
    method: Method, reference: Image, cell: tuple[float, float], seed: int
) -> dict[str, float]:
    noisy = noisy_image(Case("", reference, *cell, seed))
    psnr = float(metrics.psnr(method(noisy), reference))
    before = float(metrics.psnr(noisy, reference))
    facts = {"eta": cell[0], "sigma": cell[1], "noisy": before, "psnr": psnr}
    return facts | {"mse": float(mean_squared_error(psnr))}


def mean_squared_error(psnr: Any) -> Any:
    """Return the mean squared error in squared grey levels of PSNR in dB, numbers or arrays."""
    return GREY_LEVELS**2 * 10 ** (-psnr / 10)


def charged_share(rows: pd.DataFrame) -> pd.DataFrame:
    """Measure which share of the variance of the reference's noise is added to the squared error.

    1: the method restores nothing of that noise, as an ideal one. 0: the method returns it.

    rows: of `score_references`. Returns one row per (eta, sigma) and one column per multiple of
    `MULTIPLES`: sum of the increases in mse over all fields / sum of the variances added. The
    columns are equal if the increase is proportional to the variance.
    """
    keys = ["image", "eta", "sigma"]
    base = rows[rows["reference"] == HALVED].set_index(keys)["mse"].rename("base")
    noisier = rows[rows["added"] > 0].join(base, on=keys)
    noisier = noisier.assign(increase=noisier["mse"] - noisier["base"], variance=noisier.added**2)
    sums = noisier.groupby(["eta", "sigma", "reference"], sort=False)[
        ["increase", "variance"]
    ].sum()
    share = (sums["increase"] / sums["variance"]).unstack()
    return share[list(dict.fromkeys(noisier["reference"]))].set_axis(MULTIPLES, axis=1)


def cost_of_noise(mse: NDArray, noise: NDArray, share: float) -> float:
    """Return by how many dB the PSNR against noise-free references would be higher.

    mse: mean squared errors (N,) in squared grey levels; noise: standard deviations (N,) of the
    references' noise in grey levels; share: see `charged_share`. The result refers to the mean of
    the squared errors; it is infinite if the noise would explain all of them.
    """
    total, charged = float(np.sum(mse)), share * float(np.square(noise).sum())
    return float(10 * np.log10(total / (total - charged))) if charged < total else np.inf


def reference_costs(rows: pd.DataFrame, draws: pd.DataFrame) -> pd.DataFrame:
    """Compute what the noise of the references costs in Table II.

    rows: of `score_references`; draws: of `image_draws.gains`, of which the whole radiographs of
    Table II are used.

    Returns:
        One row per (eta, sigma): share, the mean over the multiples of `charged_share`; least and
        most, the cost in dB for the lower and the upper limit of the radiographs' noise.
    """
    shares = charged_share(rows).mean(axis=1)
    table_2 = draws[draws["image"].str.startswith("table2")]
    found = {}
    for cell, part in table_2.groupby(["eta", "sigma"], sort=False):
        mse, share = mean_squared_error(part["psnr"].to_numpy()), float(shares[cell])
        limits = {
            name: cost_of_noise(mse, part[f"noise_{name}"].to_numpy(), share)
            for name in ("least", "most")
        }
        found[cell] = {"share": share} | limits
    return pd.DataFrame(found).T.rename_axis(["eta", "sigma"])


def gap_parts(draws: pd.DataFrame, references: pd.DataFrame) -> pd.DataFrame:
    """Collect the measured parts of the gap to the gain of the paper in Table II.

    The parts must not be added: radiographs with less noise of their own have a higher gain. The
    paper's references have noise as well, so the cost of noise is only an upper limit of its part.

    draws: of `image_draws.gains`; references: of `score_references`.

    Returns:
        One row per (eta, sigma), in dB: printed and ours, the gain of X-BDCNN in the paper and on
        our ten radiographs of Table II; gap, their difference; draw_sd, the standard deviation of
        the mean gain of random tens; highest, the excess of the ten images with the highest gain
        over ours; noise_least and noise_most, see `reference_costs`.
    """
    table_2 = draws[draws["image"].str.startswith("table2")]
    table = pd.DataFrame({"printed": printed_gains()})
    table["ours"] = table_2.groupby(["eta", "sigma"])["gain"].mean()
    table["gap"] = table["printed"] - table["ours"]
    table["draw_sd"] = random_tens(draws).gains.std()
    table["highest"] = highest_ten(draws) - table["ours"]
    costs = reference_costs(references, draws)[["least", "most"]]
    return table.join(costs.add_prefix("noise_"))
