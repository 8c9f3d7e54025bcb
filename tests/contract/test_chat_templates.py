"""Student and teacher prompts under the chat templates of real models, and the document that shows them.

The tokenizers are byte-level with the template's own special tokens, the models tiny and random: what is tested is
where prompts begin and end. `python tests/contract/test_chat_templates.py` writes the prompts of docs/prompts.md anew.
"""

import re
from pathlib import Path

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from stepalign.core.critique import Critique, CritiqueStep
from stepalign.core.problem import Problem
from stepalign.core.prompts import render_prompt
from stepalign.feedback.formats import FeedbackFormat
from stepalign.feedback.from_critiques import StepAlign
from stepalign.models.prompts import chat_prompts
from stepalign.settings.trainer import SelfDistillationConfig
from stepalign.training.self_distillation import SelfDistillationTrainer

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "tests" / "chat_templates"
DOCUMENT = ROOT / "docs" / "prompts.md"

QWEN = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "others": ["<|im_start|>", "<think>", "</think>"]}
LLAMA = {
    "bos_token": "<|begin_of_text|>",
    "eos_token": "<|eot_id|>",
    "others": ["<|start_header_id|>", "<|end_header_id|>"],
}
GEMMA = {
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "others": ["<start_of_turn>", "<end_of_turn>"],
}
FAMILIES = {"qwen3": QWEN, "qwen2_5": QWEN, "llama3": LLAMA, "gemma": GEMMA}
# what stands between a prompt's message and the response
ENDS = {
    "qwen3": "<|im_end|>\n<|im_start|>assistant\n",
    "qwen2_5": "<|im_end|>\n<|im_start|>assistant\n",
    "llama3": "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    "gemma": "<end_of_turn>\n<start_of_turn>model\n",
}
NO_THINKING = "<think>\n\n</think>\n\n"  # what Qwen3's template writes where thinking is off

PROBLEM = Problem("p1", "A box holds 3 rows of 4 eggs. 2 are broken. How many are whole?", "10")
CRITIQUE = Critique(
    "D",
    2,
    (CritiqueStep("3 rows of 4 are 3 * 4 = 12 eggs.", "copied"), CritiqueStep("Whole are 12 - 2 = 10.", "rewritten")),
    "10",
)


def make_tokenizer(family):
    special = {key: value for key, value in FAMILIES[family].items() if key != "others"}
    alphabet = {piece: i for i, piece in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special.values()))
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in FAMILIES[family]["others"]])
    if bos := special.get("bos_token"):  # as the real ones do when they encode plain text
        ids = [(bos, tokenizer.token_to_id(bos))]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=ids)
    template = (TEMPLATES / f"{family}.jinja").read_text()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, chat_template=template, padding_side="left", **{"pad_token": None, **special}
    )


class Said(FeedbackFormat):
    """A context for the first rollout and a longer one for the second, so that prompts are padded."""

    def contexts(self, rollouts):
        contexts = StepAlign(lambda rollouts: [CRITIQUE for _ in rollouts]).contexts(rollouts)
        longer = Critique("A", None, (*CRITIQUE.steps, CritiqueStep("So 10 are whole.", "inserted")), "10")
        return [contexts[0], *StepAlign(lambda _: [longer]).contexts(rollouts[1:2])]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(trainer, batch, what each forward pass got) of one template, with thinking off for the student alone or not."""

    def make(family, student_thinks=False, teacher_thinks=True):
        tokenizer = make_tokenizer(family)
        torch.manual_seed(0)
        sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "head_dim": 8}
        heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True}
        model = Qwen3ForCausalLM(Qwen3Config(vocab_size=len(tokenizer), **sizes, **heads))
        args = SelfDistillationConfig(
            str(tmp_path_factory.mktemp(family)),
            per_device_train_batch_size=2,
            max_completion_length=6,
            gradient_checkpointing=False,
            disable_tqdm=True,
            chat_template_kwargs={"enable_thinking": student_thinks},
            teacher_chat_template_kwargs={"enable_thinking": teacher_thinks},
        )
        problems = [PROBLEM, Problem("p2", "What is 5 + 2?", "7")]
        trainer = SelfDistillationTrainer(
            model, feedback=Said(), problems=problems, args=args, processing_class=tokenizer
        )
        batch = trainer._generate_and_score_completions([trainer.train_dataset[i] for i in range(2)])
        seen, forward = [], trainer._get_last_hidden_state

        def watched(model, input_ids, attention_mask, *rest):
            seen.append([ids[mask.bool()] for ids, mask in zip(input_ids, attention_mask, strict=True)])
            return forward(model, input_ids, attention_mask, *rest)

        trainer._get_last_hidden_state = watched
        trainer._compute_loss(trainer.model, batch, None)
        return trainer, batch, seen

    return make


def prompts_of(trainer, batch, name):
    """Token ids of both prompts without padding."""
    return [ids[mask.bool()].tolist() for ids, mask in zip(batch[f"{name}_ids"], batch[f"{name}_mask"], strict=True)]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_response_stands_under_both_prompts(run, family):
    trainer, batch, (student, teacher) = run(family)
    responses = prompts_of(trainer, batch, "completion")
    for name, seen in (("prompt", student), ("teacher_prompt", teacher)):
        prompts = prompts_of(trainer, batch, name)
        rows = [p + r for p, r in zip(prompts, responses, strict=True)]  # a pass takes them in order of length
        assert sorted(ids.tolist() for ids in seen) == sorted(rows)
    assert len(prompts_of(trainer, batch, "teacher_prompt")[0]) != len(prompts_of(trainer, batch, "teacher_prompt")[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_end_where_the_response_begins(run, family):
    trainer, batch, _ = run(family)
    tokenizer = trainer.processing_class
    for name, role, thinking in (("prompt", "student", False), ("teacher_prompt", "teacher", True)):
        text = tokenizer.decode(prompts_of(trainer, batch, name)[0], skip_special_tokens=False)
        message = render_prompt("steps", role, problem=PROBLEM, context=Said().contexts([None, None])[0])
        end = ENDS[family] + (NO_THINKING if family == "qwen3" and not thinking else "")
        assert text.endswith(message + end)
        assert (CRITIQUE.text in text) == (role == "teacher")


@pytest.mark.parametrize("family", FAMILIES)
def test_there_is_one_bos_where_there_is_any(run, family):
    trainer, batch, _ = run(family)
    bos = trainer.processing_class.bos_token_id
    if bos is not None:  # else the count below would hold for nothing
        assert trainer.processing_class("plain text")["input_ids"][0] == bos
    for name in ("prompt", "teacher_prompt"):
        for ids in prompts_of(trainer, batch, name):
            assert ids.count(bos) == (bos is not None)
            assert bos is None or ids[0] == bos


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kwargs", [{}, {"enable_thinking": False}])
def test_ids_are_those_of_the_tokenizers_own_template(family, kwargs):
    tokenizer, messages = make_tokenizer(family), ["What is 5 + 2?", "Und 3 + 4 €?"]
    prompts = chat_prompts(tokenizer, messages, kwargs)
    for message, prompt in zip(messages, prompts, strict=True):
        conversation = [{"role": "user", "content": message}]
        own = tokenizer.apply_chat_template(
            conversation, add_generation_prompt=True, return_dict=True, **(kwargs or {})
        )
        assert prompt.ids == own["input_ids"] and prompt == chat_prompts(tokenizer, [conversation], kwargs)[0]
        assert tokenizer.decode(prompt.ids, skip_special_tokens=False) == prompt.text
    assert chat_prompts(tokenizer, []) == []


@pytest.mark.parametrize("student_thinks", [True, False])
@pytest.mark.parametrize("teacher_thinks", [True, False])
def test_thinking_is_switched_for_each_of_the_two(run, student_thinks, teacher_thinks):
    trainer, batch, _ = run("qwen3", student_thinks, teacher_thinks)
    for name, thinks in (("prompt", student_thinks), ("teacher_prompt", teacher_thinks)):
        text = trainer.processing_class.decode(prompts_of(trainer, batch, name)[0])
        assert text.endswith(ENDS["qwen3"] if thinks else ENDS["qwen3"] + NO_THINKING)


def test_no_template_gets_a_system_message_of_ours(run):
    trainer, batch, _ = run("gemma")  # it would raise on one
    with pytest.raises(Exception, match="System role not supported"):
        trainer.processing_class.apply_chat_template([{"role": "system", "content": "x"}], tokenize=False)
    for family in ("qwen3", "llama3"):
        trainer, batch, _ = run(family)
        assert "system" not in trainer.processing_class.decode(prompts_of(trainer, batch, "prompt")[0])


def rendered():
    """The blocks of docs/prompts.md by name: Qwen3's prompts of the student (not thinking) and the teacher."""
    tokenizer = make_tokenizer("qwen3")
    context = StepAlign(lambda _: [CRITIQUE]).contexts([None])[0]
    blocks = {}
    for role, thinking in (("student", False), ("teacher", True)):
        message = {"role": "user", "content": render_prompt("steps", role, problem=PROBLEM, context=context)}
        blocks[role] = tokenizer.apply_chat_template(
            [message], add_generation_prompt=True, tokenize=False, enable_thinking=thinking
        )
    return blocks


BLOCK = r"(<!-- rendered: {name} -->\n```text\n)(.*?)(▌)"


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_the_document_shows_the_prompts_as_they_are(name):
    shown = re.search(BLOCK.format(name=name), DOCUMENT.read_text(), flags=re.DOTALL)
    assert shown is not None and shown[2] == rendered()[name]


if __name__ == "__main__":
    document = DOCUMENT.read_text()
    for name, text in rendered().items():
        document = re.sub(BLOCK.format(name=name), lambda m, t=text: m[1] + t + m[3], document, flags=re.DOTALL)
    DOCUMENT.write_text(document)
