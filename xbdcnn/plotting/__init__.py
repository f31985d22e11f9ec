"""Every figure of the project: pure functions that return a matplotlib Figure.

No function shows or saves a figure: a notebook displays the returned figure, and `save_figure`
writes it with its caption. Modules: `architecture` draws Fig. 1 with the shapes of `diagram`,
`panels` draws radiographs on the grids of `layout`, `native` pictures that keep their pixels,
`fidelity` what a method changes at each frequency, `charts` draws the noise model and the tables,
`training_charts` the curves of training runs, `audit_charts` and `measurements` the results of the
audit, `noise_charts` the noise of real detectors, `detection_charts` detectability, `style` holds
the common style and writes files, and `method_styles` the colour and marker of each method.
Importing this package changes neither matplotlib's backend nor its settings.
"""

from __future__ import annotations

from xbdcnn.plotting.architecture import figure_1
from xbdcnn.plotting.audit_charts import (
    calibration_plot,
    detector_gain_plot,
    gradient_plot,
    level_mismatch_plot,
    loss_landscape,
    psnr_difference_map,
)
from xbdcnn.plotting.charts import (
    ablation_plot,
    photon_transfer_plot,
    table_2_plot,
)
from xbdcnn.plotting.detection_charts import detectability_plot, signal_panel
from xbdcnn.plotting.fidelity import fidelity_plot
from xbdcnn.plotting.measurements import (
    choices_plot,
    convention_plot,
    correlation_plot,
    draws_plot,
    level_error_plot,
    psnr_snr_gap_plot,
    seed_effects_plot,
)
from xbdcnn.plotting.method_styles import COLOURS, method_styles
from xbdcnn.plotting.native import FIGURE_2_LEVELS, figure_2, hero, method_details
from xbdcnn.plotting.noise_charts import detector_noise_plot, noise_map_plot
from xbdcnn.plotting.panels import contact_sheet, noise_panel, residual_plot, show_images
from xbdcnn.plotting.style import new_figure, save_figure, use_style
from xbdcnn.plotting.training_charts import budget_curves, training_curves

__all__ = [
    "COLOURS",
    "FIGURE_2_LEVELS",
    "ablation_plot",
    "budget_curves",
    "calibration_plot",
    "choices_plot",
    "contact_sheet",
    "convention_plot",
    "correlation_plot",
    "detectability_plot",
    "detector_gain_plot",
    "detector_noise_plot",
    "draws_plot",
    "fidelity_plot",
    "figure_1",
    "figure_2",
    "gradient_plot",
    "hero",
    "level_error_plot",
    "level_mismatch_plot",
    "loss_landscape",
    "method_details",
    "method_styles",
    "new_figure",
    "noise_map_plot",
    "noise_panel",
    "photon_transfer_plot",
    "psnr_difference_map",
    "psnr_snr_gap_plot",
    "residual_plot",
    "save_figure",
    "seed_effects_plot",
    "show_images",
    "signal_panel",
    "table_2_plot",
    "training_curves",
    "use_style",
]
