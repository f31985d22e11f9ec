"""Beyond the trained range: other levels, noise with a grain, and a wrong gain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tqdm.auto import tqdm

from xbdcnn import metrics, paper
from xbdcnn.inference.methods import Method
from xbdcnn.models import Denoised
from xbdcnn.noise import add_hybrid_noise
from xbdcnn.study.audit.ledger import Finding

ETAS = (0.1, 0.2, 0.4, 0.8, 1.6, 5.0)
SIGMAS = (0.0, 5.0, 10.0, 20.0, 35.0, 50.0)
BLURS = (0.0, 0.5, 0.75, 1.0)
"""Standard deviation in pixels of the blur that correlates the noise."""
GAINS = (0.5, 0.7, 0.85, 1.0, 1.15)
"""Factor on the noisy image, as when a detector's gain is not the one assumed."""


CONDITION = ["eta", "sigma", "blur", "gain"]


def correlated_noise(
    clean: NDArray[np.floating], eta: float, sigma: float, blur: float, seed: int
) -> NDArray[np.float32]:
    """Hybrid noise whose grain is blurred by a Gaussian of `blur` pixels, at unchanged strength.

    A scintillator spreads the light of each photon over neighbouring pixels. The noise alone is
    blurred, and rescaled to its former standard deviation, so that only its grain changes.
    """
    g = torch.from_numpy(np.ascontiguousarray(clean, np.float32))
    generator = torch.Generator().manual_seed(seed)
    noise = (add_hybrid_noise(g, eta, sigma, generator, clip=False) - g).numpy()
    if blur:
        blurred = gaussian_filter(noise, blur, mode="wrap")
        noise = blurred * (noise.std() / blurred.std())
    return np.clip(clean + noise, 0.0, 1.0).astype(np.float32)


def conditions() -> list[dict[str, float]]:
    """Every condition tried: the grid of levels, then grain, then gain, at (0.6, 10)."""
    plain, middle = {"blur": 0.0, "gain": 1.0}, {"eta": 0.6, "sigma": 10.0}
    grid = [{"eta": e, "sigma": s} | plain for e in ETAS for s in SIGMAS]
    grain = [middle | plain | {"blur": blur} for blur in BLURS]
    gain = [middle | plain | {"gain": gain} for gain in GAINS if gain != 1.0]
    return grid + grain + gain


def stress(
    methods: dict[str, Method], images: Sequence[NDArray[np.floating]], progress: bool = True
) -> pd.DataFrame:
    """PSNR of every method under every condition.

    methods: by label, called with the nominal eta and sigma. images: clean, (H, W) in [0, 1].

    Returns:
        One row per condition, image and method: eta, sigma, blur, gain, image, method, psnr. With
        a gain the noisy image is multiplied by it, restored, and divided again.
    """
    rows: list[dict[str, Any]] = []
    for condition in tqdm(conditions(), desc="conditions", disable=not progress):
        for number, clean in enumerate(images):
            noisy = correlated_noise(
                clean, condition["eta"], condition["sigma"], condition["blur"], seed=number
            )
            facts = condition | {"image": number}
            for label, method in {
                "Before Denoising": lambda f, e, s: Denoised(f),
                **methods,
            }.items():
                seen = np.clip(noisy * condition["gain"], 0.0, 1.0).astype(np.float32)
                restored = (
                    method(seen, condition["eta"], condition["sigma"]).image / condition["gain"]
                )
                psnr = metrics.psnr(np.clip(restored, 0.0, 1.0).astype(np.float32), clean)
                rows.append(facts | {"method": label, "psnr": psnr})
    return pd.DataFrame(rows)


def trained(rows: pd.DataFrame) -> pd.Series:
    """Tell which rows lie within the levels, grain and gain of the training."""
    (low_e, high_e), (low_s, high_s) = paper.ETA_RANGE, paper.SIGMA_RANGE
    levels = rows["eta"].between(low_e, high_e) & rows["sigma"].between(low_s, high_s)
    return levels & (rows["blur"] == 0) & (rows["gain"] == 1)


def leads(rows: pd.DataFrame, method: str, rival: str) -> pd.DataFrame:
    """Mean PSNR lead of a method over its rival under each condition, in dB."""
    mean = rows.pivot_table(index=CONDITION, columns="method", values="psnr")
    table = (mean[method] - mean[rival]).rename("lead").reset_index()
    return table.assign(trained=trained(table))


def out_of_range_lead(rows: pd.DataFrame, method: str, rival: str = "GAT+BM3D") -> Finding:
    """How does a network fare outside its training, against a method that is told the levels?

    Confirmed if it leads under every condition there, contradicted if under none.
    """
    table = leads(rows, method, rival)
    inside, outside = table[table["trained"]], table[~table["trained"]]
    worst = outside.loc[outside["lead"].idxmin()]
    grain = _lead_at(table, blur=max(BLURS))
    ahead = int((outside["lead"] >= 0).sum())
    place = ", ".join(f"{name} {worst[name]:g}" for name in CONDITION)
    return Finding(
        point=f"Outside the trained range, {method}",
        claim="guarantees the application to realistic noisy radiographs, whose actual noise may "
        "be different from the model (Sec. IV)",
        choice="say where it was measured, and what happens elsewhere",
        evidence=f"lead over {rival}, which is told the levels: {inside['lead'].mean():+.2f} dB in "
        f"the trained range, outside it leads under {ahead} of {len(outside)} conditions, worst "
        f"{worst['lead']:+.2f} dB at {place}, with a grain of {max(BLURS):g} pixel {grain:+.2f} dB",
        verdict={0: "contradicted", len(outside): "confirmed"}.get(ahead, "undecidable"),
        confidence="moderate",
    )


def _lead_at(table: pd.DataFrame, **wanted: float) -> float:
    chosen = np.logical_and.reduce([table[name] == value for name, value in wanted.items()])
    return float(table.loc[chosen, "lead"].mean())
