"""What each disputed choice changes when it alone is flipped: short trainings, and full ones."""

from __future__ import annotations

import pandas as pd

from xbdcnn import paper
from xbdcnn.inference.weights import read_weights, shipped_path
from xbdcnn.study.audit.ledger import Finding
from xbdcnn.study.trials import SERIES, effects

TRIALS = SERIES["flips"]
UNITS = {
    "val_psnr": ("PSNR", "{:+.2f}", " dB"),
    "val_ssim": ("SSIM", "{:+.4f}", ""),
    "val_eta_rmse": ("error of eta", "{:+.2f}", ""),
    "val_sigma_rmse": ("error of sigma", "{:+.2f}", " grey levels"),
}
"""Scores of a trial: name, format and unit of a difference."""

ABLATED = {"no SSIM loss": "X-BDCNN w/o SSIM loss", "no NLE": "X-BDCNN w/o the NLE"}
"""Trials that repeat an ablation of Table I, and its row there."""


def at_full_width() -> pd.DataFrame:
    """Scores of the trials that also exist as shipped weights, of full width and full budget.

    One row per trial with columns as in `trials.run_series`, from the headers of the weight files.
    """
    rows = []
    for trial in TRIALS:
        if not trial.recipe and not trial.config:
            header = read_weights(shipped_path(trial.network))[1]
            budget, scores = header["budget"], header["scores"]
            facts = {"trial": trial.label, "seed": budget["seed"], "patches": budget["patches"]}
            kept = {name: scores[name] for name in UNITS if name in scores}
            rows.append(facts | {"width": header["recipe"]["width"]} | kept)
    return pd.DataFrame(rows)


def side_by_side(
    trained: pd.DataFrame, full: pd.DataFrame, score: str = "val_psnr"
) -> pd.DataFrame:
    """Effect of every flip at half width, and at full width where that was trained.

    trained: from `trials.run_series`; full: from `at_full_width`. Columns as `trials.effects`,
    and `full_width`, nan where there is none.
    """
    wide = effects(full, score).rename(columns={"effect": "full_width"})
    return effects(trained, score).merge(wide[["trial", "full_width"]], "left", "trial")


def effect_of(trial: str, trained: pd.DataFrame, full: pd.DataFrame) -> str:
    """One flip in words: its effect on each score, PSNR with its interval over seeds."""
    parts = []
    for score, (name, form, unit) in UNITS.items():
        row = side_by_side(trained, full, score).set_index("trial").loc[trial]
        if pd.isna(row["effect"]):
            continue
        text = f"{name} {form.format(row['effect'])}{unit}"
        if score == "val_psnr":
            text += f" {certainty(row)}"
            if pd.notna(row["full_width"]):
                text += f" at half width and {row['full_width']:+.2f}{unit} at full width"
        parts.append(text)
    return ", ".join(parts)


def certainty(row: pd.Series) -> str:
    """The interval of an effect over seeds, in words; a single seed has none."""
    if row["seeds"] < 2:
        return "(one seed)"
    return f"[{row['low']:+.2f}, {row['high']:+.2f}] over {row['seeds']:.0f} seeds"


def ablation(trial: str, trained: pd.DataFrame, full: pd.DataFrame) -> Finding:
    """Is a part of X-BDCNN missed when it is left out, as Table I has it?

    Decided if the interval over seeds excludes zero and the training at full width agrees in sign.
    """
    row = side_by_side(trained, full).set_index("trial").loc[trial]
    whole, without = (paper.corrected(paper.TABLE_1[n]) for n in ("X-BDCNN", ABLATED[trial]))
    decided = row["low"] > 0 or row["high"] < 0
    disagree = pd.notna(row["full_width"]) and row["full_width"] * row["effect"] < 0
    verdict = "confirmed" if row["effect"] < 0 else "contradicted"
    return Finding(
        point=f"Ablation: {trial}",
        claim="the part that is left out boosts performance",
        equation=f"PSNR {without.psnr - whole.psnr:+.2f} dB, SSIM {without.ssim - whole.ssim:+.4f} "
        "without it, one training each",
        choice="several seeds at equal budget, and one training at full width",
        evidence=f"without it PSNR on validation images changes by {row['effect']:+.2f} dB "
        f"{certainty(row)}, at full width by {row['full_width']:+.2f} dB",
        effect=effect_of(trial, trained, full),
        verdict=verdict if decided and not disagree else "undecidable",
        confidence="moderate",
    )


def released_recipe(trained: pd.DataFrame, full: pd.DataFrame) -> Finding:
    """Does it matter whether one trains as the text says or as the released code does?"""
    row = side_by_side(trained, full).set_index("trial").loc["as released"]
    apart = row["low"] > 0 or row["high"] < 0
    return Finding(
        point="Released code against text, as a whole",
        claim="tacitly, as the first author published it, the code is that of the paper",
        choice="both are trained and stand in the tables",
        evidence=f"as released PSNR on validation images changes by {row['effect']:+.2f} dB "
        f"{certainty(row)}, at full width by {row['full_width']:+.2f} dB",
        effect=effect_of("as released", trained, full),
        verdict="contradicted" if apart else "undecidable",
        confidence="moderate",
    )
