"""Findings on the parts of X-BDCNN from training runs with several seeds, on the tables' images."""

from __future__ import annotations

import pandas as pd

from xbdcnn import paper
from xbdcnn.inference.zoo import find_entry
from xbdcnn.study.audit.ledger import Finding, measured

EFFECTS = "seeds_effects"
"""Table of the differences between networks over seeds and images, see `study.seeds.effects`."""

FULL = "xbdcnn-fairest"
PARTS = {"xbdcnn-fairest-without-ssim": "SSIM loss", "xbdcnn-fairest-without-nle": "NLE"}
"""Network without a part of `FULL`, and the name of the part."""


def effects_of(reference: str, effects: pd.DataFrame, width: int) -> pd.DataFrame:
    """Select the effects of Table I of `FULL` minus a network, indexed by score.

    effects: see `seeds.effects.seed_effects`; width: channels of both networks.
    """
    chosen = effects[(effects["network"] == FULL) & (effects["reference"] == reference)]
    return chosen[(chosen["table"] == 1) & (chosen["width"] == width)].set_index("score")


def ablation_over_seeds(reference: str, effects: pd.DataFrame) -> Finding:
    """Check whether a part of X-BDCNN raises the PSNR of Table I in the fairest reading.

    Decided if the interval over seeds and images of the smallest width excludes zero.

    Args:
        reference: network without the part, of `PARTS`.
        effects: see `seeds.effects.seed_effects`.
    """
    width = int(effects["width"].min())
    rows = effects_of(reference, effects, width)
    psnr = rows.loc["psnr"]
    whole, without = (_printed_scores(name) for name in (FULL, reference))
    return Finding(
        point=f"Ablation in the fairest reading: {PARTS[reference]}",
        part="our measurements",
        claim="the part improves the performance",
        equation=f"PSNR {whole.psnr - without.psnr:+.2f} dB, SSIM {whole.ssim - without.ssim:+.4f} "
        "with it, one training run each",
        choice="the reading of the text with the highest PSNR, several seeds at equal budget",
        evidence=f"PSNR of Table I with the part minus without it: {psnr['effect']:+.3f} dB "
        f"[{psnr['low']:+.3f}, {psnr['high']:+.3f}] over {psnr['seeds']:.0f} seeds and "
        f"{psnr['images']:.0f} images; width {width}, {psnr['patches']:,} patches",
        effect=_other_scores(rows),
        verdict=measured(None if psnr["order"] == "undecided" else psnr["order"] == "higher"),
        confidence="moderate",
    )


def _other_scores(rows: pd.DataFrame) -> str:
    """Describe the effects on all scores but PSNR."""
    return ", ".join(
        f"{'SSIM' if name == 'ssim' else name} {row['effect']:+.4f} "
        f"[{row['low']:+.4f}, {row['high']:+.4f}]"
        for name, row in rows.drop(index="psnr").iterrows()
    )


def _printed_scores(network: str) -> paper.Scores:
    """Return the scores that Table I prints for a network, with exchanged columns corrected."""
    return paper.corrected(paper.TABLE_1[str(find_entry(network).paper_row)])
