"""The table of formats is complete: its functions exist, the document shows it, its extras can be installed."""

import re
import tomllib
from pathlib import Path

import pytest

from muybridge.formats import FormatError, catalogue
from muybridge.formats.catalogue import FORMATS, format_of, recognised
from muybridge.formats.catalogue_texts import catalogue_markdown

ROOT = Path(__file__).resolve().parents[2]
HEAD = "## 2D points"


def test_the_document_shows_the_table():
    """`python -m tests.formats.test_catalogue` writes it anew."""
    _, _, shown = (ROOT / "docs/formats.md").read_text(encoding="utf-8").partition(HEAD)
    assert HEAD + shown == catalogue_markdown()


@pytest.mark.parametrize("row", FORMATS, ids=lambda row: f"{row.kind}-{row.name}")
def test_the_functions_of_a_format_exist(row):
    for named in (row.read, row.write, row.recognise):
        assert not named or callable(catalogue.function_at(named))
    assert row.read or row.write


def test_names_are_unique_and_extras_are_declared():
    names = [(row.kind, row.name) for row in FORMATS]
    assert len(set(names)) == len(names)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {row.extra for row in FORMATS} - {""} <= set(extras)


def test_every_extra_that_a_document_or_a_message_names_can_be_installed():
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("*/**/*.py")]
    for file in (file for file in files if "tests" not in file.parts):
        for named in re.findall(r"muybridge\[([a-z0-9_,]+)\]", file.read_text(encoding="utf-8")):
            assert set(named.split(",")) <= extras | {"extra"}, file


def test_an_unknown_format_or_suffix_is_one_sentence(tmp_path):
    with pytest.raises(FormatError, match="did you mean 'deeplabcut-h5'"):
        format_of("views", "deeplabcut", written=True)
    (tmp_path / "a.docx").touch()
    with pytest.raises(FormatError, match=r"2D points are read from \.csv"):
        recognised("views", tmp_path / "a.docx")


if __name__ == "__main__":
    document = ROOT / "docs/formats.md"
    document.write_text(document.read_text(encoding="utf-8").partition(HEAD)[0] + catalogue_markdown())
