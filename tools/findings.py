"""The findings in README.md, one sentence each, computed from figures/chestxray8."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from xbdcnn import paper
from xbdcnn.inference.zoo import ZOO
from xbdcnn.study import equal_dose
from xbdcnn.study.audit import image_draws
from xbdcnn.study.audit.reference_noise import gap_parts
from xbdcnn.study.audit.seed_findings import PARTS, effects_of
from xbdcnn.study.scoring import BEFORE
from xbdcnn.study.statistics import paired_differences

BALANCED, GENERALIST = (ZOO[name].label for name in ("xbdcnn", "generalist"))
RIVAL = "GAT+BM3D"
WORDS = {"higher": "a gain", "lower": "a loss", "undecided": "undecided"}
"""Effect of a part, by the order of the full network relative to the one without it."""
OBSERVERS = ("matched ratio", "hotelling ratio")
"""Scores of `equal_dose.summarise`: d' relative to the noisy image, for two model observers."""


def findings(folder: Path) -> str:
    """Render all findings as a Markdown list."""
    x_bdcnn = f"**X-BDCNN and its parts.** {rank(folder)} {parts(folder)}"
    sentences = (columns(), noise(folder), weak_bm3d(folder), x_bdcnn, detection(folder))
    return "\n".join(f"- {sentence}" for sentence in sentences)


def columns() -> str:
    """State that SNR and PSNR are exchanged in the rows of the networks."""
    printed = paper.TABLE_1["X-BDCNN"]
    true = paper.corrected(printed)
    return (
        f"**The columns SNR and PSNR of the paper are exchanged.** X-BDCNN's printed PSNR of "
        f"{printed.psnr:.2f} dB is its SNR; its PSNR is {true.psnr:.2f} dB "
        f"({notebook('04_losses_and_metrics')})."
    )


def noise(folder: Path) -> str:
    """State how well the noise of Table II is reproduced, and that its physics is not."""
    table = pd.read_csv(folder / "table_2.csv")
    noisy = table[table["method"] == BEFORE]
    excess = noisy["psnr"] - noisy["corrected_psnr"]
    return (
        "**The noise of the paper can be reproduced, its photon physics cannot.** The PSNR of our "
        f"noisy images exceeds the printed one by {excess.min():.2f} to {excess.max():.2f} dB in "
        "the cells of Table II. But Eq. 1 gives white the most photons; in these radiographs it "
        "has the fewest, so that quantum noise depends on the grey level in another way "
        f"({notebook('01_noise_synthesis')})."
    )


def weak_bm3d(folder: Path) -> str:
    """State what BM3D gains in the paper and here."""
    table = pd.read_csv(folder / "table_1.csv").set_index("method")
    printed = table.loc["BM3D", "corrected_psnr"] - table.loc[BEFORE, "corrected_psnr"]
    ours = table.loc["BM3D", "psnr"] - table.loc[BEFORE, "psnr"]
    return (
        f"**The paper's BM3D gains about {ours - printed:.0f} dB less than ours.** In Table I it "
        f"gains {printed:.1f} dB over the noisy images, here, told the noise, {ours:.1f} dB "
        "([ledger](figures/ledger.md))."
    )


def rank(folder: Path) -> str:
    """State the lead of the best X-BDCNN over GAT+BM3D in the cells of Table II."""
    results = pd.read_csv(folder / "table_2_results.csv")
    rows = results[results["method"].isin([BALANCED, RIVAL])]
    cells = paired_differences(rows, RIVAL, ["eta", "sigma"])
    leads, ahead = cells["psnr"], (cells["psnr_low"] > 0).sum()
    return (
        f"The paper's network, trained with a loss that we balanced, {BALANCED}, minus {RIVAL}, "
        f"which is told the noise levels, is {leads.min():+.2f} to {leads.max():+.2f} dB in the "
        f"cells of Table II, with an interval over images above zero in {ahead} of {len(cells)} "
        f"(one training run; {notebook('06_tables')})."
    )


def parts(folder: Path) -> str:
    """State what the SSIM loss and the noise level estimator bring, with intervals over seeds."""
    effects = pd.read_csv(folder / "seeds_effects.csv")
    width = int(effects["width"].min())
    rows = [effects_of(reference, effects, width).loc["psnr"] for reference in PARTS]
    seeds = min(row["seeds"] for row in rows)
    ssim, nle = (
        f"{row['effect']:+.2f} dB [{row['low']:+.2f}, {row['high']:+.2f}], {WORDS[row['order']]}"
        for row in rows
    )
    return (
        f"What its parts bring, in {seeds} training runs of each network: the SSIM loss {ssim}, "
        f"the noise level estimation {nle} (PSNR of Table I, 95 % intervals over seeds and images; "
        f"width {width}, {rows[0]['patches']:,} patches, in the reading of the text with the "
        f"highest PSNR; {notebook('07_ablations')})."
    )


def detection(folder: Path) -> str:
    """State what denoising does to faint signals, in noisy and in ordinary radiographs."""
    ratios = detectability_ratios(pd.read_csv(folder / "audit_detectability.csv"))
    worse, better = (ratios["high"] < 1).sum(), (ratios["low"] > 1).sum()
    discs = pd.read_csv(folder / "audit_discs.csv").query("origin == 'test radiographs'")
    kept = discs.groupby("method")["detectability"].median()
    doses, methods = (ratios[name].nunique() for name in ("eta", "method"))
    by_chance = equal_dose.INTERVAL[0] / 100 * len(ratios)
    checks, observers = notebook("12_your_own_radiograph"), notebook("13_detectability")
    return (
        "**A better picture did not make faint signals easier to detect.** For discs and nodules "
        f"at {doses} doses and {len(OBSERVERS)} model observers, the detectability d' after "
        f"denoising by {methods} methods is {ratios['value'].min():.2f} to "
        f"{ratios['value'].max():.2f} times that before: its 95 % interval is below 1 in {worse} "
        f"of {len(ratios)} cases and above 1 in {better} (by chance alone {by_chance:.0f} each; "
        f"{observers}). In ordinary test radiographs, whose anatomy the observer does "
        f"not know, the median disc keeps {kept[BALANCED]:.2f} of its detectability with X-BDCNN, "
        f"trained on strong noise only, and {kept[GENERALIST]:.2f} with the generalist, a network "
        f"of ours for weak noise, too ({checks}; one training run per network)."
    )


def detectability_ratios(rows: pd.DataFrame) -> pd.DataFrame:
    """Return d' of two observers relative to the noisy image: method, value, low, high."""
    parts = [equal_dose.summarise(rows, signal) for signal in rows["signal"].unique()]
    table = pd.concat(parts)
    return table[(table["method"] != BEFORE) & table["score"].isin(OBSERVERS)]


def gap(folder: Path) -> str:
    """State by how much our gain is below the paper's, and what explains how much of it."""
    draws = pd.read_csv(folder / "audit_draws.csv")
    parts = gap_parts(draws, pd.read_csv(folder / "audit_references.csv"))
    tens = image_draws.random_tens(draws, image_draws.MATCHING_DRAWS)
    matched = tens.matching(image_draws.printed_traits())
    places = image_draws.place_in_draws(matched, image_draws.printed_gains())
    reached = 1 - places["quantile"].min()
    return (
        f"In Table II {BALANCED} gains {spread(parts['gap'])} dB less than the paper's network. "
        f"The noise of our references costs at least {spread(parts['noise_least'])} dB, but "
        "explains less than that of the difference, since the paper's references have noise, too. "
        "The choice of images hardly explains it: of random sets of ten of ours that are as "
        f"bright as the paper's ten, at most {100 * reached:.1g} % reach its gain. How much the "
        f"smaller training budget explains, we cannot separate ({notebook('06_tables')})."
    )


def spread(values: pd.Series) -> str:
    """Format the smallest and the largest of some values."""
    return f"{values.min():.1f} to {values.max():.1f}"


def notebook(stem: str) -> str:
    """Return a Markdown link to a notebook, with its number as text."""
    return f"[{stem[:2]}](notebooks/{stem}.ipynb)"
