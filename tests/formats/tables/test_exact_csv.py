"""A table with a row that is cut off is refused, wherever its commas are."""

import pytest

from muybridge.formats import FormatError
from muybridge.formats.tables.exact_csv import check_rows


@pytest.mark.parametrize("rows", ["1,2,3\n4,5,6\n", "1,2,3\n4,5,6", "1,2,3\n\n4,5,6\n", '"1,0",2,3\n4,5,6\n'])
def test_whole_rows_are_read(tmp_path, rows):
    (tmp_path / "t.csv").write_text(f"a,b,c\n{rows}")
    check_rows(tmp_path / "t.csv", 3)


@pytest.mark.parametrize("rows", ["1,2,3\n4,5\n", "1,2,3\n4", "1,2\n4,5,6\n", '"1,0",2,3\n4,5\n'])
def test_a_row_that_is_cut_off_is_refused(tmp_path, rows):
    (tmp_path / "t.csv").write_text(f"a,b,c\n{rows}")
    with pytest.raises(FormatError, match="is cut off: row"):
        check_rows(tmp_path / "t.csv", 3)
