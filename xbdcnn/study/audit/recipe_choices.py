"""Effect of each ambiguous choice of the paper by itself, in short and in full training runs."""

from __future__ import annotations

import pandas as pd

from xbdcnn import paper
from xbdcnn.study.audit.ledger import Finding, measured
from xbdcnn.study.results import available, table
from xbdcnn.study.series import SERIES
from xbdcnn.study.trials import effects

TRIALS = SERIES["choices"]

LEVEL = 0.05
"""Probability with which an interval of 95 % excludes zero if there is no effect."""

UNITS = {
    "val_psnr": ("PSNR", "{:+.2f}", " dB"),
    "val_ssim": ("SSIM", "{:+.4f}", ""),
    "val_eta_rmse": ("error of eta", "{:+.2f}", ""),
    "val_sigma_rmse": ("error of sigma", "{:+.2f}", " grey levels"),
}
"""Scores of a trial: name, format and unit of a difference."""

ABLATED = {"no SSIM loss": "X-BDCNN w/o SSIM loss", "no NLE": "X-BDCNN w/o the NLE"}
"""Trials that correspond to an ablation of Table I, and its row there."""


def full_width_scores() -> pd.DataFrame:
    """Select the trials that were trained at full width and budget from the recorded training runs.

    Returns one row per trial and seed: trial, and the columns of `trainings.csv`, see
    tools/ship.py.
    """
    labels = {trial.network: trial.label for trial in TRIALS if not trial.recipe | trial.config}
    recorded = table("trainings").set_index("network")
    rows = [recorded.loc[[name]].assign(trial=label) for name, label in labels.items()]
    return pd.concat(rows).reset_index()


def effects_at_both_widths(
    trained: pd.DataFrame, full: pd.DataFrame, score: str = "val_psnr"
) -> pd.DataFrame:
    """Compute the effect of every choice at half width, and at full width where available.

    trained: from `trials.run_series`; full: from `full_width_scores`. Returns the columns of
    `trials.effects` and `full_width`, nan where not trained.
    """
    wide = effects(full, score).rename(columns={"effect": "full_width"})
    return effects(trained, score).merge(wide[["trial", "full_width"]], "left", "trial")


def effect_text(trial: str, trained: pd.DataFrame, full: pd.DataFrame) -> str:
    """Describe the effect of one choice on each score, with the interval of PSNR over seeds."""
    parts = []
    for score, (name, form, unit) in UNITS.items():
        compared = effects_at_both_widths(trained, full, score)
        row = compared.set_index("trial").loc[trial]
        if pd.isna(row["effect"]):
            continue
        text = f"{name} {form.format(row['effect'])}{unit}"
        if score == "val_psnr":
            text += f" {interval_text(row, len(compared))}"
            if pd.notna(row["full_width"]):
                text += f" at half width and {row['full_width']:+.2f}{unit} at full width"
        parts.append(text)
    return ", ".join(parts)


READING = "trials_reading"
"""Table of the trials of what the text leaves open about the training of X-BDCNN as written."""


def reading_text(trial: str, full: pd.DataFrame) -> str:
    """Describe the effect of a trial of the series "reading", or state that it is not measured."""
    if not available(READING):
        return (
            f"not measured: figures/chestxray8 has no {READING}.csv, which `xbdcnn trials reading` "
            "writes"
        )
    return effect_text(trial, table(READING), full)


def interval_text(row: pd.Series, compared: int = 1) -> str:
    """Describe the interval of an effect over seeds; a single seed has none.

    compared: number of effects of the series. If the interval excludes zero, but not after
    Bonferroni's correction for them, the text says so.
    """
    if row["seeds"] < 2:
        return "(one seed)"
    text = f"[{row['low']:+.2f}, {row['high']:+.2f}] over {row['seeds']:.0f} seeds"
    if row["p"] < LEVEL <= compared * row["p"]:
        text += f", not significant among {compared} choices"
    return text


def multiplicity_text(effect_table: pd.DataFrame) -> str:
    """State how many effects are decided, how many would be by chance, and Bonferroni's correction.

    effect_table: from `effects_at_both_widths`.
    """
    count, smallest = len(effect_table), float(effect_table["p"].min())
    decided = int((effect_table["p"] < LEVEL).sum())
    return (
        f"{decided} of {count} intervals of 95 % exclude zero, {LEVEL * count:.1f} are expected to "
        f"if no choice has an effect; the smallest p is {smallest:.3f}, after Bonferroni's "
        f"correction for {count} comparisons {min(1.0, count * smallest):.2f}"
    )


def ablation(trial: str, trained: pd.DataFrame, full: pd.DataFrame) -> Finding:
    """Check whether omitting a part of X-BDCNN reduces the PSNR, as in Table I.

    Decided if the interval over seeds excludes zero and the effect at full width has the same sign.
    """
    row = effects_at_both_widths(trained, full).set_index("trial").loc[trial]
    whole, without = (paper.corrected(paper.TABLE_1[n]) for n in ("X-BDCNN", ABLATED[trial]))
    decided = row["low"] > 0 or row["high"] < 0
    disagree = pd.notna(row["full_width"]) and row["full_width"] * row["effect"] < 0
    return Finding(
        point=f"Ablation: {trial}",
        part="our measurements",
        claim="the omitted part improves the performance",
        equation=f"PSNR {without.psnr - whole.psnr:+.2f} dB, SSIM {without.ssim - whole.ssim:+.4f} "
        "without it, one training run each",
        choice="several seeds at equal budget, and one training run at full width",
        evidence=f"without it PSNR on validation images changes by {row['effect']:+.2f} dB "
        f"{interval_text(row)}, at full width by {row['full_width']:+.2f} dB",
        effect=effect_text(trial, trained, full),
        verdict=measured(row["effect"] < 0 if decided and not disagree else None),
        confidence="moderate",
    )


def released_recipe(trained: pd.DataFrame, full: pd.DataFrame) -> Finding:
    """Check whether training as released differs from training as described in the text."""
    row = effects_at_both_widths(trained, full).set_index("trial").loc["as released"]
    decided = row["low"] > 0 or row["high"] < 0
    return Finding(
        point="Released code against text, as a whole",
        part="our measurements",
        claim="implicitly, the code published by the first author is that of the paper",
        choice="both are trained, in short runs and at full width",
        evidence=f"as released, PSNR on validation images changes by {row['effect']:+.2f} dB "
        f"{interval_text(row)}, at full width by {row['full_width']:+.2f} dB",
        effect=effect_text("as released", trained, full),
        verdict=measured(False if decided else None),
        confidence="moderate",
    )
