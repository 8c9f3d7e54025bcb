"""Inspection in process: its numbers, its prompts, its notes, and what it refuses."""

import copy
import io
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from tokenizers.processors import TemplateProcessing
from transformers import Qwen3Config, Qwen3ForCausalLM

from stepalign.core.errors import ConfigError, DataError, ModelError
from stepalign.core.token_classes import token_classes
from stepalign.micro import exact_critique
from stepalign.models.prompts import Prompt, boundary, chat_prompts, encode
from stepalign.report.alternatives import instead
from stepalign.report.inspection.terminal import print_inspection, token_style
from stepalign.signal.case import Case, make_case, read_case_file
from stepalign.signal.inspect import inspect_response
from stepalign.signal.notes import MICRO, UNKNOWN

PROBLEM = "Start with 62. Add 78. Minus 82. Add 267."
RESPONSE = """<step_1>Next put on 78: 2+8=10 carry 1; 6+7+1=14. We get 140.</step_1>
<step_2>Now minus 82: 10-2=8 carry 1, 14-8-1=5, 1-0=1. That makes 158.</step_2>
<step_3>Now add 267: 8+7=15 hold 1; 5+6+1=12 keep 1; 1+2+1=4. So 425.</step_3>
<answer>425</answer>"""  # sampled from the solver; step 2 drops a borrow
REFERENCE = """<step_1>Consider augment by 78: 2+8=10 bring 1 | 6+7+1=14. Whence 140.</step_1>
<step_2>Observe reduce by 82: 10-2=8 bring 1 / 14-8-1=5 bring 1 / 1-0-1=0. Whence 58.</step_2>
<step_3>Hence increase by 267: 8+7=15 bring 1 | 5+6+1=12 bring 1 | 0+2+1=3. Yielding 325.</step_3>
<answer>325</answer>"""
CASE = Case("micro", PROBLEM, RESPONSE, {"refsol": REFERENCE}, first_wrong_step=2, first_wrong_step_source="case file")
ALIGNED = exact_critique(CASE.as_rollout()).text
NO_SYSTEM = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}"
    "{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    "{% if not enable_thinking | default(true) %}<think></think>{% endif %}"
)


@pytest.fixture(scope="module")
def result(micro_solver):
    return inspect_response(replace(CASE, contexts={"stepalign": ALIGNED, "refsol": REFERENCE}), *micro_solver)


@pytest.fixture
def tokenizer(micro_solver):
    return copy.deepcopy(micro_solver.tokenizer)


def test_a_t_is_that_of_a_float64_forward_pass_over_the_prompts_as_reported(result, micro_solver):
    model, tokenizer = copy.deepcopy(micro_solver.model).double(), micro_solver.tokenizer
    response = result["response_token_ids"]

    def logp(prompt):
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids + response])).logits[0, len(ids) - 1 : -1]
        return logits.log_softmax(-1)

    student = logp(result["student_prompt"])
    for context in result["contexts"].values():
        teacher = logp(context["teacher_prompt"])
        difference = (teacher - student).gather(-1, torch.tensor(response)[:, None])[:, 0]
        assert (torch.tensor(context["advantage"], dtype=torch.float64) - difference).abs().max() < 1e-4
        divergence = (teacher.exp() * (teacher - student)).sum(-1)
        assert (torch.tensor(context["divergence"], dtype=torch.float64) - divergence).abs().max() < 1e-4


def test_alternatives_are_the_likeliest_of_a_float64_forward_pass(result, micro_solver):
    model, tokenizer = copy.deepcopy(micro_solver.model).double(), micro_solver.tokenizer
    response = result["response_token_ids"]
    tops = {result["student_prompt"]: result["student_top"]}
    tops |= {context["teacher_prompt"]: context["teacher_top"] for context in result["contexts"].values()}
    assert len(tops) == 3
    for prompt, top in tops.items():
        ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids + response])).logits[0, len(ids) - 1 : -1]
        expected = logits.softmax(-1).topk(5)
        assert torch.tensor([[p for _, p in of] for of in top]).sub(expected.values).abs().max() < 1e-4
        for of, likeliest in zip(top, expected.indices, strict=True):
            assert len(of) == 5 and of[0][0] in [tokenizer.decode(likeliest[:2][i : i + 1]) for i in range(2)]


def test_the_carry_that_is_missing_is_what_the_self_teacher_would_write(result):
    context = result["contexts"]["stepalign"]
    dropped = next(i for i, value in enumerate(context["advantage"]) if value < -1)
    assert result["tokens"][dropped] == ", " and "".join(result["tokens"][:dropped]).endswith("14-8-1=5")
    assert dropped in [it.token for it in instead(context, result["tokens"])]
    assert {text.strip() for text, p in context["teacher_top"][dropped] if p > 0.1} == {"carry", "keep", "hold"}
    assert sum(p for _, p in context["teacher_top"][dropped]) == pytest.approx(1, abs=0.01)
    assert context["expected_advantage"][dropped] < -0.1 and max(context["expected_advantage"]) < 1e-5


def test_without_alternatives_all_other_numbers_are_the_same(result, micro_solver):
    case = replace(CASE, contexts={"stepalign": ALIGNED, "refsol": REFERENCE})
    none = inspect_response(case, *micro_solver, num_alternatives=0)
    assert none["student_top"] == [[]] * len(result["tokens"])
    for name, context in none["contexts"].items():
        assert context["teacher_top"] == none["student_top"]
        assert {**context, "teacher_top": result["contexts"][name]["teacher_top"]} == result["contexts"][name]


def test_every_list_is_as_long_as_the_response(result):
    length = len(result["response_token_ids"])
    assert len(result["tokens"]) == len(result["token_steps"]) == len(result["token_classes"]) == length
    assert result["token_classes"] == token_classes(result["tokens"])
    for context in result["contexts"].values():
        assert {len(context[key]) for key in ("student_logp", "teacher_logp", "advantage", "divergence")} == {length}
    assert "".join(result["tokens"]) == RESPONSE
    assert {step for step in result["token_steps"] if step} == {1, 2, 3}


def test_prompts_are_the_models_own_and_hold_the_context(result):
    assert result["student_prompt"] == f"<|im_start|>user\n{PROBLEM}<|im_end|>\n<|im_start|>assistant\n"
    prompt = result["contexts"]["refsol"]["teacher_prompt"]
    assert PROBLEM in prompt and REFERENCE in prompt and "Solve it." in prompt
    assert result["prompt_templates"] == "bare"
    assert result["boundary"]["first_response_token"]["text"] == result["tokens"][0]
    assert result["boundary"]["joined_text_differs"] is False


def test_aligned_feedback_leaves_the_correct_step_alone_and_finds_the_dropped_borrow(result):
    aligned, reference = (result["contexts"][name]["localization"] for name in ("stepalign", "refsol"))
    assert aligned["mean_correct"] > 0 > reference["mean_correct"] + 1
    assert aligned["pushed_down_rate"] == 0 < reference["pushed_down_rate"]
    assert aligned["min_wrong"] < -3 and aligned["onset_share"] > 0.95 > reference["onset_share"]
    advantage = result["contexts"]["stepalign"]["advantage"]
    first = next(i for i, value in enumerate(advantage) if value < -1)
    assert result["token_steps"][first] == 2 and "".join(result["tokens"][:first]).endswith("14-8-1=5")


def test_steps_alignment_and_where_the_verdict_is_from(result):
    rows = result["contexts"]["stepalign"]["steps"]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[1]["sum"] == pytest.approx(rows[1]["mean"] * rows[1]["num_tokens"])
    assert result["contexts"]["stepalign"]["alignment"]["overall"] == 1.0
    assert result["contexts"]["refsol"]["alignment"]["overall"] < 0.3
    assert (result["first_wrong_step"], result["first_wrong_step_source"]) == (2, "case file")
    assert MICRO in result["notes"] and UNKNOWN not in result["notes"]


def test_without_a_first_wrong_step_nothing_is_located(micro_solver):
    result = inspect_response(replace(CASE, first_wrong_step=None, first_wrong_step_source=None), *micro_solver)
    where = result["contexts"]["refsol"]["localization"]
    assert where["first_token"] is not None and where["mean_correct"] is None and where["auroc"] is None
    assert result["first_wrong_step"] is None and UNKNOWN in result["notes"]


def test_a_critique_says_which_step_is_wrong_unless_the_case_does():
    unknown = replace(CASE, first_wrong_step=None, first_wrong_step_source=None)
    critique = exact_critique(unknown.as_rollout())
    judged = unknown.judged(critique)
    assert (judged.first_wrong_step, judged.first_wrong_step_source) == (2, "critique")
    assert replace(CASE, first_wrong_step=3).judged(critique).first_wrong_step == 3
    right = replace(unknown, response=ALIGNED)
    assert right.judged(exact_critique(right.as_rollout())).first_wrong_step == 0


def test_no_step_is_wrong(micro_solver):
    case = replace(CASE, response=ALIGNED, first_wrong_step=0)
    result = inspect_response(case, *micro_solver)
    where = result["contexts"]["refsol"]["localization"]
    assert result["first_wrong_step"] is None and UNKNOWN not in result["notes"]
    assert where["num_correct"] > 90 and where["num_wrong"] == 0 and where["mean_correct"] < 0


def test_sampled_ids_are_scored_as_they_are(micro_solver):
    ids = encode(micro_solver.tokenizer, RESPONSE)
    spelled = [i for c in "<step_1>" for i in encode(micro_solver.tokenizer, c)]
    ids = (*spelled, *ids[len(encode(micro_solver.tokenizer, "<step_1>")) :], micro_solver.tokenizer.eos_token_id)
    result = inspect_response(replace(CASE, response_token_ids=ids), *micro_solver)
    assert tuple(result["response_token_ids"]) == ids
    assert "".join(result["tokens"]) == RESPONSE + "<|im_end|>" and result["token_steps"][-1] is None
    assert result["boundary"]["joined_text_differs"] is True
    assert any("other tokens where they meet" in note for note in result["notes"])


def test_notes_on_spikes_quotes_empty_contexts_and_line_breaks(micro_solver):
    contexts = {"quoting": RESPONSE, "empty": " "}
    kwargs = {"enable_thinking": False}
    tokenizer = copy.deepcopy(micro_solver.tokenizer)
    tokenizer.chat_template = NO_SYSTEM
    case = replace(
        CASE, response=RESPONSE + "\n", contexts=contexts, chat_template_kwargs={}, teacher_chat_template_kwargs=kwargs
    )
    result = inspect_response(case, micro_solver.model, tokenizer)
    assert result["contexts"]["quoting"]["teacher_prompt"].endswith("<think></think>")
    assert not result["student_prompt"].endswith("</think>")
    text = "\n".join(result["notes"])
    for part in ("first token is", "quoting quotes the wrong step", "empty is empty", "ends with a line break"):
        assert part in text


def test_the_teacher_takes_the_students_template_kwargs_unless_it_has_its_own(micro_solver, tokenizer):
    tokenizer.chat_template = NO_SYSTEM
    result = inspect_response(
        replace(CASE, chat_template_kwargs={"enable_thinking": False}), micro_solver.model, tokenizer
    )
    assert result["student_prompt"].endswith("<think></think>")
    assert result["contexts"]["refsol"]["teacher_prompt"].endswith("<think></think>")


def test_no_second_bos_and_no_system_message(tokenizer):
    tokenizer.add_special_tokens({"bos_token": "<|endoftext|>"})
    bos = tokenizer.bos_token_id
    tokenizer._tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", bos)]
    )
    tokenizer.chat_template = NO_SYSTEM
    assert tokenizer("x")["input_ids"][0] == bos
    assert chat_prompts(tokenizer, ["Hi"])[0].ids.count(bos) == 1
    with pytest.raises(ModelError, match="single user message: no roles"):
        tokenizer.chat_template = "{{ raise_exception('no roles') }}"
        chat_prompts(tokenizer, ["Hi"])
    with pytest.raises(ConfigError, match="do not work"):
        chat_prompts(tokenizer, ["Hi"], {"tokenize": True})


def test_the_seam_between_prompt_and_response(tokenizer):
    cut = boundary(tokenizer, Prompt("ad", encode(tokenizer, "ad")), "d 38", encode(tokenizer, "d 38"))
    assert cut["joined_text_differs"] is True
    assert (cut["last_prompt_token"]["text"], cut["first_response_token"]["text"]) == ("d", "d ")
    whole = boundary(tokenizer, Prompt("38: ", encode(tokenizer, "38: ")), "2+8", encode(tokenizer, "2+8"))
    assert whole["joined_text_differs"] is False


# errors


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"contexts": {}}, ConfigError, "no contexts; expected at least one"),
        ({"response": " "}, DataError, "response is empty"),
        ({"response": "1+1=2, " * 300}, DataError, "response does not fit: .* context window has 1024"),
        ({"contexts": {"ok": "x", "long": "1+1=2, " * 280}}, DataError, "context 'long' does not fit"),
        ({"first_wrong_step": 4}, DataError, "first_wrong_step is 4; the response has 3 steps"),
        ({"first_wrong_step": -1}, DataError, "first_wrong_step is -1"),
        ({"prompt_templates": "bar"}, ConfigError, "perhaps you meant 'bare'"),
        ({"response_token_ids": (269, 270)}, DataError, "response_token_ids are not the response's: they read"),
        ({"response_token_ids": (5, 99_999)}, ModelError, "token id 99999, but the model has a vocabulary of"),
    ],
)
def test_cases_that_cannot_be_inspected(micro_solver, changes, error, message):
    with pytest.raises(error, match=message):
        inspect_response(replace(CASE, **changes), *micro_solver)


def test_a_tokenizer_of_another_model(micro_solver):
    config = Qwen3Config(
        vocab_size=40, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, head_dim=8
    )
    with pytest.raises(ModelError, match=r"tokenizer and model 'micro' do not fit: token id .* vocabulary of 40"):
        inspect_response(CASE, Qwen3ForCausalLM(config), micro_solver.tokenizer)


def test_logits_that_are_not_finite(micro_solver):
    broken = copy.deepcopy(micro_solver.model)
    broken.model.norm.weight.data[0] = torch.nan
    with pytest.raises(ModelError, match=r"context 'refsol' are not finite from token 0 .* try --dtype float32"):
        inspect_response(CASE, broken, micro_solver.tokenizer)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("model: micro\nproblem: [1\n", DataError, r"case\.yaml, line 3: not YAML"),
        ("problem: Add: 3\n", DataError, r"case\.yaml, line 1: not YAML .* needs quotes"),
        ("contxts: {a: b}\n", ConfigError, "unknown key 'contxts'; perhaps you meant 'contexts'"),
        ("- a\n", ConfigError, "got a list; expected keys and values"),
        ("", ConfigError, "got a NoneType; expected keys and values"),
        (
            "problem: p\nresponse: r\n",
            ConfigError,
            "'model' is missing; got 'problem', 'response'. Add it, or give --model",
        ),
        ("model: m\nproblem: 5\nresponse: r\n", ConfigError, "'problem' is 5; expected text. Put it in quotes"),
        ("model: m\nproblem: p\nresponse: ''\n", DataError, "'response' is empty"),
        (
            "model: m\nproblem: p\nresponse: r\ncontexts: [a]\n",
            ConfigError,
            r"'contexts' is \['a'\]; expected a mapping",
        ),
        ("model: m\nproblem: p\nresponse: r\ncontexts: {a: 5}\n", ConfigError, "context 'a' is 5; expected text"),
        ("model: m\nproblem: p\nresponse: r\nfirst_wrong_step: two\n", ConfigError, "'first_wrong_step' is 'two'"),
        (
            "model: m\nproblem: p\nresponse: r\nresponse_token_ids: [a]\n",
            ConfigError,
            "expected a list of whole numbers",
        ),
        ("model: m\nproblem: p\nresponse: r\nchat_template_kwargs: x\n", ConfigError, "'x'; expected a mapping"),
        ("model: m\nproblem: p\nresponse: r\nloss: jsd\n", ConfigError, "expected a mapping, as {divergence: reverse"),
        ("model: m\nproblem: p\nresponse: r\nloss: {clip: 1}\n", ConfigError, "unknown key 'clip' of loss"),
    ],
)
def test_malformed_case_files(tmp_path, text, error, message):
    path = tmp_path / "case.yaml"
    path.write_text(text)
    with pytest.raises(error, match=message):
        make_case(read_case_file(path), str(path))


def test_case_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.yaml: no such file"):
        read_case_file(tmp_path / "nowhere.yaml")
    with pytest.raises(DataError, match="got a directory"):
        read_case_file(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"problem: \xe9\n")
    with pytest.raises(DataError, match="byte 10 is not UTF-8"):
        read_case_file(tmp_path / "latin.yaml")


def test_numbers_as_answers_and_absent_keys():
    values = {"model": "m", "problem": "p", "response": "r", "answer": 42, "adapter": None, "first_wrong_step": 0}
    case = make_case(values, "here")
    assert (case.answer, case.adapter, case.first_wrong_step, case.first_wrong_step_source) == (
        "42",
        None,
        0,
        "case file",
    )


# terminal


def printed(result, **kwargs):
    console = Console(file=io.StringIO(), width=160, **kwargs)
    print_inspection(result, console)
    return console.file.getvalue()


def test_a_terminal_gets_colours_and_underlines(result):
    text = printed(result, force_terminal=True, color_system="truecolor", no_color=False)
    assert "\x1b[4;30;48;2;153;142;195m, \x1b[0m1-0=1" in text  # the dropped borrow: underlined, on full purple
    assert "▶" in text and "reinforced" in text and "AUROC" in text


@pytest.mark.parametrize("kwargs", [{"force_terminal": True, "no_color": True}, {"force_terminal": False}])
def test_without_colours_there_is_a_table_by_step(result, kwargs):
    text = printed(result, **kwargs)
    assert "48;2" not in text and "▶ 2" in text and "1 │ Next put on 78" in text
    assert MICRO in text


def test_the_lowest_tokens_are_told_with_what_would_be_written(result):
    text = printed(result)
    told = text.split("what would be:\n")[1]
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert lines[0] == "stepalign" and lines[1] == "−9.92 written 6+1=12 keep 1; 1+2+1=4. [So␣]"
    assert lines[2].startswith("student ") and "So␣ 2" in lines[2]
    assert any("14-8-1=5[,␣]" in line for line in lines) and "␣carry␣" in lines[lines.index("refsol") - 1]
    assert told.count("self-teacher ") == 6, "three of each"
    calm = {**result, "contexts": {"none": {**result["contexts"]["refsol"], "teacher_top": []}}}
    assert "what would be" not in printed(calm)


def test_sign_is_shown_by_more_than_colour():
    assert token_style(-2.0).underline and not token_style(2.0).underline
    assert token_style(0.4) is None and token_style(-0.4) is None
    assert token_style(5.0) == token_style(50.0)


def test_control_characters_of_a_model_do_nothing(result):
    tops = [[["\x1b]0;x\x07[bold]", 1.0]]] * len(result["tokens"])
    contexts = {name: {**context, "teacher_top": tops} for name, context in result["contexts"].items()}
    evil = {
        **result,
        "contexts": contexts,
        "tokens": ["\x1b[2J", *result["tokens"][1:]],
        "notes": ["[red]\x1b]0;x\x07"],
    }
    text = printed(evil, force_terminal=True, color_system="truecolor", no_color=False)
    assert "⟨U+001B⟩]0;" in text
    assert "\x1b[2J" not in text and "\x1b]0" not in text and "⟨U+001B⟩" in text and "[red]" in text
