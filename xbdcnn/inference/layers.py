"""What a network does to an image, recorded during a forward pass.

The record is the raw material of Fig. 1 and of the receptive field by which tiles overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

OPERATIONS = {
    "conv2d": "conv",
    "conv_transpose2d": "up",
    "avg_pool2d": "pool",
    "add": "add",
    "__add__": "add",
    "cat": "cat",
}
"""Functions that Fig. 1 shows, by their name in PyTorch; every other one passes its input on."""


@dataclass
class Layer:
    """One recorded operation: what it yields, and which layers (by position) feed it."""

    kind: str
    """"image", "conv", "up", "pool", "add" or "cat"."""
    inputs: tuple[int, ...]
    channels: int
    side: int
    """Height of the output in pixels."""
    weight: str = ""
    """Name of the filter's parameter, which starts with the subnetwork's; "" if it has none."""
    kernel: int = 0
    dilation: int = 1
    relu: bool = False

    @property
    def part(self) -> str:
        """Subnetwork that owns the filter: "nle", "nbd" or "" for none."""
        return self.weight.partition(".")[0]


class Recorder(TorchFunctionMode):
    """Context in which every PyTorch call on `image` and its descendants is written down."""

    def __init__(self, network: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.names = {id(weight): name for name, weight in network.named_parameters()}
        self.layers = [Layer("image", (), image.shape[1], image.shape[2])]
        # Tensors are kept alive beside their layer, since Python reuses the id of a dead one.
        self.seen: dict[int, tuple[Tensor, int]] = {id(image): (image, 0)}

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run the call, then remember which layer its result comes from."""
        result = function(*args, **(kwargs or {}))
        sources = self._sources(args)
        if sources and isinstance(result, Tensor):
            name = getattr(function, "__name__", "")
            if name in OPERATIONS:
                self.layers.append(self._layer(OPERATIONS[name], sources, args, result))
                sources = (len(self.layers) - 1,)
            elif name == "relu":
                self.layers[sources[0]].relu = True
            self.seen[id(result)] = (result, sources[0])
        return result

    def _sources(self, args: Iterable) -> tuple[int, ...]:
        flat = [x for arg in args for x in (arg if isinstance(arg, (list, tuple)) else [arg])]
        return tuple(self.seen[id(x)][1] for x in flat if id(x) in self.seen)

    def _layer(self, kind: str, sources: tuple[int, ...], args: tuple, result: Tensor) -> Layer:
        layer = Layer(kind, sources, result.shape[1], result.shape[2])
        if kind in ("conv", "up"):
            layer.weight, layer.kernel = self.names[id(args[1])], args[1].shape[-1]
        if kind == "conv":
            # conv2d(input, weight, bias, stride, padding, dilation, groups), as nn.Conv2d calls it
            layer.dilation = args[5][0]
        return layer


@torch.no_grad()
def record(network: nn.Module, side: int = 128) -> list[Layer]:
    """Return the layers that a blank image of side x side pixels passes, in order."""
    parameter = next(network.parameters())
    image = torch.zeros(1, 1, side, side, dtype=parameter.dtype, device=parameter.device)
    with Recorder(network, image) as recorder:
        network(image)
    return recorder.layers
