"""The command line: the subcommands, and how an error is printed."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from .commands.beginning import check, demo, init, show_help
from .commands.labels import corruption, evaluate, extract, label, suggest
from .commands.options import Force, Quiet, SessionPath, echo, run_steps
from .commands.results import export, figures, label_videos
from .commands.steps import batch, calibrate, collect, run

app = typer.Typer(
    help="From synchronised videos of a moving animal to 3D skeletons and joint kinematics with error bars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_INTERRUPTED = 130  # exit code after Ctrl-C, as of shells


def _add_step_command(step: str, help: str) -> None:
    @app.command(step, help=help)
    def command(session: SessionPath = Path(), force: Force = False, quiet: Quiet = False) -> None:
        run_steps(session, (step,), force, quiet)


for _name, _command in {"demo": demo, "init": init, "help": show_help, "check": check, "calibrate": calibrate}.items():
    app.command(_name)(_command)
for _name, _command in {
    "extract": extract, "label": label, "suggest": suggest, "corruption": corruption, "evaluate": evaluate,
    "label-videos": label_videos, "figures": figures, "export": export,
}.items():  # fmt: skip
    app.command(_name)(_command)
for _step, _help in {
    "train": "Train one detector on the labelled frames of all cameras (detector.safetensors).",
    "predict": "Find the keypoints in the videos, or read another tool's 2D files (views.nc).",
    "reconstruct": "Reconstruct the animal in 3D from keypoints and cameras (pose.nc).",
    "kinematics": "Compute joint angles, velocities and gait (kinematics.nc).",
    "report": "Write all results as one offline HTML page (report.html).",
}.items():
    _add_step_command(_step, _help)
for _command in (run, batch, collect):
    app.command()(_command)


def _version(value: bool) -> None:
    if value:
        echo(f"muybridge {__version__}")
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
        echo(f"warning: {for_session(' '.join(str(message).split()))}", err=True)


def main() -> None:
    """Run a command; an error is printed as one sentence, with exit code 1 (MUYBRIDGE_DEBUG=1 shows where)."""
    # OpenCV's own messages would stand before the sentence
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    # torch's threads wait for each other busily for milliseconds, hundreds of times a second: on a machine that does
    # other work (load 7 on 2 cores) a prediction of 24 s took more than 200. This is some tenths of a millisecond
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    warnings.showwarning = _show_warning
    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            echo("interrupted: finished steps are kept, and the next run goes on from there", err=True)
        raise
    except Exception as error:
        if os.environ.get("MUYBRIDGE_DEBUG"):
            raise
        from .run_warnings import for_session

        message, kind = for_session(" ".join(str(error).split())), type(error).__name__
        if not isinstance(error, ValueError | OSError | ImportError | RuntimeError | MemoryError):
            message = f"internal ({kind}: {message}); run again with MUYBRIDGE_DEBUG=1 and report what it shows"
        echo(f"error: {message or kind}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
