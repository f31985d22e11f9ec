"""Sphinx settings of the book; `make book` (tools/book.py) stages the pages and builds them."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for references.py

project = "xbdcnn"
author = "The xbdcnn developers"
project_copyright = author
release = version = installed_version("xbdcnn")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
    "references",
]
templates_path = [str(HERE / "_templates")]  # the pages are staged elsewhere
# A page without a toctree entry or a link without a target is a warning, hence an error.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!xbdcnn\.).*")]

nb_execution_mode = "off"
# The widget needs a kernel; tools/book.py puts a sentence in its place.
nb_ipywidgets_js = {}
myst_enable_extensions = ["attrs_block", "deflist", "dollarmath"]
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_member_order = "bysource"
# An object is described once, where it is defined, whatever re-exports it.
autodoc_default_options = {
    "members": True,
    "ignore-module-all": True,
    "exclude-members": "set",  # matplotlib writes one into every subclass of Figure
}
autosummary_ignore_module_all = True
autodoc_typehints_format = "short"
napoleon_use_rtype = False
viewcode_follow_imported_members = False  # else it links to sources of the builtins
math_eqref_format = "Eq. {number}"

# GitHub says where the repository is; elsewhere XBDCNN_REPOSITORY may. Without an address the
# pages have no Binder button, since there would be nothing for Binder to fetch.
repository = os.environ.get("XBDCNN_REPOSITORY", "")
if not repository and "GITHUB_REPOSITORY" in os.environ:
    repository = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"

html_theme = "sphinx_book_theme"
html_title = "X-BDCNN, to read and re-run"
html_sourcelink_suffix = ""
html_theme_options = {
    "navbar_persistent": [],  # the search field in the sidebar is enough
    "show_toc_level": 2,
    "use_download_button": True,
}
if repository:
    html_theme_options |= {
        "repository_url": repository,
        "repository_branch": "main",
        "use_repository_button": True,
        "launch_buttons": {
            "binderhub_url": "https://mybinder.org",
            "notebook_interface": "jupyterlab",
        },
    }
