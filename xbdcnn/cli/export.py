"""The command that writes a network for other programs: export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from xbdcnn.cli.processing import require_network
from xbdcnn.cli.reporting import UsageError, print_log


def export(
    network: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Name of a shipped network, or path of a .safetensors file."
        ),
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT.onnx", help="ONNX file to write.", show_default=False)
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output file.")
    ] = False,
) -> None:
    """Write a trained network as ONNX, for programs without PyTorch.

    The file takes float32 images in [0, 1] of any number and size. It states its inputs, outputs
    and weights, and is compared with PyTorch before it is written. A successor (specialist,
    generalist, tiny) takes the noise level, too: eta, sigma and the correlation of adjacent pixels,
    which `xbdcnn estimate` measures.
    """
    if output.suffix != ".onnx":
        raise UsageError(f"{output}: not the name of an ONNX file; let it end with .onnx")
    if os.path.lexists(output) and not overwrite:
        raise UsageError(f"{output} exists already; allow it with --overwrite")
    require_network(network, "fp32")
    from xbdcnn.inference.export import export_onnx

    facts = export_onnx(network, output)
    for name, meaning in facts.items():
        print_log(f"{name}: {meaning}")
    print_log(f"network {facts['name']} written to {output}")
