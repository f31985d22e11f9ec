"""Findings over several seeds: the verdict follows from the interval."""

from __future__ import annotations

import pandas as pd
import pytest

from xbdcnn.study.audit import seed_findings
from xbdcnn.study.seeds.effects import order

PSNR_SHIFTS = {"our measurement agrees": 0.2, "our measurement disagrees": -0.2}


def effects(psnr: float, width: int = 32) -> pd.DataFrame:
    """Effects of both parts, in which the interval of PSNR has a half width of 0.1 dB."""
    bounds = {"low": psnr - 0.1, "high": psnr + 0.1}
    row = {"network": seed_findings.FULL, "width": width, "patches": 100_000, "table": 1}
    row |= {"seeds": 5, "images": 30}
    rows = []
    for reference in seed_findings.PARTS:
        about = row | {"reference": reference}
        rows += [about | {"score": "psnr", "effect": psnr, "order": order(**bounds)} | bounds]
        rows += [about | {"score": "ssim", "effect": 0.001, "low": -0.001, "high": 0.003}]
        rows += [rows[-2] | {"table": 2, "effect": 9.0}]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("reference", seed_findings.PARTS)
def test_the_verdict_follows_from_the_interval_over_seeds(reference):
    for verdict, shift in PSNR_SHIFTS.items():
        found = seed_findings.ablation_over_seeds(reference, effects(shift))
        assert found.verdict == verdict and seed_findings.PARTS[reference] in found.point
    undecided = seed_findings.ablation_over_seeds(reference, effects(0.05))
    assert undecided.verdict == "our measurement too weak"
    assert "+0.050 dB [-0.050, +0.150] over 5 seeds and 30 images" in undecided.evidence
    assert undecided.effect == "SSIM +0.0010 [-0.0010, +0.0030]"


def test_the_smallest_width_decides():
    both = pd.concat([effects(-0.2, width=64), effects(0.2)], ignore_index=True)
    found = seed_findings.ablation_over_seeds("xbdcnn-fairest-without-nle", both)
    assert found.verdict == "our measurement agrees" and "width 32" in found.evidence
