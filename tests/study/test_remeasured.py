"""A table beside an earlier one: the rows both have, and bad files named."""

from __future__ import annotations

import pandas as pd
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.study.remeasured import earlier_table, largest_difference

TABLE = pd.DataFrame(
    {"eta": [0.4, 0.4, 0.6], "sigma": [5.0, 5.0, 5.0], "method": ["a", "b", "a"]}
    | {"psnr": [30.0, 31.0, 32.0]}
)


def test_rows_are_matched_by_cell_and_method_whatever_their_order():
    shuffled = TABLE.iloc[::-1].assign(psnr=[32.0, 31.5, 29.9])
    rows, gap = largest_difference(2, TABLE, shuffled)
    assert rows == 3 and gap == pytest.approx(0.5)


def test_only_rows_of_both_count():
    assert largest_difference(2, TABLE.iloc[:1], TABLE) == (1, 0.0)
    by_method = TABLE.iloc[:2]
    assert largest_difference(1, by_method.assign(psnr=[30.0, 28.0]), by_method) == (2, 3.0)


def test_nothing_in_common_is_an_error():
    with pytest.raises(XbdcnnError, match="Table II: no row in common"):
        largest_difference(2, TABLE, TABLE.assign(sigma=10.0))


def test_a_table_on_file_is_read_as_it_was_written(tmp_path):
    TABLE.to_csv(tmp_path / "table_2.csv", index=False)
    pd.testing.assert_frame_equal(earlier_table(2, tmp_path), TABLE)


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
        earlier_table(2, tmp_path)
    assert str(error.value).startswith(str(path))
