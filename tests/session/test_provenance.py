from muybridge.session.provenance import Ledger


def test_a_step_is_current_until_input_option_or_output_changes(tmp_path):
    ledger = Ledger(tmp_path / "provenance")
    source, output = tmp_path / "in.txt", tmp_path / "out.txt"
    source.write_text("one")
    output.write_text("made of one")
    fingerprint = ledger.fingerprint("step", [source], {"a": 1})
    assert not ledger.is_current("step", fingerprint, [output])
    ledger.record("step", fingerprint, [output], {"a": 1})
    assert ledger.is_current("step", ledger.fingerprint("step", [source], {"a": 1}), [output])
    assert not ledger.is_current("step", ledger.fingerprint("step", [source], {"a": 2}), [output])
    output.write_text("edited by hand")
    assert not ledger.is_current("step", fingerprint, [output])
    source.write_text("two, and longer")
    assert ledger.fingerprint("step", [source], {"a": 1}) != fingerprint


def test_a_moved_but_equal_input_gives_the_same_fingerprint(tmp_path):
    ledger = Ledger(tmp_path / "provenance")
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    assert ledger.fingerprint("s", [tmp_path / "a"], {}) == ledger.fingerprint("s", [tmp_path / "b"], {})


def test_a_damaged_record_means_the_step_runs_again(tmp_path):
    ledger = Ledger(tmp_path)
    output = tmp_path / "out.txt"
    output.write_text("x")
    for damaged in ("{half", "[1, 2]"):
        (tmp_path / "step.json").write_text(damaged)
        (tmp_path / "hashes.json").write_text(damaged)
        assert not ledger.is_current("step", ledger.fingerprint("step", [output], {}), [output])
    assert not ledger.is_current("step", "anything", [output])
