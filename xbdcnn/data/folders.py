"""Index folders of radiographs without opening the images, and divide them into splits."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.sample import MANIFEST
from xbdcnn.paper import SPLIT_RATIO

SPLITS = ("train", "val", "test", "table2")
"""The three sets of the paper, and the ten radiographs of its Table II."""

_SUFFIXES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".dcm"}
_NIH_NAME = re.compile(r"(\d{8})_\d{3}")


def index_folder(root: str | Path) -> pd.DataFrame:
    """List the radiographs of a folder without opening them.

    Three layouts are recognised: the fetched sample (`manifest.csv`, `images/`); the NIH data set
    (`Data_Entry_2017*.csv` with `images_001/images/*.png` ... or `images/*.png`); and images
    without a table in the folder or in `images/`, where a name like 00000013_005.png contains
    the patient number and any other file counts as a separate patient.

    Returns:
        Columns path, image (file name), patient_id and split (one of `SPLITS`, or "" if the
        layout has none), all text, sorted by image. Files that are listed in a table but absent
        are omitted, and one warning states their number.

    Raises:
        XbdcnnError: the folder does not exist or has no image, or its table is invalid.
    """
    root = Path(root)
    if not root.is_dir():
        raise XbdcnnError(f"{root}: no such folder; check the path or run 'xbdcnn fetch-sample'")
    tables = sorted(root.glob("Data_Entry_2017*.csv"))
    if (root / MANIFEST).is_file():
        listed = _manifest_index(root / MANIFEST)
    elif tables:
        listed = _nih_index(root, tables[-1])
    else:
        listed = _index_without_table(root)
    index = _present_only(root, listed)
    if index.empty:
        raise XbdcnnError(f"{root}: no radiograph found; expected images/, images_001/images/ ...")
    return index.sort_values("image", ignore_index=True)[["path", "image", "patient_id", "split"]]


def _read_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False)
        return table.loc[:, list(columns) + [c for c in table if c == "split"]]
    except (KeyError, ValueError) as error:
        raise XbdcnnError(f"{path}: needs the columns {', '.join(columns)}") from error


def _manifest_index(manifest: Path) -> pd.DataFrame:
    table = _read_table(manifest, ["image", "patient_id"])
    if "split" not in table:
        table["split"] = ""
    for name in table["image"]:
        if not re.fullmatch(r"[^/\\:\0]+", name) or name in (".", ".."):
            raise XbdcnnError(f"{manifest}: {name!r} is not a plain file name; correct the entry")
    unknown = set(table["split"]) - {*SPLITS, ""}
    if unknown:
        raise XbdcnnError(f"{manifest}: split {min(unknown)!r}; use {', '.join(SPLITS)}")
    if table["image"].duplicated().any():
        raise XbdcnnError(f"{manifest}: lists an image twice; remove the repeated row")
    files = _files_in(manifest.parent / "images")
    return table.assign(path=[files.get(name, "") for name in table["image"]])


def _nih_index(root: Path, table_path: Path) -> pd.DataFrame:
    table = _read_table(table_path, ["Image Index", "Patient ID"])
    folders = [*root.glob("images*/images"), *root.glob("images*")]
    files = {name: path for folder in folders for name, path in _files_in(folder).items()}
    return pd.DataFrame(
        {
            "path": [files.get(name, "") for name in table["Image Index"]],
            "image": table["Image Index"],
            "patient_id": table["Patient ID"].str.zfill(8),
            "split": "",
        }
    ).drop_duplicates("image")


def _index_without_table(root: Path) -> pd.DataFrame:
    folder = root / "images" if (root / "images").is_dir() else root
    found = _files_in(folder).items()
    files = {name: path for name, path in found if Path(name).suffix.lower() in _SUFFIXES}
    matches = [_NIH_NAME.fullmatch(Path(name).stem) for name in files]
    patients = [m[1] if m else name for m, name in zip(matches, files, strict=True)]
    return pd.DataFrame(
        {"path": files.values(), "image": files.keys(), "patient_id": patients, "split": ""},
        dtype=str,
    )


def _files_in(folder: Path) -> dict[str, str]:
    """Return the paths of a folder's files by name, with one directory scan."""
    if not folder.is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry.path for entry in entries if entry.is_file()}


def _present_only(root: Path, listed: pd.DataFrame) -> pd.DataFrame:
    present = np.array(listed["path"] != "", bool)
    if not present.all():
        missing = len(listed) - int(present.sum())
        warnings.warn(
            f"{root}: {missing} of {len(listed)} listed images are absent and omitted",
            stacklevel=3,
        )
    return listed[present]


def split_index(
    index: pd.DataFrame,
    level: Literal["patient", "image", "patch"] = "patient",
    ratios: tuple[float, float, float] = SPLIT_RATIO,
    seed: int = 0,
    patches_per_image: int = 32,
) -> pd.DataFrame:
    """Divide an index into train, val and test (Sec. III-A: 7 : 2 : 1).

    The level is the unit that is assigned to a split: "patient" keeps all images of a patient in
    one split; "image" may separate the images of a patient; "patch", the procedure of the paper,
    also separates the patches of an image, so that test and training patches share images.

    Args:
        index: columns image and patient_id, in any order.
        level: unit that is assigned to a split.
        ratios: shares of train, val and test, >= 0; each positive one gets at least one unit.
        seed: the same seed and the same images give the same splits.
        patches_per_image: for level "patch", the number of rows per image.

    Returns:
        A copy sorted by image with the column split; at level "patch" one row per patch, with
        the number of the patch in column patch.

    Raises:
        XbdcnnError: the level is unknown, the ratios are invalid, or there are fewer units than
            splits.
    """
    rows = index.sort_values("image", ignore_index=True)
    if level == "patch":
        rows = rows.loc[rows.index.repeat(patches_per_image)].reset_index(drop=True)
        rows["patch"] = np.arange(len(rows)) % patches_per_image
        return rows.assign(split=_random_splits(len(rows), level, ratios, seed))
    if level not in ("patient", "image"):
        raise XbdcnnError(f"level {level!r}: choose patient, image or patch")
    unit, names = pd.factorize(rows["patient_id" if level == "patient" else "image"], sort=True)
    return rows.assign(split=_random_splits(len(names), level, ratios, seed)[unit])


def _random_splits(
    units: int, level: str, ratios: Sequence[float], seed: int
) -> NDArray[np.object_]:
    """Return one split name per unit, in random order."""
    share = np.asarray(ratios, float)
    if share.shape != (3,) or not np.isfinite(share).all() or share.min() < 0 or not share.any():
        raise XbdcnnError(f"ratios {tuple(ratios)}: give three numbers >= 0, not all of them 0")
    if units < np.count_nonzero(share):
        raise XbdcnnError(f"{units} {level}(s) cannot be split by {tuple(ratios)}; add images")
    edges = np.rint(np.cumsum(share) / share.sum() * units).astype(int)
    counts = np.diff(edges, prepend=0)
    for empty in np.flatnonzero((counts == 0) & (share > 0)):
        counts[counts.argmax()] -= 1
        counts[empty] += 1
    return np.random.default_rng(seed).permutation(np.repeat(np.array(SPLITS[:3], object), counts))
