"""ONNX files give the results of PyTorch for images of any number and size, and describe them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.inference import export
from xbdcnn.inference.export import OPSET, TOLERANCE, export_onnx
from xbdcnn.inference.exportable import exportable
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import build_network, checksums, save_weights
from xbdcnn.inference.zoo import CBDNET
from xbdcnn.level_estimator import encode_levels
from xbdcnn.noise import add_hybrid_noise
from xbdcnn.successor import SuccessorRecipe

SHAPES = [(1, 1, 16, 16), (3, 1, 17, 31), (2, 1, 65, 40), (1, 1, 128, 101)]


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Path:
    """The shipped successor tiny as ONNX."""
    path = tmp_path_factory.mktemp("told") / "tiny.onnx"
    export_onnx("tiny", path)
    return path


@pytest.fixture(scope="module")
def blind(tmp_path_factory, weights) -> Path:
    """A narrow X-BDCNN as ONNX."""
    path = tmp_path_factory.mktemp("blind") / "narrow.onnx"
    export_onnx(weights, path)
    return path


def run(path: Path, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def noisy(shape: tuple[int, ...], eta: float = 0.5, sigma: float = 10.0) -> torch.Tensor:
    """Noise on a ramp."""
    clean = torch.linspace(0.1, 0.9, shape[-1]).expand(shape)
    return add_hybrid_noise(clean, eta, sigma)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_successor_agrees_with_pytorch(told, shape):
    images, levels = noisy(shape), torch.tensor([[0.4, 1.9, 0.7], [5.0, 0.0, 20.0], [0, 0.2, 0.4]])
    levels = levels[:, : shape[0]]
    network = load_pretrained("tiny", precision="fp32").network.denoiser
    with torch.inference_mode():
        wanted = network(images, encode_levels(*levels, images)).image.numpy()
    named = dict(zip(("eta", "sigma", "correlation"), levels.numpy(), strict=True))
    (found,) = run(told, noisy=images.numpy(), **named).values()
    assert found.shape == shape and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE)
    assert np.abs(found - images.numpy()).max() > 100 * TOLERANCE


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_network_of_the_paper_agrees_with_pytorch(blind, weights, shape):
    images = noisy(shape).numpy()
    found = run(blind, noisy=images)
    pretrained = load_pretrained(weights, precision="fp32")
    assert list(found) == ["restored", "eta", "sigma"]
    for i, image in enumerate(images[:, 0]):
        wanted = pretrained.restore(image, tile=None)
        restored = found["restored"][i, 0].clip(0, 1)
        np.testing.assert_allclose(restored, wanted.image, rtol=0, atol=TOLERANCE)
        levels = found["eta"][i], found["sigma"][i]
        np.testing.assert_allclose(levels, wanted.levels, rtol=TOLERANCE)


def test_infinite_eta_is_no_quantum_noise(told):
    image, one = noisy((1, 1, 40, 40)).numpy(), np.ones(1, np.float32)
    levels = {"sigma": 10 * one, "correlation": 0 * one}
    without, weak, strong = (
        run(told, noisy=image, eta=eta * one, **levels)["restored"]
        for eta in (np.float32(np.inf), np.float32(1e9), np.float32(0.5))
    )
    np.testing.assert_allclose(without, weak, rtol=0, atol=1e-3)
    assert np.abs(without - strong).max() > 1e-2


def test_a_file_describes_itself(told, blind, weights):
    for path, name, sha256 in (
        (told, "tiny", checksums()["tiny.safetensors"]),
        (blind, "tiny", sha256_of(weights)),  # the name in the header of the narrow network
    ):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert [(x.domain, x.version) for x in model.opset_import] == [("", OPSET)]
        facts = {entry.key: entry.value for entry in model.metadata_props}
        assert facts["name"] == name and facts["weights_sha256"] == sha256
        for kind, values in (("input", model.graph.input), ("output", model.graph.output)):
            described = [key.partition(" ")[2] for key in facts if key.startswith(f"{kind} ")]
            assert described == [value.name for value in values]
            for value in values:
                assert facts[f"{kind} {value.name}"].startswith(f"({', '.join(axes(value))}")
                assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert facts["mirrored_to_multiples_of"] == "4" and facts["training_noise"] == "paper"


def axes(value: onnx.ValueInfoProto) -> list[str]:
    dimensions = value.type.tensor_type.shape.dim
    return [dimension.dim_param or str(dimension.dim_value) for dimension in dimensions]


def test_a_file_contains_no_stack_trace(told):
    assert b".py" not in told.read_bytes()


def test_two_files_of_a_network_are_equal(blind, weights, tmp_path):
    facts = export_onnx(weights, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == blind.read_bytes()
    props = onnx.load(blind).metadata_props
    assert facts == {entry.key: entry.value for entry in props}


@pytest.mark.parametrize("difference", [2 * TOLERANCE, float("nan")])
def test_a_file_that_differs_from_pytorch_is_not_written(
    tmp_path, monkeypatch, weights, blind, difference
):
    target = tmp_path / "a.onnx"
    target.write_text("earlier")
    monkeypatch.setattr(export, "convert", lambda network: onnx.load(blind))
    monkeypatch.setattr(export, "difference_of", lambda file, network: difference)
    with pytest.raises(XbdcnnError, match=r"a\.onnx: not written, .* differ by .*constraints"):
        export_onnx(weights, target)
    assert target.read_text() == "earlier" and list(tmp_path.iterdir()) == [target]


def test_the_difference_is_measured_on_the_file(blind, weights):
    network = exportable(load_pretrained(weights, precision="fp32"))
    assert export.difference_of(blind, network) < TOLERANCE
    with torch.no_grad():
        network.network.nbd.output.bias += 10 * TOLERANCE
    assert export.difference_of(blind, network) == pytest.approx(10 * TOLERANCE, rel=0.1)


def test_the_weight_file_is_never_the_output(tmp_path, weights):
    copy = tmp_path / "weights.safetensors"
    copy.write_bytes(weights.read_bytes())
    with pytest.raises(XbdcnnError, match="is the weight file itself"):
        export_onnx(copy, copy)
    assert copy.read_bytes() == weights.read_bytes()


def test_cbdnet_returns_no_levels_and_a_successor_is_told_them(tmp_path):
    save_weights(build_network("xbdcnn", CBDNET), tmp_path / "c.safetensors", "xbdcnn", CBDNET)
    recipe = SuccessorRecipe(widths=(4, 8), blocks=1)
    network = build_network("successor", recipe)
    save_weights(network, tmp_path / "s.safetensors", "successor", recipe)
    cbdnet, successor = (
        exportable(load_pretrained(tmp_path / f"{name}.safetensors")) for name in ("c", "s")
    )
    assert (cbdnet.inputs, cbdnet.outputs) == (("noisy",), ("restored",))
    assert len(cbdnet(torch.rand(1, 1, 17, 18))) == 1
    assert successor.inputs == ("noisy", "eta", "sigma", "correlation")
    assert successor.multiple == 2
