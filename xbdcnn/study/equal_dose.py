"""At which dose an unrestored image is as good as a restored one, by PSNR and by detectability.

All functions take the rows of `audit.detection.detectability`. The dose is given by eta, to which
it is proportional. Intervals are 95 % percentile intervals of a bootstrap over fields, each of
another radiograph; all methods and doses are resampled alike, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.observers import contrast_to_noise
from xbdcnn.study.scoring import BEFORE

Array = NDArray[np.float64]
Means = Mapping[str, Array]
"""Means by column: first over all fields, then over the fields of each resample, (1 + n,)."""

OBSERVERS = ("matched", "hotelling", "unknown")
"""Beginnings of the columns of `observers.Detection`."""

CRITERIA = {"PSNR": "gain", "CNR": "cnr ratio"} | {f"{o} d'": f"{o} ratio" for o in OBSERVERS}
"""Scores of `scores` that compare with the unrestored image, by criterion."""

INTERVAL = (2.5, 97.5)
"""Percentiles at the ends of every interval."""

NO_CROSSING = dict.fromkeys(("eta", "low", "high"), np.nan)

RESAMPLES = 2000


def bootstrap_means(rows: pd.DataFrame, resamples: int = RESAMPLES) -> dict[str, Array]:
    """Average the numeric columns of one row per field; see `Means`."""
    values = rows.sort_values("image").select_dtypes("number")
    picks = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    return {
        name: np.concatenate([[column.mean()], column.to_numpy()[picks].mean(axis=1)])
        for name, column in values.items()
    }


def equal_quality_dose(mean: Array, variance: Array, sigma: Array) -> Array:
    """eta = mean / (variance - sigma^2): the dose at which the noise has a variance, from Eq. 1.

    Inverse of mean / eta + sigma^2. mean: grey level; variance: in grey levels^2, inf for one that
    no dose reaches, since it is not above sigma^2.
    """
    with np.errstate(divide="ignore"):
        return np.where(variance > sigma**2, mean / np.maximum(variance - sigma**2, 0), np.inf)


def scores(means: Means, before: Means) -> dict[str, Array]:
    """Scores of a method from the means of its rows and of those of the unrestored image.

    psnr: of the mean squared error, in dB; gain: over the unrestored image. cnr: in the region of
    interest; cnr ratio: to the unrestored image; kept: the same ratio of the contrast. For each
    observer: d', its ratio to the unrestored image, and correct, of the forced choice. "dose by
    ...": eta at which the unrestored image has the same PSNR or the same d', divided by that of the
    images, with noise of Eq. 1 and a signal of the same contrast.
    """
    eta, sigma, mean = (before[name] for name in ("eta", "sigma", "mean"))
    found = {"psnr": 10 * np.log10(GREY_LEVELS**2 / means["mse"])}
    found["gain"] = 10 * np.log10(before["mse"] / means["mse"])
    cnr, cnr_before = (
        np.asarray(contrast_to_noise(m["roi_contrast"], m["pixel_variance"]))
        for m in (means, before)
    )
    found |= {"cnr": cnr, "cnr ratio": cnr / cnr_before}
    found["kept"] = means["roi_contrast"] / before["roi_contrast"]
    found["dose by PSNR"] = equal_quality_dose(mean, means["mse"], sigma) / eta
    noise = mean / eta + sigma**2
    for observer in OBSERVERS:
        d_prime, d_before = (_d_prime(m, observer) for m in (means, before))
        ratio = d_prime / d_before
        found |= {f"{observer} d'": d_prime, f"{observer} ratio": ratio}
        found[f"{observer} correct"] = means[f"{observer}_correct"]
        same = equal_quality_dose(mean, noise / np.maximum(ratio, 1e-9) ** 2, sigma)
        found[f"dose by {observer} d'"] = same / eta
    return found


def _d_prime(means: Means, observer: str) -> Array:
    return means[f"{observer}_response"] / np.sqrt(means[f"{observer}_variance"])


def all_scores(rows: pd.DataFrame, signal: str) -> dict[tuple[str, float], dict[str, Array]]:
    """Compute `scores` of each method and eta for one signal, as (method, eta): name: (1 + n,).

    XbdcnnError if the unrestored image or the signal is not among the rows.
    """
    part = rows[rows["signal"] == signal]
    if BEFORE not in set(part["method"]):
        raise XbdcnnError(f"no rows of {BEFORE!r} with the signal {signal!r}; see `detectability`")
    means = {
        key: bootstrap_means(group) for key, group in part.groupby(["method", "eta"], sort=False)
    }
    return {(method, eta): scores(of, means[BEFORE, eta]) for (method, eta), of in means.items()}


def summarise(rows: pd.DataFrame, signal: str) -> pd.DataFrame:
    """Tabulate every score of every method and eta: method, eta, score, value, low and high."""
    table: list[dict[str, Any]] = []
    for (method, eta), found in all_scores(rows, signal).items():
        for name, values in found.items():
            low, high = np.percentile(values[1:], INTERVAL, method="nearest")
            facts = {"method": method, "eta": eta, "score": name}
            table.append(facts | {"value": values[0], "low": low, "high": high})
    return pd.DataFrame(table)


def crossing_dose(etas: Array, differences: Array) -> Array:
    """Dose at which a difference of two methods changes its sign first, nan if it does not.

    etas: (k,), rising; differences: (k, n), of which each column is a curve. Linear interpolation
    on a logarithmic axis of the dose. Returns (n,).
    """
    changes = np.signbit(differences[1:]) != np.signbit(differences[:-1])
    first, column = changes.argmax(axis=0), np.arange(differences.shape[1])
    before, after = differences[first, column], differences[first + 1, column]
    crosses = changes.any(axis=0)
    share = before / np.where(crosses, before - after, np.inf)
    logs = np.log(etas)
    crossing = np.exp(logs[first] + share * (logs[first + 1] - logs[first]))
    return np.where(crosses, crossing, np.nan)


def equal_doses(rows: pd.DataFrame, signal: str) -> pd.DataFrame:
    """Find the doses at which the restored image is better and worse, and where both are equal.

    Returns one row per method and criterion ("PSNR", "CNR" or the d' of an observer): better_at and
    worse_at, the doses (eta) at which the interval of the comparison excludes equality; eta: of the
    crossing between them, with its interval low to high, nan if the restored image is not better at
    one dose and worse at another.
    """
    found = all_scores(rows, signal)
    etas = np.array(sorted({eta for _, eta in found}))
    table: list[dict[str, Any]] = []
    for method in dict.fromkeys(method for method, _ in found if method != BEFORE):
        for criterion, name in CRITERIA.items():
            leads = np.stack([_lead(found[method, eta][name], name) for eta in etas])
            low, high = np.percentile(leads[:, 1:], INTERVAL, axis=1, method="nearest")
            row: dict[str, Any] = {"method": method, "criterion": criterion}
            row |= {"better_at": _listed(etas[low > 0]), "worse_at": _listed(etas[high < 0])}
            decided = (low > 0).any() and (high < 0).any()
            table.append(row | (_crossing(etas, leads) if decided else NO_CROSSING))
    return pd.DataFrame(table)


def _crossing(etas: Array, leads: Array) -> dict[str, float]:
    crossing = crossing_dose(etas, leads)
    low, high = np.nanpercentile(crossing[1:], INTERVAL)
    return {"eta": float(crossing[0]), "low": float(low), "high": float(high)}


def _listed(etas: Array) -> str:
    return ", ".join(f"{eta:g}" for eta in etas) or "none"


def _lead(values: Array, name: str) -> Array:
    """Return a comparison with the unrestored image so that 0 means equality."""
    return values if name == "gain" else values - 1
