"""The committed tables belong to the shipped weights: one cell of each is measured again."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from xbdcnn.data import find_source
from xbdcnn.inference.methods import collect_methods, method_versions
from xbdcnn.inference.zoo import ZOO
from xbdcnn.study import results
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.scoring import Case, evaluate, table_1_cases, table_2_cases

FIGURES = results.FOLDER.parent
SOURCE = find_source()
TABLES = results.FOLDER if SOURCE.name == "ChestX-ray8 sample" else FIGURES
"""Tables of the sample if it is available, else those of the built-in radiograph."""

if TABLES == FIGURES:
    SOURCE = find_source("builtin")

TOLERANCE = 0.02
"""Largest difference in dB between two machines."""


def facts(number: int, folder: Path = TABLES) -> dict:
    return json.loads((folder / f"table_{number}.json").read_text())


def measure_psnr(name: str, cases: list[Case]) -> float:
    """Mean PSNR of a network on the cases, in the precision that the profile has here."""
    profile = get_profile(facts(1)["profile"])
    methods = collect_methods(profile.classical, profile.precision, only=[name])
    rows = evaluate(methods, cases, progress=False)
    return float(rows.loc[rows["method"] == ZOO[name].label, "psnr"].mean())


def test_the_tables_belong_to_the_available_images():
    assert {facts(n)["data_sha256"] for n in (1, 2)} == {SOURCE.fingerprint}


@pytest.mark.slow
def test_rows_of_table_1_are_reproduced():
    """The first patches, since all of them take minutes on a processor without AVX-512."""
    cases = table_1_cases(SOURCE, get_profile(facts(1)["profile"]))[:40]
    rows = pd.read_csv(TABLES / "table_1_results.csv").query("case < 40")
    expected = rows.loc[rows["method"] == ZOO["xrecnn"].label, "psnr"].mean()
    assert measure_psnr("xrecnn", cases) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.slow
def test_a_cell_of_table_2_is_reproduced():
    """Two radiographs with the strongest noise, for the best network."""
    cases = table_2_cases(SOURCE, get_profile(facts(2)["profile"]))
    cell = [case for case in cases if (case.eta, case.sigma) == (0.4, 15.0)][:2]
    rows = pd.read_csv(TABLES / "table_2_results.csv").query("eta == 0.4 and sigma == 15")
    rows = rows[rows["method"] == ZOO["xbdcnn"].label].set_index("image")
    expected = rows.loc[[case.image for case in cell], "psnr"].mean()
    assert measure_psnr("xbdcnn", cell) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("folder", [results.FOLDER, FIGURES], ids=["ChestX-ray8", "built-in"])
def test_every_network_was_measured_with_the_weights_that_are_shipped(folder):
    labels = {entry.label for entry in ZOO.values()}
    for number in (1, 2):
        record = json.loads((folder / f"table_{number}_results.json").read_text())["methods"]
        networks = {label: sha256 for label, sha256 in record.items() if label in labels}
        assert networks and networks == method_versions(networks)


def test_other_weights_change_the_recorded_versions(tmp_path):
    for name in ZOO:
        (tmp_path / f"{name}.safetensors").write_bytes(name.encode())
    labels = [entry.label for entry in ZOO.values()]
    shipped = method_versions(labels)
    assert not set(shipped.items()) & set(method_versions(labels, tmp_path).items())


@pytest.mark.parametrize("number", [1, 2])
def test_tables_on_real_radiographs_have_complete_provenance(number):
    known = facts(number, results.FOLDER)
    assert known["profile"] == "cpu" and known["data"] == "ChestX-ray8 sample"
    assert {"commit", "seed", "training_seeds", "versions", "precision"} <= known.keys()
    table = pd.read_csv(results.FOLDER / f"table_{number}.csv")
    assert (table["images"] == (30 if number == 1 else 10)).all()
    wanted = get_profile("cpu")
    cases = {1: wanted.table1_patches, 2: wanted.table2_images}[number]
    assert (table["cases"] == cases).all()
