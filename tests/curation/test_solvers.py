import asyncio

import pytest
from tests.fault_server import Answer

from stepalign.clients.pool import Pool
from stepalign.core.errors import ConfigError, ModelError
from stepalign.curation.solvers import ServerSolver, make_solver
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.micro import SOLVER_DIR, World, make_problems
from stepalign.settings.curate import CurateSettings

PROBLEMS = make_problems(World(), count=6, seed=5)


def arguments(**more):
    return CurateSettings(source="s", output_dir="o", **{"solver_model": str(SOLVER_DIR), **more})


def sample(arguments, problems, first=0):
    async def work():
        async with make_solver(arguments) as solver:
            return await solver.sample_all(problems, first), solver.num_samples

    return asyncio.run(work())


def test_a_model_in_process():
    settings = arguments(num_samples=3, max_new_tokens=12, batch_size=6, seed=1)
    samples, num_samples = sample(settings, PROBLEMS)
    assert num_samples == 18
    for problem, rollouts in zip(PROBLEMS, samples, strict=True):
        assert [r.sample for r in rollouts] == [0, 1, 2] and all(r.problem is problem for r in rollouts)
        assert all(r.text.lstrip().startswith("<step_1>") and r.num_tokens == 12 for r in rollouts)


def test_samples_depend_on_seed_and_place_alone():
    settings = arguments(num_samples=2, max_new_tokens=12, seed=1)
    one, again, elsewhere = (sample(settings, PROBLEMS[:2], first)[0] for first in (0, 0, 640))
    assert one == again != elsewhere
    assert sample(arguments(num_samples=2, max_new_tokens=12, seed=2), PROBLEMS[:2])[0] != one


def test_it_knows_what_the_model_says_of_itself():
    solver = make_solver(arguments())
    assert solver._templates == "bare" and solver._longest == 160


def test_settings_that_cannot_be():
    with pytest.raises(ConfigError, match="curate needs solver_model"):
        make_solver(arguments(solver_model=None))
    with pytest.raises(ConfigError, match="temperature"):
        make_solver(arguments(temperature=-1.0))
    with pytest.raises(ModelError, match="no model directory"):
        make_solver(arguments(solver_model="./nowhere"))
    with pytest.raises(ConfigError, match="solver_base_url must begin with http"):
        make_solver(arguments(solver_base_url="127.0.0.1:8000"))
    with pytest.raises(ConfigError, match="solver_extra_body must be a JSON object"):
        make_solver(arguments(solver_base_url="http://127.0.0.1:1/v1", solver_extra_body="{"))


def test_replies_become_rollouts(server):
    server.script = lambda number, body: Answer(f"text {body['seed']}", finish_reason="length")
    settings = arguments(solver_base_url=server.url, num_samples=3)
    (rollouts,), num_samples = sample(settings, PROBLEMS[:1])
    assert [(r.sample, r.text, r.finish_reason, r.num_tokens) for r in rollouts] == [
        (i, f"text {i}", "length", 5) for i in range(3)
    ]
    assert num_samples == 3
    sample(settings, PROBLEMS[:1])
    assert len(server.requests) == 3  # the second time from the cache


def test_the_key_is_sent(server, monkeypatch):
    server.script = lambda number, body: Answer("text")
    monkeypatch.setenv("MY_KEY", "sk-1")
    sample(arguments(solver_base_url=server.url, num_samples=1, solver_api_key_env="MY_KEY"), PROBLEMS[:1])
    assert "Authorization: Bearer sk-1" in server.headers[0]


def test_nobody_there(monkeypatch):
    async def work():
        async with ServerSolver(arguments(solver_base_url="http://127.0.0.1:1/v1", solver_num_retries=0)) as solver:
            solver.pool.client._sleep = lambda seconds: asyncio.sleep(0)
            await solver.sample_all(PROBLEMS, 0)

    with pytest.raises(
        ModelError, match=r"cannot reach the solver at http://127\.0\.0\.1:1/v1.*correct solver_base_url"
    ):
        asyncio.run(work())


def test_a_local_critic_can_be_asked():
    async def work():
        settings = CriticSettings(critic="local", critic_model=str(SOLVER_DIR), critic_max_tokens=6)
        async with Pool(settings.client_settings()) as pool:
            return await asyncio.gather(*(pool.ask(problem.problem, temperature=0.0) for problem in PROBLEMS[:2]))

    replies = asyncio.run(work())
    assert [(reply.finish_reason, reply.tokens_out) for reply in replies] == [("length", 6)] * 2
    assert all("<step_1>" in reply.text for reply in replies)
