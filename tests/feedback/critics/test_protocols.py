"""Both protocols side by side: the same exact critic behind a scripted server, on micro rollouts of every case."""

import json
from collections import Counter

import pytest
from transformers import AutoTokenizer

from stepalign.feedback.critics.verify import verbatim_counts
from stepalign.micro import SOLVER_DIR, exact_critique

from .fault_server import Answer, FaultServer
from .micro_replies import by_prompt, edit_reply, micro_rollouts, rewrite_reply

ROLLOUTS = micro_rollouts(200)


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


def test_an_edit_costs_what_it_writes_and_a_frame():
    """In the micro tokenizer, which spells most of the frame letter by letter: at most 45 tokens of frame."""
    tokenizer = AutoTokenizer.from_pretrained(SOLVER_DIR)

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    for rollout in ROLLOUTS:
        reply = edit_reply(rollout)
        assert count(reply) <= 1.1 * count("\n".join(json.loads(reply)["new_steps"])) + 45
    edits, rewrites = (sum(count(reply(r)) for r in ROLLOUTS) for reply in (edit_reply, rewrite_reply))
    assert edits < 0.8 * rewrites
