"""Findings that follow from the printed tables, alone or with a few real radiographs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn import metrics, paper
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.ledger import Finding, Verdict, measured

Table1 = dict[str, paper.Scores]
Table2 = dict[tuple[float, float], dict[str, paper.Scores]]

FULL, WITHOUT_SSIM, WITHOUT_NLE = "X-BDCNN", "X-BDCNN w/o SSIM loss", "X-BDCNN w/o the NLE"
COMPARED = ("BM3D", "DnCNN", "X-ReCNN")
"""Methods that the paper compares with X-BDCNN."""


def swapped_columns(table_1: Table1 = paper.TABLE_1, table_2: Table2 = paper.TABLE_2) -> Finding:
    """Count the printed rows with SNR > PSNR, which is impossible for images and their means."""
    cells = [*table_1.values(), *(scores for row in table_2.values() for scores in row.values())]
    impossible = sum(map(paper.columns_are_swapped, cells))
    rows = [name for name, scores in table_1.items() if paper.columns_are_swapped(scores)]
    printed, corrected = table_1[FULL].psnr, paper.corrected(table_1[FULL]).psnr
    return Finding(
        point="SNR and PSNR columns",
        part="printed tables",
        claim="the columns contain SNR and PSNR as their headings say",
        equation=f"SNR above PSNR in {', '.join(rows) or 'no row'} of Table I, and in "
        f"{impossible - len(rows)} of {len(cells) - len(table_1)} cells of Table II",
        released="prints PSNR, SNR, SSIM in this order (`test.py`)",
        choice="exchange the two values where SNR > PSNR",
        evidence=f"SNR > PSNR, which is impossible, in {impossible} of {len(cells)} printed rows",
        effect=f"PSNR of X-BDCNN in Table I: {corrected:.2f} dB instead of {printed:.2f} dB",
        verdict="self-contradiction" if impossible else "consistent",
        confidence="certain",
    )


def psnr_snr_gaps(table_2: Table2 = paper.TABLE_2) -> NDArray[np.float64]:
    """Return |SNR - PSNR| = 20 log10(255 / rms) in dB for every row of Table II."""
    cells = [scores for row in table_2.values() for scores in row.values()]
    return np.array([abs(scores.snr - scores.psnr) for scores in cells])


def rms_of_images(results: pd.DataFrame) -> pd.Series:
    """Compute the root mean square in grey levels of each test image from its PSNR and SNR.

    PSNR - SNR = 20 log10(255 / rms) for every method. results: rows of `scoring.evaluate`. Returns
    a series indexed by the names of the images.
    """
    gap = (results["psnr"] - results["snr"]).groupby(results["image"]).mean()
    return GREY_LEVELS * 10 ** (-gap / 20)


def constant_gap(
    rms: Sequence[float], table_2: Table2 = paper.TABLE_2, unit: str = "radiographs"
) -> Finding:
    """Check whether PSNR - SNR in Table II is constant and plausible for ten chest radiographs.

    rms: root mean squares of real radiographs in grey levels, from `rms_of_images`; unit: name of
    the images, see `Source.unit`.
    """
    found = psnr_snr_gaps(table_2)
    implied = GREY_LEVELS * 10 ** (-found.mean() / 20)
    low, high = np.min(rms), np.max(rms)
    constant, fits = np.ptp(found) < 1e-3, bool(low <= implied <= high)
    verdict: Verdict = measured(fits) if constant else "self-contradiction"
    return Finding(
        point="Gap between SNR and PSNR in Table II",
        part="our measurements",
        claim="all nine cells contain the same ten radiographs",
        equation=f"difference from {found.min():.4f} to {found.max():.4f} dB",
        choice="interpret the difference as 20 log10(255 / rms) of the images",
        evidence=f"the mean difference of {len(found)} rows implies an rms of {implied:.1f} grey "
        f"levels; {len(rms)} {unit} have {low:.0f} to {high:.0f}",
        verdict=verdict,
        confidence="high",
    )


def mean_and_pooled_gaps(
    pairs: Mapping[str, Sequence[tuple[NDArray, NDArray]]],
) -> tuple[list[float], list[float]]:
    """Compute mean PSNR minus SNR in dB of several methods, with SNR per image and pooled.

    pairs: by method, (restored, clean) of equal shape (H, W), with the same clean images in the
    same order. Returns one value per method with the SNR averaged over images, and one with the
    SNR of the pooled squares.
    """
    per_image, pooled = [], []
    for chosen in pairs.values():
        restored, clean = (np.stack(images) for images in zip(*chosen, strict=True))
        psnr = np.mean(metrics.psnr(restored, clean))
        per_image.append(float(psnr - np.mean(metrics.snr(restored, clean))))
        pooled.append(float(psnr - metrics.snr_pooled(restored, clean)))
    return per_image, pooled


def pooled_snr(
    per_image: Sequence[float], pooled: Sequence[float], table_1: Table1 = paper.TABLE_1
) -> Finding:
    """Check whether the SNR of all rows of Table I was averaged in the same way.

    With a mean over images, PSNR - SNR is the same for every method, mean 20 log10(1 / rms). With
    pooled squares it is not, because bright patches are noisier and have more weight.

    per_image, pooled: PSNR - SNR of several methods on our patches, see `mean_and_pooled_gaps`.
    """
    gap = {name: abs(scores.snr - scores.psnr) for name, scores in table_1.items()}
    networks = [gap[name] for name in gap if paper.columns_are_swapped(table_1[name])]
    others = [gap[name] for name in gap if not paper.columns_are_swapped(table_1[name])]
    spread = np.ptp(networks) if networks else 0.0
    return Finding(
        point="How Table I averages SNR",
        part="printed tables",
        claim="SNR is the average over the test set for all methods",
        equation=f"PSNR - SNR is {min(networks, default=0):.2f} to "
        f"{max(networks, default=0):.2f} dB for the networks, and "
        f"{', '.join(f'{other:.3f}' for other in others)} dB for the other rows",
        released="SNR from the pooled squares of 32 patches, PSNR averaged over patches "
        "(`test.py`)",
        choice="average both over images; `metrics.snr_pooled` for comparison",
        evidence=f"PSNR - SNR of the networks varies by {spread:.2f} dB, which means over the same "
        "patches exclude, and deviates by up to "
        f"{max(others) - min(networks, default=0):.2f} dB from that of the other rows",
        effect=f"on our patches it varies between methods by {np.ptp(per_image):.4f} dB if "
        f"averaged per image and by {np.ptp(pooled):.2f} dB if pooled",
        verdict="self-contradiction" if spread > 1e-3 else "consistent",
        confidence="high",
    )


def argument_for_the_nle(table_1: Table1 = paper.TABLE_1) -> Finding:
    """Check whether the printed rows support the conclusion of Sec. III-B that an NLE is necessary.

    The text infers it from the lead of the network without the NLE over the other methods, which is
    a lead of a network that has none.
    """
    psnr = {name: paper.corrected(scores).psnr for name, scores in table_1.items()}
    rival = max(COMPARED, key=lambda name: psnr[name])
    with_nle, without = psnr[FULL] - psnr[rival], psnr[WITHOUT_NLE] - psnr[rival]
    return Finding(
        point="Argument for the NLE",
        part="printed tables",
        claim="the network without the NLE is better than the other methods, therefore an NLE is "
        "necessary (Sec. III-B)",
        choice="judge a part by the difference between the networks with and without it",
        evidence=f"the lead over {rival} is {with_nle:.2f} dB with the NLE and {without:.2f} dB "
        "without it; a lead of the network without the NLE cannot be an effect of the NLE",
        verdict="self-contradiction" if without > 0 else "consistent",
        confidence="certain",
    )


def number_of_runs(between_seeds: float, table_1: Table1 = paper.TABLE_1) -> Finding:
    """Compare the printed effects of the ablations with the variation between training runs.

    between_seeds: standard deviation in dB of the PSNR of one network of ours over training runs.
    It agrees if both effects exceed the standard deviation of the difference of two runs.
    """
    psnr = {name: paper.corrected(scores).psnr for name, scores in table_1.items()}
    effects = [psnr[FULL] - psnr[name] for name in (WITHOUT_SSIM, WITHOUT_NLE)]
    of_difference = math.sqrt(2) * between_seeds
    return Finding(
        point="Number of training runs",
        part="our measurements",
        claim="implicitly, the effects of the NLE and the SSIM loss exceed the variation between "
        "training runs, of which neither the number nor the seeds are stated",
        equation=f"one value per network, which imply effects of {effects[0]:.2f} dB (SSIM loss) "
        f"and {effects[1]:.2f} dB (NLE)",
        released="one seed for weights and order of the patches; the noise is drawn without a seed "
        "(`train.py`, `utils`)",
        choice="state the number of training runs with every comparison",
        evidence=f"the printed effects are {effects[0]:.2f} and {effects[1]:.2f} dB; training runs "
        "of one network of ours that differ in the seed alone have a standard deviation of "
        f"{between_seeds:.2f} dB, hence {of_difference:.2f} dB for the difference of two (half "
        "width, short training; longer training may vary less)",
        # Runs of full width and budget may vary less, so that ours cannot disagree.
        verdict=measured(True if min(effects) > of_difference else None),
        confidence="low",
    )


def training_time(
    gigaflops: float, hours: float = paper.TRAINING_HOURS, peak_teraflops: float = 13.45
) -> Finding:
    """Check whether one GPU can do the described training in the stated time.

    gigaflops: operations of one forward pass of a patch; a training step takes about three times
    as many. hours: stated training time. peak_teraflops: float32 peak of an RTX 2080 Ti at boost
    clock, according to the manufacturer.
    """
    patches = paper.PATCHES * paper.SPLIT_RATIO[0] / sum(paper.SPLIT_RATIO) * sum(paper.EPOCHS)
    rate = patches / (hours * 3600)
    share = 3 * gigaflops * rate / 1000 / peak_teraflops
    return Finding(
        point="30 hours of training",
        part="printed tables",
        claim="about 30 hours on one GTX 2080 Ti (its name is RTX 2080 Ti)",
        choice="record patches, time and machine of every training run in its weight file",
        evidence=f"{rate:.0f} patches per second, {3 * gigaflops * rate / 1000:.1f} TFLOP/s, "
        f"{share:.0%} of the peak of the GPU",
        verdict="consistent" if share < 0.8 else "self-contradiction",
        confidence="moderate",
    )
