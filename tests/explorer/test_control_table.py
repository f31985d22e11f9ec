"""The table of controls in the book is that of the list which the browser tests operate."""

from __future__ import annotations

import os

from control_table import BEGIN, END, table
from paths import ROOT

PAGE = ROOT / "docs" / "explorer_controls.md"


def test_book_has_the_table_of_numbered_controls():
    """Also updates it, when the pictures are updated, see Makefile."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    text, _, after = rest.partition(END)
    if "XBDCNN_SCREENSHOTS" in os.environ:
        PAGE.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", "utf-8")
    else:
        assert text.strip() == table()
    assert all(f"controls-{width}.jpg" in after for width in (390, 1024, 1440))
