"""The long experiments of the audit, each written to a csv file with its provenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of, write_csv, write_json
from xbdcnn._common.provenance import provenance
from xbdcnn.data.exposures import EXCERPTS
from xbdcnn.data.patches import central_crop
from xbdcnn.data.source import BUILTIN, Source, find_source
from xbdcnn.inference.methods import collect_methods
from xbdcnn.inference.pretrained import Pretrained, load_pretrained
from xbdcnn.inference.zoo import ZOO, shipped_names
from xbdcnn.study.audit import (
    averaging,
    bm3d_row,
    detection,
    image_draws,
    images,
    level_estimates,
    out_of_range,
    physical_noise,
    radiographs,
    reference_noise,
)
from xbdcnn.study.detectors import measure_detectors
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.scoring import table_1_cases
from xbdcnn.study.series import BUDGET
from xbdcnn.training.batches import TrainConfig

PROFILE = get_profile("cpu")

OUT_OF_RANGE_METHODS = (
    "generalist",
    "specialist",
    "xbdcnn",
    "xbdcnn-as-written",
    "dncnn",
    "GAT+BM3D",
)
"""Methods that are tested outside the paper's range."""

AVERAGED = ("xbdcnn", "specialist", "generalist", "tiny")
"""Networks whose results are averaged over versions of an image."""

LEAKAGE_BUDGET = replace(BUDGET, patches=4_000, batch_size=4)
"""Budget of each training run of the leakage experiment: 1,000 steps of half-width networks."""


def estimating_networks() -> dict[str, Pretrained]:
    """Load the shipped networks that have an NLE, by label."""
    loaded = {ZOO[name].label: load_pretrained(name) for name in shipped_names() if "xb" in name}
    return {label: p for label, p in loaded.items() if p.network.nle is not None}


def calibration(source: Source, count: int = 600) -> pd.DataFrame:
    """Estimate the noise levels of patches of the test radiographs."""
    cases = table_1_cases(source, replace(PROFILE, table1_patches=count))
    return level_estimates.calibration(estimating_networks(), cases)


def levels(source: Source, count: int = 60) -> pd.DataFrame:
    """Measure PSNR with estimated, true and wrong levels on patches of the test radiographs."""
    cases = table_1_cases(source, replace(PROFILE, table1_patches=count))
    return level_estimates.psnr_by_level_maps(estimating_networks(), cases)


def averaged_versions(source: Source, count: int = 120) -> pd.DataFrame:
    """Measure PSNR with averaging over turned and mirrored patches of the test radiographs."""
    cases = table_1_cases(source, replace(PROFILE, table1_patches=count))
    networks = {ZOO[name].label: load_pretrained(name) for name in AVERAGED}
    return averaging.psnr_by_versions(networks, cases)


def sigmas_of_bm3d(source: Source, count: int = 8) -> pd.DataFrame:
    """Score BM3D with wrong sigmas on patches of the test radiographs."""
    cases = table_1_cases(source, replace(PROFILE, table1_patches=count))
    return bm3d_row.evaluate_sigmas(cases)


def outside_range(source: Source, count: int = 5, side: int = 256) -> pd.DataFrame:
    """Measure PSNR outside the trained range on central fields of the test radiographs."""
    fields = [central_crop(image, side) for image in source.images("test", count)]
    methods = collect_methods(PROFILE.classical, PROFILE.precision, only=OUT_OF_RANGE_METHODS)
    return out_of_range.evaluate_conditions(methods, fields)


def noise_of_detectors(source: Source, count: int = 10, side: int = 256) -> pd.DataFrame:
    """Measure PSNR on physically made noise on central fields of the test radiographs."""
    fields = [central_crop(image, side) for image in source.images("test", count)]
    methods = collect_methods([physical_noise.RIVAL], PROFILE.precision)
    return physical_noise.evaluate_detectors(methods, fields)


def leakage(
    source: Source, folder: Path = Path("runs/leakage"), config: TrainConfig = LEAKAGE_BUDGET
) -> pd.DataFrame:
    """Train with and without patches from the test radiographs, at equal budget."""
    return images.train_both_splits(source, config, folder)


def residual(source: Source) -> pd.DataFrame:
    """Estimate the noise of the test radiographs themselves, one row per radiograph."""
    return images.residual_noise(source.images("test")).to_frame()


EXPERIMENTS: dict[str, Callable[[Source], pd.DataFrame]] = {
    "calibration": calibration,
    "levels": levels,
    "averaging": averaged_versions,
    "bm3d-sigma": sigmas_of_bm3d,
    "out-of-range": outside_range,
    "physical-noise": noise_of_detectors,
    "detectors": measure_detectors,
    "leakage": leakage,
    "residual": residual,
    "removed": radiographs.removed,
    "discs": radiographs.discs,
    "doses": radiographs.doses,
    "exposures": radiographs.exposures,
    "weak-noise": radiographs.weak_noise,
    "whole-levels": radiographs.whole_levels,
    "draws": image_draws.gains_of_radiographs,
    "references": reference_noise.scored_references,
    "detectability": detection.detectability,
}
"""Experiments by name; in file names the hyphen becomes an underscore."""

EXTRA_FACTS = {"leakage": {"budget": asdict(LEAKAGE_BUDGET)}}
"""Facts about an experiment that its provenance records in addition."""


def run_experiments(names: Sequence[str], source: Source, output: Path) -> dict[str, pd.DataFrame]:
    """Run experiments and write audit_<name>.csv and .json; return the tables by name.

    Raises:
        XbdcnnError: unknown experiment.
    """
    if unknown := sorted(set(names) - set(EXPERIMENTS)):
        known = ", ".join(EXPERIMENTS)
        raise XbdcnnError(f"unknown experiment {', '.join(unknown)}; choose from {known}")
    tables = {}
    for name in names:
        tables[name] = EXPERIMENTS[name](source)
        path = output / f"{file_stem(name)}.csv"
        write_csv(tables[name], path)
        facts = data_facts(name, source) | EXTRA_FACTS.get(name, {})
        write_json(provenance(**facts), path.with_suffix(".json"))
    return tables


def data_facts(name: str, source: Source) -> dict[str, Any]:
    """Return the name and the SHA-256 of the data of an experiment, for its provenance."""
    if name == "exposures":
        return {"data": "exposures of Diamond K11", "data_sha256": sha256_of(EXCERPTS / "k11.npz")}
    builtin = find_source(BUILTIN)
    used = builtin if name == "doses" else source
    facts = {"data": used.name, "data_sha256": used.fingerprint}
    if name in ("removed", "discs") and source.name != builtin.name:
        facts["data"] += f" and {builtin.name}"
    return facts


def file_stem(name: str) -> str:
    """Return the name, without suffix, of the files of an experiment."""
    return f"audit_{name.replace('-', '_')}"
