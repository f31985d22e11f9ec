"""Worker processes end with the block, at its exception, and with the process that began them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from xbdcnn._common.files import atomic_path
from xbdcnn._common.processes import process_pool


def write_slowly(target: Path, seconds: float) -> int:
    """Write a file, for which a temporary one is needed meanwhile."""
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
        target.with_suffix(".begun").touch()
        time.sleep(seconds)
    return 7


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert path.exists()


def test_pool_returns_results(tmp_path):
    with process_pool(1) as pool:
        assert pool.submit(write_slowly, tmp_path / "a.txt", 0.0).result() == 7
    assert (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.slow
def test_exception_ends_the_tasks_at_once_without_temporary_files(tmp_path):
    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt), process_pool(1) as pool:
        for name in ("a.txt", "b.txt", "c.txt"):
            pool.submit(write_slowly, tmp_path / name, 300.0)
        wait_for(tmp_path / "a.begun")
        started = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - started < 20
    assert [path.name for path in tmp_path.iterdir()] == ["a.begun"]
    pool_processes = set(psutil.Process().children()) - before
    assert not [p for p in pool_processes if "resource_tracker" not in " ".join(p.cmdline())]


KILLED = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from test_processes import write_slowly
from xbdcnn._common.processes import process_pool

if __name__ == "__main__":
    with process_pool(2) as pool:
        for name in "abcd":
            pool.submit(write_slowly, Path(sys.argv[3]) / f"{name}.txt", 300.0)
"""


@pytest.mark.slow
def test_processes_exit_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, str(script), str(Path(__file__).parent), str(root), str(tmp_path)]
    process = subprocess.Popen(command)
    wait_for(tmp_path / "a.begun")
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(children) >= 2 and psutil.wait_procs(children, timeout=10)[1] == []
