"""Adding weights to the package: the copy, and its recorded SHA-256."""

from __future__ import annotations

import json

import pytest
import ship

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


def test_unknown_network_is_refused(tmp_path):
    with pytest.raises(SystemExit):
        ship.main(["weights", str(tmp_path / "a.safetensors"), "resnet"])
