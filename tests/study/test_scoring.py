"""Measurement of the tables: noise, scores, interrupted runs, and the printed values."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from xbdcnn import metrics, paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import find_source
from xbdcnn.inference import precision, zoo
from xbdcnn.inference.weights import read_weights, shipped_path
from xbdcnn.models import Denoised
from xbdcnn.study import measuring, scoring, table_text, tables
from xbdcnn.study.profiles import PROFILES, get_profile
from xbdcnn.study.results import ResultsFile
from xbdcnn.study.scoring import BEFORE, Case, evaluate
from xbdcnn.study.table_rewriting import rewrite_table

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


def test_every_method_restores_the_same_noisy_image(results):
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
    assert "SMOKE TEST" in text and "too few images for a meaningful interval" in text
    assert "training seed of the networks 0." in text and "ordering cannot be checked" in text
    assert "\\begin{table}" in (tmp_path / f"{stem}.tex").read_text()
    facts = json.loads((tmp_path / f"{stem}.json").read_text())
    assert facts["profile"] == "smoke" and facts["data"] == "built-in radiograph"


def measured_table(number, source, folder, monkeypatch):
    """Table I or II of two methods that cost no time, as written to a folder."""
    methods = {OURS: lambda f, eta, sigma: Denoised(f), "BM3D": mean_filter}
    monkeypatch.setattr(tables, "collect_methods", lambda *_: methods)
    return tables.run_table(number, SMOKE, source, folder, progress=False)


@pytest.mark.parametrize("number", [1, 2])
def test_tables_state_what_is_told_and_the_training(source, tmp_path, monkeypatch, number):
    table = measured_table(number, source, tmp_path, monkeypatch)
    rows = table.drop_duplicates("method").set_index("method")
    assert rows["told"].dropna().to_dict() == {OURS: "nothing", "BM3D": "one averaged sigma"}
    header = read_weights(shipped_path("xbdcnn"))[1]["budget"]
    pixels = header["patches"] * header["patch_size"] ** 2
    share = rows["paper_pixels_percent"]
    assert share[OURS] == pytest.approx(100 * pixels / (224_000 * 40 * 128 * 128))
    assert share.drop(OURS).isna().all()
    texts = [(tmp_path / f"table_{number}.{end}").read_text() for end in ("csv", "md", "tex")]
    assert all("one averaged sigma" in text for text in texts)
    assert "| % of the paper's pixels  " in texts[1] and "& \\% of the paper's pixels &" in texts[2]
    assert "level estimator" not in texts[1]


@pytest.mark.parametrize("number", [1, 2])
def test_a_table_is_written_again_from_its_rows(source, tmp_path, monkeypatch, number):
    expected = measured_table(number, source, tmp_path, monkeypatch)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for end in (".csv", ".md", ".tex", "_differences.csv"):
        (tmp_path / f"table_{number}{end}").unlink()
    monkeypatch.setattr(measuring, "evaluate", interrupted)
    table = rewrite_table(number, tmp_path)
    pd.testing.assert_frame_equal(table, expected)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_rows_of_other_weights_are_not_written_again(source, tmp_path, monkeypatch):
    measured_table(1, source, tmp_path, monkeypatch)
    record = tmp_path / "table_1_results.json"
    record.write_text(
        record.read_text().replace('"X-BDCNN (balanced)": "', '"X-BDCNN (balanced)": "0')
    )
    with pytest.raises(XbdcnnError, match=r"other weights of X-BDCNN \(balanced\)"):
        rewrite_table(1, tmp_path)
    record.unlink()
    with pytest.raises(XbdcnnError, match=r"table_1: .*unreadable .*measure again"):
        rewrite_table(1, tmp_path)


def interrupted(*_):
    raise KeyboardInterrupt


def test_an_interrupted_measurement_resumes(source, tmp_path, monkeypatch):
    calls = []

    def counted(noisy, eta, sigma):
        calls.append(eta)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return Denoised(noisy)

    monkeypatch.setattr(tables, "collect_methods", lambda *_: {OURS: counted, "TV": mean_filter})
    with pytest.raises(KeyboardInterrupt):
        tables.run_table(2, SMOKE, source, tmp_path, progress=False)
    # Interrupted again before the first case is done, it must keep the saved rows.
    monkeypatch.setattr(measuring, "evaluate", interrupted)
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


def test_methods_measured_one_after_the_other_share_a_table(source, tmp_path, monkeypatch):
    def measure(resume, **methods):
        monkeypatch.setattr(tables, "collect_methods", lambda *_: methods)
        tables.run_table(2, SMOKE, source, tmp_path, resume=resume, progress=False)
        return pd.read_csv(tmp_path / "table_2_results.csv")

    first = measure(False, TV=mean_filter)
    both = measure(True, BM3D=mean_filter)
    assert both["method"].tolist() == [BEFORE, "BM3D", "TV"] * 9  # in table order
    kept = both[both["method"] == "TV"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, first[first["method"] == "TV"].reset_index(drop=True))
    record = json.loads((tmp_path / "table_2_results.json").read_text())
    assert set(record["methods"]) == {"BM3D", "TV"}
    both.iloc[:-1].to_csv(tmp_path / "table_2_results.csv", index=False)
    with pytest.raises(XbdcnnError, match=r"table_2_results\.csv: measurement of TV not finished"):
        measure(True, BM3D=mean_filter)
    assert len(pd.read_csv(tmp_path / "table_2_results.csv")) == len(both) - 1
    assert set(measure(False, BM3D=mean_filter)["method"]) == {BEFORE, "BM3D"}


@pytest.mark.parametrize("native", [True, False])
def test_a_table_is_continued_in_its_precision_on_another_machine(
    native, source, tmp_path, monkeypatch
):
    """The profile chooses by the machine; networks that are added have the precision on file."""
    seen = []

    def methods(classical, chosen, *_):
        seen.append(chosen)
        return {"TV": mean_filter}

    monkeypatch.setattr(tables, "collect_methods", methods)
    profile = replace(SMOKE, precision="auto")
    for native_now in (native, not native):
        monkeypatch.setattr(precision, "native_bfloat16", lambda device, now=native_now: now)
        tables.run_table(2, profile, source, tmp_path, resume=bool(seen), progress=False)
    assert seen == 2 * ["bf16" if native else "fp32"]
    record = tmp_path / "table_2.json"
    assert json.loads(record.read_text())["precision"] == seen[0]
    tables.run_table(2, profile, source, tmp_path, progress=False)
    assert seen[2] != seen[0]
    record.write_text("{")
    with pytest.raises(XbdcnnError, match=r"table_2\.json: damaged .*; delete it to start anew"):
        tables.run_table(2, profile, source, tmp_path, resume=True, progress=False)


def test_the_digest_of_cases_covers_everything_that_scores_depend_on():
    case = Case("a", np.full((16, 16), 0.5, np.float32), 0.4, 5.0, 1)
    expected = scoring.digest([case])
    assert scoring.digest([case]) == expected
    others = {"image": "b", "clean": case.clean + 0.1, "eta": 0.6, "sigma": 6.0, "seed": 2}
    for name, value in others.items():
        assert scoring.digest([case._replace(**{name: value})]) != expected, name
    assert scoring.digest([case, case]) != expected


def test_special_characters_are_escaped_in_latex():
    assert table_text.latex_text(r"a_b & 5 % \c ~1") == (
        r"a\_b \& 5 \% \textbackslash{}c \textasciitilde{}1"
    )


@pytest.mark.parametrize("changed", ["profile", "data_sha256", "cases", "method"])
def test_rows_of_another_measurement_are_not_valid(tmp_path, changed):
    identity = {"profile": "quick", "data_sha256": "1", "cases": "1"}
    identity |= {"methods": {"a": "v1", "b": "v1"}}
    file = ResultsFile(tmp_path / "rows.csv", identity)
    assert file.valid_rows() is None
    file.start()
    file.write(pd.DataFrame({"method": ["a", "b"], "case": [0, 0]}))
    assert file.valid_rows()["method"].tolist() == ["a", "b"]
    other = {"methods": {"a": "v2", "b": "v1"}} if changed == "method" else {changed: "other"}
    valid = ResultsFile(tmp_path / "rows.csv", identity | other).valid_rows()
    assert valid["method"].tolist() == ["b"] if changed == "method" else valid is None
    file.record.write_text("[1]")
    with pytest.raises(XbdcnnError, match=r"rows\.csv: damaged"):
        file.valid_rows()


def test_printed_and_corrected_values_are_added(results):
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
    assert not best[[BEFORE, OURS]].any()  # identical images, hence a tie
    table["clearly_best"] = table["method"] == "mean"
    shown = table_text.readable(table, "**{}**")["our PSNR"].tolist()
    assert [text.startswith("**") for text in shown] == [False, False, True]
    assert "*" not in "".join(table_text.readable(table)["our PSNR"])


def test_profiles_are_ordered_by_budget():
    budgets = [profile.train.patches * profile.train.patch_size**2 for profile in PROFILES.values()]
    assert budgets == sorted(budgets)
    with pytest.raises(XbdcnnError, match="smoke, quick, cpu, paper"):
        get_profile("fast")
