"""The table of promises is up to date, and every promise has a test."""

from __future__ import annotations

from collections import Counter

import promises
import pytest


@pytest.mark.slow
def test_the_table_is_up_to_date():
    assert promises.main(["--check"]) == 0, "run tools/promises.py --write"


def test_a_promise_without_a_test_is_an_error():
    with pytest.raises(SystemExit, match="no test cli::nothing"):
        promises.cases("cli::nothing", Counter({"cli.py::test_something": 1}))
    assert promises.cases("cli::some", Counter({"cli.py::test_something": 3})) == 3
