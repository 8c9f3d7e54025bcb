"""Both protocols side by side: the same exact critic behind a scripted server, on micro rollouts of every case."""

import json
from collections import Counter

import pytest
from tests.fault_server import Answer, FaultServer
from tokenizers import Regex
from tokenizers.pre_tokenizers import Split
from transformers import AutoTokenizer

from stepalign.feedback.critics.verify import verbatim_counts
from stepalign.micro import SOLVER_DIR, exact_critique

from .micro_replies import by_prompt, edit_reply, micro_rollouts, rewrite_reply

ROLLOUTS = micro_rollouts(200)
QWEN_WORDS = Split(
    Regex(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "isolated",
)


@pytest.mark.parametrize(("protocol", "reply"), [("edit", edit_reply), ("rewrite", rewrite_reply)])
def test_the_exact_critics_words_come_through(protocol, reply, make_critic):
    with FaultServer(lambda number, body: Answer(reply(by_prompt(ROLLOUTS, body)))) as server:
        critic = make_critic(server.url, critique_protocol=protocol)
        records = critic.critique(ROLLOUTS)
    assert critic.ledger.num_verified == 200 and critic.ledger.num_reasked == {}
    for rollout, record in zip(ROLLOUTS, records, strict=True):
        exact = exact_critique(rollout)
        assert record.critique.text == exact.text
        solver = [step.text for step in rollout.trace.steps]
        assert all(step.text in solver for step in record.critique.steps if step.origin == "copied")
        num_kept, num_correct = verbatim_counts(rollout, record.critique)
        assert num_kept == num_correct
        assert (record.critique.case == "A") == (exact.case == "A")
    assert set(Counter(record.critique.case for record in records)) == set("ABCD")


def frame(reply, count):
    """What an edit costs above 1.1 times the tokens of its new steps."""
    return count(reply) - 1.1 * sum(map(count, json.loads(reply)["new_steps"]))


def test_an_edit_costs_at_most_1_1_times_its_new_steps_plus_30():
    """In the words that Qwen's tokenizers split a text into before any merge.

    Their vocabulary is not at hand here. In it each of these edits has one token more of frame than it has words.
    """

    def count(text: str) -> int:
        return len(QWEN_WORDS.pre_tokenize_str(text))

    most = max(frame(edit_reply(rollout), count) for rollout in ROLLOUTS)
    assert 15 < most <= 20
    indented = (json.dumps(json.loads(edit_reply(rollout)), indent=2) for rollout in ROLLOUTS)
    assert max(frame(reply, count) for reply in indented) > 30  # why the prompt asks for one line


def test_the_micro_tokenizer_spells_the_frame_letter_by_letter():
    """It was trained on traces alone and knows no JSON, so the frame takes more than 30 of its tokens."""
    tokenizer = AutoTokenizer.from_pretrained(SOLVER_DIR)

    def count(text: str) -> int:
        return len(tokenizer.tokenize(text))

    assert max(frame(edit_reply(rollout), count) for rollout in ROLLOUTS) <= 42
    edits, rewrites = (sum(count(reply(r)) for r in ROLLOUTS) for reply in (edit_reply, rewrite_reply))
    assert edits < 0.8 * rewrites
