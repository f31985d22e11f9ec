"""What becomes of every DICOM file that pydicom and pydicom-data ship: dicom_table.csv."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from derived import Brighter

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli import batch
from xbdcnn.data import open_radiograph

TABLE = Path(__file__).with_name("dicom_table.csv")
COLUMNS = ["file", "transfer syntax", "result"]


def shipped_files() -> Iterator[tuple[str, Path]]:
    """Yield name and path of every DICOM file, with or without preamble, that is installed."""
    for package in ("pydicom.data", "data_store"):
        folder = Path(importlib.import_module(package).__file__).parent
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (path.suffix == ".dcm" or path.read_bytes()[128:132] == b"DICM"):
                yield f"{package}/{path.relative_to(folder).as_posix()}", path


def syntax_of(path: Path) -> str:
    try:
        return pydicom.filereader.read_file_meta_info(path).TransferSyntaxUID.name
    except (pydicom.errors.InvalidDicomError, AttributeError):
        return ""


def result_of(path: Path, target: Path) -> str:
    """Restore a file; return its window, or the line of the error, without the path."""
    try:
        batch.denoise_file(Brighter(), path, target, overwrite=True)
        assert pydicom.dcmread(target).pixel_array.shape == open_radiograph(path).stored.shape
        return f"restored; {open_radiograph(path).window}"
    except XbdcnnError as error:
        return str(error).removeprefix(f"{path}: ")


@pytest.mark.slow
def test_every_shipped_file_is_restored_or_explained(tmp_path):
    """If a result changes on purpose, replace the table by the file that the failure names."""
    pytest.importorskip("libjpeg", reason="the table was made with the extra jpeg")
    rows = [
        [name, syntax_of(path), result_of(path, tmp_path / "out.dcm")]
        for name, path in shipped_files()
    ]
    found = tmp_path / TABLE.name
    with found.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([COLUMNS, *rows])
    assert len(rows) > 200 and all(result and "\n" not in result for _, _, result in rows)
    assert found.read_text("utf-8") == TABLE.read_text("utf-8"), f"compare {TABLE} with {found}"
