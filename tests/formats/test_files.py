from muybridge.formats.files import natural_key


def test_names_sort_as_people_count():
    assert sorted(["a-10.png", "a-9.png", "a-2b.png"], key=natural_key) == ["a-2b.png", "a-9.png", "a-10.png"]
