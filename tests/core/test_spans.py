import pytest

from stepalign.core.problem import Problem
from stepalign.core.rollout import Rollout
from stepalign.core.spans import rollout_tokens, token_offsets, token_steps, token_texts
from stepalign.core.trace import parse_trace
from stepalign.micro import SOLVER_DIR

TEXT = "<step_1>Now add 38: 7+8=15 carry 1; 4+3+1=8. So 85.</step_1>\n<answer>85 é😀</answer>"


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(SOLVER_DIR)


def test_offsets_cover_the_text_and_agree_with_the_fast_tokenizer(tokenizer):
    encoded = tokenizer(TEXT, add_special_tokens=False, return_offsets_mapping=True)
    offsets = token_offsets(tokenizer, encoded["input_ids"])
    assert len(offsets) == len(encoded["input_ids"])
    ascii_part = [i for i, (_, end) in enumerate(encoded["offset_mapping"]) if end <= TEXT.index("é")]
    assert [offsets[i] for i in ascii_part] == [tuple(encoded["offset_mapping"][i]) for i in ascii_part]
    assert offsets[-1][1] == len(TEXT)
    assert "".join(TEXT[a:b] for a, b in dict.fromkeys(offsets)) == TEXT


def test_sampled_ids_that_the_tokenizer_would_not_give_keep_their_places(tokenizer):
    # the same text, one byte a token: no tokenizer would encode it so, but a model may sample it
    ids = [i for character in TEXT for i in tokenizer(character, add_special_tokens=False)["input_ids"]]
    assert len(ids) > len(tokenizer(TEXT, add_special_tokens=False)["input_ids"])
    offsets = token_offsets(tokenizer, ids)
    assert "".join(TEXT[a:b] for a, b in dict.fromkeys(offsets)) == TEXT


def test_tokens_belong_to_the_step_whose_text_they_overlap(tokenizer):
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    offsets = token_offsets(tokenizer, ids)
    steps = token_steps(parse_trace(TEXT), offsets)
    in_step = "".join(TEXT[a:b] for (a, b), step in zip(offsets, steps, strict=True) if step == 1)
    assert "Now add 38: 7+8=15 carry 1; 4+3+1=8. So 85." in in_step
    assert steps[0] is None and steps[-1] is None
    assert set(steps) == {1, None}


def test_the_texts_of_a_rollouts_tokens_are_the_response_with_its_end(tokenizer):
    ids = [*tokenizer(TEXT, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    texts, steps = rollout_tokens(tokenizer, Rollout(Problem("p", "", "85"), 0, TEXT, tuple(ids)))
    assert "".join(texts) == TEXT + tokenizer.eos_token
    assert steps == [*token_steps(parse_trace(TEXT), token_offsets(tokenizer, ids[:-1])), None]


def test_a_token_by_itself_reads_as_it_does_inside_a_text(tokenizer):
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    texts = token_texts(tokenizer, [*ids, tokenizer.eos_token_id, ids[0]])
    assert list(texts) == list(dict.fromkeys([*ids, tokenizer.eos_token_id]))
    assert " carry " in texts.values() and texts[tokenizer.eos_token_id] == tokenizer.eos_token
    assert token_texts(tokenizer, []) == {}
