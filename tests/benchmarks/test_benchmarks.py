"""The benchmark: the reference implementation agrees with the package; tables, plots and files."""

from __future__ import annotations

import json
import time
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch

import benchmarks
from benchmarks import archive, reference, run_benchmark, tasks
from benchmarks.__main__ import main
from benchmarks.report import readable_table
from benchmarks.roofline import roofline_plot
from benchmarks.timing import Task, interleave, summarise
from xbdcnn import metrics, noise
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.pretrained import Pretrained
from xbdcnn.inference.weights import build_network
from xbdcnn.models import BALANCED, Recipe

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network():
    return build_network("xbdcnn", Recipe(**vars(BALANCED) | {"width": 4})).eval()


# --- reference implementation


def test_reference_ssim_loss_agrees_with_the_package():
    clean = torch.rand(2, 1, 32, 40)
    restored = (clean + 0.1 * torch.randn_like(clean)).clamp(0, 1)
    expected = 1 - metrics.ssim_map(restored, clean, border="valid").mean()
    torch.testing.assert_close(reference.ssim_loss(restored, clean), expected, rtol=1e-4, atol=1e-5)


def test_reference_noise_has_the_variance_of_the_model():
    clean = torch.full((2, 1, 200, 200), 0.5)
    eta, sigma = torch.tensor([0.5, 1.5]), torch.tensor([5.0, 15.0])
    noisy = reference.add_noise(clean, eta, sigma, np.random.default_rng(0))
    assert noisy.shape == clean.shape and noisy.dtype == torch.float32
    for image, e, s in zip(noisy, eta.tolist(), sigma.tolist(), strict=True):
        expected = noise.noise_variance(0.5, e, s)
        assert float((255 * image).var()) == pytest.approx(expected, rel=0.05)


def test_reference_restoration_agrees_with_the_package(network):
    image = np.random.default_rng(0).random((36, 48)).astype(np.float32)
    fast = Pretrained(network, BALANCED, {}).denoise(image)
    np.testing.assert_allclose(reference.restore(network, image), fast, atol=1e-5)


@pytest.mark.slow
def test_reference_training_reduces_the_loss():
    network = build_network("xbdcnn", Recipe(**vars(BALANCED) | {"width": 4}))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    clean, eta, sigma = torch.full((4, 1, 32, 32), 0.5), torch.ones(4), torch.full((4,), 10.0)
    rng = np.random.default_rng(0)
    losses = [reference.train_step(network, optimizer, clean, eta, sigma, rng) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


# --- timing


def test_every_second_round_is_in_reverse_order():
    calls = []
    jobs = [Task(n, "ours", lambda n=n: calls.append(n), 1, "images") for n in "abc"]
    times = interleave(jobs, 2, CPU, progress=False)
    assert "".join(calls) == "abc" + "abc" + "cba"
    assert list(times.groupby("round").size()) == [3, 3] and (times["seconds"] > 0).all()


def test_rates_speedups_and_fractions():
    jobs = [
        Task("matrix product fp32", "limit", print, 1, "", 2e9, 1e6, "fp32"),
        Task("1 x 1 convolution fp32", "limit", print, 1, "", 1e9, 1e6, "fp32"),
        Task("memory", "limit", print, 1, "", bytes=4e9),
        Task("work", "reference", print, 2, "images", 1e9, 1e8, "fp32"),
        Task("work", "ours", print, 2, "images", 1e9, 1e8, "fp32"),
    ]
    seconds = {("memory", "limit"): 0.25, ("work", "reference"): 2.0}
    rows = [
        {"name": j.name, "variant": j.variant, "seconds": seconds.get((j.name, j.variant), 0.5)}
        for j in jobs
    ] * 4
    rows += [row | {"seconds": 100.0} for row in rows[:5]]  # one disturbed round
    table = summarise(jobs, pd.DataFrame(rows)).set_index(["name", "variant"])
    assert table.loc[("matrix product fp32", "limit"), "gflops"] == 4.0
    assert table.loc[("memory", "limit"), "gbytes"] == 16.0
    ours = table.loc[("work", "ours")]
    assert (ours["seconds"], ours["speedup"], ours["per_second"]) == (0.5, 4.0, 4.0)
    # The faster of the two products is the limit.
    assert table.loc[("1 x 1 convolution fp32", "limit"), "fraction"] == 0.5
    assert (ours["gflops"], ours["fraction"], ours["intensity"]) == (2.0, 0.5, 10.0)
    text = readable_table(table.reset_index()).set_index(["task", "variant"])
    assert text.loc[("work", "ours"), "speed-up"] == "4.00 x"
    assert text.loc[("memory", "limit"), "GFLOP/s"] == "–"


# --- tasks


@pytest.mark.slow
def test_arithmetic_and_memory_traffic_of_x_bdcnn():
    network = build_network("xbdcnn", BALANCED)
    assert tasks.forward_flops(network, 128) == pytest.approx(18.44e9, rel=0.01)
    assert tasks.forward_flops(network, 256) == 4 * tasks.forward_flops(network, 128)
    moved = tasks.memory_traffic(network, 128, "fp32")
    assert moved == 2 * tasks.memory_traffic(network, 128, "bf16")
    # About 16 reads and writes of 64 channels at full resolution, and as much at lower resolutions.
    assert 16 < moved / (4 * 64 * 128**2) < 48


def test_convolution_equals_matrix_product():
    left, right = torch.randn(8, 8), torch.randn(8, 8)
    product = torch.conv2d(*tasks.as_convolution(left, right))
    torch.testing.assert_close(product[0, :, :, 0].T, left @ right)


@pytest.mark.slow
def test_every_task_runs_and_has_a_reference(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "BALANCED", Recipe(**vars(BALANCED) | {"width": 4}))
    monkeypatch.setattr(tasks, "SIDE", 32)
    monkeypatch.setattr(benchmarks.tasks, "classical_methods", lambda side: [])
    found = benchmarks.collect_tasks(CPU, tmp_path, quick=True)
    for task in found:
        started = time.perf_counter()
        task.run()
        assert time.perf_counter() > started and task.items > 0
    names = {(task.name, task.variant) for task in found}
    assert {"training", "noise", "SSIM loss", "loading", "inference 128"} <= {n for n, _ in names}
    assert all((name, "reference") in names for name, variant in names if variant == "ours")


def test_classical_methods_are_timed_by_name():
    found = tasks.classical_methods(32)
    with_bm3d = ["BM3D", "GAT+BM3D"] if find_spec("bm3d") else []
    assert [task.variant for task in found] == [*with_bm3d, "NLM"]
    assert found[-1].run().shape == (32, 32)


# --- output files and command line


def few_tasks(device, folder, quick) -> list[Task]:
    work = {"flops": 1e6, "bytes": 1e4}
    return [
        *tasks.machine_limits(device, 16)[:-1],
        Task("memory", "limit", lambda: None, 1, "", bytes=1e6),
        Task(
            "inference 16",
            "reference",
            lambda: time.sleep(2e-3),
            1,
            "images",
            arithmetic="fp32",
            **work,
        ),
        Task("inference 16", "ours", lambda: None, 1, "images", arithmetic="bf16", **work),
    ]


def test_output_files_name_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "collect_tasks", few_tasks)
    table = run_benchmark(tmp_path, quick=True, rounds=2, progress=False)
    written = pd.read_csv(tmp_path / "benchmark.csv")
    assert list(written["name"]) == list(table["name"])
    assert len(pd.read_csv(tmp_path / "benchmark_rounds.csv")) == 2 * len(table)
    facts = json.loads((tmp_path / "benchmark.json").read_text())
    assert facts["quick"] is True and facts["threads"] >= 1 and "commit" in facts
    text = (tmp_path / "benchmark.md").read_text()
    assert "speed-up" in text and f"2 interleaved rounds in one run on {facts['cpu']} (" in text
    assert "![" in text and (tmp_path / "benchmark.png").stat().st_size > 1000
    assert facts["rounds"] == 2 and ("GPUs were not measured" in text) == (facts["gpu"] is None)
    assert table.iloc[-1]["speedup"] > 1


def test_command_prints_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(benchmarks, "collect_tasks", few_tasks)
    main(["--quick", "-o", str(tmp_path), "--rounds", "1"])
    printed = capsys.readouterr().out
    assert "inference 16" in printed and f"files are in {tmp_path}" in printed


def test_roofline_plot_shows_every_measurement_and_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(benchmarks, "collect_tasks", few_tasks)
    table = run_benchmark(tmp_path, rounds=1, progress=False)
    figure = roofline_plot(table)
    (axes,) = figure.axes
    assert sum(line.get_marker() in "so" for line in axes.lines) == 2
    labels = {text.get_text() for text in axes.texts}
    products = table[(table["variant"] == "limit") & (table["arithmetic"] == "bf16")]
    fastest = products.loc[products["gflops"].idxmax(), "name"]
    assert {"inference 16, reference", "inference 16, ours", fastest} <= labels
    with pytest.raises(XbdcnnError, match="no limits in this table"):
        roofline_plot(table[table["variant"] != "limit"])


# --- archives


@pytest.mark.slow
def test_archive_is_measured_by_number_of_processes(tmp_path, weights):
    table = archive.measure_archive(tmp_path, 5, (1, 2), side=32, network=str(weights))
    assert list(table["jobs"]) == [1, 2] and list(table["files"]) == [5, 5]
    assert table["speedup"].iloc[0] == 1 and (table["seconds"] > 0).all()
    assert table["memory_gb"].between(0.05, 5).all()
    written = pd.read_csv(tmp_path / "archive.csv")
    assert list(written.columns) == [
        *("jobs", "files", "seconds", "per_second", "speedup", "memory_gb", "drift")
    ]
    assert json.loads((tmp_path / "archive.json").read_text())["files"] == 5


def test_drift_compares_the_end_with_the_beginning():
    assert archive.drift(pd.Series([1.0] * 50)) == 1
    assert archive.drift(pd.Series([1.0] * 25 + [3.0] * 25)) == 3
    assert archive.drift(pd.Series([2.0])) == 1


def test_command_measures_an_archive(tmp_path, monkeypatch, capsys):
    seen = []

    def measure(output, files, jobs):
        seen.append((files, jobs))
        return pd.DataFrame({"jobs": [1], "per_second": [2.5]})

    monkeypatch.setattr("benchmarks.__main__.measure_archive", measure)
    main(["--archive", "-o", str(tmp_path)])
    main(["--archive", "20", "--jobs", "1", "4", "-o", str(tmp_path)])
    assert seen == [(2000, None), (20, [1, 4])] and "2.5" in capsys.readouterr().out
