"""The predicted cost of a training run: measurement, extrapolation and output."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from xbdcnn import paper
from xbdcnn.cli import app
from xbdcnn.data import find_source
from xbdcnn.inference import zoo
from xbdcnn.inference.weights import build_network, load_network, read_weights, shipped_path
from xbdcnn.models import BALANCED, count_parameters
from xbdcnn.study.profiles import get_profile
from xbdcnn.training import cost
from xbdcnn.training.batches import TrainConfig
from xbdcnn.training.cost import (
    ActivationMemory,
    TrainingCost,
    as_table,
    format_bytes,
    format_duration,
    measure_steps,
    predict_cost,
    step_costs,
)

SMOKE = get_profile("smoke")
BUILTIN = find_source("builtin")


def test_table_shows_the_prediction_beside_the_paper_s_training_time():
    table = as_table(TrainingCost(8_960_000, 830.0, 90.0, 9_300_000_000, 34_000_000, "one GPU"))
    assert list(table["one GPU"]) == ["830.0", "3.0 h", "1.5 min", "9.3 GB", "34 MB"]
    assert list(table["paper, RTX 2080 Ti"])[:2] == ["83", "30 h"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (720, "12 min"), (2.5 * 3600, "2.5 h"), (30 * 3600, "30 h"),
     (9.1 * 86400, "9.1 days"), (577 * 86400, "577 days")],
)  # fmt: skip
def test_durations_and_sizes_have_suitable_units(seconds, text):
    assert format_duration(seconds) == text
    assert format_bytes(5_300_000_000) == "5.3 GB" and format_bytes(999_000_000) == "999 MB"


def test_activation_memory_counts_the_inputs_of_each_layer():
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.Conv2d(8, 1, 1))
    memory = ActivationMemory(network)
    image = torch.rand(2, 1, 16, 16)
    with torch.autograd.graph.saved_tensors_hooks(memory.add, lambda tensor: tensor):
        network(image).sum().backward()
    assert memory.bytes == 4 * 16 * 16 * 2 * (1 + 8)  # the input of each convolution


def test_steps_are_measured_with_the_batch_size_of_each_network_on_a_gpu(monkeypatch):
    """Steps of few patches would not use a GPU to capacity; without a GPU there is no rate."""
    header = read_weights(shipped_path("xbdcnn"))[1]
    images = BUILTIN.images("train", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (found,) = step_costs({"balanced": header}, images).values()
    weights = 4 * 4 * count_parameters(load_network(shipped_path("xbdcnn"))[0])
    assert found.gpu_rate is None
    assert 8 * 64**2 * 16 * 4 < found.memory - weights < 8 * 64**2 * 1000 * 4
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    measured = []
    monkeypatch.setattr(
        cost, "measure_steps", lambda *given: measured.append(given) or (250.0, 9, "")
    )
    (found,) = step_costs({"balanced": header}, images).values()
    assert found == (8 * 9 + weights, 250.0)
    network, recipe, config, _, patches = measured[0]
    assert patches == config.batch_size == header["budget"]["batch_size"]
    assert config.learning_rates == (1e-3, 1e-5) and recipe.loss_weights == BALANCED.loss_weights
    assert count_parameters(network) > 4e6


def test_activation_memory_is_that_of_one_patch():
    """Twice as many patches per step need the same memory per patch, but for small parts."""
    network = build_network("dncnn", replace(zoo.ZOO["dncnn"].recipe, width=4))
    given = (network, zoo.ZOO["dncnn"].recipe, SMOKE.train, BUILTIN.images("train", 1))
    (_, two, _), (_, four, _) = (measure_steps(*given, patches=n) for n in (2, 4))
    assert two == pytest.approx(four, rel=0.05)


@pytest.mark.slow
def test_predicted_cost_scales_with_the_configuration():
    small = predict_cost("xbdcnn", BUILTIN, SMOKE.train, 8, SMOKE.radiographs(BUILTIN))
    network = build_network("xbdcnn", replace(zoo.ZOO["xbdcnn"].recipe, width=8))
    assert small.patches == SMOKE.train.patches and small.rate > 0
    assert small.disk == 4 * 4 * count_parameters(network)
    config = replace(SMOKE.train, patch_size=128, batch_size=64, ema=0.9, patches=10**6)
    large = predict_cost("xbdcnn", BUILTIN, config, 8, paper.IMAGES, patches_per_image=32)
    assert large.disk - 5 * 4 * count_parameters(network) == paper.PATCHES * 128**2
    per_patch = (large.memory - 16 * count_parameters(network)) / 64
    assert 16 * 128**2 * 4 < per_patch < 400 * 128**2 * 4
    assert large.seconds == pytest.approx(1e6 / large.rate)
    assert large.decoding > small.decoding


def test_estimate_option_writes_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--profile", "smoke", "--data", "builtin", "--estimate"]
    result = CliRunner().invoke(app, ["train", "dncnn", *options])
    assert result.exit_code == 0, result.output
    assert "patches per second" in result.stdout and "30 h" in result.stdout
    assert "cpu, fp32, 1 process(es)" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_default_rate_is_that_of_the_paper():
    assert TrainConfig().patches / paper.TRAINING_HOURS / 3600 == pytest.approx(83, abs=0.1)
    profile = get_profile("paper")
    assert profile.images * profile.patches_per_image == paper.PATCHES == 320_000


def test_patches_larger_than_the_images_are_refused():
    """A level estimator is trained on means of 2x2 pixels, hence on areas of 512 pixels."""
    result = CliRunner().invoke(app, ["train", "levels", "--data", "builtin", "--estimate"])
    assert result.exit_code == 1
    assert "448 pixels wide, less than 1024" in result.stderr
