"""The state of a training run and its checkpoint file."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.successor import AnyRecipe
from xbdcnn.training.batches import TrainConfig
from xbdcnn.training.objectives import objective_of

PROGRESS_FIELDS = ("step", "seconds", "cpu_seconds", "best", "history")
"""Attributes of a run that a checkpoint holds besides the states of network and optimiser."""


class Run:
    """Everything that changes during training, saved as one checkpoint.

    images: digest of the training images, see `pool_digest`. A checkpoint is loaded only into a
    run of the same configuration, recipe, images and network. Settings that it lacks, since they
    are newer than it, had their default values.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        recipe: AnyRecipe,
        config: TrainConfig,
        images: str,
    ) -> None:
        self.network, self.optimizer = network, optimizer
        self.recipe, self.config = recipe, config
        self.identity = {"config": asdict(config), "recipe": asdict(recipe), "images": images}
        objective = objective_of(recipe)
        self.average = objective.average(network, config.ema) if config.ema else None
        self.step, self.seconds, self.cpu_seconds = 0, 0.0, 0.0
        self.best: tuple[float, dict[str, Tensor]] = (-math.inf, {})
        self.history: list[dict[str, float]] = []

    @property
    def kept(self) -> nn.Module:
        """The network to validate and to keep: the averaged one if weights are averaged."""
        return self.average.module if self.average else self.network

    def parts(self) -> dict[str, Any]:
        """Return the objects with a state dictionary by their name in the checkpoint."""
        parts = {"network": self.network, "optimizer": self.optimizer, "average": self.average}
        return {name: part for name, part in parts.items() if part is not None}

    def save(self, path: Path) -> None:
        """Write the checkpoint atomically; it holds tensors and plain values, no pickled code."""
        state = {name: part.state_dict() for name, part in self.parts().items()}
        state |= {name: getattr(self, name) for name in ("identity", *PROGRESS_FIELDS)}
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def _fits(self, state: dict[str, Tensor]) -> bool:
        """Tell whether weights have the names and shapes of this network."""
        own = {name: value.shape for name, value in self.network.state_dict().items()}
        return {name: value.shape for name, value in state.items()} == own

    def _is_same(self, identity: dict[str, Any]) -> bool:
        """Tell whether the identity in a checkpoint is that of this run, see the class."""
        defaults = {"config": asdict(TrainConfig()), "recipe": asdict(type(self.recipe)())}
        return identity | {n: d | identity[n] for n, d in defaults.items()} == self.identity

    def load(self, path: Path) -> None:
        """Restore the state of a checkpoint; XbdcnnError if it is damaged or of another run."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            if not (self._is_same(state["identity"]) and self._fits(state["network"])):
                raise XbdcnnError(
                    f"{path}: checkpoint of another network, configuration, recipe or set of "
                    "images; use another run folder"
                )
            for name, part in self.parts().items():
                part.load_state_dict(state[name])
        except (UnpicklingError, RuntimeError, KeyError, OSError, EOFError) as error:
            raise XbdcnnError(f"{path}: damaged checkpoint ({error}); delete it") from None
        for name in PROGRESS_FIELDS:
            setattr(self, name, state[name])
