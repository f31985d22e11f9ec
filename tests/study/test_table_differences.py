"""Differences of tables: value by value, file by file, and by the rows in common."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.table_differences import (
    Difference,
    compare_files,
    compare_psnr,
    compare_tables,
    read_earlier_table,
)

TABLE = pd.DataFrame(
    {"eta": [0.4, 0.4, 0.6], "sigma": [5.0, 5.0, 5.0], "method": ["a", "b", "a"]}
    | {"psnr": [30.0, 31.0, 32.0]}
)


def test_equal_tables_have_no_difference_even_if_times_differ():
    timed = TABLE.assign(psnr=[30.0, np.nan, 32.0], seconds=1.0)
    assert compare_tables(timed, timed.assign(seconds=2.0)) == Difference(12, 0, 0.0)


def test_numbers_and_texts_that_differ_are_counted():
    other = TABLE.assign(psnr=[30.0, 31.25, np.nan], method=["a", "b", "c"])
    assert compare_tables(TABLE, other) == Difference(12, 3, 0.25)


@pytest.mark.parametrize("other", [TABLE.iloc[:2], TABLE.rename(columns={"psnr": "snr"})])
def test_other_rows_or_columns_differ_as_a_whole(other):
    assert compare_tables(TABLE, other) == Difference(12, 12, np.inf)


def test_files_are_compared_by_name(tmp_path):
    for folder, psnr in (("old", 30.0), ("new", 30.5)):
        (tmp_path / folder).mkdir()
        TABLE.assign(psnr=psnr).to_csv(tmp_path / folder / "changed.csv", index=False)
    TABLE.to_csv(tmp_path / "old" / "missing.csv", index=False)
    paths = sorted((tmp_path / "old").iterdir())
    assert compare_files(paths, tmp_path / "new").to_dict("records") == [
        {"file": "changed.csv", "values": 12, "differing": 3, "largest": 0.5},
        {"file": "missing.csv", "values": 12, "differing": 12, "largest": np.inf},
    ]


def test_rows_are_matched_by_cell_and_method_whatever_their_order():
    shuffled = TABLE.iloc[::-1].assign(psnr=[32.0, 31.5, 29.9])
    found = compare_psnr(2, shuffled, TABLE)
    assert (found.values, found.differing) == (3, 2) and found.largest == pytest.approx(0.5)


def test_only_rows_in_common_count():
    assert compare_psnr(2, TABLE, TABLE.iloc[:1]) == (1, 0, 0.0)
    by_method = TABLE.iloc[:2]
    assert compare_psnr(1, by_method, by_method.assign(psnr=[30.0, 28.0])) == (2, 1, 3.0)


def test_no_row_in_common_is_an_error():
    with pytest.raises(XbdcnnError, match="Table II: no row in common"):
        compare_psnr(2, TABLE.assign(sigma=10.0), TABLE)


def test_a_table_on_file_is_read_as_it_was_written(tmp_path):
    TABLE.to_csv(tmp_path / "table_2.csv", index=False)
    pd.testing.assert_frame_equal(read_earlier_table(2, tmp_path), TABLE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not there; name a folder"),
        (b"", "damaged"),
        (b"eta,sigma,method,psnr\n0.4,5,a,much\n", "damaged"),
        (b"\xff\xfe\x00", "damaged"),
        (b"method,psnr\na,30\n", "lacks eta, sigma"),
    ],
    ids=["absent", "empty", "text for numbers", "binary", "of Table I"],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "table_2.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(XbdcnnError, match=message) as error:
        read_earlier_table(2, tmp_path)
    assert str(error.value).startswith(str(path))
