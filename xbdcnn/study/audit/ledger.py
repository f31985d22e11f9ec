"""The ledger of the audit: one finding per disputed point of the paper, its verdict computed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from xbdcnn._common.files import atomic_path, write_csv, write_json

Verdict = Literal["contradicted", "confirmed", "undecidable"]
"""What becomes of the claim: evidence against it, for it, or not enough in public."""

Confidence = Literal["certain", "high", "moderate", "low"]
"""Certain: arithmetic or a proof. High: several independent signs. Moderate: one good sign."""


@dataclass(frozen=True)
class Finding:
    """What is said about one point, what we do, and what a computation says about it."""

    point: str
    claim: str
    """What the text says."""
    verdict: Verdict
    confidence: Confidence
    evidence: str
    """The numbers behind the verdict."""
    choice: str
    """What this project does."""
    equation: str = "–"
    """What the equation or table prints, where it matters."""
    released: str = "–"
    """What the first author's published code does, where it is known."""
    effect: str = "–"
    """What the choice costs in PSNR, SSIM or noise level error, where that was measured."""


def ledger(findings: Iterable[Finding]) -> pd.DataFrame:
    """One row per finding, columns in reading order."""
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
"""Columns of the ledger and their names for readers."""


def anchor(point: str) -> str:
    """Fragment under which a point's section of the Markdown ledger can be linked."""
    return re.sub(r"[^\w\- ]", "", point.lower()).replace(" ", "-")


def as_markdown(table: pd.DataFrame, facts: dict[str, Any]) -> str:
    """A page: the verdicts at a glance, then a section per point; facts: profile, data, commit."""
    counts = ", ".join(f"{n} {verdict}" for verdict, n in table["verdict"].value_counts().items())
    made = f"profile {facts['profile']}, {facts['data']}, commit {facts['commit']}"
    glance = pd.DataFrame(
        {
            "point": [f"[{point}](#{anchor(point)})" for point in table["point"]],
            "verdict": table["verdict"],
            "confidence": table["confidence"],
        }
    ).to_markdown(index=False)
    sections = [_section(row) for row in table.to_dict("records")]
    head = (
        f"# Ledger of the audit\n\n{len(table)} points: {counts}. Written by notebook 11, {made}."
    )
    return "\n\n".join([head, glance, *sections]) + "\n"


def _section(row: dict[str, str]) -> str:
    lines = [f"- **{name}:** {row[key]}" for key, name in ASPECTS.items() if row[key] != "–"]
    verdict = f"**{row['verdict'].capitalize()}**, confidence: {row['confidence']}."
    return "\n".join([f"## {row['point']}", "", verdict, "", *lines])


def write_ledger(findings: Iterable[Finding], stem: Path, facts: dict[str, Any]) -> pd.DataFrame:
    """Write the ledger as <stem>.csv and .md, its provenance as .json, and return it.

    facts: from `provenance.provenance`, with profile and data.
    """
    table = ledger(findings)
    write_csv(table, stem.with_suffix(".csv"))
    write_json(facts, stem.with_suffix(".json"))
    with atomic_path(stem.with_suffix(".md")) as temporary:
        temporary.write_text(as_markdown(table, facts), encoding="utf-8")
    return table
