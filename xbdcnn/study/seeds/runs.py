"""Train networks with several seeds, and score each on the cases of Tables I and II."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from xbdcnn import metrics
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.source import Source
from xbdcnn.inference.pretrained import Pretrained, load_pretrained
from xbdcnn.inference.weights import read_weights
from xbdcnn.inference.zoo import ZOO, find_entry
from xbdcnn.models import Recipe
from xbdcnn.study.audit.level_estimates import error_statistics
from xbdcnn.study.profiles import PROFILES, Profile
from xbdcnn.study.scoring import Case, noisy_image, score, table_1_cases, table_2_cases
from xbdcnn.study.seeds.effects import write_effects
from xbdcnn.study.seeds.rows import (
    RUN,
    SeedRows,
    add_rows,
    read_facts,
    read_rows,
    require_same,
    settings_label,
)
from xbdcnn.study.series import WIDTH
from xbdcnn.study.trainings import training_row
from xbdcnn.training.batches import TrainConfig
from xbdcnn.training.named import budget_of, train_named, with_width

NETWORKS = (
    "xbdcnn-fairest",
    "xbdcnn-fairest-without-ssim",
    "xbdcnn-fairest-without-nle",
    "xbdcnn-as-released",
    "dncnn",
)
"""Networks whose order the paper states, and the released code."""

SEEDS = (0, 1, 2, 3, 4)

BUDGET = replace(PROFILES["cpu"].train, patches=100_000)
"""100,000 patches of 64 x 64, about 0.25 core hours of a network of half the width."""

SCORES = ["noisy_psnr", "psnr", "ssim"]
"""Scores of the results: PSNR in dB of the noisy and of the restored image, and SSIM."""

Cases = dict[int, list[Case]]
"""Cases of Table I and of Table II, by number of the table."""


def run_seeds(
    source: Source,
    folder: Path | str,
    output: Path | str,
    networks: Sequence[str] = NETWORKS,
    seeds: Sequence[int] = SEEDS,
    width: int = WIDTH,
    budget: TrainConfig = BUDGET,
    profile: Profile = PROFILES["cpu"],
    progress: bool = True,
) -> pd.DataFrame:
    """Train and score each network with each seed, unless `output` has the run already.

    The networks of one seed see the same patches with the same noise. All networks of one seed are
    trained before the next seed, so that an interrupted call leaves complete comparisons.

    Args:
        source: radiographs.
        folder: checkpoints and weights, in one folder per run; interrupted runs are resumed.
        output: folder of the rows, see `rows.SeedRows`, and of seeds_effects.csv.
        networks: names of networks with a width, see `zoo.ZOO`.
        seeds: seeds of initial weights, patches and noise.
        width: channels, see `build_network`.
        budget: number and size of patches, and the optimiser unless a network has its own.
        profile: sizes of the tables whose cases score the networks.
        progress: show a progress bar for each run.

    Returns:
        The effects, see `effects.seed_effects`, of all runs in `output`.

    Raises:
        XbdcnnError: a network has no width, or `output` has rows on other data, of other cases, or
            of another recipe or budget of a network.
    """
    folder, output = Path(folder), Path(output)
    cases = {1: table_1_cases(source, profile), 2: table_2_cases(source, profile)}
    facts = _conditions(source, profile, cases)
    settings = {name: _settings(name, width, budget) for name in networks}
    every = {label: part for one in settings.values() for label, part in one.items()}
    require_same(output, read_facts(output), facts | {"settings": every})
    for seed in seeds:
        for name in networks:
            run = dict(zip(RUN, (name, width, budget.patches, seed), strict=True))
            if not has_run(output, run):
                config = replace(_config(name, budget), seed=seed)
                place = folder / "-".join(map(str, run.values()))
                path = train_named(name, source, config, place, width, progress=progress)
                rows = score_run(path, run, cases, profile, progress)
                add_rows(output, rows, facts | {"settings": settings[name]})
    return write_effects(output)


def has_run(output: Path, run: dict[str, Any]) -> bool:
    """Tell whether the rows of a folder include a finished run."""
    trainings = read_rows(output).trainings
    return bool((trainings[RUN] == pd.Series(run)).all(axis=1).any())


def score_run(
    path: Path, run: dict[str, Any], cases: Cases, profile: Profile, progress: bool = True
) -> SeedRows:
    """Score the weights of a run, blind, on all cases; return its rows.

    The network is computed in the precision of the profile, on the GPU if there is one. The row of
    the training has the columns of `trainings.training_row`, hours (elapsed), and device and
    scored_in (precision) of the scores.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = load_pretrained(path, device, profile.precision)
    scored = {n: score_cases(network, cases[n], progress).assign(table=n) for n in cases}
    results = pd.concat(map(image_means, scored.values()), ignore_index=True)
    estimated = [table for table in scored.values() if "est_eta" in table]
    levels = [error_statistics(table, ["table"]) for table in estimated]
    training = training_row(path) | _where(path, device) | {"scored_in": network.precision}
    return SeedRows(
        _with_run(results, run),
        _with_run(pd.concat(levels) if levels else pd.DataFrame(), run),
        _with_run(pd.DataFrame([training]).drop(columns=RUN), run),
    )


def score_cases(network: Pretrained, cases: Sequence[Case], progress: bool = True) -> pd.DataFrame:
    """Score a network on noisy images, blind.

    Returns one row per case: image, eta, sigma, noisy_psnr and the scores of `scoring.score`; for a
    network that estimates them, est_eta and est_sigma, its mean estimates.
    """
    rows = []
    for case in tqdm(cases, desc="scoring", disable=not progress):
        noisy = noisy_image(case)
        restored = network.restore(noisy)
        row = {"image": case.image, "eta": case.eta, "sigma": case.sigma}
        row |= {"noisy_psnr": float(metrics.psnr(noisy, case.clean))}
        row |= score(restored.image, case.clean)
        if restored.levels is not None:
            row |= {"est_eta": restored.levels.eta, "est_sigma": restored.levels.sigma}
        rows.append(row)
    return pd.DataFrame(rows)


def image_means(scored: pd.DataFrame) -> pd.DataFrame:
    """Average the scores per image: of all its patches for Table I, at each level for Table II.

    scored: from `score_cases`, with the column `table`. eta and sigma are nan for Table I, whose
    patches have random levels.
    """
    by = ["table", "image"] if scored["table"].iloc[0] == 1 else ["table", "eta", "sigma", "image"]
    means = scored.groupby(by)[SCORES].mean().round(6).reset_index()
    return means.reindex(columns=["table", "eta", "sigma", "image", *SCORES])


def _with_run(table: pd.DataFrame, run: dict[str, Any]) -> pd.DataFrame:
    """Put the columns `RUN` before those of a table."""
    return pd.DataFrame(run, index=table.index).join(table)


def _where(path: Path, device: torch.device) -> dict[str, Any]:
    """Return elapsed hours of the training, and the device that scored the network."""
    hours = round(read_weights(path)[1]["seconds"] / 3600, 3)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"hours": hours, "device": name}


def _config(name: str, budget: TrainConfig) -> TrainConfig:
    """Return the configuration of a network; the number of patches is that of all networks."""
    return replace(budget_of(name, budget), patches=budget.patches)


def _conditions(source: Source, profile: Profile, cases: Cases) -> dict[str, Any]:
    """Return the facts on which rows have to agree, and the names of data and profile."""
    facts = {"data": source.name, "data_sha256": source.fingerprint, "profile": profile.name}
    digests = {f"table_{number}": _digest(cases[number]) for number in cases}
    return facts | {"cases": digests}


def _digest(cases: Sequence[Case]) -> str:
    """Compute the SHA-256 of the clean images, the levels and the seeds of the noise.

    The noisy images are left out, because their last bits depend on the processor.
    """
    sha256 = hashlib.sha256()
    for case in cases:
        sha256.update(f"{case.image} {case.eta} {case.sigma} {case.seed}".encode())
        sha256.update(np.ascontiguousarray(case.clean, np.float32).tobytes())
    return sha256.hexdigest()


def _settings(name: str, width: int, budget: TrainConfig) -> dict[str, Any]:
    """Return recipe and budget of a network by `rows.settings_label`, as JSON restores them."""
    recipe = with_width(find_entry(name).recipe, width)
    if not isinstance(recipe, Recipe):
        scaled = [other for other, entry in ZOO.items() if isinstance(entry.recipe, Recipe)]
        raise XbdcnnError(f"{name!r} has no width; choose from {', '.join(scaled)}")
    values = {"recipe": asdict(recipe), "budget": asdict(_config(name, budget))}
    del values["budget"]["seed"]
    label = settings_label(name, width, budget.patches)
    return {label: json.loads(json.dumps(values))}
