"""Where radiographs come from, and which of them belong to which split."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data.builtin import (
    builtin_fields,
    builtin_path,
)
from xbdcnn.data.files.radiograph import load_radiograph
from xbdcnn.data.folders import SPLITS, index_folder, split_index
from xbdcnn.data.sample import MANIFEST, REGISTRY, same_table, sample_folder

BUILTIN = "builtin"
"""What stands for the built-in radiograph where a folder could stand."""

TABLE_2_COUNT = 10
"""Radiographs in the strong-noise test (Sec. III-B)."""


@dataclass(frozen=True, eq=False)
class Source:
    """Where radiographs come from, and which of them belong to which split.

    name: for captions. index: columns path, image, patient_id, split, every row in a split; None
    for the built-in radiograph, whose splits are fields of `BUILTIN_LAYOUT`: 448 x 448 pixels,
    disjoint, at the resolution of the detector. They show one patient, so a number measured on
    them says nothing about any other patient.
    """

    name: str
    index: pd.DataFrame | None = None

    @property
    def unit(self) -> str:
        """What `images` returns, for captions: radiographs, or fields of a single one."""
        return "fields of ONE radiograph" if self.index is None else "radiographs"

    def drawn(self, count: int | None, seed: int = 0) -> Source:
        """Return the source reduced to `count` images, drawn at random from all of its splits.

        None, or no fewer than there are, or the built-in radiograph: the source as it is.
        """
        if count is None or self.index is None or count >= len(self.index):
            return self
        rows = self.index.sample(count, random_state=np.random.default_rng(seed)).sort_index()
        return Source(f"{self.name}, {count:,} drawn at random", rows.reset_index(drop=True))

    def paths(self, split: str, count: int | None = None) -> list[Path]:
        """Return the files of a split, at most `count`, in the order of their names.

        An index without `table2` gives ten images of its test split, drawn by a fixed seed.
        XbdcnnError if there is none, or if the source is the built-in radiograph.
        """
        if self.index is None:
            raise XbdcnnError(f"the {self.name} is one file; ask for images() instead of paths()")
        rows = self.index[self.index["split"] == split]
        if split == "table2" and rows.empty:
            test = self.index[self.index["split"] == "test"]
            count_drawn = min(TABLE_2_COUNT, len(test))
            rows = test.sample(count_drawn, random_state=np.random.default_rng(0)).sort_index()
        if rows.empty:
            raise XbdcnnError(f"{self.name}: no image in split {split!r}; check the split column")
        return [Path(path) for path in rows["path"][:count]]

    def images(self, split: str, count: int | None = None) -> list[NDArray[np.float32]]:
        """Load the radiographs of a split, at most `count`: each (H, W) float32 in [0, 1].

        Raises:
            XbdcnnError: unknown or empty split, or a file that cannot be read.
        """
        if split not in SPLITS:
            raise XbdcnnError(f"split {split!r}: choose {', '.join(SPLITS)}")
        if self.index is None:
            return builtin_fields(split)[:count]
        return [load_radiograph(path) for path in self.paths(split, count)]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 that changes with the images: names, splits, sizes and the manifest's bytes.

        For the built-in radiograph it is taken over the file's bytes. A file of a folder without
        manifest that is replaced by one of the same size goes unnoticed.
        """
        if self.index is None:
            return sha256_of(builtin_path())
        digest = hashlib.sha256()
        for row in self.index.sort_values("image").itertuples():
            digest.update(f"{row.image} {row.split} {os.path.getsize(row.path)}\n".encode())
        manifest = Path(self.index["path"].iloc[0]).parents[1] / MANIFEST
        if manifest.is_file():
            digest.update(sha256_of(manifest).encode())
        return digest.hexdigest()


def find_source(data: str | Path | None = None, seed: int = 0) -> Source:
    """Find the best images at hand.

    In this order: the folder `data`; the folder that the environment variable XBDCNN_DATA names;
    the sample that `fetch_sample` put into the user's cache; the built-in radiograph, which
    "builtin" in the place of a folder asks for by name. A folder's own splits are used; one
    without is split by patient, 7 : 2 : 1, by `seed`.

    Raises:
        XbdcnnError: a folder that was named is missing, holds no image, or has an incomplete
            split column. It never falls back to other images.
    """
    named = data or os.environ.get("XBDCNN_DATA")
    if named == BUILTIN:
        return Source("built-in radiograph")
    if named:
        return _folder_source(Path(named), seed)
    folder = sample_folder()
    if (folder / MANIFEST).is_file():
        return _folder_source(folder, seed)
    if folder.exists():
        warnings.warn(
            f"{folder}: unfinished; 'xbdcnn fetch-sample' resumes it. Using the built-in image.",
            stacklevel=2,
        )
    return Source("built-in radiograph")


def _folder_source(root: Path, seed: int) -> Source:
    index = index_folder(root)
    given = index["split"] != ""
    if given.any() and not given.all():
        raise XbdcnnError(f"{root / MANIFEST}: some rows have no split; fill all or none")
    return Source(_caption(root), index if given.all() else split_index(index, seed=seed))


def _caption(root: Path) -> str:
    manifest = root / MANIFEST
    if manifest.is_file() and same_table(manifest, REGISTRY):
        return "ChestX-ray8 sample"
    if not manifest.is_file() and any(root.glob("Data_Entry_2017*.csv")):
        return "ChestX-ray8"
    return root.resolve().name
