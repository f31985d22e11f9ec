"""Fill README.md's result table from figures/table_1.csv and table_2.csv.

python tools/readme.py --write | --check
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
START, END = "<!-- results: written by tools/readme.py -->", "<!-- end of results -->"


def result_table(folder: Path = ROOT / "figures") -> str:
    """Return the README's table as Markdown: PSNR of Table I and the mean of Table II's cells."""
    first = pd.read_csv(folder / "table_1.csv").set_index("method")
    cells = pd.read_csv(folder / "table_2.csv")
    second = cells.groupby("method", sort=False)[["corrected_psnr", "psnr"]].mean()
    columns = {
        "PSNR in dB": first.index,
        "paper, Table I": first["printed_psnr"].map(number),
        "corrected": first["corrected_psnr"].map(number),
        "**ours**": first["psnr"].map(number),
        "paper, Table II corrected": second["corrected_psnr"].reindex(first.index).map(number),
        "**ours** ": second["psnr"].reindex(first.index).map(number),
    }
    return pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True)


def number(value: float) -> str:
    """Two decimals, or a dash where the paper prints nothing."""
    return "–" if pd.isna(value) else f"{value:.2f}"


def sources(folder: Path = ROOT / "figures") -> str:
    """Return one sentence that says what the numbers were measured on."""
    facts = json.loads((folder / "table_1.json").read_text())
    first, second = (pd.read_csv(folder / f"table_{n}_results.csv") for n in (1, 2))
    return (
        f"*Ours: profile {facts['profile']}, {facts['data']}; Table I on {first['case'].nunique()} "
        f"patches of {first['image'].nunique()} {facts['unit']}, Table II on "
        f"{second['image'].nunique()} {facts['unit']}, mean of the nine cells; "
        f"commit {facts['commit']}. Intervals, SNR, SSIM, times: "
        "[Table I](figures/table_1.md), [Table II](figures/table_2.md).*"
    )


def filled(text: str) -> str:
    """Return the README with its results replaced by those in figures/."""
    before, rest = text.split(START)
    after = rest.split(END)[1]
    return f"{before}{START}\n\n{result_table()}\n\n{sources()}\n\n{END}{after}"


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
