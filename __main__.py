"""`python -m muybridge`: the command line where the command `muybridge` is not on the path."""

from .session.entry_point import main

if __name__ == "__main__":
    main()
