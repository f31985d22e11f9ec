"""Points that follow from the printed tables alone, or from them and a few real radiographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn import metrics, paper
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.audit.ledger import Finding

Table1 = dict[str, paper.Scores]
Table2 = dict[tuple[float, float], dict[str, paper.Scores]]

BEFORE, FULL = "Before Denoising", "X-BDCNN"
COMPARED = ("BM3D", "DnCNN", "X-ReCNN")
"""The methods that Sec. III lists after announcing `ANNOUNCED` of them."""
ANNOUNCED = 4


def swapped_columns(table_1: Table1 = paper.TABLE_1, table_2: Table2 = paper.TABLE_2) -> Finding:
    """Is SNR printed above PSNR anywhere? No image and no mean over images can have that."""
    cells = [*table_1.values(), *(scores for row in table_2.values() for scores in row.values())]
    impossible = sum(map(paper.columns_are_swapped, cells))
    rows = [name for name, scores in table_1.items() if paper.columns_are_swapped(scores)]
    printed, read = table_1[FULL].psnr, paper.corrected(table_1[FULL]).psnr
    return Finding(
        point="SNR and PSNR columns",
        claim="SNR and PSNR as the column heads name them",
        equation=f"SNR above PSNR in {', '.join(rows) or 'no row'} of Table I, and in "
        f"{impossible - len(rows)} of {len(cells) - len(table_1)} cells of Table II",
        released="prints PSNR, SNR, SSIM in this order",
        choice="exchange the two where SNR > PSNR",
        evidence=f"SNR > PSNR, which is impossible, in {impossible} of {len(cells)} printed rows",
        effect=f"PSNR of X-BDCNN in Table I: {read:.2f} dB instead of {printed:.2f} dB",
        verdict="contradicted" if impossible else "confirmed",
        confidence="certain",
    )


def gaps(table_2: Table2 = paper.TABLE_2) -> NDArray[np.float64]:
    """|SNR - PSNR| in dB of every cell of Table II; 20 log10(255 / rms) of its ten images."""
    cells = [scores for row in table_2.values() for scores in row.values()]
    return np.array([abs(scores.snr - scores.psnr) for scores in cells])


def rms_of_images(results: pd.DataFrame) -> pd.Series:
    """Root mean square in grey levels of each test image, by its name, from its PSNR and SNR.

    results: rows of `evaluation.evaluate`; all methods share the gap 20 log10(255 / rms).
    """
    gap = (results["psnr"] - results["snr"]).groupby(results["image"]).mean()
    return GREY_LEVELS * 10 ** (-gap / 20)


def constant_gap(
    rms: Sequence[float], table_2: Table2 = paper.TABLE_2, unit: str = "radiographs"
) -> Finding:
    """Does the gap between the columns behave like the brightness of ten chest radiographs?

    rms: root mean squares of real radiographs in grey levels, from `rms_of_images`; unit: what
    they are, see `Source.unit`.
    """
    found = gaps(table_2)
    implied = GREY_LEVELS * 10 ** (-found.mean() / 20)
    low, high = np.min(rms), np.max(rms)
    fits = np.ptp(found) < 1e-3 and low <= implied <= high
    return Finding(
        point="Gap between SNR and PSNR in Table II",
        claim="the same ten radiographs in all nine cells",
        equation=f"gap from {found.min():.4f} to {found.max():.4f} dB",
        choice="read the gap as 20 log10(255 / rms) of the images",
        evidence=f"one constant for {len(found)} cells, which implies an rms of {implied:.1f} grey "
        f"levels; {len(rms)} {unit} have {low:.0f} to {high:.0f}",
        verdict="confirmed" if fits else "contradicted",
        confidence="high",
    )


def gaps_both_ways(
    pairs: Mapping[str, Sequence[tuple[NDArray, NDArray]]],
) -> tuple[list[float], list[float]]:
    """Mean PSNR minus SNR in dB of several methods, SNR averaged per image and pooled.

    pairs: by method, (restored, clean) of equal shape (H, W), the clean ones in the same order.
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
    """Was the SNR of all rows of Table I averaged in the same way?

    A mean over images gives every method the same gap, mean 20 log10(1 / rms); pooling the
    squares of a batch does not, because bright patches are noisier and weigh more.

    per_image, pooled: gaps that several methods get on our patches, from `gaps_both_ways`.
    """
    gap = {name: abs(scores.snr - scores.psnr) for name, scores in table_1.items()}
    networks = [gap[name] for name in gap if paper.columns_are_swapped(table_1[name])]
    others = [gap[name] for name in gap if not paper.columns_are_swapped(table_1[name])]
    spread = np.ptp(networks) if networks else 0.0
    return Finding(
        point="How Table I averages SNR",
        claim="the average SNR of the test set, for all methods",
        equation=f"gap {min(networks, default=0):.2f} to {max(networks, default=0):.2f} dB in the "
        f"rows of networks, {min(others):.3f} to {max(others):.3f} dB in the others",
        released="pools the squares of 32 patches for SNR, averages PSNR per patch",
        choice="average both per image; `metrics.snr_pooled` is there to compare",
        evidence=f"gaps of the networks spread by {spread:.2f} dB; on our patches those of "
        f"different methods spread by {np.ptp(per_image):.4f} dB averaged per image and by "
        f"{np.ptp(pooled):.2f} dB pooled",
        effect=f"SNR of the networks off by up to {max(others) - min(networks, default=0):.2f} dB "
        "against the other rows",
        verdict="contradicted" if spread > 1e-3 else "confirmed",
        confidence="high",
    )


def best_everywhere(table_1: Table1 = paper.TABLE_1, table_2: Table2 = paper.TABLE_2) -> Finding:
    """Is X-BDCNN strictly best in SNR, PSNR and SSIM, in both tables?"""
    failures, compared = [], 0
    places = {"Table I": table_1} | {f"Table II {k}": v for k, v in table_2.items()}
    for place, rows in places.items():
        for field in ("snr", "psnr", "ssim"):
            ours = getattr(paper.corrected(rows[FULL]), field)
            others = [
                name
                for name, scores in rows.items()
                if name != FULL and getattr(paper.corrected(scores), field) >= ours
            ]
            failures += [f"{place}, {field.upper()} of {name}" for name in others]
            compared += len(rows) - 1
    return Finding(
        point="X-BDCNN best in all metrics",
        claim="the best of all methods in average SNR, PSNR and SSIM",
        choice="bold only where a paired interval excludes zero",
        evidence=f"{len(failures)} of {compared} comparisons are not won: "
        f"{', '.join(failures) or 'none'}; no interval is printed",
        verdict="contradicted" if failures else "confirmed",
        confidence="certain",
    )


def running_times(table_1: Table1 = paper.TABLE_1) -> Finding:
    """Do the printed times bear out what the text says about them?"""
    times = {name: scores.seconds for name, scores in table_1.items() if scores.seconds}
    slowest, fastest = max(times, key=times.get), min(times, key=times.get)
    extra = times[FULL] - times["X-ReCNN"]
    holds = (slowest, fastest, round(extra, 3)) == ("BM3D", "X-ReCNN", 0.002)
    return Finding(
        point="Running times",
        claim="BM3D slowest, X-ReCNN fastest, X-BDCNN 0.002 s slower than that",
        choice="time all methods interleaved on one machine",
        evidence=f"slowest {slowest}, fastest {fastest}, difference {extra:.3f} s; by the text "
        "the networks ran on a GPU, which BM3D did not",
        verdict="confirmed" if holds else "contradicted",
        confidence="certain",
    )


def methods_counted(listed: Sequence[str] = COMPARED, announced: int = ANNOUNCED) -> Finding:
    """Does Sec. III compare as many methods as it says?"""
    return Finding(
        point="Number of compared methods",
        claim=f"{announced} existing methods are compared",
        choice="the listed ones, and GAT+BM3D, non-local means and total variation",
        evidence=f"{len(listed)} are listed: {', '.join(listed)}",
        verdict="confirmed" if len(listed) == announced else "contradicted",
        confidence="certain",
    )


def training_time(
    gigaflops: float, hours: float = paper.TRAINING_HOURS, peak_teraflops: float = 13.45
) -> Finding:
    """Can one GPU do the described training in the described time?

    gigaflops: one forward pass of a patch; a training step takes about three times that.
    peak_teraflops: float32 rate of an RTX 2080 Ti at boost clock, by its maker's data sheet.
    """
    patches = paper.PATCHES * paper.SPLIT_RATIO[0] / sum(paper.SPLIT_RATIO) * sum(paper.EPOCHS)
    rate = patches / (hours * 3600)
    share = 3 * gigaflops * rate / 1000 / peak_teraflops
    return Finding(
        point="30 hours of training",
        claim="about 30 hours on one GTX 2080 Ti (the card is called RTX 2080 Ti)",
        choice="state patches, time and machine of every training in its weight file",
        evidence=f"{rate:.0f} patches per second, {3 * gigaflops * rate / 1000:.1f} TFLOP/s, "
        f"{share:.0%} of the card's peak",
        verdict="confirmed" if share < 0.8 else "contradicted",
        confidence="moderate",
    )
