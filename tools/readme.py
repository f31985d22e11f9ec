"""Update the findings, the table and the list of notebooks in README.md from figures/.

python tools/readme.py --write | --check
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
from findings import findings, gap

from xbdcnn.study.audit.ledger import counts
from xbdcnn.study.results import FOLDER as RESULTS
from xbdcnn.study.scoring import BEFORE

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"

METHODS = (
    "Successor (specialist)",
    "Successor (generalist)",
    "X-BDCNN (balanced)",
    "X-BDCNN (as written)",
    "X-ReCNN-style",
    "DnCNN",
    "GAT+BM3D",
    "GAT+FFDNet (photographs)",
)
"""Rows of the table, at most eight; all methods are in Tables I and II in figures/chestxray8."""

NOTEBOOKS = {
    "00_start_here": ("00_hero", "the paper in one figure, how to use this project"),
    "01_noise_synthesis": ("01_grid", "Eq. 1–2, where the photons are, noise of real detectors"),
    "02_data": ("02_patches", "radiographs, ChestX-ray8, splits and leakage"),
    "03_model_tour": ("03_figure_1", "the network typed in three cells, Fig. 1 drawn from it"),
    "04_losses_and_metrics": ("04_asymmetry", "Eq. 3–8 typed, PSNR, SNR, SSIM, conventions"),
    "05_train": ("05_strip", "a training loop to edit, resumed training, budgets"),
    "06_tables": ("06_table_2", "Tables I and II: printed, corrected, ours"),
    "07_ablations": ("07_ablations", "the effects of the SSIM loss and of the NLE"),
    "08_figure_2": ("08_figure_2", "the methods side by side, by pixel and by frequency"),
    "09_noise_explorer": ("09_noisy", "the effects of η and σ, interactively"),
    "10_exercises": ("10_correlated_noise", "tasks with automatic checks"),
    "11_audit": ("11_out_of_range", "every disputed point of the paper, with its verdict"),
    "12_your_own_radiograph": ("12_removed", "DICOM in and out, two checks of the residual"),
    "13_detectability": ("13_by_dose", "faint discs and nodules, PSNR against detectability"),
}
"""Figure and content of each notebook."""


def result_table(folder: Path = RESULTS) -> str:
    """Render PSNR of Table I for `METHODS` as Markdown, best first."""
    table = pd.read_csv(folder / "table_1.csv").set_index("method").loc[list(METHODS)]
    table = table.sort_values("psnr", ascending=False)
    columns = {
        "method": table.index,
        "told about the noise": table["told"],
        "paper, corrected": table["corrected_psnr"].map(number),
        "**ours**, [interval], budget": [
            f"**{row.psnr:.2f}** {interval(row)}, {budget(row)}" for row in table.itertuples()
        ],
    }
    return pd.DataFrame(columns).to_markdown(index=False, disable_numparse=True)


def interval(row: Any) -> str:
    """Format the 95 % interval of a mean PSNR."""
    return f"[{row.psnr_low:.2f}, {row.psnr_high:.2f}]"


def budget(row: Any) -> str:
    """Format the training pixels in percent of the paper's."""
    share = row.paper_pixels_percent
    return "not trained" if pd.isna(share) else f"{share:.2g} %"


def number(value: float) -> str:
    """Format with two decimals, or as a dash if the paper has no value."""
    return "–" if pd.isna(value) else f"{value:.2f}"


def sources(folder: Path = RESULTS) -> str:
    """Describe the scores, the data, the sample sizes and the order of the methods."""
    facts = [json.loads((folder / f"table_{n}.json").read_text()) for n in (1, 2)]
    first = pd.read_csv(folder / "table_1_results.csv")
    noisy = pd.read_csv(folder / "table_1.csv").set_index("method").loc[BEFORE]
    return (
        f"*Mean PSNR in dB of Table I: {first['case'].nunique()} patches of "
        f"{first['image'].nunique()} {facts[0]['unit']} of the {facts[0]['data']}, noisy "
        f"{noisy.psnr:.2f} dB (paper {noisy.corrected_psnr:.2f}). Intervals: 95 % over "
        f"{facts[0]['unit']}, one training run per network, so that they compare weight files and "
        "not methods. Budget: training pixels in percent of the paper's; the level estimator of "
        f"the successors adds {facts[0]['level_estimator_percent']:.1f} %. "
        f"Commit {facts[0]['commit']}. All methods, SNR, SSIM and times: "
        "[Table I](figures/chestxray8/table_1.md), [Table II](figures/chestxray8/table_2.md).*\n\n"
        f"Table I: {facts[0]['ordering']} Table II: {facts[1]['ordering']}"
    )


def notebook_table(folder: Path = ROOT / "figures") -> str:
    """List the notebooks with the minutes that their last published run took."""
    runs = json.loads((folder / "provenance.json").read_text())["notebooks"]
    rows = []
    for stem, (figure, content) in NOTEBOOKS.items():
        title = re.search(r"^# # (.+)$", notebook_source(stem), re.MULTILINE)[1]
        picture = f'<img src="figures/{figure}.png" alt="{content}" height="60">'
        rows.append((f"[{title}](notebooks/{stem}.ipynb)", content, minutes(runs[stem]), picture))
    table = pd.DataFrame(rows, columns=["notebook", "content", "time", ""])
    return table.to_markdown(index=False, disable_numparse=True)


def notebook_source(stem: str) -> str:
    """Return the source of a notebook."""
    return (ROOT / "notebooks" / f"{stem}.py").read_text(encoding="utf-8")


def minutes(run: dict[str, Any]) -> str:
    """Format the time of a run in minutes, one decimal below ten."""
    time = run["seconds"] / 60
    return f"{time:.1f} min" if time < 10 else f"{time:.0f} min"


def ledger_line(folder: Path = ROOT / "figures") -> str:
    """Count the points of the ledger by verdict, with a link."""
    ledger = pd.read_csv(folder / "ledger.csv")
    return (
        f"The [ledger](figures/ledger.md) has {len(ledger)} points ({counts(ledger)}): arithmetic "
        "with the printed tables, the text against equations and released code, and our own "
        "measurements, which agree, disagree or are too weak."
    )


def sections() -> dict[str, str]:
    """Return the generated parts of the README by name."""
    found = f"{findings(RESULTS)}\n\n{ledger_line()}"
    table = f"{result_table()}\n\n{sources()}\n\n{gap(RESULTS)}"
    return {"findings": found, "table": table, "notebooks": notebook_table()}


def filled(text: str) -> str:
    """Return the README with its generated sections, each between two comments, updated."""
    for name, content in sections().items():
        start, end = (f"<!-- {edge} of {name}, by tools/readme.py -->" for edge in ("start", "end"))
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{content}\n\n{end}{rest.split(end)[1]}"
    return text


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
