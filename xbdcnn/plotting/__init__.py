"""Every figure of the project: pure functions that return a matplotlib Figure.

None shows or saves by itself: a notebook displays the returned figure, `save_figure` writes it.
The drawing is in `architecture` (Fig. 1), `panels` (pictures), `charts` (curves and dots),
`evidence` and `findings` (the audit) and `roofline` (speed), the common look in `style`, that of
each method in `looks`. Importing
this module leaves matplotlib's backend and settings alone.
"""

from __future__ import annotations

from xbdcnn.plotting.architecture import figure_1
from xbdcnn.plotting.audit_charts import (
    calibration_plot,
    feeding_plot,
    gradient_plot,
    lead_map,
    loss_landscape,
)
from xbdcnn.plotting.charts import (
    ablation_plot,
    photon_transfer_plot,
    psnr_curves,
    table_2_plot,
    training_curves,
)
from xbdcnn.plotting.measurements import (
    choices_plot,
    convention_plot,
    correlation_plot,
    error_plot,
    gap_plot,
)
from xbdcnn.plotting.method_styles import COLOURS, method_styles
from xbdcnn.plotting.panels import (
    FIGURE_2_LEVELS,
    error_maps,
    figure_2,
    hero,
    noise_panel,
    residual_plot,
    show_images,
)
from xbdcnn.plotting.style import new_figure, save_figure, use_style

__all__ = [
    "COLOURS",
    "FIGURE_2_LEVELS",
    "ablation_plot",
    "calibration_plot",
    "choices_plot",
    "convention_plot",
    "correlation_plot",
    "error_maps",
    "error_plot",
    "feeding_plot",
    "figure_1",
    "figure_2",
    "gap_plot",
    "gradient_plot",
    "hero",
    "lead_map",
    "loss_landscape",
    "method_styles",
    "new_figure",
    "noise_panel",
    "photon_transfer_plot",
    "psnr_curves",
    "residual_plot",
    "save_figure",
    "show_images",
    "table_2_plot",
    "training_curves",
    "use_style",
]
