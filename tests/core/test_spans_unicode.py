"""Spans over any Unicode and every kind of tokenizer: by windows as by whole prefixes, and as the bytes say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from stepalign.core.spans import shared_length, token_offsets, token_steps, token_texts
from stepalign.core.trace import parse_trace
from stepalign.micro import SOLVER_DIR

PIECES = [
    *("🙂", "🙃", "👨‍👩‍👧‍👦", "≥", "π", "√", "²", "“", "”", "да", "нет", "中", "é", "e\u0301", "»", "\ufffd"),
    *(" ", "  ", "\n", "x", "7", "so ", "=", "ok"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
BYTES = [f"<0x{i:02X}>" for i in range(256)]
CORPUS = ["So 7 is ok. The answer: 7 + 8 = 15, so x = 2 and да or нет.", "<step_1>so 7</step_1><answer>7</answer>"] * 40


def byte_fallback(merged: bool) -> PreTrainedTokenizerFast:
    """As Llama 2's, Mistral's and Gemma's: characters that the vocabulary lacks are written as their bytes."""
    characters = [*"▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-*/=<>_()[]{}.,:;!?'\"\\^$%&#@|~\n"]
    merges = [("s", "o"), ("o", "k"), ("▁", "so"), ("s", "t"), ("st", "e"), ("ste", "p")] if merged else []
    words = ["<unk>", "<s>", "</s>", *BYTES, *characters, *(a + b for a, b in merges)]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(words))}
    model = models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    strip = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(strip)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>")


def sentencepiece() -> PreTrainedTokenizerFast:
    """Unigram pieces with ▁ for a space, trained here; what it does not know is one unknown token."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    alphabet = sorted({character for piece in PIECES for character in piece if not character.isspace()})
    trainer = trainers.UnigramTrainer(
        vocab_size=160, special_tokens=["<unk>"], unk_token="<unk>", initial_alphabet=alphabet
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>")


def byte_level() -> PreTrainedTokenizerFast:
    """As GPT-2's, Qwen's and SmolLM2's; here the micro solver's."""
    return AutoTokenizer.from_pretrained(SOLVER_DIR)


KINDS = {
    "bytes for what is unknown": lambda: byte_fallback(False),
    "the same with merges": lambda: byte_fallback(True),
    "unigram pieces": sentencepiece,
    "byte level": byte_level,
}


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return KINDS[request.param]()


def test_single_tokens_joined_are_the_text_where_no_character_is_in_parts(tokenizer):
    text = "So x = 2, ok so 7 is so."
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    texts = token_texts(tokenizer, ids)
    assert "".join(texts[i] for i in ids).lstrip() == tokenizer.decode(ids).lstrip()
    assert any(text.startswith(" ") for text in texts.values())


def exact_offsets(tokenizer, ids):
    """The slow way: what each whole prefix settles of the text."""
    text = tokenizer.decode(ids)
    spans, at, pending = [], 0, 0
    for i in range(len(ids)):
        now = tokenizer.decode(ids[: i + 1])
        shared, is_last = shared_length(now, text), i + 1 == len(ids)
        end = len(text) if is_last else max(at, shared)
        if end == at and shared < len(now) and not is_last:
            pending += 1
            continue
        spans += [(at, end)] * (pending + 1)
        at, pending = end, 0
    return spans


def response(text: str) -> str:
    return f"<step_1>{text} ok</step_1><step_2>so {text}7</step_2>\n<answer>{text}7</answer>"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=TEXTS)
def test_windows_settle_what_whole_prefixes_do(tokenizer, text):
    ids = tokenizer(response(text), add_special_tokens=False)["input_ids"]
    assert token_offsets(tokenizer, ids) == exact_offsets(tokenizer, ids)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=TEXTS, cut=st.integers(1, 60))
def test_spans_join_to_the_text_wherever_it_is_cut(tokenizer, text, cut):
    ids = tokenizer(response(text), add_special_tokens=False)["input_ids"][:cut]
    offsets, whole = token_offsets(tokenizer, ids), tokenizer.decode(ids)
    assert len(offsets) == len(ids)
    assert "".join(whole[a:b] for a, b in dict.fromkeys(offsets) if a < b) == whole
    assert offsets == sorted(offsets)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=TEXTS.filter(lambda text: "\ufffd" not in text))
@pytest.mark.parametrize("merged", [False, True])
def test_every_token_lies_in_the_step_that_its_bytes_lie_in(merged, text):
    tokenizer = byte_fallback(merged)
    ids = tokenizer(response(text), add_special_tokens=False)["input_ids"]
    whole = tokenizer.decode(ids)
    true, waiting, at = [], b"", 0
    num_waiting = 0
    for token in tokenizer.convert_ids_to_tokens(ids):
        if not token.startswith("<0x"):
            width = 0 if not true and token == "▁" else len(token) - (not true and token.startswith("▁"))
            true.append((at, at + width))
            at += width
            continue
        waiting, num_waiting = waiting + bytes([int(token[3:5], 16)]), num_waiting + 1
        try:
            waiting.decode()
        except UnicodeDecodeError:
            continue
        true += [(at, at + 1)] * num_waiting
        waiting, num_waiting, at = b"", 0, at + 1
    assert at == len(whole)
    trace = parse_trace(whole)
    assert token_steps(trace, token_offsets(tokenizer, ids)) == token_steps(trace, true)
