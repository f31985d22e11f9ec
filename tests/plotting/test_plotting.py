"""Figures are drawn from their inputs, do not use pyplot, and are written reproducibly."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from xbdcnn import paper, plotting
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.networks import DnCNN
from xbdcnn.inference import zoo
from xbdcnn.inference.layers import record_layers
from xbdcnn.measured_noise import PhotonTransfer
from xbdcnn.models import AS_RELEASED, AS_WRITTEN, WITHOUT_NLE, XBDCNN, count_parameters
from xbdcnn.plotting.layout import INSET
from xbdcnn.plotting.method_styles import method_colours, method_styles
from xbdcnn.plotting.panels import radial_spectrum
from xbdcnn.plotting.png import PNG_LIMIT, compress_png
from xbdcnn.plotting.style import WATERMARK, new_figure
from xbdcnn.plotting.training_charts import LOSS_TERMS, separate
from xbdcnn.study.budgets import PAPER_PATCHES

FACTS = {"profile": "quick", "data": "built-in radiograph", "seed": 3}
CLEAN = np.add.outer(np.linspace(0.1, 0.6, 64), np.linspace(0, 0.3, 64)).astype(np.float32)
NOISE = np.random.default_rng(1).normal(0, 0.1, CLEAN.shape).astype(np.float32)
NOISY = {level: CLEAN + (1 / level[0] / 2.5) * NOISE for level in plotting.FIGURE_2_LEVELS}
RESTORED = {"DnCNN": {level: CLEAN + 0.02 * NOISE for level in NOISY}}
RESTORED["X-BDCNN"] = {level: CLEAN + 0.01 * NOISE for level in NOISY}
ONE_LEVEL = {label: images[0.4, 10.0] for label, images in RESTORED.items()}
ZOOM = (8, 40, 16)
NARROW = replace(AS_WRITTEN, width=4)


def history(terms: tuple[str, ...]) -> pd.DataFrame:
    patches = np.arange(1, 9) * 100
    rows = {"patches": patches, "val_psnr": 38 - 300 / patches}
    return pd.DataFrame(rows | {f"loss_{term}": 1 / patches for term in terms})


def table_2(source: str = "ours") -> pd.DataFrame:
    rows = [
        {"method": method, "eta": eta, "sigma": sigma, "psnr": 20 + gain, "source": source}
        for eta, sigma in paper.TABLE_2
        for method, gain in (("Before Denoising", 0.0), ("DnCNN", 12.0), ("X-BDCNN", 15.0))
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(psnr_low=frame["psnr"] - 1, psnr_high=frame["psnr"] + 2)


def differences() -> pd.DataFrame:
    rows = {"method": ["X-BDCNN w/o the NLE", "X-BDCNN w/o SSIM loss"]}
    for name, scale in (("psnr", 1.0), ("ssim", 0.01)):
        centre = scale * np.array([-0.3, 0.1])
        rows |= {name: centre, f"{name}_low": centre - scale, f"{name}_high": centre + scale}
    return pd.DataFrame(rows)


def transfer() -> PhotonTransfer:
    mean = np.linspace(10, 200, 12)
    return PhotonTransfer(mean, mean / 0.5 + 100, np.full(12, 50), 0.5, 10.0)


def gradients() -> pd.DataFrame:
    rows = {
        "step": [0, 5],
        "mse": [1.0, 0.5],
        "ssim": [2.0, 1.0],
        "asymm": [9, 8],
        "tv": [0.1, 0.2],
    }
    return pd.concat(pd.DataFrame(rows | {"recipe": name}) for name in ("written", "released"))


def estimates() -> pd.DataFrame:
    unit = np.linspace(0, 1, 60)
    rows = {"eta": 0.4 + 1.5 * unit, "sigma": 20 * unit, "est_eta": 1.1, "est_sigma": 20 * unit}
    return pd.DataFrame(rows | {"method": "X-BDCNN"})


def psnr_by_level_maps() -> pd.DataFrame:
    feeds = {"true x 0.5": 30.0, "true x 1": 38.0, "estimated x 0.5": 31.0, "estimated x 1": 39.0}
    return pd.DataFrame({"method": "X-BDCNN", "fed": list(feeds), "psnr": feeds.values()})


def leads() -> pd.DataFrame:
    levels = [(eta, sigma) for eta in (0.1, 0.8) for sigma in (5.0, 50.0)]
    rows = [{"eta": e, "sigma": s, "blur": 0.0, "gain": 1.0, "lead": e - s / 50} for e, s in levels]
    odd = {"eta": 0.6, "sigma": 5.0, "lead": 9.0}
    return pd.DataFrame([*rows, odd | {"blur": 1.0, "gain": 1.0}])


def seed_effects() -> pd.DataFrame:
    row = {"network": "a", "reference": "b", "score": "psnr", "low": 0.0, "high": 0.5}
    rows = [row | {"table": 1, "eta": np.nan, "sigma": np.nan, "effect": 0.3}]
    rows += [row | {"table": 2, "eta": np.nan, "sigma": np.nan, "effect": 0.2}]
    rows += [row | {"table": 2, "eta": 0.4, "sigma": 5.0, "effect": 0.1}]
    rows += [row | {"network": "b", "reference": "c"} for row in rows]
    return pd.DataFrame([*rows, rows[0] | {"score": "ssim", "effect": 9.0}])


def choices() -> pd.DataFrame:
    rows = {"trial": ["a", "b"], "effect": [0.2, -0.1], "low": [0.1, -0.3], "high": [0.3, 0.1]}
    return pd.DataFrame(rows | {"seeds": 3, "full_width": [0.5, np.nan]})


def total_errors() -> pd.DataFrame:
    rows = {"method": ["A", "A", "B", "B"], "place": [5.0, 9.0] * 2, "bias": [1.0, -1.0, 0.5, 0.0]}
    return pd.DataFrame(rows | {"rmse": [2.0, 3.0, 1.0, 10.0]})


def out_of_range() -> pd.DataFrame:
    odd = [{"blur": 0.5, "gain": 1.0}, {"blur": 0.0, "gain": 1.0}, {"blur": 0.0, "gain": 0.7}]
    rows = [{"eta": 0.6, "sigma": 10.0, "method": m} | o for o in odd for m in ("DnCNN", "BM3D")]
    return pd.DataFrame(rows).assign(psnr=np.arange(6) + 30.0)


def mean_gains() -> pd.DataFrame:
    return pd.DataFrame({(0.8, 5.0): np.arange(10.0), (0.4, 15.0): np.arange(10.0) + 2})


FIGURES = {
    "gaps": lambda: plotting.psnr_snr_gap_plot([130.0, 150.0]),
    "conventions": lambda: plotting.convention_plot(pd.Series({"a": 0.3, "b": 0.5}), 0.51),
    "choices": lambda: plotting.choices_plot(choices(), reference="as written"),
    "seeds": lambda: plotting.seed_effects_plot(seed_effects(), {("a", "b"): "", ("b", "c"): ""}),
    "errors": lambda: plotting.level_error_plot({"noise": total_errors(), "grey": total_errors()}),
    "correlation": lambda: plotting.correlation_plot(out_of_range()),
    "draws": lambda: plotting.draws_plot({"all": mean_gains()}, {"paper": mean_gains().loc[9]}),
    "gradient": lambda: plotting.gradient_plot(gradients()),
    "calibration": lambda: plotting.calibration_plot(estimates(), ["X-BDCNN"]),
    "level_mismatch": lambda: plotting.level_mismatch_plot(psnr_by_level_maps()),
    "psnr_difference_map": lambda: plotting.psnr_difference_map({"X-BDCNN": leads()}),
    "figure_1": lambda: plotting.figure_1(XBDCNN(NARROW), CLEAN),
    "figure_2": lambda: plotting.figure_2(CLEAN, NOISY, RESTORED, ZOOM),
    "details": lambda: plotting.method_details(CLEAN, ONE_LEVEL, ZOOM),
    "fidelity": lambda: plotting.fidelity_plot(CLEAN, NOISY[0.4, 10.0], ONE_LEVEL, (8, 4, 60)),
    "contact_sheet": lambda: plotting.contact_sheet({"a": CLEAN, "b": 1 - CLEAN}),
    "show_images": lambda: plotting.show_images({"a": CLEAN, "b": 1 - CLEAN}, ZOOM),
    "noise_panel": lambda: plotting.noise_panel(CLEAN, NOISY),
    "photon_transfer": lambda: plotting.photon_transfer_plot(transfer(), 0.5, 10.0),
    "training_curves": lambda: plotting.training_curves({"A": history(("mse", "ssim"))}),
    "budget_curves": lambda: plotting.budget_curves({"A": history(())}, {"B": (1e4, 41.0)}, 1e4),
    "loss_landscape": plotting.loss_landscape,
    "table_2": lambda: plotting.table_2_plot(table_2()),
    "ablation": lambda: plotting.ablation_plot(differences()),
    "hero": lambda: plotting.hero(CLEAN, NOISY[0.4, 10.0], CLEAN),
    "residual": lambda: plotting.residual_plot(NOISY[0.4, 10.0], 0.99 * CLEAN, CLEAN),
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


def unwrapped(figure: Figure) -> list[str]:
    return [text.replace("\n", " ") for text in texts(figure) if "\n" in text]


@pytest.fixture(scope="module", params=FIGURES)
def figure(request: pytest.FixtureRequest) -> Figure:
    return FIGURES[request.param]()


def test_notebook_displays_the_returned_figure(figure: Figure) -> None:
    picture = np.asarray(Image.open(io.BytesIO(figure._repr_png_())).convert("L"))
    assert picture.shape[1] > 500
    assert picture.std() > 5


def test_ipython_formats_figures_with_and_without_the_inline_backend() -> None:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.pylabtools import select_figure_formats

    shell = InteractiveShell()
    figure = plotting.loss_landscape()
    assert "image/png" in shell.display_formatter.format(figure)[0]
    select_figure_formats(shell, {"png"})
    assert "image/png" in shell.display_formatter.format(figure)[0]


def test_figures_are_not_registered_with_pyplot(figure: Figure) -> None:
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []


@pytest.mark.slow
def test_import_and_drawing_do_not_change_backend_or_settings() -> None:
    code = """
import sys, matplotlib
before = dict.copy(matplotlib.rcParams)
from xbdcnn import plotting
plotting.loss_landscape()._repr_png_()
assert "matplotlib.pyplot" not in sys.modules, "pyplot imported"
after = dict.copy(matplotlib.rcParams)
assert after == before, [key for key in before if after[key] != before[key]]
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_use_style_sets_the_defaults() -> None:
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcParams["axes.grid"] = False
        plotting.use_style()
        assert mpl.rcParams["axes.grid"] is True


def blocks(network: XBDCNN) -> list[str]:
    """Channel counts written on the slabs of Fig. 1."""
    axes = plotting.figure_1(network).axes[0]
    return [t.get_text() for t in axes.texts if t.get_rotation() == 90]


@pytest.mark.parametrize(("recipe", "convolutions"), [(AS_WRITTEN, 22), (WITHOUT_NLE, 17)])
def test_figure_1_draws_every_convolution(recipe, convolutions: int) -> None:
    network = XBDCNN(replace(recipe, width=8))
    kinds = [layer.kind for layer in record_layers(network, 16)]
    assert kinds.count("conv") == convolutions
    assert (kinds.count("pool"), kinds.count("up")) == (2, 2)
    assert len(blocks(network)) == convolutions + 2


def test_figure_1_shows_the_channels_of_the_network() -> None:
    nbd = [8, 8, *[16] * 3, *[32] * 6, 16, *[16] * 3, 8, 8, 8, 1]
    assert blocks(XBDCNN(replace(WITHOUT_NLE, width=8))) == [str(n) for n in nbd]
    assert blocks(XBDCNN(NARROW))[:5] == ["32", "32", "32", "32", "2"]


def test_figure_1_follows_the_recipe() -> None:
    released = XBDCNN(replace(AS_RELEASED, width=4))
    shown = "\n".join(texts(plotting.figure_1(released)))
    assert "2–4 share weights" in shown
    assert "conv 1×1" in shown
    assert f"{count_parameters(released):,}" in shown
    written = "\n".join(texts(plotting.figure_1(XBDCNN(NARROW))))
    assert "share weights" not in written
    assert "conv 1×1" not in written
    bare = "\n".join(texts(plotting.figure_1(XBDCNN(replace(WITHOUT_NLE, width=4)))))
    assert "NLE" not in bare
    assert "concatenation" not in bare


def test_figure_1_shows_the_one_level_map_of_cbdnet() -> None:
    network = XBDCNN(replace(NARROW, level_maps="standard deviation"))
    figure = plotting.figure_1(network, CLEAN)
    assert blocks(network)[:5] == ["32", "32", "32", "32", "1"]
    shown = set(texts(figure))
    assert {r"$\hat{s}$", "noise level\nmap"} <= shown and r"$\hat{\eta}$" not in shown
    pictures = [shown_image.get_array() for shown_image in figure.axes[0].images]
    assert len(pictures) == 3 and 0 < pictures[1].mean() < 1


def test_recorded_skips_are_those_of_the_paper() -> None:
    layers = record_layers(XBDCNN(NARROW), 32)
    sums = [layer for layer in layers if layer.kind == "add"]
    origins = [layers[min(layer.inputs)] for layer in sums]
    assert [origin.weight for origin in origins] == [
        "nle.first.weight",
        "nbd.down1.4.weight",
        "nbd.enter.2.weight",
        "",
    ]
    assert origins[-1].kind == "image"
    assert [layer.side for layer in sums] == [32, 16, 32, 32]
    assert not [layer for layer in layers if layer.kind == "conv"][-1].relu


def test_figure_1_rejects_other_networks() -> None:
    with pytest.raises(XbdcnnError, match="DnCNN"):
        plotting.figure_1(DnCNN(depth=3, width=2))


def test_panels_share_one_grey_scale_and_show_the_detail() -> None:
    figure = plotting.show_images({"a": CLEAN, "b": 0.5 * CLEAN}, ZOOM, limits=(0.1, 0.9))
    for axes in figure.axes:
        assert axes.images[0].get_clim() == (0.1, 0.9)
        (inset,) = axes.child_axes
        assert inset.images[0].get_array().shape == (16, 16)
    detail = figure.axes[0].child_axes[0].images[0].get_array()
    np.testing.assert_array_equal(detail, CLEAN[8:24, 40:56])


@pytest.mark.parametrize(("left", "corner"), [(2, 1 - INSET), (46, 0.0)])
def test_enlarged_detail_is_on_the_side_away_from_its_frame(left: int, corner: float) -> None:
    (axes,) = plotting.show_images({"a": CLEAN}, (40, left, 16)).axes
    x = axes.child_axes[0].get_axes_locator()(axes.child_axes[0], None).x0
    assert x == pytest.approx(axes.get_position().x0 + corner * axes.get_position().width, abs=0.02)


def test_long_method_labels_fit_beside_and_above_pictures() -> None:
    label = "X-BDCNN (as written) w/o SSIM loss"
    rows = {name: RESTORED["DnCNN"] for name in (label, "X-BDCNN (as released)", "DnCNN")}
    for figure in (
        plotting.figure_2(CLEAN, NOISY, rows, ZOOM),
        plotting.show_images(dict.fromkeys([*rows, "clean", "noisy"], CLEAN)),
    ):
        assert label in [text.replace("\N{NO-BREAK SPACE}", " ") for text in unwrapped(figure)]
        FigureCanvasAgg(figure).draw()
        boxes = [a.yaxis.label.get_window_extent() for a in figure.axes if a.get_ylabel()]
        boxes = boxes or [axes.title.get_window_extent() for axes in figure.axes]
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_images_of_mixed_sizes_are_an_error() -> None:
    with pytest.raises(XbdcnnError, match="one size"):
        plotting.show_images({"a": CLEAN, "b": CLEAN[:32]})


def test_noise_panel_orders_levels() -> None:
    panel = plotting.noise_panel(CLEAN, {(e, s): CLEAN + 0.1 for e in (2, 1) for s in (9, 3)})
    shown = texts(panel)
    order = [shown.index(t) for t in ("η = 1", "η = 2")]
    assert order == sorted(order)
    assert {"σ = 3", "σ = 9"} <= set(shown)
    assert sum("20.0 dB" in text for text in shown) == 4


def test_white_noise_has_a_flat_spectrum_at_its_variance() -> None:
    noise = np.random.default_rng(0).normal(0, 3, (256, 256))
    frequency, power = radial_spectrum(noise)
    assert frequency[0] > 0 and frequency[-1] < 0.5
    np.testing.assert_allclose(power[8:], 9, rtol=0.1)


def test_photon_transfer_plot_draws_fitted_and_true_line() -> None:
    axes = plotting.photon_transfer_plot(transfer(), 1.0, 5.0).axes[0]
    fitted, true = (line.get_ydata() for line in axes.lines)
    np.testing.assert_allclose(fitted, [100, 255 / 0.5 + 100])
    np.testing.assert_allclose(true, [25, 255 + 25])


def test_training_curves_label_each_run_and_name_missing_terms() -> None:
    runs = {"X-BDCNN": history(("mse", "ssim", "asymm", "tv")), "DnCNN": history(("mse",))}
    shown = texts(plotting.training_curves(runs))
    assert {"X-BDCNN  37.62", "DnCNN  37.62", *LOSS_TERMS.values()} <= set(shown)
    assert "not in this loss" not in shown
    alone = texts(plotting.training_curves({"DnCNN": runs["DnCNN"]}))
    assert alone.count("not in this loss") == 3


def test_training_curves_name_the_best_value_and_count_points_below_the_axis() -> None:
    run = pd.DataFrame(
        {"patches": range(1, 21), "val_psnr": [20.0, 36.0, *[38.0] * 16, 38.5, 37.0]}
    )
    figure = plotting.training_curves({"X-BDCNN": run})
    assert {"X-BDCNN  38.50", "1 of 20 lower, down to 20.0"} <= set(texts(figure))
    assert list(figure.axes[0].lines[0].get_markevery()) == [18]


def test_budget_curves_count_patches_and_percent_and_show_tested_values_apart() -> None:
    """A patch of the paper has four times the pixels of one of 64 x 64."""
    run = pd.DataFrame({"patches": [8_000, 160_000], "val_psnr": [38.0, 39.0]})
    assert PAPER_PATCHES == 4 * 224_000 * 40
    figure = plotting.budget_curves({"DnCNN": run}, {"paper": (1e7, 41.11)}, PAPER_PATCHES)
    axes = figure.axes[0]
    assert axes.get_xscale() == "log" and axes.get_xlim()[1] > 1e7
    assert {"DnCNN  39.00", "paper  41.11"} <= set(texts(figure))
    diamond = next(line for line in axes.lines if line.get_marker() == "D")
    assert diamond.get_markerfacecolor() == "white"
    figure.draw_without_rendering()
    share = np.divide(figure.axes[0].child_axes[0].get_xlim(), axes.get_xlim())
    np.testing.assert_allclose(share, 100 / PAPER_PATCHES)


def test_separate_moves_only_overlapping_labels() -> None:
    heights = separate([1.0, 1.0, 1.1, 9.0], 0.5)
    assert np.diff(heights).min() >= 0.5 - 1e-9
    assert heights[-1] == 9.0


def test_loss_landscape_shows_the_three_readings() -> None:
    lines = plotting.loss_landscape(true=1.0, alpha=0.3, reach=0.5).axes[0].lines[:3]
    ends = {line.get_label().split(":")[0]: line.get_ydata()[[0, -1]] for line in lines}
    np.testing.assert_allclose(ends["text"], [0.7 * 0.25, 0.3 * 0.25])
    np.testing.assert_allclose(ends["Eq. 3 as printed"], [0.3 * 0.25, 0.7 * 0.25])
    np.testing.assert_allclose(ends["released code"], [0.2 * 0.25, 0.3 * 0.25])


def test_table_2_plot_shows_gains_and_the_papers_values_as_open_markers() -> None:
    both = pd.concat([table_2(), table_2("paper (corrected)")])
    grid = [axes for axes in plotting.table_2_plot(both).axes if axes.lines]
    assert len(grid) == 9
    dots = [line for line in grid[0].lines if line.get_marker() == "o"]
    assert sorted(float(dot.get_xdata()[0]) for dot in dots) == [12, 12, 15, 15]
    assert sum(dot.get_markerfacecolor() == "white" for dot in dots) == 2
    interval = next(line for line in grid[0].lines if line.get_marker() != "o")
    assert np.ptp(interval.get_xdata()) == pytest.approx(3)


def test_table_2_plot_needs_the_noisy_images() -> None:
    summary = table_2()
    with pytest.raises(XbdcnnError, match="Before Denoising"):
        plotting.table_2_plot(summary[summary["method"] != "Before Denoising"])


def test_ablation_plot_shows_differences_in_table_order() -> None:
    psnr, ssim = plotting.ablation_plot(differences()).axes
    labels = [tick.get_text() for tick in psnr.get_yticklabels()]
    assert labels[::-1] == list(differences()["method"])
    dots = [float(d.get_xdata()[0]) for d in ssim.lines if d.get_marker() == "o"]
    assert sorted(dots) == pytest.approx([-0.003, 0.001])


def test_psnr_snr_gap_is_negative_for_every_network_of_table_1() -> None:
    axes = plotting.psnr_snr_gap_plot([150.0]).axes[0]
    gaps = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert len(gaps) == len(paper.TABLE_1) + 3
    swapped = sum(map(paper.columns_are_swapped, paper.TABLE_1.values()))
    assert sum(gap < 0 for gap in gaps) == swapped + 3


def test_seed_effects_plot_has_a_panel_per_measured_pair() -> None:
    names = {("a", "b"): "a − b", ("c", "d"): "not measured"}
    axes, _ = plotting.seed_effects_plot(seed_effects(), names | {("b", "c"): "b − c"}).axes
    assert axes.get_title() == "a − b"
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["Table I", "η 0.4, σ 5"]
    (effect,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(effect.get_xdata()) == [0.3, 0.1] and list(effect.get_ydata()) == [1, 0]


def test_choices_plot_marks_effects_at_full_width() -> None:
    axes = plotting.choices_plot(choices()).axes[0]
    (diamonds,) = [line for line in axes.lines if line.get_marker() == "D"]
    assert np.nanmax(diamonds.get_xdata()) == 0.5 and np.isnan(diamonds.get_xdata()).sum() == 1
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    narrow = plotting.choices_plot(choices().drop(columns="full_width")).axes[0]
    assert "D" not in [line.get_marker() for line in narrow.lines]


def test_correlation_plot_draws_each_method_over_blur_and_over_gain() -> None:
    blur, gain = plotting.correlation_plot(out_of_range()).axes
    assert [list(line.get_xdata()) for line in blur.lines] == [[0.0, 0.5]] * 2
    assert [list(line.get_xdata()) for line in gain.lines] == [[0.7, 1.0]] * 2


def test_draws_plot_marks_each_gain_in_its_panel() -> None:
    marks = {"paper": mean_gains().loc[9], "ours": mean_gains().loc[4]}
    panels = plotting.draws_plot({"all": mean_gains()}, marks).axes
    assert [[line.get_xdata()[0] for line in axes.lines] for axes in panels] == [[9, 4], [11, 6]]
    outlines = [axes.patches[0].get_xy()[:, 0] for axes in panels]
    assert [(x.min(), x.max()) for x in outlines] == [(0, 9), (2, 11)]


def test_loss_landscape_marks_the_ends_of_gradient_descent() -> None:
    axes = plotting.loss_landscape(true=1.0, ends={"text": 1.0, "released": 0.7}).axes[0]
    ends = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "^"]
    assert ends == [1.0, 0.7]


def test_psnr_difference_map_shows_white_noise_at_gain_1_and_frames_the_trained_range() -> None:
    axes = plotting.psnr_difference_map({"X-BDCNN": leads()}).axes[0]
    assert [text.get_text() for text in axes.texts] == ["+0.0", "+0.7", "-0.9", "-0.2"]
    (frame,) = [patch for patch in axes.patches if not patch.get_fill()]
    assert (frame.get_x(), frame.get_y(), frame.get_width(), frame.get_height()) == (
        0.5,
        -0.5,
        1,
        1,
    )


def test_level_mismatch_plot_has_a_line_per_network_and_base() -> None:
    axes = plotting.level_mismatch_plot(psnr_by_level_maps()).axes[0]
    drawn = method_styles(["X-BDCNN"])["X-BDCNN"]["marker"]
    curves = [line for line in axes.lines if line.get_marker() == drawn]
    assert [list(line.get_ydata()) for line in curves] == [[30.0, 38.0], [31.0, 39.0]]


def test_calibration_plot_draws_the_median_of_the_estimates() -> None:
    left, right = plotting.calibration_plot(estimates(), ["X-BDCNN"]).axes
    assert set(left.lines[-1].get_ydata()) == {1.1}
    np.testing.assert_allclose(right.lines[-1].get_ydata(), right.lines[-1].get_xdata(), atol=0.4)


def test_calibration_plot_counts_estimates_off_scale() -> None:
    far = estimates().assign(est_eta=lambda t: t["est_eta"].where(t.index > 2, 99.0))
    left, right = plotting.calibration_plot(far, ["X-BDCNN"]).axes
    assert left.get_title() == "X-BDCNN, 3 off scale" and right.get_title() == "X-BDCNN"
    (edge,) = [line for line in left.lines if line.get_marker() == "^"]
    assert len(edge.get_xdata()) == 3 and set(edge.get_ydata()) == {1.25 * 1.9}


def test_colours_are_fixed_for_known_methods_and_distinct_for_others() -> None:
    colours = method_colours(["DnCNN", "one", "another"])
    assert colours["DnCNN"] == plotting.COLOURS["DnCNN"]
    assert len(set(colours.values())) == 3
    others = method_colours(["one", "another"])
    assert not set(others.values()) & set(plotting.COLOURS.values())


def test_every_method_has_a_colour_and_a_marker_of_its_own() -> None:
    styles = method_styles(list(plotting.COLOURS))
    for trait in ("color", "marker"):
        assert len({style[trait] for style in styles.values()}) == len(plotting.COLOURS)


def test_methods_that_are_often_drawn_together_have_clearly_different_colours() -> None:
    told = ["BM3D", "GAT+BM3D", "Before Denoising"]
    networks = ["dncnn", "xrecnn", "xbdcnn-as-written", "xbdcnn", "specialist", "generalist"]
    colours = method_colours([*told, *(zoo.find_entry(name).label for name in networks)])
    lab = {name: rgb2lab(to_rgb(colour)) for name, colour in colours.items()}
    for one, other in combinations(lab, 2):
        assert deltaE_ciede2000(lab[one], lab[other]) > 15, (one, other)


def test_saved_files_carry_caption_and_facts(tmp_path) -> None:
    png, svg = plotting.save_figure(
        plotting.loss_landscape(), tmp_path / "new" / "eq.3", "Eq. 3 – α", FACTS, svg=True
    )
    assert (png.name, svg.name) == ("eq.3.png", "eq.3.svg")
    picture = Image.open(png)
    assert picture.text["Description"] == "Eq. 3 – α"
    assert json.loads(picture.text["Source"]) == FACTS
    assert "Comment" not in picture.text
    tree = ElementTree.parse(svg)
    dc = "{http://purl.org/dc/elements/1.1/}"
    assert tree.find(f".//{dc}description").text == "Eq. 3 – α"
    assert tree.find("{http://www.w3.org/2000/svg}title").text == "Eq. 3 – α"
    assert json.loads(tree.find(f".//{dc}source").text) == FACTS
    assert tree.find(f".//{dc}date") is None


def test_displayed_picture_carries_the_caption_of_the_saved_figure(tmp_path) -> None:
    figure = plotting.loss_landscape()
    assert "Description" not in Image.open(io.BytesIO(figure._repr_png_())).info
    plotting.save_figure(figure, tmp_path / "x", "Eq. 3 – α", FACTS)
    assert Image.open(io.BytesIO(figure._repr_png_())).info["Description"] == "Eq. 3 – α"


def test_empty_caption_is_rejected(tmp_path) -> None:
    with pytest.raises(XbdcnnError, match=r"x: the caption is empty"):
        plotting.save_figure(plotting.loss_landscape(), tmp_path / "x", " ", FACTS)
    assert not list(tmp_path.iterdir())


def test_equal_figures_give_equal_bytes(tmp_path) -> None:
    def files(name: str) -> list[bytes]:
        figure = plotting.ablation_plot(differences())
        paths = plotting.save_figure(figure, tmp_path / name, "c", FACTS, svg=True)
        return [path.read_bytes() for path in paths]

    assert files("a") == files("b")


def test_smoke_results_are_watermarked_in_the_file_only(tmp_path) -> None:
    figure = plotting.loss_landscape()
    before = figure.get_children()
    real = plotting.save_figure(figure, tmp_path / "real", "c", FACTS, svg=True)
    smoke = plotting.save_figure(figure, tmp_path / "smoke", "c", FACTS, smoke=True, svg=True)
    assert figure.get_children() == before
    assert Image.open(smoke[0]).text["Comment"] == WATERMARK
    assert 'id="smoke-watermark"' in smoke[1].read_text()
    assert 'id="smoke-watermark"' not in real[1].read_text()
    first, second = (np.asarray(Image.open(p[0]).convert("RGB"), float) for p in (real, smoke))
    assert first.shape == second.shape
    assert 0.01 < (np.abs(first - second).max(axis=2) > 20).mean() < 0.3


def test_footer_names_the_data(tmp_path) -> None:
    figure = new_figure(4, 2)
    pictures = []
    for data in ("sample", "built-in radiograph"):
        (path,) = plotting.save_figure(figure, tmp_path / data, "c", {**FACTS, "data": data})
        pictures.append(np.asarray(Image.open(path).convert("L")))
    ink = [int((picture < 160).sum()) for picture in pictures]
    assert 0 < ink[0] < ink[1]


def test_facts_without_profile_are_rejected(tmp_path) -> None:
    with pytest.raises(XbdcnnError, match="profile"):
        plotting.save_figure(plotting.loss_landscape(), tmp_path / "x", "c", {"data": "d"})
    assert not list(tmp_path.iterdir())


def test_pictures_full_of_noise_stay_small(tmp_path) -> None:
    noise = np.random.default_rng(0).random((900, 900)).astype(np.float32)
    figure = plotting.show_images({"a": noise, "b": noise, "c": noise})
    (path,) = plotting.save_figure(figure, tmp_path / "noise", "c", FACTS)
    assert path.stat().st_size < PNG_LIMIT
    assert len(figure._repr_png_()) < PNG_LIMIT


def test_compressed_png_keeps_greys_and_colours_close() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8).repeat(3, axis=2)
    rgb[:8] = (213, 94, 0)
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, format="png")
    lean = compress_png(stream.getvalue(), 0, {})
    again = np.asarray(Image.open(io.BytesIO(lean)).convert("RGB"), int)
    assert len(lean) < len(stream.getvalue())
    assert np.abs(again - rgb).max() <= 3
