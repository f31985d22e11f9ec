"""The layers of a network, recorded during a forward pass.

Fig. 1 is drawn from them, and the receptive field, hence the overlap of tiles, is computed from
them.
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
    "interpolate": "up",
    "avg_pool2d": "pool",
    "max_pool2d": "pool",
    "add": "add",
    "__add__": "add",
    "cat": "cat",
}
"""Kind of layer by the name of the PyTorch function; other functions are not recorded."""


@dataclass
class Layer:
    """One recorded operation: its inputs, the shape of its output, and its filter."""

    kind: str
    """"image", "conv", "up", "pool", "add" or "cat"."""
    inputs: tuple[int, ...]
    """Positions, in the list of layers, of those whose outputs it takes."""
    channels: int
    side: int
    """Height of the output in pixels."""
    weight: str = ""
    """Name of the filter in `named_parameters`, e.g. "nle.first.weight"; "" if it has none."""
    kernel: int = 0
    dilation: int = 1
    stride: int = 1
    relu: bool = False
    """Whether a ReLU follows."""

    @property
    def part(self) -> str:
        """Name of the subnetwork with this filter, e.g. "nle" or "nbd"; "" if it has none."""
        return self.weight.partition(".")[0]


class LayerRecorder(TorchFunctionMode):
    """Context that records the PyTorch calls on `image` and on the tensors computed from it."""

    def __init__(self, network: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.names = {id(weight): name for name, weight in network.named_parameters()}
        self.layers = [Layer("image", (), image.shape[1], image.shape[2])]
        # References keep the tensors alive, since Python reuses the id of a deleted object.
        self.origins: dict[int, tuple[Tensor, int]] = {id(image): (image, 0)}

    def __torch_function__(
        self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Run `function`, and note the layer from which its result originates."""
        result = function(*args, **(kwargs or {}))
        sources = self._sources(args)
        if sources and isinstance(result, Tensor):
            name = getattr(function, "__name__", "")
            if name in OPERATIONS:
                self.layers.append(self._layer(OPERATIONS[name], sources, args, result))
                sources = (len(self.layers) - 1,)
            elif name == "relu":
                self.layers[sources[0]].relu = True
            self.origins[id(result)] = (result, sources[0])
        return result

    def _sources(self, args: Iterable) -> tuple[int, ...]:
        """Return the positions of the layers from which the arguments of a call originate."""
        flat = [x for arg in args for x in (arg if isinstance(arg, (list, tuple)) else [arg])]
        return tuple(self.origins[id(x)][1] for x in flat if id(x) in self.origins)

    def _layer(self, kind: str, sources: tuple[int, ...], args: tuple, result: Tensor) -> Layer:
        layer = Layer(kind, sources, result.shape[1], result.shape[2])
        if kind in ("conv", "up") and len(args) > 1:  # "up" by interpolation has no filter
            layer.weight, layer.kernel = self.names[id(args[1])], args[1].shape[-1]
        if kind == "conv":
            # nn.Conv2d calls conv2d(input, weight, bias, stride, padding, dilation, groups).
            layer.stride, layer.dilation = args[3][0], args[5][0]
        return layer


@torch.no_grad()
def record_layers(network: nn.Module, side: int = 128, *told: Tensor) -> list[Layer]:
    """Return the layers in the order in which they process a black side x side image.

    The first one is the image itself. told: further arguments of the network.
    """
    parameter = next(network.parameters())
    image = torch.zeros(1, 1, side, side, dtype=parameter.dtype, device=parameter.device)
    with LayerRecorder(network, image) as recorder:
        network(image, *told)
    return recorder.layers
