"""Names that a user may have meant, and names that are there twice."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

NETCDF_SUFFIXES = (".nc", ".nc4", ".netcdf", ".cdf")
F = TypeVar("F", bound=Callable[..., Any])


def nearest(name: str, known: Iterable[str]) -> str:
    """', did you mean X?' for the most similar known name, behind a sentence on what is unknown; else nothing."""
    lowered = {str(other).lower(): str(other) for other in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
    return f", did you mean '{lowered[close[0]]}'?" if close else ""


def repeated_names(names: Iterable[str]) -> list[str]:
    """The names that occur more than once, sorted."""
    return sorted(name for name, n in Counter(names).items() if n > 1)


def named_options(error: type[Exception] = TypeError, also: Iterable[str] = ()) -> Callable[[F], F]:
    """Let a public function refuse an unknown keyword with the name that was meant, and with all that it has.

    also : names that the function takes by ``**options``
    """

    def decorate(function: F) -> F:
        parameters = inspect.signature(function).parameters.values()
        known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD] + list(also)

        @functools.wraps(function)
        def with_names(*arguments, **options):
            for name in options:
                if name not in known:
                    hint = nearest(name, known[1:])
                    raise error(f"{function.__name__} has no option '{name}'{hint}; known: {known[1:]}")
            return function(*arguments, **options)

        return cast(F, with_names)

    return decorate
