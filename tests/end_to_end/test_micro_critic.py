"""The shipped micro critic over real HTTP: `transformers serve`, `stepalign critique`, rollouts of the shipped solver.

The micro world is constructed. These numbers hold there and are no evidence about language models at large.
"""

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from stepalign.cli import main
from stepalign.core.files import read_json, read_jsonl, write_jsonl
from stepalign.micro import World, exact_critique, make_problems
from stepalign.micro.problems import CRITIC_DIR

pytestmark = pytest.mark.slow

NUM_ROLLOUTS = 40
SEED = 977  # of problems; training drew its own
# by chance these are also among the 20,000 that training sampled attempts at (`make_chains`)
SEEN = {
    "Start with 79. Add 165. Times 4.",
    "Start with 99. Add 176. Times 2.",
    "Start with 99. Add 238. Times 2.",
    "Start with 89. Add 268. Times 2.",
}


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    with serve(CRITIC_DIR, tmp_path_factory.mktemp("server") / "serve.log") as url:
        yield url


@pytest.fixture(scope="module")
def rollouts(micro_solver):
    """Rollouts of the solver as in training: T = 1.1, 160 new tokens."""
    from stepalign.evaluation.evaluate import sample_problems
    from stepalign.models import Sampling

    problems = make_problems(World(), NUM_ROLLOUTS + len(SEEN), SEED)
    problems = [problem for problem in problems if problem.problem not in SEEN][:NUM_ROLLOUTS]
    sampling = Sampling(temperature=1.1, max_new_tokens=160)
    return [r for batch in sample_problems(*micro_solver, problems, sampling, "bare") for r in batch]


@pytest.fixture
def files(rollouts, tmp_path):
    write_jsonl(tmp_path / "P.jsonl", [rollout.problem.to_json() for rollout in rollouts])
    write_jsonl(tmp_path / "S.jsonl", [rollout.to_json() for rollout in rollouts])
    return tmp_path


def critique(files: Path, *more: str) -> tuple[list[dict], dict]:
    data = ("--problems", str(files / "P.jsonl"), "--samples", str(files / "S.jsonl"))
    assert main(["critique", *data, "--output_dir", str(files / "out"), *more]) == 0
    return read_jsonl(files / "out" / "critiques.jsonl"), read_json(files / "out" / "ledger.json")


def check(rollouts, rows, ledger):
    assert ledger["num_verified"] >= 0.95 * len(rollouts), ledger
    agreed = kept = correct = 0
    for rollout, row in zip(rollouts, rows, strict=True):
        exact, solver = exact_critique(rollout), [step.text for step in rollout.trace.steps]
        copied = [step["text"] for step in row["steps"] if step["origin"] == "copied"]
        assert set(copied) <= set(solver)
        num_correct = len(solver) if exact.first_wrong_step is None else exact.first_wrong_step - 1
        kept += sum(text in copied for text in solver[:num_correct])
        correct += num_correct
        agreed += row["status"] == "verified" and row["first_wrong_step"] == exact.first_wrong_step
    assert agreed >= 0.9 * len(rollouts)
    assert kept >= 0.95 * correct > 0


def test_critiques_over_http_are_verified_and_keep_the_solvers_words(server, rollouts, files):
    rows, ledger = critique(files, "--critic_base_url", server, "--critic_model", str(CRITIC_DIR))
    check(rollouts, rows, ledger)
    assert ledger["num_requests"] >= len(rollouts)


def test_in_process_it_needs_one_flag(rollouts, files):
    rows, ledger = critique(files, "--critic", "micro")
    check(rollouts, rows, ledger)


def test_asked_again_over_http_it_says_something_else(server):
    """A temperature above 0 must sample: a critique that was rejected would otherwise come back the same."""
    content = "Start with 47. Add 38. Times 6.\n<answer>510</answer>\n<attempt>\n\n</attempt>"  # it chooses the words

    def ask(temperature: float) -> str:
        body = {"model": str(CRITIC_DIR), "messages": [{"role": "user", "content": content}], "max_tokens": 200}
        request = urllib.request.Request(
            f"{server}/chat/completions",
            json.dumps({**body, "temperature": temperature}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)["choices"][0]["message"]["content"]

    assert ask(0.0) == ask(0.0)
    assert len({ask(2.0) for _ in range(3)}) > 1


def test_a_comparison_with_it_needs_one_flag(tmp_path):
    argv = ["compare", "--critic", "micro", "--conditions", "stepalign", "--max_steps", "2", "--save_steps", "2"]
    sizes = ["--per_device_train_batch_size", "4", "--micro_num_train", "8", "--micro_num_validation", "2"]
    assert (
        main([*argv, *sizes, "--micro_num_test", "3", "--num_samples", "4", "--output_dir", str(tmp_path / "run")]) == 0
    )
    directory = tmp_path / "run" / "conditions" / "stepalign" / "seed_0"
    ledger = read_json(directory / "ledger.json")
    assert ledger["num_samples"] == 8 and ledger["num_verified"] >= 7 and ledger["num_requests"] >= 8
    contexts = [row["context"] for row in read_jsonl(directory / "rollouts.jsonl")]
    assert sum(bool(context) for context in contexts) == ledger["num_verified"]
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert "critic: micro" in config and "critique_protocol: rewrite" in config and "critic_prompts: bare" in config
