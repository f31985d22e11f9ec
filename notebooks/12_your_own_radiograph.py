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
# # 12 Your own radiograph
#
# So far the noise was simulated and the clean image was known. For a radiograph of your own neither
# is the case: the noise comes from the detector, the grey levels have 10 to 16 bits, and there is
# no clean image. This notebook processes one DICOM file with `xbdcnn denoise` and then examines,
# with two checks that need no clean image, whether the result can be trusted. The default network,
# the *generalist*, was trained on the noise of radiographs, from none to strong and also
# correlated; the paper's network, trained on the strong white noise of Eq. 1 only, is shown beside
# it.
#
# ![A part of a radiograph, as restored by the generalist and by X-BDCNN, and what each removed](../figures/12_removed.png)
#
# *Figure of this notebook: a part of a radiograph, restored by the generalist (above) and by X-BDCNN
# (below), and what each removed.*
#
# **What this must not be used for.** This is research software and not a medical device. It has not
# been shown to improve a diagnosis, and this notebook shows how it may impair one: a network that
# removes noise also removes fine, low-contrast structure, without any visible sign. Do not report
# from a restored image, do not lower a dose because of it, and do not replace the original by it.
#
# ## What you'll do
#
# You measure the noise of a DICOM radiograph and compare it with that of the training, denoise it
# with both networks, read the header of the new object, examine what was removed, insert small
# discs into the image to measure how much of their contrast is preserved, and read what the same
# measurements found on other radiographs, at lower doses and on repeated exposures.
#
# ## What you'll learn
#
# Whether a network was trained for the noise of a radiograph, how 15-bit values are mapped to the
# network's range [0, 1] and back without loss, what a derived DICOM object is, and why structures
# are not necessarily easier to detect in a smoother image.
#
# ## What you need
#
# Notebooks 02 and 08, and the [glossary](../docs/glossary.md); a DICOM file of a projection
# radiograph if available. To use your own file, change `original` below. Long measurements were
# made once and are read from `figures/chestxray8`. The last line of the notebook states how long
# the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom

from xbdcnn import load_pretrained, noise, plotting
from xbdcnn.data import Window, find_source, open_radiograph
from xbdcnn.data.builtin import builtin_fields, builtin_path
from xbdcnn.inference.zoo import find_entry
from xbdcnn.measured_noise import noise_report, trained_noise, training_mismatches
from xbdcnn.study import dose, no_harm, no_reference, results
from xbdcnn.study.notebook import expect, run_time, show_source
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.scoring import BEFORE
from xbdcnn.training import radiograph_noise

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data="built-in radiograph")
GENERALIST, PAPER = (find_entry(name).label for name in ("generalist", "xbdcnn"))
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# All pictures here show the built-in radiograph, independent of the data source of the other
# notebooks.
#
# ## Theory
#
# ### The window transform and its inverse
#
# A file contains stored values $s$, in DICOM of 8 to 16 bits, signed or unsigned. The network was
# trained on images in [0, 1]. An affine *window* relates the two; its two ends are the stored
# values that are displayed as black and white:
#
# $$f = \operatorname{clip}_{[0,1]} \frac{s - s_\text{black}}{s_\text{white} - s_\text{black}}.$$

# %%
show_source(Window.to_unit)

# %% [markdown]
# In a MONOCHROME1 image, where large values are dark, $s_\text{black} > s_\text{white}$. The ends
# are those of the header's window or given by `--window BLACK WHITE`, and are printed for every
# file.
#
# The output is not the network's image $\hat g$; instead, its *change* is added in stored units:
#
# $$s' = s + (\hat g - f)\,(s_\text{white} - s_\text{black}).$$

# %%
show_source(Window.restore)

# %% [markdown]
# This has two consequences. Where the network changes nothing, the stored value is identical. And a
# value outside the window, in direct exposure or in metal, is not clipped: the network's input is
# black or white there, the change is small, and the value nearly keeps its distance from the window.
# Values are limited only by the bit depth of the file.
#
# ### Detectability
#
# In medical physics, image quality is defined by a task. The simplest one is to decide whether
# there is a low-contrast disc at a known place. The response $t$ of an observer is the mean over
# the disc minus the mean over a ring around it, and the *detectability* is the mean difference of
# the responses with and without a disc, in units of their standard deviation:
#
# $$d' = \frac{\overline{t_1 - t_0}}{\operatorname{std}(t_0)}.$$
#
# The standard deviation is over the places of a field, so that in an ordinary radiograph it is
# mainly anatomy that disturbs this observer. The observers of [notebook 13](13_detectability.ipynb)
# know the background, and noise alone disturbs them: their d' is another quantity.

# %%
show_source(no_reference.disc_responses)

# %% [markdown]
# ## Practical
#
# ### One DICOM file
#
# The built-in radiograph as a file, in a temporary folder (in the smoke profile, a part of it).

# %%
scratch = tempfile.TemporaryDirectory()
folder = Path(scratch.name)
original = pydicom.dcmread(builtin_path())
side = 256 if settings.is_smoke else 1024
piece = np.ascontiguousarray(original.pixel_array[400 : 400 + side, 400 : 400 + side])
original.Rows, original.Columns, original.PixelData = *piece.shape, piece.tobytes()
original.save_as(folder / "chest.dcm")

# %% [markdown]
# ### Before denoising: measure the noise
#
# A network removes noise like that of its training, so first measure which noise the radiograph
# has. `noise_report` needs no clean image: it evaluates the quietest blocks of 16 × 16 pixels.

# %%
show_source(noise_report)

# %%
scan = open_radiograph(folder / "chest.dcm")
report = noise_report(scan.unit)
rows = [(at.grey, at.noise, *trained_noise(at.grey)) for at in report.levels]
columns = ["grey level", "noise", "trained, least", "trained, most"]
pd.DataFrame(rows, ["dark", "middle", "bright"][: len(rows)], columns).round(1)

# %% [markdown]
# The noise is in grey levels of the display in the header's window; the last two columns are the
# limits of the paper's training noise at the same grey level. An empty table means that the noise
# cannot be determined. Fine anatomy counts as noise, so the true noise may be weaker.

# %%
print("differs from the paper's training noise:", training_mismatches(report) or "no")
if report.levels:
    middle = report.levels[1]
    fewer = [(limit / middle.noise) ** 2 for limit in trained_noise(middle.grey)]
    print(f"correlation length: {report.correlation_length:.2f} pixels")
    print(f"photons of this radiograph / those of the training: {fewer[0]:.0f} to {fewer[1]:.0f}")

# %% [markdown]
# The last line is the dose reduction that the levels of the paper mean for this radiograph in this
# window, if all of its noise is quantum noise, whose variance is inversely proportional to the
# dose. The generalist has another training noise:

# %%
least, most = radiograph_noise.STRENGTHS
blur = radiograph_noise.LARGEST_BLUR
print(f"training noise of the generalist at mid grey: none, or {least:g} to {most:g} grey levels")
print(f"white, or correlated by a blur of up to {blur:g} pixels")

# %% [markdown]
# **A warning.** *weaker*: the radiograph has less noise than any training image of the paper's
# network, which may remove structure instead. *correlated*: that network was trained on independent
# noise and takes a part of this noise for structure. *stronger*: noise remains. None of the three
# disqualifies the generalist within the limits just printed, but no answer makes a result reliable,
# because the law of the noise matters, too. Relative to the signal the noise of a radiograph is
# strongest where few photons pass, for example behind the heart ([notebook
# 01](01_noise_synthesis.ipynb#where-are-the-photons)). In grey levels it depends on the display: in
# the header's window of this file it is weaker in white than at middle grey levels, with a
# logarithm strongest in white ([notebook 02](02_data.ipynb#residual-noise-of-the-clean-images)).
#
# **Check.** The report recognises noise like that of the training: with noise of Eq. 1 added to the
# radiograph it measures its strength within 15 % and finds no difference.

# %%
levels = (1.0, 10.0)
trained = noise.add_hybrid_noise_numpy(scan.unit, *levels, np.random.default_rng(0))
with_noise = noise_report(trained)
for at in with_noise.levels:
    expected = noise.noise_variance(at.grey / 255, *levels) ** 0.5
    print(f"grey {at.grey:.0f}: measured {at.noise:.1f}, added {expected:.1f}")
    assert abs(at.noise / expected - 1) < 0.15
assert with_noise.levels and not training_mismatches(with_noise)


# %% [markdown]
# ### Denoise
#
# The command line, in that folder, with its messages:


# %%
def xbdcnn(*arguments):
    command = [sys.executable, "-m", "xbdcnn", *map(str, arguments)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    print(run.stdout + run.stderr)


xbdcnn("denoise", "chest.dcm", "-o", "restored")

# %% [markdown]
# The line names both files, the two ends of the window, the share of pixels outside it, the
# estimated noise level with its 95 % intervals, and how much was removed. Where the estimate is
# uncertain, the network is told a lower level, so that it rather leaves noise than removes anatomy;
# `--strength 0.5` removes half of the residual. Levels refer to the 8-bit scale *of that window*.
# In a window a third as wide the same noise covers three times as many grey levels, so that it
# should be estimated three times as strong. The next cell prints the estimate for both windows,
# with the measured noise of the report above, and writes no file.

# %%
xbdcnn("denoise", "chest.dcm", "--estimate-only")
xbdcnn("denoise", "chest.dcm", "--estimate-only", "--window", 14000, 4000)

# %% [markdown]
# ### The paper's network beside it
#
# The network of the paper is chosen by its name. Compare the noise that it estimates with the
# report above: its estimates hardly leave the range of its training.

# %%
xbdcnn("denoise", "chest.dcm", "-o", "paper", "--network", "xbdcnn")

# %% [markdown]
# ### The header of the new object
#
# The output is a *derived* DICOM object of the same patient and study, with its own identifiers.

# %%
derived = pydicom.dcmread(folder / "restored" / "chest.dcm")
for name in ("ImageType", "SeriesDescription", "DerivationDescription", "BitsStored"):
    print(f"{name:22s} {derived.get(name)}")
reference = derived.SourceImageSequence[0]
print("derived from the original:", reference.ReferencedSOPInstanceUID == original.SOPInstanceUID)

# %% [markdown]
# Size, bit depth, photometric interpretation and window are those of the source, and so are all
# patient data: **a derived object is as confidential as its source.**
#
# **Check.** The same size, window and bit depth, another identifier, and a change of some values.

# %%
results_of = {GENERALIST: "restored", PAPER: "paper"}
files = {label: open_radiograph(folder / name / "chest.dcm") for label, name in results_of.items()}
assert derived.SOPInstanceUID != original.SOPInstanceUID
for label, file in files.items():
    assert file.stored.shape == scan.stored.shape and file.limits == scan.limits
    change = np.abs(file.stored.astype(int) - scan.stored).max()
    print(f"{label}: largest change of a stored value {change}")
    assert change > 0

# %% [markdown]
# ### First check: what was removed
#
# Examine the residual before the restored image. It should contain noise only. Ribs, vessels or the
# edge of a lead marker in it are lost structure. A reduced picture hides the noise and fine
# structure, so the figure shows a part of the radiograph, resampled to the width of the page.

# %%
start = (side - min(side, 256)) // 2
part = np.s_[start : side - start, start : side - start]
limit = max(255 * (scan.unit - file.unit)[part].std() for file in files.values()) * 3
fig = plotting.new_figure(7.2, 5.2, layout="constrained")
for row, (label, file) in zip(fig.subplots(2, 3), files.items(), strict=True):
    panels = {"original": scan.unit[part], label: file.unit[part]}
    for axis, (title, image) in zip(row, panels.items(), strict=False):
        axis.imshow(image, cmap="gray", vmin=scan.unit[part].min(), vmax=scan.unit[part].max())
        axis.set_title(title)
    row[2].imshow(255 * (scan.unit - file.unit)[part], cmap="gray", vmin=-limit, vmax=limit)
    row[2].set_title(f"removed, ± {limit:.1f} grey levels")
    for axis in row:
        axis.axis("off")
caption = "A part of a DICOM radiograph, restored by two networks, and what each removed."
plotting.save_figure(fig, figures / "12_removed", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The upper row shows the generalist, the lower row X-BDCNN (balanced), which has the paper's
# architecture and other loss weights and was trained by us; the right column shows what
# each removed, on the same scale. The next cell measures the same. The restored files are given as
# functions, since `residual_scores` applies a method itself.

# %%
show_source(no_reference.residual_structure)

# %%
as_methods = {label: lambda f, file=file: file.unit for label, file in files.items()}
residuals = no_harm.residual_scores({"chest": scan.unit}, as_methods).set_index("method")
residuals.drop(columns="image").round(2)

# %% [markdown]
# *removed* is in grey levels, root mean square. Compare it with the noise of the radiograph itself,
# which lies between *noise_least* (of the finest detail; correlated noise is underestimated) and
# *noise_most* (of the quietest blocks; fine anatomy counts as noise): whatever exceeds the latter
# was not noise. *whiteness* is the correlation of adjacent pixels of the residual. The noise of
# this radiograph is correlated itself (see the report above), so it need not be zero. *anatomy*
# should be: the correlation of fine structure in the residual with that of the restored image, for
# example a vessel that is visible in both. *edges* is the share of the contrast of edges that is
# kept. Look at the panels on the right again.
#
# **Check.** This tests the measure, not the networks: a Gaussian blur must give a high correlation
# with anatomy, true white noise a low one.

# %%
from scipy.ndimage import gaussian_filter

field = builtin_fields("table2")[1][: 448 if not settings.is_smoke else 128]
white_noise = np.random.default_rng(0).normal(0, 5 / 255, field.shape)
of_noise = no_reference.residual_structure(field + white_noise, field)
of_blur = no_reference.residual_structure(field, gaussian_filter(field, 3))
print(f"white noise: anatomy {of_noise.anatomy:+.2f}; a blur: anatomy {of_blur.anatomy:+.2f}")
assert abs(of_noise.anatomy) < 0.1 < of_blur.anatomy

# %% [markdown]
# The results of the networks on the radiograph above. Noise that is left in the restored image
# raises the correlation, too, so that no method reaches zero; the section on lower doses compares
# with anatomy whose noise is independent. "More" refers to the upper limit of the noise.

# %%
for label, row in residuals.iterrows():
    strength = "more" if row["removed"] > row["noise_most"] else "not more"
    anatomy = f"{row['anatomy']:+.2f} (a blur: {of_blur.anatomy:+.2f})"
    print(f"{label}: anatomy {anatomy}; {strength} removed than the noise of the radiograph")

# %% [markdown]
# ### Second check: inserted discs
#
# Insert discs of known size and contrast into the image *before* denoising, and measure the
# remaining contrast: in a field of the radiograph as it is, and in the same field at a simulated
# low dose.

# %%
low_dose = noise.add_hybrid_noise_numpy(field, 0.4, 10.0, np.random.default_rng(1))
fields = {"as it is": field, "low dose (0.4, 10)": low_dose}
models = {GENERALIST: load_pretrained("generalist"), PAPER: load_pretrained("xbdcnn")}
for label, model in models.items():
    for name, image in fields.items():
        eta, sigma = model.estimate(image)
        print(f"{label}, {name}: eta {eta:.2f}, sigma {sigma:.2f}")

# %% [markdown]
# A part of the field with discs of 4 pixels radius and 8 grey levels, as inserted and after each
# network; above as it is, below at the low dose.

# %%
centres = no_reference.disc_centres(field.shape, radius=4)
part = (slice(0, 160), slice(0, 160))
rows = {}
for name, image in fields.items():
    marked = no_reference.insert_discs(image, centres, radius=4, contrast=8.0).clip(0, 1)
    versions = [marked, *(model.denoise(marked) for model in models.values())]
    rows[name] = [version[part] for version in versions]

# %%
fig = plotting.signal_panel(rows, ["before", *models])
caption = (
    "Inserted discs before and after denoising: radius 4 pixels, 8 grey levels, 160 x 160 pixels."
)
plotting.save_figure(fig, figures / "12_inserted", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The grey scale of all pictures is that of the first one; profile as printed at the top. To measure
# what can be seen here, discs of several radii and contrasts are inserted:

# %%
show_source(no_harm.disc_scores)

# %%
radii = (2,) if settings.is_smoke else no_harm.RADII
contrasts = (4, 16) if settings.is_smoke else no_harm.CONTRASTS
methods = {BEFORE: lambda f: f} | {label: model.denoise for label, model in models.items()}
discs = no_harm.disc_scores(fields, methods, radii, contrasts)
wide = discs.pivot(index=["image", "radius", "contrast"], columns="method")
shown = wide[["kept", "d_prime"]].rename(columns={"kept": "contrast kept", "d_prime": "d'"})
shown.rename(index=int, level="contrast").round(2)

# %% [markdown]
# Radius in pixels, contrast in 8-bit grey levels. *Contrast kept* is the share that remains, *d'*
# the detectability.
#
# **Check.** Without denoising the contrast is complete, except for a few pixels that are clipped at
# white.

# %%
kept = wide["kept"]
assert kept[BEFORE].between(0.9, 1.001).all()

# %%
fig = plotting.new_figure(7.2, 3.2, layout="constrained")
for axis, name in zip(fig.subplots(1, 2, sharey=True), fields, strict=True):
    for label, line in ((GENERALIST, "o-"), (PAPER, "s--")):
        for number, (radius, part) in enumerate(kept.loc[name][label].groupby("radius")):
            axis.plot(contrasts, part, line, color=f"C{number}", label=f"{label}, radius {radius}")
    axis.axhline(1, color="0.6", lw=1)
    axis.set(title=name, xlabel="contrast in grey levels", xscale="log")
    axis.set_xticks(contrasts, [f"{contrast:g}" for contrast in contrasts])
    axis.minorticks_off()
fig.axes[0].set_ylabel("contrast kept")
fig.axes[0].set_ylim(bottom=0)
fig.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2)
caption = "Share of the contrast of inserted discs that remains after denoising by two networks."
plotting.save_figure(fig, figures / "12_discs", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Contrast kept after denoising, on a field of the built-in radiograph, profile as printed at the
# top. The line at 1 is the original. A curve falls towards low contrasts if the network removes
# low-contrast discs like noise, and lies lower the more of small discs it removes.

# %%
for label in models:
    rows = discs[discs["method"] == label]
    worst = rows.loc[rows["kept"].idxmin()]
    print(f"{label}: least kept {worst['kept']:.0%} of {worst['contrast']:g} grey levels, ", end="")
    print(f"radius {worst['radius']}, {worst['image']}")
    for name, ratio in rows.groupby("image", sort=False)["detectability"]:
        limits = f"{ratio.min():.2f} to {ratio.max():.2f}, median {ratio.median():.2f}"
        print(f"    {name}: detectability after / before {limits}")

# %% [markdown]
# ### Does denoising do harm?
#
# The same measurements were made once with `xbdcnn audit removed discs doses exposures` on more
# images and beside two classical methods. These have to be told the noise levels; they got those
# that the generalist's level estimator found in each image.

# %%
NAMES = ("removed", "discs", "doses", "exposures")
stored = {name: results.table(f"audit_{name}") for name in NAMES}
for name, table in stored.items():
    print(f"{name:10s} {len(table):5,} rows, {results.source_line(f'audit_{name}')}")


# %%
def with_intervals(table, *scores):
    """Write each score of `average_scores` as mean [95 % interval]."""
    texts = {
        name: [
            f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"
            for _, row in table.iterrows()
        ]
        for name in scores
    }
    ends = [f"{name}_{end}" for name in scores for end in ("low", "high")]
    return table.assign(**texts).drop(columns=ends)


# %% [markdown]
# #### Ordinary radiographs
#
# No noise is added. As in the first check: grey levels removed, beside the lower limit of the noise
# of the radiographs, the correlation with anatomy, and the share of the edges that is kept. The
# intervals are over the images; the four fields of the built-in radiograph show one patient. Each
# network is one training run, here and in all tables below: the intervals compare weight files, and
# another run of the same training may give other numbers.

# %%
removed, scores = stored["removed"], ("removed", "noise_least", "anatomy", "edges")
by_origin = no_harm.average_scores(removed, scores, by=("origin", "method"))
with_intervals(by_origin, *scores).set_index(["origin", "method"])

# %%
mean = no_harm.average_scores(removed, scores).set_index("method")
ours, theirs = mean.loc[GENERALIST], mean.loc[PAPER]
both = f"{ours['removed']:.2f} grey levels and {PAPER} {theirs['removed']:.2f}"
expect(ours["removed"] < theirs["removed"], f"{GENERALIST} removes {both}", source)
both = f"{ours['edges']:.1%} of the contrast of edges and {PAPER} {theirs['edges']:.1%}"
expect(ours["edges"] > theirs["edges"], f"{GENERALIST} keeps {both}", source)

# %% [markdown]
# Does a method remove more than the noise that a radiograph can have? The upper limit is known
# where the radiograph has enough quiet blocks.

# %%
known = removed.dropna(subset="noise_most")
for label, rows in known.groupby("method", sort=False):
    more = int((rows["removed"] > rows["noise_most"]).sum())
    print(f"{label}: more removed than the upper limit in {more} of {len(rows)} images")

# %% [markdown]
# #### Discs in ordinary radiographs
#
# The share of the contrast that is kept and *detectability*, d' after denoising divided by d'
# before, by radius. At 1 the discs are as detectable as they were. The test radiographs and the
# four fields of the built-in radiograph, which show one patient, are averaged apart.

# %%
inserted = stored["discs"]
restored = inserted[inserted["method"] != BEFORE]
by_radius = no_harm.average_scores(
    restored, ["kept", "detectability"], by=("origin", "method", "radius")
)
with_intervals(by_radius, "kept", "detectability").set_index(["origin", "method", "radius"])

# %%
restored.groupby(["origin", "method"], sort=False)["detectability"].median().unstack(0).round(2)

# %% [markdown]
# The second table has the medians over all discs. The methods had the same images and discs, so
# their differences are paired: the ratio of each method minus that of the generalist, in the test
# radiographs; the ratio of the unrestored image is 1.

# %%
of_tests = inserted[inserted["origin"] == "test radiographs"]
paired = no_harm.paired_scores(of_tests, GENERALIST, ["detectability"])
print(with_intervals(paired, "detectability").to_string(index=False))
lost = -paired.set_index("method").loc[PAPER]
statement = f"with {GENERALIST} detectability is higher by {lost['detectability']:.2f} "
statement += (
    f"[{lost['detectability_high']:.2f}, {lost['detectability_low']:.2f}] than with {PAPER}"
)
expect(lost["detectability_high"] > 0, statement, source)

# %% [markdown]
# #### Lower doses
#
# What would the built-in radiograph be at a part of its dose? Noise of its own measured law and
# correlation is added to its stored values, and each method is compared with the full dose.

# %%
show_source(dose.lower_dose)

# %% [markdown]
# The full dose has noise, too, with variance $s^2$; at a fraction $d$ of the dose $(1/d - 1) s^2$
# is added. A method that restores the noise-free image keeps an error of $s^2$, that of the
# reference, and gains $10 \log_{10}(1/d - 1)$ dB: nothing at half the dose, and 18 dB at a 64th.
# This is no bound: a method that keeps a part of the noise, which the reference has as well, can
# gain more ([notebook 02](02_data.ipynb#psnr-against-a-noisy-reference)). The table has PSNR and
# its gain over the unrestored image, the detectability of discs relative to that at the full dose
# without a method, with its change by the method, and the correlation of what was removed with the
# fine anatomy of the full dose. The noise that was added is independent of the full dose, so at a
# low dose this correlation tells how much anatomy was removed more reliably than that with the
# restored image.

# %%
scores, keys = ["psnr", "detectability"], ["fraction", "method"]
values = no_harm.average_scores(stored["doses"], scores, by=keys).set_index(keys)
gains = no_harm.paired_scores(stored["doses"], BEFORE, scores, by=keys)
changes = with_intervals(gains, *scores).set_index(keys)
table = values[scores].round(2).set_axis(["PSNR (dB)", "detectability"], axis=1)
table.insert(1, "gain (dB)", changes["psnr"])
table["its change"] = changes["detectability"]
anatomy = stored["doses"].query("method != @BEFORE").groupby(keys)["anatomy"].mean().round(2)
table["anatomy"] = anatomy.map("{:.2f}".format)
table.fillna("–").rename(index=lambda fraction: f"1/{1 / fraction:.0f}", level="fraction")

# %%
by_dose = gains[gains["method"] == GENERALIST].set_index("fraction")
for fraction, row in by_dose.iterrows():
    better = "better" if row["psnr_low"] > 0 else "worse" if row["psnr_high"] < 0 else "undecided"
    gain = f"{row['psnr']:+.2f} dB [{row['psnr_low']:+.2f}, {row['psnr_high']:+.2f}]"
    print(f"dose 1/{1 / fraction:.0f}, PSNR restored against unrestored: {better}, {gain}")
low = by_dose[by_dose.index < 1 / 2]
expect((low["psnr_low"] > 0).all(), f"{GENERALIST} gains PSNR below half the dose", source)

# %%
lowest = gains[gains["fraction"] == gains["fraction"].min()].set_index("method")
ours, theirs = (lowest.loc[label] for label in (GENERALIST, PAPER))
for label, row in ((GENERALIST, ours), (PAPER, theirs)):
    print(f"{label}, at the lowest dose: PSNR {row['psnr']:+.2f} dB", end=", ")
    print(f"detectability {row['detectability']:+.2f}")
holds = ours["psnr"] > theirs["psnr"] and ours["detectability"] < theirs["detectability"]
expect(holds, "the network with the higher gain loses more detectability", source)

# %% [markdown]
# The intervals are over four fields of one radiograph. PSNR and detectability may disagree: PSNR
# counts the removed noise, an observer who knows the place of a disc averages over it anyway.
#
# #### Repeated exposures
#
# Real noise with a known reference: single frames of a uniform beam, corrected with half of the
# flats, against the mean of all other frames. `reference_noise` is the noise of that mean, which
# limits the error from below. The scene has no structure, so this shows only whether real noise is
# removed.

# %%
frames = no_harm.average_scores(stored["exposures"], ["rmse", "reference_noise"])
print(with_intervals(frames, "rmse", "reference_noise").to_string(index=False))
rmse = frames.set_index("method")["rmse"]
print("least error first:", " < ".join(rmse.sort_values().index))
both = f"from {rmse[BEFORE]:.2f} to {rmse[GENERALIST]:.2f} grey levels"
expect(rmse[GENERALIST] < rmse[BEFORE], f"{GENERALIST} reduces the error {both}", source)

# %% [markdown]
# ## Discussion
#
# Consider the ratios of detectability. A denoiser can hardly help this observer, who knows the
# place and averages over the disc. In a radiograph as it is, most of the noise averages out, and what
# disturbs the observer is anatomy, which remains, while the contrast that a network removed is lost.
# At a low dose the noise disturbs the observer, too, but in the tables above the methods remove more
# of the contrast than they gain by removing noise. A ratio below 1 is a loss, also if the
# image looks better and has a higher PSNR. A human observer averages less well and may benefit;
# whether a radiologist does has to be tested in a reader study, which neither the paper nor this
# project has made.
#
# The two networks differ in architecture and in training noise. The training of X-BDCNN (balanced)
# has no noise as weak as that of an ordinary radiograph, so that it cannot estimate it, and fine
# structure is as weak as the noise that it has to remove. A network that knows weak noise can leave
# such an image nearly as it is, which is right where there is little to gain. That is no proof that
# nothing is lost: see the shares of the contrast that remain for small discs. On the real noise of
# a uniform beam the generalist leaves more error than the other methods, as the last table shows.
# And at the lowest simulated dose it gains more PSNR than X-BDCNN (balanced), which leaves more of
# the correlated noise, but loses more detectability.
#
# The discs have sharp edges and often lie in flatter surroundings than a nodule does: a lesion of
# the same contrast and size may lose more. The simulated doses have the noise of one detector
# without more electronic noise, and the repeated exposures show no anatomy.
#
# For your own images: measure their noise first, and use X-BDCNN for noise like that of its
# training only; compare the report with repeated exposures of a uniform object on your detector
# ([notebook 01](01_noise_synthesis.ipynb#measured-on-detectors)); make sure that the window is the
# one used for reading; apply both checks to some examples of each kind from your department. If the
# residual shows anatomy, or discs that must be visible disappear, do not use the restored images,
# or remove only a part of the residual with `--strength`.

# %% [markdown]
# ## Two questions
#
# **1.** Why is the change added to the stored values, instead of storing the restored image?
#
# <details><summary>Answer</summary>
#
# The restored image lacks the values outside the window, because clipping cannot be undone. The
# change is zero where the network did nothing, so those values stay exact, and values outside the
# window nearly keep their order and distance. The new object can therefore be displayed with other
# windows.
# </details>
#
# **2.** A network keeps all of the contrast of large discs and half that of small, low-contrast
# ones, and its PSNR is excellent. How is that possible?
#
# <details><summary>Answer</summary>
#
# PSNR averages squared errors over all pixels. Ten discs of radius 4 are one in two thousand pixels
# of a megapixel: if they lose 4 grey levels of 8, a mean squared error of 10, which is a PSNR of
# 38 dB, rises by less than a hundredth of a decibel, while the noise removed elsewhere gains many
# decibels. PSNR is insensitive to rare structures such as lesions.
# </details>

# %% [markdown]
# ## Take-away
#
# - Measure the noise of a radiograph before it is denoised. The noise of an ordinary radiograph is
#   weaker than all training noise of X-BDCNN, which then removes structure.
# - Two checks need no clean image: the residual must contain no anatomy, and inserted discs must
#   keep their contrast.
# - PSNR and detectability can disagree. A ratio of detectability below 1 is a loss, also if the
#   image is smoother and has a higher PSNR.
#
# ## References
#
# - H. H. Barrett, J. Yao, J. P. Rolland, K. J. Myers, *Model observers for assessment of image
#   quality*, Proc. Natl. Acad. Sci. USA 90, 9758 (1993),
#   [doi:10.1073/pnas.90.21.9758](https://doi.org/10.1073/pnas.90.21.9758), and H. H. Barrett, K. J.
#   Myers, *Foundations of Image Science*, Wiley 2004, chapter 13: detectability.
# - *Digital Imaging and Communications in Medicine (DICOM)*, PS3.3, NEMA: derived objects.

# %%
print(run_time())
