"""Whole curations of a scripted world, where what must become of each row is known."""

from collections import Counter

import pytest
from tests.fault_server import Answer

from stepalign.core.errors import ConfigError, DataError, ModelError
from stepalign.core.files import read_jsonl
from stepalign.curation import pipeline
from stepalign.feedback.critics.settings import CriticSettings

from . import world

COUNT = 120


def fates(curation) -> dict[int, str]:
    rows = curation.store.database.rows("SELECT position, stage FROM rows ORDER BY position")
    assert len(rows) == len(dict(rows))
    return dict(rows)


def problems(directory) -> dict[str, list[dict]]:
    return {split: read_jsonl(directory / f"{split}.jsonl") for split in ("train", "validation", "test")}


def test_each_row_meets_its_fate(curate, server, tmp_path):
    result, curation = curate(COUNT)
    expected = {i: world.fate(i) for i in range(COUNT)}
    assert fates(curation) == expected
    world.check_adds_up(result)
    by_stage = Counter(expected.values())
    assert result["num_kept"] == by_stage[""] > 15 and result["stopped"] == "source_exhausted"
    for stage in result["stages"]:
        assert stage["num_in"] - stage["num_out"] == by_stage[stage["name"]]
    assert result["stages"][-1]["name"] == "critic_solves" and result["stages"][-1]["skipped"]
    num_sampled = sum(i % 20 not in world.DROPPED for i in range(COUNT))
    assert len(server.requests) == num_sampled * world.NUM_SAMPLES  # nothing is sampled that a cheap stage drops
    written = problems(tmp_path / "out")
    assert [len(written[split]) for split in ("validation", "test")] == [3, 3]
    texts = [row["problem"] for rows in written.values() for row in rows]
    assert sorted(texts) == sorted(world.text(i) for i in expected if expected[i] == "")


def test_what_the_solver_is_asked(curate, server):
    curate(
        20,
        num_test=0,
        temperature=0.7,
        top_p=0.9,
        max_new_tokens=99,
        seed=3,
        no_thinking=True,
        solver_extra_body='{"top_k": 5}',
    )
    bodies = [body for body in server.requests if world.number_of(body) == 4]
    assert sorted(body.pop("seed") for body in bodies) == [12, 13, 14, 15]
    message = {"role": "user", "content": bodies[0]["messages"][0]["content"]}
    assert message["content"].startswith(world.text(4)) and "<step_1>" in message["content"]
    assert bodies[0] == {
        "model": "m", "max_tokens": 99, "messages": [message], "temperature": 0.7, "top_p": 0.9, "top_k": 5,
        "chat_template_kwargs": {"enable_thinking": False},
    }  # fmt: skip


def test_kept_problems_say_how_the_solver_did(curate, tmp_path):
    curate(COUNT)
    for rows in problems(tmp_path / "out").values():
        for row in rows:
            i = int(row["problem"].split()[1].rstrip(":"))
            rate = world.num_right(i) / world.NUM_SAMPLES
            assert row["meta"]["curation"] == {"num_samples": 4, "correct_rate": rate, "format_rate": 1.0}
            assert row["meta"]["level"] == i % 2 and row["answer"] == str(i + 7)


def test_it_stops_at_enough_and_goes_on_for_more(curate, server, tmp_path):
    result, curation = curate(COUNT, num_problems=10)
    world.check_adds_up(result)
    assert (result["num_kept"], result["stopped"]) == (10, "found_enough")
    first = problems(tmp_path / "out")
    tenth = [i for i in range(COUNT) if world.fate(i) == ""][9]
    assert result["num_rows"] == tenth + 1 < COUNT
    num_requests = len(server.requests)
    again, _ = curate(COUNT, num_problems=10)
    assert again == result and problems(tmp_path / "out") == first and len(server.requests) == num_requests
    whole, curation = curate(COUNT, num_problems=0)
    assert fates(curation) == {i: world.fate(i) for i in range(COUNT)}
    assert whole["num_rows"] == COUNT and len(server.requests) < 4 * COUNT


def test_the_split_depends_on_the_seed_alone(curate, tmp_path):
    curate(COUNT)
    first = problems(tmp_path / "out")
    curate(COUNT, output_dir=str(tmp_path / "again"))
    assert problems(tmp_path / "again") == first
    curate(COUNT, output_dir=str(tmp_path / "other"), seed=1)
    assert problems(tmp_path / "other")["test"] != first["test"]


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_broken_off_in_any_batch_it_goes_on(curate, server, tmp_path, batch):
    calls = []

    def breaks(progress):
        calls.append(progress.num_rows)
        if len(set(calls)) > batch:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        curate(COUNT, on_progress=breaks, batch_problems=6)
    num_requests = len(server.requests)
    result, curation = curate(COUNT, batch_problems=6)
    assert fates(curation) == {i: world.fate(i) for i in range(COUNT)}
    world.check_adds_up(result)
    num_sampled = sum(i % 20 not in world.DROPPED for i in range(COUNT))
    assert num_requests < num_sampled * 4 <= len(server.requests) <= num_sampled * 4 + 64


def test_the_critic_must_solve_it(curate, server, tmp_path):
    def script(number, body):
        i = world.number_of(body)
        if "seed" in body:
            return Answer(world.solve(body))
        if i % 4 == 1:
            return Answer(f"<think>{i + 7}</think> \\boxed{{{i}}}")
        return Answer(world.solve(body), finish_reason="length" if i % 4 == 2 else "stop")

    server.script = script
    critic = CriticSettings(critic_base_url=server.url, critic_model="c", critic_max_tokens=50)
    result, _ = curate(COUNT, critic)
    world.check_adds_up(result)
    stage = result["stages"][-1]
    would_be_kept = [i for i in range(COUNT) if world.fate(i) == ""]
    assert stage["num_in"] == len(would_be_kept) and "skipped" not in stage
    assert stage["dropped"] == {"wrong": sum(i % 4 == 1 for i in would_be_kept)}
    asked = [body for body in server.requests if "seed" not in body]
    assert sorted(world.number_of(body) for body in asked) == would_be_kept  # and nobody else
    assert asked[0]["temperature"] == 0.0 and asked[0]["model"] == "c" and asked[0]["max_tokens"] == 50
    assert world.text(world.number_of(asked[0])) in asked[0]["messages"][0]["content"]
    assert asked[0]["messages"][0]["content"].endswith("\\boxed{} at the end.")


def test_samples_that_fail_drop_their_problem_and_are_counted(curate, server):
    def script(number, body):
        is_bad = world.number_of(body) in (4, 10) and body["seed"] == 2
        return Answer(status=400) if is_bad else Answer(world.solve(body))

    server.script = script
    result, curation = curate(COUNT)
    world.check_adds_up(result)
    assert next(s for s in result["stages"] if s["name"] == "sampled")["dropped"] == {"http_400": 2}
    assert fates(curation)[4] == "sampled" and fates(curation)[5] == world.fate(5)


def test_a_server_that_refuses_stops_and_nothing_is_lost(curate, server):
    def script(number, body):
        answer = Answer(world.solve(body))
        return answer if number < 100 else Answer(status=401)

    server.script = script
    with pytest.raises(ModelError, match=r"the solver at .* answered 401.*STEPALIGN_SOLVER_API_KEY.*run the same"):
        curate(COUNT, solver_concurrency=4)
    server.script = lambda number, body: Answer(world.solve(body))
    _, curation = curate(COUNT)
    assert fates(curation) == {i: world.fate(i) for i in range(COUNT)}


def test_a_curation_does_not_go_on_with_other_settings(curate, tmp_path):
    curate(COUNT)
    with pytest.raises(ConfigError, match=r"holds a curation with correct_rate_below 0\.6; now it is 0\.5"):
        curate(COUNT, correct_rate_below=0.5)
    world.write_source(tmp_path, COUNT + 20)
    with pytest.raises(ConfigError, match="holds a curation with rows"):
        curate(COUNT)


def test_too_few_problems_for_the_split_still_leave_a_funnel(curate, tmp_path):
    with pytest.raises(DataError, match="5 problems passed all stages; expected more than num_validation"):
        curate(20)
    assert (tmp_path / "out" / "funnel.json").exists() and not (tmp_path / "out" / "train.jsonl").exists()


def test_a_long_way_without_a_candidate_is_committed(curate, monkeypatch, tmp_path):
    monkeypatch.setattr(pipeline, "MOST_ROWS", 10)
    seen = []
    with pytest.raises(DataError, match="no problem passed all stages"):
        curate(COUNT, where=["level=7"], on_progress=lambda progress: seen.append(progress.num_rows))
    assert sorted(set(seen) - {0}) == list(range(10, COUNT + 1, 10))
