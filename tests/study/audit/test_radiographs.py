"""Experiments on ordinary radiographs, lower doses and weak noise, with methods of known result."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from xbdcnn._common.files import sha256_of
from xbdcnn.data import find_source
from xbdcnn.data.builtin import builtin_fields, builtin_path
from xbdcnn.data.source import Source
from xbdcnn.inference.pretrained import Levels
from xbdcnn.inference.successor import PretrainedSuccessor
from xbdcnn.inference.weights import load_network, shipped_path
from xbdcnn.models import Denoised
from xbdcnn.noise import add_hybrid_noise_numpy
from xbdcnn.study import dose
from xbdcnn.study.audit import experiments, radiographs
from xbdcnn.study.audit.radiographs import CR, TEST
from xbdcnn.study.scoring import BEFORE
from xbdcnn.successor import BlindSuccessor, Successor, SuccessorRecipe

SMALL = SuccessorRecipe(widths=(4, 8, 8), blocks=1)


@pytest.fixture(scope="module")
def source() -> Source:
    return find_source("builtin")


@pytest.fixture(scope="module")
def estimating() -> PretrainedSuccessor:
    """The shipped level estimator with an untrained denoiser."""
    estimator, _ = load_network(shipped_path("levels"))
    network = BlindSuccessor(estimator, Successor(SMALL)).eval()
    return PretrainedSuccessor(network, SMALL, {"name": "small"})


@pytest.fixture
def blur(monkeypatch) -> None:
    """Replace the compared methods by one that damages every image."""
    compared = {"blur": lambda f: gaussian_filter(f, 2)}
    monkeypatch.setattr(radiographs, "compared_methods", lambda: compared)


def test_ordinary_images_are_fields_of_the_builtin_radiograph_and_of_the_source(source):
    images = radiographs.ordinary_images(source, count=1, side=32)
    assert list(images) == [*(f"{CR}, {k}" for k in range(4)), f"{TEST}, 0"]
    assert {image.shape for image in images.values()} == {(32, 32)}
    np.testing.assert_array_equal(images[f"{CR}, 2"], builtin_fields("table2")[2][208:240, 208:240])
    np.testing.assert_array_equal(images[f"{TEST}, 0"], source.images("test")[0][208:240, 208:240])


def test_what_is_removed_is_an_experiment(source, blur):
    rows = radiographs.removed(source, count=1, side=64)
    assert rows["origin"].tolist() == [CR] * 4 + [TEST]
    assert (rows["method"] == "blur").all() and (rows["anatomy"] > 0.1).all()
    assert (rows["edges"] < 0.8).all()


def test_the_remaining_discs_are_an_experiment(source, blur):
    rows = radiographs.discs(source, count=1, side=112)
    assert len(rows) == 5 * 2 * 12 and rows["origin"].value_counts()[TEST] == 24
    kept = rows.groupby(["method", "radius"])["kept"].mean()
    assert kept[BEFORE, 8] > 0.95 > kept["blur", 8] > kept["blur", 4] > kept["blur", 2]
    assert (rows[rows["method"] == BEFORE]["detectability"] == 1).all()


def test_lower_doses_are_an_experiment(source, blur, monkeypatch):
    full = builtin_fields("table2")[0][:96, :96]
    lower = add_hybrid_noise_numpy(full, 0.4, 10.0, np.random.default_rng(0))
    case = dose.DoseCase("field-0", 1 / 4, full, lower)
    monkeypatch.setattr(radiographs, "chest_doses", lambda: [case])
    rows = radiographs.doses(source).set_index("method")
    assert rows["psnr"]["blur"] > rows["psnr"][BEFORE] + 5
    assert rows["kept"]["blur"] < rows["kept"][BEFORE]


def test_repeated_exposures_are_an_experiment(source, blur):
    rows = radiographs.exposures(source)
    rmse = rows.groupby("method")["rmse"].mean()
    assert rows["image"].nunique() == 10 and rmse["blur"] < 0.5 * rmse[BEFORE]


@pytest.mark.parametrize("shape", [(6, 4), (7, 5)])
def test_halved_images_are_means_of_four_pixels(shape):
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    half = radiographs.halved(image)
    assert half.shape == (3, 2) and half.dtype == np.float32
    assert half[1, 1] == image[2:4, 2:4].mean()


def test_weak_noise_is_an_experiment(source, monkeypatch):
    blur = {"blur": lambda f, eta, sigma: Denoised(gaussian_filter(f, 1))}
    monkeypatch.setattr(radiographs, "collect_methods", lambda *args, only: blur)
    rows = radiographs.weak_noise(source, count=1, side=128)
    assert len(rows) == 2 * 10 and set(rows["blur"]) == {0.0, 1.0}
    psnr = rows.set_index(["eta", "sigma", "blur", "method"])["psnr"]
    assert psnr[20, 1, 0, BEFORE] > psnr[6, 3, 0, BEFORE] > psnr[0.2, 20, 0, BEFORE]
    gain = psnr.unstack()["blur"] - psnr.unstack()[BEFORE]
    assert gain[0.2, 20, 0] > gain[0.2, 20, 1] + 2  # a blur removes less of correlated noise


def test_levels_of_whole_radiographs_are_estimated(source, estimating, monkeypatch):
    monkeypatch.setattr(radiographs, "estimating_network", lambda: estimating)
    rows = radiographs.whole_levels(source, draws=2)
    assert rows["image"].tolist() == 2 * ["test-00", "test-01"]
    for name in ("eta", "sigma"):
        assert (rows[f"{name}_low"] < rows[f"est_{name}"]).all()
        assert (rows[f"est_{name}"] < rows[f"{name}_high"]).all()
    assert (rows["est_eta"] / rows["eta"]).between(0.7, 1.4).all()


def test_accuracy_counts_close_estimates_and_intervals_that_cover():
    rows = pd.DataFrame({"eta": [1.0] * 4, "sigma": [10.0] * 4})
    rows["est_eta"], rows["est_sigma"] = [1.05, 0.95, 1.2, 0.8], [10.9, 8.9, 11.1, 12.0]
    rows["eta_low"], rows["eta_high"] = rows["est_eta"] - 0.1, rows["est_eta"] + 0.25
    rows["sigma_low"], rows["sigma_high"] = rows["est_sigma"] - 0.5, rows["est_sigma"] + 1.5
    assert radiographs.level_accuracy(rows).to_dict() == {
        "eta within 10 %": 0.5,
        "sigma within 1 grey level": 0.25,
        "interval of eta covers": 0.75,
        "interval of sigma covers": 0.25,
    }


def test_classical_methods_are_told_the_levels_of_the_image_they_get(estimating):
    told = []
    method = radiographs.with_estimated_levels(
        lambda f, eta, sigma: told.append((eta, sigma)) or f, estimating
    )
    for levels in ((0.5, 4.0), (1.5, 15.0)):
        image = builtin_fields("test")[0]
        method(add_hybrid_noise_numpy(image, *levels, np.random.default_rng(0)))
    assert told[0] == pytest.approx(Levels(0.5, 4.0), rel=0.3)
    assert told[1] == pytest.approx(Levels(1.5, 15.0), rel=0.3)


def test_compared_methods_are_two_networks_and_two_that_are_told(estimating, monkeypatch):
    def load(name, precision):
        assert precision == "fp32"
        return estimating

    monkeypatch.setattr(radiographs, "load_pretrained", load)
    compared = radiographs.compared_methods()
    labels = ["Successor (generalist)", "X-BDCNN (balanced)"]
    labels += ["GAT+BM3D, estimated levels", "NLM, estimated levels"]
    assert list(compared) == labels
    image = builtin_fields("test")[0][:32, :32]
    assert all(compared[label](image).shape == (32, 32) for label in labels)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("doses", "built-in radiograph"),
        ("exposures", "exposures of Diamond K11"),
        ("removed", "sample and built-in radiograph"),
        ("whole-levels", "sample"),
    ],
)
def test_provenance_names_the_data_of_each_experiment(name, data, tmp_path, monkeypatch):
    monkeypatch.setitem(experiments.EXPERIMENTS, name, lambda source: pd.DataFrame({"a": [1]}))
    monkeypatch.setattr(Source, "fingerprint", "digest")
    experiments.run_experiments([name], Source("sample"), tmp_path)
    facts = json.loads((tmp_path / f"{experiments.file_stem(name)}.json").read_text())
    assert facts["data"] == data
    assert (facts["data_sha256"] == "digest") == (name != "exposures")


def test_the_digest_of_a_dose_is_that_of_the_builtin_file(source):
    facts = experiments.data_facts("doses", Source("sample"))
    assert facts["data_sha256"] == sha256_of(builtin_path())
