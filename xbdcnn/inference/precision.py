"""Precision of inference: float32, or bfloat16 on processors with bfloat16 instructions."""

from __future__ import annotations

from copy import deepcopy
from typing import Literal

import torch
from torch import Tensor, nn

from xbdcnn._common.errors import XbdcnnError

Precision = Literal["auto", "fp32", "bf16"]
"""Number format of the convolutions; "auto" chooses by the processor, see `resolve_precision`."""

PRECISIONS = ("auto", "fp32", "bf16")

BF16_INSTRUCTION_SETS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""CPU instruction sets for bfloat16 products, by their names in `torch.cpu.get_capabilities`."""


def native_bfloat16(device: torch.device) -> bool:
    """Return whether a device has bfloat16 instructions; emulation is slower than float32.

    False for CPUs if PyTorch is too old to have `torch.cpu.get_capabilities`.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    supported = any(capabilities.get(name, False) for name in BF16_INSTRUCTION_SETS)
    return device.type == "cpu" and supported


def resolve_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """Resolve "auto" to "bf16" if the device has bfloat16 instructions, else to "fp32".

    Raises:
        XbdcnnError: unknown precision.
    """
    if precision not in PRECISIONS:
        raise XbdcnnError(f"unknown precision {precision!r}; choose from {', '.join(PRECISIONS)}")
    if precision == "auto":
        return "bf16" if native_bfloat16(device) else "fp32"
    return precision


class Float32Layer(nn.Module):
    """A layer computed in float32 within a bfloat16 network; its output has dtype `output`."""

    def __init__(self, layer: nn.Module, output: torch.dtype) -> None:
        super().__init__()
        self.layer, self.output = layer, output

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer to `x` in float32 and convert the output."""
        return self.layer(x.float()).to(self.output)


def to_bfloat16(network: nn.Module) -> nn.Module:
    """Return a copy of a network that computes in bfloat16 and returns a float32 restoration.

    All filters are rounded to bfloat16 except the first and the last one: rounding these two
    changes the PSNR of an X-BDCNN by up to 0.06 dB, and they account for two percent of its
    arithmetic. The input of an X-BDCNN must be rounded as well: the residual is added to the
    rounded image, so the network can compensate for that rounding. A successor takes the image as
    it is.
    """
    copy = deepcopy(network)
    layers = [m for m in copy.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for layer in layers[1:-1]:
        layer.to(torch.bfloat16)
    outputs: dict[nn.Module, torch.dtype] = {layers[0]: torch.bfloat16, layers[-1]: torch.float32}
    for parent in list(copy.modules()):
        for name, child in parent.named_children():
            if child in outputs:
                setattr(parent, name, Float32Layer(child, outputs[child]))
    return copy
