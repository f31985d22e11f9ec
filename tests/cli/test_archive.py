"""Large archives: several processes, parts, reports, interruption, closed pipes, killed workers."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from paths import ROOT
from PIL import Image
from typer.testing import CliRunner

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli import app, archive, processing, report, workers
from xbdcnn.cli.reporting import UsageError

COUNT = 5


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8", errors="surrogateescape") as stream:
        return list(csv.DictReader(stream))


def pixels(folder: Path) -> dict[str, np.ndarray]:
    return {path.name: np.asarray(Image.open(path)).astype(int) for path in folder.iterdir()}


@pytest.fixture
def scans(tmp_path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(COUNT):
        noisy = rng.normal(120, 12, (24, 32)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def command(scans, tmp_path, weights) -> list[object]:
    return ["denoise", scans, "-o", tmp_path / "out", "--network", weights, "--precision", "fp32"]


# --- several processes ----------------------------------------------------------------------


@pytest.mark.slow
def test_several_processes_give_the_result_of_one(scans, command, tmp_path):
    """A bad file among them is reported as by one process, and stops nothing."""
    (scans / "bad.png").touch()
    result = run(*command, "--jobs", 2, "--report", tmp_path / "two.csv")
    assert result.exit_code == 1, result.output
    assert result.stdout.splitlines()[-1].startswith(f"{COUNT} of {COUNT + 1} radiographs restored")
    assert "loading network" in result.stderr and "restore: 6, processes: 2" in result.stderr
    command[3] = tmp_path / "one"
    alone = run(*command, "--jobs", 1, "--report", tmp_path / "one.csv")
    restored, expected = pixels(tmp_path / "out"), pixels(tmp_path / "one")
    assert restored.keys() == expected.keys() and len(restored) == COUNT
    assert all(np.abs(restored[name] - expected[name]).max() <= 1 for name in expected)
    found, told = (
        sorted(rows(tmp_path / f"{n}.csv"), key=lambda r: r["file"]) for n in ("two", "one")
    )
    assert [r["file"] for r in found] == [r["file"] for r in told]
    assert [r["error"] for r in found] == [r["error"] for r in told]
    assert [line for line in result.stderr.splitlines() if "error" in line] == [
        line for line in alone.stderr.splitlines() if "error" in line
    ]


def fail_abruptly(source: Path, target: Path) -> str:
    """Stand-in for a task; a file named `crash` kills its process, as lack of memory does."""
    if source.name == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if source.name == "bad":
        raise XbdcnnError("bad")
    return source.name


@pytest.mark.slow
def test_process_that_is_killed_costs_one_file_only():
    names = ["a", "crash", "b", "bad", "c", "d", "e", "f", "g"]
    done, failed = [], []
    for file, attempt in workers.attempts(fail_abruptly, [(Path(n), Path(n)) for n in names], 2):
        try:
            done.append(attempt())
        except XbdcnnError as error:
            failed.append((file.name, str(error)))
    assert sorted(done) == ["a", "b", "c", "d", "e", "f", "g"]
    assert [name for name, _ in sorted(failed)] == ["bad", "crash"]
    assert "ended abruptly, probably for lack of memory; use fewer --jobs" in dict(failed)["crash"]


def test_number_of_processes_follows_cores_memory_and_files(monkeypatch):
    monkeypatch.setattr(workers, "usable_cores", lambda: 16)
    monkeypatch.setattr(workers, "usable_memory", lambda: 64 * 10**9)
    assert [workers.default_jobs(n) for n in (0, 1, 15, 16, 40, 100_000)] == [1, 1, 1, 2, 5, 16]
    monkeypatch.setattr(workers, "usable_memory", lambda: 6 * 10**9)
    assert workers.default_jobs(1000) == 2
    monkeypatch.setattr(workers, "usable_memory", lambda: 10**9)
    assert workers.default_jobs(1000) == 1
    monkeypatch.setattr(workers, "usable_memory", lambda: None)
    assert workers.default_jobs(1000) == 16


def test_help_states_how_the_number_of_processes_is_chosen():
    text = " ".join(run("denoise", "--help").stdout.replace("│", " ").split())
    assert f"{workers.MEMORY_PER_JOB / 1e9:g} GB of memory" in text
    assert f"{workers.FILES_PER_JOB} files are left for each" in text


def test_few_tasks_are_queued_whatever_the_number_of_files(monkeypatch):
    queued = []

    class Pool(ThreadPoolExecutor):
        def submit(self, *task):
            queued.append(task)
            return super().submit(*task)

    monkeypatch.setattr(workers, "process_pool", Pool)
    pairs = [(Path(str(number)), Path("x")) for number in range(1000)]
    found = workers.attempts(fail_abruptly, pairs, 2)
    taken = [next(found) for _ in range(3)]
    assert len(queued) <= len(taken) + 4
    assert len(taken) + len(list(found)) == len(pairs)


# --- parts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_contain_each_file_once(parts):
    files = list(range(20))
    found = [files[archive.shard_of(f"{part}/{parts}")] for part in range(1, parts + 1)]
    assert sorted(file for part in found for file in part) == files
    assert max(map(len, found)) - min(map(len, found)) <= 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "3", "a/b", "-1/4", "1/4/2", "", "1.0/4"])
def test_impossible_part_is_refused(text):
    with pytest.raises(UsageError, match="K/N with K from 1 to N"):
        archive.shard_of(text or "/")


def test_parts_do_not_move_when_they_are_resumed(scans, command, tmp_path):
    """Each part sees the files that the other parts have restored, and still restores its own."""
    for part in (2, 1, 3):
        result = run(*command, "--shard", f"{part}/3", "--resume")
        assert result.exit_code == 0, result.output
    assert set(pixels(tmp_path / "out")) == {f"{number}.png" for number in range(COUNT)}
    again = run(*command, "--shard", "1/3", "--resume")
    assert again.stdout.startswith("nothing to do, all 2 radiographs were restored into")
    empty = run(*command, "--shard", "9/9")
    assert empty.exit_code == 0 and empty.stdout == "nothing to do, this part has no file\n"
    assert "loading" not in again.stderr + empty.stderr


# --- report ---------------------------------------------------------------------------------


def test_report_has_a_row_per_file(scans, command, tmp_path):
    (scans / "bad.png").write_bytes(b"\x89PNG nothing")
    path = tmp_path / "new" / "report.csv"
    result = run(*command, "--report", path)
    assert result.exit_code == 1
    found = {Path(row["file"]).name: row for row in rows(path)}
    assert tuple(rows(path)[0]) == report.COLUMNS and len(found) == COUNT + 1
    good, bad = found["0.png"], found["bad.png"]
    assert good["size"] == "24x32" and good["error"] == "" and float(good["seconds"]) > 0
    assert float(good["eta"]) > 0 and float(good["sigma"]) > 0
    before = np.asarray(Image.open(scans / "0.png")).astype(float)
    rms = np.sqrt(np.mean((before - pixels(tmp_path / "out")["0.png"]) ** 2))
    assert float(good["removed"]) == pytest.approx(rms, abs=0.6)  # the output is rounded
    assert "cannot be decoded" in bad["error"] and bad["size"] == bad["eta"] == ""


def test_report_is_resumed_replaced_or_refused(scans, command, tmp_path):
    path = tmp_path / "report.csv"
    assert run(*command, "--report", path, "--shard", "1/2").exit_code == 0
    first = path.read_bytes()
    path.write_bytes(first + b"scans/9.png,24x")  # a row that a full disk has cut off
    refused = run(*command, "--report", path)
    assert refused.exit_code == 2 and "append with --resume, replace" in refused.stderr
    assert run(*command, "--report", path, "--resume").exit_code == 0
    assert path.read_bytes().startswith(first)
    assert sorted(Path(row["file"]).name for row in rows(path)) == sorted(pixels(scans))
    assert run(*command, "--report", path, "--overwrite", "--shard", "1/5").exit_code == 0
    assert [Path(row["file"]).name for row in rows(path)] == ["0.png"]


def test_a_file_without_a_row_gets_one_when_it_is_found_restored(scans, command, tmp_path):
    path = tmp_path / "report.csv"
    assert run(*command, "--report", path).exit_code == 0
    complete = rows(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))  # killed after the image, before its row
    assert run(*command, "--report", path, "--resume").exit_code == 0
    found = rows(path)
    assert found[:-1] == complete[:-1] and found[-1]["file"] == complete[-1]["file"]
    assert set(list(found[-1].values())[1:]) == {""}
    assert run(*command, "--report", path, "--resume").exit_code == 0 and rows(path) == found


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_file_that_is_no_report_is_kept(scans, command, option):
    before = (scans / "0.png").read_bytes()
    result = run(*command, "--report", scans / "0.png", option)
    assert result.exit_code == 2 and "is no report of `denoise`; name another" in result.stderr
    assert (scans / "0.png").read_bytes() == before and "loading" not in result.stderr


def test_report_keeps_unusual_file_names(tmp_path):
    names = [os.fsdecode(b"\xff.png"), 'quote".png', "comma,.png", "two\nlines.png", "ünï.png"]
    table = report.open_report(tmp_path / "r.csv", append=False, replace=False)
    for name in names:
        table.failed(Path(name), XbdcnnError("one\nline"))
        assert len(rows(tmp_path / "r.csv")) == names.index(name) + 1  # written at once
    assert [row["file"] for row in rows(tmp_path / "r.csv")] == names
    assert {row["error"] for row in rows(tmp_path / "r.csv")} == {"one line"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no file that is always full")
def test_full_disk_under_the_report_names_it():
    with pytest.raises(OSError, match="No space left") as caught:
        report.Report(Path("/dev/full")).failed(Path("a.png"), "any")
    assert caught.value.filename == "/dev/full"


def test_what_exists_is_noticed_before_the_network_is_loaded(scans, command, tmp_path):
    assert run(*command, "--shard", "1/2").exit_code == 0
    again = run(*command, "--shard", "1/2", "--report", tmp_path / "r.csv")
    assert again.exit_code == 1 and "loading" not in again.stderr
    assert again.stdout.startswith("0 of 3 radiographs restored into")
    lines = [line for line in again.stderr.splitlines() if "error" in line]
    assert len(lines) == 3 and all("or skip it with --resume" in line for line in lines)
    assert all("exists already" in row["error"] for row in rows(tmp_path / "r.csv"))


@pytest.mark.parametrize("option", ["--jobs=2", "--shard=1/2", "--report=r.csv"])
def test_options_of_restoring_are_refused_when_estimating(command, option):
    result = run(*command, "--estimate-only", option)
    assert result.exit_code == 2 and "not for --estimate-only" in result.stderr


# --- progress, interruption, closed pipes ---------------------------------------------------


def test_first_line_tells_what_is_being_done(command):
    result = run(*command, "--jobs", 1)
    first = result.stderr.splitlines()[0]
    assert first.startswith("loading network ") and f"radiographs to restore: {COUNT}" in first


def test_clock_of_the_bar_moves_while_a_file_takes_long(monkeypatch):
    drawn = []

    class Bar:
        disable = False

        def refresh(self) -> None:
            drawn.append(time.monotonic())

    with processing._redrawn(Bar()):
        time.sleep(2.5)
    assert len(drawn) == 2
    Bar.disable = True
    with processing._redrawn(Bar()):
        time.sleep(1.2)
    assert len(drawn) == 2


SLOW = """
import sys, time
from pathlib import Path
from xbdcnn.cli import app, batch

def restore(pretrained, source, target, *options):
    print("started", file=sys.stderr, flush=True)
    time.sleep(float(sys.argv[1]))
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(source.read_bytes())
    return batch.Restored(f"{source} is restored", (1, 1), None, 0.0, 0.0)

batch.denoise_file = restore
if __name__ == "__main__":
    app(sys.argv[2:])
"""
"""A command line whose files take as long as the first argument says, also in its workers."""


def begin(tmp_path: Path, seconds: float, *arguments: object, **pipes: int) -> subprocess.Popen:
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    line = [sys.executable, str(script), str(seconds), *map(str, arguments)]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
    environment = os.environ | {"PYTHONPATH": paths}
    return subprocess.Popen(line, text=True, env=environment, preexec_fn=accept_ctrl_c, **pipes)


def accept_ctrl_c() -> None:
    """Undo that a test run in the background ignores Ctrl-C, as do its child processes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_says_so_at_once_and_leaves_nothing(command, tmp_path, jobs):
    process = begin(tmp_path, 300, *command, "--jobs", jobs)
    while process.stderr.readline() != "started\n":
        assert process.poll() is None
    children = psutil.Process(process.pid).children(recursive=True)
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - started < 30 and process.returncode == 130
    last = stderr.splitlines()[-1]
    assert last == "xbdcnn: error: interrupted; restored files are kept; continue with --resume"
    assert "Traceback" not in stderr
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_closed_pipe_is_no_error_of_the_files(command, tmp_path):
    """As by `xbdcnn denoise ... | head -1`: all files are restored, without a complaint."""
    process = begin(tmp_path, 0.2, *command)
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(timeout=120) == 0, stderr
    assert "error" not in stderr and "Exception" not in stderr
    assert len(list((tmp_path / "out").iterdir())) == COUNT


@pytest.mark.slow
def test_command_that_prints_results_ends_quietly_when_nobody_reads(scans, weights):
    line = [sys.executable, "-m", "xbdcnn", "estimate", str(scans), "--network", str(weights)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(line, text=True, cwd=ROOT, **pipes)
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(timeout=120) == 141
    assert "error" not in stderr and "Exception" not in stderr


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fetch-sample", "interrupted; run it again to continue"),
        ("audit", "interrupted"),
    ],
)
def test_ctrl_c_in_other_commands_tells_how_to_continue(monkeypatch, name, hint):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("xbdcnn.data.sample.fetch_sample", interrupt)
    monkeypatch.setattr("xbdcnn.data.source.find_source", interrupt)
    result = run(name)
    assert result.exit_code == 130 and result.stderr == f"xbdcnn: error: {hint}\n"


def test_each_process_loads_the_network_once(monkeypatch, weights):
    loaded = []
    monkeypatch.setattr(
        "xbdcnn.inference.pretrained.load_pretrained", lambda name, precision: loaded.append(name)
    )
    monkeypatch.setattr(workers, "restore_with", lambda *arguments: arguments)
    threads = torch.get_num_threads()
    workers._load_once.cache_clear()
    task = partial(workers.restore, workers.Settings("xbdcnn"))
    try:
        for name in ("a", "b", "c"):
            task(Path(name), Path(name))
        assert loaded == ["xbdcnn"] and torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(threads)
        workers._load_once.cache_clear()
