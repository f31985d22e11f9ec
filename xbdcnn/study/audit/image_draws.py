"""How much the choice of the ten radiographs of Table II changes the gain in PSNR.

The paper does not name its ten images. Every held-out radiograph is restored, and tens of them are
drawn at random, with or without the brightness that the printed values imply for the paper's ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from xbdcnn import metrics, paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.patches import central_crop
from xbdcnn.data.source import TABLE_2_COUNT, Source
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.noise import GREY_LEVELS, implied_mean
from xbdcnn.study.audit.printed_tables import psnr_snr_gaps
from xbdcnn.study.no_harm import Image, Method, own_noise
from xbdcnn.study.scoring import Case, noisy_image

CELLS = ((0.8, 5.0), (0.6, 10.0), (0.4, 15.0))
"""Cells of Table II with the smallest, a medium and the largest printed gain of X-BDCNN."""

HELD_OUT = ("table2", "test")
"""Splits without influence on training. With "table2" first, the noise of its images is that of
`scoring.table_2_cases`."""

SIDE = 1024
"""Largest side in pixels of the central field, which is that of Table II."""

DRAWS = 10_000
"""Tens that are drawn from all images."""

MATCHING_DRAWS = 200_000
"""Tens that are drawn to find those as bright as the paper's."""

FEWEST_MATCHES = 100
TOLERANCE = 3.0
"""Grey levels by which the mean and the root mean square of a matched ten may differ."""


def gains_of_radiographs(source: Source) -> pd.DataFrame:
    """Restore every held-out radiograph with X-BDCNN (balanced); see `gains`."""
    return gains(held_out(source), load_pretrained("xbdcnn").denoise)


def held_out(source: Source) -> Iterator[tuple[str, Image]]:
    """Yield name and central field of every radiograph of the splits `HELD_OUT`."""
    known = HELD_OUT if source.index is None else set(source.index["split"])
    for split in HELD_OUT:
        for number, image in enumerate(source.images(split) if split in known else []):
            yield f"{split}-{number:02d}", central_crop(image, SIDE)


def gains(radiographs: Iterable[tuple[str, Image]], method: Method) -> pd.DataFrame:
    """Measure the gain in PSNR of a method on each radiograph in the cells `CELLS`.

    radiographs: names and images, (H, W) float32 in [0, 1]. method: function of one noisy image.

    Returns:
        One row per radiograph and cell: image, mean and rms in grey levels, noise_least and
        noise_most (limits of its own noise, see `no_harm.own_noise`), eta, sigma, noisy (PSNR
        before), psnr and gain in dB.
    """
    rows: list[dict[str, Any]] = []
    places = list(paper.TABLE_2)
    for number, (name, image) in enumerate(tqdm(radiographs, desc="radiographs")):
        facts = {"image": name} | brightness(image)
        facts["noise_least"], facts["noise_most"] = own_noise(image)
        for cell in CELLS:
            seed = len(places) * number + places.index(cell)
            noisy = noisy_image(Case(name, image, *cell, seed))
            before = float(metrics.psnr(noisy, image))
            after = float(metrics.psnr(method(noisy), image))
            row = {"eta": cell[0], "sigma": cell[1], "noisy": before, "psnr": after}
            rows.append(facts | row | {"gain": after - before})
    return pd.DataFrame(rows)


def brightness(image: Image) -> dict[str, float]:
    """Return mean and root mean square in grey levels of (H, W) in [0, 1]."""
    grey = GREY_LEVELS * image.astype(np.float64)
    return {"mean": float(grey.mean()), "rms": float(np.sqrt(np.square(grey).mean()))}


class Tens(NamedTuple):
    """Averages over tens of radiographs, one row per ten."""

    traits: pd.DataFrame
    """In grey levels: mean; implied, the mean that the noisy PSNR implies; rms, from the gap
    between PSNR and SNR."""
    gains: pd.DataFrame
    """Mean gain in dB, one column per (eta, sigma)."""

    def matching(self, targets: Mapping[str, float], tolerance: float = TOLERANCE) -> Tens:
        """Keep the tens whose traits differ from the targets by at most the tolerance.

        Raises:
            XbdcnnError: fewer than `FEWEST_MATCHES` tens remain.
        """
        wanted = pd.Series(targets)
        close = ((self.traits[wanted.index] - wanted).abs() <= tolerance).all(axis=1)
        if close.sum() < FEWEST_MATCHES:
            raise XbdcnnError(
                f"{close.sum()} of {len(close)} tens match {dict(targets)} within {tolerance:g}; "
                "use a larger tolerance or other radiographs"
            )
        return Tens(self.traits[close], self.gains[close])


def random_tens(rows: pd.DataFrame, draws: int = DRAWS, seed: int = 0) -> Tens:
    """Draw tens of radiographs at random and average them, as Table II does.

    An image can occur repeatedly in a ten: the radiographs stand for all of ChestX-ray8, and tens
    without repetition from few images would vary too little.

    rows: of `gains`.
    """
    images = rows["image"].nunique()
    tens = np.random.default_rng(seed).integers(images, size=(draws, TABLE_2_COUNT))
    return average(rows, tens)


def average(rows: pd.DataFrame, tens: NDArray[np.integer]) -> Tens:
    """Average over groups of images, (groups, size) indices in the order of the rows."""
    order = list(dict.fromkeys(rows["image"]))
    wide = rows.pivot(index="image", columns=["eta", "sigma"], values=["noisy", "gain"]).loc[order]
    single = rows.drop_duplicates("image")
    gap = (20 * np.log10(GREY_LEVELS / single["rms"])).to_numpy()
    noisy = wide["noisy"].to_numpy()[tens].mean(axis=1)  # (groups, cells)
    means = [implied_mean(noisy[:, k], *cell) for k, cell in enumerate(wide["noisy"])]
    traits = {
        "mean": single["mean"].to_numpy()[tens].mean(axis=1),
        "implied": np.mean(means, axis=0),
        "rms": GREY_LEVELS * 10 ** (-gap[tens].mean(axis=1) / 20),
    }
    averaged = wide["gain"].to_numpy()[tens].mean(axis=1)
    return Tens(pd.DataFrame(traits), pd.DataFrame(averaged, columns=wide["gain"].columns))


def printed_traits() -> dict[str, float]:
    """Return the traits of the paper's ten radiographs that Table II implies, in grey levels.

    implied: mean that the noisy PSNR of the cells `CELLS` implies. It is below the arithmetic mean
    of the images, because decibels are averaged and white is clipped. rms: from PSNR - SNR.
    """
    means = [implied_mean(paper.TABLE_2_NOISY_PSNR[cell], *cell) for cell in CELLS]
    rms = GREY_LEVELS * 10 ** (-psnr_snr_gaps().mean() / 20)
    return {"implied": float(np.mean(means)), "rms": float(rms)}


def printed_gains() -> pd.Series:
    """Return the gain in dB of the paper's X-BDCNN in the cells `CELLS`, its columns exchanged."""
    gain = {
        cell: paper.corrected(paper.TABLE_2[cell]["X-BDCNN"]).psnr - paper.TABLE_2_NOISY_PSNR[cell]
        for cell in CELLS
    }
    return pd.Series(gain).rename_axis(["eta", "sigma"])


def highest_ten(rows: pd.DataFrame) -> pd.Series:
    """Return the mean gain in dB, by (eta, sigma), of the ten images with the highest gain."""
    order = rows.groupby("image")["gain"].mean().nlargest(TABLE_2_COUNT).index
    return rows[rows["image"].isin(order)].groupby(["eta", "sigma"])["gain"].mean()


def place_in_draws(tens: Tens, printed: pd.Series) -> pd.DataFrame:
    """Locate a printed gain in the distribution of the mean gain of tens.

    Returns:
        One row per (eta, sigma): tens (their number), mean, sd, and the limits low and high of the
        middle 95 %, in dB; printed; excess, printed - mean; quantile, the share of the tens whose
        gain is below the printed one; deviations, excess / sd.
    """
    table = tens.gains.agg(["count", "mean", "std"]).T
    table = table.set_axis(["tens", "mean", "sd"], axis=1)
    table["low"], table["high"] = tens.gains.quantile(0.025), tens.gains.quantile(0.975)
    table["printed"] = printed.reindex(table.index)
    table["excess"] = table["printed"] - table["mean"]
    table["quantile"] = (tens.gains < table["printed"]).mean()
    table["deviations"] = table["excess"] / table["sd"]
    return table
