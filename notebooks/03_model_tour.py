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
# # 03 Model tour
#
# X-BDCNN consists of two subnetworks in series. A small one estimates the noise level of the
# radiograph; a larger one receives the radiograph together with this estimate and removes the
# noise. The paper describes them in half a column and one drawing. This notebook lists every layer,
# and names every point where text and published code disagree.
#
# ![The layers of the two subnetworks as boxes from left to right](../figures/03_figure_1.png)
#
# *Figure of this notebook: Fig. 1 of the paper, drawn from the operations of the network.*
#
# ## What you'll do
#
# You write the two subnetworks in three cells, draw Fig. 1 from the network itself, list its layers
# with their parameters and operations, measure its receptive field, examine a residual, and compare
# the readings of the architecture.
#
# ## What you'll learn
#
# How the noise level estimation (NLE) and non-blind denoising (NBD) subnetworks are connected, how
# the 4.36 million parameters are distributed, what residual learning means here, and what a
# `Recipe` is.
#
# ## What you need
#
# Basic knowledge of convolutions and ReLUs; the [glossary](../docs/glossary.md) explains the terms.
# The notebook trains nothing; its last line states how long the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from dataclasses import asdict, replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from xbdcnn import metrics, models, noise, paper, plotting
from xbdcnn.data import central_crop, find_source
from xbdcnn.inference.layers import record_layers
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import build_network
from xbdcnn.study import results, series, trials
from xbdcnn.study.notebook import run_time, show_source
from xbdcnn.study.profiles import get_profile

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
# Sec. II-B of the paper defines X-BDCNN by three functions. The first estimates the levels of both
# noise components at every pixel of the noisy image $f$:
#
# $$\hat l_{\sigma,\eta}(f) = \mathcal F_{NLE}(f; W_{NLE}).$$
#
# It has five 3×3 convolutions, each followed by a ReLU, with 32 channels in the hidden layers, and
# a skip connection that adds the output of the first layer to that of the fourth. There is no
# pooling: the output has the size of the image, with one map for η and one for σ, although the true
# levels are constant over an image.


# %%
class NLE(nn.Module):
    """Noise level estimation: (B, 1, H, W) noisy -> (B, 2, H, W) maps of eta and sigma."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.middle = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(3))
        self.last = nn.Conv2d(32, 2, kernel_size=3, padding=1)

    def forward(self, noisy):
        skip = features = F.relu(self.first(noisy))
        for layer in self.middle:
            features = F.relu(layer(features))
        return F.relu(self.last(features + skip))


# %% [markdown]
# The code of these cells is yours to change; a check below compares it with the package. One detail
# is left out here: the package sets the initial bias of the last layer to the middle of the range
# of each level. A final ReLU has no gradient where its output is zero, so a network whose initial
# output is zero for every image could not learn.
#
# The second function is the denoiser. The paper writes it as a *residual*, a correction that is
# added to the input:
#
# $$\hat g = f + \mathcal R\bigl(f, \hat l_{\sigma,\eta}(f); W_{NBD}\bigr).$$
#
# $\mathcal R$ is a U-Net of 17 convolutions. It halves the resolution twice by average pooling,
# restores it by two transposed convolutions, and adds its skip connections instead of concatenating
# them. Pooling enlarges the receptive field and reduces the number of operations; the skip
# connections retain fine detail.


# %%
def block(inputs, outputs, layers):
    """Stack 3 x 3 convolutions, each followed by a ReLU; the first changes the channels."""
    channels = [inputs] + [outputs] * layers
    stack = [(nn.Conv2d(c, d, 3, padding=1), nn.ReLU()) for c, d in pairwise(channels)]
    return nn.Sequential(*chain.from_iterable(stack))


# %% [markdown]
# `block` gives the stacks between two changes of resolution. With it the U-Net is one line per
# step:


# %%
class NBD(nn.Module):
    """Non-blind denoising: (B, 3, H, W) noisy image and maps -> (B, 1, H, W) residual."""

    def __init__(self):
        super().__init__()
        self.enter, self.down1, self.down2 = block(3, 64, 2), block(64, 128, 3), block(128, 256, 6)
        self.up1, self.decode1 = nn.ConvTranspose2d(256, 128, 2, stride=2), block(128, 128, 3)
        self.up2, self.decode2 = nn.ConvTranspose2d(128, 64, 2, stride=2), block(64, 64, 2)
        self.output = nn.Conv2d(64, 1, kernel_size=3, padding=1)

    def forward(self, inputs):
        full = self.enter(inputs)
        half = self.down1(F.avg_pool2d(full, 2))
        quarter = self.down2(F.avg_pool2d(half, 2))
        half = self.decode1(self.up1(quarter) + half)
        full = self.decode2(self.up2(half) + full)
        return self.output(full)


# %% [markdown]
# The network concatenates the image and its two level maps, and adds the residual to the image.


# %%
def restore(noisy, nle, nbd):
    """Restore (B, 1, H, W) images; return them and the level maps (B, 2, H, W)."""
    levels = nle(noisy)
    return noisy + nbd(torch.cat([noisy, levels], dim=1)), levels


# %% [markdown]
# **Check.** With the same weights, the network of these three cells and `models.XBDCNN` of the
# package must return the same image and the same maps.

# %%
nle, nbd = NLE(), NBD()
packaged = build_network("xbdcnn", models.AS_WRITTEN).eval()
nle.load_state_dict(packaged.nle.state_dict())
nbd.load_state_dict(packaged.nbd.state_dict())
image = torch.rand(2, 1, 32, 48, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    for typed, expected in zip(restore(image, nle, nbd), packaged(image), strict=True):
        torch.testing.assert_close(typed, expected)

# %% [markdown]
# The package's version also takes any size: an image whose sides are not multiples of 4 is padded
# by reflection first and cropped afterwards. It can be told the levels, and has a field for each
# choice on which text and code disagree (see the recipes below).

# %%
show_source(models.XBDCNN.forward)

# %% [markdown]
# ## Practical
#
# ### Fig. 1, drawn from the model
#
# The drawing below is generated from the network. `layers.record_layers` passes a blank image
# through the network and records each operation, and `plotting.figure_1` draws the list: height is
# resolution, thickness is the number of channels. A change of the code changes the drawing.

# %%
fig = plotting.figure_1(packaged)
caption = "Fig. 1: X-BDCNN as the text describes it, drawn from the operations it performs."
no_data = facts | {"data": "none"}
plotting.save_figure(fig, figures / "03_figure_1", caption, no_data, settings.is_smoke, svg=True)
fig

# %% [markdown]
# Figure 1 of the paper, generated from the code (no data enters it). The NLE is on the left, the
# U-Net on the right, and above them is the connection from the noisy image to the final addition.
#
# ### Layer by layer
#
# The same list as a table, for a patch of 128×128 pixels. Pooling, addition and concatenation are
# also in the list but have no parameters; we keep the layers with filters, in the order of
# execution.

# %%
filters = [layer for layer in record_layers(packaged, side=128) if layer.weight]
rows = [(f.weight.removesuffix(".weight"), f.kind, f.kernel, f.channels, f.side) for f in filters]
layers = pd.DataFrame(rows, columns=["layer", "kind", "k", "channels", "side"]).set_index("layer")

# %% [markdown]
# A filter with $c$ input and $d$ output channels has $k^2 c\,d$ weights and $d$ biases; it needs
# two operations, a multiplication and an addition, per weight and pixel. Transposed convolutions
# (`up`) operate at the resolution of their input, which has a quarter of the output pixels.

# %% tags=["nbval-check-output"]
weights = np.array([packaged.get_parameter(f.weight).numel() for f in filters])
pixels = np.array([(f.side // 2 if f.kind == "up" else f.side) ** 2 for f in filters])
layers["parameters"] = weights + layers["channels"]
layers["GFLOP"] = 2e-9 * weights * pixels
print(layers.round(3).to_string())

# %% [markdown]
# The text counts 17 convolutions in the NBD. This number is correct if the two transposed
# convolutions are not counted: 2 + 3 + 6 + 3 + 2 + 1.

# %% tags=["nbval-check-output"]
print(layers[layers.index.str.startswith("nbd")]["kind"].value_counts().to_string())

# %% [markdown]
# The next table sums parameters and operations over the layers of each resolution.

# %% tags=["nbval-check-output"]
by_side = layers.groupby("side")[["parameters", "GFLOP"]].sum()
print((100 * by_side / by_side.sum()).round(1).astype(str).add(" %").to_string())

# %% [markdown]
# Most parameters are at a quarter of the resolution, in six wide layers that process few pixels.
# The operations are distributed more evenly. The NLE needs few of both:

# %% tags=["nbval-check-output"]
print(layers.groupby(layers.index.str[:3])[["parameters", "GFLOP"]].sum().round(2).to_string())

# %% [markdown]
# **Check.** The table must agree with two independent counters: `count_parameters`, which sums the
# parameters of the module, and PyTorch's `FlopCounterMode`, which counts the operations of a
# forward pass of one 128×128 patch.


# %%
def gflop(network, side=128):
    """Operations of one forward pass, in 10^9, as PyTorch counts them."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, side, side))
    return counter.get_total_flops() / 1e9


# %% tags=["nbval-check-output"]
released = build_network("xbdcnn", models.AS_RELEASED).eval()
for name, network in {"as written": packaged, "as released": released}.items():
    print(f"{name}: {models.count_parameters(network):,} parameters, {gflop(network):.2f} GFLOP")

# %%
assert layers["parameters"].sum() == models.count_parameters(packaged) == 4_363_171
assert np.isclose(layers["GFLOP"].sum(), gflop(packaged))
assert models.count_parameters(released) == 4_344_163 and round(gflop(released), 2) == 18.44

# %% [markdown]
# ### Recipes: the disputed choices by name
#
# The text, the equations and the first author's published code do not always agree. A `Recipe` has
# one field per disagreement; the first three below concern the architecture, the others noise and
# loss (notebook 04). Only fields that differ between recipes are shown. A column describes one
# recipe, a row one disagreement.

# %% tags=["nbval-check-output"]
names = ["AS_WRITTEN", "FAIREST", "AS_RELEASED", "BALANCED", "WITHOUT_NLE", "WITHOUT_SSIM"]
fields = pd.DataFrame({name: asdict(getattr(models, name)) for name in names}, dtype=object)
fields = fields.map(lambda value: str(value).strip("()"))
print(fields[fields.nunique(axis=1) > 1].to_string())

# %% [markdown]
# `AS_WRITTEN` follows the text, `AS_RELEASED` the code, and the last two columns are the ablations of
# Table I. The weights, units and reductions of `BALANCED` are ours. `FAIREST` follows the text, too,
# but for two fields, which the text does not state: the scale of the images in the loss and the units
# of the level maps. They were found by measurement, as those of the reading with the highest mean
# PSNR of the validation images in short training runs of half width ([notebook
# 07](07_ablations.ipynb#what-the-text-leaves-open) has all readings and their intervals).

# %%
readings = results.table("trials_reading")
means = readings.groupby("trial")["val_psnr"].mean().sort_values(ascending=False)
best = next(trial for trial in series.SERIES["reading"] if trial.label == means.index[0])
print(f"{len(means)} readings, {readings['seed'].nunique()} seeds each;", end=" ")
print(results.source_line("trials_reading"))
print(f"highest: '{best.label}', {means.iloc[0]:.2f} dB; it changes the fields {best.recipe}")
print(
    f"second: '{means.index[1]}', {means.iloc[1]:.2f} dB; as written {means['as written']:.2f} dB"
)
single = trials.effects(readings).set_index("trial")
for label in ("loss on 0-255", "level maps in equal units"):
    row = single.loc[label]
    print(f"'{label}' by itself: {row.effect:+.2f} dB [{row.low:+.2f}, {row.high:+.2f}]")

# %% [markdown]
# The intervals are over seeds. With so few of them, the best of many readings cannot be told from the
# second, and one interval above zero among many is no proof. The learning rates, "cosine" instead of
# the single step of the text, are no field of a recipe; all networks of the tables share them.
#
# **Check.** The reading with the highest PSNR is the one that the package calls `FAIREST`.

# %%
assert replace(models.AS_WRITTEN, **best.recipe) == models.FAIREST

# %% [markdown]
# The next cell counts the parameters of each architectural choice. It starts from the text and
# changes one choice at a time; the fourth line has both choices of the released code, the last is
# the ablation without an NLE.

# %% tags=["nbval-check-output"]
shared, small_output = {"share_nle_weights": True}, {"output_kernel": 1}
for choice in ({}, shared, small_output, shared | small_output, {"use_nle": False}):
    network = models.XBDCNN(replace(models.AS_WRITTEN, **choice))
    print(f"{models.count_parameters(network):,} parameters with", choice or "the text's choices")

# %% [markdown]
# We read "five convolution layers" as five different filters; the code applies one 32→32 filter
# three times. According to the text all convolution layers are 3×3; the last layer of the code is
# 1×1. Neither choice changes the number of parameters by more than half a percent.
#
# ### The receptive field
#
# The receptive field is the set of input pixels that can change one output pixel. Backpropagation
# from that pixel determines it, because the gradient is zero outside. Positive weights ensure that
# no contributions cancel and no ReLU is inactive; a narrow network has the same receptive field as
# a wide one.


# %%
def with_positive_weights(network):
    """The same architecture with small positive weights and no bias, in float64."""
    for parameter in network.double().parameters():
        parameter.data = parameter.data.abs() * 0.1 * (parameter.ndim > 1)
    return network


# %% [markdown]
# The gradient of one output pixel has one value per input pixel. We choose output pixels near the
# middle of a 128×128 image, so that its borders do not truncate the receptive field.


# %%
def pixel_gradient(network, at, side=128):
    """Magnitude of the gradient of one output pixel with respect to every input pixel."""
    image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    # [0] is the restored image of a whole network, and the two maps of an NLE.
    network(image)[0][..., at, at].sum().backward()
    return image.grad[0, 0].abs().numpy()


def extent(gradient):
    """Height in pixels of the region where a gradient is not zero."""
    return np.ptp(np.flatnonzero(gradient.max(axis=1))) + 1


# %% [markdown]
# We measure the NLE alone, the denoiser alone, and both in series, at four neighbouring rows.

# %% tags=["nbval-check-output"]
with_nle = with_positive_weights(build_network("xbdcnn", replace(models.AS_WRITTEN, width=4)))
without_nle = with_positive_weights(build_network("xbdcnn", replace(models.WITHOUT_NLE, width=4)))
print("NLE alone:", extent(pixel_gradient(with_nle.nle, 64)), "pixels")
for at in (64, 65, 66, 67):
    nbd, both = (extent(pixel_gradient(network, at)) for network in (without_nle, with_nle))
    print(f"output row {at}: {nbd} pixels without the NLE, {both} with it")

# %% [markdown]
# The NLE estimates the noise from 11×11 pixels, which is few: the standard deviation of $n$ samples
# is itself uncertain by $1/\sqrt{2n}$, six percent of it here, and anatomy adds to the variance.
# The receptive field of the whole network is 94 to 98 pixels wide, that of the U-Net alone 84 to
# 88. Its size depends on the position of the output pixel in the 4×4 grid of the two poolings.
#
# **Check.** Finite differences must agree. Without biases a black image stays black; one white
# pixel at the edge of the receptive field must change the output, one just outside must not.

# %%
field = pixel_gradient(with_nle, 64)
edge = np.flatnonzero(field.max(axis=1)).min()
column = field[edge].argmax()
for position, reaches in ((edge, True), (edge - 1, False)):
    image = torch.zeros(1, 1, 128, 128, dtype=torch.float64)
    image[0, 0, position, column] = 1.0
    assert (with_nle(image).image[0, 0, 64, 64].item() > 0) == reaches

# %% [markdown]
# The receptive field does not show how much each pixel contributes. For the trained weights of the
# package we take the central 256×256 pixels of a test radiograph, add noise, and compute the
# gradient of the middle pixel of the result.

# %%
pretrained = load_pretrained("xbdcnn")
clean = central_crop(source.images("test", 1)[0], 256)
clean = torch.from_numpy(clean.copy())[None, None]
noisy = noise.add_hybrid_noise(clean, 0.6, 10.0, torch.Generator().manual_seed(0))

# %%
trained_input = noisy.clone().requires_grad_()
pretrained.network(trained_input).image[0, 0, 128, 128].backward()
trained_gradient = trained_input.grad[0, 0].abs().numpy()

# %% [markdown]
# We sort the pixels by the magnitude of their gradient and count the pixels that hold half of the
# sum.

# %%
share = np.sort(trained_gradient.ravel())[::-1].cumsum() / trained_gradient.sum()
half, most = np.searchsorted(share, [0.5, 0.9]) + 1
print(f"half of the gradient lies in {half} pixels, 90 % in {most}, of {trained_gradient.size}")

# %% [markdown]
# The magnitudes differ by several decades, so they are shown on a logarithmic scale.


# %%
def on_log_scale(gradient):
    """Map five decades of a gradient to [0, 1]: 1 is its largest value, 0 is 1e-5 of it."""
    return 1 + np.log10(gradient / gradient.max() + 1e-12) / 5


# %%
pictures = {
    "receptive field (white)": 1.0 * (field > 0),
    "trained (log, five decades)": on_log_scale(trained_gradient)[64:192, 64:192],
}
fig = plotting.show_images(pictures)
caption = "Gradient of one output pixel with respect to the input, 128 x 128 pixels around it."
plotting.save_figure(fig, figures / "03_receptive_field", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The left picture shows the receptive field of the architecture in white (no data), the right one,
# at the same scale, the gradient of the shipped weights for one pixel of a noisy test image
# (profile and data as printed at the top). The right picture is valid for this pixel and this noise
# only; near an edge it would differ.
#
# ### The residual
#
# With the last filter set to zero the residual is zero and the network returns its input, so it
# has to represent only the noise and not the image. Here the bias of that filter is set to 0.1, so
# that a residual of known size and sign must appear.

# %%
identity = models.XBDCNN(replace(models.AS_WRITTEN, width=4))
torch.nn.init.zeros_(identity.nbd.output.weight)
torch.nn.init.constant_(identity.nbd.output.bias, 0.1)
with torch.no_grad():
    assert torch.allclose(identity(noisy).image, noisy + 0.1)

# %% [markdown]
# The assertion also shows the sign. The paper adds the residual, so $\mathcal R \approx g - f$ is
# *minus* the noise; the released code subtracts it. A network can learn either equally well.
#
# Where does training start? The initial weights are random and not zero. The next cell measures
# what untrained networks of three seeds add to the noisy image, in grey levels.

# %%
for seed in range(3):
    untrained = build_network("xbdcnn", models.AS_WRITTEN, seed).eval()
    with torch.no_grad():
        added = 255 * (untrained(noisy).image - noisy)
    after = metrics.psnr(noisy + added / 255, clean).item()
    print(f"seed {seed}: mean {added.mean():+.2f}, standard deviation {added.std():.2f}", end="; ")
    print(f"PSNR {metrics.psnr(noisy, clean).item():.2f} -> {after:.2f} dB")

# %% [markdown]
# An untrained network shifts the brightness by a constant that depends on the seed and changes
# little else. It does not start as the identity: its PSNR is below that of its input.
#
# We apply the trained network to the noisy patch. Ideally its residual equals the true $g - f$; a
# correlation of 1 would be a perfect match up to the scale.

# %%
with torch.no_grad():
    restored, maps = pretrained.network(noisy)
residual = restored - noisy
before, after = (metrics.psnr(x.clamp(0, 1), clean).item() for x in (noisy, restored))
correlation = np.corrcoef(residual.ravel(), (clean - noisy).ravel())[0, 1]
print(f"PSNR {before:.2f} -> {after:.2f} dB; correlation of R with g - f: {correlation:.3f}")

# %%
pictures = {"noisy $f$": noisy, r"restored $\hat g$": restored, "clean $g$": clean}
fig = plotting.show_images({title: x[0, 0].numpy() for title, x in pictures.items()})
caption = "A test patch at (eta, sigma) = (0.6, 10), restored by the shipped weights."
plotting.save_figure(fig, figures / "03_restored", caption, facts, smoke=settings.is_smoke)
fig

# %%
fig = plotting.residual_plot(*(x[0, 0].numpy() for x in (noisy, restored, clean)))
caption = "What the shipped weights removed, against the noise that was there."
plotting.save_figure(fig, figures / "03_residual", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The first figure shows the patch, the second what the network removed, $f - \hat g = -\mathcal R$
# (profile and data as printed at the top). Ideally the removed image contains noise only: no
# visible edges, the histogram of the true noise, and a flat spectrum. (Its picture is reduced, which
# weakens the noise.) The spectrum of the removed
# image decreases at low frequencies, where the network leaves noise in the image because it cannot
# distinguish it from anatomy.
#
# ### The estimated noise levels
#
# For the same patch at several noise levels, we print the mean of the two maps in the units of the
# paper. How well the levels are distinguished depends on the training.

# %%
for eta, sigma in [(0.4, 5), (0.4, 15), (0.8, 10), (1.5, 5), (1.5, 15)]:
    f = noise.add_hybrid_noise(clean, eta, sigma, torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = pretrained.network(f).levels
    means = [m.item() for m in noise.levels_from_maps(maps, pretrained.recipe.level_scaling)]
    print(f"true η {eta}, σ {sigma:2d}; estimated η {means[0]:.2f}, σ {means[1]:.1f}")

# %% [markdown]
# The maps as images show what the means hide: the true level is the same at every pixel, and the
# estimate is not. Both are on the scale of the training range, black to white, and show the middle
# of the patch.

# %%
LIMITS = {"η": paper.ETA_RANGE, "σ": paper.SIGMA_RANGE}
panels = {"noisy": noisy[0, 0].numpy()}
estimates = pretrained.restore(panels["noisy"], maps=True).levels
for (sign, (low, high)), true, guess in zip(LIMITS.items(), (0.6, 10.0), estimates, strict=True):
    panels[f"true {sign}"] = np.full(guess.shape, (true - low) / (high - low))
    panels[f"estimated {sign}"] = ((guess - low) / (high - low)).clip(0, 1)

# %%
fig = plotting.show_images({name: panel[64:192, 64:192] for name, panel in panels.items()})
caption = "True and estimated level maps of the patch's middle at (eta, sigma) = (0.6, 10)."
plotting.save_figure(fig, figures / "03_level_maps", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The maps of the shipped network, "balanced", at (0.6, 10) (profile and data as printed at the
# top); 128 × 128 pixels, enlarged. The estimate of η is nearly the same everywhere and far from the
# truth; that of σ varies over lengths of about the 11×11 pixels from which it is computed.
#
# What do the layers in between respond to? A hook stores the output of the first decoder block,
# at half the resolution; six of its 128 channels with the largest standard deviation are shown,
# each scaled to its own range.

# %%
stored = {}
hook = pretrained.network.nbd.decode1.register_forward_hook(
    lambda module, inputs, output: stored.update(features=output[0])
)
with torch.no_grad():
    pretrained.network(noisy)
hook.remove()

# %%
features = stored["features"].numpy()
spread = features.std(axis=(1, 2)).argsort()[::-1][:6]
scaled = {f"channel {i}": features[i] / features[i].max() for i in spread}
fig = plotting.show_images(scaled)
caption = "Six channels of the first decoder block at half the resolution, each on its own scale."
plotting.save_figure(fig, figures / "03_features", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Several channels respond to structure of one direction, others to grain in the whole field. None
# of them shows the radiograph itself, which the connection around the U-Net adds at the end.
#
# Known levels can be passed instead, which makes the network non-blind: the NLE is then skipped.
# One would expect the true levels to improve the result.

# %%
known = noise.level_maps(0.6, 10.0, noisy, pretrained.recipe.level_scaling)
with torch.no_grad():
    oracle = pretrained.network(noisy, known).image
non_blind = metrics.psnr(oracle.clamp(0, 1), clean).item()
print(f"blind {after:.3f} dB, with true η and σ {non_blind:.3f} dB")

# %% [markdown]
# Where the true levels give a lower PSNR than the network's own estimate, the probable cause is
# training: the U-Net has been trained only with the maps of its NLE and can adapt to their bias.
# The maps are then an intermediate result of the network and not a parameter for the user.
#
# ### Any size
#
# The U-Net halves the resolution twice, so the sides must be multiples of 4. The network pads the
# lower and right border by reflection and crops afterwards; the smallest side is 16 pixels.

# %%
show_source(models.pad_to_multiple)

# %%
with torch.no_grad():
    for height, width in [(16, 16), (17, 23), (100, 131), (255, 256)]:
        out = pretrained.network(noisy[..., :height, :width]).image
        print(f"{height} x {width} -> {tuple(out.shape[-2:])}")
        assert out.shape[-2:] == (height, width)

# %% [markdown]
# **Check.** Padding may change pixels near the border, but no pixel farther from it than half the
# receptive field. We remove a few rows and columns, restore again, and compare with the result of
# the whole patch.

# %%
with torch.no_grad():
    cut = pretrained.network(noisy[..., :253, :254]).image
difference = (cut - restored[..., :253, :254]).abs()[0, 0]
print(f"largest difference at the border {difference.max():.1e}", end=", ")
print(f"60 pixels inside {difference[:193, :194].max():.1e}")
assert difference[:193, :194].max() < 1e-4 < difference.max()

# %% [markdown]
# ## Discussion
#
# The text and the code agree on the principle, but define two slightly different networks.
#
# | question | the paper's text | the released code | here |
# |---|---|---|---|
# | NLE, layers 2 to 4 | three layers | one filter, applied three times | `share_nle_weights` |
# | channels of the NLE's last layer | 32, as of each layer | 2 | 2, one per level |
# | last filter of the NBD | 3×3 | 1×1 | `output_kernel` |
# | which 17 layers | "17 convolution layers" | transposed convolutions not counted | not counted |
# | skip connections of the U-Net | "skip connections" | added | added |
# | down-sampling | "down-sampling layers" | average pooling | average pooling |
# | channels of the NBD | not given | 64, 128, 256 | `width`, twice, four times |
# | sign of the residual | $f + \mathcal R$ | $f - \mathcal R$ | $f + \mathcal R$ |
#
# Where the text gives no value we use that of the code (`FAIREST` uses measured ones for two fields,
# see above), and where both give one we use that of the text, except that the last layer of the NLE
# has one channel per level as in the code; so `AS_WRITTEN` has 4,363,171
# parameters and `AS_RELEASED` 4,344,163. [Notebook
# 11](11_audit.ipynb) measures the effect of these choices; short training runs vary too much
# between seeds to decide.
#
# The NLE has less than one percent of the parameters and a receptive field of 11 pixels. Its
# contribution is the subject of the paper's ablation, and of notebook 07.

# %% [markdown]
# ## Two questions
#
# **1.** X-BDCNN is trained on 64×64 patches instead of 128×128. What is lost at the borders of a
# patch, given the receptive field measured above?
#
# <details><summary>Answer</summary>
#
# The receptive field is wider than the patch, so every output pixel depends on zero padding
# somewhere. In a 128×128 patch only a small square in the middle is free of it. The gradient map
# shows that the effect is small, because most of the gradient is in the nearest few pixels. It also
# shows why whole images are restored in tiles with a generous overlap.
#
# </details>
#
# **2.** Why do the six layers at quarter resolution hold most of the parameters, but not most of
# the operations?
#
# <details><summary>Answer</summary>
#
# Each halving doubles the channels, which quadruples the weights of a filter, and leaves a quarter
# of the pixels. The two effects cancel in the operations: a layer needs about the same number at
# every resolution, but has four times as many parameters at half the resolution.
#
# </details>

# %% [markdown]
# ## Take-away
#
# - The NLE estimates one map for η and one for σ with five small layers; the NBD, a U-Net of 17
#   convolutions, receives the image and both maps and predicts a residual that is added to the
#   image.
# - Nearly all parameters and operations are in the NBD. The NLE sees 11×11 pixels, the whole
#   network a field of 94 to 98 pixels.
# - The text and the released code define two slightly different networks. A `Recipe` has a name for
#   each choice.
#
# ## References
#
# - S. Guo, Z. Yan, K. Zhang, W. Zuo, L. Zhang, *Toward convolutional blind denoising of real
#   photographs* (CBDNet), CVPR 2019,
#   [doi:10.1109/CVPR.2019.00181](https://doi.org/10.1109/CVPR.2019.00181): an estimator of five
#   layers before a U-Net.
# - O. Ronneberger, P. Fischer, T. Brox, *U-Net: Convolutional networks for biomedical image
#   segmentation*, MICCAI 2015,
#   [doi:10.1007/978-3-319-24574-4_28](https://doi.org/10.1007/978-3-319-24574-4_28).

# %%
print(run_time())
