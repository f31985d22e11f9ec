"""Points about the architecture: what is counted, shared, and how large it is (Sec. II-B)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from xbdcnn import paper
from xbdcnn.models import AS_RELEASED, AS_WRITTEN, XBDCNN, count_parameters
from xbdcnn.study.audit.ledger import Finding


def gigaflops(network: nn.Module, side: int = paper.PATCH_SIZE) -> float:
    """Floating-point operations of one forward pass of a (side, side) image, in 10^9."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, 1, side, side))
    return counter.get_total_flops() / 1e9


def convolutions(network: XBDCNN) -> tuple[int, int]:
    """How many convolutions the NBD has, and how many transposed ones besides."""
    layers = list(network.nbd.modules())
    plain = sum(isinstance(layer, nn.Conv2d) for layer in layers)
    return plain, sum(isinstance(layer, nn.ConvTranspose2d) for layer in layers)


def counted_layers(announced: int = 17) -> Finding:
    """Do 17 convolutions include the two transposed ones?"""
    plain, transposed = convolutions(XBDCNN(AS_WRITTEN))
    return Finding(
        point="17 convolutions",
        claim=f"the NBD has {announced} convolution layers, the first 16 like a U-Net",
        released="2 + 3 + 6 + 3 + 2 + 1 convolutions and 2 transposed ones",
        choice="transposed convolutions are not counted",
        evidence=f"{plain} convolutions and {transposed} transposed ones",
        verdict="confirmed" if plain == announced else "contradicted",
        confidence="moderate",
    )


def shared_weights(effect: str = "–") -> Finding:
    """Five layers in the text; how many distinct ones in the released code?"""
    separate = count_parameters(XBDCNN(AS_WRITTEN).nle)
    shared = count_parameters(XBDCNN(AS_RELEASED).nle)
    return Finding(
        point="Layers of the NLE",
        claim="five convolution layers",
        released="layers 2, 3 and 4 are one convolution applied three times",
        choice="five layers of their own; sharing is a field of the recipe",
        evidence=f"{separate:,} parameters as written, {shared:,} as released",
        effect=effect,
        verdict="contradicted" if shared < separate else "confirmed",
        confidence="certain",
    )


def output_filter(effect: str = "–") -> Finding:
    """3x3 everywhere, says the text; and the last filter of the released code?"""
    written = XBDCNN(AS_WRITTEN)
    released = XBDCNN(replace(AS_WRITTEN, output_kernel=AS_RELEASED.output_kernel))
    sizes = [network.nbd.output.kernel_size[0] for network in (written, released)]
    return Finding(
        point="Size of the last filter",
        claim="filter size 3x3 in all convolution layers",
        released=f"{sizes[1]}x{sizes[1]}",
        choice=f"{sizes[0]}x{sizes[0]}; the other is a field of the recipe",
        evidence=f"{count_parameters(written) - count_parameters(released)} of "
        f"{count_parameters(written):,} parameters lie between the two",
        effect=effect,
        verdict="contradicted" if sizes[0] != sizes[1] else "confirmed",
        confidence="certain",
    )
