"""Update the results and the audit in README.md from figures/chestxray8 and the ledger.

python tools/readme.py --write | --check
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.audit.ledger import anchor, counts
from xbdcnn.study.audit.physical_noise import cost_text, mean_gains
from xbdcnn.study.results import FOLDER as RESULTS
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
    "Argument for the NLE": "11_audit",
    "Gain of BM3D": "11_audit",
    "Noise model follows the physics": "01_noise_synthesis",
    "Noise is independent between pixels": "01_noise_synthesis",
    "Levels of the paper against real radiographs": "11_audit",
    "Weight of Eq. 3 in the released code": "04_losses_and_metrics",
    "Strength of the SSIM loss": "04_losses_and_metrics",
    "Ablation: no SSIM loss": "07_ablations",
    "Ablation: no NLE": "07_ablations",
    "The NLE of X-BDCNN (as written)": "11_audit",
    "Split of patches, not of patients": "02_data",
    "Outside the trained range, X-BDCNN (balanced)": "11_audit",
}
"""Points of the ledger in the README, and the notebook that treats each of them."""


def result_table(folder: Path = RESULTS) -> str:
    """Render PSNR of Table I, and PSNR of Table II averaged over its cells, as Markdown."""
    first = pd.read_csv(folder / "table_1.csv").set_index("method")
    cells = pd.read_csv(folder / "table_2.csv")
    second = cells.groupby("method", sort=False)[["corrected_psnr", "psnr"]].mean()
    columns = {
        "PSNR in dB": first.index,
        "Table I, paper": first["printed_psnr"].map(number),
        "Table I, paper corrected": first["corrected_psnr"].map(number),
        "**Table I, ours**": [interval(row) for row in first.itertuples()],
        "Table II, paper corrected": second["corrected_psnr"].reindex(first.index).map(number),
        "**Table II, ours**": second["psnr"].reindex(first.index).map(number),
    }
    return pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True)


def interval(row: Any) -> str:
    """Format a mean PSNR with its 95 % interval."""
    return f"{row.psnr:.2f} [{row.psnr_low:.2f}, {row.psnr_high:.2f}]"


def number(value: float) -> str:
    """Format with two decimals, or as a dash if the paper has no value."""
    return "–" if pd.isna(value) else f"{value:.2f}"


def sources(folder: Path = RESULTS) -> str:
    """Describe the data, the profile and the sample sizes behind the numbers."""
    facts = json.loads((folder / "table_1.json").read_text())
    first, second = (pd.read_csv(folder / f"table_{n}_results.csv") for n in (1, 2))
    return (
        f"*Ours: {facts['data']}, profile {facts['profile']}, one training run per network. Table "
        f"I: {first['case'].nunique()} patches of {first['image'].nunique()} {facts['unit']}, 95 % "
        f"intervals over {facts['unit']}. Table II: {second['image'].nunique()} {facts['unit']}, "
        f"mean of the nine cells. Commit {facts['commit']}. SNR, SSIM, times and single cells: "
        "[Table I](figures/chestxray8/table_1.md), [Table II](figures/chestxray8/table_2.md). The "
        "same tables for the built-in radiograph: [Table I](figures/table_1.md), "
        "[Table II](figures/table_2.md).*"
    )


def summary_lines(folder: Path = RESULTS) -> str:
    """State the order of the methods, and how the networks compare: `lead` to `physics`."""
    facts = [json.loads((folder / f"table_{n}.json").read_text()) for n in (1, 2)]
    orders = [f"- Table {'I' * n}: {f['ordering']}" for n, f in enumerate(facts, start=1)]
    return "\n".join(
        [*orders, *(f"- {line(folder)}" for line in (lead, gain, successors, physics))]
    )


def lead(folder: Path) -> str:
    """State the lead of the best X-BDCNN over GAT+BM3D in the cells of Table II."""
    results = pd.read_csv(folder / "table_2_results.csv")
    rows = results[results["method"].isin([BEST, RIVAL])]
    cells = paired_differences(rows, RIVAL, ["eta", "sigma"])
    ahead, leads = (cells["psnr_low"] > 0).sum(), cells["psnr"]
    return (
        f"The PSNR of {BEST}, which is blind, minus that of {RIVAL}, which is given η and σ, is "
        f"{leads.min():+.2f} to {leads.max():+.2f} dB in the cells of Table II, with an interval "
        f"above zero in {ahead} of {len(cells)}."
    )


def gain(folder: Path) -> str:
    """Compare the gain of the best network over the noisy image with that of the paper."""
    table = pd.read_csv(folder / "table_2.csv").set_index(["eta", "sigma", "method"])
    noisy = table["corrected_psnr"].xs(BEFORE, level="method")
    printed = table["corrected_psnr"].xs(BEST, level="method") - noisy
    excess = table["gain"].xs(BEST, level="method") - printed
    return (
        "Its gain over the noisy image differs from that of X-BDCNN in the paper (corrected) by "
        f"{excess.min():+.2f} to {excess.max():+.2f} dB; it is at least as large in "
        f"{(excess >= 0).sum()} of {len(excess)} cells."
    )


def successors(folder: Path) -> str:
    """State how the successors compare with the best X-BDCNN and with one another in Table II."""
    results = pd.read_csv(folder / "table_2_results.csv")
    specialist, generalist = (ZOO[name].label for name in ("specialist", "generalist"))
    texts = []
    for method, rival in ((specialist, BEST), (generalist, specialist)):
        rows = results[results["method"].isin([method, rival])]
        mean = paired_differences(rows, rival).iloc[0]
        cells = paired_differences(rows, rival, ["eta", "sigma"])
        ahead = (cells["psnr_low"] > 0).sum()
        texts.append(
            f"{method} minus {rival} is {mean.psnr:+.2f} dB [{mean.psnr_low:+.2f}, "
            f"{mean.psnr_high:+.2f}] in Table II, with an interval above zero in {ahead} of "
            f"{len(cells)} cells"
        )
    return f"{'; '.join(texts)} (one training run each)."


def physics(folder: Path) -> str:
    """State what physically made noise of equal PSNR costs the best network."""
    rows = pd.read_csv(folder / "audit_physical_noise.csv")
    text = cost_text(mean_gains(rows), BEST)
    return f"{text[0].upper()}{text[1:]} ([11](notebooks/11_audit.ipynb))."


def audit_lines(folder: Path = ROOT / "figures") -> str:
    """Render the `POINTS` of the ledger as a Markdown list: verdict, short evidence, links."""
    ledger = pd.read_csv(folder / "ledger.csv").set_index("point")
    lines = [audit_line(point, ledger.loc[point]) for point in POINTS]
    rest = (
        f"All {len(ledger)} points ({counts(ledger)}) are in the [ledger](figures/ledger.md), "
        "which [notebook 11](notebooks/11_audit.ipynb) writes."
    )
    return "\n".join([*lines, "", rest])


def audit_line(point: str, row: pd.Series) -> str:
    """Render one item of `audit_lines`, with the evidence up to its first semicolon."""
    notebook, evidence = POINTS[point], row["evidence"].split(";")[0]
    return (
        f"1. [{point}](figures/ledger.md#{anchor(point)}): **{row['verdict']}**. "
        f"{evidence[0].upper()}{evidence[1:]} "
        f"([{notebook[:2]}](notebooks/{notebook}.ipynb))"
    )


def filled(text: str) -> str:
    """Return the README with its results and its audit updated from figures/."""
    before, rest = text.split(AUDIT_START)
    text = f"{before}{AUDIT_START}\n\n{audit_lines()}\n\n{AUDIT_END}{rest.split(AUDIT_END)[1]}"
    before, rest = text.split(START)
    after = rest.split(END)[1]
    return (
        f"{before}{START}\n\n{result_table()}\n\n{summary_lines()}\n\n{sources()}\n\n{END}{after}"
    )


def main() -> int:
    """Write the README, or check it; exit code 1 if it is out of date."""
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
