"""The row of BM3D: a wrong sigma is found from PSNR and SSIM, and the gain is compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xbdcnn import paper
from xbdcnn.baselines.classical import averaged_sigma, bm3d_denoise
from xbdcnn.data import find_source
from xbdcnn.study import scoring
from xbdcnn.study.audit import bm3d_row, experiments
from xbdcnn.study.audit.bm3d_row import AVERAGED, ELECTRONIC, FIXED
from xbdcnn.study.scoring import BEFORE

PRINTED = paper.TABLE_1["BM3D"]


def scores(ssim: float, ssim_range_2: float, best: float = 38.0) -> pd.DataFrame:
    """Scores of BM3D that fall by 5 dB for each octave of the factor from 1."""
    rows = [{"rule": BEFORE, "psnr": 24.0, "averaged": 20.0}]
    for rule, value in bm3d_row.TOLD:
        told = bm3d_row.told_sigma(rule, value, 20.0, 5.0)
        psnr = best - 5 * abs(np.log2(told / 20))
        rows.append(
            {"rule": rule, "value": value, "told_sigma": told, "averaged": 20.0, "psnr": psnr}
        )
    return pd.DataFrame(rows).assign(ssim=ssim, ssim_range_2=ssim_range_2)


def test_told_sigmas_follow_their_rules():
    told = [bm3d_row.told_sigma(rule, 2.0, 7.0, 3.0) for rule in (AVERAGED, ELECTRONIC, FIXED)]
    assert told == [14.0, 6.0, 2.0]


def test_factors_of_a_psnr_are_interpolated_on_both_sides():
    found = bm3d_row.sigmas_of_psnr(scores(0.9, 0.95), 34.5)
    assert found["factor"].tolist() == pytest.approx([2**-0.7, 2**0.7], rel=0.05)
    assert bm3d_row.sigmas_of_psnr(scores(0.9, 0.95), 38.5).empty
    table = bm3d_row.means_by_sigma(scores(0.9, 0.95))
    assert table.loc[(AVERAGED, 1.0), "gain"] == pytest.approx(14.0)
    assert table.loc[(FIXED, 10.0), "factor"] == 0.5


def test_a_wrong_sigma_explains_the_row_only_if_psnr_and_ssim_fit():
    fits = bm3d_row.wrong_sigma(scores(PRINTED.ssim, 0.97))
    assert fits.verdict == "not stated, inferred"
    assert "with 0.62 times the averaged sigma (SSIM 0.864, with data range 2 0.970)" in (
        fits.evidence
    )
    assert "28.0 dB and 0.864 with the sigma of Eq. 1 alone" in fits.evidence
    assert bm3d_row.wrong_sigma(scores(0.8, PRINTED.ssim)).verdict == "not stated, inferred"
    assert bm3d_row.wrong_sigma(scores(0.8, 0.93)).verdict == "our measurement too weak"
    never = bm3d_row.wrong_sigma(scores(PRINTED.ssim, 0.97, best=34.0))
    assert never.verdict == "our measurement too weak"
    assert "with no factor of the averaged sigma" in never.evidence


def test_bm3d_is_told_the_sigma_of_the_row():
    case = scoring.Case("a", np.full((16, 16), 0.5, np.float32), 0.6, 4.0, 0)
    rows = bm3d_row.evaluate_sigmas([case], [(AVERAGED, 1.0), (FIXED, 3.0)], progress=False)
    assert rows["rule"].tolist() == [BEFORE, AVERAGED, FIXED]
    noisy = scoring.noisy_image(case)
    told = averaged_sigma(noisy, 0.6, 4.0)
    assert rows["told_sigma"].tolist()[1:] == [told, 3.0]
    direct = scoring.score(bm3d_denoise(noisy, eta=0.6, sigma=4.0), case.clean)
    assert rows.loc[1, "psnr"] == pytest.approx(direct["psnr"], abs=1e-3)


def test_the_search_is_an_experiment(monkeypatch):
    monkeypatch.setattr(bm3d_row, "bm3d_denoise", lambda noisy, eta, sigma: noisy)
    rows = experiments.sigmas_of_bm3d(find_source("builtin"), count=1)
    assert experiments.EXPERIMENTS["bm3d-sigma"] is experiments.sigmas_of_bm3d
    assert len(rows) == 1 + len(bm3d_row.TOLD)
    assert bm3d_row.means_by_sigma(rows)["gain"].abs().max() < 1e-9


def test_the_gain_is_compared_with_that_of_classical_methods():
    ours = pd.Series({BEFORE: 24.5, "BM3D": 38.8, "NLM": 38.0})
    finding = bm3d_row.gain_of_bm3d(ours)
    assert finding.verdict == "our measurement disagrees"
    assert "10.4 dB; on our patches of random levels BM3D gains 14.3 dB, NLM" in finding.evidence
    assert bm3d_row.gain_of_bm3d(ours - [0, 3, 3]).verdict == "our measurement agrees"
