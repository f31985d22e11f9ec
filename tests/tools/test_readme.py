"""The README agrees with the files in figures/, and its links exist."""

from __future__ import annotations

import re
import subprocess
import sys

import pandas as pd
import pytest
import readme
from paths import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT)))


def test_results_are_those_in_figures():
    command = [sys.executable, "tools/readme.py", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_an_altered_number_is_detected():
    altered = re.sub(r"\d\d\.\d\d", "99.99", TEXT, count=1)
    assert altered != TEXT and readme.filled(altered) == TEXT


def test_the_lines_follow_the_ledger(tmp_path):
    ledger = pd.DataFrame({"point": list(readme.POINTS), "verdict": "consistent"})
    ledger = ledger.assign(evidence="4 of 5; and more").sort_values("point")
    ledger.to_csv(tmp_path / "ledger.csv", index=False)
    lines = readme.audit_lines(tmp_path).splitlines()
    assert [line[:2] for line in lines].count("1.") == len(readme.POINTS)
    assert all(text in lines[0] for text in ("**consistent**. 4 of 5 (", "#snr-and-psnr-columns"))
    ledger.assign(verdict="self-contradiction").to_csv(tmp_path / "ledger.csv", index=False)
    assert "**self-contradiction**" in readme.audit_lines(tmp_path)


@pytest.mark.parametrize("link", [link for link in LINKS if "://" not in link and link[:2] != ".."])
def test_links_exist(link):
    assert (ROOT / link).exists()
