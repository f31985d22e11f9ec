"""Tables from results: the right noise, the right means, the right paper values beside them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from xbdcnn import metrics, paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source
from xbdcnn.inference import zoo
from xbdcnn.models import Denoised
from xbdcnn.study import scoring, tables
from xbdcnn.study.profiles import PROFILES, get_profile
from xbdcnn.study.results import ResultsFile
from xbdcnn.study.scoring import BEFORE, Case, evaluate
from xbdcnn.study.statistics import bootstrap_interval, paired_differences, summarise

SMOKE = get_profile("smoke")
OURS = zoo.ZOO["xbdcnn"].label


@pytest.fixture
def source(monkeypatch):
    monkeypatch.delenv("XBDCNN_DATA", raising=False)
    return find_source()


def mean_filter(noisy, eta, sigma):
    return Denoised(np.full_like(noisy, noisy.mean()))


@pytest.fixture
def results():
    rng = np.random.default_rng(0)
    cases = [
        Case(f"image-{i // 2}", rng.random((32, 32)).astype(np.float32), eta, 5.0, i)
        for i, eta in enumerate((0.4, 0.6, 0.4, 0.6))
    ]
    methods = {OURS: lambda f, eta, sigma: Denoised(f), "mean": mean_filter}
    return evaluate(methods, cases, progress=False)


def test_every_method_meets_the_same_noise(results):
    assert len(results) == 4 * 3
    wide = results.pivot(index="case", columns="method", values="psnr")
    np.testing.assert_array_equal(wide[BEFORE], wide[OURS])
    assert (wide["mean"] != wide[BEFORE]).all()


def test_scores_are_those_of_metrics():
    rng = np.random.default_rng(1)
    clean, restored = rng.random((2, 32, 32))
    scores = scoring.score(restored, clean)
    assert scores["psnr"] == metrics.psnr(restored, clean)
    assert scores["ssim_range_2"] == metrics.ssim(restored, clean, data_range=2.0)
    assert scores["ssim"] != scores["ssim_range_2"]


def test_noise_is_fixed_by_the_seed():
    clean = np.full((16, 16), 0.5, np.float32)
    first, again, other = (
        scoring.noisy_image(Case("a", clean, 0.4, 5.0, seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_summary_weighs_images_not_patches():
    rows = pd.DataFrame(
        {"method": "m", "image": ["a", "a", "a", "b"], "case": range(4), "seconds": 1.0}
        | {name: [1.0, 1.0, 1.0, 3.0] for name in scoring.SCORES}
    )
    summary = summarise(rows).iloc[0]
    assert summary["psnr"] == 2.0
    assert (summary["psnr_low"], summary["psnr_high"]) == (1.0, 3.0)
    assert (summary["images"], summary["cases"]) == (2, 4)


def test_an_interval_of_ten_images_is_a_little_narrow():
    """As notebook 06 says: right in about nine cases of ten, Student's t a fifth wider."""
    samples = np.random.default_rng(0).normal(size=(300, 10))
    found = np.array([bootstrap_interval(sample, 500) for sample in samples])
    assert 0.86 < ((found[:, 0] < 0) & (found[:, 1] > 0)).mean() < 0.94
    wider = 2 * stats.t.ppf(0.975, 9) * stats.sem(samples, axis=1) / np.ptp(found, axis=1)
    assert 1.15 < np.median(wider) < 1.25


def test_paired_differences_are_taken_case_by_case(results):
    difference = paired_differences(results, OURS).set_index("method")
    assert difference.loc[BEFORE, "psnr"] == 0
    wide = results.pivot(index="case", columns="method", values="psnr")
    assert difference.loc["mean", "psnr"] == pytest.approx((wide["mean"] - wide[OURS]).mean())
    with pytest.raises(XbdcnnError, match="absent"):
        paired_differences(results, "absent")


def test_bootstrap_interval_covers_the_mean_as_theory_says():
    values = np.random.default_rng(0).normal(10, 2, 400)
    low, high = bootstrap_interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * 2 / 20, rel=0.15)
    assert low < values.mean() < high
    assert np.isnan(bootstrap_interval([1.0])).all()


def test_cases_have_the_paper_s_levels(source):
    cases = scoring.table_2_cases(source, SMOKE)
    assert [(case.eta, case.sigma) for case in cases] == list(paper.TABLE_2)
    assert cases[0].clean.shape == (96, 96)
    patches = scoring.table_1_cases(source, SMOKE)
    assert len(patches) == SMOKE.table1_patches
    assert patches[0].clean.shape == (128, 128)
    assert len({case.seed for case in patches}) == len(patches)
    assert all(0.4 <= case.eta <= 1.9 and 0 <= case.sigma <= 20 for case in patches)


@pytest.mark.parametrize("number", [1, 2])
def test_tables_are_written_in_all_formats(source, tmp_path, monkeypatch, number):
    monkeypatch.setattr(
        tables,
        "collect_methods",
        lambda *_: {OURS: lambda f, eta, sigma: Denoised(f), "BM3D": mean_filter},
    )
    table = tables.run_table(number, SMOKE, source, tmp_path, progress=False)
    stem = f"table_{number}"
    parts = ("results.csv", "results.json", "differences.csv")
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        f"{stem}{end}" for end in (".csv", ".md", ".tex", ".json", *(f"_{part}" for part in parts))
    }
    assert len(pd.read_csv(tmp_path / f"{stem}.csv")) == len(table)
    text = (tmp_path / f"{stem}.md").read_text()
    assert "SMOKE TEST" in text and "hardly more than their range" in text
    assert "networks trained with seed 0" in text and "ordering cannot be checked" in text
    assert "\\begin{table}" in (tmp_path / f"{stem}.tex").read_text()
    facts = json.loads((tmp_path / f"{stem}.json").read_text())
    assert facts["profile"] == "smoke" and facts["data"] == "built-in radiograph"


def interrupted(*_):
    raise KeyboardInterrupt


def test_an_interrupted_measurement_goes_on(source, tmp_path, monkeypatch):
    calls = []

    def counted(noisy, eta, sigma):
        calls.append(eta)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return Denoised(noisy)

    monkeypatch.setattr(tables, "collect_methods", lambda *_: {OURS: counted, "TV": mean_filter})
    with pytest.raises(KeyboardInterrupt):
        tables.run_table(2, SMOKE, source, tmp_path, progress=False)
    # Interrupted again before the first case is done, it must not lose those on file.
    monkeypatch.setattr(tables, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tables.run_table(2, SMOKE, source, tmp_path, resume=True, progress=False)
    monkeypatch.undo()
    monkeypatch.setattr(tables, "collect_methods", lambda *_: {OURS: counted, "TV": mean_filter})
    tables.run_table(2, SMOKE, source, tmp_path, resume=True, progress=False)
    assert len(calls) == 9 + 1  # nine cells, of which one was interrupted
    results = pd.read_csv(tmp_path / "table_2_results.csv")
    assert len(results) == 9 * 3
    tables.run_table(2, SMOKE, source, tmp_path, progress=False)
    assert len(calls) == 9 + 1 + 9
    fresh = pd.read_csv(tmp_path / "table_2_results.csv")
    pd.testing.assert_frame_equal(results.drop(columns="seconds"), fresh.drop(columns="seconds"))


def test_the_digest_of_cases_tells_all_that_scores_depend_on():
    case = Case("a", np.full((16, 16), 0.5, np.float32), 0.4, 5.0, 1)
    known = scoring.digest([case])
    assert scoring.digest([case]) == known
    others = {"image": "b", "clean": case.clean + 0.1, "eta": 0.6, "sigma": 6.0, "seed": 2}
    for name, value in others.items():
        assert scoring.digest([case._replace(**{name: value})]) != known, name
    assert scoring.digest([case, case]) != known


def test_latex_captions_may_name_any_folder():
    assert tables.latex_text(r"a_b & 5 % \c ~1") == (
        r"a\_b \& 5 \% \textbackslash{}c \textasciitilde{}1"
    )


@pytest.mark.parametrize("changed", ["profile", "data_sha256", "cases", "method"])
def test_rows_of_another_measurement_are_not_kept(tmp_path, changed):
    identity = {"profile": "quick", "data_sha256": "1", "cases": "1"}
    identity |= {"methods": {"a": "v1", "b": "v1"}}
    journal = ResultsFile(tmp_path / "rows.csv", identity)
    assert journal.known() is None
    journal.begin()
    journal.keep(pd.DataFrame({"method": ["a", "b"], "case": [0, 0]}))
    assert journal.known()["method"].tolist() == ["a", "b"]
    other = {"methods": {"a": "v2", "b": "v1"}} if changed == "method" else {changed: "other"}
    known = ResultsFile(tmp_path / "rows.csv", identity | other).known()
    assert known["method"].tolist() == ["b"] if changed == "method" else known is None
    journal.record.write_text("[1]")
    with pytest.raises(XbdcnnError, match=r"rows\.csv: damaged"):
        journal.known()


def test_paper_values_stand_beside_ours(results):
    relabelled = results.replace({"method": {OURS: "DnCNN", "mean": "BM3D"}})
    table = tables.table_1(relabelled).set_index("method")
    assert table.loc["DnCNN", "printed_psnr"] == 35.372
    assert table.loc["DnCNN", "corrected_psnr"] == 40.3754
    assert table.loc["BM3D", "corrected_psnr"] == table.loc["BM3D", "printed_psnr"] == 34.5929
    cells = tables.table_2(relabelled).set_index(["eta", "sigma", "method"])
    assert cells.loc[(0.4, 5.0, "DnCNN"), "corrected_psnr"] == 39.5037
    assert cells.loc[(0.6, 5.0, BEFORE), "printed_psnr"] == 24.0733
    assert np.isnan(cells.loc[(0.6, 5.0, "BM3D"), "printed_psnr"])
    gain = cells["psnr"] - cells.xs(BEFORE, level="method")["psnr"]
    pd.testing.assert_series_equal(cells["gain"], gain, check_names=False)


def test_only_a_clear_winner_is_bold(results):
    table = tables.table_1(results)
    best = table.set_index("method")["clearly_best"]
    assert not best[[BEFORE, OURS]].any()  # the same image, hence a tie
    table["clearly_best"] = table["method"] == "mean"
    shown = tables.readable(table, "**{}**")["our PSNR"].tolist()
    assert [text.startswith("**") for text in shown] == [False, False, True]
    assert "*" not in "".join(tables.readable(table)["our PSNR"])


def test_profiles_grow_from_smoke_to_paper():
    budgets = [profile.train.patches * profile.train.patch_size**2 for profile in PROFILES.values()]
    assert budgets == sorted(budgets)
    with pytest.raises(XbdcnnError, match="smoke, quick, cpu, paper"):
        get_profile("fast")
