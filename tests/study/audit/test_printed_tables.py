"""Findings from the printed tables: altered tables give other verdicts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xbdcnn import metrics, paper
from xbdcnn.study.audit import printed_noise, printed_tables

CORRECTED_1 = {name: paper.corrected(scores) for name, scores in paper.TABLE_1.items()}
CORRECTED_2 = {
    cell: {name: paper.corrected(scores) for name, scores in row.items()}
    for cell, row in paper.TABLE_2.items()
}


def ramp(side: int = 64) -> np.ndarray:
    return np.linspace(0.2, 0.8, side * side, dtype=np.float32).reshape(side, side)


def test_only_exchanged_columns_are_reported():
    assert printed_tables.swapped_columns().verdict == "self-contradiction"
    assert "32 of 34" in printed_tables.swapped_columns().evidence
    assert "27 of 27 cells" in printed_tables.swapped_columns().equation
    corrected = printed_tables.swapped_columns(CORRECTED_1, CORRECTED_2)
    assert corrected.verdict == "consistent" and "0 of 34" in corrected.evidence
    assert "in no row of Table I" in corrected.equation
    assert "41.11 dB instead of 36.12" in printed_tables.swapped_columns().effect


def test_a_gap_may_vary_or_be_implausible_for_our_radiographs():
    chests = [120.0, 150.0, 170.0]
    assert "155.7" in printed_tables.constant_gap(chests).evidence
    assert printed_tables.constant_gap(chests).verdict == "our measurement agrees"
    assert printed_tables.constant_gap([60.0, 90.0]).verdict == "our measurement disagrees"
    altered = {**paper.TABLE_2}
    cell = altered[0.4, 5.0]
    altered[0.4, 5.0] = {**cell, "DnCNN": cell["DnCNN"]._replace(snr=39.6)}
    assert printed_tables.constant_gap(chests, altered).verdict == "self-contradiction"


def test_rms_follows_from_the_scores_of_any_method():
    images = {"a": 0.5 * np.ones((32, 32), np.float32), "b": ramp(32)}
    rows = [
        {"image": name, "psnr": metrics.psnr(g + e, g), "snr": metrics.snr(g + e, g)}
        for name, g in images.items()
        for e in (0.01, 0.1)
    ]
    rms = printed_tables.rms_of_images(pd.DataFrame(rows))
    assert rms["a"] == pytest.approx(127.5, rel=1e-4)
    assert rms["b"] == pytest.approx(255 * np.sqrt((ramp(32) ** 2).mean()), rel=1e-4)


def test_gaps_differ_between_methods_only_if_pooled():
    bright, dark = (np.full((32, 32), level, np.float32) for level in (0.8, 0.1))
    even = [(bright + 0.05, bright), (dark + 0.05, dark)]
    odd = [(bright + 0.05, bright), (dark + 0.01, dark)]
    per_image, pooled = printed_tables.mean_and_pooled_gaps({"even": even, "odd": odd})
    assert np.ptp(per_image) < 1e-4 and np.ptp(pooled) > 0.1


def test_different_gaps_of_the_networks_indicate_pooling():
    assert printed_tables.pooled_snr([5.3, 5.3], [4.9, 5.1]).verdict == "self-contradiction"
    alike = {name: s._replace(snr=s.psnr + 5.0) for name, s in paper.TABLE_1.items()}
    alike["BM3D"] = paper.TABLE_1["BM3D"]
    assert printed_tables.pooled_snr([5.3, 5.3], [4.9, 5.1], alike).verdict == "consistent"


def test_a_lead_without_the_nle_is_no_argument_for_the_nle():
    finding = printed_tables.argument_for_the_nle()
    assert finding.verdict == "self-contradiction"
    assert "the lead over DnCNN is 0.73 dB with the NLE and 0.59 dB without it" in finding.evidence
    name = printed_tables.WITHOUT_NLE
    behind = {**paper.TABLE_1, name: paper.TABLE_1[name]._replace(snr=40.0)}
    assert printed_tables.argument_for_the_nle(behind).verdict == "consistent"


def test_effects_smaller_than_the_variation_between_runs_need_several_runs():
    finding = printed_tables.number_of_runs(0.44)
    assert finding.verdict == "our measurement too weak"
    assert "effects are 0.11 and 0.15 dB" in finding.evidence and "0.62 dB" in finding.evidence
    assert printed_tables.number_of_runs(0.07).verdict == "our measurement agrees"


def test_thirty_hours_are_possible():
    assert "83 patches per second" in printed_tables.training_time(18.44).evidence
    assert printed_tables.training_time(18.44).verdict == "consistent"
    assert printed_tables.training_time(18.44, hours=3.0).verdict == "self-contradiction"


def test_sigma_and_mean_follow_from_the_noisy_psnrs():
    exact = {
        (eta, sigma): 10 * np.log10(255**2 / (140.0 / eta + sigma**2))
        for eta, sigma in paper.TABLE_2
    }
    lines = printed_noise.fitted_lines(exact)
    np.testing.assert_allclose(lines["sigma"], lines.index)
    np.testing.assert_allclose(lines["mean"], 140.0)
    printed = printed_noise.sigma_recovered()
    assert printed.verdict == "not stated, inferred"
    assert "sigma 5.75, 10.24, 14.89 grey levels" in printed.evidence
    other = {cell: psnr - 3 for cell, psnr in exact.items()}
    assert printed_noise.sigma_recovered(other).verdict == "self-contradiction"


def test_contrast_of_the_images_follows_from_rms_and_mean():
    found = printed_noise.contrast_of_images(4.3, paper.TABLE_2_NOISY_PSNR)
    assert found.verdict == "not stated, inferred"
    assert "an rms of 155.7 and a mean of 131 grey levels imply a standard deviation of 84" in (
        found.evidence
    )
    brighter = {cell: psnr - 2 for cell, psnr in paper.TABLE_2_NOISY_PSNR.items()}
    impossible = printed_noise.contrast_of_images(4.3, paper.TABLE_2_NOISY_PSNR, cells=brighter)
    assert impossible.verdict == "self-contradiction"
