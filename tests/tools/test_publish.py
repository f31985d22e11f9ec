"""Publication of measured tables; that of notebooks is tested with the pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import publish
import pytest

from xbdcnn._common.errors import XbdcnnError

NAMES = {
    f"table_{number}{end}"
    for number in (1, 2)
    for end in (".csv", ".md", ".tex", ".json", "_results.csv", "_results.json", "_differences.csv")
}


@pytest.fixture(autouse=True)
def rewritten(monkeypatch) -> list[tuple[int, Path]]:
    """The tables that are written again, which is tested with the tables."""
    calls: list[tuple[int, Path]] = []
    monkeypatch.setattr(publish, "rewrite_table", lambda *table: calls.append(table))
    return calls


def measured(folder: Path, **facts: str) -> Path:
    """A folder as `xbdcnn evaluate` leaves it, with these facts in the record of Table II."""
    folder.mkdir()
    for name in NAMES | {"notes.txt"}:
        (folder / name).write_text(name)
    for number, other in ((1, {}), (2, facts)):
        record = {"profile": "cpu", "commit": "0123456789ab"} | other
        (folder / f"table_{number}.json").write_text(json.dumps(record))
    return folder


def test_all_files_of_both_tables_are_copied(tmp_path, capsys, rewritten):
    source = measured(tmp_path / "measured")
    publish.main(["tables", str(source), "--repository", str(tmp_path)])
    target = tmp_path / "figures" / "chestxray8"
    assert {path.name for path in target.iterdir()} == NAMES
    assert all((target / n).read_bytes() == (source / n).read_bytes() for n in NAMES)
    assert f"{len(NAMES)} files refreshed" in capsys.readouterr().out
    assert rewritten == [(1, source), (2, source)]
    publish.main(["tables", str(target), "--repository", str(tmp_path)])
    assert {path.name for path in target.iterdir()} == NAMES


@pytest.mark.parametrize("facts", [{"profile": "quick"}, {"commit": "0123456789ab-dirty"}])
def test_other_profiles_and_uncommitted_code_are_refused(tmp_path, facts):
    source = measured(tmp_path / "measured", **facts)
    with pytest.raises(XbdcnnError, match=r"table_2\.json: .* --profile cpu from a clean checkout"):
        publish.publish_tables(source, tmp_path)
    assert not (tmp_path / "figures").exists()


def test_a_missing_table_is_refused(tmp_path):
    source = measured(tmp_path / "measured")
    (source / "table_1.json").unlink()
    with pytest.raises(XbdcnnError, match=r"table_1\.json: not there; run `xbdcnn evaluate"):
        publish.publish_tables(source, tmp_path)
    assert not (tmp_path / "figures").exists()
