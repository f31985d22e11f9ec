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
# # 01 Noise synthesis
#
# The paper trains on simulated noise: the quantum noise of the photons and the electronic noise of
# the detector. All results of the paper depend on this noise model, so this notebook derives it,
# verifies it numerically, and compares it with the nine PSNR values of noisy images that the paper
# prints.
#
# ![The built-in chest radiograph beside a map of its noise](../figures/01_noise_map.png)
#
# *Figure of this notebook: the built-in radiograph, reduced, and its noise, which is strongest along the
# spine, where few photons arrive.*
#
# ## What you'll do
#
# You compute the photons behind a chest and measure the noise of real detectors. Then you add the
# paper's noise to a clean radiograph, verify its mean and variance, recover η and σ from two noisy
# exposures of one scene by the photon transfer method, and test which interpretation of η agrees
# with the paper.
#
# ## What you'll learn
#
# Where in a radiograph the photons are few, what η and σ mean in photons and grey levels, why a
# *small* η means strong noise, how clipping changes the statistics, and which targets the noise
# level estimator (NLE) is trained on.
#
# ## What you need
#
# Basic probability: mean, variance, the Poisson distribution; the [glossary](../docs/glossary.md)
# explains the terms. The notebook needs no download; its last line states how long the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from IPython.display import display

from xbdcnn import detector, measured_noise, metrics, noise, paper, plotting
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import builtin_crop, builtin_radiograph, find_source, load_exposures
from xbdcnn.study import detector_noise, detectors, ordinary_exposure, results, scoring
from xbdcnn.study.notebook import expect, run_time, short_labels, show_source
from xbdcnn.study.profiles import get_profile

# %% [markdown]
# Every figure is saved with the profile and the data that it came from. Where it shows a whole
# radiograph or a detail, that is the built-in one, whatever data source the notebook was given.

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
smoke, facts = settings.is_smoke, dict(profile=profile, data=source.name)
builtin_facts = facts | {"data": "built-in radiograph"}
print(facts, "(a smoke test: the numbers mean little)" if smoke else "")

# %% [markdown]
# ## Where are the photons?
#
# The paper draws the photons of a pixel from its grey level. Before we use this model, we compute
# the photons from the tube through the patient to the detector and their display. The share of the
# photons that pass the patient without being absorbed or scattered, the transmission, follows the
# law of Beer and Lambert.

# %%
show_source(detector.beer_lambert)

# %% [markdown]
# Four rays through an adult chest, with rounded path lengths and the attenuation at 60 keV, near
# the mean energy of a chest exposure (NIST tables; water for soft tissue, lung of density 0.26
# g/cm³, cortical bone). Scatter is left out, which in a real exposure adds photons and contributes
# noise, most behind the mediastinum. The exposure is assumed to give an ordinary air kerma at the
# detector behind the lung, and the detector to detect 65 % of the photons.

# %%
attenuation = torch.tensor([0.206, 0.053, 0.604])  # soft tissue, lung, bone; 1/cm
paths = {
    "lung": [5.0, 16.0, 0.0],
    "rib over lung": [5.0, 15.0, 1.0],
    "heart": [16.0, 5.0, 0.0],
    "spine behind the heart": [18.0, 0.0, 3.0],
}
lengths = torch.tensor(list(paths.values()))  # cm of each tissue, by ray
rays = detector.beer_lambert(lengths, attenuation).prod(dim=1)
behind_lung = ordinary_exposure.quanta()  # photons per pixel
print(f"{ordinary_exposure.KERMA} µGy: {behind_lung:.0f} photons per pixel behind the lung")

# %% [markdown]
# The photons are counted (Poisson), so a pixel with $N$ photons has a signal-to-noise ratio of
# $\sqrt N$. The display shows the logarithm of the signal, white where the photons are few. The
# logarithm divides each deviation by the signal; the noise on the display is proportional to
# $1/\sqrt N$.

# %%
beam = behind_lung / float(rays[0])  # photons per pixel beside the patient
window = detector.Display(black=1.0, white=float(rays.min()))
grey = detector.displayed(rays, window)
chest = pd.DataFrame({"transmission": rays, "photons": beam * rays}, index=list(paths))
chest["signal-to-noise"] = chest["photons"] ** 0.5
chest["grey level"] = 255 * grey
chest["noise (grey levels)"] = detector.displayed_variance(grey, beam, display=window).sqrt()
chest = chest.astype(float).round(dict(zip(chest, (3, 0, 1, 0, 1), strict=True)))
chest.astype({"photons": int, "grey level": int})

# %%
mid_grey = beam * float(detector.transmission(torch.tensor(0.5), window))
print(f"mid grey: {mid_grey:.0f} photons, {mid_grey / behind_lung:.0%} of those behind the lung")

# %% [markdown]
# The [noise explorer](09_noise_explorer.ipynb) knows no anatomy. There mid grey has the photons
# that the lung has here, so that the same percentage of an ordinary exposure means more photons at
# mid grey than on this display.
#
# White pixels receive few photons. The column *photons* shows it: fewer arrive behind the heart
# than behind the lung, and fewest behind the spine, where the noise on the display is strongest.
# The other stages of a detector are short functions, too: the gain with the variable light of each
# photon (Swank factor), the light that spreads in the scintillator and correlates adjacent pixels,
# the electronic noise that the read-out adds, the logarithm and the window of the display.

# %%
show_source(detector.light_output)

# %%
show_source(detector.detector_noise)

# %% [markdown]
# ### Measured on a radiograph
#
# The file of the built-in radiograph allows a test. Its noise is measured without a noise-free
# image: the finest diagonal detail of 2 × 2 pixels contains little anatomy, and its median is
# insensitive to what it contains.

# %%
show_source(measured_noise.single_exposure)

# %%
radiograph = builtin_radiograph()
noise_levels = detector_noise.noise_map(255 * radiograph.astype(np.float64))
fig = plotting.noise_map_plot(radiograph, noise_levels)
caption = "The built-in radiograph and its measured noise, which is strongest along the spine."
plotting.save_figure(fig, figures / "01_noise_map", caption, builtin_facts, smoke)
fig

# %% [markdown]
# The radiograph is reduced here. The map is brightest along the spine, and dark in the lungs and
# beside the body, where the beam is attenuated least. The heart and the mediastinum beside the
# spine are between them. The abdomen is as white as the spine on this display but less noisy. The
# stored values are not proportional to the number of photons ([notebook
# 02](02_data.ipynb#residual-noise-of-the-clean-images)), probably because they were processed
# before they were stored; equal grey levels need not mean equal numbers of photons.
#
# **Check.** The noise of the spine is more than twice that of the lungs, and the signal-to-noise
# ratio of the stored values falls from the dark end to the white end by more than three.

# %%
spine, lung = noise_levels[25:55, 27:30], noise_levels[10:25, 10:20]  # blocks of 32 pixels
print(f"noise: spine {np.median(spine):.2f}, lung {np.median(lung):.2f} grey levels")
for bins in (16, 8):
    snr_white, snr_dark = detectors.stored_snr(bins)
    print(f"signal-to-noise ratio of stored values in {bins} bins of equal size: ", end="")
    print(f"{snr_dark:.0f} (darkest), {snr_white:.0f} (whitest)")
assert np.median(spine) > 2 * np.median(lung)
assert snr_dark > 3 * snr_white

# %% [markdown]
# The model of the paper states the opposite for the signal-to-noise ratio: $\sqrt{\eta g}$ grows
# towards white. For the variance its direction is right on a logarithmic display, because both
# variances grow towards white. Its law is wrong: the variance of Eq. 1 grows linearly with $g$, the
# measured one faster. By the physics of the display it grows exponentially; the values in this file
# were processed before they were stored, so they test the direction and not the law, and an
# exponential fits them no better than a line. In the window of the file's header, which is linear,
# the direction differs, too: between two grey levels the measured variance *falls* by the first
# factor, and Eq. 1 gives the second.

# %%
measured_ratio, predicted_ratio = detectors.header_window_ratio()
print(f"variance at grey 185 / variance at 232: measured {measured_ratio:.2f}, ", end="")
print(f"Eq. 1 {predicted_ratio:.2f}")
exponent = detectors.displayed_power_law().parameters[1]
print(f"on the logarithmic display the variance grows like g^{exponent:.1f}; Eq. 1: g^1")
assert measured_ratio > 2 and predicted_ratio < 1 and exponent > 1.5

# %% [markdown]
# ### Measured on detectors
#
# A single radiograph shows noise and anatomy together. Repeated exposures show the noise alone: the
# variance of each pixel over the frames, grouped by its mean, is the photon transfer curve, without
# a noise-free image and without assumptions about the anatomy. The package contains flat and dark
# frames of four detectors, excerpts of public test data (`fetch_exposures` downloads the complete
# files).

# %%
show_source(measured_noise.repeated_exposures)

# %% [markdown]
# Each figure shows one detector: on the left the variance by signal with four laws, the best one
# thick, and on the right the noise power spectrum. Independent noise has a flat spectrum; a
# scintillator lowers its right end. The second camera of I12 behaves as the first; its figure is
# saved and not shown.

# %%
measured = detectors.measured_exposures() + detectors.measured_radiographs()
if source.index is not None:
    measured += detectors.measured_images(source, 1)
for number, one in enumerate(measured):
    fig = plotting.detector_noise_plot(
        one.title, one.unit, one.bins, one.laws, one.correlation, one.spectrum
    )
    caption = f"{one.title}: variance by signal with four fitted laws, and noise power spectrum."
    about = facts | {"data": one.title}
    plotting.save_figure(fig, figures / f"01_detector_{number + 1}", caption, about, smoke)
    if one.title != "Diamond I12, pco3":
        display(fig)

# %% [markdown]
# The two cameras of I12 agree with the physics over a wide range of signals: the variance grows
# nearly in proportion to the counts, as the next cell states, and the spread of the dark frames,
# their electronic noise, is a few counts. The flats of the other two cover too small a range to
# decide on a law; within it the variance even falls with the signal. For K11 the cell after the
# next shows why no law of photons can be read from it. The radiographs are *processed* images:
# their variance follows no line, and adjacent pixels are correlated. Some anatomy remains in the
# smoothest blocks of a single radiograph, so those correlations are upper limits.

# %%
for one in measured[:2]:
    signal, laws = one.bins.signal, {law.name: law for law in one.laws}
    print(f"{one.title}: signals × {signal[-1] / signal[0]:.0f}, variance like ", end="")
    print(f"q^{laws['power'].parameters[1]:.2f}; deviation from a line through the origin ", end="")
    print(f"{laws['linear'].error:.0%}, from the best law {one.laws[0].error:.0%}")

# %%
k11 = load_exposures("k11")
flats = k11.flats - k11.darks.mean(axis=0)
flats = flats / flats.mean(axis=(1, 2), keepdims=True) * flats.mean()
by_row = (flats.var(axis=0, ddof=1) / flats.mean(axis=0)).mean(axis=1)
chance = by_row.mean() * (2 / (len(flats) - 1) / flats.shape[2]) ** 0.5
print("K11, variance / mean by row:", by_row.round(2))
print(f"mean {by_row.mean():.2f}, standard deviation {by_row.std():.2f}, by chance {chance:.2f}")
assert by_row.std() > 3 * chance

# %% [markdown]
# The variance depends on the row, with a period of five to six rows. Such a pattern can arise when
# frames are resampled by a factor that is no integer, since each pixel then averages another number
# of detector pixels. The file does not state its processing, so this is a conclusion from the
# pattern alone. The mean ratio is an average over it.

# %%
table_of_detectors = detectors.measure_detectors(source)
columns = ["unit", "exposures", "photons", "electronic", "across", "down", "length", "law", "error"]
table_of_detectors.set_index("detector")[columns].round(2)

# %% [markdown]
# *photons*: per count, stored value or grey level, the inverse slope of the linear law;
# *electronic*: spread of the dark frames; *across*, *down*: correlation of adjacent pixels;
# *length*: standard deviation in pixels of the blur that would cause it; *law*: the best by
# Akaike's criterion (AIC), with the relative deviation of the bins from it. For radiographs in
# processed values "photons" only states the slope.
#
# ### What the noise model keeps
#
# For a logarithmic display the paper's model has the right direction of the variance. Its law and
# its number of photons (many in white, where a detector receives few) are wrong. The noise of
# adjacent pixels is independent in three of the four detectors, as in the model, and neither in the
# fourth nor in the processed radiographs. With another display the model is exact: if grey levels
# are proportional to the photons, `detector_noise` is Eq. 1. The networks of the paper are trained
# on Eq. 1, and its tables are measured on Eq. 1; the rest of this notebook treats this model.
# [Notebook 11](11_audit.ipynb) measures what the difference costs.
#
# **Check.** In that limit both functions draw the same photons.

# %%
g = torch.full((1, 1, 500, 500), 0.5)
seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
by_detector = detector.detector_noise(
    g, 255 * 0.4, display=detector.GREY_IS_PHOTONS, generator=seeds[0]
)
assert torch.equal(by_detector, noise.add_hybrid_noise(g, 0.4, 0.0, seeds[1]))

# %% [markdown]
# **Question.** Where in a chest radiograph is the noise worst, and why?
#
# <details><summary>Answer</summary>
#
# In the spine, where the beam is attenuated most; below the diaphragm and behind the heart it is
# worse than in the lung. Few photons arrive there, so the signal-to-noise ratio is lowest, and on the
# logarithmic display the noise is strongest in the whitest region. (Processing may have changed this
# in a stored radiograph: in the map above the chest wall is noisier than the heart.) Eq. 2 gives another reason, many photons in white
# pixels, which is wrong for a radiograph.
# </details>

# %% [markdown]
# ## Theory
#
# In the paper's model the image $f$ is what the detector records, $g$ what it would record without
# noise (Eq. 1):
#
# $$f(x, y) = p(x, y) + n(x, y), \qquad n \sim \mathcal N(0, \sigma^2). \tag{1}$$
#
# The electronic noise $n$ does not depend on the image. Its σ is given in grey levels of the 8-bit
# scale, whereas the package keeps images in [0, 1]; the function divides by 255.

# %%
show_source(noise.electronic_noise)

# %% [markdown]
# The quantum component $p$ depends on the image. The number of detected photons follows a Poisson
# distribution (Eq. 2), here with the scale factor η of the paper:
#
# $$P(\eta\,p = k) = \frac{\lambda^k e^{-\lambda}}{k!}, \qquad \lambda = \eta\, g. \tag{2}$$
#
# We interpret η as **photons per grey level**, the inverse of a gain in grey levels per photon. In
# the model a pixel of grey level $g$ receives $\eta g$ photons on average, and the division of the
# photon count by η returns it to the grey scale.

# %%
show_source(noise.quantum_noise)

# %% [markdown]
# A Poisson count has a variance equal to its mean $\eta g$. Dividing the count by η divides its
# variance by η², and the variance of the independent electronic noise is added:
#
# $$\operatorname{E} f = g, \qquad \operatorname{Var} f = \frac{g}{\eta} + \sigma^2 .$$

# %%
show_source(noise.noise_variance)

# %% [markdown]
# This explains why η = 0.4 is the *noisiest* end of the paper's range. The signal of a pixel is $g$
# and the standard deviation of its quantum noise is $\sqrt{g/\eta}$, so their ratio is $\sqrt{\eta
# g}$, the square root of the number of photons. A lower dose means fewer photons and a smaller η.

# %% tags=["nbval-check-output"]
grey = 128
for eta in (0.4, 0.8, 1.9):
    photons = eta * grey
    print(f"η = {eta}: {photons:5.1f} photons at grey {grey}, signal-to-noise {photons**0.5:4.1f}")

# %% [markdown]
# What dose is that? The chest exposure of the first section detects of order a thousand photons per
# pixel behind the lung, in pixels of 0.143 mm, and far fewer behind the spine. The next cell prints
# its number beside that of the model at mid grey. Other exposures, pixels and places differ by
# factors, so this is an order of magnitude only.

# %%
eta = paper.ETA_RANGE[0]
print(
    f"behind the lung: {beam * float(rays[0]):.0f} photons; η = {eta}: {eta * grey:.0f}", end=", "
)
print(f"{100 * eta * grey / (beam * float(rays[0])):.0f} % of them")

# %% [markdown]
# The noisy image is the sum of both components, clipped to the range of an 8-bit file. All training
# runs and tables of this project draw the noise of the paper's model with this function.

# %%
show_source(noise.add_hybrid_noise)

# %% [markdown]
# ## Practical
#
# ### Mean and variance on a million pixels
#
# A uniform grey field is the simplest test image. With a million pixels the sample variance has a
# standard deviation of about $\sqrt{2/10^6}$ = 0.14 %, so a tolerance of 1 % detects a wrong
# formula. Clipping is off here, because it changes the moments; a section below treats it.


# %%
def moments(grey, eta, sigma):
    """Sample mean and variance of a noisy uniform field, in grey levels."""
    field = torch.full((1000, 1000), grey / 255)
    generator = torch.Generator().manual_seed(grey)
    f = 255 * noise.add_hybrid_noise(field, eta, sigma, generator, clip=False).double()
    return f.mean().item(), f.var().item()


# %% [markdown]
# Five cases cover the range: dark to bright pixels, few to many photons, and one without electronic
# noise, where the variance is that of the quantum noise alone.

# %%
rows = []
cases = [(20, 0.4, 0), (60, 0.4, 15), (128, 0.6, 5), (200, 0.8, 10), (250, 1.9, 20)]
for grey, eta, sigma in cases:
    mean, variance = moments(grey, eta, sigma)
    expected = noise.noise_variance(grey / 255, eta, sigma)
    rows.append((grey, eta, sigma, mean, variance, expected))
table = pd.DataFrame(rows, columns=["g", "η", "σ", "mean", "variance", "g/η + σ²"])
table.round(2)

# %% [markdown]
# **Check.** Mean and variance agree with the theory within 1 % at every grey level and every
# combination of the two components.

# %%
assert np.allclose(table["mean"], table["g"], rtol=0.01)
assert np.allclose(table["variance"], table["g/η + σ²"], rtol=0.01)

# %% [markdown]
# ### The NumPy implementation
#
# The paper states that its Poisson noise was drawn with NumPy. The package also implements the
# noise model in NumPy, with different random numbers from the same distribution, which verifies the
# moments independently.

# %%
show_source(noise.add_hybrid_noise_numpy)

# %%
field = np.full((1000, 1000), 128 / 255, np.float32)
noisy = noise.add_hybrid_noise_numpy(field, 0.6, 5.0, np.random.default_rng(0), clip=False)
mean, variance = 255 * noisy.mean(dtype=float), 255**2 * noisy.var(dtype=float)
print(f"mean {mean:.2f}, variance {variance:.2f}; torch gave {table.variance[2]:.2f}")
assert np.isclose(variance, table.variance[2], rtol=0.01)

# %% [markdown]
# ### Examples
#
# We use the built-in radiograph at 1024 × 1024 pixels, the size of the paper's images. The details
# below show ribs, lung and chest wall for η from the smallest to the largest and σ from zero to the
# largest value of the training range.

# %%
clean = torch.from_numpy(builtin_crop(1024))
detail = clean[130:350, 720:940]
levels = [(eta, sigma) for eta in (0.4, 0.8, 1.9) for sigma in (0, 10, 20)]
generator = torch.Generator().manual_seed(1)
panels = {pair: noise.add_hybrid_noise(detail, *pair, generator).numpy() for pair in levels}

# %% [markdown]
# The function `noise_panel` arranges the noisy details, a dictionary with keys (η, σ), in a grid.
# All panels share one grey scale from black to white, so their noise can be compared.

# %%
fig = plotting.noise_panel(detail.numpy(), panels)
caption = "A detail of the built-in radiograph under the hybrid noise of Eq. 1, at nine levels."
# Noise compresses poorly, so the figure is saved at a lower resolution.
plotting.save_figure(fig, figures / "01_grid", caption, builtin_facts, smoke, dpi=80)
fig

# %% [markdown]
# Here each pixel of a detail is about one pixel of the picture; in [the
# file](../figures/01_grid.png) the details are reduced by a fifth, which weakens the noise. The top
# row shows quantum noise alone. It is stronger in bright bone than in dark lung, as on a
# real logarithmic display; the cause differs, since in a detector few photons pass bone. In the
# lower rows electronic noise is added, which is the same everywhere. It exceeds the quantum noise
# where $g < \eta\sigma^2$: at (0.4, 10) below grey level 40, which few pixels of this detail have, at
# (0.8, 20) in the whole image.
#
# ### Estimating η and σ: the photon transfer curve
#
# The noise of a real detector is measured without a noise-free image. Two exposures of one scene
# contain the same anatomy, so their difference contains noise only, with twice the variance of one
# exposure:
#
# $$\operatorname{Var} f = \tfrac12 \operatorname{Var}(f_1 - f_2) = \frac{g}{\eta} + \sigma^2 .$$
#
# Pixels are grouped by the mean of both exposures, and the variance is plotted against this mean.
# The slope of the line is 1/η, its intercept the variance of the electronic noise (Janesick 2007).

# %%
show_source(measured_noise.two_exposures)

# %% [markdown]
# We simulate two exposures of the built-in radiograph at each of three noise levels. The function
# receives the two noisy images only.

# %%
curves = {}
for eta, sigma in [(0.4, 5), (0.8, 10), (1.5, 5)]:
    generator = torch.Generator().manual_seed(0)
    pair = [noise.add_hybrid_noise(clean, eta, sigma, generator).numpy() for _ in range(2)]
    curves[eta, sigma] = measured_noise.two_exposures(*pair)
    print(f"true {eta}, {sigma}: estimated η = {curves[eta, sigma].eta:.3f}", end=", ")
    print(f"σ = {curves[eta, sigma].sigma:.2f}")

# %%
fig = plotting.photon_transfer_plot(curves[0.4, 5], 0.4, 5)
caption = "Photon transfer curve of two noisy exposures of one scene: slope 1/η, intercept σ²."
plotting.save_figure(fig, figures / "01_photon_transfer", caption, builtin_facts, smoke)
fig

# %% [markdown]
# Each dot is a bin of grey levels of the built-in radiograph. The dots lie on the line, except
# close to black and from well below white upwards, where clipping reduces the variance. The bins
# that clipping changes are excluded from the fit.
#
# **Check.** From two clipped images, η is recovered within 5 % and σ within half a grey level.

# %%
for (eta, sigma), curve in curves.items():
    assert abs(curve.eta / eta - 1) < 0.05, (eta, curve.eta)
    assert abs(curve.sigma - sigma) < 0.5, (sigma, curve.sigma)

# %% [markdown]
# For a real detector the slope is measured on flats, here of the first camera of I12 above, and the
# electronic noise on dark frames. The scene is the beam, whose brightness varies over the image.
# The line passes through the origin: an intercept of a few counts squared cannot be measured beside
# a variance of thousands. The counts of this camera were rescaled once, so that the slope is that
# of effective quanta. Compare the values with those of all frames and with the table above.

# %%
camera = load_exposures("savu-pco2")
flats = camera.flats - camera.darks.mean(axis=0)
for count in (2, len(flats)):
    bins = measured_noise.repeated_exposures(flats[:count])
    law = next(law for law in measured_noise.fit_laws(bins) if law.name == "linear")
    dark_noise = np.sqrt(camera.darks[:count].var(axis=0, ddof=1).mean())
    print(f"{count} frames: {1 / law.parameters[0]:.2f} effective quanta per count", end=", ")
    print(f"electronic noise {dark_noise:.2f} counts")

# %% [markdown]
# Two exposures of a patient are not suited to this measurement, because the patient moves: every
# edge would count as noise ([Task 9](10_exercises.ipynb)). In a simulation the clean image is
# known, and one noisy image is enough; `measured_noise.mean_variance` takes both and is used in the
# exercises.

# %% [markdown]
# ### Clipping
#
# An 8-bit file cannot store values below black or above white. Near these limits clipping shifts
# the mean inwards and reduces the variance; the noise model has to include it. A ramp with each
# grey level in its own column shows where clipping has an effect.

# %%
ramp = torch.linspace(0, 1, 256).expand(2000, 256)
errors, theory = {}, {}
for sigma in (5, 10, 15):
    generator = torch.Generator().manual_seed(sigma)
    errors[sigma] = 255 * (noise.add_hybrid_noise(ramp, 0.4, sigma, generator) - ramp)
    theory[sigma] = noise.noise_variance(ramp[0], 0.4, sigma).sqrt()

# %% [markdown]
# Each column of the ramp has 2000 pixels of one grey level. The left panel shows their mean error,
# and the right panel their standard deviation together with the square root of the variance
# formula.

# %%
fig = plotting.new_figure(7.6, 2.9, layout="constrained")
bias_axis, spread_axis = fig.subplots(1, 2)
for number, (sigma, error) in enumerate(errors.items()):
    bias_axis.plot(error.mean(dim=0), label=f"σ = {sigma}")
    spread_axis.plot(error.std(dim=0))
    spread_axis.plot(theory[sigma], "--", lw=1, color=f"C{number}")

# %%
bias_axis.set(xlabel="clean grey level", ylabel="mean error (grey levels)")
spread_axis.set(xlabel="clean grey level", ylabel="standard deviation (grey levels)")
bias_axis.legend()
caption = "Clipping at η = 0.4: bias and reduced standard deviation (dashed: unclipped)."
plotting.save_figure(fig, figures / "01_clipping", caption, facts | {"data": "grey ramp"}, smoke)
fig

# %% [markdown]
# The left panel shows the mean error: at black the noise can only increase a value and at white
# only decrease it, which shifts the mean by several grey levels. The right panel shows the standard
# deviation: the solid lines deviate from the dashed theory where the noise reaches a limit of the
# scale, about fifty grey levels below white. A denoiser that assumes the unclipped model would be
# wrong there; a network learns from clipped images.
#
# On the built-in radiograph only a small share of the pixels is clipped, because most of its pixels
# are in the middle of the grey scale, farther from black and white than two standard deviations of
# the noise.

# %%
for eta, sigma in [(0.4, 5), (0.4, 15), (0.8, 5), (0.8, 15)]:
    f = noise.add_hybrid_noise(clean, eta, sigma, torch.Generator().manual_seed(0))
    share = ((f == 0) | (f == 1)).double().mean().item()
    print(f"(η, σ) = ({eta}, {sigma:2d}): {share:.2%} of the pixels at black or white")

# %% [markdown]
# ### Noise levels in training
#
# According to the text, σ from (0, 20) and η from (0.4, 1.9) are "randomly sampled", which we
# interpret as uniform. The first author's released code draws from a grid: integer σ from 0 to 19,
# η in steps of 0.1 up to 1.8. Both are implemented, and a recipe names the one that it uses.

# %%
fig = plotting.new_figure(7.6, 2.9, layout="constrained")
for axis, sampling in zip(fig.subplots(1, 2, sharey=True), ("continuous", "grid"), strict=True):
    eta, sigma = noise.sample_levels(1500, torch.Generator().manual_seed(0), sampling)
    axis.plot(eta, sigma, ".", ms=3)
    axis.plot(*zip(*paper.TABLE_2, strict=True), "D", ms=4, color="C1", label="Table II")
    axis.set(xlabel="η", ylabel="σ", title=f"{sampling}: mean σ {sigma.mean():.2f}")
fig.legend(*axis.get_legend_handles_labels(), loc="outside upper right")
caption = "1500 training levels, as written and as released, and the nine levels of Table II."
plotting.save_figure(fig, figures / "01_levels", caption, facts | {"data": "none"}, smoke)
fig

# %% [markdown]
# Each dot is the pair of levels of one training patch; the diamonds are the nine cells of Table II.
# The grid ends at η = 1.8 and σ = 19 and therefore has a slightly lower mean. It covers nearly the
# same rectangle, and a network interpolates between the grid points. Which part of the training
# range does Table II test?

# %% tags=["nbval-check-output"]
for name, tested, (low, high) in zip(
    "ησ", zip(*paper.TABLE_2, strict=True), (paper.ETA_RANGE, paper.SIGMA_RANGE), strict=True
):
    first, last = ((end - low) / (high - low) for end in (min(tested), max(tested)))
    print(f"{name} from {min(tested):g} to {max(tested):g}: ", end="")
    print(f"{first:.0%} to {last:.0%} of the training range")

# %% [markdown]
# Table II tests the lower part of the range of η, which means few photons in the model, and the
# middle of the range of σ.
#
# ### Level maps
#
# The NLE predicts two images, one of η and one of σ, whose true values are constant over a patch.
# In the released code they are η and σ/255; the package also offers both divided by the upper limit
# of their range ("unit").

# %%
show_source(noise.level_maps)

# %% [markdown]
# The magnitude of these targets follows from twenty thousand random levels, on maps of a single
# pixel since all pixels are equal. We print their means and the ratio of their variances.

# %%
eta, sigma = noise.sample_levels(20_000, torch.Generator().manual_seed(0))
pixel = torch.zeros(20_000, 1, 1, 1)
for scaling in ("released", "unit"):
    maps = noise.level_maps(eta, sigma, pixel, scaling)
    eta_variance, sigma_variance = maps.var(dim=(0, 2, 3))
    print(f"{scaling:8s} means {maps.mean(dim=(0, 2, 3)).numpy().round(3)}, ", end="")
    print(f"variance of the η map / variance of the σ map: {eta_variance / sigma_variance:.1f}")

# %% [markdown]
# The unit of a target matters, because the loss of Eq. 3 adds the squared errors of both maps. The
# variance is the squared error of an estimator that always returns the mean. With the released
# scaling nearly all of it is due to η, so an unweighted squared loss is almost insensitive to σ.
# With the unit scaling both contribute about equally.
#
# **Check.** Converting the maps back returns the original levels in either scaling.

# %%
for scaling in ("released", "unit"):
    levels = noise.levels_from_maps(noise.level_maps(eta, sigma, pixel, scaling), scaling)
    assert torch.allclose(levels[0], eta) and torch.allclose(levels[1], sigma, atol=1e-5)

# %% [markdown]
# ### The nine noisy PSNRs of Table II
#
# Table II prints the PSNR of its noisy inputs, and these nine numbers are the only measurement of
# the noise in the paper at known levels. We compare them with two sets of our own: the noisy images
# of ten ChestX-ray8 radiographs, measured once with `xbdcnn evaluate` and read from a file, and the
# Table II images of this data source, computed here.
#
# Only the radiographs of ChestX-ray8 are evidence. The window and the fields of the built-in
# radiograph were chosen such that their mean grey level is near that of the paper's images, so its
# agreement with the printed values follows from this choice.

# %%
images = source.images("table2", 1 if smoke else 10)
batch = [torch.from_numpy(np.ascontiguousarray(image)) for image in images]


def noisy_psnr(eta, sigma, clip):
    """Mean PSNR in dB of the noisy images at one level."""
    generator = torch.Generator().manual_seed(0)
    noisy = [noise.add_hybrid_noise(g, eta, sigma, generator, clip) for g in batch]
    return np.mean([metrics.psnr(f, g) for f, g in zip(noisy, batch, strict=True)])


# %% [markdown]
# Every cell is computed with and without clipping. The comparison with the paper uses the clipped
# images; the unclipped ones are used below to measure the effect of clipping.

# %%
on_file = results.table("table_2").set_index(["method", "eta", "sigma"]).loc[scoring.BEFORE]
print("column ChestX-ray8:", results.facts("table_2")["caption"].split(".")[0])
cells = pd.DataFrame(list(paper.TABLE_2_NOISY_PSNR), columns=["eta", "sigma"])
cells["printed"] = list(paper.TABLE_2_NOISY_PSNR.values())
cells["ChestX-ray8"] = on_file["psnr"].reindex(list(paper.TABLE_2_NOISY_PSNR)).to_numpy()
cells["here"] = [noisy_psnr(*level, clip=True) for level in paper.TABLE_2_NOISY_PSNR]
cells["here, unclipped"] = [noisy_psnr(*level, clip=False) for level in paper.TABLE_2_NOISY_PSNR]
short_labels(cells.set_index(["eta", "sigma"]).round(2))

# %% [markdown]
# **Check.** On the ten ChestX-ray8 radiographs all nine values agree with the paper within 0.3 dB,
# although the paper used other images. The images of this run must give the nine cells the same
# order.

# %%
differences = cells[["ChestX-ray8", "here"]].sub(cells["printed"], axis=0)
order = cells["here"].rank().corr(cells["printed"].rank())
for name, difference in differences.items():
    print(f"{name} minus printed: {difference.min():+.2f} to {difference.max():+.2f} dB")
print(f"rank correlation of the cells {order:.3f} on {len(images)} images of {source.name}")
assert differences["ChestX-ray8"].abs().max() < 0.3
expect(order > 0.9, "the cells have the order of the paper", source)

# %% [markdown]
# ### The mean grey level that a PSNR implies
#
# The mean squared error of a noisy image is the mean of $g/\eta + \sigma^2$. Each printed PSNR
# therefore determines the mean grey level $m$ of the images:
#
# $$\text{MSE} = \frac{255^2}{10^{\text{PSNR}/10}} = \frac{m}{\eta} + \sigma^2
#   \quad\Longrightarrow\quad m = \eta\,(\text{MSE} - \sigma^2).$$

# %%
show_source(noise.implied_mean)

# %% tags=["nbval-check-output"]
implied = noise.implied_mean(cells["printed"], cells["eta"], cells["sigma"])
shown = cells[["eta", "sigma", "printed"]].assign(implied_mean=implied).astype({"sigma": int})
print(shown.round({"printed": 2, "implied_mean": 1}).to_string(index=False))

# %% [markdown]
# All nine cells imply about the same mean grey level, a plausible one for a chest radiograph. Other
# interpretations of η do not give a constant mean. We test four of them: the noise *grows* with η
# (count $g/\eta$, times η); η scales the amplitude of the noise; the count is drawn for images in
# [0, 1]; η is not used at all, as Eq. 2 is printed.

# %%
eta = cells["eta"]
# With η = 1 the function returns the squared error without the electronic component.
quantum = noise.implied_mean(cells["printed"], 1.0, cells["sigma"])
interpretations = {
    "Poisson(η g) / η": quantum * eta,
    "Poisson(g / η) · η": quantum / eta,
    "g + η (Poisson(g) − g)": quantum / eta**2,
    "Poisson(η g) / η, g in [0, 1]": quantum * eta / 255,
    "Poisson(g), no η": quantum,
}
# %% [markdown]
# The ten images are the same in all nine cells, so the correct interpretation must give the same
# mean nine times. The table lists the smallest and the largest of the nine means and their ratio.
# The ratio should be close to one, and the means should be possible grey levels.

# %%
summary = pd.DataFrame(interpretations).agg(["min", "max"]).T
summary["ratio"] = summary["max"] / summary["min"]
summary.round(2)

# %%
fig = plotting.new_figure(7.2, 3.4, layout="constrained")
axis = fig.subplots()
axis.axhspan(1, 255, color="0.93", label="possible grey levels")
for style, (name, values) in zip(["o-", *"oooo"], interpretations.items(), strict=True):
    axis.semilogy(range(9), values, style, label=name)
axis.set_xticks(range(9), [f"{e}, {s:.0f}" for e, s in paper.TABLE_2])
axis.set(xlabel="(η, σ) of the cell", ylabel="implied mean grey level")

# %%
fig.legend(loc="outside right upper")
caption = "Mean grey level that Table II's nine noisy PSNRs imply under five interpretations of η."
plotting.save_figure(fig, figures / "01_readings", caption, facts | {"data": "Table II"}, smoke)
fig

# %% [markdown]
# The figure shows the mean implied by each of the nine cells under the five interpretations, on a
# logarithmic scale. The grey band marks the possible grey levels of an 8-bit image. Only the
# interpretation as photons per grey level (connected dots) is constant within this band. The
# interpretation with images in [0, 1] is also constant, but for an almost black image; the others
# vary with η, which is impossible for fixed test images.
#
# **Check.** Only photons per grey level give a possible grey level that is constant over all cells
# within 10 %. Three interpretations imply, in some cells, images brighter than white, and one
# implies images that are almost black.

# %%
possible = (summary["min"] > 25) & (summary["max"] < 255)
assert list(summary.index[possible & (summary["ratio"] < 1.1)]) == ["Poisson(η g) / η"]

# %% [markdown]
# The interpretation Poisson(g / η) · η is the usual convention of a *gain in grey levels per
# photon*, where a large number means strong noise. The variance of its quantum noise differs by the
# factor η²: training with it would use noise too strong at one end of the range and too weak at the
# other, and the first column of Table II would differ by several decibels.
#
# The implied mean still decreases slightly with σ. The same calculation for our own PSNRs, where
# the true mean is known, shows the reason.

# %%
psnrs = cells[["printed", "ChestX-ray8", "here", "here, unclipped"]]
means = psnrs.apply(noise.implied_mean, args=(cells["eta"], cells["sigma"]))
by_sigma = means.groupby(cells["sigma"]).mean()
true_mean = 255 * np.mean([g.mean().item() for g in batch])
print(f"true mean of these images: {true_mean:.1f}; implied by PSNR, averaged over η:")
short_labels(by_sigma.round(1))

# %% [markdown]
# Without clipping the implied mean does not decrease with σ. With clipping it decreases, for our
# values as for the printed ones, because clipping reduces the squared error. The size of the
# decrease depends on how many pixels are within the noise of black or white; the next cell prints
# it for each column. (The implied mean also differs slightly from the true mean without clipping,
# because the mean of PSNRs over images is not the PSNR of the mean squared error.)
#
# **Check.** Clipping never lowers the PSNR here, and the implied mean decreases more with clipping
# than without.

# %%
decrease = by_sigma.iloc[0] - by_sigma.iloc[-1]
print("implied mean at σ = 5 minus that at σ = 15:", decrease.round(1).to_dict())
expect((cells["here"] > cells["here, unclipped"]).all(), "clipping raises the PSNR", source)
falls_more = decrease["here"] > decrease["here, unclipped"]
expect(falls_more, "with clipping the implied mean decreases more", source)

# %% [markdown]
# ### Special cases
#
# The noise model has to be defined in special cases, too. Without electronic noise and with
# infinitely many photons the image is unchanged; black pixels receive no photons and remain black;
# the same generator state gives the same noise; a batch may have one level per image.

# %%
g = torch.linspace(0, 1, 4096).reshape(1, 1, 64, 64)
assert torch.equal(noise.add_hybrid_noise(g, float("inf"), 0.0), g)
assert (noise.add_hybrid_noise(torch.zeros(64, 64), 0.4, 0.0) == 0).all()
first, second = (noise.add_hybrid_noise(g, 0.4, 5, torch.Generator().manual_seed(7)) for _ in "ab")
assert torch.equal(first, second)

# %%
pair = g.expand(2, 1, 64, 64)
f = noise.add_hybrid_noise(pair, torch.tensor([0.4, 1.9]), torch.tensor([20.0, 1.0]))
print("PSNR of each image of the batch:", metrics.psnr(f, pair).ravel().round(1))

# %% [markdown]
# Invalid input is rejected with a one-line message that names the remedy.

# %% tags=["nbval-check-output"]
nan = torch.full((16, 16), float("nan"))
bright, grey = torch.full((16, 16), 200.0), torch.full((16, 16), 0.5)
invalid = [(nan, 1.0, 5.0), (bright, 1.0, 5.0), (grey, 0.0, 5.0), (grey, 1.0, -1.0)]
for image, eta, sigma in invalid:
    try:
        noise.add_hybrid_noise(image, eta, sigma)
    except XbdcnnError as error:
        print(error)

# %% [markdown]
# ## Discussion
#
# The implementation agrees with Eq. 1 and 2: its moments are correct within 1 %, and η and σ are
# recovered from two exposures by the standard method of detector physics. The paper does not define
# the role of η precisely ("a scale factor"). Its own Table II determines it, because only one
# interpretation gives a plausible, constant mean grey level.
#
# The model has limitations, which the first section measures: white pixels of a radiograph receive
# few photons, the variance on a display is not linear in the grey level, and the noise of adjacent
# pixels is correlated in processed radiographs and in one of four detectors. The paper's conclusion
# says that a more accurate model should be studied. The "clean" images also contain noise of their
# own, which the next notebook measures.

# %%
worst = (table["variance"] / table["g/η + σ²"] - 1).abs().max()
print(f"worst error of a variance on 10⁶ pixels: {worst:.2%}")
print(f"Table II implies mean grey levels of {implied.min():.1f} to {implied.max():.1f}")
largest = differences["ChestX-ray8"].abs().max()
print(f"noisy PSNRs of ChestX-ray8 differ from the printed ones by at most {largest:.2f} dB")

# %% [markdown]
# ## Two questions
#
# **1.** At which grey level are quantum and electronic noise equally strong for (η, σ) = (0.4, 10),
# and for (0.8, 15)?
#
# <details><summary>Answer</summary>
#
# From g/η = σ² follows g = η σ². That is 40 at (0.4, 10): quantum noise dominates in most of a
# chest image. At (0.8, 15) it is 180, so electronic noise dominates in all but the whitest third,
# and twice the η would gain only about 1 dB at a mean grey level of 131. (Increasing the *dose*
# would help: the electronic noise is fixed in units of the detector, so its σ in grey levels
# decreases when the image is scaled to 255. The paper varies η and σ independently.)
# </details>
#
# **2.** What is the cost of increasing the PSNR of an image with quantum noise alone by 3 dB?
#
# <details><summary>Answer</summary>
#
# The MSE is m/η, so 3 dB correspond to half the MSE and twice the η: twice the photons and twice
# the dose. A denoiser that gains 15 dB corresponds in this sense to a thirtyfold dose, but only in
# PSNR: it estimates what the additional photons would have measured.
# </details>

# %% [markdown]
# ## Take-away
#
# - White pixels of a radiograph receive few photons, while the paper's model gives them many. On a
#   logarithmic display the variance rises towards white in both, linearly in Eq. 1 and faster in
#   the measurement.
# - In Eq. 1 η is the number of photons per grey level, σ is the electronic noise in grey levels,
#   and Var f = g/η + σ². Two exposures of one scene give both without a noise-free image.
# - Of five interpretations of η only this one gives a possible and nearly constant mean grey level
#   in the nine cells of Table II.
#
# ## References
#
# - J. R. Janesick, *Photon Transfer*, SPIE Press 2007,
#   [doi:10.1117/3.725073](https://doi.org/10.1117/3.725073).
# - A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian, *Practical Poissonian-Gaussian noise modeling
#   and fitting for single-image raw-data*, IEEE Trans. Image Process. 17, 1737 (2008),
#   [doi:10.1109/TIP.2008.2001399](https://doi.org/10.1109/TIP.2008.2001399).
# - J. H. Hubbell, S. M. Seltzer, *X-ray mass attenuation coefficients*, NIST Standard Reference
#   Database 126, [doi:10.18434/T4D01F](https://doi.org/10.18434/T4D01F).
# - IEC 62220-1, *Determination of the detective quantum efficiency*: the fluence per air kerma of
#   the beam RQA5, which is used here beside attenuations at 60 keV.
# - The detector data are those of the test suites of the programs Savu, TomoPy and httomo; the
#   registry `xbdcnn/data/exposures.csv` names the files.
# - R. K. Swank, *Absorption and noise in x-ray phosphors*, J. Appl. Phys. 44, 4199 (1973),
#   [doi:10.1063/1.1662918](https://doi.org/10.1063/1.1662918).

# %%
print(run_time())
