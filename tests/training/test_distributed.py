"""Two processes give the result of one, and a killed process ends the run (CPU, gloo)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from paths import ROOT
from torch import nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference import zoo
from xbdcnn.inference.weights import build_network
from xbdcnn.models import AS_RELEASED, BALANCED
from xbdcnn.training import distributed
from xbdcnn.training.batches import TrainConfig
from xbdcnn.training.loop import train

RECIPE = replace(AS_RELEASED, width=4)
CONFIG = TrainConfig(
    patches=64, patch_size=32, batch_size=8, validate_every=2, ema=0.5, clip_norm=1.0,
    learning_rates=(1e-3, 1e-4), checkpoint_seconds=0.0,
)  # fmt: skip


def ramps(count: int = 3, side: int = 48) -> list[np.ndarray]:
    y, x = np.mgrid[:side, :side] / side
    return [((x * (i + 1) + y) / (i + 2)).astype(np.float32) for i in range(count)]


def run(folder: Path) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    network = build_network("xbdcnn", RECIPE, seed=5)
    history = train(network, RECIPE, ramps(), ramps(), CONFIG, folder, progress=False)
    return history, network.state_dict()


def wait_for_checkpoint(folder: Path, step: int, seconds: float = 60.0) -> None:
    """Wait until the first process has written its checkpoint, before the launcher ends it."""
    path, end = folder / "checkpoint.pt", time.monotonic() + seconds
    while time.monotonic() < end:
        if path.exists() and torch.load(path, weights_only=True)["step"] == step:
            return
        time.sleep(0.05)


def worker(folder: Path, killed: bool) -> None:
    """Train in one process of the launcher; if `killed`, the second one is killed at step 4."""
    from xbdcnn.training import loop, objectives

    draw_batch = objectives.draw_batch

    def drawn(pool, recipe, config, step, device):
        if killed and step == 4 and os.environ["RANK"] == "1":
            wait_for_checkpoint(folder, step)
            os.kill(os.getpid(), signal.SIGKILL)
        return draw_batch(pool, recipe, config, step, device)

    objectives.draw_batch, loop.LOG_EVERY = drawn, 1
    history, state = run(folder)
    rank = distributed.this_process().process_index
    torch.save((history.to_dict("list"), state), folder / f"rank-{rank}.pt")


def launch(folder: Path, *options: str) -> subprocess.CompletedProcess:
    """Run this file in two processes with torchrun."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, "--nproc-per-node=2", __file__, str(folder), *options]
    paths = [str(ROOT), str(ROOT / "tests" / "helpers"), os.environ.get("PYTHONPATH", "")]
    settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, timeout=300
    )


def assert_equal_runs(folder: Path, alone: tuple[pd.DataFrame, dict[str, torch.Tensor]]) -> None:
    """Assert that both processes of a finished run have the result of a single process."""
    expected, weights = alone
    for rank in (0, 1):
        history, state = torch.load(folder / f"rank-{rank}.pt", weights_only=True)
        found = pd.DataFrame(history)
        assert list(found["step"]) == list(expected["step"])
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)
        np.testing.assert_allclose(found["val_psnr"], expected["val_psnr"], atol=1e-3)
        for name, value in weights.items():
            torch.testing.assert_close(state[name], value, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    """Train in one process with two threads, which add up gradients as two processes do."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    result = run(tmp_path_factory.mktemp("alone"))
    torch.set_num_threads(before)
    return result


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path, alone):
    finished = launch(tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert_equal_runs(tmp_path, alone)
    logged = pd.read_csv(tmp_path / "log.csv")
    assert list(logged["step"]) == [2, 4, 6, 8]  # written once, not by both


@pytest.mark.slow
def test_killed_process_ends_the_run_and_the_next_run_resumes(tmp_path, alone):
    broken = launch(tmp_path, "killed")
    assert broken.returncode != 0 and "SIGKILL" in broken.stderr
    assert not list(tmp_path.glob("rank-*.pt"))
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["step"] == 4
    resumed = launch(tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert_equal_runs(tmp_path, alone)


def fake_accelerator(count: int, device: str = "cpu", other_step: int = 0) -> SimpleNamespace:
    """Create a stand-in for an accelerator with several processes, another one at `other_step`."""
    return SimpleNamespace(
        num_processes=count,
        device=torch.device(device),
        gather=lambda step: torch.cat([step.cpu(), torch.tensor([other_step])]),
    )


def test_batch_size_must_be_a_multiple_of_the_number_of_processes():
    distributed.require_even_shards(8, fake_accelerator(4))
    with pytest.raises(XbdcnnError, match="batch of 8 cannot be divided among 3 processes"):
        distributed.require_even_shards(8, fake_accelerator(3))


def test_batch_norm_is_synchronised_on_gpus_and_rejected_on_cpus():
    """Runs without GPUs: checks only that every batch norm is converted."""
    network = build_network("dncnn", zoo.MSE_ONLY)
    assert distributed.synchronise_batch_norm(network, fake_accelerator(1)) is network
    with pytest.raises(XbdcnnError, match="batch norm on CPUs needs a single process"):
        distributed.synchronise_batch_norm(network, fake_accelerator(2))
    without = build_network("xbdcnn", RECIPE)
    assert distributed.synchronise_batch_norm(without, fake_accelerator(4)) is without
    names = list(network.state_dict())
    synchronised = distributed.synchronise_batch_norm(network, fake_accelerator(2, "cuda"))
    kinds = [type(part) for part in synchronised.modules()]
    assert nn.BatchNorm2d not in kinds and kinds.count(nn.SyncBatchNorm) == 15
    assert list(synchronised.state_dict()) == names


def test_only_the_released_tv_weight_depends_on_the_number_of_processes():
    assert distributed.scale_tv_weight(BALANCED, 4) is BALANCED
    assert distributed.scale_tv_weight(AS_RELEASED, 1) is AS_RELEASED
    weights = AS_RELEASED.loss_weights
    assert distributed.scale_tv_weight(AS_RELEASED, 4).loss_weights == (
        *weights[:3],
        4 * weights[3],
    )


def test_folder_that_some_processes_cannot_see_is_rejected(tmp_path):
    distributed.require_same_step(7, fake_accelerator(2, other_step=7), tmp_path)
    with pytest.raises(XbdcnnError, match="not all processes see this folder"):
        distributed.require_same_step(7, fake_accelerator(2, other_step=0), tmp_path)


LEFTOVERS = {
    "the size alone": {"WORLD_SIZE": "2"},
    "the first of two": {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"},
    "the second of two": {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"},
    "a word": {"WORLD_SIZE": "two", "RANK": "0"},
}


@pytest.mark.parametrize("name", LEFTOVERS)
def test_variables_left_over_from_a_job_are_named_in_time(name, monkeypatch):
    """Without the other process, PyTorch waits for half an hour."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    for variable, value in (LEFTOVERS[name] | address).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(distributed, "START_TIMEOUT", timedelta(seconds=1))
    monkeypatch.setattr(distributed.PartialState, "_shared_state", {})
    distributed._meet_other_processes.cache_clear()
    started = time.monotonic()
    with pytest.raises(XbdcnnError, match="unset WORLD_SIZE, or start them with torchrun"):
        distributed.this_process()
    assert time.monotonic() - started < 15


def test_half_a_minute_is_waited_for_other_processes():
    assert timedelta(seconds=30) == distributed.START_TIMEOUT


if __name__ == "__main__":
    worker(Path(sys.argv[1]), "killed" in sys.argv[2:])
