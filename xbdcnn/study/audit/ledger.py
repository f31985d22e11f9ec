"""The ledger of the audit: one finding with a computed verdict per disputed point."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from xbdcnn._common.files import write_csv, write_json, write_text

Verdict = Literal["contradicted", "confirmed", "undecidable"]
"""Outcome for a claim: evidence against it, evidence for it, or insufficient evidence."""

Confidence = Literal["certain", "high", "moderate", "low"]
"""Certain: arithmetic or a proof. High: several independent indications. Moderate: one."""


@dataclass(frozen=True)
class Finding:
    """A disputed point of the paper: the claim, our choice, the evidence and the verdict."""

    point: str
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


def ledger(findings: Iterable[Finding]) -> pd.DataFrame:
    """Return one row per finding, with columns in reading order."""
    order = ["point", "claim", "equation", "released", "choice", "evidence", "effect"]
    table = pd.DataFrame([asdict(finding) for finding in findings])
    return table[[*order, "verdict", "confidence"]]


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
    """Render the ledger: a table of verdicts, then a section per point.

    facts: provenance with profile, data and commit.
    """
    counts = ", ".join(f"{n} {verdict}" for verdict, n in table["verdict"].value_counts().items())
    origin = f"profile {facts['profile']}, {facts['data']}, commit {facts['commit']}"
    overview = pd.DataFrame(
        {
            "point": [f"[{point}](#{anchor(point)})" for point in table["point"]],
            "verdict": table["verdict"],
            "confidence": table["confidence"],
        }
    ).to_markdown(index=False)
    sections = [_section(row) for row in table.to_dict("records")]
    head = (
        f"# Ledger of the audit\n\n{len(table)} points: {counts}. Written by notebook 11, {origin}."
    )
    return "\n\n".join([head, overview, *sections]) + "\n"


def _section(row: dict[str, str]) -> str:
    lines = [f"- **{name}:** {row[key]}" for key, name in ASPECTS.items() if row[key] != "–"]
    verdict = f"**{row['verdict'].capitalize()}**, confidence: {row['confidence']}."
    return "\n".join([f"## {row['point']}", "", verdict, "", *lines])


def write_ledger(findings: Iterable[Finding], stem: Path, facts: dict[str, Any]) -> pd.DataFrame:
    """Write the ledger to <stem>.csv and .md and its provenance to .json; return the ledger.

    facts: from `provenance.provenance`, with profile and data.
    """
    table = ledger(findings)
    write_csv(table, stem.with_suffix(".csv"))
    write_json(facts, stem.with_suffix(".json"))
    write_text(as_markdown(table, facts), stem.with_suffix(".md"))
    return table
