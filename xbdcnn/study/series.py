"""Series of short training runs: a network, and one change of recipe or budget, per trial."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from xbdcnn import paper
from xbdcnn.inference.zoo import find_entry
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.study.profiles import PROFILES
from xbdcnn.successor import AnyRecipe
from xbdcnn.training.batches import TrainConfig
from xbdcnn.training.named import SUCCESSOR_BUDGET, with_width

WIDTH = 32
"""Channels of the networks: half of the paper's, hence a quarter of the arithmetic."""

BUDGET = replace(PROFILES["cpu"].train, patches=24_000, validate_every=250)
"""24,000 patches of 64 x 64, which have as many pixels as 6,000 patches of 128 x 128."""


@dataclass(frozen=True)
class Trial:
    """One training run: a network of the zoo and the changes to its recipe and budget."""

    label: str
    network: str = "xbdcnn"
    recipe: dict[str, Any] = field(default_factory=dict)
    """Fields of the recipe to replace."""
    config: dict[str, Any] = field(default_factory=dict)
    """Fields of the budget to replace; the number of training pixels remains the same."""

    def settings(self, budget: TrainConfig, seed: int) -> tuple[AnyRecipe, TrainConfig]:
        """Return the recipe and the training configuration of this trial."""
        recipe = replace(with_width(find_entry(self.network).recipe, WIDTH), **self.recipe)
        config = replace(budget, **self.config, seed=seed)
        pixels = budget.patches * budget.patch_size**2
        return recipe, replace(config, patches=pixels // config.patch_size**2)


def with_loss_weights(*weights: float) -> dict[str, Any]:
    """Return the change of a recipe to other weights of the MSE, SSIM, asymmetric and TV losses."""
    return {"loss_weights": weights}


BASELINE = "xbdcnn-as-written"
RELEASED_SSIM = {"ssim_domain": "residual", "ssim_data_range": 255.0}
RELATIVE_MSE = {"fidelity": "relative"} | with_loss_weights(1.0, 0.01, 0.1, 0.01)
FIRST_GUESS = with_loss_weights(1.0, 0.001, 0.01, 0.001)
"""Start of the search for a recipe: weights with which the terms are of similar magnitude."""

SUCCESSOR = {
    name: getattr(SUCCESSOR_BUDGET, name)
    for name in ("learning_rates", "schedule", "ema", "clip_norm")
}
"""Changes of the budget to the optimiser of a successor."""


PAPER_RATES = {"schedule": "step", "learning_rates": paper.LEARNING_RATES}
"""Change of the budget to the learning rates of Sec. III-A."""

COSINE = {name: getattr(BUDGET, name) for name in PAPER_RATES}
"""Change of `PAPER_RATES` back to the learning rates that all networks of the tables share."""

CLIPPED = {"clip_norm": 1.0}
GREY: dict[str, Any] = {"loss_scale": GREY_LEVELS}


def reading(label: str, config: dict[str, Any] | None = None, **recipe: Any) -> Trial:
    """Return a trial of X-BDCNN as written, with the learning rates of the paper by default."""
    return Trial(label, BASELINE, recipe, PAPER_RATES | (config or {}))


def dncnn(label: str, **config: Any) -> Trial:
    """Return a trial of DnCNN with another budget or optimiser."""
    return Trial(label, "dncnn", config=config)


def specialist(label: str, config: dict[str, Any] | None = None, **recipe: Any) -> Trial:
    """Return a trial of the successor that is trained on the noise of the paper."""
    return Trial(label, "specialist", recipe, SUCCESSOR | (config or {}))


SERIES: dict[str, tuple[Trial, ...]] = {
    "recipe": (
        Trial("first guess", recipe=FIRST_GUESS),
        Trial("MSE relative to the noise", recipe=RELATIVE_MSE, config={"clip_norm": 1.0}),
        Trial("no SSIM term", recipe=with_loss_weights(1.0, 0.0, 0.01, 0.001)),
        Trial("ten times the SSIM weight", recipe=with_loss_weights(1.0, 0.01, 0.01, 0.001)),
        Trial("a tenth of the SSIM weight", recipe=with_loss_weights(1.0, 1e-4, 0.01, 0.001)),
        Trial("ten times the level weights", recipe=with_loss_weights(1.0, 0.001, 0.1, 0.01)),
        Trial("a tenth of SSIM, ten times the levels"),
        Trial(
            "a tenth of SSIM, a hundred times the levels",
            recipe=with_loss_weights(1.0, 1e-4, 1.0, 0.1),
        ),
        Trial("level maps in released units", recipe=FIRST_GUESS | {"level_scaling": "released"}),
        Trial(
            "patches of 128, 4 per step",
            recipe=FIRST_GUESS,
            config={"patch_size": 128, "batch_size": 4},
        ),
        Trial("8 patches per step", recipe=FIRST_GUESS, config={"batch_size": 8}),
        Trial("4 patches per step", recipe=FIRST_GUESS, config={"batch_size": 4}),
        Trial("best weights, 8 per step", config={"batch_size": 8}),
        Trial("best weights, 4 per step", config={"batch_size": 4}),
        Trial("flips and turns", recipe=FIRST_GUESS, config={"augment": True}),
        Trial("averaged weights (EMA 0.999)", recipe=FIRST_GUESS, config={"ema": 0.999}),
        Trial(
            "twice the learning rate",
            recipe=FIRST_GUESS,
            config={"learning_rates": (2e-3, 2e-5)},
        ),
    ),
    "ablation": (
        Trial("X-BDCNN (as written)", BASELINE),
        Trial("X-BDCNN (as written) w/o SSIM loss", "xbdcnn-without-ssim"),
        Trial("X-BDCNN (as written) w/o NLE", "xbdcnn-without-nle"),
    ),
    "choices": (
        Trial("as written", BASELINE),
        Trial("NLE layers share weights", BASELINE, {"share_nle_weights": True}),
        Trial("1x1 output filter", BASELINE, {"output_kernel": 1}),
        Trial("level maps in equal units", BASELINE, {"level_scaling": "unit"}),
        Trial("noise levels from a grid", BASELINE, {"level_sampling": "grid"}),
        Trial("beta as Eq. 3 prints it", BASELINE, {"asymmetry": "equation"}),
        Trial("beta as released", BASELINE, {"asymmetry": "released"}),
        Trial("means instead of sums", BASELINE, {"reduction": "mean", "tv_reduction": "mean"}),
        Trial("TV summed over the batch", BASELINE, {"tv_reduction": "released"}),
        Trial("SSIM of residuals", BASELINE, {"ssim_domain": "residual"}),
        Trial("SSIM data range 255", BASELINE, {"ssim_data_range": 255.0}),
        Trial("SSIM of residuals, range 255", BASELINE, RELEASED_SSIM),
        Trial("no SSIM loss", "xbdcnn-without-ssim"),
        Trial("no NLE", "xbdcnn-without-nle"),
        Trial("as released", "xbdcnn-as-released"),
    ),
    "successor": (
        specialist("specialist"),
        specialist("twice the width", widths=(32, 80, 192, 320)),
        specialist("half the width", widths=(8, 20, 48, 80)),
        specialist("one block per level", blocks=1),
        specialist("no averaged weights", {"ema": 0.0}),
    ),
    "reading": (
        reading("as written"),
        reading("loss on 0-255", **GREY),
        reading("means instead of sums", reduction="mean", tv_reduction="mean"),
        reading("level maps in equal units", level_scaling="unit"),
        reading("cosine schedule", COSINE),
        reading("gradient norm clipped to 1", CLIPPED),
        reading("0-255, cosine", COSINE, **GREY),
        reading("0-255, cosine, clipped", COSINE | CLIPPED, **GREY),
        reading(
            "0-255, cosine, clipped, equal units", COSINE | CLIPPED, **GREY, level_scaling="unit"
        ),
        reading("cosine, clipped, equal units", COSINE | CLIPPED, level_scaling="unit"),
        reading("0-255, cosine, equal units", COSINE, **GREY, level_scaling="unit"),
        reading("0-255, cosine, grey-level maps", COSINE, **GREY, level_scaling="grey levels"),
    ),
    "dncnn": (
        dncnn("DnCNN"),
        dncnn("averaged weights (EMA 0.99)", ema=0.99),
        dncnn("gradient norm clipped to 1", **CLIPPED),
        dncnn("8 patches per step", batch_size=8),
        dncnn("8 per step, averaged weights", batch_size=8, ema=0.99),
        dncnn("twice the learning rate", learning_rates=(2e-3, 2e-5)),
    ),
}
"""Series by name: the search for a recipe, the ablations of Table I, each ambiguous choice of the
paper changed by itself, sizes and recipes of the successor, what the text leaves open about the
training of X-BDCNN as written, by itself and combined, and optimisers for DnCNN."""
