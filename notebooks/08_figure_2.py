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
# # 08 Figure 2
#
# PSNR and SSIM are averages over the whole image, but a radiologist examines local structures. The
# paper's Fig. 2 shows one radiograph at four strong noise levels, restored by three networks, and
# asks the reader to "enlarge the figure". Here it is reproduced in the same arrangement, with the
# clean image as a reference, an enlarged detail in every panel, and error maps on a common scale.
#
# ## What you'll do
#
# You reproduce Fig. 2, read PSNR and SSIM in each panel, map the errors, and compare what a network
# removed with the true noise.
#
# ## What you'll learn
#
# What to look for in a restored radiograph (spots, lost edges, over-smoothed areas, false texture),
# and how a few numbers quantify these impressions.
#
# ## What you need
#
# Notebooks 01 and 04. The last line of the notebook states how long the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_laplace

from xbdcnn import metrics, noise, plotting
from xbdcnn.data import central_crop, find_source
from xbdcnn.inference import methods, zoo
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import shipped_path
from xbdcnn.plotting.layout import INSET
from xbdcnn.study import scoring
from xbdcnn.study.notebook import expect, run_time, show_source
from xbdcnn.study.profiles import get_profile

settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# ## Theory
#
# Every panel starts from the same clean image $g$. Adding noise of level (η, σ) gives $f$ (Eq. 1),
# a network restores it to $\hat g$, and the residual is the difference of noise and error:
#
# $$\underbrace{f - \hat g}_{\text{removed}} = \underbrace{(f - g)}_{\text{noise}}
#   - \underbrace{(\hat g - g)}_{\text{error}} .$$
#
# If the error were zero, the removed part would be the noise itself: it would contain no anatomy
# and have a flat spectrum, since the noise of different pixels is independent. Anatomy in the
# removed part is lost detail. Missing power is residual noise.

# %%
show_source(scoring.noisy_image)

# %% [markdown]
# PSNR weights all errors equally. Two kinds of error that the paper mentions are quantified
# separately.
#
# *Spots*, which the paper finds in X-ReCNN's images, are rare, large errors. For Gaussian errors
# the 99.9th percentile is 3.3 times the root mean square; spots increase that ratio.
#
# *Structure*, which it finds in X-BDCNN's images, is preserved fine detail. A Laplacian, smoothed
# over two pixels so that the residual noise of the clean image has little influence, responds to
# lines and edges. We project the restored image's Laplacian on the clean one's,
# $\langle \Delta \hat g, \Delta g\rangle / \langle \Delta g, \Delta g\rangle$. It is one if detail
# is preserved and zero if it is smoothed away; independent noise cancels on average.


# %%
def spots(restored, clean):
    """99.9th percentile of the absolute error over the root mean square error; 3.3 if Gaussian."""
    error = np.abs(restored.astype(float) - clean)
    return np.quantile(error, 0.999) / np.sqrt((error**2).mean())


def detail_kept(restored, clean):
    """Projection of the restored Laplacian on the clean one: 1 if all is kept, 0 if none is."""
    first, second = (gaussian_laplace(image.astype(float), 2) for image in (restored, clean))
    return (first * second).sum() / (second**2).sum()


def offset(restored, clean):
    """Mean error in grey levels: positive is too bright, negative too dark."""
    return 255 * (restored.astype(float) - clean).mean()


# %% [markdown]
# ## Practical
#
# ### The image and its noisy versions
#
# The first image of the Table II set; from the built-in radiograph this is a field of 448 pixels at
# the detector's resolution, with clavicle, ribs and spine. The paper's image is not known.

# %%
side = 96 if settings.is_smoke else 1024
clean = central_crop(source.images("table2", 1)[0], side)
size = clean.shape[0] // 5
zoom = (int(0.62 * clean.shape[0]), int(0.70 * clean.shape[1]), size)
levels = plotting.FIGURE_2_LEVELS
print(
    f"{source.name}: {clean.shape[0]} x {clean.shape[1]} pixels, detail of {size}; levels {levels}"
)

# %%
cases = {level: scoring.Case("figure 2", clean, *level, seed) for seed, level in enumerate(levels)}
noisy = {level: scoring.noisy_image(case) for level, case in cases.items()}

# %% [markdown]
# **Check.** Eq. 1 predicts the PSNR of each noisy image from the mean brightness, up to clipping.

# %%
for (eta, sigma), image in noisy.items():
    variance = noise.noise_variance(clean.astype(float), eta, sigma).mean()
    expected, found = 10 * np.log10(255**2 / variance), metrics.psnr(image, clean)
    print(f"η = {eta}, σ = {sigma:g}: expected {expected:.2f} dB, found {found:.2f} dB")
    expect(abs(expected - found) < 1, "they agree within 1 dB", source)

# %% [markdown]
# ### Restoring
#
# The three networks of the paper's figure, and the balanced one for the numbers further down. All
# are blind: their input is the noisy image only. The headers of the weight files describe their
# training.

# %% tags=["needs:05_train@cpu+paper"]
weights = None if settings.shipped_weights else Path(output) / "weights"
available = zoo.shipped_names() if weights is None else methods.trained_names(weights)
names = [n for n in ("dncnn", "xrecnn", "xbdcnn-as-written", "xbdcnn") if n in available]
paths = [shipped_path(n) if weights is None else weights / f"{n}.safetensors" for n in names]
networks = {
    zoo.find_entry(name).label: load_pretrained(path, precision="fp32")
    for name, path in zip(names, paths, strict=True)
}

# %%
for label, network in networks.items():
    header, budget = network.metadata, network.metadata["budget"]
    width = f"{header['recipe']['width']} channels, " if header["architecture"] == "xbdcnn" else ""
    patches = f"{budget['patches']} patches of side {budget['patch_size']}"
    print(f"{label}: {width}{patches} of {header['provenance']['data']},", end=" ")
    print(f"validation {header['scores']['val_psnr']:.2f} dB")

# %%
restored = {
    label: {level: network.denoise(image) for level, image in noisy.items()}
    for label, network in networks.items()
}
balanced, as_written = (zoo.find_entry(name).label for name in ("xbdcnn", "xbdcnn-as-written"))
in_paper = {label: images for label, images in restored.items() if label != balanced}

# %% [markdown]
# ### The figure
#
# Columns are noise levels, from left to right as in the paper; rows are the noisy image and the
# three methods. Each corner enlarges the framed detail.

# %%
fig = plotting.figure_2(clean, noisy, in_paper, zoom)
caption = "Fig. 2: one radiograph at four noise levels, restored by the paper's three networks."
saved = plotting.save_figure(fig, figures / "08_figure_2", caption, facts, settings.is_smoke)
fig

# %% [markdown]
# Figure 2 of the paper, reproduced on an image of the data source and with the profile printed at
# the top; PSNR and SSIM (data range 1) are given in each panel. The panels are smaller than the
# image, here and in the file. The next cell prints the pixels of a panel and of the enlarged
# detail.

# %%
panel = fig.axes[1].get_position().width * Image.open(saved[0]).width
print(f"a panel has about {panel:.0f} pixels for {clean.shape[1]} of the image, ", end="")
print(f"its enlarged detail about {INSET * panel:.0f} for {size}")

# %% [markdown]
# Where a panel has fewer pixels than the image, its noise is averaged and looks weaker than it is.
# Use the enlarged detail for noise and the panel for structure. Follow a thin line, a rib's edge or
# a vessel, from the clean reference through a row. Is it continuous? In the flat grey between the
# ribs, a mottled surface is noise that was blurred instead of removed. In the dark lung, where the
# quantum noise of the model is weak, look for residual electronic noise. Then compare the rightmost
# column with the leftmost: a blind network has to adapt to the different noise without being told.
#
# ### The numbers of the panels

# %%
everything = {"noisy": noisy, **restored}
measures = {"PSNR": metrics.psnr, "SSIM": metrics.ssim}
measures |= {"spots": spots, "detail kept": detail_kept, "offset": offset}
scores = pd.DataFrame(
    {"method": label, "(η, σ)": f"({eta:g}, {sigma:g})"}
    | {name: measure(image, clean) for name, measure in measures.items()}
    for label, images in everything.items()
    for (eta, sigma), image in images.items()
)
panels = scores.pivot(index="method", columns="(η, σ)", values=["PSNR", "SSIM"])
panels.loc[list(everything)].round(3)

# %%
of_networks = scores[scores["method"] != "noisy"]
for level, part in of_networks.groupby("(η, σ)"):
    ranked = part.sort_values("PSNR", ascending=False)
    print(level, " > ".join(f"{row.method} {row.PSNR:.2f}" for row in ranked.itertuples()))

# %% [markdown]
# One image is an illustration only; notebook 06 has the intervals.
#
# **Check.** Every network must be an improvement on every panel: a higher PSNR and a higher SSIM
# than the noisy image. (A network that returned its input would fail.)

# %%
before = scores[scores["method"] == "noisy"].set_index("(η, σ)")[["PSNR", "SSIM"]]
after = of_networks.set_index("(η, σ)")[["PSNR", "SSIM"]]
improved = (after > before.reindex(after.index)).all(axis=None)
expect(improved, "every network improves every panel", source)

# %% [markdown]
# ### Error maps
#
# The same grid, but each panel shows its signed error, restored minus clean, on one colour scale
# that makes small errors visible. White is correct, red too bright, blue too dark.

# %%
fig = plotting.error_maps(clean, noisy, in_paper, zoom)
caption = "Signed errors of Fig. 2's panels in 8-bit grey levels, one colour scale for all."
plotting.save_figure(fig, figures / "08_error_maps", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Error maps of the panels above, same profile and data. Lines that follow the anatomy are edges
# that were moved or blurred. Large pale areas are an offset in brightness. Errors that vary from
# pixel to pixel are residual noise; blotches of several pixels are noise that was smoothed but not
# removed.
#
# Spots, detail and offset (in grey levels), averaged over the four noise levels:

# %%
shape = scores.groupby("method", sort=False)[["spots", "detail kept", "offset"]].mean()
shape.round(2)

# %% [markdown]
# Read "detail kept" together with PSNR. The noisy image keeps all detail and all noise, and a
# network that smooths less keeps more of both. The offset explains why a map can have one pale
# colour: a loss dominated by SSIM, which compares local structure, is insensitive to an image that
# is a few grey levels too dark or too bright as a whole. PSNR is sensitive to it.
#
# ### What was removed
#
# For X-BDCNN (as written) at the strongest noise of the figure: the residual, noisy minus restored,
# its histogram, and its spectrum, each compared with the true noise.

# %%
hardest = (0.4, 15.0)
fig = plotting.residual_plot(noisy[hardest], restored[as_written][hardest], clean)
caption = f"Residual of {as_written} at (0.4, 15), compared with the true noise."
plotting.save_figure(fig, figures / "08_residual", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Residual of X-BDCNN (as written), profile and data as above. It should show no structure, only
# stronger noise where the radiograph is bright. The spectrum of the true noise is flat. The
# residual follows it at high frequencies and is lower at low ones, where noise and anatomy are hard
# to distinguish and a network removes less. A rise at the lowest frequencies is not noise but a
# change of large-scale brightness by the network.

# %%
for label, images in restored.items():
    removed = noisy[hardest] - images[hardest]
    true = noisy[hardest] - clean
    similarity = np.corrcoef(removed.ravel(), true.ravel())[0, 1]
    anatomy = np.corrcoef(removed.ravel(), clean.ravel())[0, 1]
    print(f"{label:22s} removed vs noise {similarity:.4f}, removed vs anatomy {anatomy:+.4f}")
of_noise = np.corrcoef(true.ravel(), clean.ravel())[0, 1]
print(f"{'the true noise':22s} noise vs anatomy {of_noise:+.4f}, from clipping and chance")

# %% [markdown]
# ## Discussion
#
# The paper says about its figure that X-ReCNN leaves "some noise spot" and that X-BDCNN keeps "more
# structural information" than X-ReCNN and DnCNN. The same comparison with our networks on our
# image:

# %%
named = shape.loc[list(in_paper)]
print(f"most spots: {named['spots'].idxmax()} ({named['spots'].max():.2f})")
print(f"most detail kept: {named['detail kept'].idxmax()} ({named['detail kept'].max():.2f})")
best = of_networks.groupby("method")["PSNR"].mean()
largest = named["offset"].abs().idxmax()
print(f"largest offset in brightness: {largest} ({named['offset'][largest]:+.2f} grey levels)")
print(f"highest mean PSNR, {balanced} included: {best.idxmax()} ({best.max():.2f} dB)")

# %% [markdown]
# If these results disagree with the paper, two things differ besides the image: our X-ReCNN-style
# network is a reconstruction from a short description, and the weights are of the budget printed
# above, from one training run each. If they agree, it is the result of one radiograph.
#
# These numbers do not show one risk: a denoiser can produce structure that is not in the data.
# Where noise conceals a structure, a network inserts what is typical of its training images.
# The result looks plausible, but it does not replace a sufficient dose. These networks are for
# study, not for diagnosis.

# %% [markdown]
# ## Two questions
#
# **1.** Two restored images have the same PSNR. One has its error spread evenly, the other
# concentrated along the edges of the ribs. Which is preferable for reading, and what shows the
# difference?
#
# <details><summary>Answer</summary>
#
# Evenly spread error looks like weak noise and hides little; errors along edges are lost detail. PSNR
# cannot distinguish them, because it sums squares irrespective of position. The error map can, and so
# can the spectrum of the error, the "detail kept" above, or SSIM, which compares local structure.
# </details>
#
# **2.** The removed part correlates with the clean image by +0.02. Is that too much?
#
# <details><summary>Answer</summary>
#
# A small correlation is expected: clipping makes the mean of the noise depend on brightness (see
# notebook 01), so the true noise correlates with the image, too. Compare with the correlation of
# `noisy - clean` first. Only the excess is anatomy that was removed with the noise.
# </details>

# %% [markdown]
# ## Take-away
#
# - One radiograph at four noise levels is an illustration; intervals over radiographs are in
#   notebook 06.
# - The residual shows what was removed: in noise without structure its spectrum is flat, and
#   missing power at low frequencies is noise that was left in the image.
# - Error maps and the numbers for spots, detail and offset show errors that PSNR does not
#   distinguish.

# %%
print(run_time())
