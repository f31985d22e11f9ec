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
# # 06 Tables I and II
#
# The results of the paper are in two tables. Table I averages over random noise levels; Table II
# uses strong noise at nine combinations of η and σ. Here both are measured on ChestX-ray8, with all
# methods on the same noisy images, and compared with the printed values. Our mean PSNRs have
# intervals, and bold print is used only for significant differences.
#
# ![Gain in PSNR of each method in the nine cells of Table II, ours and the paper's](../figures/06_chestxray8.png)
#
# *Figure of this notebook: Table II as gains over the noisy image, ours on ChestX-ray8 and the paper's,
# corrected.*
#
# ## What you'll do
#
# You read the headers of the weight files, correct two exchanged columns of the printed tables,
# read both tables as measured on ChestX-ray8, and compute them on the images of this run: paper as
# printed, paper corrected, ours.
#
# ## What you'll learn
#
# How to read a table of decibels critically: which images and how many were used, which methods
# were given the noise level, and whether the difference between two rows is significant when it is
# computed image by image.
#
# ## What you need
#
# Notebook 04 for PSNR, SNR and SSIM, the [glossary](../docs/glossary.md) for the terms, and a clone
# of the repository, which contains the measured tables. Most of the time is spent by BM3D, which
# must be installed (`pip install 'xbdcnn[reproduce]'`; free for non-commercial use only). The last
# line of the notebook states how long the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import pandas as pd
from IPython.display import Markdown
from scipy.stats import ttest_rel

from xbdcnn import metrics, paper, plotting
from xbdcnn.baselines.independent import INDEPENDENT
from xbdcnn.data import find_source
from xbdcnn.inference import methods, zoo
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import build_network, load_network, shipped_path
from xbdcnn.models import count_parameters
from xbdcnn.study import comparison, results, scoring, statistics, tables
from xbdcnn.study.audit import image_draws, reference_noise
from xbdcnn.study.audit.architecture import gigaflops
from xbdcnn.study.notebook import run_time, short_labels, show_source
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.trainings import recorded_share

# %% [markdown]
# The value of the results below depends on profile and data, which are printed here and above each
# table.

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
# ### Exchanged columns
#
# SNR can never exceed PSNR, and their difference depends on the clean images alone. In every row of
# a network the paper prints SNR > PSNR: its columns are exchanged there, as [notebook
# 04](04_losses_and_metrics.ipynb#psnr-snr-and-the-papers-columns) proves. All tables below have the
# printed and the corrected values.

# %%
show_source(paper.corrected)

# %% tags=["nbval-check-output"]
swapped = [name for name, scores in paper.TABLE_1.items() if paper.columns_are_swapped(scores)]
print("Table I, impossible as printed:", ", ".join(swapped))
cells = [scores for row in paper.TABLE_2.values() for scores in row.values()]
print(f"Table II: {sum(map(paper.columns_are_swapped, cells))} of {len(cells)} cells")

# %% [markdown]
# ### The interval
#
# A mean over ten radiographs is an estimate of the mean over all radiographs. The *bootstrap*
# measures its uncertainty: draw ten of the ten with replacement, average, repeat 2,000 times, and
# keep the middle 95 %. The unit that is drawn is the radiograph, because patches of one radiograph
# and its nine noise levels are not independent.

# %%
show_source(statistics.summarise)

# %% [markdown]
# Images differ more from each other than methods do, so two rows with overlapping intervals may
# still differ significantly: their scores are subtracted image by image first. A *paired* interval
# that excludes zero means that the mean difference is larger than the choice of the images
# explains.
#
# Both intervals are over images. For networks they compare two *weight files*. Another training run
# of the same method gives another weight file, and the intervals do not contain this variation;
# [notebook 07](07_ablations.ipynb#more-than-one-seed) measures it. "Significant" below means
# significant for these weight files on other images.

# %%
show_source(statistics.paired_differences)

# %% [markdown]
# ### Blind methods and oracle noise levels
#
# The networks are blind: their only input is the image. The classical methods are given the true η
# and σ (oracle noise levels), which are not known exactly in practice. GAT+BM3D uses both: a
# generalised Anscombe transform turns the hybrid noise into Gaussian noise of unit variance, for
# which BM3D was designed. I+VST+BM3D and NL-PCA are the methods [7] and [6] of the paper, and are
# given both, too. GAT+DnCNN and GAT+FFDNet are networks that others trained on photographs, applied
# after the same transform. Plain BM3D, NLM and TV are given one averaged standard deviation
# computed from η and σ.

# %%
show_source(methods.blind_method)

# %%
show_source(methods.oracle_method)

# %% [markdown]
# ## Practical
#
# ### The weights
#
# The results of a network depend on its training. The header of each weight file records how the
# network was trained; the next cell reads these headers.

# %% tags=["needs:05_train@cpu+paper"]
weights = None if settings.shipped_weights else Path(output) / "weights"
if weights is None:
    files = [shipped_path(name) for name in zoo.shipped_names()]
else:
    files = [weights / f"{name}.safetensors" for name in methods.trained_names(weights)]


# %%
def training_summary(path):
    """One row about a weight file, from its header."""
    network, header = load_network(path)
    entry, budget = zoo.find_entry(header["name"]), header["budget"]
    size = count_parameters(network)
    full_size = count_parameters(build_network(entry.architecture, entry.recipe))
    row = {"network": entry.label, "parameters": size, "share of full size": size / full_size}
    row |= {"% of the paper's pixels": recorded_share(path), "minutes": header["seconds"] / 60}
    row |= {"trained on": header["provenance"]["data"], "seed": budget["seed"]}
    kept = header["scores"]["step"] * budget["batch_size"] / budget["patches"]
    return row | {"kept at": f"{kept:.0%}", "validation PSNR": header["scores"]["val_psnr"]}


# %% [markdown]
# Training pixels are counted with their repeats and compared with the paper's 224,000 patches of
# 128 × 128 in 40 epochs. "Share of full size" compares the number of parameters with that of the
# network at its full width. "Kept at" is the part of the training run after which the validation
# PSNR was highest; these weights were kept.

# %%
trainings = pd.DataFrame([training_summary(path) for path in files])
counts = {name: trainings[name].map("{:,.0f}".format) for name in ("parameters", "minutes")}
trainings.assign(**counts).set_index("network").round(2)

# %%
longest = trainings["% of the paper's pixels"].max()
narrow = trainings[trainings["share of full size"] < 0.99]
print(f"{len(narrow)} of {len(trainings)} networks are narrower than at full width.")
print(f"The longest training of a denoiser saw {longest:.1f} % of the pixels that the paper's saw.")

# %% [markdown]
# This table limits what the comparisons below can show. At equal budget the comparison *between*
# our networks is fair, although a network whose weights were kept early did not use all of its
# budget; X-BDCNN (balanced) and the successors were trained longer, and the level estimator that the
# successors share is not counted here (see the captions of the tables). The comparison with the
# absolute numbers of the paper is between very unequal training runs.
#
# The rows of our tables: "X-BDCNN (as written)" is trained as the paper's text describes, and
# "X-BDCNN (balanced)" is the same architecture with other weights, units and reductions in the
# loss, under which the squared error dominates (notebook 04), and a longer training. It is not
# shown to be the best recipe (notebook 05). "X-ReCNN-style" is a reconstruction from a brief
# description, because X-ReCNN was not published in full. The "successors" are not in the paper.
# They keep its idea, a part that estimates the noise level and a part that denoises given the
# level, in a smaller network: the *specialist* was trained on the paper's noise only, the
# *generalist* on the noise of radiographs from none to stronger than the paper's, correlated noise
# included, and *tiny* likewise with fewer channels.

# %% [markdown]
# ### Table I on ChestX-ray8: random noise levels
#
# These tables are measured on real radiographs, one of each patient, none of them used in training.
# The measurement takes hours, so it was done once with `xbdcnn evaluate`, and the results are in
# `figures/chestxray8` with their provenance; `xbdcnn evaluate --profile cpu --data DIR` repeats it.
# The next cells read the results.
#
# Table I uses patches of 128×128, each with its own η from (0.4, 1.9) and σ from (0, 20).

# %%
table_1, results_1 = results.table("table_1"), results.table("table_1_results")
print(results.facts("table_1")["caption"])
bold = tables.readable(table_1, "**{}**")
Markdown(bold.to_markdown(index=False, disable_numparse=True))

# %% [markdown]
# Brackets are 95 % intervals over images; a dash means that the paper has no such row. Both
# "X-BDCNN (as written)" and "X-BDCNN (balanced)" are shown beside the paper's X-BDCNN.
#
# SSIM is given in two columns. The paper's values are nearest to those with a data range of 2,
# which old versions of scikit-image assumed for floating-point images (all but BM3D's: [notebook
# 11](11_audit.ipynb)); with the correct range, 1, the same images score lower.
#
# **Check.** SNR is below PSNR in every row, as the theory requires, and the means of the stored
# rows agree with the table.

# %%
means = results_1.groupby(["method", "image"])["psnr"].mean().groupby("method").mean()
assert (results_1["snr"] <= results_1["psnr"]).all()
assert (table_1.set_index("method")["psnr"] - means).abs().max() < 1e-9

# %% [markdown]
# ### The order of the methods
#
# The paper's rows are sorted by their corrected PSNR, so each row should exceed the next one. For
# each pair of neighbouring rows we compare the difference in the paper with our paired difference.
# The comparison is at equal budget, so the row "X-BDCNN (balanced)" is excluded and the as-written
# row represents X-BDCNN.

# %%
show_source(comparison.adjacent_leads)

# %% [markdown]
# A positive value under "ours" means the same order as in the paper; "low" and "high" are its 95 %
# interval. For these weight files the order is significant if the whole interval is above zero, and
# reversed if the whole interval is below. Otherwise these images do not decide it.

# %%
leads_1 = comparison.adjacent_leads(results_1, table_1)
leads_1.set_index(["above", "below"]).round(2)

# %%
print("Table I:", comparison.ordering_sentence(leads_1))

# %% [markdown]
# The correction of the columns affects this order. As printed, the "PSNR" column ranks BM3D above
# X-ReCNN and the network without SSIM loss below the one without NLE; corrected, both pairs are
# reversed.

# %% tags=["nbval-check-output"]
rows = {k: v for k, v in paper.TABLE_1.items() if k != "Before Denoising"}
for reading, values in {
    "printed": {k: v.psnr for k, v in rows.items()},
    "corrected": {k: paper.corrected(v).psnr for k, v in rows.items()},
}.items():
    print(f"{reading:10s}", " > ".join(sorted(values, key=values.get, reverse=True)))

# %% [markdown]
# ### Table II on ChestX-ray8: strong noise
#
# Ten whole radiographs in nine cells, as in the paper, whose ten images are unknown. As in the
# paper the ablations are in Table I only.

# %%
table_2, results_2 = results.table("table_2"), results.table("table_2_results")
print(results.facts("table_2")["caption"])

# %% [markdown]
# PSNR in dB, one column per cell and one row per method. SNR and PSNR of the paper's rows are
# exchanged.


# %%
def by_cell(table, column):
    """One row per method, one column per (eta, sigma), and the mean of the nine."""
    wide = table.pivot(index="method", columns=["eta", "sigma"], values=column)
    wide = wide.reindex(index=table["method"].unique(), columns=list(paper.TABLE_2))
    wide["mean", ""] = wide.mean(axis=1)
    return wide.dropna(how="all")


# %%
printed = by_cell(table_2, "corrected_psnr").rename(tables.PRINTED_AS)
printed = printed[~printed.index.duplicated()].add_prefix("paper: ", axis=0)
short_labels(pd.concat([printed, by_cell(table_2, "psnr")]).round(2))

# %% [markdown]
# Absolute values depend on the images. The *gain* over the noisy image in the same cell does not
# contain the strength of the noise, which follows from the brightness of the images. It is not
# independent of them: the next cell prints how much either varies between the ten radiographs.

# %%
ours = table_2.assign(source="ours")
theirs = table_2.dropna(subset=["corrected_psnr"])
theirs = theirs.assign(source="paper (corrected)", psnr=theirs["corrected_psnr"])
theirs = theirs.assign(psnr_low=float("nan"), psnr_high=float("nan"))

by_image = results_2.pivot(index=["eta", "sigma", "image"], columns="method", values="psnr")
restored = by_image[zoo.ZOO["xbdcnn"].label]
for name, values in {"PSNR": restored, "gain": restored - by_image[scoring.BEFORE]}.items():
    spread = values.groupby(["eta", "sigma"]).std()
    print(f"standard deviation of the {name} over radiographs, {restored.name}: ", end="")
    print(f"{spread.min():.2f} to {spread.max():.2f} dB in the nine cells")

# %%
fig = plotting.table_2_plot(pd.concat([ours, theirs]))
caption = "Table II on ten radiographs: gain over the noisy image in each of the nine cells."
table_2_facts = {name: results.facts("table_2")[name] for name in ("profile", "data")}
plotting.save_figure(fig, figures / "06_chestxray8", caption, table_2_facts)
fig

# %% [markdown]
# Gain in PSNR over the noisy image, one panel per noise level, on ten radiographs of ChestX-ray8.
# Filled dots are our gains with their intervals over images; open circles are the corrected gains
# of the paper.
#
# The order of the methods is compared as for Table I, in each of the nine cells. The nine
# comparisons are not independent, because they use the same images:

# %%
leads_2 = comparison.adjacent_leads_by_cell(results_2, table_2)
print("Table II:", comparison.ordering_sentence(leads_2))

# %% [markdown]
# If the *task* is the same as in the paper, our noisy images must agree with the printed values.
# The next two cells compare these, and the gain of X-BDCNN with that in the paper.

# %%
cell = ["eta", "sigma"]
noisy = table_2[table_2["method"] == scoring.BEFORE].set_index(cell)
offset = noisy["psnr"] - noisy["corrected_psnr"]
print(f"noisy images, ours − paper: {offset.min():+.2f} to {offset.max():+.2f} dB")

# %%
gains = table_2.set_index([*cell, "method"])["gain"].unstack()
as_printed = theirs[theirs["method"] == zoo.ZOO["xbdcnn"].label].set_index(cell)["psnr"]
printed_gain = as_printed - noisy["corrected_psnr"]
for name in ("xbdcnn-as-written", "xbdcnn", "specialist"):
    label = zoo.ZOO[name].label
    excess = gains[label] - printed_gain
    print(f"{label}: gain minus that of the paper's X-BDCNN {excess.min():+.2f} to", end=" ")
    print(f"{excess.max():+.2f} dB, at or above it in {(excess >= 0).sum()} of {len(excess)} cells")

# %% [markdown]
# GAT+BM3D is the most important reference. It is not trained and is given η and σ; a blind network
# that exceeds it has to estimate the noise level and has learned the structure of chest
# radiographs. The paper compares with BM3D alone and does not state which σ it was given. The
# paired difference to GAT+BM3D, with its interval over images:

# %%
networks = [label for label in trainings["network"] if label in set(table_2["method"])]
differences = statistics.paired_differences(results_2, "GAT+BM3D", [*cell, "method"])
differences = differences[differences["method"].isin(networks)]
short_labels(by_cell(differences, "psnr").round(2))

# %%
overall = statistics.paired_differences(results_2, "GAT+BM3D").set_index("method").loc[networks]
for label, row in overall.iterrows():
    better = (differences[differences["method"] == label]["psnr_low"] > 0).sum()
    print(f"{label}: {row.psnr:+.2f} dB [{row.psnr_low:+.2f}, {row.psnr_high:+.2f}]; ", end="")
    print(f"significantly better in {better} of {len(paper.TABLE_2)} cells")

# %% [markdown]
# ### Why our numbers are lower than the paper's
#
# A gain below that of the paper can have four reasons: the choice of the ten radiographs, which the
# paper does not name, whether they were training images, the noise of the references, and the
# training. The first and the third were measured with `xbdcnn audit draws references` in three of the
# nine cells: those with the smallest, a medium and the largest gain in the paper. The first uses the
# radiographs of the sample that had no influence on the training, at full size, the third the ten of
# Table II, with references of half their side.

# %%
balanced = zoo.ZOO["xbdcnn"].label
draws, references = results.table("audit_draws"), results.table("audit_references")
print(results.source_line("audit_draws"), f"– {draws['image'].nunique()} radiographs", end=", ")
lowest, highest = draws.groupby("image")["gain"].mean().agg(["min", "max"])
print(f"whose mean gains range from {lowest:.2f} to {highest:.2f} dB")

# %% [markdown]
# **Check.** The ten radiographs of Table II are among them, with the same noise as in the table, so
# that their PSNR must be that of the table on file.

# %%
key = ["image", *cell]
on_file = results_2[results_2["method"] == balanced].set_index(key)["psnr"]
again = draws[draws["image"].isin(results_2["image"])].set_index(key)["psnr"]
assert (again - on_file.reindex(again.index)).abs().max() < 0.02

# %% [markdown]
# **The draw of the images.** How much does the mean gain depend on which ten radiographs were
# drawn? Tens are drawn at random from all of them, 10,000 times. An image can occur repeatedly,
# because the images stand for all of ChestX-ray8; tens without repetition would vary too little.

# %%
show_source(image_draws.random_tens)

# %% [markdown]
# Two facts about the paper's ten follow from the printed table: the root mean square of the clean
# images, from SNR and PSNR, and their mean grey level, from the PSNR of the noisy images (notebook
# 01). *Matched* tens agree with both. Their means are compared as the noisy PSNR implies them:
# decibels are averaged, black and white are clipped, so that this mean is below the arithmetic one.

# %%
tens = image_draws.random_tens(draws)
traits, printed_gain = image_draws.printed_traits(), image_draws.printed_gains()
matched = image_draws.random_tens(draws, image_draws.MATCHING_DRAWS).matching(traits)
print({name: f"{value:.1f} ± {image_draws.TOLERANCE:g}" for name, value in traits.items()})
print(f"{len(matched.gains):,} of {image_draws.MATCHING_DRAWS:,} tens match; ", end="")
print(f"their arithmetic mean is {matched.traits['mean'].mean():.1f} grey levels")

# %% [markdown]
# "excess" is the printed gain minus the mean over the tens, "deviations" the same in standard
# deviations, and "quantile" the share of the tens whose gain is below the printed one.

# %%
groups = {"all tens": tens, "matched tens": matched}
placed = {name: image_draws.place_in_draws(g, printed_gain) for name, g in groups.items()}
shown = pd.concat(placed)
shown["tens"] = shown["tens"].map("{:,.0f}".format)
shown["quantile"] = shown["quantile"].map("{:.2%}".format)
short_labels(shown.round(2))

# %%
marks = {"paper": printed_gain, "our ten of Table II": gains[balanced]}
marks["ten highest"] = image_draws.highest_ten(draws)
fig = plotting.draws_plot({name: g.gains for name, g in groups.items()}, marks)
caption = "Mean gain of X-BDCNN (balanced) over random tens of radiographs, and the paper's gain."
plotting.save_figure(fig, figures / "06_draws", caption, table_2_facts)
fig

# %% [markdown]
# Distribution of the mean gain over random tens, and over those as bright as the paper's. Lines:
# the gain in the paper, on our ten radiographs of Table II, and on the ten radiographs with the
# highest gain of all. A printed gain at the edge of the distribution or beyond it means that the
# choice of the images alone is an unlikely explanation, as far as the sample is a random one:
# radiographs of other devices or years can differ from it by more than its own tens do from each
# other.
#
# **The noise of the references.** A radiograph $r = g + n$ has noise $n$ of its own. A method that
# finds $g$ exactly is charged with the variance of $n$. Averaging 2 × 2 pixels gives references
# with less noise, but it also makes the structure finer on the scale of a pixel, which is harder to
# restore. To separate the two, white noise is added again to the halved references: as much as the
# unhalved radiograph has by the lower bound explained below, and twice as much. All references
# below have the same size.

# %%
by_reference = references.groupby(["reference", *cell], sort=False)["psnr"].mean().unstack(cell)
noise = references.groupby("reference", sort=False)[["added", "noise_least", "noise_most"]].mean()
levels = [f"PSNR at ({eta:g}, {sigma:g})" for eta, sigma in by_reference]
noise.join(by_reference.set_axis(levels, axis=1)).round(2)

# %% [markdown]
# The noise of a single image can only be bounded. The lower bound counts the finest diagonal detail
# and misses correlated noise; the upper bound counts fine structure as noise. Averaging would halve
# independent noise; both bounds fall by less, since noise is correlated or structure is counted,
# which is why noise is added instead of compared between the two scales. How much of the added
# variance is found again in the squared error:

# %%
show_source(reference_noise.charged_share)

# %%
short_labels(reference_noise.charged_share(references).round(2))

# %% [markdown]
# A share of one means that the network restores nothing of the reference's noise. Equal columns
# mean that the error rises in proportion to the variance, so that the cost of the noise that the
# radiographs have already can be computed: by how many decibels would the PSNR be higher against
# noise-free references?

# %%
short_labels(reference_noise.reference_costs(references, draws).round(2))

# %% [markdown]
# **All parts**, in dB. "gap" is the printed gain minus ours, "brightness" the mean over matched
# tens minus ours, "draw_sd" the standard deviation over all tens, "highest" the excess of the ten
# images with the highest gain, and the last two columns are the cost of the noise. This cost is an
# upper limit of its part in the gap: the paper's references are from the same collection and have
# noise of their own, so only a difference between the two sets of images counts.

# %%
parts = reference_noise.gap_parts(draws, references)
parts.insert(3, "brightness", placed["matched tens"]["mean"] - parts["ours"])
short_labels(parts.round(2))

# %%
per_image = draws.groupby("image")[["gain", "noise_least", "noise_most"]].mean()
ranks = per_image.corr(method="spearman").loc["gain"].drop("gain")
print("rank correlation of the gain with the image's own noise:", ranks.round(2).to_dict())
print(f"budget: the longest training of a denoiser saw {longest:.1f} % of the paper's pixels")
for name, table in placed.items():
    print(f"{name}: mean gain {table['excess'].min():.2f} to {table['excess'].max():.2f} dB below")
    print(f"    the paper's, {table['deviations'].min():.1f} or more standard deviations; ", end="")
    print(f"reached by {1 - table['quantile'].min():.2%} of the tens or fewer")

# %% [markdown]
# A negative rank correlation means that the two parts are not independent: a ten with a high gain
# is a ten with little noise of its own, and the parts must not be added. What they leave is due to
# the training or to what the paper does not describe. The effect of the budget cannot be separated
# without a training run of the paper's length, about 30 hours on its GPU.

# %% [markdown]
# ### The successors
#
# The specialist has seen the same kind of noise in training as X-BDCNN (balanced). Its paired
# difference to it, and those of the other successors to the specialist, compare these weight files in
# the noise of the paper. Architecture, range of noise, budget and optimiser differ together, so that
# a difference cannot be attributed to one of them.

# %%
SUCCESSORS = [label for label in networks if "Successor" in label]
specialist = zoo.ZOO["specialist"].label


def lead(method, rival):
    """Print the paired difference of two methods, overall and in the cells of Table II."""
    rows = results_2[results_2["method"].isin([method, rival])]
    mean = statistics.paired_differences(rows, rival).iloc[0]
    cells = statistics.paired_differences(rows, rival, [*cell, "method"])
    print(f"{method} - {rival}: {mean.psnr:+.2f} dB [{mean.psnr_low:+.2f}, {mean.psnr_high:+.2f}]")
    print(f"    in the cells {cells['psnr'].min():+.2f} to {cells['psnr'].max():+.2f} dB", end=", ")
    print(f"interval above zero in {(cells['psnr_low'] > 0).sum()} of {len(cells)}")


# %%
for label in SUCCESSORS:
    lead(label, balanced if label == specialist else specialist)
lead(specialist, "GAT+BM3D")

# %% [markdown]
# Each of them is one training run, and the intervals are over images only. The arithmetic of one
# pass over 128 × 128 pixels, with that of the level estimator:

# %%
operations = {}
for name in ("xbdcnn", "specialist", "tiny"):
    path = shipped_path(name) if weights is None else weights / f"{name}.safetensors"
    operations[zoo.ZOO[name].label] = gigaflops(load_pretrained(path).network)
for label, count in operations.items():
    print(f"{label}: {count:.2f} GFLOP, {count / operations[balanced]:.0%} of X-BDCNN's")

# %% [markdown]
# The time saved is not measured here but by `python -m benchmarks`, in which the networks take
# turns ([its results](../figures/benchmark/benchmark.md)).
#
# ### The best method of each comparison
#
# A method is called clearly best if its paired interval against *every* other method excludes zero.
# Otherwise the methods that do not differ significantly from it are listed. For a network this is a
# statement about its weight file, one training run, on other images.

# %%
show_source(comparison.best_method)

# %% [markdown]
# There are ten comparisons: Table I as a whole, and each cell of Table II. Where the last column is
# empty, the method in the first column is clearly best.

# %%
best = {"Table I": comparison.best_method(results_1)}
for (eta, sigma), part in results_2.groupby(cell, sort=False):
    best[f"Table II ({eta:g}, {sigma:g})"] = comparison.best_method(part)
shown = pd.DataFrame(best, index=comparison.BestMethod._fields).T
shown.assign(psnr=shown["psnr"].map("{:.2f}".format), ties=shown["ties"].map(", ".join))

# %%
clear = {name: outcome.best for name, outcome in best.items() if not outcome.ties}
print(f"one method is clearly best in {len(clear)} of {len(best)} comparisons")
for method in sorted(set(clear.values())):
    print(f"{method}: {', '.join(name for name, label in clear.items() if label == method)}")

# %% [markdown]
# A percentile bootstrap interval of ten values is slightly too narrow: it contains the true mean in
# about 90 % of cases instead of 95 %. An interval by Student's t is about a fifth wider. The next
# cell tests whether the results for Table II also hold by Student's t.

# %%
not_confirmed = 0
for (eta, sigma), part in results_2.groupby(cell, sort=False):
    wide = part.pivot(index="image", columns="method", values="psnr")
    outcome = best[f"Table II ({eta:g}, {sigma:g})"]
    p = ttest_rel(wide[[outcome.best]], wide.drop(columns=outcome.best)).pvalue.max()
    not_confirmed += not outcome.ties and p > 0.05
print(f"clearly best methods of Table II that Student's t does not confirm: {not_confirmed}")

# %% [markdown]
# ### Time
#
# The methods below were alternated on each image within one process, so other load on the machine
# affected all of them equally. The successors, I+VST+BM3D, NL-PCA and the networks trained on
# photographs were added in later runs and are left out here. The medians below are seconds per
# image on a CPU. The times in the paper are for networks on a GPU and BM3D on a CPU, so their ratio
# depends on the hardware as well as on the methods.

# %%
times = table_1.set_index("method")[["seconds"]].rename(columns={"seconds": "128 x 128, s"})
times["1024 x 1024, s"] = table_2.groupby("method")["seconds"].median()
printed = {ours: paper.TABLE_1[theirs].seconds for ours, theirs in tables.PRINTED_AS.items()}
times["paper, s"] = pd.Series(printed, dtype=float)
later = [*SUCCESSORS, "I+VST+BM3D", "NL-PCA", *INDEPENDENT]
times = times.drop([scoring.BEFORE, *later], errors="ignore").sort_values("128 x 128, s")
times.map(lambda seconds: "–" if pd.isna(seconds) else f"{seconds:.3g}")

# %% [markdown]
# ### Both tables on the images of this run
#
# The same functions are applied to the images of this run, with the profile printed at the top. The
# methods are alternated on every patch; most of the time is spent by the classical methods.

# %%
folder = Path(output) / "tables"
here_1 = tables.run_table(1, settings, source, folder, weights, progress=False)
rows_1 = pd.read_csv(folder / "table_1_results.csv")
print((folder / "table_1.md").read_text().splitlines()[0])
bold = tables.readable(here_1, "**{}**")
Markdown(bold.to_markdown(index=False, disable_numparse=True))


# %%
def sample_size(results):
    """Number of images or fields, and of noisy versions, in the rows of a table."""
    count, cases = results["image"].nunique(), results["case"].nunique()
    note = " Too few for a meaningful interval." if count < tables.MIN_IMAGES else ""
    size = f"{count} {source.unit}, {cases} noisy versions in all"
    return f"{source.name}, profile {profile}: {size}.{note}"


print(sample_size(rows_1))

# %% [markdown]
# If this line counts fields, an interval describes the variation between fields of one chest
# radiograph and not between patients. With two or four images a bootstrap interval extends about
# from the smallest to the largest value.
#
# **Check.** Restoring one patch again, outside the loop that made the table, gives the score in the
# stored rows.

# %%
case = scoring.table_1_cases(source, settings)[-1]
pretrained = load_pretrained(files[-1], precision=settings.precision)
recomputed = metrics.psnr(pretrained.denoise(scoring.noisy_image(case)), case.clean)
label = zoo.find_entry(pretrained.metadata["name"]).label
stored = rows_1.loc[rows_1["method"] == label, "psnr"].iloc[-1]
print(f"{label}: {recomputed:.4f} dB, stored {stored:.4f} dB")
assert abs(recomputed - stored) < 1e-2

# %% [markdown]
# For Table II, smaller profiles use the central field of each image, whose side in pixels the next
# cell prints.

# %%
print(f"side of the field: {settings.table2_size} pixels at most")
here_2 = tables.run_table(2, settings, source, folder, weights, progress=False)
rows_2 = pd.read_csv(folder / "table_2_results.csv")
print(sample_size(rows_2))

# %%
fig = plotting.table_2_plot(pd.concat([here_2.assign(source="ours"), theirs]))
caption = "Table II on the images of this run: gain over the noisy image in each of the nine cells."
plotting.save_figure(fig, figures / "06_table_2", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The same plot as above for the profile and data printed at the top. Smooth images are easier to
# denoise than textured ones, so gains on fields of one chest cannot be compared with those of the
# paper.
#
# ## Discussion
#
# All results in one place, each line computed from the results above:

# %%
for number, leads in {1: leads_1, 2: leads_2}.items():
    record = results.facts(f"table_{number}")
    print(f"Table {'I' * number}, {record['data']}: {comparison.ordering_sentence(leads)}")
leads_here = comparison.adjacent_leads(rows_1, here_1)
print(sample_size(rows_1), comparison.ordering_sentence(leads_here))
print("training seeds:", ", ".join(map(str, sorted(trainings["seed"].unique()))))

# %% [markdown]
# If our noisy images agree with the printed ones within a few tenths of a decibel, the *task* is
# that of the paper. The remaining difference between our X-BDCNN and the paper's can then be due to
# the training, the choice of the images, their use in training, the noise of the references, or to
# what the paper does not describe: see the section on it above, the budget at the top, and [notebook
# 11](11_audit.ipynb) for the effect of each disputed choice.
#
# Each network was trained with one seed. An interval over images describes the uncertainty for
# these weight files and not for the methods; the difference between training runs with several
# seeds is measured in [notebook 07](07_ablations.ipynb#more-than-one-seed).

# %% [markdown]
# ## Two questions
#
# **1.** Two methods have PSNR 38.0 [36.5, 39.4] and 38.3 [36.9, 39.8] on the same ten images. Can
# the second be significantly better?
#
# <details><summary>Answer</summary>
#
# Yes. The wide intervals are due to the images, some of which are harder for both methods. If the
# difference is 0.2 to 0.4 dB on every single image, the paired interval is well above zero.
# Overlapping intervals of paired data do not show that the methods are equal.
# </details>
#
# **2.** Why is a comparison of BM3D with a single σ and networks trained on hybrid noise not
# sufficient?
#
# <details><summary>Answer</summary>
#
# The task then differs between the rows. With one σ, BM3D smooths dark regions too much and bright
# ones too little, which is an effect of the noise model and not of BM3D. After variance
# stabilisation the noise is Gaussian, as BM3D assumes, and the comparison measures the effect of
# learning.
# </details>

# %% [markdown]
# ## Take-away
#
# - SNR and PSNR are exchanged in every row of a network; the correction changes the order of BM3D
#   and X-ReCNN, and of the two ablations.
# - Our noisy images have the printed PSNR within a few tenths of a decibel, so the task is that of
#   the paper. Our X-BDCNN, trained on less than two percent of its pixels, gains less than it
#   reports.
# - An interval over images, paired image by image, compares weight files. A statement about methods
#   needs several training runs.
#
# ## References
#
# - K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, *Image denoising by sparse 3-D transform-domain
#   collaborative filtering* (BM3D), IEEE Trans. Image Process. 16, 2080 (2007),
#   [doi:10.1109/TIP.2007.901238](https://doi.org/10.1109/TIP.2007.901238).
# - M. Mäkitalo, A. Foi, *Optimal inversion of the generalized Anscombe transformation for
#   Poisson-Gaussian noise*, IEEE Trans. Image Process. 22, 91 (2013),
#   [doi:10.1109/TIP.2012.2202675](https://doi.org/10.1109/TIP.2012.2202675).
# - A. Buades, B. Coll, J.-M. Morel, *A non-local algorithm for image denoising* (NLM), CVPR 2005,
#   [doi:10.1109/CVPR.2005.38](https://doi.org/10.1109/CVPR.2005.38).
# - L. I. Rudin, S. Osher, E. Fatemi, *Nonlinear total variation based noise removal algorithms*
#   (TV), Physica D 60, 259 (1992),
#   [doi:10.1016/0167-2789(92)90242-F](<https://doi.org/10.1016/0167-2789(92)90242-F>).
# - K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, *Beyond a Gaussian denoiser: Residual learning of
#   deep CNN for image denoising* (DnCNN), IEEE Trans. Image Process. 26, 3142 (2017),
#   [doi:10.1109/TIP.2017.2662206](https://doi.org/10.1109/TIP.2017.2662206).
# - B. Efron, *Bootstrap methods: Another look at the jackknife*, Ann. Statist. 7, 1 (1979),
#   [doi:10.1214/aos/1176344552](https://doi.org/10.1214/aos/1176344552).

# %%
print(run_time())
