"""Each part with public functions calls them with every option, in a file of its own."""

from importlib import import_module
from pathlib import Path

from tests.test_docstrings import PARTS


def test_every_part_has_a_file_that_calls_its_functions():
    tests = Path(__file__).parent
    public = [part for part in PARTS if getattr(import_module(f"muybridge.{part}"), "__all__", ())]
    assert len(public) == len(PARTS) - 1  # numerics has no public names
    for part in public:
        text = (tests / part / "test_public_options.py").read_text()
        assert "assert_all_functions_are_called(" in text, part
