"""Labelled pictures of two cameras in a DeepLabCut project."""

import pytest

from muybridge.formats.labels.reading import read_labels
from tests.pose2d.animals import write_project


@pytest.fixture(scope="session")
def labels(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    write_project(root)
    return read_labels(root / "labels")
