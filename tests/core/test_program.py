import textwrap

import pytest

from stepalign.core.problem import Problem, Tests
from stepalign.core.program import fenced_blocks, find_code, joined, program_trace
from stepalign.core.rollout import Rollout

PROMPT = 'from typing import List\n\n\ndef f(x: int) -> int:\n    """Add one.\n    >>> f(1)\n    2\n    """\n'
DEFINED = "def f(x):\n    return x + 1\n"


def found(text, **options):
    code = find_code(text, "f", **options)
    return None if code is None else code.text


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{DEFINED}```",
        f"Sure!\n\n```py\n{DEFINED}```\nThis adds 1.",
        f"```\n{DEFINED}```",
        f"~~~python\n{DEFINED}~~~",
        f"````python\n{DEFINED}````\n",
        f"```Python\n{DEFINED}",  # cut off
        f"```python\n{DEFINED}\n# end```\nDone.",
        f"1. Write it:\n   ```python\n{textwrap.indent(DEFINED, '   ')}   ```\n",
        f"<think>```python\ndef f(x): return 0\n```\n</think>\n```python\n{DEFINED}```",
        f"```python\ndef f(x): return 0\n```\nNo:\n```python\n{DEFINED}```",
        f"```python\n{DEFINED}```\nUse it:\n```python\nprint(f(1))\n```\nOutput:\n```\n2\n```",
        f"```python\n{DEFINED}```\n```bash\npython f.py\n```",
        f"```bash\npip install numpy\n```\n```python\n{DEFINED}```",
        f"<answer>\n```python\n{DEFINED}```\n</answer>",
    ],
)
def test_the_block_is_found_in_fences(text):
    assert found(text).replace("\n# end", "") == DEFINED


@pytest.mark.parametrize(
    "text",
    [
        DEFINED,
        f"Here is the function:\n\n{DEFINED}",
        f"Here is the function:\n{DEFINED}\nThis function adds one to x.",
        f"{DEFINED}\n**Explanation**: it adds one.",
        f"{DEFINED}\n\nComplexity: O(1)",
        f"{DEFINED}\n\nDone",
        f"Explanation: doubling\n\n{DEFINED}",
        f"<answer>{DEFINED}</answer>",
        f"<think>def f(x): return 0</think>\n{DEFINED}",
    ],
)
def test_the_code_is_found_without_a_fence(text):
    assert found(text).strip() == DEFINED.strip()


@pytest.mark.parametrize(
    "text", ["while True: pass", "exit(0)", "for i in range(3): print(i)", "# twice\nprint(2 * int(input()))"]
)
def test_a_text_that_is_python_and_does_something_is_a_program_as_a_whole(text):
    assert find_code(text).text == text


@pytest.mark.parametrize("text", ["", "42", "yes", "Answer: 42", "a, b", "not sure", '"a text"'])
def test_a_word_or_a_number_is_python_and_no_program(text):
    assert find_code(text) is None


def test_the_offset_is_that_of_the_block():
    for text in (
        f"<think>no</think>Sure:\n```python\n{DEFINED}```",
        f"Here:\n{DEFINED}",
        f"<answer>{DEFINED}</answer>",
    ):
        code = find_code(text, "f")
        assert text[code.start :].startswith(code.text)
        assert not code.is_completion


@pytest.mark.parametrize(
    "text", ["    return x + 1\n", "    y = 1\n    return x + y", "return x + 1", "```python\n    return x + 1\n```"]
)
def test_a_completion_goes_on_where_the_prompt_ends(text):
    code = find_code(text, "f", prompt=PROMPT)
    assert code.is_completion
    scope = {}
    exec(joined(PROMPT, code.text), scope)
    assert scope["f"](1) == 2


def test_the_whole_function_is_no_completion_of_its_prompt():
    assert not find_code(PROMPT + "    return x + 1", "f", prompt=PROMPT).is_completion
    assert not find_code(f"```python\n{DEFINED}```", "f", prompt=PROMPT).is_completion


@pytest.mark.parametrize(
    "text", ["", "  \n", "I do not know.", "<think>def f(x): return 1", "The answer is 4.", "```bash\nls\n```"]
)
def test_prose_is_no_code(text):
    assert found(text) is None
    assert found(text, prompt=PROMPT) is None


def test_open_thinking_hides_everything():
    assert found(DEFINED, thinking_open=True) is None
    assert found(f"hm</think>{DEFINED}", thinking_open=True) == DEFINED


def test_code_with_an_error_is_code():
    broken = "def f(x)\n    return x + 1\n"
    assert found(f"```python\n{broken}```") == broken
    assert found(broken) == broken


def test_backticks_in_a_docstring_do_not_close_a_fence():
    code = 'def f(x):\n    """Such as ```f(1)``` is 2."""\n    return x + 1\n'
    assert found(f"```python\n{code}```") == code


def test_a_program_without_a_function_is_the_last_block_of_python():
    text = "```python\nprint(1)\n```\nor\n```python\nprint(2)\n```\nwhich prints\n```\n2 is printed\n```"
    assert find_code(text).text == "print(2)\n"
    assert find_code("n = int(input())\nprint(n)\n").text == "n = int(input())\nprint(n)\n"


def test_other_languages_are_passed_over():
    assert [block.text for block in fenced_blocks("```json\n{}\n```\n```\na\n```\n```{.python}\nb\n```")] == [
        "a\n",
        "b\n",
    ]


@pytest.mark.parametrize(
    "text", ["`" * 100_000, "```\n" * 50_000, "def f(" * 30_000, "(" * 90_000, "-" * 90_000 + "1", "\n\nA b" * 20_000]
)
def test_no_text_is_too_much(text):
    find_code(text, "f", prompt=PROMPT)


def test_the_steps_of_a_program_are_its_lines_with_their_indents():
    text = "Here:\n```python\ndef f(x):\n\n    y = x  \n    return y\n```\nDone."
    trace = program_trace(text, "f")
    assert [step.text for step in trace.steps] == ["def f(x):", "    y = x", "    return y"]
    assert trace.layout == "code" and trace.answer is None and trace.render() == text
    assert all(text[step.start : step.end] == step.text for step in trace.steps)


def test_a_response_without_a_program_has_the_steps_that_any_other_has():
    assert program_trace("First this.\n\nThen that.", "f").layout == "paragraphs"
    assert program_trace("", "f").layout == "empty"


def test_the_last_block_that_defines_the_function_is_what_is_split():
    text = "```python\ndef g(): pass\n```\n```python\ndef f(): pass\n```\n```python\nprint(f())\n```"
    assert [step.text for step in program_trace(text, "f").steps] == ["def f(): pass"]


def test_a_problem_says_whether_its_responses_are_programs():
    text = "<step_1>x</step_1>\n```python\ndef f(): pass\n```"
    assert Problem("p", "?", "1").trace(text).layout == "tags"
    asks = Problem("p", "?", tests=Tests(asserts=("assert f() is None",)))
    assert asks.trace(text).layout == "code" and asks.tests.function == "f"
    assert Rollout(asks, 0, text).trace.steps[0].text == "def f(): pass"
