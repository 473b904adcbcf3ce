"""One small trained detector that most tests share."""

import os

import pytest
from filelock import FileLock

from muybridge.pose2d import load_detector, read_labels, train
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
def detector(labels, tmp_path_factory):
    """Trained by one of the processes of pytest-xdist, read by all."""
    folder = tmp_path_factory.getbasetemp()
    path = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "detector.safetensors"
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            train(labels, seed=1, progress=False, **OPTIONS).save(path)
    return load_detector(path)
