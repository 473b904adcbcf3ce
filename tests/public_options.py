"""What a part's public functions must be called with: every option that they have, each of them documented."""

import inspect

from numpydoc.docscrape import NumpyDocString


def options_of(function):
    """Names of the parameters that have a default."""
    return {p.name for p in inspect.signature(function).parameters.values() if p.default is not p.empty}


def functions_of(part):
    """Names of the public functions of a part."""
    return [name for name in part.__all__ if inspect.isroutine(getattr(part, name))]


def assert_all_functions_are_called(part, names):
    """`names` are the public functions of a part."""
    assert set(names) == set(functions_of(part))


def assert_options_can_be_given(function, calls):
    """A function runs with each (arguments, options); together they give all its options, which are documented."""
    options = options_of(function)
    assert options <= {
        name for entry in NumpyDocString(inspect.getdoc(function))["Parameters"] for name in entry.name.split(", ")
    }
    assert options <= {option for _, given in calls for option in given}
    nothing = inspect.signature(function).return_annotation in (None, "None")
    for arguments, given in calls:
        assert (function(*arguments, **given) is None) == nothing
