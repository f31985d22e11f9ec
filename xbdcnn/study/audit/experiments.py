"""The audit's long experiments, each written once as a csv with its provenance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import write_csv, write_json
from xbdcnn._common.provenance import provenance
from xbdcnn.data.patches import central_crop
from xbdcnn.data.source import Source
from xbdcnn.inference.methods import collect_methods
from xbdcnn.inference.pretrained import Pretrained, load_pretrained
from xbdcnn.inference.zoo import ZOO, shipped_names
from xbdcnn.study.audit import images, level_estimates, out_of_range
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.scoring import table_1_cases
from xbdcnn.study.trials import BUDGET
from xbdcnn.training.batches import TrainConfig

PROFILE = get_profile("cpu")
STRESSED = ("xbdcnn", "xbdcnn-as-written", "dncnn", "GAT+BM3D")
"""Methods that are taken beyond the trained range."""
LEAKAGE = replace(BUDGET, patches=4_000, batch_size=4)
"""What each training on siblings, or on none, spends: half-width networks, 1,000 steps."""


def estimating_networks() -> dict[str, Pretrained]:
    """The shipped networks that have an NLE, by label."""
    loaded = {ZOO[name].label: load_pretrained(name) for name in shipped_names() if "xb" in name}
    return {label: p for label, p in loaded.items() if p.network.nle is not None}


def calibration(source: Source, count: int = 600) -> pd.DataFrame:
    """Estimated against true levels on patches of the test radiographs."""
    cases = table_1_cases(source, replace(PROFILE, table1_patches=count))
    return level_estimates.calibration(estimating_networks(), cases)


def levels(source: Source, count: int = 60) -> pd.DataFrame:
    """PSNR with estimated, true and wrong levels on patches of the test radiographs."""
    cases = table_1_cases(source, replace(PROFILE, table1_patches=count))
    return level_estimates.level_feeding(estimating_networks(), cases)


def outside(source: Source, count: int = 5, side: int = 256) -> pd.DataFrame:
    """Other levels, correlated noise and wrong gain on central fields of test radiographs."""
    images = [central_crop(image, side) for image in source.images("test", count)]
    return out_of_range.stress(
        collect_methods(PROFILE.classical, PROFILE.precision, only=STRESSED), images
    )


def leakage(
    source: Source, folder: Path = Path("runs/leakage"), config: TrainConfig = LEAKAGE
) -> pd.DataFrame:
    """The same network and budget with siblings of the test patches in training, and without."""
    return images.leakage(source, config, folder)


def residual(source: Source) -> pd.DataFrame:
    """Noise that the test radiographs themselves hold, one row each."""
    return images.residual_noise(source.images("test")).to_frame()


EXPERIMENTS: dict[str, Callable[[Source], pd.DataFrame]] = {
    "calibration": calibration,
    "levels": levels,
    "beyond": outside,
    "leakage": leakage,
    "residual": residual,
}
FACTS = {"leakage": {"budget": asdict(LEAKAGE)}}
"""What an experiment's record says beyond its data, code and machine."""


def run_experiments(names: Sequence[str], source: Source, output: Path) -> dict[str, pd.DataFrame]:
    """Run experiments, write audit_<name>.csv and .json, and return the tables by name.

    Raises:
        XbdcnnError: an unknown name.
    """
    if unknown := sorted(set(names) - set(EXPERIMENTS)):
        known = ", ".join(EXPERIMENTS)
        raise XbdcnnError(f"unknown experiment {', '.join(unknown)}; choose from {known}")
    tables = {}
    for name in names:
        tables[name] = EXPERIMENTS[name](source)
        path = output / f"audit_{name}.csv"
        write_csv(tables[name], path)
        facts = {"data": source.name, "data_sha256": source.fingerprint} | FACTS.get(name, {})
        write_json(provenance(**facts), path.with_suffix(".json"))
    return tables
