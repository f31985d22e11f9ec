"""The ledger of the audit: one finding per disputed point of the paper, its verdict computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from xbdcnn.files import atomic_path
from xbdcnn.tables import write_csv, write_json

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


def write_ledger(findings: Iterable[Finding], stem: Path, facts: dict[str, Any]) -> pd.DataFrame:
    """Write the ledger as <stem>.csv and .md, its provenance as .json, and return it."""
    table = ledger(findings)
    write_csv(table, stem.with_suffix(".csv"))
    write_json(facts, stem.with_suffix(".json"))
    with atomic_path(stem.with_suffix(".md")) as temporary:
        temporary.write_text(table.to_markdown(index=False) + "\n", encoding="utf-8")
    return table
