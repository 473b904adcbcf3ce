"""`muybridge label` as the shell runs it."""

from typer.testing import CliRunner

from muybridge.labelling import LabelServer
from muybridge.session.command_line import app


def test_the_command_prints_the_address_and_ends_with_ctrl_c(pictures, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    def interrupted(server):
        assert opened == [server.address]
        raise KeyboardInterrupt

    monkeypatch.setattr(LabelServer, "wait", interrupted)
    result = CliRunner().invoke(app, ["label", str(pictures), "--keypoints", "nose, tail"])
    assert result.exit_code == 0, result.output
    assert opened[0] in result.output
