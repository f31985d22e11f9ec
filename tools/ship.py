"""Add trained weights, or the errors of their noise level estimates, to the package.

python tools/ship.py weights runs/xbdcnn/xbdcnn.safetensors xbdcnn
python tools/ship.py record runs/xbdcnn/xbdcnn.safetensors
python tools/ship.py level-errors figures/chestxray8/audit_calibration.csv
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from xbdcnn._common.files import atomic_path, sha256_of, write_csv, write_json
from xbdcnn._common.provenance import provenance
from xbdcnn.inference import weights, zoo
from xbdcnn.study import results
from xbdcnn.study.audit.level_estimates import level_errors
from xbdcnn.study.trainings import training_row


def ship(path: Path | str, name: str) -> Path:
    """Copy a weight file into the package under a name of `zoo.ZOO`; record its SHA-256."""
    zoo.find_entry(name)
    target = weights.WEIGHTS / f"{name}.safetensors"
    with atomic_path(target) as temporary:
        temporary.write_bytes(Path(path).read_bytes())
    recorded = weights.checksums() | {target.name: sha256_of(target)}
    write_json(dict(sorted(recorded.items())), weights.CHECKSUMS)
    return target


def record(path: Path | str, folder: Path = results.FOLDER) -> Path:
    """Add a training run to trainings.csv in `folder`, whether its weights are shipped or not.

    One row per network and seed, see `training_row`. A row of the same network and seed is
    replaced.
    """
    target = folder / "trainings.csv"
    table = pd.DataFrame([training_row(path)])
    if target.exists():
        table = pd.concat([pd.read_csv(target), table])
    write_csv(table.drop_duplicates(["network", "seed"], keep="last"), target)
    write_json(provenance(), target.with_suffix(".json"))
    return target


def ship_level_errors(calibrated: pd.DataFrame) -> None:
    """Record the errors of the noise levels that are estimated with the shipped weights.

    calibrated: table of `study.audit.experiments.calibration`.
    """
    errors = level_errors(calibrated)
    for name in zoo.shipped_names():
        if zoo.ZOO[name].label in errors:
            record_level_error(name, errors[zoo.ZOO[name].label])


def record_level_error(name: str, error: dict[str, float]) -> None:
    """Record the error of a shipped network, and drop those of weights no longer shipped.

    error: half widths of the 95 % intervals of eta (photons per grey level) and sigma (8-bit grey
    levels).
    """
    recorded, path = weights.checksums(), weights.LEVEL_ERRORS
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known[recorded[f"{name}.safetensors"]] = error
    write_json({sha: known[sha] for sha in recorded.values() if sha in known}, path)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("weights", help="copy a weight file")
    command.add_argument("file", type=Path)
    command.add_argument("name", choices=list(zoo.ZOO | zoo.ESTIMATORS))
    command = commands.add_parser("record", help="record a training run, without its weights")
    command.add_argument("file", type=Path)
    command = commands.add_parser("level-errors", help="record errors of eta and sigma")
    command.add_argument("table", type=Path, help="audit_calibration.csv")
    given = parser.parse_args(arguments)
    if given.command == "weights":
        print(f"weights: {ship(given.file, given.name)}")
    elif given.command == "record":
        print(f"training run: {record(given.file)}")
    else:
        ship_level_errors(pd.read_csv(given.table))


if __name__ == "__main__":
    main()
