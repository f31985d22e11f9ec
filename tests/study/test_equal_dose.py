"""Doses of equal quality, from rows whose scores are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study import equal_dose
from xbdcnn.study.scoring import BEFORE

ETAS = (0.5, 2.0, 8.0)


def rows(ratio=0.5, error=(0.1, 0.5, 2.0), fields=8):
    """A method with `ratio` times the d' of the unrestored image and `error` times its MSE."""
    table, rng = [], np.random.default_rng(0)
    for eta, share in zip(ETAS, error, strict=True):
        for field in range(fields):
            noise, factor = 120 / eta + 1.0, rng.uniform(0.9, 1.1)
            for method, d, scale in ((BEFORE, 2.0, 1.0), ("blur", 2.0 * ratio, share)):
                row = {"image": f"field-{field:02d}", "method": method, "eta": eta, "sigma": 1.0}
                row |= {"signal": "disc", "contrast": 3.0, "mean": 120.0, "mse": noise * scale}
                row |= {"roi_contrast": 3.0, "pixel_variance": noise * scale * factor}
                for observer in equal_dose.OBSERVERS:
                    row |= {f"{observer}_response": d, f"{observer}_variance": factor}
                    row |= {f"{observer}_correct": 0.9}
                table.append(row)
    return pd.DataFrame(table)


def value(table, method, eta, score):
    part = table[(table["method"] == method) & (table["eta"] == eta) & (table["score"] == score)]
    assert len(part) == 1
    return part.iloc[0]


def test_the_unrestored_image_equals_itself_at_its_own_dose():
    table = equal_dose.summarise(rows(), "disc")
    for eta in ETAS:
        for score in ("dose by PSNR", "dose by matched d'", "cnr ratio", "hotelling ratio"):
            assert value(table, BEFORE, eta, score)["value"] == pytest.approx(1)
        assert value(table, BEFORE, eta, "gain")["value"] == 0


def test_half_the_detectability_is_a_quarter_of_the_dose_without_electronic_noise():
    few = rows().assign(sigma=0.0)
    found = value(equal_dose.summarise(few, "disc"), "blur", 0.5, "dose by matched d'")
    assert (found["value"], found["low"], found["high"]) == pytest.approx((0.25,) * 3)


def test_scores_follow_from_the_means():
    table = equal_dose.summarise(rows(), "disc")
    assert value(table, "blur", 0.5, "gain")["value"] == pytest.approx(10)
    assert value(table, "blur", 0.5, "cnr ratio")["value"] == pytest.approx(10**0.5)
    halved = rows()
    halved.loc[halved["method"] == "blur", "roi_contrast"] /= 2
    assert value(equal_dose.summarise(halved, "disc"), "blur", 2.0, "kept")["value"] == 0.5
    d_prime = value(table, "blur", 2.0, "unknown d'")
    assert d_prime["low"] < d_prime["value"] < d_prime["high"]
    assert d_prime["value"] == pytest.approx(1, rel=0.05)
    assert value(table, "blur", 2.0, "matched correct")["value"] == pytest.approx(0.9)
    # MSE 0.1 (120 / 0.5 + 1) = 24.1 is that of the dose 120 / 23.1.
    assert value(table, "blur", 0.5, "dose by PSNR")["value"] == pytest.approx(120 / 23.1 / 0.5)


def test_no_dose_has_less_noise_than_the_electronic_noise():
    found = equal_dose.equal_quality_dose(np.array([100.0]), np.array([4.0]), np.array([2.0]))
    assert found.tolist() == [np.inf]
    best = value(equal_dose.summarise(rows(error=(1e-3,) * 3), "disc"), "blur", 8.0, "dose by PSNR")
    assert best["value"] == best["low"] == np.inf


def test_crossings_are_interpolated_on_a_logarithmic_axis():
    etas = np.array([1.0, 10.0, 100.0])
    curves = np.array([[1.0, 2.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, -2.0]])
    found = equal_dose.crossing_dose(etas, curves)
    np.testing.assert_allclose(found, [10**0.5, 10**1.5, np.nan])


def test_psnr_crosses_where_the_errors_are_equal_and_d_prime_nowhere():
    table = equal_dose.equal_doses(rows(), "disc").set_index("criterion")
    assert set(table["method"]) == {"blur"}
    assert table["better_at"]["PSNR"] == "0.5, 2" and table["worse_at"]["PSNR"] == "8"
    assert list(table.loc["PSNR", ["eta", "low", "high"]]) == pytest.approx([4.0] * 3)
    assert table["better_at"]["matched d'"] == "none"
    assert table["worse_at"]["matched d'"] == "0.5, 2, 8"
    assert np.isnan(table["eta"]["matched d'"]) and np.isnan(table["high"]["hotelling d'"])


def test_rows_without_the_unrestored_image_or_the_signal_are_an_error():
    with pytest.raises(XbdcnnError, match="no rows of 'Before Denoising' with the signal 'mass'"):
        equal_dose.summarise(rows(), "mass")
