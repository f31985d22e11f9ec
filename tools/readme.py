"""Fill README.md's results from the tables in figures/chestxray8, its audit from the ledger.

python tools/readme.py --write | --check
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn.study.audit.ledger import anchor
from xbdcnn.study.results import FOLDER as MEASURED
from xbdcnn.study.scoring import BEFORE
from xbdcnn.study.statistics import paired_differences

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEST, RIVAL = "X-BDCNN (balanced)", "GAT+BM3D"
START, END = "<!-- results: written by tools/readme.py -->", "<!-- end of results -->"
AUDIT_START, AUDIT_END = "<!-- audit: written by tools/readme.py -->", "<!-- end of audit -->"

POINTS = {
    "SNR and PSNR columns": "04_losses_and_metrics",
    "SSIM convention": "04_losses_and_metrics",
    "Meaning of eta": "01_noise_synthesis",
    "Weight of Eq. 3 in the released code": "04_losses_and_metrics",
    "Strength of the SSIM loss": "04_losses_and_metrics",
    "Ablation: no SSIM loss": "07_ablations",
    "Ablation: no NLE": "07_ablations",
    "The NLE of X-BDCNN": "11_audit",
    "Split of patches, not of patients": "02_data",
    "Outside the trained range, X-BDCNN (balanced)": "11_audit",
}
"""Points of the ledger that the README names, and the notebook that shows most of each."""


def result_table(folder: Path = MEASURED) -> str:
    """Return the README's table as Markdown: PSNR of Table I and the mean of Table II's cells."""
    first = pd.read_csv(folder / "table_1.csv").set_index("method")
    cells = pd.read_csv(folder / "table_2.csv")
    second = cells.groupby("method", sort=False)[["corrected_psnr", "psnr"]].mean()
    columns = {
        "PSNR in dB": first.index,
        "paper, Table I": first["printed_psnr"].map(number),
        "corrected": first["corrected_psnr"].map(number),
        "**ours**": [interval(row) for row in first.itertuples()],
        "paper, Table II corrected": second["corrected_psnr"].reindex(first.index).map(number),
        "**ours** ": second["psnr"].reindex(first.index).map(number),
    }
    return pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True)


def interval(row: Any) -> str:
    """A mean PSNR with its 95 % interval."""
    return f"{row.psnr:.2f} [{row.psnr_low:.2f}, {row.psnr_high:.2f}]"


def number(value: float) -> str:
    """Two decimals, or a dash where the paper prints nothing."""
    return "–" if pd.isna(value) else f"{value:.2f}"


def sources(folder: Path = MEASURED) -> str:
    """Return one sentence that says what the numbers were measured on."""
    facts = json.loads((folder / "table_1.json").read_text())
    first, second = (pd.read_csv(folder / f"table_{n}_results.csv") for n in (1, 2))
    return (
        f"*Ours: {facts['data']}, profile {facts['profile']}, each network trained once; Table I "
        f"on {first['case'].nunique()} patches of {first['image'].nunique()} {facts['unit']}, with "
        f"95 % intervals over these; Table II on {second['image'].nunique()} {facts['unit']}, mean "
        f"of the nine cells; commit {facts['commit']}. SNR, SSIM, times, single cells: "
        "[Table I](figures/chestxray8/table_1.md), [Table II](figures/chestxray8/table_2.md). The "
        "same on a radiograph that comes with pip: [Table I](figures/table_1.md), "
        "[Table II](figures/table_2.md).*"
    )


def in_words(folder: Path = MEASURED) -> str:
    """Return what the tables say: the paper's order, the lead over GAT+BM3D, the paper's gain."""
    facts = [json.loads((folder / f"table_{n}.json").read_text()) for n in (1, 2)]
    orders = [f"- Table {'I' * n}: {f['ordering']}" for n, f in enumerate(facts, start=1)]
    return "\n".join([*orders, *(f"- {line}" for line in (lead(folder), gain(folder)))])


def lead(folder: Path) -> str:
    """Say in how many cells of Table II the best X-BDCNN surely leads, and by how much."""
    results = pd.read_csv(folder / "table_2_results.csv")
    rows = results[results["method"].isin([BEST, RIVAL])]
    cells = paired_differences(rows, RIVAL, ["eta", "sigma"])
    ahead, leads = (cells["psnr_low"] > 0).sum(), cells["psnr"]
    return (
        f"{BEST}, which is blind, leads {RIVAL}, which is told η and σ, by {leads.min():+.2f} to "
        f"{leads.max():+.2f} dB in the cells of Table II; its interval is above zero in {ahead} of "
        f"{len(cells)}."
    )


def gain(folder: Path) -> str:
    """Compare the best network's gain over the noisy images with the paper's, cell by cell."""
    table = pd.read_csv(folder / "table_2.csv").set_index(["eta", "sigma", "method"])
    noisy = table["corrected_psnr"].xs(BEFORE, level="method")
    claimed = table["corrected_psnr"].xs(BEST, level="method") - noisy
    excess = table["gain"].xs(BEST, level="method") - claimed
    return (
        "Its gain over the noisy image minus that of the paper's X-BDCNN (corrected) is "
        f"{excess.min():+.2f} to {excess.max():+.2f} dB, at or above it in {(excess >= 0).sum()} "
        f"of {len(excess)} cells."
    )


def audit_lines(folder: Path = ROOT / "figures") -> str:
    """Return ten points of the ledger as a Markdown list: verdict, short evidence, links to it."""
    ledger = pd.read_csv(folder / "ledger.csv").set_index("point")
    lines = [audit_line(point, ledger.loc[point]) for point in POINTS]
    counts = ", ".join(f"{n} {verdict}" for verdict, n in ledger["verdict"].value_counts().items())
    every = f"All {len(ledger)} points ({counts}) are in the [ledger](figures/ledger.md)"
    return "\n".join(
        [*lines, "", f"{every}, which [notebook 11](notebooks/11_audit.ipynb) writes."]
    )


def audit_line(point: str, row: pd.Series) -> str:
    """One item of `audit_lines`; the evidence goes up to its first semicolon."""
    notebook, evidence = POINTS[point], row["evidence"].split(";")[0]
    return (
        f"1. [{point}](figures/ledger.md#{anchor(point)}): **{row['verdict']}**. "
        f"{evidence[0].upper()}{evidence[1:]} "
        f"([{notebook[:2]}](notebooks/{notebook}.ipynb))"
    )


def filled(text: str) -> str:
    """Return the README with its results and its audit replaced by those in figures/."""
    before, rest = text.split(AUDIT_START)
    text = f"{before}{AUDIT_START}\n\n{audit_lines()}\n\n{AUDIT_END}{rest.split(AUDIT_END)[1]}"
    before, rest = text.split(START)
    after = rest.split(END)[1]
    return f"{before}{START}\n\n{result_table()}\n\n{in_words()}\n\n{sources()}\n\n{END}{after}"


def main() -> int:
    """Write the README, or report with exit code 1 that it is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", action="store_true", help="update README.md")
    choice.add_argument("--check", action="store_true", help="fail if README.md is out of date")
    wanted, text = parser.parse_args(), README.read_text(encoding="utf-8")
    if wanted.write:
        README.write_text(filled(text), encoding="utf-8")
        return 0
    if filled(text) != text:
        print("README.md: results are out of date; run `python tools/readme.py --write`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
