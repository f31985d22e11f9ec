"""Kill long jobs at random times and start them again; see tests/structure/test_kills.py.

python tests/helpers/kills.py KIND FOLDER    start or resume a job; print "ready", then its digest
"""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import dicoms
import numpy as np
import pandas as pd
import psutil
from PIL import Image

from xbdcnn.inference.weights import build_network, save_weights

NOTEBOOK = """\
# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path
import time
tables = Path(output, "tables")
tables.mkdir(exist_ok=True)
with open(tables / "NUMBER.csv", "w") as stream:
    for row in range(20):
        print(row, NUMBER * row, sep=",", file=stream, flush=True)
        time.sleep(0.01)
"""

EXIT_TIMEOUT = 10.0
"""Seconds within which the child processes of a killed process must exit."""


class KillResult(NamedTuple):
    """Number of kills of one kind of job, and the failures."""

    kind: str
    tried: int
    failed: int
    failures: list[str]


# --- the jobs -------------------------------------------------------------------------------


def training(folder: Path) -> str:
    """Train a narrow network with checkpoints at every step; return the digest of its weights."""
    from xbdcnn.models import Recipe
    from xbdcnn.training.batches import TrainConfig
    from xbdcnn.training.loop import train

    recipe = Recipe(width=4)
    config = TrainConfig(
        patches=160, patch_size=32, batch_size=4, validate_every=8, ema=0.5, checkpoint_seconds=0
    )
    network = build_network("xbdcnn", recipe, seed=5)
    images = [np.linspace(0, 1, 48 * 48, dtype=np.float32).reshape(48, 48)] * 2
    ready()
    train(network, recipe, images, images, config, folder / "run", progress=False)
    weights = network.state_dict()
    return _digest(weights[name].numpy().tobytes() for name in sorted(weights))


def store(folder: Path) -> str:
    """Cut patches with two processes; return the digest of the store."""
    from xbdcnn.data import build_store
    from xbdcnn.data import store as module

    module.BLOCK_IMAGES = 2
    paths = _pictures(folder / "images", 40)
    index = pd.DataFrame({"image": [p.name for p in paths], "path": [str(p) for p in paths]})
    ready()
    found = build_store(index, folder / "store", 200, 32, workers=2, progress=False)
    content = (folder / "store" / module.PATCHES).read_bytes()
    return _digest([content, found.digest.encode()])


def denoise(folder: Path) -> str:
    """Restore a folder of pictures and DICOM files; return the digest of all pixels."""
    from xbdcnn.cli import app
    from xbdcnn.data import open_radiograph
    from xbdcnn.models import Recipe

    scans, out, weights = folder / "scans", folder / "out", folder / "tiny.safetensors"
    paths = _pictures(scans, 16)
    for number in range(8):
        path = scans / f"{number}.dcm"
        if not path.exists():
            dicoms.write(path, dicoms.radiograph())
    if not weights.exists():
        recipe = Recipe(width=4)
        network = build_network("xbdcnn", recipe, seed=1)
        save_weights(network, weights, "xbdcnn", recipe, name="tiny")
    ready()
    options = ["-o", str(out), "--network", str(weights), "--precision", "fp32", "--resume"]
    with suppress(SystemExit):  # missing results are detected below
        app(["denoise", str(scans), *options])
    paths = [f / name for f in (scans, out) for name in sorted(p.name for p in scans.iterdir())]
    return _digest(open_radiograph(path).stored.tobytes() for path in paths)


def reproduction(folder: Path) -> str:
    """Run two notebooks; return the digest of their tables, which must match the record."""
    from xbdcnn.study.reproduce.freshness import is_intact, read_record
    from xbdcnn.study.reproduce.pipeline import reproduce

    sources, output = folder / "notebooks", folder / "out"
    sources.mkdir(exist_ok=True)
    for number in (1, 2):
        text = NOTEBOOK.replace("NUMBER", str(number))
        (sources / f"0{number}_part.py").write_text(text, encoding="utf-8")
    ready()
    reproduce(data="builtin", output=output, notebooks=sources, progress=False)
    entries = read_record(output)["notebooks"]
    assert len(entries) == 2 and all(is_intact(output, entry) for entry in entries.values())
    return _digest(path.read_bytes() for path in sorted((output / "tables").iterdir()))


KINDS: dict[str, Callable[[Path], str]] = {
    f.__name__: f for f in (training, store, denoise, reproduction)
}


def ready() -> None:
    """Print that the preparations are complete and the process may be killed."""
    print("ready", flush=True)


def _pictures(folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:02}.png" for number in range(count)]
    rng = np.random.default_rng(3)
    for path in paths:
        pixels = rng.integers(0, 256, (200, 200), "u1")
        if not path.exists():
            Image.fromarray(pixels).save(path)
    return paths


def _digest(parts) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


# --- kills ----------------------------------------------------------------------------------


def begin(kind: str, folder: Path) -> subprocess.Popen:
    """Start or resume a job, and wait until it is ready."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, __file__, kind, str(folder)]
    with open(folder / "stderr.txt", "a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout.readline() == "ready\n", (folder / "stderr.txt").read_text()
    return process


def finish(kind: str, folder: Path) -> tuple[str, float]:
    """Run a job to its end; return its digest, empty if it failed, and its seconds."""
    process, started = begin(kind, folder), time.perf_counter()
    lines = process.communicate(timeout=300)[0].splitlines()
    return lines[-1] if process.returncode == 0 else "", time.perf_counter() - started


def kill(kind: str, folder: Path, seconds: float) -> tuple[bool, list[int]]:
    """Kill a job after some seconds; return whether it was running, and its remaining children."""
    process = begin(kind, folder)
    time.sleep(seconds)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    process.stdout.close()
    left = psutil.wait_procs(children, timeout=EXIT_TIMEOUT)[1]
    for child in left:
        child.kill()
    return process.returncode == -signal.SIGKILL, [child.pid for child in left]


def kill_repeatedly(kind: str, folder: Path, kills: int, per_run: int, seed: int) -> KillResult:
    """Kill a job up to `per_run` times, then run it to its end; repeat until `kills` are reached.

    A failure is a result that differs from that of an uninterrupted run, or a remaining child.
    """
    rng = random.Random(seed)
    expected, seconds = finish(kind, folder / "uninterrupted")
    assert expected, (folder / "uninterrupted" / "stderr.txt").read_text()
    tried, failures = 0, []
    for run in range(kills):
        place = folder / f"run-{run}"
        for _ in range(min(per_run, kills - tried)):
            hit, left = kill(kind, place, rng.uniform(0, seconds))
            tried += hit
            # The uninterrupted run is the slowest one where it is the first to read the modules.
            seconds = seconds if hit else seconds / 2
            failures += [f"{place.name}: {len(left)} child processes remain"] if left else []
        if (found := finish(kind, place)[0]) != expected:
            failures.append(f"{place.name}: {found or (place / 'stderr.txt').read_text()[-2000:]}")
        if tried >= kills:
            break
    return KillResult(kind, tried, len(failures), failures)


if __name__ == "__main__":
    print(KINDS[sys.argv[1]](Path(sys.argv[2])))
