# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 04 Losses and metrics
#
# The loss determines what a network learns, the metric how it is compared. The paper's loss has
# four terms in six equations, and text, equations and published code disagree on nearly all of
# them. In the rows of the networks two of the three columns of its tables are exchanged.
#
# ![The asymmetric loss against the estimated level: three curves](../figures/04_asymmetry.png)
#
# *Figure of this notebook: Eq. 3 as the text, the equation and the released code define it; the last has a
# second zero below the true level.*
#
# ## What you'll do
#
# You write Eq. 3 to 8 as code that you can change, follow gradient descent on each reading of Eq.
# 3, compare the magnitudes of the four terms, and prove that two columns are exchanged.
#
# ## What you'll learn
#
# Why the choice between sums and means matters once terms are added, how to measure the influence
# of a loss term, why SNR never exceeds PSNR, and why an SSIM value needs its conventions.
#
# ## What you need
#
# Derivatives and logarithms, and a clone of the repository; the [glossary](../docs/glossary.md)
# explains the terms. The last line of the notebook states how long the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import ndimage
from torch.nn import functional as F

from xbdcnn import losses, metrics, models, noise, paper, plotting
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.data import find_source
from xbdcnn.inference import zoo
from xbdcnn.inference.weights import build_network
from xbdcnn.study import results
from xbdcnn.study.audit.printed_tables import rms_of_images
from xbdcnn.study.notebook import expect, run_time, show_source
from xbdcnn.study.profiles import get_profile
from xbdcnn.training.batches import TrainConfig, as_pool, draw_batch

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# ## Theory
#
# ### Eq. 3: the asymmetric loss
#
# The noise level estimator (NLE) is trained with a squared error that weights overestimates and
# underestimates differently:
#
# $$\mathcal L_{asymm} = \sum |\alpha - \beta|\,\bigl(\hat l_{\sigma,\eta} - \tilde l_{\sigma,\eta}\bigr)^2,
#   \qquad \beta = 1 \text{ if } \hat l - \tilde l > 0, \text{ else } 0. \tag{3}$$


# %%
def asymmetric_loss(estimated, true, alpha=0.3):
    """Eq. 3 of maps (B, 2, H, W), read as the text describes it: underestimates weigh 0.7."""
    beta = (estimated < true).float()
    return ((alpha - beta).abs() * (estimated - true) ** 2).sum() / len(true)


# %% [markdown]
# The code of this and the following cells is yours to change; a check below compares it with the
# package.
#
# With α = 0.3 the equation as printed gives an *over*estimate the weight 0.7. The sentence after it
# states the opposite: α is below 0.5 "because it can impose more penalty to under-estimation
# error", and the cell above follows it. The published code differs from both: its β is the size of
# the underestimate instead of 0 or 1. The package has all three readings:

# %%
show_source(losses.asymmetry_weight)

# %% [markdown]
# ### Eq. 4: total variation
#
# Noise levels do not vary from pixel to pixel, so differences between neighbouring pixels are
# penalised:
#
# $$\mathcal L_{TV} = \|\nabla_h \hat l_{\sigma,\eta}\|_2^2 + \|\nabla_v \hat l_{\sigma,\eta}\|_2^2. \tag{4}$$


# %%
def tv_loss(levels):
    """Eq. 4 of maps (B, 2, H, W): squared differences of adjacent pixels in both directions."""
    return (levels.diff(dim=-1).square().sum() + levels.diff(dim=-2).square().sum()) / len(levels)


# %% [markdown]
# ### Eq. 5: mean squared error
#
# $$\mathcal L_{MSE} = \sum_{\mathbf x \in \Omega} \bigl(\hat g(\mathbf x) - g(\mathbf x)\bigr)^2. \tag{5}$$
#
# Despite its name the equation is a sum. A sum over a 128×128 patch is 16,384 times its mean. For
# this term alone the factor would only rescale the gradient, to which Adam is insensitive; added to
# other terms it determines their relative weight.


# %%
def mse_loss(restored, clean):
    """Eq. 5 of images (B, 1, H, W): the sum over the pixels, averaged over the batch."""
    return (restored - clean).square().sum() / len(clean)


# %% [markdown]
# All terms are averaged over the batch, because the paper's equations are written for one image. In
# the package one function chooses between the sum and the mean over pixels:

# %%
show_source(losses.reduce)

# %% [markdown]
# ### Eq. 6 and 7: structural similarity
#
# $$\mathcal L_{SSIM} = \sum_{\mathbf x \in \Omega} 1 - SSIM\bigl(\hat g(\mathbf x), g(\mathbf x)\bigr) \tag{6}$$

# %% [markdown]
# SSIM compares local means, variances and the covariance, weighted by a small Gaussian window:
#
# $$SSIM(\hat g, g) = \frac{(2\mu_{\hat g}\mu_g + C_1)(2\sigma_{\hat g g} + C_2)}
#   {(\mu_{\hat g}^2 + \mu_g^2 + C_1)(\sigma_{\hat g}^2 + \sigma_g^2 + C_2)}. \tag{7}$$
#
# The first factor compares brightness, the second structure; both are 1 for equal images. The paper
# calls $C_1$ and $C_2$ "positive constants". The usual choice is $(0.01 L)^2$ and $(0.03 L)^2$,
# where the data range $L$ is the difference between black and white. The value of $L$ matters twice
# below.

# %%
position = torch.arange(11) - 5.0
bell = torch.exp(-(position**2) / (2 * 1.5**2))
window = (torch.outer(bell, bell) / bell.sum() ** 2)[None, None]


def local_mean(image):
    """Gaussian mean, 11 x 11 pixels, of (B, 1, H, W); the image is mirrored at its borders."""
    for dim in (-2, -1):
        first, last = image.narrow(dim, 0, 5).flip(dim), image.narrow(dim, -5, 5).flip(dim)
        image = torch.cat([first, image, last], dim)
    return F.conv2d(image, window)


# %% [markdown]
# The window above has a standard deviation of 1.5 pixels. The local variances and the covariance
# are means of products minus products of means.


# %%
def ssim_map(x, y, c1=0.01**2, c2=0.03**2):
    """Eq. 7 at every pixel of two images (B, 1, H, W) in [0, 1]."""
    mean_x, mean_y = local_mean(x), local_mean(y)
    var_x, var_y = local_mean(x * x) - mean_x**2, local_mean(y * y) - mean_y**2
    covariance = local_mean(x * y) - mean_x * mean_y
    brightness = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return brightness * (2 * covariance + c2) / (var_x + var_y + c2)


# %% [markdown]
# The loss of Eq. 6 sums the distance from 1 over the pixels.


# %%
def ssim_loss(restored, clean):
    """Eq. 6 of images (B, 1, H, W) in [0, 1]: the sum over the pixels, averaged over the batch."""
    return (1 - ssim_map(restored, clean)).sum() / len(clean)


# %% [markdown]
# ### Eq. 8: the weighted sum
#
# $$\mathcal L = \lambda_1 \mathcal L_{MSE} + \lambda_2 \mathcal L_{SSIM}
#   + \lambda_3 \mathcal L_{asymm} + \lambda_4 \mathcal L_{TV},
#   \qquad \lambda = (0.4,\ 0.6,\ 0.5,\ 0.05). \tag{8}$$


# %%
def weighted_loss(restored, clean, estimated, true, weights=(0.4, 0.6, 0.5, 0.05)):
    """Eq. 8: the weighted sum, and its four terms."""
    terms = [mse_loss(restored, clean), ssim_loss(restored, clean)]
    terms += [asymmetric_loss(estimated, true), tv_loss(estimated)]
    return sum(w * term for w, term in zip(weights, terms, strict=True)), terms


# %% [markdown]
# **Check.** The four terms and their sum must equal those of the package, here for random images
# and maps.

# %%
random = torch.Generator().manual_seed(0)
restored, clean = (torch.rand(2, 1, 32, 40, generator=random) for _ in range(2))
estimated, true = (torch.rand(2, 2, 32, 40, generator=random) for _ in range(2))
total, terms = weighted_loss(restored, clean, estimated, true)
output_of_network = models.Denoised(restored, estimated)
expected = losses.mixed_loss(output_of_network, restored, clean, true, models.AS_WRITTEN)
torch.testing.assert_close(total, expected[0])
torch.testing.assert_close(terms, list(expected[1].values()))
print(f"loss {total:.1f}; terms", {name: round(v.item(), 1) for name, v in expected[1].items()})

# %% [markdown]
# The package's `mixed_loss` does the same for any recipe. A recipe (notebook 03) sets the weights
# and the reading of each term. The released code computes SSIM of residuals instead of images; this
# function makes that choice:

# %%
show_source(losses.ssim_operands)

# %% [markdown]
# ### The metrics
#
# With images between 0 and a peak of $P$ (1 here, 255 in the paper), both ratios are in decibels:
#
# $$\text{PSNR} = 10 \log_{10} \frac{P^2}{\operatorname{mean} (\hat g - g)^2},
#   \qquad \text{SNR} = 10 \log_{10} \frac{\sum g^2}{\sum (\hat g - g)^2}.$$

# %%
show_source(metrics.psnr)

# %% [markdown]
# The second differs in its numerator only: the energy of the image replaces the peak.

# %%
show_source(metrics.snr)

# %% [markdown]
# In the difference the restored image cancels:
#
# $$\text{PSNR} - \text{SNR} = 20 \log_{10} \frac{P}{\operatorname{rms}(g)} \ge 0.$$
#
# No pixel is brighter than the peak, so SNR ≤ PSNR for every image, every method and every average.

# %% [markdown]
# ## Practical
#
# ### The three readings of Eq. 3
#
# For a true level of 1, the figure shows the loss of each reading for estimates near it.

# %%
fig = plotting.loss_landscape(true=1.0)
caption = "Eq. 3 in its three readings; circle: the second zero of the released weight."
no_data = facts | {"data": "none"}
plotting.save_figure(fig, figures / "04_asymmetry", caption, no_data, smoke=settings.is_smoke)
fig

# %% [markdown]
# Eq. 3 in its three readings; no data enters. The curves of text and equation are mirror images and
# have one minimum, at the true level. The released weight $|\alpha - \text{relu}(\tilde l - \hat
# l)|$ has a second zero, at $\tilde l - \alpha$.
#
# Gradient descent shows the consequence. No network is needed: the parameter is the estimate
# itself, one number in two small maps. The descent starts from several estimates.


# %%
def maps(level):
    """Two 1 x 1 level maps of one value."""
    return torch.full((1, 2, 1, 1), float(level))


def descend(start, kind, steps=800, rate=0.02):
    """Final estimate of gradient descent on Eq. 3 for a true level of 1."""
    level = maps(start).requires_grad_()
    for _ in range(steps):
        loss = losses.asymmetric_loss(level, maps(1), asymmetry=kind)
        level = (level - rate * torch.autograd.grad(loss, level)[0]).detach().requires_grad_()
    return level.mean().item()


# %% [markdown]
# One row per starting point, one column per reading; a suitable loss ends at 1 in every row.

# %%
readings = ("text", "equation", "released")
starts = (0.0, 0.4, 0.75, 0.9, 1.5, 2.0)
ends = pd.DataFrame({kind: [descend(x, kind) for x in starts] for kind in readings}, starts)
ends.index.name = "start"
print(ends.round(2).to_string())

# %% [markdown]
# With the released weight, a start more than two thirds of α below the true level ends at the
# second zero.
#
# **Check.** From zero, where the output of a ReLU tends to start, the first two readings reach the
# true level, and the third ends α = 0.3 below it, which is a fifth of the range of η.

# %%
assert np.allclose(ends[["text", "equation"]], 1, atol=0.01)
assert abs(ends["released"][0.0] - (1 - paper.ALPHA)) < 0.01

# %% [markdown]
# ### TV: a weight that depends on the batch size
#
# We repeat one noisy pair of maps. Each image has the same total variation, so a loss per image
# should not change. The released normalisation divides by the size of one map, but sums over the
# batch.

# %% tags=["nbval-check-output"]
rough = torch.rand(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
for batch_size in (1, 8, 64):
    batch = rough.expand(batch_size, -1, -1, -1)
    values = {kind: losses.tv_loss(batch, kind).item() for kind in ("sum", "mean", "released")}
    print(f"batch of {batch_size:2d}:", {kind: round(v, 3) for kind, v in values.items()})

# %% [markdown]
# At the batch size of the released code, 64, λ₄ = 0.05 therefore acts like about 64 × 0.05 = 3.2 on
# a mean, and changing the batch size changes the loss.
#
# ### Gradients of the loss terms
#
# The effect of a weight λ depends on the magnitude of its term. For each recipe we compute the norm
# of the gradient of every weighted term with respect to the parameters of the NLE and of the NBD of
# an untrained network, on one batch of real patches with random noise.

# %%
config = TrainConfig(batch_size=4 if settings.is_smoke else 16, patch_size=64)
pool = as_pool(source.images("train", 8))
names = ("AS_WRITTEN", "AS_RELEASED", "BALANCED")
recipes = {name: getattr(models, name) for name in names}
terms = ("mse", "ssim", "asymm", "tv")


# %% [markdown]
# To isolate a term we set the other three weights to zero in `mixed_loss`.


# %%
def gradient_norm(recipe, term, network, part, batch):
    """Norm of the gradient of one weighted term of Eq. 8 over the parameters of a subnetwork."""
    weights = tuple(w * (t == term) for w, t in zip(recipe.loss_weights, terms, strict=True))
    levels = noise.level_maps(batch.eta, batch.sigma, batch.clean, recipe.level_scaling)
    one_term = replace(recipe, loss_weights=weights)
    loss, _ = losses.mixed_loss(network(batch.noisy), batch.noisy, batch.clean, levels, one_term)
    parameters = list(network.get_submodule(part).parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return sum(g.square().sum().item() for g in gradients if g is not None) ** 0.5


# %%
def conditions(batch):
    """Images and noise levels of a batch, in words."""
    eta, sigma = batch.eta, batch.sigma
    images = f"{len(batch.clean)} patches of side {batch.clean.shape[-1]}, {source.name}"
    levels = f"η {eta.min():.2f} to {eta.max():.2f}, σ {sigma.min():.1f} to {sigma.max():.1f}"
    return f"{images}, {levels}, images in [0, 1], each term with the weight of its recipe"


norms = {}
for name, recipe in recipes.items():
    network = build_network("xbdcnn", replace(recipe, width=16))
    batch = draw_batch(pool, recipe, config, 0, torch.device("cpu"))
    for part in ("nle", "nbd"):
        norms[name, part] = {t: gradient_norm(recipe, t, network, part, batch) for t in terms}
    print(f"{name}, weights {recipe.loss_weights}: {conditions(batch)}")

# %% [markdown]
# Terms compete only in parameters that both reach, because Adam normalises each parameter on its
# own. The asymmetric and the TV term act on the NLE alone, and the estimate of the NLE reaches the
# image through the NBD. Each column is divided by its MSE term. The ratios hold under the
# conditions printed above, for an untrained network of a quarter of the width.

# %%
norms = pd.DataFrame(norms)
print((norms / norms.loc["mse"]).map("{:.3g}".format).to_string())

# %% [markdown]
# As written, the asymmetric loss has by far the largest gradient in the NLE at the start: it is the
# sum of squared errors of an η near 1, over thousands of pixels. An untrained network is, however,
# not representative of training. As the restored image approaches the clean one, the gradient of
# the MSE decreases in proportion to the error, while that of SSIM need not. We therefore compare
# both gradients with respect to the image at several points on the straight line from the noisy
# image to the clean one, again with the weights of each recipe, on the last of the batches above.


# %%
def ssim_over_mse(recipe, batch, share):
    """Gradient of the weighted SSIM term over that of the MSE term, and the PSNR there."""
    restored = (batch.noisy + share * (batch.clean - batch.noisy)).requires_grad_()
    operands = losses.ssim_operands(restored, batch.noisy, batch.clean, recipe)
    ssim = losses.ssim_loss(*operands, recipe.ssim_data_range, recipe.reduction)
    mse = losses.mse_loss(restored, batch.clean, recipe.reduction)
    norms = [torch.autograd.grad(loss, restored)[0].norm().item() for loss in (mse, ssim)]
    ratio = recipe.loss_weights[1] * norms[1] / (recipe.loss_weights[0] * norms[0])
    return np.mean(metrics.psnr(restored, batch.clean)), ratio


# %%
def digits(value):
    """A number with three significant digits, without an exponent."""
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


shares = (0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
ratios = {}
print(conditions(batch))
for name, recipe in recipes.items():
    ratios[name] = np.array([ssim_over_mse(recipe, batch, share) for share in shares])
    print(f"{name:12s}", ", ".join(map(digits, ratios[name][:, 1])))

# %% [markdown]
# The ratios are plotted against the PSNR of the image. Above the dotted line the gradient of SSIM
# is larger than that of MSE.

# %%
fig = plotting.new_figure(5.6, 3.2, layout="constrained")
axis = fig.subplots()
labels = [entry.label for entry in zoo.ZOO.values() if entry.recipe in recipes.values()]
styles = plotting.method_styles(labels).values()
for (name, points), style in zip(ratios.items(), styles, strict=True):
    axis.semilogy(*points.T, ms=4, label=name, **style)
axis.axhline(1, color="0.6", lw=1, ls=":")
axis.set(xlabel="PSNR of the restored image (dB)", ylabel="SSIM gradient / MSE gradient")
fig.legend(loc="outside upper center", ncols=3)
caption = "Weighted SSIM gradient over weighted MSE gradient between the noisy and the clean image."
plotting.save_figure(fig, figures / "04_balance", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The gradient of the SSIM term relative to that of the MSE term, between the noisy and the clean
# image (profile and data as printed at the top). As written, the gradient of the SSIM term is much
# larger, and the MSE term, which PSNR measures, has little influence. As released and in `BALANCED`
# the gradient of the MSE term is much larger. Real training does not follow a straight line, and
# Adam scales each parameter by the history of its gradients. In the first steps of a training run
# (notebook 11) the SSIM term is also the stronger one as written and weak as released, by smaller
# factors than here.
#
# **Check.** The three statements hold at every point of the line.

# %%
for name, points in ratios.items():
    low, high = points[:, 1].min(), points[:, 1].max()
    print(f"{name}: SSIM gradient {digits(low)} to {digits(high)} times the MSE gradient")
print("with", conditions(batch))
expect(ratios["AS_WRITTEN"][:, 1].min() > 10, "SSIM dominates as written", source)
expect(ratios["AS_RELEASED"][:, 1].max() < 0.1, "MSE dominates as released", source)
expect(ratios["BALANCED"][:, 1].max() < 0.1, "MSE dominates when balanced, too", source)

# %% [markdown]
# These ratios hold for images in [0, 1] inside the loss, which is an assumption of ours: the levels
# of the noise are on the scale of 255 grey levels (notebook 01), and the paper never states the
# scale of the loss. It is the field `loss_scale` of a `Recipe`. On 0 to 255 the squared error would
# be $255^2$ times larger, while SSIM with the data range 255 would not change. The ratio as written
# would then be:

# %%
print(", ".join(f"{ratio:.2g}" for ratio in ratios["AS_WRITTEN"][:, 1] / 255**2))

# %% [markdown]
# With this scale the MSE term would dominate as written, too. [Notebook
# 07](07_ablations.ipynb#what-the-text-leaves-open) has the effect on PSNR.
#
# The SSIM term has little influence as released because images are in [0, 1], but $C_1$ and $C_2$
# are those of a data range of 255: $C_2$ is thousands of times the variance of a residual, as the
# next two cells print. Numerator and denominator are both nearly $C_2$, and their quotient is close
# to 1 for any output of the network.

# %% tags=["nbval-check-output"]
for data_range in (1.0, 255.0):
    c1, c2 = ((k * data_range) ** 2 for k in (0.01, 0.03))
    print(f"data range {data_range:5.0f}: C1 = {c1:.4g}, C2 = {c2:.4g}")

# %% [markdown]
# A network that does not denoise returns a residual of zero. The next cell computes its SSIM.

# %%
residuals = batch.noisy - batch.clean
print(f"variance of the true residuals: {residuals.var():.4f}")
for data_range in (1.0, 255.0):
    value = metrics.ssim_map(torch.zeros_like(residuals), residuals, data_range=data_range).mean()
    print(f"SSIM(zero residual, true residual), data range {data_range:3.0f}: {value:.6f}")

# %% [markdown]
# The paper's ablation without the SSIM loss has the same SSIM as the full model. That does not show
# that the term had no influence. In our training runs as written, where the SSIM term has by far
# the larger gradient, its removal leaves SSIM almost unchanged, too ([notebook
# 07](07_ablations.ipynb#paired-differences)). The gradients show how strongly a term acts on the
# weights; its effect on the result needs an ablation with several seeds.
#
# ### The recipe BALANCED
#
# The recipe `BALANCED` keeps the network and all four terms and changes weights, units and
# reductions. All terms are means, so that they do not depend on patch and batch size. λ₂ is so
# small that the MSE term dominates, as the check above shows. The level maps are divided by the
# upper limit of their range, because otherwise the η map is tens of times larger than the σ map and
# the squared error is almost insensitive to σ. The name refers to the two levels; the four terms do
# not have equal influence.

# %%
for scaling in ("released", "unit"):
    levels = noise.level_maps(batch.eta, batch.sigma, batch.clean, scaling)
    eta, sigma = (losses.asymmetric_loss(0 * m, m, reduction="mean") for m in levels.unbind(1))
    print(f"{scaling:8s} loss of an estimate of zero: η map {eta:.4f}, σ map {sigma:.4f}")

# %% [markdown]
# ### PSNR, SNR and the paper's columns
#
# We first verify the inequality on real images: the difference PSNR − SNR of a noisy and of a less
# noisy version of the same radiographs. The less noisy version is the mean of noisy and clean
# image; the difference must not depend on the method that made it.

# %%
count = 1 if settings.is_smoke else 10
images = [torch.from_numpy(image.copy()) for image in source.images("table2", count)]
generator = torch.Generator().manual_seed(0)
pairs = [(noise.add_hybrid_noise(clean, 0.4, 5.0, generator), clean) for clean in images]


# %%
def psnr_minus_snr(image, clean):
    """PSNR - SNR in dB."""
    return metrics.psnr(image, clean) - metrics.snr(image, clean)


gaps = pd.DataFrame()
gaps["gap, noisy"] = [psnr_minus_snr(noisy, clean) for noisy, clean in pairs]
gaps["gap, less noisy"] = [psnr_minus_snr((noisy + clean) / 2, clean) for noisy, clean in pairs]
gaps["rms grey level"] = [255 * clean.square().mean().sqrt().item() for clean in images]
gaps.rename_axis("image").round(2)

# %% [markdown]
# **Check.** The gap does not depend on the method, follows from the brightness alone, and is never
# negative.

# %%
assert np.allclose(gaps["gap, noisy"], gaps["gap, less noisy"])
assert np.allclose(gaps["gap, noisy"], 20 * np.log10(255 / gaps["rms grey level"]))
assert (gaps["gap, noisy"] >= 0).all()

# %% [markdown]
# The gap depends on the clean image alone. Table II tests all methods on the same ten images, so
# PSNR − SNR must be the same positive number in all its 27 cells, whatever the images are.

# %% tags=["nbval-check-output"]
printed = pd.DataFrame(paper.TABLE_2).T.map(lambda cell: cell.psnr - cell.snr)
printed.index.names = ["eta", "sigma"]
print(printed.round(4).to_string())

# %% [markdown]
# It is one number, but it is **negative**. The columns of Table II must have been exchanged. With
# the columns exchanged, the number corresponds to a plausible brightness of the ten images.

# %% tags=["nbval-check-output"]
gap = -printed.to_numpy().mean()
print(f"PSNR - SNR, columns exchanged: {gap:.4f} dB, rms grey level {255 / 10 ** (gap / 20):.1f}")
assert np.allclose(-printed, 4.2829, atol=1.01e-4)

# %% [markdown]
# We compare it with ten ChestX-ray8 radiographs, whose scores are on file, and with the images of
# this run. Exposure and cropping differ, so only approximate agreement can be expected. (The fields
# of the built-in radiograph were chosen for their brightness, so their agreement is no evidence.)

# %%
of_file, here = rms_of_images(results.table("table_2_results")), gaps["rms grey level"]
for name, rms in {"ten ChestX-ray8 radiographs": of_file, source.name: here}.items():
    print(f"{name}: rms {rms.mean():.1f} ± {rms.std(ddof=0):.1f} grey levels")
assert of_file.min() < 255 / 10 ** (gap / 20) < of_file.max()

# %% [markdown]
# The function `paper.corrected` exchanges SNR and PSNR wherever the printed order is impossible,
# and nowhere else. In Table I this affects the five networks but not the two rows above them.

# %%
show_source(paper.corrected)

# %% [markdown]
# Table I as printed, as corrected, and the gap after correction:

# %% tags=["nbval-check-output"]
table = pd.DataFrame({name: cell[:2] for name, cell in paper.TABLE_1.items()}, ["SNR", "PSNR"]).T
fixed = [paper.corrected(cell)[:2] for cell in paper.TABLE_1.values()]
table[["SNR corrected", "PSNR corrected"]] = fixed
table["gap"] = table["PSNR corrected"] - table["SNR corrected"]
print(table.round(4).to_string())

# %% [markdown]
# In Table I the gap is not constant among the networks. The released test script explains this: it
# averages PSNR over patches, but *pools* SNR, as one quotient of sums for each batch of 32.

# %%
show_source(metrics.snr_pooled)

# %% [markdown]
# Pooling does not explain the printed order. The logarithm is concave, so the mean of PSNRs is at
# least the PSNR of the pooled error, which is at least the pooled SNR. Pooling does reduce the gap,
# since bright patches dominate the sum, by an amount that depends on the method. A pair of uniform
# patches, one bright and one dark, shows this.

# %%
bright, dark = torch.full((64, 64), 0.8), torch.full((64, 64), 0.1)
pair = torch.stack([bright, dark])
noisy = noise.add_hybrid_noise(pair, 0.4, 10.0, torch.Generator().manual_seed(0))
print(f"mean of SNRs {np.mean(metrics.snr(noisy, pair)):.2f} dB, ", end="")
print(f"pooled {metrics.snr_pooled(noisy, pair):.2f} dB, ", end="")
print(f"mean of PSNRs {np.mean(metrics.psnr(noisy, pair)):.2f} dB")
assert np.mean(metrics.psnr(noisy, pair)) >= metrics.snr_pooled(noisy, pair)

# %% [markdown]
# ### The same PSNR, a different SSIM
#
# PSNR and SSIM measure different properties. The next cell disturbs one field of the radiograph in
# four ways: by a blur, and by a shift of the brightness, white noise and correlated noise, each
# scaled so that its PSNR is that of the blur.


# %%
def with_error(clean, error, psnr):
    """Add an error to a clean image, scaled so that the PSNR has a given value in dB."""
    return clean + error * 10 ** (-psnr / 20) / np.sqrt(np.mean(error**2))


# %%
clean = images[0].numpy()[:256, :256].astype(np.float64)
blurred = ndimage.gaussian_filter(clean, 4)
white = np.random.default_rng(0).standard_normal(clean.shape)
errors = {
    "brighter": np.ones_like(clean),
    "white noise": white,
    "correlated": ndimage.gaussian_filter(white, 2),
}
target = metrics.psnr(blurred, clean)
kinds = {name: with_error(clean, error, target) for name, error in errors.items()}
kinds["blurred"] = blurred
ssims = {name: metrics.ssim(image, clean) for name, image in kinds.items()}

# %%
part = slice(64, 192)
labels = {name: f"{name}: SSIM {score:.2f}" for name, score in ssims.items()}
rows = {labels[name]: image[part, part] for name, image in kinds.items()}
fig = plotting.show_images({"clean": clean[part, part]} | rows)
caption = f"A part of one field, disturbed in four ways, all with a PSNR of {target:.1f} dB."
plotting.save_figure(fig, figures / "04_same_psnr", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The SSIM maps of the whole field, slightly reduced, show where each disturbance lowers it: white is
# 1, black 0.5 or less.

# %%
pair = {name: [torch.from_numpy(x)[None, None] for x in (k, clean)] for name, k in kinds.items()}
maps_of = {labels[n]: metrics.ssim_map(*p)[0, 0].clamp(0, 1).numpy() for n, p in pair.items()}
fig = plotting.show_images(maps_of, limits=(0.5, 1))
for axis in fig.axes:  # a frame, because a map without loss is as white as the page
    axis.set_axis_on()
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set(visible=True, color="0.6")
caption = "SSIM maps of the whole fields, white 1, black 0.5 or less."
plotting.save_figure(fig, figures / "04_ssim_maps", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# At the PSNR of good results in Table I the blurred image has lost most of its detail. SSIM hardly
# notices the shift of the brightness. It is low for white noise even where the radiograph is
# smooth, because there the noise is the only structure; the blur costs SSIM only where there is
# detail. Profile and data as printed at the top.
#
# **Check.** All four have the same PSNR, and their SSIM differs.

# %%
for name, image in kinds.items():
    print(f"{name}: {metrics.psnr(image, clean):.2f} dB, SSIM {ssims[name]:.3f}")
    assert abs(metrics.psnr(image, clean) - target) < 0.01, name
expect(min(ssims, key=ssims.get) == "white noise", "SSIM is lowest for white noise", source)
expect(max(ssims, key=ssims.get) == "brighter", "and highest for the shift", source)

# %% [markdown]
# ### SSIM of one image pair under several conventions
#
# Window, border and data range are conventions, and the paper states none of them. We compute the
# SSIM of one field of a real radiograph, noisy and denoised by total variation, under several
# conventions:

# %%
clean = images[0].numpy()[:256, :256]
noisy = noise.add_hybrid_noise_numpy(clean, 0.6, 10.0, np.random.default_rng(0))
smoothed = CLASSICAL["TV"](noisy, eta=0.6, sigma=10.0)

# %% [markdown]
# The first convention has the window of the original SSIM article and excludes the border, the
# second includes the border by reflection, the third is the default of scikit-image.

# %%
conventions = {
    "Gaussian 11, valid": dict(),
    "Gaussian 11, mirrored border": dict(border="reflect"),
    "uniform 7, valid, n - 1": dict(window="uniform", size=7, unbiased=True),
}

# %%
scores = {}
for label, options in conventions.items():
    for data_range in (1, 2, 255):
        convention = options | {"data_range": data_range}
        pair = [metrics.ssim(image, clean, **convention) for image in (noisy, smoothed)]
        scores[label, data_range] = pair
table = pd.DataFrame(scores, ["noisy", "smoothed"]).T
table.index.names = ["window and border", "data range"]
table.round(4)

# %% [markdown]
# **Check.** Window and border change the score a little, the data range changes it most: with 255
# any image in [0, 1] scores nearly 1. Old versions of scikit-image assumed 2 for float images if no
# range was given.

# %%
by_range = table["noisy"].groupby("data range").mean()
expect(by_range.is_monotonic_increasing, "SSIM increases with the data range", source)
expect(by_range[255] > 0.99, "with 255 it is nearly 1", source)
of_windows = table.xs(1, level=1)["noisy"].std()
expect(of_windows < by_range[2] - by_range[1], "windows change it less", source)

# %% [markdown]
# ## Discussion
#
# The text, the equations and the released code compared:
#
# | term | the text | the equation | the released code |
# |---|---|---|---|
# | asymmetric, Eq. 3 | weight 0.7 for underestimates | weight 0.7 for overestimates | weight has a second zero, α below the true level |
# | TV, Eq. 4 | smooth maps | squared norm | mean over a map, sum over the batch |
# | MSE, Eq. 5 | "mean square error" | sum | mean |
# | SSIM, Eq. 6–7 | restored image | restored image | residual, constants for 255 |
#
# `AS_WRITTEN` follows the text, and its SSIM term dominates for images in [0, 1]; `AS_RELEASED`
# follows the code, in which the SSIM term is weak and the noise level can stay below the true one.
# Both were trained and are compared in notebooks 05 and 11. `BALANCED` is our own recipe and
# labelled so; its SSIM term is weak, too.
#
# On the metrics the result is certain. SNR ≤ PSNR follows from the definitions, the constant gap of
# 4.2829 dB corresponds to ordinary chest radiographs, and so X-BDCNN's PSNR in Table I is 41.11 dB,
# not 36.12. All our tables show printed and corrected values side by side. The SSIM convention
# cannot be proved in the same way; our tables give SSIM with data range 1 and 2.

# %% [markdown]
# ## Two questions
#
# **1.** The NLE cannot distinguish whether η is 0.6 or 1.0 and finds both equally likely. Which
# estimate minimises the expected loss under each reading of Eq. 3 with α = 0.3?
#
# <details><summary>Answer</summary>
#
# Minimise $w_u (1.0 - x)^2 + w_o (x - 0.6)^2$ with weight $w_u$ for the underestimate and $w_o$ for
# the overestimate: $x = (w_u \cdot 1.0 + w_o \cdot 0.6)/(w_u + w_o)$. This is 0.88 for the text
# ($w_u = 0.7$) and 0.72 for the equation ($w_u = 0.3$). The released loss of an estimate is zero a
# second time at $l - \alpha$, which is 0.7 for η = 1.0 and near 0.6: its minimum is at 0.70. For η
# the sense of the asymmetry is questionable: a large η means *little* noise, so overestimating η is
# underestimating the noise.
#
# </details>
#
# **2.** A paper reports SSIM 0.98 for images in [0, 1] and does not state the data range. What
# information do you need, and what can you conclude from the SSIM of the noisy image alone?
#
# <details><summary>Answer</summary>
#
# You need the data range, window and border, or the function call. The score of the noisy image
# needs no network: simulate the same noise, compute SSIM under each convention, and compare with
# the reported value. Notebook 06 prints both conventions for that row.
#
# </details>

# %% [markdown]
# ## Take-away
#
# - SNR never exceeds PSNR, and in Table II their difference is one negative number in all 27 cells:
#   the two columns are exchanged.
# - How strongly a loss term acts in training follows from its gradients. For images in [0, 1], with the weights
#   of each recipe and noise of the training range, the SSIM term dominates as written; as released
#   and in `BALANCED` the squared error does.
# - Text, equation and released code give three readings of Eq. 3, and the released one has a second
#   zero below the true level. An SSIM value needs its window, border and data range.
#
# ## References
#
# - S. Guo, Z. Yan, K. Zhang, W. Zuo, L. Zhang, *Toward convolutional blind denoising of real
#   photographs* (CBDNet), CVPR 2019,
#   [doi:10.1109/CVPR.2019.00181](https://doi.org/10.1109/CVPR.2019.00181): the asymmetric loss.
# - Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, *Image quality assessment: From error
#   visibility to structural similarity*, IEEE Trans. Image Process. 13, 600 (2004),
#   [doi:10.1109/TIP.2003.819861](https://doi.org/10.1109/TIP.2003.819861).

# %%
print(run_time())
