"""Curations of the scripted world against a scripted server, in this process."""

import pytest
from tests.fault_server import Answer, FaultServer

from stepalign.curation import Curation, funnel, write_outputs
from stepalign.settings.curate import CurateSettings

from . import world


@pytest.fixture(autouse=True)
def no_picture(monkeypatch):
    """A second a picture; see test_funnel."""
    monkeypatch.setattr(funnel, "draw", lambda result, paths: None)


@pytest.fixture
def server():
    """The scripted solver and critic; `server.script` may be replaced."""
    with FaultServer(lambda number, body: Answer(world.solve(body))) as server:
        yield server


@pytest.fixture
def curate(tmp_path, server):
    """`curate(count, **settings)` curates a source of `count` rows and gives the funnel and the curation."""

    def run(count, critic=None, on_progress=lambda progress: None, **more):
        if not (tmp_path / "source.parquet").exists():
            world.write_source(tmp_path, count)
        arguments = CurateSettings(**world.settings(tmp_path, server.url, **more))
        curation = Curation(arguments, critic, on_progress)
        curation.run()
        has_critic = critic is not None
        result = write_outputs(curation.store, arguments, is_exhausted=curation.is_exhausted, has_critic=has_critic)
        return result, curation

    return run
