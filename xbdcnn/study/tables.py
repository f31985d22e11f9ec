"""Tables I and II as csv, Markdown and LaTeX: paper as printed, paper corrected, and ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import write_csv, write_json, write_text
from xbdcnn._common.provenance import provenance
from xbdcnn.baselines.independent import INDEPENDENT
from xbdcnn.data.source import Source
from xbdcnn.inference.methods import (
    TOLD,
    collect_methods,
    default_names,
    training_seeds,
)
from xbdcnn.inference.precision import Precision, resolve_precision
from xbdcnn.inference.weights import ESTIMATOR
from xbdcnn.inference.zoo import ESTIMATORS, ZOO
from xbdcnn.study.comparison import (
    adjacent_leads,
    adjacent_leads_by_cell,
    clear_winners,
    ordering_sentence,
)
from xbdcnn.study.measuring import measure_rows
from xbdcnn.study.profiles import Profile
from xbdcnn.study.scoring import BEFORE
from xbdcnn.study.statistics import methods_in, paired_differences, summarise
from xbdcnn.study.table_text import CELL_COLUMNS, latex_text, readable
from xbdcnn.study.trainings import recorded_shares

PRINTED_AS = {entry.label: entry.paper_row for entry in ZOO.values() if entry.paper_row} | {
    BEFORE: "Before Denoising",
    "BM3D": "BM3D",
}
"""Row of the paper's tables to which each of our rows corresponds; other rows have none."""

TABLE_1_ONLY = ("xbdcnn-without-ssim", "xbdcnn-without-nle")
"""The ablations, which appear in Table I only, as in the paper."""

ROW_KEY = {1: ["method"], 2: [*CELL_COLUMNS, "method"]}
"""Columns that identify a row of Table I and of Table II."""

MIN_IMAGES = 8
"""Smallest number of images for which the percentile bootstrap of the mean is meaningful."""

FEW_IMAGES_NOTE = " (too few images for a meaningful interval)"


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
    """Measure Table I or II and write the table and the rows behind it to `output`.

    Files: table_N.csv|md|tex (the table), table_N_results.csv (one row per image and method) and
    .json (versions of the methods), table_N_differences.csv (paired, against X-BDCNN),
    table_N.json (provenance). `table_rewriting.rewrite_table` writes them again from the rows.

    Args:
        number: 1 or 2.
        profile: sizes.
        source: radiographs.
        output: folder, created if it does not exist.
        weights, only: which methods, see `methods.collect_methods`; by default Table II omits
            those of `TABLE_1_ONLY`.
        resume: keep the rows in `output` that are still valid, of these and of other methods.
        progress: show a progress bar.

    Returns:
        The table, see `table_1` and `table_2`, with the columns told (`methods.TOLD`) and
        paper_pixels_percent (`trainings.recorded_shares`).

    Raises:
        XbdcnnError: see `methods.collect_methods` and `measure_rows`, or, with `resume`, the record
            of the table is damaged; before anything is measured.
    """
    rows = only or _default_rows(number, profile, weights)
    stem = Path(output) / f"table_{number}"
    precision = _kept_precision(stem) if resume else None
    precision = precision or resolve_precision(profile.precision, torch.device("cpu"))
    methods = collect_methods(profile.classical, precision, weights, rows)
    path = stem.with_name(f"{stem.name}_results.csv")
    results = measure_rows(
        number, profile, source, methods, path, weights, resume=resume, progress=progress
    )
    facts = provenance(
        profile=profile.name,
        data=source.name,
        unit=source.unit,
        data_sha256=source.fingerprint,
        seed=0,
        precision=precision,
        threads=torch.get_num_threads(),
        training_seeds=training_seeds(methods_in(results), weights),
    )
    return write_results(number, results, facts, stem, weights)


def write_results(
    number: int,
    results: pd.DataFrame,
    facts: dict[str, Any],
    stem: Path,
    weights: Path | str | None,
) -> pd.DataFrame:
    """Write the table of measured rows, their paired differences and the record `facts`.

    number, weights: as for `run_table`; results: rows of `scoring.evaluate`; stem: path of the
    files without suffix. Returns the table.
    """
    labels, shares = methods_in(results), recorded_shares(weights)
    table = {1: table_1, 2: table_2}[number](results)
    table["told"] = table["method"].map(TOLD)
    table["paper_pixels_percent"] = table["method"].map(shares)
    leads = (
        adjacent_leads(results, table) if number == 1 else adjacent_leads_by_cell(results, table)
    )
    facts = facts | {"ordering": ordering_sentence(leads)}
    successors = {entry.label for entry in ZOO.values() if entry.architecture == "successor"}
    estimator = ESTIMATORS[ESTIMATOR].label if successors & {*labels} else ""
    facts["level_estimator_percent"] = shares.get(estimator)
    reference = ZOO["xbdcnn"].label if ZOO["xbdcnn"].label in labels else labels[1]
    differences = paired_differences(results, reference, ROW_KEY[number])
    path = stem.with_name(f"{stem.name}_differences.csv")
    write_csv(differences.assign(reference=reference), path)
    write_table(table, stem, caption(number, results, facts), facts)
    return table


def _kept_precision(stem: Path) -> Precision | None:
    """Return the precision of the networks in a table on file; None if there is none.

    A resumed measurement continues in it, also on another machine: a table has one precision.

    Raises:
        XbdcnnError: the record is damaged.
    """
    record = stem.with_suffix(".json")
    if not record.exists():
        return None
    try:
        return json.loads(record.read_text(encoding="utf-8"))["precision"]
    except (ValueError, KeyError, TypeError) as error:
        raise XbdcnnError(f"{record}: damaged ({error!r}); delete it to start anew") from None


def _default_rows(number: int, profile: Profile, weights: Path | str | None) -> list[str]:
    """Names of all methods of a table."""
    names = default_names(profile.classical, weights)
    return [name for name in names if number == 1 or name not in TABLE_1_ONLY]


def table_1(results: pd.DataFrame) -> pd.DataFrame:
    """Summarise Table I: one row per method, with the paper's scores as printed and corrected."""
    summary = summarise(results)
    best = clear_winners(results)
    summary["clearly_best"] = [(method,) in best for method in summary["method"]]
    printed = summary["method"].map(lambda label: paper.TABLE_1.get(PRINTED_AS.get(label, "")))
    return _beside_paper(summary, printed)


def table_2(results: pd.DataFrame) -> pd.DataFrame:
    """Summarise Table II: one row per noise level and method; `gain` is PSNR minus noisy PSNR."""
    summary = summarise(results, [*CELL_COLUMNS, "method"])
    cells = list(zip(summary["eta"], summary["sigma"], summary["method"], strict=True))
    best = clear_winners(results, CELL_COLUMNS)
    summary["clearly_best"] = [cell in best for cell in cells]
    printed = pd.Series([_printed_in_table_2(*cell) for cell in cells], index=summary.index)
    table = _beside_paper(summary, printed)
    noisy = summary[summary["method"] == BEFORE].set_index(CELL_COLUMNS)["psnr"]
    cell_of_row = table.set_index(CELL_COLUMNS).index
    table.insert(3, "gain", table["psnr"] - noisy.reindex(cell_of_row).to_numpy())
    return table


def _printed_in_table_2(eta: float, sigma: float, label: str) -> paper.Scores | None:
    if label == BEFORE:
        return paper.Scores(float("nan"), paper.TABLE_2_NOISY_PSNR[eta, sigma], float("nan"))
    return paper.TABLE_2[eta, sigma].get(PRINTED_AS.get(label, ""))


def _beside_paper(summary: pd.DataFrame, printed: pd.Series) -> pd.DataFrame:
    """Append the paper's scores, as printed and with exchanged columns corrected."""
    table = summary.copy()
    for prefix, read in (("printed", lambda s: s), ("corrected", paper.corrected)):
        for field in ("snr", "psnr", "ssim"):
            table[f"{prefix}_{field}"] = [
                getattr(read(scores), field) if scores else float("nan") for scores in printed
            ]
    return table


def caption(number: int, results: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Describe a table: data, profile, number of images, and conventions."""
    images, cases = results["image"].nunique(), results["case"].nunique()
    smoke = "SMOKE TEST, NOT A RESULT. " if facts["profile"] == "smoke" else ""
    seeds = ", ".join(map(str, facts["training_seeds"])) or "not recorded"
    note = ", those trained on photographs in fp32" if {*results["method"]} & {*INDEPENDENT} else ""
    return (
        f"{smoke}Table {'I' * number}, profile {facts['profile']}, {facts['data']}: {images} "
        f"{facts['unit']}, {cases} noisy images. Mean and 95 % bootstrap interval over "
        f"{facts['unit']}{FEW_IMAGES_NOTE if images < MIN_IMAGES else ''}; noise seed "
        f"{facts['seed']}, training seed of the networks {seeds}. {facts['ordering']} "
        "Bold: better than every other method, with each paired interval excluding zero. "
        "PSNR and SNR in dB; SSIM with an 11-pixel Gaussian window and data range 1, or 2 where "
        "indicated; seconds: median per image on a CPU in the run that measured the method, to be "
        "compared within one run only, networks in "
        f"{facts['precision']} on {facts['threads']} thread(s){note}, classical methods on one. "
        f"told: what a method is given beside the image. {pixels_note(facts)} "
        "'corrected' exchanges SNR and PSNR where the paper prints SNR > PSNR, which is impossible."
    )


def pixels_note(facts: dict[str, Any]) -> str:
    """Explain the training pixels in percent of those of the paper."""
    percent = facts["level_estimator_percent"]
    estimator = f"; the level estimator of the successors adds {percent:.1f} %" if percent else ""
    return (
        "% of the paper's pixels: area of all training patches, repeats included, in percent of "
        f"the {paper.TRAINING_PIXELS:,} pixels of the paper{estimator}."
    )


def write_table(table: pd.DataFrame, stem: Path, text: str, facts: dict[str, Any]) -> None:
    """Write a table as csv (full precision), Markdown and LaTeX, and its provenance as JSON."""
    write_csv(table, stem.with_suffix(".csv"))
    rounded = readable(table, "**{}**").to_markdown(index=False, disable_numparse=True)
    write_text(f"{text}\n\n{rounded}\n", stem.with_suffix(".md"))
    escaped = readable(table, r"\textbf{{{}}}").rename(columns=latex_text)
    latex = escaped.to_latex(index=False, caption=latex_text(text))
    write_text(latex, stem.with_suffix(".tex"))
    write_json({"caption": text} | facts, stem.with_suffix(".json"))
