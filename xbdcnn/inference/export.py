"""Write a trained network as ONNX, for programs without PyTorch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from xbdcnn import __version__
from xbdcnn._common.errors import SMALLEST_SIDE, XbdcnnError
from xbdcnn._common.files import atomic_path, sha256_of
from xbdcnn.inference.exportable import MEANINGS, Exportable, exportable
from xbdcnn.inference.pretrained import find_weights, load_pretrained

if TYPE_CHECKING:
    from onnx import ModelProto

    from xbdcnn.inference.restoring import Pretrained

OPSET = 18
"""Version of the ONNX operators."""

TOLERANCE = 1e-4
"""Largest difference of an output between ONNX Runtime and PyTorch."""

TRACED, VERIFIED = (2, 1, 37, 54), (3, 1, 61, 45)
"""Shapes of the images with which a network is traced, and of those with which it is verified."""

SIDES = {2: "height", 3: "width"}
"""Names of the dynamic axes of an image, besides "batch"."""


def export_onnx(name: str | Path, target: Path | str) -> dict[str, str]:
    """Write a network as an ONNX file of opset `OPSET`, atomically, and return its metadata.

    All inputs and outputs are float32; batch, height and width are dynamic, the sides at least 16.
    Before the file gets its name, ONNX Runtime and PyTorch have to agree to `TOLERANCE` on images
    of noise. The metadata state the name, the version of this package, the SHA-256 of the weights,
    the noise of the training, and the meaning of every input and output, see `MEANINGS`.

    A successor takes `noisy`, `eta`, `sigma` and `correlation`, any other network `noisy`. What
    `Pretrained` does besides is not in the file: the level estimator of a successor, which measures
    the levels if they are not given, and the correlation in any case; conversion of integers;
    division of large images into tiles; clipping to [0, 1]; the strength of the restoration.

    Args:
        name: as for `load_pretrained`.
        target: file to write; an existing one is replaced, unless it is the weight file.

    Raises:
        XbdcnnError: as from `load_pretrained`, or `target` is the weight file, or the results of
            ONNX Runtime and PyTorch differ.
        ModuleNotFoundError: the extra `onnx` is not installed.
    """
    import onnx

    source = find_weights(name)
    pretrained = load_pretrained(name, precision="fp32")
    if Path(target).exists() and Path(target).samefile(source):
        raise XbdcnnError(f"{target}: is the weight file itself; choose another name")
    network = exportable(pretrained)
    model, facts = convert(network), describe(pretrained, source, network)
    onnx.helper.set_model_props(model, facts)
    with atomic_path(target) as temporary:
        onnx.save(model, temporary)
        if not (difference := difference_of(temporary, network)) <= TOLERANCE:  # also for NaN
            raise XbdcnnError(
                f"{target}: not written, ONNX Runtime and PyTorch differ by {difference:.1e}; "
                "install the versions of constraints.txt"
            )
    return facts


def describe(pretrained: Pretrained, source: Path, network: Exportable) -> dict[str, str]:
    """Return the metadata of a network whose weights are in the file `source`."""
    return {
        "name": pretrained.name,
        "package": f"xbdcnn {__version__}",
        "weights_sha256": sha256_of(source),
        "training_noise": pretrained.training_noise,
        "smallest_side": str(SMALLEST_SIDE),
        "mirrored_to_multiples_of": str(network.multiple),
        **{f"input {name}": MEANINGS[name] for name in network.inputs},
        **{f"output {name}": MEANINGS[name] for name in network.outputs},
    }


def convert(network: Exportable) -> ModelProto:
    """Convert a network to ONNX with dynamic batch, height and width."""
    axes = {axis: torch.export.Dim(name, min=SMALLEST_SIDE) for axis, name in SIDES.items()}
    batch = {0: torch.export.Dim("batch", min=1)}
    with _quiet():
        program = torch.onnx.export(
            network,
            tuple(example(network, TRACED)),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=tuple(batch | (axes if n == "noisy" else {}) for n in network.inputs),
            input_names=network.inputs,
            output_names=network.outputs,
            verbose=False,
        )
    assert program is not None  # None with the former exporter, without `dynamo`
    return _without_traces(program.model_proto)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings of PyTorch about its own code and about packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _without_traces(model: ModelProto) -> ModelProto:
    """Remove the stack trace of every node, and name the sides of the output as in the input."""
    for part in (*model.graph.node, *model.graph.value_info):
        part.ClearField("metadata_props")
    restored = model.graph.output[0].type.tensor_type.shape
    for axis, name in SIDES.items():
        restored.dim[axis].dim_param = name
    return model


def example(network: Exportable, shape: tuple[int, ...]) -> list[Tensor]:
    """Return the inputs of a network: noise of a shape (B, 1, H, W), and levels (B,) if needed."""
    generator = torch.Generator().manual_seed(0)
    values = {"noisy": torch.rand(shape, generator=generator)}
    for name, largest in {"eta": 2.0, "sigma": 20.0, "correlation": 0.5}.items():
        values[name] = largest * (0.1 + 0.9 * torch.rand(shape[0], generator=generator))
    return [values[name] for name in network.inputs]


def difference_of(file: Path, network: Exportable) -> float:
    """Return the largest difference between the outputs of an ONNX file and of its network."""
    import onnxruntime

    values = example(network, VERIFIED)
    with torch.inference_mode():
        wanted = network(*values)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = session.run(
        None, {name: x.numpy() for name, x in zip(network.inputs, values, strict=True)}
    )
    pairs = zip(found, wanted, strict=True)
    return max(float(np.abs(a - b.numpy()).max()) for a, b in pairs)
