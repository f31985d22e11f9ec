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
# asks the reader to "enlarge the figure". Here it is reproduced with a public radiograph, with
# every pixel of the restored images in the file, and with more methods. A second figure enlarges
# one detail, and a third measures what each method leaves and keeps.
#
# ![A detail of a noisy chest radiograph, restored by each method, and the errors in colours](../figures/08_details.png)
#
# *Figure of this notebook: a detail under strong noise, restored by each method, with the PSNR of the
# field around it, and below it the errors: red is too bright, blue too dark. The width of this page may reduce it.*
#
# ## What you'll do
#
# You reproduce Fig. 2, read PSNR and SSIM in each panel, examine a detail and its errors, and
# measure residual noise and kept detail at each spatial frequency.
#
# ## What you'll learn
#
# What to look for in a restored radiograph (spots, lost edges, over-smoothed areas, false texture),
# and how a few numbers and curves quantify these impressions.
#
# ## What you need
#
# Notebooks 01 and 04; the [glossary](../docs/glossary.md) explains the terms. The last line of the
# notebook states how long the run took.

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

from xbdcnn import measured_noise, metrics, noise, plotting
from xbdcnn.data import CHESTS, central_crop, halved, load_chest
from xbdcnn.data.sample import ATTRIBUTION
from xbdcnn.inference import methods, zoo
from xbdcnn.inference.weights import read_weights
from xbdcnn.study import results, scoring
from xbdcnn.study.notebook import run_time, show_source
from xbdcnn.study.profiles import get_profile

# %% [markdown]
# All pictures show one of six ChestX-ray8 radiographs that are part of the package, whatever the
# data source of the other notebooks.

# %%
settings = get_profile(profile)
name = "00022014_000"
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=f"ChestX-ray8 {name}")
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")
print(ATTRIBUTION)

# %% [markdown]
# ## Theory
#
# Every panel starts from the same clean image $g$. Adding noise of level (η, σ) gives $f$ (Eq. 1),
# a method restores it to $\hat g$, and the residual is the difference of noise and error:
#
# $$\underbrace{f - \hat g}_{\text{removed}} = \underbrace{(f - g)}_{\text{noise}}
#   - \underbrace{(\hat g - g)}_{\text{error}} .$$
#
# If the error were zero, the removed part would be the noise itself: it would contain no anatomy
# and, before clipping, have a flat spectrum, since the noise of different pixels is independent.
# Anatomy in the removed part is lost detail. Where the removed part has less power than the noise,
# noise was left.

# %%
show_source(scoring.noisy_image)

# %% [markdown]
# PSNR weights all errors equally. Three measures distinguish kinds of error that the paper
# mentions.
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
# The same projection can be made for each spatial frequency $\nu$ separately, with the Fourier
# transforms of small blocks of both images. This is the transfer of detail,
#
# $$T(\nu) = \frac{\langle \operatorname{Re} \hat G(\nu)\, G^*(\nu) \rangle}
#   {\langle |G(\nu)|^2 \rangle} .$$

# %%
show_source(measured_noise.detail_transfer)

# %% [markdown]
# ## Practical
#
# ### The image and its noisy versions
#
# A radiograph of the Table II set: no network of this project was trained on it or selected by it.
# The paper's image is not known. To show the whole chest with a pixel of the file for each pixel of
# the image, it is halved to 512 × 512 by averaging 2 × 2 pixels *before* noise is added. (In the
# profile smoke, a small crop takes its place.)

# %%
chest = load_chest(name)
clean = central_crop(chest, 96) if settings.is_smoke else halved(chest)
size = clean.shape[0] // 8
zoom = (int(0.31 * clean.shape[0]), int(0.36 * clean.shape[1]), size)
levels = plotting.FIGURE_2_LEVELS
print(f"{name} ({CHESTS[name]}): {clean.shape[0]} x {clean.shape[1]} pixels, detail of {size}")

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
    assert abs(expected - found) < 1

# %% [markdown]
# ### Restoring
#
# Two classical methods, which are told η and σ; the three networks of the paper's figure; and the
# network with the highest validation score on record. X-ReCNN-style is a reconstruction from a
# short description. The networks are blind: their input is the noisy image only. (The successors,
# smaller networks of our own, are told the true levels in validation, which favours them.)

# %% tags=["needs:05_train@cpu+paper"]
weights = None if settings.shipped_weights else Path(output) / "weights"
paths = methods.weight_paths(weights)
headers = {key: read_weights(path)[1] for key, path in paths.items()}
validated = {key: header["scores"]["val_psnr"] for key, header in headers.items()}
best = max(validated, key=validated.get)
in_figure = [key for key in ("dncnn", "xrecnn", "xbdcnn", best) if key in paths]
networks = list(dict.fromkeys([*in_figure, *{"xbdcnn-as-written"}.intersection(paths)]))

# %%
for key in networks:
    budget = headers[key]["budget"]
    patches = f"{budget['patches']:,} patches of side {budget['patch_size']}"
    print(f"{zoo.ZOO[key].label}: {patches} of {headers[key]['provenance']['data']},", end=" ")
    print(f"validation {validated[key]:.2f} dB")

# %%
classical = ["BM3D", "GAT+BM3D"]
collected = methods.collect_methods(classical, "fp32", weights, only=[*classical, *networks])
restored = {
    label: {level: method(image, *level).image for level, image in noisy.items()}
    for label, method in collected.items()
}
shown = [*classical, *(zoo.ZOO[key].label for key in dict.fromkeys(in_figure))]

# %% [markdown]
# X-BDCNN (as written), which follows the paper's text to the letter, has no row in the figure, but
# in the tables of numbers.
#
# ### The figure
#
# Columns are noise levels, from left to right as in the paper; rows are the noisy image and the
# methods. Each corner enlarges the framed detail three times.

# %%
fig = plotting.figure_2(clean, noisy, {label: restored[label] for label in shown}, zoom)
caption = f"Fig. 2: a chest radiograph at four noise levels, restored by {len(shown)} methods."
saved = plotting.save_figure(fig, figures / "08_figure_2", caption, facts, settings.is_smoke)
fig

# %% [markdown]
# Figure 2 of the paper, reproduced on a radiograph of ChestX-ray8; PSNR and SSIM (data range 1) are
# given in each panel. Here the panels are reduced, which averages their noise. Judge the noise in
# [the file](../figures/08_figure_2.png), where each pixel of a panel is one of the image.
#
# **Check.** A panel of the file is as wide as the image.

# %%
picture = Image.open(saved[0])
panel = round(fig.axes[0].get_position().width * fig.get_figwidth() * fig.native_dpi)
print(f"{picture.width} x {picture.height} pixels, {panel} for each panel, ", end="")
print(f"{saved[0].stat().st_size / 1e6:.1f} MB")
assert panel == clean.shape[1]

# %% [markdown]
# Follow a thin line, a rib's edge or a vessel, from the clean reference through a row. Is it
# continuous? In the flat grey between the ribs, a mottled surface is noise that was blurred instead
# of removed. In the dark lung, where the quantum noise of the model is weak, look for residual
# electronic noise. Then compare the rightmost column with the leftmost: a blind network has to
# adapt to the different noise without being told.
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
decimals = {column: 2 if column[0] == "PSNR" else 3 for column in panels}
panels.loc[list(everything)].round(decimals)

# %%
of_methods = scores[scores["method"] != "noisy"]
for level, part in of_methods.groupby("(η, σ)"):
    ranked = part.sort_values("PSNR", ascending=False)
    print(level, " > ".join(f"{row.method} {row.PSNR:.2f}" for row in ranked.itertuples()))

# %% [markdown]
# One image is an illustration only; notebook 06 has the intervals. The values differ from the means
# of Table II, because it is one of ten images, and because it is halved, so that its anatomy is finer
# per pixel:

# %%
on_file = results.table("table_2").set_index(["method", "eta", "sigma"])["psnr"]
for label in ("GAT+BM3D", zoo.ZOO["xbdcnn"].label):
    here = metrics.psnr(restored[label][0.4, 10.0], clean)
    print(f"(0.4, 10), {label}: {here:.1f} dB here, {on_file[label, 0.4, 10.0]:.1f} in Table II")

# %% [markdown]
# **Check.** Every method must be an improvement on every panel: a higher PSNR and a higher SSIM
# than the noisy image. (A network that returned its input would fail.)

# %%
before = scores[scores["method"] == "noisy"].set_index("(η, σ)")[["PSNR", "SSIM"]]
after = of_methods.set_index("(η, σ)")[["PSNR", "SSIM"]]
assert (after > before.reindex(after.index)).all(axis=None)

# %% [markdown]
# Spots, detail and offset (in grey levels), averaged over the four noise levels:

# %%
shape = scores.groupby("method", sort=False)[["spots", "detail kept", "offset"]].mean()
shape.round(2)

# %% [markdown]
# Read "detail kept" together with PSNR. The noisy image keeps all detail and all noise, and a
# network that smooths less keeps more of both. The offset matters because a loss dominated by SSIM,
# which compares local structure, is insensitive to an image that is a few grey levels too dark or
# too bright as a whole. PSNR is sensitive to it.
#
# ### A detail and its errors
#
# Now the original pixels: a field of 512 × 512 of the file as it is, with the noise of the leftmost
# column, and from it a detail of 200 × 200. In [the file](../figures/08_details.png) each pixel of
# the detail is shown by 2 × 2; here it is shown by about one, and the overview is reduced.

# %%
level = (0.4, 10.0)
field = chest[240:336, 280:376] if settings.is_smoke else chest[60:572, 100:612]
size = min(200, field.shape[0])
place = (0, 0, size) if settings.is_smoke else (130, 110, size)
noisy_field = scoring.noisy_image(scoring.Case("detail", field, *level, seed=0))
of_field = {label: collected[label](noisy_field, *level).image for label in collected}

# %%
fig = plotting.method_details(
    field, {"noisy": noisy_field} | {label: of_field[label] for label in shown}, place
)
caption = f"A detail at (η, σ) = ({level[0]}, {level[1]:g}) by every method, and its errors."
plotting.save_figure(fig, figures / "08_details", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The detail by each method, from the darkest grey level of the clean detail to its brightest, with
# the PSNR of the field; and below it the signed error on one scale of ±8 grey levels: white is
# correct, red too bright, blue too dark. Lines that follow the anatomy are edges that were moved or
# blurred. Large pale areas are an offset in brightness. Errors that vary from pixel to pixel are
# residual noise, or noise of the reference that was removed with the rest; blotches of several
# pixels are noise that was smoothed but not removed.
#
# ### What is left, and what is kept
#
# A line of pixels across ribs, the power of the error, and the transfer of detail at each
# frequency.

# %%
line = (place[1] + size // 2, place[0], place[0] + size)
fig = plotting.fidelity_plot(field, noisy_field, {k: of_field[k] for k in shown}, line)
caption = "Line profile over ribs, spectrum of the error, and detail kept, by method."
plotting.save_figure(fig, figures / "08_fidelity", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Above: the grey levels of a column of the detail, whose steps and peaks are ribs and vessels; the
# noisy curve leaves the scale. Left below: the noise power spectrum of the error; that of the added
# noise (grey) is flat. What is left of it is strongest at low
# frequencies, where noise cannot be distinguished from anatomy. Right below: the share of the clean
# image's detail that a method keeps. It falls with the frequency, since fine anatomy is weaker than
# the noise. At the highest frequencies the clean image contains mainly its own noise, and to remove
# that is no loss. A method whose curve is higher in both pictures keeps noise as well as detail.
#
# The same in numbers: the power of the error below and above a tenth of a cycle per pixel, in grey
# levels² pixel², and the frequency in cycles per pixel at which half of the detail is kept (–: all
# of it is kept at every frequency).


# %%
def half_kept(restored, clean):
    """Frequency in cycles per pixel at which half of the detail is kept; nan if none."""
    frequency, kept = measured_noise.detail_transfer(restored, clean)
    if kept.min() >= 0.5:
        return np.nan
    after = int(np.argmax(kept < 0.5))
    pair = slice(max(after - 1, 0), after + 1)
    return np.interp(-0.5, -kept[pair], frequency[pair])


rows = {}
for label, image in {"noisy": noisy_field, **of_field}.items():
    frequency, power = measured_noise.noise_power_spectrum(255 * (image - field))
    low = frequency < 0.1
    rows[label] = (power[low].mean(), power[~low].mean(), half_kept(image, field))
columns = ["power below 0.1", "power above 0.1", "half kept at"]
frequencies = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
half = ["–" if np.isnan(value) else f"{value:.3f}" for value in frequencies[columns[2]]]
frequencies.round(1).assign(**{columns[2]: half})

# %% [markdown]
# **Check.** Every method leaves less power than the noise has, and less at high frequencies than at
# low ones, where it cannot tell noise from anatomy.

# %%
left = frequencies.drop("noisy")[columns[:2]]
assert (left < frequencies.loc["noisy", columns[:2]]).all(axis=None)
assert settings.is_smoke or (left[columns[1]] < left[columns[0]]).all()

# %% [markdown]
# ### What was removed
#
# For the network with the best validation score, at the strongest noise of Fig. 2: the residual,
# noisy minus restored, its histogram, and its spectrum, each compared with the true noise.

# %%
hardest, network = (0.4, 15.0), zoo.ZOO[best].label
fig = plotting.residual_plot(noisy[hardest], restored[network][hardest], clean)
caption = f"Residual of {network} at (0.4, 15), compared with the true noise."
plotting.save_figure(fig, figures / "08_residual", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# It should show no structure, only stronger noise where the radiograph is bright. (The picture is
# reduced, which weakens its noise.) The spectrum of the true noise is flat above about 0.05 cycles
# per pixel; below, it rises, because clipping makes the mean of the noise positive in black and
# negative in white. The residual follows it at high frequencies and is lower at low ones, where a
# network removes less.

# %%
true = noisy[hardest] - clean
for label, images in restored.items():
    removed = noisy[hardest] - images[hardest]
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
named = shape.loc[[zoo.ZOO[key].label for key in networks]]
print(f"most spots: {named['spots'].idxmax()} ({named['spots'].max():.2f})")
print(f"most detail kept: {named['detail kept'].idxmax()} ({named['detail kept'].max():.2f})")
largest = named["offset"].abs().idxmax()
print(
    f"largest offset in brightness of the networks: {largest} ({named['offset'][largest]:+.2f} grey levels)"
)
mean_psnr = of_methods.groupby("method")["PSNR"].mean()
print(f"highest mean PSNR of all methods: {mean_psnr.idxmax()} ({mean_psnr.max():.2f} dB)")

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
# Evenly spread error looks like weak noise and hides little; errors along edges are lost detail.
# PSNR cannot distinguish them, because it sums squares irrespective of position. The error map can,
# and so can the transfer of detail, the "detail kept" above, or SSIM, which compares local
# structure.
# </details>
#
# **2.** The removed part correlates with the clean image by +0.02. Is that too much?
#
# <details><summary>Answer</summary>
#
# A small correlation is expected: clipping makes the mean of the noise depend on brightness (see
# notebook 01), so the true noise correlates with the image, too. Compare with the correlation of
# `noisy - clean` first. The excess is anatomy that was removed with the noise, or the bias of
# clipping that a method left in the image, as BM3D does.
# </details>

# %% [markdown]
# ## Take-away
#
# - One radiograph at four noise levels is an illustration; intervals over radiographs are in
#   notebook 06.
# - What is left after restoring is mainly of low frequency; detail is lost at high frequencies. A
#   method that keeps more detail has to be compared by the noise that it leaves as well.
# - Noise can be judged only at the pixels of the image: a reduced picture hides it.
#
# ## References
#
# - K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, *Image denoising by sparse 3-D transform-domain
#   collaborative filtering* (BM3D), IEEE Trans. Image Process. 16, 2080 (2007),
#   [doi:10.1109/TIP.2007.901238](https://doi.org/10.1109/TIP.2007.901238).
# - M. Mäkitalo, A. Foi, *Optimal inversion of the generalized Anscombe transformation for
#   Poisson-Gaussian noise*, IEEE Trans. Image Process. 22, 91 (2013),
#   [doi:10.1109/TIP.2012.2202675](https://doi.org/10.1109/TIP.2012.2202675).
# - K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, *Beyond a Gaussian denoiser: Residual learning of
#   deep CNN for image denoising* (DnCNN), IEEE Trans. Image Process. 26, 3142 (2017),
#   [doi:10.1109/TIP.2017.2662206](https://doi.org/10.1109/TIP.2017.2662206).
# - Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, *Image quality assessment: From error
#   visibility to structural similarity*, IEEE Trans. Image Process. 13, 600 (2004),
#   [doi:10.1109/TIP.2003.819861](https://doi.org/10.1109/TIP.2003.819861).
# - X. Wang et al., *ChestX-ray8: Hospital-scale chest X-ray database and benchmarks on
#   weakly-supervised classification and localization of common thorax diseases*, CVPR 2017,
#   [doi:10.1109/CVPR.2017.369](https://doi.org/10.1109/CVPR.2017.369). The radiograph was provided
#   by the NIH Clinical Center, <https://nihcc.app.box.com/v/ChestXray-NIHCC>.

# %%
print(run_time())
