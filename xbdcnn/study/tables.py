"""Tables I and II as csv, Markdown and LaTeX: paper as printed, paper corrected, and ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from xbdcnn import paper
from xbdcnn._common.files import write_csv, write_json, write_text
from xbdcnn._common.provenance import provenance
from xbdcnn.data.source import Source
from xbdcnn.inference.methods import (
    collect_methods,
    method_versions,
    names_at_hand,
    training_seeds,
)
from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.comparison import (
    adjacent_leads,
    adjacent_leads_by_cell,
    clear_winners,
    ordering_sentence,
)
from xbdcnn.study.profiles import Profile
from xbdcnn.study.results import ResultsFile
from xbdcnn.study.scoring import BEFORE, digest, evaluate, table_1_cases, table_2_cases
from xbdcnn.study.statistics import paired_differences, summarise

PRINTED_AS = {entry.label: entry.printed_as for entry in ZOO.values() if entry.printed_as} | {
    BEFORE: "Before Denoising",
    "BM3D": "BM3D",
}
"""Which printed row each of our rows answers to; rows that are not here have none."""

ONLY_IN_1 = ("xbdcnn-without-ssim", "xbdcnn-without-nle")
"""The ablations, which the paper, too, prints in Table I alone."""

CELL = ["eta", "sigma"]

KEY = {1: ["method"], 2: [*CELL, "method"]}
"""The columns that tell the rows of Table I and of Table II apart."""

MIN_IMAGES = 8
"""Images from which on a percentile bootstrap of their mean deserves the name of an interval."""

FEW = " (so few images that it is hardly more than their range)"


def run_table(
    number: int,
    profile: Profile,
    source: Source,
    output: Path | str,
    weights: Path | str | None = None,
    only: Sequence[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure Table I or II and write it, with the rows behind it, to `output`.

    Files: table_N.csv|md|tex (the table), table_N_results.csv (one row per image and method) and
    .json (versions of the methods), table_N_differences.csv (paired, against X-BDCNN),
    table_N.json (provenance).

    Args:
        number: 1 or 2.
        profile: sizes; source: radiographs.
        weights, only: which methods, see `methods.collect_methods`; by default Table II goes
            without those of `ONLY_IN_1`.
        output: folder, made if need be.
        resume: keep rows of these methods that an interrupted measurement left in `output` and
            that are still valid.
        progress: show a progress bar.

    Returns:
        The table, see `table_1` and `table_2`.
    """
    cases = {1: table_1_cases, 2: table_2_cases}[number](source, profile)
    rows = only or [
        n for n in names_at_hand(profile.classical, weights) if number == 1 or n not in ONLY_IN_1
    ]
    methods = collect_methods(profile.classical, profile.precision, weights, rows)
    stem = Path(output) / f"table_{number}"
    seeds = training_seeds(methods, weights)
    identity = {"profile": profile.name, "data_sha256": source.fingerprint}
    identity |= {"cases": digest(cases), "methods": method_versions(methods, weights)}
    journal = ResultsFile(stem.with_name(f"{stem.name}_results.csv"), identity)
    known = journal.known() if resume else None
    journal.begin(known)
    results = evaluate(methods, cases, progress, known, journal.keep)
    journal.keep(results)
    table = {1: table_1, 2: table_2}[number](results)
    leads = {1: adjacent_leads, 2: adjacent_leads_by_cell}[number](results, table)
    facts = provenance(
        profile=profile.name,
        data=source.name,
        unit=source.unit,
        data_sha256=source.fingerprint,
        seed=0,
        precision=profile.precision,
        threads=torch.get_num_threads(),
        training_seeds=seeds,
        ordering=ordering_sentence(leads),
    )
    reference = ZOO["xbdcnn"].label if ZOO["xbdcnn"].label in methods else next(iter(methods))
    differences = paired_differences(results, reference, KEY[number]).assign(reference=reference)
    write_csv(differences, stem.with_name(f"{stem.name}_differences.csv"))
    write_table(table, stem, caption(number, results, facts), facts)
    return table


def table_1(results: pd.DataFrame) -> pd.DataFrame:
    """Table I: one row per method, ours beside the paper as printed and as corrected."""
    summary = summarise(results)
    best = clear_winners(results)
    summary["clearly_best"] = [(method,) in best for method in summary["method"]]
    printed = summary["method"].map(_printed_in_table_1)
    return _beside_paper(summary, printed)


def table_2(results: pd.DataFrame) -> pd.DataFrame:
    """Table II: one row per noise level and method, with `gain`, the PSNR won over the noisy."""
    summary = summarise(results, [*CELL, "method"])
    cells = list(zip(summary["eta"], summary["sigma"], summary["method"], strict=True))
    best = clear_winners(results, CELL)
    summary["clearly_best"] = [cell in best for cell in cells]
    printed = pd.Series([_printed_in_table_2(*cell) for cell in cells], index=summary.index)
    table = _beside_paper(summary, printed)
    noisy = summary[summary["method"] == BEFORE].set_index(CELL)["psnr"]
    table.insert(3, "gain", table["psnr"] - noisy.reindex(table.set_index(CELL).index).to_numpy())
    return table


def _printed_in_table_1(label: str) -> paper.Scores | None:
    return paper.TABLE_1.get(PRINTED_AS.get(label, ""))


def _printed_in_table_2(eta: float, sigma: float, label: str) -> paper.Scores | None:
    if label == BEFORE:
        return paper.Scores(float("nan"), paper.TABLE_2_NOISY_PSNR[eta, sigma], float("nan"))
    return paper.TABLE_2[eta, sigma].get(PRINTED_AS.get(label, ""))


def _beside_paper(summary: pd.DataFrame, printed: pd.Series) -> pd.DataFrame:
    """Append the paper's scores, as printed and with swapped columns put right."""
    table = summary.copy()
    for prefix, read in (("printed", lambda s: s), ("corrected", paper.corrected)):
        for field in ("snr", "psnr", "ssim"):
            table[f"{prefix}_{field}"] = [
                getattr(read(scores), field) if scores else float("nan") for scores in printed
            ]
    return table


def caption(number: int, results: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Say what a table shows: data, profile, how many images, which conventions."""
    images, cases = results["image"].nunique(), results["case"].nunique()
    smoke = "SMOKE TEST, NOT A RESULT. " if facts["profile"] == "smoke" else ""
    seeds = ", ".join(map(str, facts["training_seeds"])) or "not on record"
    return (
        f"{smoke}Table {'I' * number}, profile {facts['profile']}, {facts['data']}: {images} "
        f"{facts['unit']}, {cases} noisy images. Mean and 95 % bootstrap interval over "
        f"{facts['unit']}"
        f"{FEW if images < MIN_IMAGES else ''}; noise of seed {facts['seed']}, networks trained with "
        f"seed {seeds}. {facts['ordering']} "
        "Bold: better than every other method, each paired interval excluding zero. "
        "PSNR and SNR in dB; SSIM with an 11-pixel Gaussian window and data range 1, or 2 where "
        f"named; seconds per image on a CPU, median, methods of one run taking turns: networks in "
        f"{facts['precision']} on {facts['threads']} thread(s), classical methods on one. "
        "'corrected' exchanges SNR and PSNR where "
        "the paper prints SNR > PSNR, which no image can have."
    )


def write_table(table: pd.DataFrame, stem: Path, text: str, facts: dict[str, Any]) -> None:
    """Write a table as csv (full precision), Markdown and LaTeX, and its provenance as JSON."""
    write_csv(table, stem.with_suffix(".csv"))
    rounded = readable(table, "**{}**").to_markdown(index=False, disable_numparse=True)
    write_text(f"{text}\n\n{rounded}\n", stem.with_suffix(".md"))
    latex = readable(table, r"\textbf{{{}}}").to_latex(index=False, caption=latex_text(text))
    write_text(latex, stem.with_suffix(".tex"))
    write_json({"caption": text} | facts, stem.with_suffix(".json"))


def latex_text(text: str) -> str:
    """Plain text for LaTeX, with every character that means something there escaped."""
    words = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return re.sub(r"[\\&%$#_{}~^]", lambda m: words.get(m[0], f"\\{m[0]}"), text)


def readable(table: pd.DataFrame, best: str = "{}") -> pd.DataFrame:
    """The columns that people compare, rounded and as text, intervals in brackets.

    best: how to print the PSNR of a method that is clearly the best, e.g. "**{}**".
    """
    columns: dict[str, Any] = {name: table[name] for name in [*CELL, "method"] if name in table}
    columns["paper PSNR printed"] = table["printed_psnr"].map(_number(2))
    columns["paper PSNR corrected"] = table["corrected_psnr"].map(_number(2))
    ours = zip(_with_interval(table, "psnr", 2), table["clearly_best"], strict=True)
    columns["our PSNR"] = [best.format(text) if clear else text for text, clear in ours]
    columns["our SNR"] = table["snr"].map(_number(2))
    if "gain" in table:
        columns["our gain"] = table["gain"].map(_number(2))
    columns["paper SSIM"] = table["printed_ssim"].map(_number(4))
    columns["our SSIM"] = table["ssim"].map(_number(4))
    columns["our SSIM, range 2"] = table["ssim_range_2"].map(_number(4))
    columns["seconds"] = table["seconds"].map(_number(3))
    return pd.DataFrame(columns)


def _with_interval(table: pd.DataFrame, name: str, digits: int) -> list[str]:
    number = _number(digits)
    rows = zip(table[name], table[f"{name}_low"], table[f"{name}_high"], strict=True)
    return [
        number(mean) + ("" if pd.isna(low) else f" [{number(low)}, {number(high)}]")
        for mean, low, high in rows
    ]


def _number(digits: int) -> Callable[[float], str]:
    return lambda value: "–" if pd.isna(value) else f"{value:.{digits}f}"
