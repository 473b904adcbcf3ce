"""One small trained detector that most tests share."""

import pytest

from muybridge.pose2d import read_labels
from tests.pose2d.animals import OPTIONS, write_project


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    """A folder of labelled pictures of two cameras, as `labels/<camera>/CollectedData_me.csv`."""
    root = tmp_path_factory.mktemp("project")
    write_project(root)
    return root


@pytest.fixture(scope="session")
def labels(project):
    return read_labels(project / "labels")


@pytest.fixture(scope="session")
def detector(labels):
    from muybridge.pose2d import train

    return train(labels, seed=1, progress=False, **OPTIONS)
