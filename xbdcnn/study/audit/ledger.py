"""The ledger of the audit: a finding with a computed verdict per disputed point, in three parts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from xbdcnn._common.files import write_csv, write_json, write_text

Part = Literal["printed tables", "text, equations and code", "our measurements"]
"""What the evidence is: arithmetic with the printed numbers alone; a comparison of the text with
the equations and `RELEASED_CODE`; or measurements with our images, noise or trained networks."""

Verdict = Literal[
    "self-contradiction",
    "text and code differ",
    "not stated, inferred",
    "consistent",
    "our measurement agrees",
    "our measurement disagrees",
    "our measurement too weak",
]
"""Outcome for a claim, see `MEANINGS`."""

MEANINGS: dict[Verdict, str] = {
    "self-contradiction": "statements or numbers of the paper exclude one another",
    "text and code differ": "the released code does not do what the text or an equation states",
    "not stated, inferred": "the paper does not state it; it follows from its numbers or from the "
    "released code",
    "consistent": "statements and numbers of the paper agree with one another and with the code",
    "our measurement agrees": "our images, noise or networks behave as the paper claims",
    "our measurement disagrees": "ours do not; our weights are not the authors', so this does not "
    "contradict their network",
    "our measurement too weak": "our images, seeds or budgets do not decide the question",
}

RELEASED_CODE = "GitHub repository Wei-2021/X-BDCNN, commit 5d1162c, files in brackets"
""""The released code" of the findings, published by the first author."""

Confidence = Literal["certain", "high", "moderate", "low"]
"""Certain: arithmetic or a proof. High: several independent indications. Moderate: one."""


@dataclass(frozen=True)
class Finding:
    """A disputed point of the paper: the claim, our choice, the evidence and the verdict."""

    point: str
    part: Part
    claim: str
    """Statement of the text."""
    verdict: Verdict
    confidence: Confidence
    evidence: str
    """Numbers on which the verdict is based."""
    choice: str
    """What this project does."""
    equation: str = "–"
    """What the equation or table prints, where relevant."""
    released: str = "–"
    """What the code published by the first author does, where known."""
    effect: str = "–"
    """Measured effect of the choice on PSNR, SSIM or noise level error, where available."""


def measured(agrees: bool | None) -> Verdict:
    """Return the verdict of a measurement of ours; None: it does not decide the question."""
    if agrees is None:
        return "our measurement too weak"
    return "our measurement agrees" if agrees else "our measurement disagrees"


def ledger(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return one row per finding, sorted by part, with columns in reading order."""
    order = ["part", "point", "claim", "equation", "released", "choice", "evidence", "effect"]
    table = pd.DataFrame([asdict(finding) for finding in findings])
    table = table.sort_values(
        "part", key=lambda part: part.map(get_args(Part).index), kind="stable"
    )
    return table[[*order, "verdict", "confidence"]].reset_index(drop=True)


ASPECTS = {
    "claim": "The text",
    "equation": "Equation or table",
    "released": "Released code",
    "choice": "Our choice",
    "evidence": "Evidence",
    "effect": "Effect",
}
"""Columns of the ledger and their headings in Markdown."""


def anchor(point: str) -> str:
    """Return the URL fragment of a point's section in the Markdown ledger."""
    return re.sub(r"[^\w\- ]", "", point.lower()).replace(" ", "-")


def as_markdown(table: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Render the ledger: the meaning of the verdicts, then each part with a section per point.

    facts: provenance with profile, data and commit.
    """
    origin = f"profile {facts['profile']}, {facts['data']}, commit {facts['commit']}"
    head = (
        f"# Ledger of the audit\n\n{len(table)} points: {counts(table)}. Written by notebook 11, "
        f"{origin}. Released code: {RELEASED_CODE}."
    )
    meanings = "\n".join(f"- *{verdict}*: {meaning}" for verdict, meaning in MEANINGS.items())
    parts = [
        _part(number, part, table[table["part"] == part])
        for number, part in enumerate(get_args(Part), start=1)
        if (table["part"] == part).any()
    ]
    return "\n\n".join([head, meanings, *parts]) + "\n"


def counts(table: pd.DataFrame) -> str:
    """Describe how many points have each verdict, in the order of `MEANINGS`, joined by "; "."""
    numbers = table["verdict"].value_counts()
    return "; ".join(f"{numbers[verdict]} {verdict}" for verdict in MEANINGS if verdict in numbers)


def _part(number: int, part: Part, rows: pd.DataFrame) -> str:
    overview = pd.DataFrame(
        {
            "point": [f"[{point}](#{anchor(point)})" for point in rows["point"]],
            "verdict": rows["verdict"],
            "confidence": rows["confidence"],
        }
    ).to_markdown(index=False)
    sections = [_section(row) for row in rows.to_dict("records")]
    return "\n\n".join([f"## Part {number}: {part}", overview, *sections])


def _section(row: dict[str, str]) -> str:
    lines = [f"- **{name}:** {row[key]}" for key, name in ASPECTS.items() if row[key] != "–"]
    verdict = f"**{row['verdict'].capitalize()}**, confidence: {row['confidence']}."
    return "\n".join([f"### {row['point']}", "", verdict, "", *lines])


def write_ledger(findings: Iterable[Finding], stem: Path, facts: dict[str, Any]) -> pd.DataFrame:
    """Write the ledger to <stem>.csv and .md and its provenance to .json; return the ledger.

    facts: from `provenance.provenance`, with profile and data.
    """
    table = ledger(findings)
    write_csv(table, stem.with_suffix(".csv"))
    write_json(facts, stem.with_suffix(".json"))
    write_text(as_markdown(table, facts), stem.with_suffix(".md"))
    return table
