import numpy as np
import pytest

from tests.report.session import make_session, report_of


@pytest.fixture(scope="session")
def rig(ring_rig):
    """Three cameras of the ring: enough for everything that the report shows."""
    return ring_rig.subset(ring_rig.names[:3])


@pytest.fixture(scope="session")
def session(rig, skeleton, moving_skeleton, tmp_path_factory) -> dict:
    """The arguments of `report_of` for 60 frames of a made-up session with videos."""
    return make_session(rig, skeleton, moving_skeleton[:60], tmp_path_factory.mktemp("videos"))


@pytest.fixture(scope="session")
def report(session, tmp_path_factory):
    """The written report of that session."""
    return report_of(tmp_path_factory.mktemp("report") / "report.html", **session)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
