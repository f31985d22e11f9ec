"""A Sphinx extension: every picture of a page is a link to its file, at its own size.

The script enlarge.js shows the picture in a dialog instead; without it the link opens the file.
"""

from __future__ import annotations

import posixpath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.osutil import relative_uri


def link_pictures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put each image that is no link yet into a link to the file the page shows."""
    if app.builder.format != "html":
        return
    folder = relative_uri(app.builder.get_target_uri(docname), app.builder.imagedir)
    for image in list(doctree.findall(nodes.image)):
        stored = app.env.images.get(image["candidates"].get("*", image["uri"]))
        if stored is None or isinstance(image.parent, nodes.reference):
            continue
        target = posixpath.join(folder, stored[1])
        link = nodes.reference(
            "", "", refuri=target, internal=True, reftitle="enlarge", classes=["enlarge"]
        )
        image.replace_self(link)
        link.append(image)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the listener, which runs when the outputs of notebooks are images already."""
    app.connect("doctree-resolved", link_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
