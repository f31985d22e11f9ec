"""xbdcnn export: what it writes and prints, and what it refuses."""

from __future__ import annotations

import onnx
import pytest
from typer.testing import CliRunner

from xbdcnn.cli import app


def run(*arguments: object):
    return CliRunner().invoke(app, ["export", *map(str, arguments)])


def test_a_network_is_written_and_described_and_kept_unless_overwriting_is_allowed(
    tmp_path, monkeypatch, weights
):
    target = tmp_path / "new" / "narrow.onnx"
    result = run(weights, target)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[-1] == f"network tiny written to {target}"
    model = onnx.load(target)
    assert lines[:-1] == [f"{entry.key}: {entry.value}" for entry in model.metadata_props]
    target.write_bytes(b"mine")
    result = run(weights, target)
    assert result.exit_code == 2 and "exists already; allow it with --overwrite" in result.stderr
    assert target.read_bytes() == b"mine"
    monkeypatch.setattr("xbdcnn.inference.export.convert", lambda network: model)
    assert run(weights, target, "--overwrite").exit_code == 0
    assert onnx.load(target) == model


@pytest.mark.parametrize(
    ("name", "target", "code", "message"),
    [
        ("unet", "a.onnx", 2, "unknown network 'unet'; choose from"),
        ("tiny", "a.safetensors", 2, "a.safetensors: not the name of an ONNX file; let it end"),
        ("levels", "a.onnx", 2, "unknown network 'levels'"),
        ("absent.safetensors", "a.onnx", 1, "absent.safetensors: no such weights"),
    ],
)
def test_errors_are_one_line_and_write_nothing(tmp_path, name, target, code, message):
    result = run(name, tmp_path / target)
    assert result.exit_code == code and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("xbdcnn: error: ") and message in line
    assert list(tmp_path.iterdir()) == []
