from muybridge.datasets.names import nearest


def test_the_nearest_name_is_suggested_whatever_its_case_and_nothing_where_none_is_near():
    assert nearest("left_hint", ["right_hind", "left_hind"]) == ", did you mean 'left_hind'?"
    assert nearest("NOSE", ["Nose", "tail"]) == ", did you mean 'Nose'?"
    assert nearest("ear", ["Nose", "tail"]) == ""
