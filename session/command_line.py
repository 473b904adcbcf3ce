"""The command line: each subcommand reads, calls one public function and prints what it wrote.

Imports a step only when that step runs, so that `muybridge --help` stays instant.
"""

from __future__ import annotations

import os
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import __version__

if TYPE_CHECKING:
    from .config import Session

app = typer.Typer(
    help="From synchronised videos of a moving animal to 3D skeletons and joint kinematics with error bars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = 130  # exit code after Ctrl-C, as of shells

SessionPath = Annotated[Path, typer.Argument(help="session.toml, or the folder that holds it", show_default="here")]
Force = Annotated[bool, typer.Option("--force", help="run even where nothing has changed")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress bars")]


def _read(path: Path) -> Session:
    from .config import read_session

    return read_session(path)


def _echo(text: object, *, err: bool = False) -> None:
    """Print text in which no name from a file can steer the terminal: such characters are shown as their codes."""
    shown = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in str(text))
    typer.echo(shown, err=err)


def _say(line: str) -> None:
    """Print a line; what warnings and notes advise is put in the words of session.toml."""
    from .run_warnings import for_session

    _echo(for_session(line) if line.startswith(("warning:", "note:")) else line)


def _run_steps(path: Path, steps: tuple[str, ...], force: bool, quiet: bool, **tasks) -> None:
    from .session_run import run_session

    run_session(_read(path), steps, force=force, progress=not quiet, say=_say, **tasks)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="where to write; new, empty, or an earlier demo")] = Path(
        "muybridge-demo"
    ),
    seed: Annotated[int, typer.Option(help="another seed renders another recording")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="a third of the pictures and of the training")] = False,
    quiet: Quiet = False,
) -> None:
    """Render a recording of a galloping animal, run every step on it and compare with the truth (no download)."""
    from .demo_run import run_demo

    run_demo(folder, seed=seed, quick=quick, progress=not quiet, say=_echo)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="the folder of a recording")] = Path(),
    overwrite: Annotated[bool, typer.Option(help="replace a session.toml that is there")] = False,
) -> None:
    """Propose a session.toml from the videos, board recordings and 2D files found in a folder."""
    from .proposal import left_out_lines, write_proposals

    proposals = write_proposals(folder, overwrite=overwrite)
    for line in left_out_lines(proposals[0].left_out):
        _echo(f"left out: {line}")
    for note in dict.fromkeys(note for proposal in proposals for note in proposal.notes):
        _echo(f"note: {note}")
    for path in (proposal.path for proposal in proposals):
        _echo(f"wrote {path}: correct the board, name the animal's keypoints, then 'muybridge check {path}'")


@app.command("help")
def show_help(
    topic: Annotated[str, typer.Argument(help="session: every key of session.toml; formats: of files")] = "session",
    word: Annotated[str | None, typer.Argument(help="a table or a key, such as reconstruct or fps")] = None,
) -> None:
    """Show the reference of every key of session.toml, or of one table or key; or the formats of other tools' files."""
    from .key_reference import as_text, chosen, session_keys

    if topic == "formats":
        from ..formats.catalogue import as_text as formats_as_text

        _echo(formats_as_text(word))
        return
    if topic != "session":
        raise ValueError(
            f"there is no help on '{topic}'; 'muybridge help session' shows the keys of session.toml, 'muybridge help"
            " formats' the formats of files"
        )
    _echo(as_text(chosen(session_keys(), word)))


@app.command()
def check(session: SessionPath = Path()) -> None:
    """Show frames, frame rate and size of each camera, and every problem that would stop the session."""
    from .recording_facts import describe, recording_notes
    from .run_warnings import for_session
    from .session_problems import foreseen, unit_words

    loaded = _read(session)
    table, problems = describe(loaded)
    found, expected = foreseen(loaded)
    problems = list(dict.fromkeys([*problems, *found]))
    _echo(f"{loaded.name}: world unit {unit_words(loaded)}, frame rate {loaded.fps or 'as the videos say'}")
    _echo(table.to_string(na_rep="-"))
    for note in recording_notes(loaded):
        _say(f"note: {note}")
    for warning in expected:
        _say(f"warning: {warning}")
    for problem in problems:
        _echo(f"problem: {for_session(problem)}", err=True)
    if problems:
        raise typer.Exit(1)
    _echo("no problem found: 'muybridge run' can start")


@app.command()
def calibrate(
    session: SessionPath = Path(),
    force: Force = False,
    quiet: Quiet = False,
    intrinsics_only: Annotated[
        bool, typer.Option("--intrinsics-only", help="calibrate each camera's lens alone (lenses.toml)")
    ] = False,
    review: Annotated[
        bool, typer.Option("--review", help="write a page of the board's pictures, too (calibration_review.html)")
    ] = False,
) -> None:
    """Calibrate the cameras from the board recordings (rig.toml) and show the report."""
    from dataclasses import replace

    from .steps.calibration import calibrate_lenses, check_board_review, read_calibration_report, review_calibration

    if intrinsics_only:
        loaded = _read(session)
        path, reports = calibrate_lenses(loaded, progress=not quiet)
        for report in reports.values():
            _echo(str(report))
        _echo(f'wrote {path}: name it as intrinsics = "{os.path.relpath(path, loaded.folder)}" under [calibrate]')
        return
    if review:
        check_board_review(_read(session))
    _run_steps(session, ("calibrate",), force, quiet)
    found = read_calibration_report(_read(session))
    if found is not None:
        _echo(str(replace(found, warnings=())))  # the step itself has said them
    if review:
        _echo(f"wrote {review_calibration(_read(session), progress=not quiet)}")


@app.command()
def extract(
    session: SessionPath = Path(),
    n: Annotated[int, typer.Option("-n", min=1, help="number of instants; one picture per camera of each")] = 20,
    to: Annotated[
        Path | None, typer.Option(help="folder of the project", show_default="labels beside the file")
    ] = None,
    method: Annotated[str, typer.Option(help="kmeans (pictures that differ) or uniform (evenly in time)")] = "kmeans",
) -> None:
    """Choose the first frames to label and write them as a DeepLabCut project."""
    from .label_loop import extract_session

    loaded = _read(session)
    folder = extract_session(loaded, n, to or loaded.folder / "labels", method=method)
    _echo(f"wrote {folder}: label its pictures, then name it under [train] labels")


@app.command()
def label(
    source: Annotated[
        Path, typer.Argument(help="session, label project, folder of pictures, or a video", show_default="here")
    ] = Path(),
    labels: Annotated[
        Path | None, typer.Option(help="folder of the project", show_default="the session's last, or VIDEO-labels")
    ] = None,
    keypoints: Annotated[str, typer.Option(help="names, as nose,tail, where nothing else states them")] = "",
    proposals: Annotated[
        list[str] | None,
        typer.Option(help="2D file of unconfirmed points, CAMERA=FILE", show_default="the session's results"),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="frames to extract from a video without a project")] = 20,
    port: Annotated[int, typer.Option(min=0, max=65535, help="of the page's address", show_default="a free one")] = 0,
    browser: Annotated[bool, typer.Option(help="open the page")] = True,
) -> None:
    """Label in the browser, in all cameras at once; the calibrated ones place a point that two of them show."""
    from ..labelling.command import label_in_browser

    names = tuple(name.strip() for name in keypoints.split(",") if name.strip())
    label_in_browser(
        source, labels=labels, keypoints=names, proposals=tuple(proposals or ()), n=n, port=port, browser=browser,
        say=_echo,
    )  # fmt: skip


@app.command()
def suggest(
    session: SessionPath = Path(),
    n: Annotated[int, typer.Option("-n", min=1, help="number of pictures, over all cameras")] = 20,
    to: Annotated[Path | None, typer.Option(help="folder of the project", show_default="labels-next")] = None,
) -> None:
    """Choose the frames to label next, where cameras disagree in 3D, and write them with proposed labels."""
    from .label_loop import suggest_session

    loaded = _read(session)
    folder = to or loaded.folder / "labels-next"
    _echo(suggest_session(loaded, n, folder).to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    _echo(f"wrote {folder}: correct its labels, then add it to the list [train] labels")


@app.command()
def corruption(
    session: SessionPath = Path(),
    labels: Annotated[
        Path | None, typer.Option(help="labelled frames to corrupt", show_default="those that training held out")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Errors of the detector on corrupted pictures: light, blur, motion, noise, jpeg, resolution (Horse-C)."""
    from .label_loop import corruption_session

    table = corruption_session(_read(session), labels, progress=not quiet)
    _echo(table.to_string(index=False, float_format=lambda value: f"{value:.2f}"))


@app.command()
def evaluate(
    session: SessionPath = Path(),
    labels: Annotated[
        Path | None, typer.Option(help="labelled frames to compare", show_default="those that training held out")
    ] = None,
) -> None:
    """Errors of the detector on labelled frames that it was not trained on, in pixels, by keypoint."""
    from .label_loop import evaluate_session

    _echo(evaluate_session(_read(session), labels).to_string(float_format=lambda value: f"{value:.2f}"))


class FilmKind(StrEnum):
    """What `label-videos` writes."""

    cameras = "cameras"
    grid = "grid"
    skeleton = "skeleton"
    both = "both"


class FigureFormat(StrEnum):
    """Files that `figures` writes."""

    svg = "svg"
    pdf = "pdf"
    png = "png"


@app.command("label-videos")
def label_videos(
    session: SessionPath = Path(),
    to: Annotated[Path | None, typer.Option(help="folder of the videos", show_default="results/videos")] = None,
    kind: Annotated[
        FilmKind, typer.Option(help="each camera's own video, all in a grid, the skeleton in 3D, or both side by side")
    ] = FilmKind.cameras,
    speed: Annotated[float, typer.Option(min=0.001, help="of a grid or skeleton; 0.25: four times slower")] = 1.0,
) -> None:
    """Write the videos with the keypoints drawn into them, or the skeleton in 3D, as mp4."""
    from .pictures_out import labelled_videos

    loaded = _read(session)
    for path in labelled_videos(loaded, to or loaded.output / "videos", kind=kind.value, speed=speed):
        _echo(f"wrote {path}")


@app.command()
def figures(
    session: SessionPath = Path(),
    to: Annotated[Path | None, typer.Option(help="folder of the files", show_default="results/figures")] = None,
    format: Annotated[
        FigureFormat, typer.Option(help="vector graphics, or pictures of 160 dots per inch")
    ] = FigureFormat.svg,
) -> None:
    """Write the report's figures as files: stick figures, angles, gait, quality, calibration."""
    from .pictures_out import session_figures

    loaded = _read(session)
    for path in session_figures(loaded, to or loaded.output / "figures", format=format.value):
        _echo(f"wrote {path}")


@app.command()
def export(
    format: Annotated[
        str, typer.Argument(help="such as nwb, c3d, trc, csv or deeplabcut-h5: 'muybridge help formats'")
    ],
    session: SessionPath = Path(),
    to: Annotated[Path | None, typer.Option(help="folder of the files", show_default="results/export/FORMAT")] = None,
) -> None:
    """Write the results (2D points, poses, angles or cameras) in another tool's format."""
    from .export import export_session

    for path in export_session(_read(session), format, to):
        _echo(f"wrote {path}")


def _add_step_command(step: str, help: str) -> None:
    @app.command(step, help=help)
    def command(session: SessionPath = Path(), force: Force = False, quiet: Quiet = False) -> None:
        _run_steps(session, (step,), force, quiet)


for _step, _help in {
    "train": "Train one detector on the labelled frames of all cameras (detector.safetensors).",
    "predict": "Find the keypoints in the videos, or read another tool's 2D files (views.nc).",
    "reconstruct": "Reconstruct the animal in 3D from keypoints and cameras (pose.nc).",
    "kinematics": "Compute joint angles, velocities and gait (kinematics.nc).",
    "report": "Write all results as one offline HTML page (report.html).",
}.items():
    _add_step_command(_step, _help)


@app.command()
def run(
    session: SessionPath = Path(),
    force: Force = False,
    quiet: Quiet = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say which steps would run, and why; run none")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="tcp://HOST:PORT or file of a dask scheduler, whose workers take windows of time")
    ] = None,
) -> None:
    """Run all steps that the session needs; those whose inputs have not changed are skipped."""
    if dry_run:
        from .session_run import planned_steps

        for step, why in planned_steps(_read(session), force=force).items():
            _echo(f"{step}: would run ({why})" if why else f"{step}: up to date")
        return
    from .config import STEPS
    from .kernel_compilation import compiling_ahead

    with compiling_ahead(calibrates=_read(session).rig is None):
        if scheduler is None:
            _run_steps(session, STEPS, force, quiet)
            return
        from .recordings.executors import Cluster

        with Cluster(scheduler) as cluster:
            _run_steps(session, STEPS, force, quiet, **cluster.window_tasks()._asdict())


@app.command()
def batch(
    sessions: Annotated[list[Path], typer.Argument(help="session files, or folders searched for session.toml")],
    executor: Annotated[
        str, typer.Option(help="processes (of this machine) or dask (a running cluster)")
    ] = "processes",
    scheduler: Annotated[
        str | None, typer.Option(help="tcp://HOST:PORT or scheduler file of dask", show_default="dask's configuration")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="sessions at a time", show_default="one per processor, in memory"),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="write how each session ended, as CSV")] = None,
    force: Force = False,
) -> None:
    """Run many sessions, each in a process of its own; a failure does not stop the others."""
    from .recordings.command import run_batch_command

    n_failed = run_batch_command(sessions, executor, scheduler, jobs, table=table, force=force, say=_echo)
    if n_failed:
        raise typer.Exit(1)


@app.command()
def collect(
    sessions: Annotated[list[Path], typer.Argument(help="session files, or folders searched for session.toml")],
    to: Annotated[str, typer.Option(help="parquet or csv")] = "parquet",
    folder: Annotated[Path, typer.Option(help="where to write the tables")] = Path("collected"),
) -> None:
    """Collect strides, angles and speeds of many sessions into one table each, with session and animal as columns."""
    from .recordings.collection import collect_sessions
    from .recordings.session_files import find_sessions

    for line in collect_sessions(find_sessions(sessions), folder, format=to):
        _echo(line)


def _version(value: bool) -> None:
    if value:
        _echo(f"muybridge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="the version")] = False,
) -> None:
    pass


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    """Print a warning of the library as one line; those of others for programmers are left out."""
    from .run_warnings import for_session

    if issubclass(category, UserWarning):
        _echo(f"warning: {for_session(' '.join(str(message).split()))}", err=True)


def main() -> None:
    """Run a command; an error is printed as one sentence, with exit code 1 (MUYBRIDGE_DEBUG=1 shows where)."""
    # OpenCV's own messages would stand before the sentence
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    warnings.showwarning = _show_warning
    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _echo("interrupted: finished steps are kept, and the next run goes on from there", err=True)
        raise
    except Exception as error:
        if os.environ.get("MUYBRIDGE_DEBUG"):
            raise
        from .run_warnings import for_session

        message, kind = for_session(" ".join(str(error).split())), type(error).__name__
        if not isinstance(error, ValueError | OSError | ImportError | RuntimeError | MemoryError):
            message = f"internal ({kind}: {message}); run again with MUYBRIDGE_DEBUG=1 and report what it shows"
        _echo(f"error: {message or kind}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
