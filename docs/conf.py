"""How the documentation is built: `python -m sphinx -W -b html docs docs/_build/html`."""

import os
import sys
from pathlib import Path

import muybridge

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "muybridge"
author = "The muybridge developers"
version = release = muybridge.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "benchmark_tables", "gallery"]
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
# docs/notebooks is examples/notebooks, kept without output: each runs in an empty folder while the pages are built, and
# one that fails ends the build
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 120  # seconds for a cell, kernels compiled
nb_output_stderr = "remove"  # bars of progress
nb_mime_priority_overrides = [("html", "application/vnd.plotly.v1+json", None)]
os.environ["PLOTLY_RENDERER"] = "notebook"  # as HTML with plotly's script in it: pages need no network
html_theme = "furo"
html_title = "muybridge"
html_static_path = ["static"]
html_css_files = ["tables.css"]
html_show_copyright = False
myst_heading_anchors = 3
autosummary_generate = True
autosummary_imported_members = True
autodoc_typehints = "none"  # the docstrings state types with shapes and units
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
# the pages of docs/api
PARTS = (
    "datasets",
    "formats",
    "cameras",
    "timeseries",
    "calibration",
    "pose2d",
    "triangulate",
    "kinematics",
    "report",
    "demo",
    "session",
    "labelling",
)


def setup(app):
    """`.. public-names:: muybridge.part` lists what a part's `__all__` exports, each name with its docstring.

    `.. session-keys::` lists every key of session.toml, from the code.
    """
    from importlib import import_module

    from docutils import nodes
    from docutils.statemachine import StringList
    from sphinx.util.docutils import SphinxDirective

    class PublicNames(SphinxDirective):
        required_arguments = 1

        def run(self):
            part = self.arguments[0]
            lines = []
            for name in sorted(getattr(import_module(part), "__all__", ())):
                if name == "Array":  # the alias of numpy's float64 array
                    continue
                value = getattr(import_module(part), name)
                kind = "autoclass" if isinstance(value, type) else "autofunction" if callable(value) else "autodata"
                home = (getattr(value, "__module__", "") or part).removeprefix("muybridge.").split(".")[0]
                if home != part.split(".")[1] and home in PARTS:
                    lines += [f"* ``{name}``: see :doc:`{home}`", ""]
                    continue
                lines += [f".. {kind}:: {part}.{name}", *(["   :members:"] if kind == "autoclass" else []), ""]
            node = nodes.section()
            node.document = self.state.document
            self.state.nested_parse(StringList(lines, source=part), 0, node)
            return node.children

    class SessionKeys(SphinxDirective):
        def run(self):
            from muybridge.session.key_reference import as_rst, session_keys

            node = nodes.section()
            node.document = self.state.document
            self.state.nested_parse(StringList(as_rst(session_keys()), source="session.toml"), 0, node)
            return node.children

    app.add_directive("public-names", PublicNames)
    app.add_directive("session-keys", SessionKeys)
