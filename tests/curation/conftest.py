"""Curations of the scripted world against a scripted server, in this process."""

import pytest

from stepalign.curation import Curation, funnel, write_outputs
from stepalign.settings.curate import CurateSettings

from . import world


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """No test reads or writes the user's cache or key, or draws."""
    monkeypatch.setenv("STEPALIGN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(funnel, "draw", lambda result, paths: None)  # a second a picture; see test_funnel
    monkeypatch.delenv("STEPALIGN_SOLVER_API_KEY", raising=False)


@pytest.fixture
def server(fault_server):
    """The scripted solver and critic; `server.script` may be replaced."""
    with fault_server.FaultServer(lambda number, body: fault_server.Answer(world.solve(body))) as server:
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
