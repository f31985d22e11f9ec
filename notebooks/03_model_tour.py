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
# X-BDCNN is two networks in a row. A small one looks at the noisy radiograph and says how noisy it
# is; a larger one takes the radiograph together with that opinion and removes the noise. The paper
# describes them in half a column and one drawing. Here every layer can be counted, and every place
# where drawing, text and published code disagree has a name.
#
# ## What you'll do
#
# You draw Fig. 1 from the network itself, walk through its layers with their parameters and costs,
# measure how far a pixel can see, look at a residual, and compare the readings of the architecture.
#
# ## What you'll learn
#
# How the noise level estimation (NLE) and non-blind denoising (NBD) subnetworks fit together, where
# the 4.36 million parameters sit, what residual learning means here, and what a `Recipe` is.
#
# ## What you need
#
# You should know what a convolution and a ReLU are. The notebook takes less than a minute on 2 CPU
# cores; nothing is trained in it.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from xbdcnn import metrics, models, noise, plotting
from xbdcnn.data import find_source
from xbdcnn.inference.layers import record
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import build_network
from xbdcnn.study.notebook import show_source
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
# Sec. II-B of the paper defines X-BDCNN by three maps. The first estimates, for every pixel of the
# noisy image $f$, the level of both noises:
#
# $$\hat l_{\sigma,\eta}(f) = \mathcal F_{NLE}(f; W_{NLE}).$$
#
# It is five 3×3 convolutions of 32 channels with a ReLU after each, and a skip connection that adds
# the output of the first layer to that of the fourth. There is no pooling: the output has the size
# of the image, one map for η and one for σ, although the truth is constant over an image.

# %%
show_source(models.NLE)

# %% [markdown]
# The bias of the last layer, the middle of either range, is ours. A ReLU at the very end has no
# gradient where it outputs zero; a network that starts at zero for every image would stay there.
#
# The second map is the denoiser. The paper writes it as a *residual*, a correction that is added to
# its input:
#
# $$\hat g = f + \mathcal R\bigl(f, \hat l_{\sigma,\eta}(f); W_{NBD}\bigr).$$
#
# $\mathcal R$ is a U-Net of 17 convolutions. It halves the resolution twice by average pooling,
# returns by two transposed convolutions, and adds its skip connections instead of stacking them.
# Pooling widens the view and saves work; the skips bring back the fine detail that it lost.

# %%
show_source(models.NBD)

# %% [markdown]
# The whole network concatenates the image and its two level maps, and adds the residual to the
# image. Images whose sides are no multiple of 4 are mirrored at the border first and cropped after.

# %%
show_source(models.XBDCNN.forward)

# %% [markdown]
# ## Practical
#
# ### Fig. 1, drawn from the model
#
# The drawing below is not traced from the paper. `tracing.record` sends a blank image through the
# network, writes down each operation, and `plotting.figure_1` lays the list out: height is
# resolution, thickness is channels. A change to the code changes the picture.

# %%
written = build_network("xbdcnn", models.AS_WRITTEN).eval()
fig = plotting.figure_1(written)
caption = "Fig. 1: X-BDCNN as the text describes it, drawn from the operations it performs."
no_data = facts | {"data": "none"}
plotting.save_figure(fig, figures / "03_figure_1", caption, no_data, settings.is_smoke, svg=True)
fig

# %% [markdown]
# Figure 1 of the paper, regenerated (no data enters it): the NLE on the left, the U-Net on the
# right, and the arc above them that carries the noisy image to the final addition.
#
# ### Layer by layer
#
# The same list as a table, for a patch of 128×128 pixels. Pooling, addition and concatenation are
# in the list too, but have nothing to learn; we keep what owns a filter, in the order of use.

# %%
filters = [layer for layer in record(written, side=128) if layer.weight]
rows = [(f.weight.removesuffix(".weight"), f.kind, f.kernel, f.channels, f.side) for f in filters]
layers = pd.DataFrame(rows, columns=["layer", "kind", "k", "channels", "side"]).set_index("layer")

# %% [markdown]
# A filter that reads $c$ channels and writes $d$ has $k^2 c\,d$ weights and $d$ biases; it costs two
# operations, a product and a sum, per weight and pixel. Transposed convolutions (`up`) work at their
# input's resolution, a quarter of the pixels they write.

# %% tags=["nbval-check-output"]
weights = np.array([written.get_parameter(f.weight).numel() for f in filters])
pixels = np.array([(f.side // 2 if f.kind == "up" else f.side) ** 2 for f in filters])
layers["parameters"] = weights + layers["channels"]
layers["GFLOP"] = 2e-9 * weights * pixels
print(layers.round(3).to_string())

# %% [markdown]
# The text counts 17 convolutions in the NBD. That number is right if the two transposed
# convolutions are left out: 2 + 3 + 6 + 3 + 2 + 1.

# %% tags=["nbval-check-output"]
print(layers[layers.index.str.startswith("nbd")]["kind"].value_counts().to_string())

# %% [markdown]
# Where do parameters and work sit? We add up the rows that share a resolution.

# %% tags=["nbval-check-output"]
where = layers.groupby("side")[["parameters", "GFLOP"]].sum()
print((100 * where / where.sum()).round(1).astype(str).add(" %").to_string())

# %% [markdown]
# Most parameters live at a quarter of the resolution, in six wide layers that run over few pixels.
# The work is spread more evenly. The NLE is a light passenger:

# %% tags=["nbval-check-output"]
print(layers.groupby(layers.index.str[:3])[["parameters", "GFLOP"]].sum().round(2).to_string())

# %% [markdown]
# **Check.** Our table must agree with two independent counters: `count_parameters`, which asks the
# module, and PyTorch's own `FlopCounterMode`, which watches a forward pass of one 128×128 patch.


# %%
def gflop(network, side=128):
    """Operations of one forward pass, in 10^9, as PyTorch counts them."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, side, side))
    return counter.get_total_flops() / 1e9


# %% tags=["nbval-check-output"]
released = build_network("xbdcnn", models.AS_RELEASED).eval()
for name, network in {"as written": written, "as released": released}.items():
    print(f"{name}: {models.count_parameters(network):,} parameters, {gflop(network):.2f} GFLOP")

# %%
assert layers["parameters"].sum() == models.count_parameters(written) == 4_363_171
assert np.isclose(layers["GFLOP"].sum(), gflop(written))
assert models.count_parameters(released) == 4_344_163 and round(gflop(released), 2) == 18.44

# %% [markdown]
# ### Recipes: the disputed choices by name
#
# Paper, equations and the first author's published code do not always say the same. A `Recipe` has
# one field per disagreement; the first three below concern the architecture, the rest noise and
# loss (notebook 04). Only fields that differ somewhere are shown. Read a column to see what a recipe
# stands for, a row to see who disagrees.

# %% tags=["nbval-check-output"]
names = ["AS_WRITTEN", "AS_RELEASED", "WITHOUT_NLE", "WITHOUT_SSIM", "BALANCED"]
fields = pd.DataFrame({name: asdict(getattr(models, name)) for name in names}, dtype=object)
fields = fields.map(lambda value: str(value).strip("()"))
print(fields[fields.nunique(axis=1) > 1].to_string())

# %% [markdown]
# What do the architectural choices cost? Flip one at a time, starting from the text; the fourth line
# has both of the released code, the last is the ablation without an NLE.

# %% tags=["nbval-check-output"]
shared, small = {"share_nle_weights": True}, {"output_kernel": 1}
for choice in ({}, shared, small, shared | small, {"use_nle": False}):
    network = models.XBDCNN(replace(models.AS_WRITTEN, **choice))
    print(f"{models.count_parameters(network):,} parameters with", choice or "the text's choices")

# %% [markdown]
# "Five convolution layers" reads as five filters; the code applies one 32→32 filter three times.
# "3×3 in all convolution layers" is plain; the code ends with 1×1. Neither matters for the size:
# the readings are less than half a percent apart.
#
# ### How far a pixel can see
#
# The receptive field is the set of input pixels that can change one output pixel. Backpropagation
# from that pixel finds it: gradients vanish outside. Positive weights make sure that nothing
# cancels and no ReLU blocks the way; a narrow network has the same reach as a wide one.


# %%
def positive(network):
    """The same wiring with small positive weights and no bias, in float64."""
    for parameter in network.double().parameters():
        parameter.data = parameter.data.abs() * 0.1 * (parameter.ndim > 1)
    return network


# %% [markdown]
# The gradient of one output pixel, then, has one value per input pixel. We look near the middle of
# a 128×128 image, far enough from its borders that they do not cut the field.


# %%
def seen_from(network, at, side=128):
    """Magnitude of the gradient of one output pixel with respect to every input pixel."""
    image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    # [0] is the restored image of a whole network, and the two maps of an NLE.
    network(image)[0][..., at, at].sum().backward()
    return image.grad[0, 0].abs().numpy()


def extent(gradient):
    """Height in pixels of the region where a gradient is not zero."""
    return np.ptp(np.flatnonzero(gradient.max(axis=1))) + 1


# %% [markdown]
# We ask the NLE alone, the denoiser alone, and both in a row, at four neighbouring rows.

# %% tags=["nbval-check-output"]
narrow = positive(build_network("xbdcnn", replace(models.AS_WRITTEN, width=4)))
blind = positive(build_network("xbdcnn", replace(models.WITHOUT_NLE, width=4)))
print("NLE alone:", extent(seen_from(narrow.nle, 64)), "pixels")
for at in (64, 65, 66, 67):
    known, whole = (extent(seen_from(network, at)) for network in (blind, narrow))
    print(f"output row {at}: {known} pixels without the NLE, {whole} with it")

# %% [markdown]
# The NLE judges the noise from 11×11 pixels, which is little: the standard deviation of 121 samples
# is itself uncertain by six percent, and anatomy gets in the way. The U-Net sees about ninety. Its
# reach depends on where a pixel lies in the 4×4 grid that two poolings impose.
#
# **Check.** Finite differences must agree. Without biases a black image stays black; one white pixel
# at the edge of the field must light up the output, one just outside must not.

# %%
field = seen_from(narrow, 64)
edge = np.flatnonzero(field.max(axis=1)).min()
column = field[edge].argmax()
for position, reaches in ((edge, True), (edge - 1, False)):
    image = torch.zeros(1, 1, 128, 128, dtype=torch.float64)
    image[0, 0, position, column] = 1.0
    assert (narrow(image).image[0, 0, 64, 64].item() > 0) == reaches

# %% [markdown]
# What can be seen is not what is looked at. For the package's own trained weights we take the central
# 256×256 of a test radiograph, add noise, and ask the middle pixel of the result.

# %%
pretrained = load_pretrained("xbdcnn")
clean = source.images("test", 1)[0]
top, left = (length // 2 - 128 for length in clean.shape)
clean = torch.from_numpy(clean[top : top + 256, left : left + 256].copy())[None, None]
noisy = noise.add_hybrid_noise(clean, 0.6, 10.0, torch.Generator().manual_seed(0))

# %%
trained_input = noisy.clone().requires_grad_()
pretrained.network(trained_input).image[0, 0, 128, 128].backward()
attention = trained_input.grad[0, 0].abs().numpy()

# %% [markdown]
# Sort the pixels by their gradient and add up from the largest: how few of them hold half of it?

# %%
share = np.sort(attention.ravel())[::-1].cumsum() / attention.sum()
half, most = np.searchsorted(share, [0.5, 0.9]) + 1
print(f"half of the gradient lies in {half} pixels, 90 % in {most}, of {attention.size}")

# %% [markdown]
# A logarithm brings such different sizes into one picture.


# %%
def on_log_scale(gradient):
    """Five decades of a gradient as grey: its largest value is white, 1e-5 of it black."""
    return 1 + np.log10(gradient / gradient.max() + 1e-12) / 5


# %%
pictures = {
    "can see (white)": 1.0 * (field > 0),
    "does look (log, five decades)": on_log_scale(attention)[64:192, 64:192],
}
fig = plotting.show_images(pictures)
caption = "Gradient of one output pixel with respect to the input, 128 x 128 pixels around it."
plotting.save_figure(fig, figures / "03_receptive_field", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Left, in white, the receptive field of the architecture (no data); right, at the same scale, where
# the shipped weights look for one pixel of a noisy test image (profile and data as printed at the
# top). The right picture belongs to this one pixel and this noise: beside an edge it would look
# different.
#
# ### The residual
#
# With the last filter set to zero the residual is zero and the network returns its input. Training
# starts close to the identity and only has to learn the noise, which is why residual networks
# denoise well early on. Here the bias of that filter is set to 0.1, so that a residual of known size
# and sign must appear.

# %%
idle = models.XBDCNN(replace(models.AS_WRITTEN, width=4))
torch.nn.init.zeros_(idle.nbd.output.weight)
torch.nn.init.constant_(idle.nbd.output.bias, 0.1)
with torch.no_grad():
    assert torch.allclose(idle(noisy).image, noisy + 0.1)

# %% [markdown]
# The assertion also settles the sign. The paper adds the residual, so $\mathcal R \approx g - f$ is
# *minus* the noise; the released code subtracts it. A network learns either equally well.
#
# Now the trained network on the noisy patch. If it does what it should, its residual goes up and
# down with the true $g - f$; a correlation of 1 would be a perfect match, up to its scale.

# %%
with torch.no_grad():
    restored, maps = pretrained.network(noisy)
residual = restored - noisy
before, after = (metrics.psnr(x.clamp(0, 1), clean).item() for x in (noisy, restored))
similarity = np.corrcoef(residual.ravel(), (clean - noisy).ravel())[0, 1]
print(f"PSNR {before:.2f} -> {after:.2f} dB; correlation of R with g - f: {similarity:.3f}")

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
# Above the patch, below what was taken from it, $f - \hat g = -\mathcal R$ (profile and data as
# printed at the top). It should look like noise and nothing else: no edges in the picture, the
# histogram of the true noise, and its flat spectrum. Where the spectrum of what was removed dips, at
# low frequencies, noise was left in the image, since it could not be told from anatomy.
#
# ### What the NLE says
#
# The same patch at a few noise levels, and the mean of the two maps brought back to the paper's
# units. How well the levels are told apart depends on the training; read the numbers, not the plan.

# %%
for eta, sigma in [(0.4, 5), (0.4, 15), (0.8, 10), (1.5, 5), (1.5, 15)]:
    f = noise.add_hybrid_noise(clean, eta, sigma, torch.Generator().manual_seed(0))
    with torch.no_grad():
        maps = pretrained.network(f).levels
    found = noise.levels_from_maps(maps, pretrained.recipe.level_scaling)
    print(f"true η {eta}, σ {sigma:2d}; estimated η {found[0].item():.2f}, σ {found[1].item():.1f}")

# %% [markdown]
# Known levels can be handed in instead, which makes the network non-blind: the NLE is then skipped.
# One expects the truth to help.

# %%
known = noise.level_maps(0.6, 10.0, noisy, pretrained.recipe.level_scaling)
with torch.no_grad():
    informed = pretrained.network(noisy, known).image
told = metrics.psnr(informed.clamp(0, 1), clean).item()
print(f"blind {after:.3f} dB, told η and σ {told:.3f} dB")

# %% [markdown]
# Where the truth does worse than the network's own estimate, the reason is training: the U-Net has
# only ever met the maps that its NLE makes, and has learnt to read those, biased as they are. The two
# subnetworks speak a private language; the maps are an intermediate result, not a control knob.
#
# ### Any size
#
# The U-Net halves the image twice, so sides must be multiples of 4. The wrapper mirrors the lower
# and right border and crops afterwards; 16 pixels is the smallest side.

# %%
show_source(models.pad_to_multiple)

# %%
with torch.no_grad():
    for height, width in [(16, 16), (17, 23), (100, 131), (255, 256)]:
        out = pretrained.network(noisy[..., :height, :width]).image
        print(f"{height} x {width} -> {tuple(out.shape[-2:])}")
        assert out.shape[-2:] == (height, width)

# %% [markdown]
# **Check.** Padding may alter the border, but nothing farther from it than the receptive field. We
# cut a few rows and columns off, restore again, and compare with what the whole patch gave there.

# %%
with torch.no_grad():
    cut = pretrained.network(noisy[..., :253, :254]).image
difference = (cut - restored[..., :253, :254]).abs()[0, 0]
print(f"largest change at the border {difference.max():.1e}", end=", ")
print(f"60 pixels inside {difference[:193, :194].max():.1e}")
assert difference[:193, :194].max() < 1e-4 < difference.max()

# %% [markdown]
# ## Discussion
#
# The text, the drawing and the code describe the same idea and three slightly different networks.
#
# | question | the paper's text | the released code | here |
# |---|---|---|---|
# | NLE, layers 2 to 4 | three layers | one filter, applied three times | `share_nle_weights` |
# | last filter of the NBD | 3×3 | 1×1 | `output_kernel` |
# | which 17 layers | "17 convolution layers" | transposed convolutions not counted | not counted |
# | skip connections of the U-Net | "skip connections" | added | added |
# | down-sampling | "down-sampling layers" | average pooling | average pooling |
# | channels of the NBD | not given | 64, 128, 256 | `width`, twice, four times |
# | sign of the residual | $f + \mathcal R$ | $f - \mathcal R$ | $f + \mathcal R$ |
#
# Where the text is silent we took the code's answer, and where both speak the text's; so `AS_WRITTEN`
# has 4,363,171 parameters and `AS_RELEASED` 4,344,163. What such a choice changes, [notebook
# 11](11_audit.ipynb) has tried: short trainings scatter too much to say. The losses are another
# matter: notebook 04.
#
# The NLE has less than one percent of the parameters and sees 11 pixels. Whether it earns its place
# is what the paper's ablation asks, and notebook 07.

# %% [markdown]
# ## Two questions
#
# **1.** A colleague trains X-BDCNN on 64×64 patches instead of 128×128. What does the network lose
# at the borders of a patch, given the receptive field measured above?
#
# <details><summary>Answer</summary>
#
# The field is wider than the whole patch, so every output pixel sees zero padding somewhere. In a
# 128×128 patch only a small square in the middle is free of it. The gradient map shows that it
# hurts little: most of the weight lies in the nearest few pixels. It also shows why whole images
# are restored in tiles with a generous overlap.
#
# </details>
#
# **2.** Why do the six layers at quarter resolution hold most of the parameters, but not most of
# the operations?
#
# <details><summary>Answer</summary>
#
# Each halving doubles the channels and so quadruples the weights of a filter, while it leaves a
# quarter of the pixels. Both cancel: a layer costs about the same at every resolution, but stores
# four times as much one level down.
#
# </details>
