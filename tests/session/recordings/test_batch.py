"""Batches with runs that take no time: what begins where, what is begun again, and what is said of it."""

from concurrent.futures import Future
from pathlib import Path

import pytest

from muybridge.datasets.size_limit import available_memory
from muybridge.session.recordings import batch as batch_module
from muybridge.session.recordings.batch import Outcome, needed_memory, run_batch
from muybridge.session.recordings.command import as_csv, run_batch_command
from muybridge.session.recordings.executors import Place
from muybridge.session.recordings.one_run import Ending
from muybridge.session.recordings.session_files import find_sessions, makers_first, readable

SESSION = "[session]\nrig = {rig!r}\n[cameras.a]\n[cameras.b]\n"


class FakeExecutor:
    """Runs end at once with what `endings` say, except those of a place that is lost."""

    def __init__(self, places, endings=None, lost=()):
        self.free, self.endings, self.lost, self.begun = dict(places), endings or {}, lost, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def places(self):
        return dict(self.free)

    def begin(self, place, session, force):
        future = Future()
        self.begun.append((place, session.parent.name))
        if place in self.lost:
            del self.free[place]  # and the future never ends
        else:
            ends = self.endings.get(session.parent.name, [])
            future.set_result(ends.pop(0) if ends else Ending(0, "good"))
        return future


@pytest.fixture
def sessions(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "session.toml").write_text(SESSION.format(rig="rig.toml"))
    return find_sessions([tmp_path])


def outcomes_of(sessions, executor):
    return {own.session.parent.name: own for own in run_batch(sessions, executor)}


def test_one_bad_session_leaves_the_others_and_is_named_with_its_reason(sessions, monkeypatch, tmp_path):
    executor = FakeExecutor({"here": Place(2, 1e12)}, {"b": [Ending(1, "error: no board")]})
    monkeypatch.setattr("muybridge.session.recordings.command.make_executor", lambda *_: executor)
    said = []
    options = {"table": tmp_path / "table.csv", "force": False, "say": said.append}
    assert run_batch_command([tmp_path], "processes", None, None, **options) == 1
    assert said[-2:] == ["2 of 3 sessions done, 1 failed:", f"  {sessions[1]}  error: no board"]
    rows = (tmp_path / "table.csv").read_text().splitlines()
    assert rows[0] == "session,outcome,seconds,runs,message"
    assert sum(",done," in row for row in rows) == 2


def test_one_bad_session_of_64_leaves_63_results_and_a_table_that_names_it(monkeypatch, tmp_path):
    for i in range(64):
        (tmp_path / f"s{i:02}").mkdir()
        (tmp_path / f"s{i:02}" / "session.toml").write_text("[cameras" if i == 40 else SESSION.format(rig="rig.toml"))
    executor = FakeExecutor({"here": Place(2, 1e12)}, {"s40": [Ending(1, "error: no valid TOML")]})
    monkeypatch.setattr("muybridge.session.recordings.command.make_executor", lambda *_: executor)
    table = tmp_path / "table.csv"
    assert run_batch_command([tmp_path], "processes", None, None, table=table, force=False, say=lambda _: None) == 1
    rows = table.read_text().splitlines()[1:]
    assert sum(",done," in row for row in rows) == 63
    [bad] = [row for row in rows if ",done," not in row]
    assert "s40" in bad
    assert bad.endswith("error: no valid TOML")


def test_a_killed_run_is_begun_again_but_not_for_ever(sessions):
    killed = Ending(-9, "killed by signal 9 (out of memory?)")
    outcomes = outcomes_of(sessions, FakeExecutor({"here": Place(1, 1e12)}, {"a": [killed], "c": [killed] * 5}))
    assert {name: (own.succeeded, own.n_runs) for name, own in outcomes.items()} == {
        "a": (True, 2), "b": (True, 1), "c": (False, 3),
    }  # fmt: skip


def test_sessions_of_a_lost_worker_run_on_another(sessions, monkeypatch):
    monkeypatch.setattr(batch_module, "_LOOK", 0.01)
    executor = FakeExecutor({"one": Place(1, 1e12), "two": Place(1, 1e12)}, lost=("one",))
    outcomes = outcomes_of(sessions, executor)
    assert all(own.succeeded for own in outcomes.values())
    assert sorted(own.n_runs for own in outcomes.values()) == [1, 1, 2]


def test_no_more_sessions_run_at_a_time_than_the_memory_holds(sessions, monkeypatch):
    for path in sessions:
        with path.with_name("a.nc").open("wb") as stream:
            stream.truncate(500_000_000)  # of holes alone, of a kind that is read whole: a run needs 3 GB for it
        path.write_text(path.read_text().replace("[cameras.a]", "[cameras.a]\npoints = 'a.nc'"))
    monkeypatch.setattr(batch_module, "_LOOK", 0.01)
    executor = FakeExecutor({"here": Place(8, 7e9), "small": Place(8, 1e9)})
    running = run_batch(sessions, executor)
    next(running)
    # two fit here; one that fits nowhere else runs alone in the small place
    assert [place for place, _ in executor.begun] == ["here", "here", "small"]
    running.close()


def test_a_session_waits_for_the_one_that_makes_its_rig_or_detector(tmp_path):
    for name, extra in {"a": "[predict]\ndetector = '../z/results/detector.safetensors'\n", "z": ""}.items():
        (tmp_path / name).mkdir()
        rig = "../c/results/rig.toml" if name == "z" else "rig.toml"
        (tmp_path / name / "session.toml").write_text(SESSION.format(rig=rig) + extra)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "session.toml").write_text("[cameras.a]\n[cameras.b]\n")
    found = find_sessions([tmp_path])
    after = makers_first(readable(found))
    assert {path.parent.name: {own.parent.name for own in before} for path, before in after.items()} == {
        "a": {"z"}, "c": set(), "z": {"c"},
    }  # fmt: skip
    executor = FakeExecutor({"here": Place(4, 1e12)})
    assert all(own.succeeded for own in outcomes_of(found, executor).values())
    assert [name for _, name in executor.begun] == ["c", "z", "a"]


def test_the_memory_of_this_machine_is_known():
    assert 1e8 < available_memory() < 1e15


def test_no_session_below_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no session\.toml"):
        find_sessions([tmp_path])
    with pytest.raises(ValueError, match="there is no session file"):
        find_sessions([Path("nowhere")])


def test_the_table_of_outcomes_holds_no_formula_and_steers_no_terminal():
    table = as_csv([Outcome(Path("/a/session.toml"), False, "=HYPERLINK(1) \x1b[31mred", 1.0, 1)])
    assert table.splitlines()[1] == r"/a/session.toml,failed,1.0,1,'=HYPERLINK(1) \x1b[31mred"


@pytest.mark.parametrize(
    ("size", "table", "peak"),
    [(2e6, "", 0.45e9), (50e6, "", 0.89e9), (199e6, "", 0.93e9), (None, "", 0.8e9),
     (None, "[train]\nlabels = '.'", 1.25e9), (2e6, "[reconstruct]\nmethod = 'articulated'", 1.0e9)],
)  # fmt: skip
def test_what_a_session_is_thought_to_need_is_what_was_measured_and_at_most_as_much_again(tmp_path, size, table, peak):
    kind = "video" if size is None else "points"
    for name in "ab":
        with (tmp_path / f"{name}.csv").open("wb") as file:
            file.truncate(int(size or 2) // 2)
    cameras = "".join(f"[cameras.{name}]\n{kind} = '{name}.csv'\n" for name in "ab")
    (tmp_path / "session.toml").write_text(f"[session]\nrig = 'rig.toml'\n{cameras}{table}\n")
    [session] = readable(find_sessions([tmp_path])).values()
    assert peak <= needed_memory(session) < 2 * peak
