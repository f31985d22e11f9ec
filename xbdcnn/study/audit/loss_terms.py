"""The terms of the loss: gradients, stationary points and scales (Eq. 3-8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd
import torch
from torch import Tensor, nn

from xbdcnn import losses, noise, paper
from xbdcnn.inference.weights import build_network
from xbdcnn.models import AS_RELEASED, AS_WRITTEN, Denoised, Recipe
from xbdcnn.study.audit.ledger import Finding
from xbdcnn.training.batches import Batch, TrainConfig, draw_batch
from xbdcnn.training.objectives import true_levels

TERMS = ("mse", "ssim", "asymm", "tv")
READINGS: tuple[losses.Asymmetry, ...] = ("text", "equation", "released")
"""Readings of the weight in Eq. 3, see `losses.asymmetry_weight`."""

RECIPES = {"as written": AS_WRITTEN, "as released": AS_RELEASED}


def gradient_norms(network: nn.Module, batch: Batch, recipe: Recipe) -> dict[str, float]:
    """Compute the L2 norm of the parameter gradient of each weighted term of Eq. 8."""
    norms = {}
    for term in TERMS:
        pairs = zip(TERMS, recipe.loss_weights, strict=True)
        mse, ssim, asymm, tv = (weight if name == term else 0.0 for name, weight in pairs)
        term_only = replace(recipe, loss_weights=(mse, ssim, asymm, tv))
        levels = true_levels(batch, recipe)
        loss, _ = losses.mixed_loss(
            network(batch.noisy), batch.noisy, batch.clean, levels, term_only
        )
        gradients = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
        squares = [g.square().sum() for g in gradients if g is not None]
        norms[term] = float(torch.stack(squares).sum().sqrt())
    return norms


def norms_over_training(
    pool: Sequence[Tensor], recipe: Recipe, config: TrainConfig, every: int
) -> Iterator[dict[str, float]]:
    """Train an X-BDCNN with Adam and yield step and gradient norms every `every` steps."""
    network = build_network("xbdcnn", recipe, config.seed)
    optimizer = torch.optim.Adam(network.parameters(), config.learning_rates[0])
    for step in range(config.steps):
        batch = draw_batch(pool, recipe, config, step, torch.device("cpu"))
        if step % every == 0:
            yield {"step": step, **gradient_norms(network, batch, recipe)}
        levels = true_levels(batch, recipe)
        output = network(batch.noisy)
        loss, _ = losses.mixed_loss(output, batch.noisy, batch.clean, levels, recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def ssim_loss_strength(norms: pd.DataFrame, conditions: str, effect: str = "–") -> Finding:
    """Compare the gradient of the SSIM loss with that of the MSE, as written and as released.

    norms: rows of `norms_over_training` with a column `recipe`, a key of `RECIPES`.
    conditions: images, network and length of these runs, for the evidence.
    """
    ratio = (norms["ssim"] / norms["mse"]).groupby(norms["recipe"]).median()
    written, released = ratio["as written"], ratio["as released"]
    ineffective = released < 0.5 < 1 < written
    return Finding(
        point="Strength of the SSIM loss",
        part="text, equations and code",
        claim="weights of 0.6 for the SSIM loss and 0.4 for the MSE (Sec. III-A), which suggest "
        "that the SSIM loss has more influence",
        equation="Eq. 6 on the restored image, where the code has the residual and a range of 255",
        released="on the residual, with constants for a data range of 255 (`train.py`, `utils`)",
        choice="Eq. 6 as printed, with data range 1; the released form is `AS_RELEASED`",
        evidence="the median gradient norm of the SSIM term is "
        f"{released:.2g} times that of the MSE term as released, {written:.2g} times as written: "
        "over all parameters of the network, each term with its weight of Eq. 8, images in [0, 1], "
        f"noise levels of the training range; {conditions}",
        effect=effect,
        verdict="text and code differ" if ineffective else "our measurement too weak",
        confidence="moderate",
    )


def descent_limit(
    asymmetry: losses.Asymmetry, true: float, start: float = 0.0, steps: int = 1000
) -> float:
    """Return the estimate at which gradient descent on Eq. 3 for one pixel ends, from `start`."""
    estimate = torch.full((1, 1, 1, 1), start, requires_grad=True)
    target = torch.full((1, 1, 1, 1), true)
    for _ in range(steps):
        loss = losses.asymmetric_loss(estimate, target, paper.ALPHA, asymmetry)
        (slope,) = torch.autograd.grad(loss, estimate)
        with torch.no_grad():
            estimate -= 0.02 * slope
    return float(estimate.detach())


def released_weight(true: float = 1.15, effect: str = "–") -> Finding:
    """Check whether gradient descent on the released form of Eq. 3 reaches the true level."""
    ends = {reading: descent_limit(reading, true) for reading in READINGS}
    short = true - ends["released"]
    stalls = abs(short) > 0.01
    return Finding(
        point="Weight of Eq. 3 in the released code",
        part="text, equations and code",
        claim="implicitly, the loss is minimised by the true level, from above or below",
        equation="|alpha - beta|, never zero",
        released="|alpha - relu(l - l_hat)|, which is also zero at l - alpha (`utils`)",
        choice="the reading of the text; the released form is a field of the recipe",
        evidence=f"gradient descent from 0 towards {true} ends {short:.3f} below it as released; "
        f"at {ends['text']:.3f} by the text, at {ends['equation']:.3f} as printed",
        effect=effect,
        verdict="text and code differ" if stalls else "consistent",
        confidence="certain",
    )


def printed_beta(true: float = 1.15, error: float = 0.2, effect: str = "–") -> Finding:
    """Compare the sign of the error that Eq. 3 penalises more, as printed and by the text."""
    target = torch.full((1, 2, 1, 1), true)
    cost = {
        reading: [
            float(losses.asymmetric_loss(target + sign * error, target, asymmetry=reading))
            for sign in (-1, 1)
        ]
        for reading in READINGS[:2]
    }
    under, over = cost["equation"]
    return Finding(
        point="beta of Eq. 3",
        part="text, equations and code",
        claim="under-estimation is penalised more",
        equation="beta = 1 for over-estimation, hence with alpha = 0.3 a weight of 0.7",
        released="neither, see the next point (`utils`)",
        choice="the reading of the text, as in CBDNet",
        evidence=f"as printed an error of {error} costs {under:.4f} below and {over:.4f} above the "
        f"true level; by the text {cost['text'][0]:.4f} and {cost['text'][1]:.4f}",
        effect=effect,
        verdict="self-contradiction" if over > under else "consistent",
        confidence="certain",
    )


def cheapest_constant(levels: Tensor, asymmetry: losses.Asymmetry, candidates: int = 401) -> float:
    """Return the constant estimate of levels (B,) for which the mean loss of Eq. 3 is lowest."""
    guesses = torch.linspace(float(levels.min()), float(levels.max()), candidates)
    true = levels[:, None, None, None]
    costs = [losses.asymmetric_loss(g.expand_as(true), true, asymmetry=asymmetry) for g in guesses]
    return float(guesses[int(torch.stack(costs).argmin())])


def direction_for_eta(asymmetry: losses.Asymmetry = "text") -> Finding:
    """Check whether Eq. 3 biases eta, like sigma, towards more noise.

    The bias is that of an estimator without information, which returns the constant of lowest loss.
    """
    levels = noise.sample_levels(2000, torch.Generator().manual_seed(0))
    eta, sigma = (cheapest_constant(level, asymmetry) for level in levels)
    middle = [float(level.mean()) for level in levels]
    less_noise = eta > middle[0]
    return Finding(
        point="Eq. 3 and the direction of eta",
        part="text, equations and code",
        claim="under-estimated noise, which is the worse error, is penalised more",
        equation="one weight for both maps",
        released="one weight for both maps (`utils`)",
        choice="the reading of the text for both maps",
        evidence=f"the constant eta of lowest loss is {eta:.2f} at a mean of {middle[0]:.2f}, "
        f"which means {'less' if less_noise else 'more'} quantum noise; for sigma it is "
        f"{sigma:.1f} at a mean of {middle[1]:.1f}",
        verdict="self-contradiction" if less_noise else "consistent",
        confidence="certain",
    )


def scale_of_the_maps(effect: str = "–") -> Finding:
    """Compute the share of eta in the squared error of the level maps."""
    eta, sigma = noise.sample_levels(100_000, torch.Generator().manual_seed(0))
    share = {}
    for scaling in ("released", "unit"):
        maps = noise.level_maps(eta, sigma, torch.zeros(len(eta), 1, 1, 1), scaling)
        variance = maps[..., 0, 0].var(dim=0)
        share[scaling] = float(variance[0] / variance.sum())
    return Finding(
        point="Units of the level maps",
        part="text, equations and code",
        claim="implicitly, one squared error weighs both levels alike",
        released="maps of eta and of sigma / 255 (`utils`)",
        choice="the same for `AS_WRITTEN`; both divided by their maximum for `BALANCED`",
        evidence=f"eta contributes {share['released']:.1%} of the squared error of a constant "
        f"estimate in the released units; {share['unit']:.0%} in equal units",
        effect=effect,
        verdict="not stated, inferred" if share["released"] > 0.9 else "consistent",
        confidence="certain",
    )


def loss_scale(effect: str = "–", white: float = noise.GREY_LEVELS) -> Finding:
    """Compute how the MSE term of Eq. 8 grows if the images in the loss are not in [0, 1].

    white: white in the loss, 255 for the grey levels in which the noise is stated.
    """
    clean, levels = torch.full((1, 1, 16, 16), 0.5), torch.ones(1, 2, 16, 16)
    recipes = [AS_WRITTEN, replace(AS_WRITTEN, loss_scale=white)]
    output = Denoised(clean + 0.1, levels)
    unit, other = (losses.mixed_loss(output, clean, clean, levels, r)[1] for r in recipes)
    growth = float(other["mse"] / unit["mse"])
    return Finding(
        point="Scale of the images in the loss",
        part="text, equations and code",
        claim="noise levels are on the scale 0 to 255; the scale of the images in the loss is not "
        "stated",
        equation="Eq. 5 depends on the scale, the other terms do not",
        released="[0, 1], the noisy images being divided by 255 (`utils`)",
        choice="[0, 1]; `Recipe.loss_scale` for any other",
        evidence=f"with images from 0 to {white:g} the MSE term is {growth:,.0f} times as large as "
        "with images from 0 to 1, at equal weights of the four terms",
        effect=effect,
        verdict="not stated, inferred" if growth > 2 else "consistent",
        confidence="certain",
    )


def batch_factor(batch: int = 64, effect: str = "–") -> Finding:
    """Check whether the released TV term, unlike the other terms, depends on the batch size."""
    one = torch.rand(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    many = one.expand(batch, 2, 16, 16)
    released = losses.tv_loss(many, "released") / losses.tv_loss(one, "released")
    means = losses.tv_loss(many, "mean") / losses.tv_loss(one, "mean")
    return Finding(
        point="Sum or mean in Eq. 3-6",
        part="text, equations and code",
        claim="one weight per term, implicitly independent of the batch size",
        equation="sums over pixels",
        released="means, but TV is summed over the batch (`utils`)",
        choice="sums per image for `AS_WRITTEN`, means for `BALANCED`",
        evidence=f"the TV term of {batch} equal patches is {released:.1f} times that of one patch "
        f"as released; {means:.2f} times as a mean",
        effect=effect,
        verdict="text and code differ" if released > 0.5 * batch else "consistent",
        confidence="certain",
    )
