"""Findings about the architecture: number, sharing and size of the layers (Sec. II-B)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from xbdcnn import paper
from xbdcnn.models import AS_RELEASED, AS_WRITTEN, XBDCNN, count_parameters
from xbdcnn.study.audit.ledger import Finding


def gigaflops(network: nn.Module, side: int = paper.PATCH_SIZE) -> float:
    """Count the floating-point operations of a forward pass of a (side, side) image, in 10^9."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 1, side, side))
    return counter.get_total_flops() / 1e9


def convolutions(network: XBDCNN) -> tuple[int, int]:
    """Count the convolutions and the transposed convolutions of the NBD."""
    layers = list(network.nbd.modules())
    ordinary = sum(isinstance(layer, nn.Conv2d) for layer in layers)
    return ordinary, sum(isinstance(layer, nn.ConvTranspose2d) for layer in layers)


def counted_layers(announced: int = 17) -> Finding:
    """Check whether the 17 convolutions of the text include the two transposed ones."""
    ordinary, transposed = convolutions(XBDCNN(AS_WRITTEN))
    return Finding(
        point="17 convolutions",
        part="text, equations and code",
        claim=f"the NBD has {announced} convolution layers, of which the first 16 form a U-Net",
        released="2 + 3 + 6 + 3 + 2 + 1 convolutions and 2 transposed convolutions (`model`)",
        choice="transposed convolutions are not counted",
        evidence=f"{ordinary} convolutions and {transposed} transposed convolutions",
        verdict="not stated, inferred" if ordinary == announced else "text and code differ",
        confidence="moderate",
    )


def shared_weights(effect: str = "–") -> Finding:
    """Compare the five layers of the text with the distinct layers of the released code."""
    separate = count_parameters(XBDCNN(AS_WRITTEN).get_submodule("nle"))
    shared = count_parameters(XBDCNN(AS_RELEASED).get_submodule("nle"))
    return Finding(
        point="Layers of the NLE",
        part="text, equations and code",
        claim="five convolution layers",
        released="layers 2, 3 and 4 are one convolution applied three times (`model`)",
        choice="five separate layers; weight sharing is a field of the recipe",
        evidence=f"{separate:,} parameters as written, {shared:,} as released",
        effect=effect,
        verdict="text and code differ" if shared < separate else "consistent",
        confidence="certain",
    )


def nle_output_channels(announced: int = 32) -> Finding:
    """Compare the channels that the text gives each layer of the NLE with those of its output."""
    nle = XBDCNN(AS_WRITTEN).get_submodule("nle")
    last = [layer for layer in nle.modules() if isinstance(layer, nn.Conv2d)][-1]
    return Finding(
        point="Channels of the NLE's last layer",
        part="text, equations and code",
        claim=f"each of the five layers of the NLE has {announced} channels",
        equation="the output of the NLE is two maps, of sigma and of eta",
        released="32, 32, 32, 32 and 2 channels (`model`)",
        choice=f"{last.out_channels} channels in the last layer",
        evidence=f"a network that estimates two maps has {last.out_channels} channels in its last "
        f"layer, not {announced}",
        verdict="consistent" if last.out_channels == announced else "self-contradiction",
        confidence="certain",
    )


def output_filter(effect: str = "–") -> Finding:
    """Compare the size of the last filter in the text and in the released code."""
    written = XBDCNN(AS_WRITTEN)
    released = XBDCNN(replace(AS_WRITTEN, output_kernel=AS_RELEASED.output_kernel))
    sizes = [network.nbd.output.kernel_size[0] for network in (written, released)]
    return Finding(
        point="Size of the last filter",
        part="text, equations and code",
        claim="filters of 3x3 in all convolution layers",
        released=f"{sizes[1]}x{sizes[1]} (`model`)",
        choice=f"{sizes[0]}x{sizes[0]}; the size is a field of the recipe",
        evidence=f"{count_parameters(written) - count_parameters(released)} of "
        f"{count_parameters(written):,} parameters differ between the two",
        effect=effect,
        verdict="text and code differ" if sizes[0] != sizes[1] else "consistent",
        confidence="certain",
    )
