"""Where the command `muybridge` begins: Ctrl-C while the libraries are loaded ends in one line, as it does later."""

import sys

_INTERRUPTED = 130  # exit code after Ctrl-C, as of shells


def main() -> None:
    """Load the command line and run it."""
    try:
        from .command_line import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: finished steps are kept, and the next run goes on from there\n")
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
