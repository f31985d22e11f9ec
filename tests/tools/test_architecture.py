"""The picture of the floors: it shows the imports as they are, and notices when they change."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import architecture
import pytest
from paths import ROOT

GRAPH = {"top": {"left", "base"}, "left": {"base"}, "right": {"base"}, "base": set()}


def test_committed_picture_is_up_to_date():
    assert architecture.main(["--check"]) == 0, "run `make architecture`"


def test_floor_is_one_above_the_highest_import():
    assert architecture.floors(GRAPH) == ({"base"}, {"left", "right"}, {"top"})


def test_implied_imports_get_no_arrow():
    assert architecture.direct(GRAPH) == GRAPH | {"top": {"left"}}


def test_written_picture_carries_its_graph(tmp_path):
    architecture.write(GRAPH, tmp_path / "picture.svg")
    assert architecture.recorded(tmp_path / "picture.svg") == architecture.description(GRAPH)


def test_picture_does_not_depend_on_the_order_of_sets(tmp_path):
    code = "import sys, architecture as a, pathlib; a.write(a.rooms(), pathlib.Path(sys.argv[1]))"
    paths = os.pathsep.join([str(ROOT / "tools"), str(ROOT)])
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        command = [sys.executable, "-c", code, str(tmp_path / f"{seed}.svg")]
        subprocess.run(command, env=environment, check=True)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


def test_check_notices_a_changed_import(monkeypatch, capsys):
    monkeypatch.setattr(architecture, "rooms", lambda: GRAPH)
    assert architecture.main(["--check"]) == 1
    assert "run `make architecture`" in capsys.readouterr().err


def test_imports_inside_functions_and_for_type_checking_are_lazy(tmp_path):
    source = "import a\nif TYPE_CHECKING:\n    import b\ndef f():\n    from c import d\n"
    (tmp_path / "module.py").write_text(source)
    assert set(architecture.imported(tmp_path / "module.py")) == {"a", "b", "c.d"}
    assert set(architecture.imported(tmp_path / "module.py", lazy=False)) == {"a"}


@pytest.mark.parametrize("room", sorted(architecture.rooms()))
def test_page_explains_every_room(room):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]* \| `(\w+)`", page, flags=re.MULTILINE)
    assert rows.count(room) == 1


def test_page_orders_the_rooms_by_floor():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| `(\w+)`", page, flags=re.MULTILINE)
    heights = {
        r: n for n, level in enumerate(architecture.floors(architecture.rooms())) for r in level
    }
    assert {room: int(floor) for floor, room in rows} == heights
