"""What a larger training budget brings: differences between budgets, and their extrapolation.

References:
    Hestness et al., Deep learning scaling is predictable, empirically, arXiv:1712.00409, 2017:
    errors fall with a power of the amount of training data.
    Box and Cox, An analysis of transformations, J. R. Stat. Soc. B 26(2), 1964.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f, t

from xbdcnn.study.statistics import student_interval

EXPONENTS = np.linspace(0, 2, 201)
"""Exponents c of the power law: from 0, with which every doubling brings the same, to 2, with which
it brings a quarter of the one before."""

LEAST_BUDGETS = 3
"""Budgets without which there is no extrapolation: the power law has three parameters."""


def gains_per_doubling(runs: pd.DataFrame) -> pd.DataFrame:
    """Compute what each doubling of the budget brought, between neighbouring budgets on file.

    runs: from `budgets.complete_runs`. Differences are paired by seed, since the noise on the
    validation images depends on it. Returns one row per network and pair of budgets that have a
    common seed: network, width, batch_size, fewer and more (patches), doublings, gain (dB), and per
    doubling its mean (dB), with low and high (95 % interval over seeds by Student's t, nan for one
    seed); seeds.
    """
    rows = []
    for _, group in runs.groupby("settings", sort=False):
        wide = group.pivot(index="seed", columns="patches", values="val_psnr")
        for fewer, more in pairwise(sorted(wide.columns)):
            gain = (wide[more] - wide[fewer]).dropna()
            if len(gain):
                facts = group.iloc[0][["network", "width", "batch_size"]].to_dict()
                rows.append(
                    facts | {"fewer": fewer, "more": more} | _per_doubling(gain, more / fewer)
                )
    return pd.DataFrame(rows)


def _per_doubling(gain: pd.Series, ratio: float) -> dict[str, Any]:
    doublings = float(np.log2(ratio))
    low, high = student_interval(gain / doublings)
    facts = {"doublings": doublings, "gain": gain.mean(), "per_doubling": gain.mean() / doublings}
    return facts | {"low": low, "high": high, "seeds": len(gain)}


class Extrapolation(NamedTuple):
    """Gain in dB over the largest budget on file, with its 95 % interval, and the exponent c."""

    gain: float
    low: float
    high: float
    exponent: float


def extrapolations(runs: pd.DataFrame, factor: float = 10.0) -> pd.DataFrame:
    """Extrapolate each network to `factor` times its largest budget, where this is possible.

    runs: from `budgets.complete_runs`. Returns one row per network, recipe and optimiser for which
    `extrapolate` has a result: network, width, largest (patches), budgets, runs, and the fields of
    `Extrapolation`. Empty if there is none.
    """
    rows = []
    for _, group in runs.groupby("settings", sort=False):
        if found := extrapolate(group["patches"], group["val_psnr"], factor):
            facts = group.iloc[0][["network", "width"]].to_dict()
            facts |= {"largest": group["patches"].max(), "budgets": group["patches"].nunique()}
            rows.append(facts | {"runs": len(group)} | found._asdict())
    return pd.DataFrame(rows)


def extrapolate(patches: ArrayLike, psnr: ArrayLike, factor: float) -> Extrapolation | None:
    """Fit PSNR = a - b n^-c to complete runs with n patches; return the gain at a larger budget.

    For each c in `EXPONENTS` the fit is linear: PSNR = a + b g(x), where x = n / max n,
    g(x) = (1 - x^-c) / c, and g(x) = log x for c = 0 (Box and Cox 1964). All c are accepted that an
    F test at 5 % does not reject against the best; the interval covers the 95 % intervals of the
    mean for all of them. Scores of one seed at several budgets are taken as independent.

    patches, psnr: of each run, (N,), dB. factor: the budget in multiples of the largest. Returns
    None for fewer than three budgets, or for so few runs that they have no scatter.
    """
    x, y = np.asarray(patches, np.float64), np.asarray(psnr, np.float64)
    freedom = len(x) - 3
    if len(np.unique(x)) < LEAST_BUDGETS or freedom < 1:
        return None
    fits = np.array([_linear_fit(x / x.max(), y, c, factor) for c in EXPONENTS])
    gain, spread, squares = fits.T
    best = int(squares.argmin())
    accepted = squares <= squares[best] * (1 + f.ppf(0.95, 1, freedom) / freedom)
    half = t.ppf(0.975, freedom) * spread * np.sqrt(squares[best] / freedom)
    low, high = (gain - half)[accepted].min(), (gain + half)[accepted].max()
    return Extrapolation(float(gain[best]), float(low), float(high), float(EXPONENTS[best]))


def _linear_fit(
    x: NDArray[np.float64], y: NDArray[np.float64], c: float, factor: float
) -> tuple[float, float, float]:
    """Return gain at `factor`, its standard error for unit variance, and the sum of squares."""
    design = np.stack([np.ones_like(x), _power(x, c)], 1)  # (N, 2)
    inverse = np.linalg.inv(design.T @ design)
    a, b = inverse @ design.T @ y
    ahead = float(_power(np.array(factor), c))
    residuals = y - design @ [a, b]
    return b * ahead, ahead * np.sqrt(inverse[1, 1]), float(residuals @ residuals)


def _power(x: NDArray[np.float64], c: float) -> NDArray[np.float64]:
    """(1 - x^-c) / c, log x for c = 0."""
    return np.log(x) if c == 0 else (1 - x**-c) / c
