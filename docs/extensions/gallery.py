"""`{gallery}`: the notebooks and the programs of examples/, each with its first lines and a picture.

A notebook's picture is the last one that it made when the pages were built; a program that takes a picture's path is
run.
"""

import ast
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RUN = ("encoding.py", "kinematics_angles.py")  # take the path of a picture; seconds each
PICTURES = {  # kept in docs/
    "labelling_page.py": "labelling.jpg", "articulated_animal.py": "body_cheetah.png",
    "movement_prior.py": "movement_prior.png",
}  # fmt: skip


class Gallery(SphinxDirective):
    """Cards of what can be run; a page that holds it is read after the notebooks."""

    def run(self):
        cards = []
        for path in sorted((EXAMPLES / "notebooks").glob("*.ipynb")):
            title, text = nbformat.read(path, 4).cells[0].source.lstrip("# ").split("\n", 1)
            link = nodes.reference("", title, internal=True, refuri=f"notebooks/{path.stem}.html")
            pictures = list(self.env.get_doctree(f"notebooks/{path.stem}").findall(nodes.image))
            cards.append(self.card(link, text, pictures[-1]["uri"] if pictures else None))
        for path in sorted(EXAMPLES.glob("*.py")):
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            cards.append(self.card(nodes.literal("", f"examples/{path.name}"), text, self.picture(path)))
        return cards

    def picture(self, path):
        if path.name not in RUN:
            return PICTURES.get(path.name)
        made = Path(self.env.app.outdir).parent / "example_pictures" / f"{path.stem}.png"
        if not made.exists() or made.stat().st_mtime < path.stat().st_mtime:
            made.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, str(path), str(made)], check=True, capture_output=True)
        return os.path.relpath(made, self.env.srcdir)

    @staticmethod
    def card(title, text, picture):
        heading = nodes.paragraph("", "", nodes.strong("", "", title))
        image = [nodes.image(uri=picture, alt=f"what {title.astext()} draws", width="60%")] if picture else []
        return nodes.container("", heading, *map(described, filter(str.strip, text.split("\n\n"))), *image)


def described(part):
    """A paragraph of a docstring or of a notebook's first cell; indented lines are a command."""
    if part.strip("\n").startswith("    "):
        return nodes.literal_block("", textwrap.dedent(part).strip("\n"), language="text")
    pieces = re.split("`+", " ".join(part.replace("*", "").split()))
    words = [nodes.literal("", piece) if i % 2 else nodes.Text(piece) for i, piece in enumerate(pieces)]
    return nodes.paragraph("", "", *words)


def gallery_last(app, env, docnames):
    """Its pictures are made by the pages that are read before it."""
    docnames.sort(key=lambda name: name == "gallery")


def setup(app):
    app.add_directive("gallery", Gallery)
    app.connect("env-before-read-docs", gallery_last)
    return {"parallel_read_safe": False}
