"""The README agrees with the files in figures/, and its links exist."""

from __future__ import annotations

import re
import subprocess
import sys

import findings
import pandas as pd
import pytest
import readme
from paths import ROOT

from xbdcnn.study.results import FOLDER

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT)) | set(re.findall(r'src="([^"]+)"', TEXT)))


def test_results_are_those_in_figures():
    command = [sys.executable, "tools/readme.py", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("number", [r"\d\d\.\d\d dB", r"\*\*\d\d\.\d\d\*\*", r"\d\.\d min"])
def test_an_altered_number_is_detected(number):
    """In the findings, in the table and in the list of notebooks."""
    altered = re.sub(number, "99.99", TEXT, count=1)
    assert altered != TEXT and readme.filled(altered) == TEXT


def test_the_table_is_short_and_best_first():
    header, _, *rows = readme.result_table().splitlines()
    assert len(rows) <= 8 and header.count("|") == 5
    scores = [float(re.search(r"\*\*(\d+\.\d+)\*\*", row)[1]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    told = {row.split("|")[1].strip(): row.split("|")[2].strip() for row in rows}
    assert told["GAT+BM3D"] == "eta and sigma" and told["DnCNN"] == "nothing"


def test_findings_follow_the_files(tmp_path):
    table = pd.read_csv(FOLDER / "table_1.csv")
    table.loc[table["method"] == "BM3D", "psnr"] -= 2
    table.to_csv(tmp_path / "table_1.csv", index=False)
    assert findings.weak_bm3d(tmp_path) != findings.weak_bm3d(FOLDER)
    effects = pd.read_csv(FOLDER / "seeds_effects.csv").assign(order="higher")
    effects.to_csv(tmp_path / "seeds_effects.csv", index=False)
    assert findings.parts(tmp_path).count("a gain") == 2


def test_it_is_read_in_a_few_minutes():
    assert len(TEXT.splitlines()) < 150
    assert "not a medical device" in " ".join(TEXT.partition("## ")[0].split())


def test_every_notebook_is_listed():
    stems = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
    assert list(readme.NOTEBOOKS) == stems


@pytest.mark.parametrize("link", [link for link in LINKS if "://" not in link and link[:2] != ".."])
def test_links_exist(link):
    assert (ROOT / link).exists()
