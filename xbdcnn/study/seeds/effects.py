"""Differences between networks with intervals over seeds and images together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xbdcnn._common.files import write_csv, write_json
from xbdcnn._common.provenance import provenance
from xbdcnn.study.seeds.rows import read_facts, read_rows
from xbdcnn.study.statistics import crossed_interval, student_interval

PAIRS = (
    ("xbdcnn-fairest", "xbdcnn-fairest-without-ssim"),
    ("xbdcnn-fairest", "xbdcnn-fairest-without-nle"),
    ("xbdcnn-as-released", "xbdcnn-fairest"),
    ("xbdcnn-fairest", "dncnn"),
)
"""Network and reference of each effect: what the SSIM loss and the NLE bring, what the released
code changes, and the lead over DnCNN."""

SCORES = ("psnr", "ssim")

SIZE = ["width", "patches"]
"""Columns on which two networks that are compared agree."""


def seed_effects(results: pd.DataFrame, levels: pd.DataFrame) -> pd.DataFrame:
    """Compute the mean difference of each pair in `PAIRS`, network minus reference.

    Differences are paired by seed and image. The networks of one seed see the same patches with the
    same noise, and those of one architecture start from the same weights, so that their scores may
    be correlated. Paired differences contain this correlation whatever its sign; intervals from
    independent seeds would be too narrow if it is negative. The price is fewer degrees of freedom.

    Args:
        results, levels: see `rows.SeedRows`.

    Returns:
        One row per pair, width, number of patches, table and score: network, reference, width,
        patches, table, eta and sigma (nan for the mean over all levels), score, network_mean and
        reference_mean, effect, low and high (95 % interval over seeds and images together by
        `crossed_interval`; nan for one seed), seed_sd and image_sd (standard deviations of the
        difference), seeds, images, and order ("higher", "lower" or "undecided"). The score is PSNR
        in dB, SSIM, or the correlation of estimated and true noise levels, which is one number per
        seed: interval over seeds by Student's t. Pairs without a common seed have no row.
    """
    rows = [*_score_effects(results), *_level_effects(levels)]
    table = pd.DataFrame(rows)
    return table.astype({"images": "Int64"}) if rows else table


def write_effects(folder: Path) -> pd.DataFrame:
    """Write seeds_effects.csv and its provenance for the rows of a folder; return the effects."""
    rows, known = read_rows(folder), read_facts(folder)
    table = seed_effects(rows.results, rows.levels)
    write_csv(table, folder / "seeds_effects.csv")
    facts = {name: known.get(name) for name in ("data", "data_sha256", "profile")}
    write_json(provenance(**facts, runs=len(rows.trainings)), folder / "seeds_effects.json")
    return table


def readable(table: pd.DataFrame) -> str:
    """Return the effects as text: means over all levels, with rounded intervals."""
    if table.empty:
        return "no effects: no pair of networks has a common seed"
    columns = ["network", "reference", *SIZE, "table", "score", "effect", "low", "high"]
    shown = table.loc[table["eta"].isna(), [*columns, "seeds", "order"]]
    return shown.round(4).to_string(index=False)


def order(low: float, high: float) -> str:
    """Return "higher" or "lower" if an interval of a difference excludes zero, else "undecided"."""
    return "higher" if low > 0 else "lower" if high < 0 else "undecided"


def _score_effects(results: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for cell, rows in _cells(results):
        for score in SCORES:
            wide = rows.pivot_table(index=["network", "seed"], columns="image", values=score)
            for pair, first, second in _pairs(wide):
                found = crossed_interval(first - second)
                means = {"network_mean": first.mean(), "reference_mean": second.mean()}
                sizes = {"seeds": first.shape[0], "images": first.shape[1]}
                effect = {name: float(value) for name, value in found._asdict().items()}
                yield _row(pair | cell | {"score": score}, means, effect, sizes)


def _level_effects(levels: pd.DataFrame) -> Iterator[dict[str, Any]]:
    if levels.empty:
        return
    for (*place, level), rows in levels.groupby([*SIZE, "table", "level"], sort=False):
        cell = dict(zip([*SIZE, "table"], place, strict=True)) | {"eta": np.nan, "sigma": np.nan}
        wide = rows.pivot_table(index=["network", "seed"], values="correlation")
        for pair, first, second in _pairs(wide):
            difference = (first - second).ravel()
            low, high = student_interval(difference)
            means = {"network_mean": first.mean(), "reference_mean": second.mean()}
            effect = {"mean": difference.mean(), "low": low, "high": high}
            effect |= {"seed_sd": pd.Series(difference).std(), "image_sd": np.nan}
            about = pair | cell | {"score": f"correlation of {level}"}
            yield _row(about, means, effect, {"seeds": len(difference), "images": None})


def _cells(results: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Yield width, patches, table and levels, with their rows: all levels together, then each."""
    if results.empty:
        return
    for place, rows in results.groupby([*SIZE, "table"], sort=False):
        facts = dict(zip([*SIZE, "table"], place, strict=True))
        yield facts | {"eta": np.nan, "sigma": np.nan}, rows
        for (eta, sigma), part in rows.groupby(["eta", "sigma"]):  # none in Table I
            yield facts | {"eta": eta, "sigma": sigma}, part


def _pairs(wide: pd.DataFrame) -> Iterator[tuple[dict[str, str], np.ndarray, np.ndarray]]:
    """Yield each pair of networks with its values (seeds, images) of the seeds that both have.

    wide: indexed by network and seed, one column per image.
    """
    present = set(wide.index.get_level_values("network"))
    for network, reference in PAIRS:
        if {network, reference} <= present:
            first, second = wide.loc[network], wide.loc[reference]
            seeds = first.index.intersection(second.index)
            if len(seeds):
                pair = {"network": network, "reference": reference}
                yield pair, first.loc[seeds].to_numpy(), second.loc[seeds].to_numpy()


def _row(
    about: dict[str, Any], means: dict[str, Any], effect: dict[str, Any], sizes: dict[str, Any]
) -> dict[str, Any]:
    """Assemble a row of `seed_effects`, in which the mean of `effect` is the effect."""
    renamed = {"effect" if name == "mean" else name: value for name, value in effect.items()}
    return about | means | renamed | sizes | {"order": order(effect["low"], effect["high"])}
