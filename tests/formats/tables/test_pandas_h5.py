"""pandas' HDF5 tables: every way of storing the same numbers gives the same table, and nothing is executed."""

import pickle  # noqa: TID251 (pickles are written here, never loaded)

import h5py
import numpy as np
import pytest

from muybridge.formats import FormatError
from muybridge.formats.tables.pandas_h5 import read_pandas_h5, unpickled_text
from tests.formats.pandas_files import write_fixed_format, write_table_format

COLUMNS = [("me", keypoint, coordinate) for keypoint in ("nose", "tail") for coordinate in ("x", "y", "likelihood")]
VALUES = np.arange(24.0).reshape(4, 6)
NAMES = np.array([f"labeled-data/rat/img{i:03d}.png" for i in range(4)], "S")
PARTS = [("labeled-data", "rat", f"img{i:03d}.png") for i in range(4)]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_of_every_pickle_protocol_come_back(protocol):
    value = [("a", "ä", 3), ["x", ("x",), (), [], {}], {"k": None, "l": -70_000, "m": 2**40}, ("a", "b", "c", "d")]
    assert unpickled_text(pickle.dumps(value, protocol), "a.h5") == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [print, np.zeros(2), 2 + 3j, {"a": [np.str_("x")]}])
def test_objects_in_a_pickle_are_refused_in_every_protocol(protocol, value):
    with pytest.raises(FormatError, match="never loaded"):
        unpickled_text(pickle.dumps(value, protocol), "a.h5")


@pytest.mark.parametrize("damaged", [b"", b"(lp0\n(Vme", b"t.", b"\x80\x02h\x05.", b"ta.", b"Va\nVb\na."])
def test_a_damaged_pickle_is_one_sentence(damaged):
    with pytest.raises(FormatError, match="damaged"):
        unpickled_text(damaged, "a.h5")


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "<i8", ">f8"])
@pytest.mark.parametrize("options", [{}, {"compression": "gzip", "shuffle": True, "chunks": True}])
def test_number_types_and_compression_make_no_difference(tmp_path, dtype, options):
    path = write_table_format(tmp_path / "a.h5", COLUMNS, VALUES.astype(dtype), np.arange(4), **options)
    table = read_pandas_h5(path)
    assert table.columns == COLUMNS
    np.testing.assert_array_equal(table.values, VALUES)
    np.testing.assert_array_equal(table.index, np.arange(4))


@pytest.mark.parametrize(
    ("write", "index"),
    [(write_table_format, NAMES), (write_fixed_format, NAMES), (write_fixed_format, PARTS)],
    ids=["table", "fixed", "fixed, names in parts"],
)
def test_names_of_pictures_are_the_index(tmp_path, write, index):
    table = read_pandas_h5(write(tmp_path / "a.h5", COLUMNS, VALUES, index))
    assert table.columns == COLUMNS
    np.testing.assert_array_equal(table.values, VALUES)
    assert [name.decode() if isinstance(name, bytes) else name for name in table.index] == ["/".join(p) for p in PARTS]


def test_rows_named_by_dates_are_refused(tmp_path):
    path = write_fixed_format(tmp_path / "a.h5", COLUMNS, VALUES, np.arange(4) * 10**15, kind=b"datetime64[us]")
    with pytest.raises(FormatError, match=r"kind 'datetime64\[us\]'"):
        read_pandas_h5(path)


def test_several_tables_are_named(tmp_path):
    path = write_fixed_format(tmp_path / "a.h5", COLUMNS, VALUES, np.arange(4))
    with h5py.File(path, "a") as file:
        file.copy("df_with_missing", "second")
    with pytest.raises(FormatError, match=r"2 pandas tables \['df_with_missing', 'second'\]"):
        read_pandas_h5(path)


def change(path, function):
    with h5py.File(path, "a") as file:
        function(file["df_with_missing"])


def test_a_filter_that_is_not_installed_is_named(tmp_path):
    path = write_fixed_format(tmp_path / "a.h5", COLUMNS, VALUES, np.arange(4))

    def compressed(group):
        del group["block0_values"]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4, 6))
        properties.set_filter(32001, h5py.h5z.FLAG_OPTIONAL)  # blosc's number
        space = h5py.h5s.create_simple((4, 6))
        h5py.h5d.create(group.id, b"block0_values", h5py.h5t.IEEE_F64LE, space, properties)

    if h5py.h5z.filter_avail(32001):
        pytest.skip("blosc is installed")
    change(path, compressed)
    with pytest.raises(FormatError, match="not installed; write it again"):
        read_pandas_h5(path)


def test_links_out_of_the_file_are_not_followed(tmp_path):
    path = write_fixed_format(tmp_path / "a.h5", COLUMNS, VALUES, np.arange(4))

    def linked(group):
        group.move("block0_values", "elsewhere")
        group["block0_values"] = h5py.ExternalLink(str(path), "/df_with_missing/elsewhere")

    change(path, linked)
    with pytest.raises(FormatError, match="no array 'block0_values' of its own"):
        read_pandas_h5(path)


def test_a_size_that_no_recording_has_is_refused_before_reading(tmp_path):
    path = write_fixed_format(tmp_path / "a.h5", COLUMNS, VALUES, np.arange(4))

    def huge(group):
        del group["block0_values"]
        group.create_dataset("block0_values", (10**10, 6), "f8", chunks=(10_000, 6))

    change(path, huge)
    with pytest.raises(FormatError, match=r"block0_values.*447\.0 GB.*MUYBRIDGE_MAX_GB=448"):
        read_pandas_h5(path)


@pytest.mark.parametrize("part", ["block0_values", "axis1", "block0_items_level1", "block0_items_label2"])
def test_a_missing_part_is_one_sentence(tmp_path, part):
    path = write_fixed_format(tmp_path / "a.h5", COLUMNS, VALUES, np.arange(4))
    change(path, lambda group: group.pop(part))
    with pytest.raises(FormatError, match=part):
        read_pandas_h5(path)
