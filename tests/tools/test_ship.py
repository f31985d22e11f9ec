"""Adding weights to the package: the copy, and its recorded SHA-256."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import ship

from xbdcnn._common.files import sha256_of
from xbdcnn.inference import weights
from xbdcnn.inference.weights import build_network, save_weights
from xbdcnn.models import Recipe


def test_weights_are_copied_with_their_checksum(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(weights, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(weights, "CHECKSUMS", tmp_path / "weights" / "checksums.json")
    recipe, trained = Recipe(width=8), tmp_path / "run" / "xbdcnn.safetensors"
    trained.parent.mkdir()
    save_weights(build_network("xbdcnn", recipe), trained, "xbdcnn", recipe, name="xbdcnn")
    ship.main(["weights", str(trained), "xbdcnn"])
    target = tmp_path / "weights" / "xbdcnn.safetensors"
    assert capsys.readouterr().out == f"weights: {target}\n"
    assert target.read_bytes() == trained.read_bytes()
    assert list(json.loads((tmp_path / "weights" / "checksums.json").read_text())) == [target.name]
    assert weights.shipped_path("xbdcnn") == target


def test_a_training_run_is_recorded_once_for_each_seed(tmp_path):
    recipe, path = Recipe(width=8), tmp_path / "xbdcnn.safetensors"
    known = {"commit": "abc", "data_sha256": "def", "time": "2026-01-01"}
    for seed, psnr in ((0, 30.0), (1, 31.0), (0, 32.0)):
        budget = {"seed": seed, "patches": 64, "patch_size": 32, "precision": "bf16"}
        facts = {"budget": budget, "scores": {"val_psnr": psnr, "step": 4}, "provenance": known}
        save_weights(build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="mine", **facts)
        target = ship.record(path, tmp_path)
    table = pd.read_csv(target).set_index("seed")
    assert table["val_psnr"].to_dict() == {1: 31.0, 0: 32.0}
    assert (table["network"] == "mine").all() and (table["width"] == 8).all()
    assert table.loc[0, "sha256"] == sha256_of(path) and "step" not in table


def test_unknown_network_is_refused(tmp_path):
    with pytest.raises(SystemExit):
        ship.main(["weights", str(tmp_path / "a.safetensors"), "resnet"])
