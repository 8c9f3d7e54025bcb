"""What a table's columns are, told from their names and from what stands in the first rows; or why it cannot be told.

    >>> first = [Row("row 1", {"Question": "2 + 2?", "final answer": 4})]
    >>> described(recognize(first, Columns(), "mine.csv"))
    "'Question' is the problem, the answer is 'final answer', ids are made"

Names are compared without case, spaces and hyphens. Where two columns could be the same part, nothing is guessed: the
message lists the columns and says how to name them. A column that the user names is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stepalign.core.errors import DataError
from stepalign.data.answers import find_answer
from stepalign.data.chat import turns_of
from stepalign.data.columns import META, Columns, plain_name
from stepalign.data.row import Row
from stepalign.data.shape import Shape
from stepalign.data.table import Table
from stepalign.data.tests import HIDDEN_NAMES, SETUP_NAMES, TEST_NAMES, TestColumns, are_tests

PROBLEM = (
    *("problem", "question", "prompt", "query", "instruction", "input", "problem_text", "problem_statement"),
    *("question_text", "math_problem", "task"),
)
CHAT = ("messages", "conversations", "conversation", "chat", "dialogue")
ANSWER = (
    *("answer", "final_answer", "expected_answer", "correct_answer", "reference_answer", "true_answer", "gold_answer"),
    *("ground_truth", "ground_truth_answer", "gold", "gt", "gt_answer", "numerical_answer", "numeric_answer"),
    *("short_answer", "answer_value", "target", "expected", "expected_output", "ans", "result"),
)
SOLUTION = (
    *("solution", "reference_solution", "generated_solution", "worked_solution", "full_solution", "solution_text"),
    *("rationale", "reasoning", "explanation", "chain_of_thought", "cot"),
)
TEXT = (*SOLUTION, "completion", "response", "output", "generation")  # where an answer may have to be found
PROGRAM_PROBLEM = ("question_content", "text", "description")
CODE = ("solution", "canonical_solution", "reference_solution", "code")
ID = (
    *("id", "problem_id", "question_id", "unique_id", "example_id", "task_id", "prompt_id", "uid", "uuid", "qid"),
    *("idx", "index", "row_id"),
)
KEPT = (
    *("level", "subject", "type", "difficulty", "topic", "category", "source", "domain", "competition", "year", "url"),
    *("problem_type", "problem_source", "question_type", "generation_model", "inference_mode", "pass_rate_72b_tir"),
)
PART_OF_PROBLEM = ("choices", "options", "body", "context", "passage", "background", "premise")
INSIDE = ("value", "text", "number", "final", *ANSWER)  # names of the answer in an object of that name
FRACTION = re.compile(r"-?\d+\.0")
HOW = "Say which is which: --columns problem=COLUMN,answer=COLUMN and perhaps solution=COLUMN,id=COLUMN."


def recognize(rows: Sequence[Row], columns: Columns, name: str, hint: str = "", is_text: bool = False) -> Shape:
    """The shape of rows, from the first of them.

    Args:
        columns: what the user named; the rest is told from the names.
        name: of the source, for messages.
        hint: what else could help where it is not recognized.
        is_text: whether all values are text, numbers too, as in a CSV.
    Raises:
        DataError: a column that was named is not there, or it cannot be told which column is which.
    """
    table = Table(rows)
    named = {part: _named(table, column, name) for part, column in columns.parts.items()}
    meta = {key: str(_named(table, column, name)) for key, column in columns.meta.items()}
    problem, answer = named.get("problem"), named.get("answer")
    tests = [named["tests"]] if named.get("tests") else [] if answer else tests_columns(table)
    try:
        if tests:
            return _with_tests(table, named, meta, tests)
        problem = problem or _problem(table, without=[answer] if answer else [])
        if "." in problem and not answer:
            return _within(table, problem, name)
        is_told = bool(answer) or (problem == "problem" and "answer" in table.columns)
        if not named.get("problem"):
            _check_whole(table, problem)
        answer = answer or _answer(table, problem)
    except DataError as error:
        raise DataError(f"{name}: {error}; the columns are: {_list(table.columns)}. {HOW}{hint}") from None
    shape = _with_answer(table, Shape(problem, answer), is_told, str if is_text else float)
    rest, is_named = [problem, answer], {"problem", "answer"} <= named.keys()
    return replace(
        shape,
        solution=(named["solution"] or None) if "solution" in named else _solution(table, shape, is_named),
        id=(named["id"] or None) if "id" in named else _id(table, rest, ("id",) if is_named else ID),
        meta=meta or {plain_name(column): column for column in table.find(() if is_named else KEPT, rest)},
    )


def tests_columns(table: Table) -> list[str]:
    """The columns that hold tests of a program; none where the problems ask for none."""
    return [column for column in table.find(TEST_NAMES) if all(map(are_tests, table.values(column)))]


def _with_tests(table: Table, named: dict[str, str], meta: dict[str, str], tests: Sequence[str]) -> Shape:
    """The shape of problems that ask for a program."""
    texts = table.find((*PROBLEM, *PROGRAM_PROBLEM))
    if not named.get("problem") and not texts:
        raise DataError("no column for the problem")
    problem = named.get("problem") or texts[0]
    codes = table.find(CODE, [problem])

    def first(names: Sequence[str]) -> str | None:
        return next(iter(table.find(names)), None)

    return Shape(
        problem,
        solution=(named["solution"] or None) if "solution" in named else next(iter(codes), None),
        id=(named["id"] or None) if "id" in named else _id(table, [problem]),
        meta=meta or {plain_name(column): column for column in table.find(KEPT, [problem])},
        tests=TestColumns(
            tuple(tests),
            tuple(table.find(HIDDEN_NAMES)),
            named.get("entry_point") or first(("entry_point",)),
            tuple(table.find(SETUP_NAMES)),
            first(("starter_code",)),
        ),
    )


def described(shape: Shape) -> str:
    """Which column was taken for what, in words."""
    is_chat = shape.problem in (shape.answer, shape.solution)
    if shape.tests is not None:
        words = [f"'{shape.problem}' is the problem", f"the tests are {_list(shape.tests.tests, ' and ')}"]
        words += [f"'{shape.solution}' the solution"] if shape.solution is not None else []
        words.append("ids are made" if shape.id is None else f"'{shape.id}' the id")
        return ", ".join(words)
    words = [f"the user's turn in '{shape.problem}' is the problem" if is_chat else f"'{shape.problem}' is the problem"]
    whose = "the assistant's" if shape.problem == shape.answer else f"'{shape.answer}'"
    words.append(f"the answer is {'found in ' if shape.reading == 'marked' else ''}{whose}")
    if shape.solution is not None:
        words.append("the assistant's the solution" if is_chat else f"'{shape.solution}' the solution")
    elif shape.reading == "marked":
        words.append("the text of which is the solution")
    words.append("ids are made" if shape.id is None else f"'{shape.id}' the id")
    if shape.meta:
        words.append(f"meta keeps {_list(list(shape.meta.values()))}")
    return ", ".join(words)


def is_own(shape: Shape) -> bool:
    """Whether rows are in this program's own form, of which nothing needs to be said."""
    parts = (shape.problem, shape.answer, shape.solution or "solution", shape.id)
    if shape.tests is not None:
        return parts[0] == "problem" and parts[2:] == ("solution", "id") and shape.tests.tests[0] in ("test", "tests")
    return parts == ("problem", "answer", "solution", "id") and shape.reading == "told"


def _named(table: Table, column: str, name: str) -> str:
    found = table.named(column) if column else ""
    if found is None:
        raise DataError(f"{name}: no column '{column}'; the columns are: {_list(table.columns)}. {HOW}")
    return found


def _problem(table: Table, without: Sequence[str]) -> str:
    """The problem's column, or that of a conversation, or a path into the one object that has one."""
    found = table.find(PROBLEM, without)
    if found and plain_name(found[0]) == "problem":
        return found[0]
    chats = [column for column in table.find(CHAT) if turns_of(table.first(column))]
    if chats and not (found and table.find(ANSWER)):
        return chats[0]
    if len(found) > 1:
        raise DataError(f"{_list(found, ' and ')} could all be the problem")
    if found:
        return found[0]
    inside = [
        f"{column}.{part}"
        for column in table.columns
        for part in dict.fromkeys(key for value in table.values(column) if isinstance(value, dict) for key in value)
        if plain_name(part) in PROBLEM and column != META
    ]
    if not inside and (empty := table.find(PROBLEM, without, is_empty=True)):
        return empty[0]
    if len(inside) != 1:
        raise DataError(f"{_list(inside, ' and ')} could all be the problem" if inside else "no column for the problem")
    return inside[0]


def _within(table: Table, problem: str, name: str) -> Shape:
    """The shape of rows whose problem is in an object: that of the objects, with the way to it before each column."""
    outer = problem.rpartition(".")[0]
    rows = [Row(row.where, value) for row in table.rows if isinstance(value := row.value(outer), dict)]
    shape = recognize(rows, Columns(), f"{name}, in '{outer}'")
    way = {
        part: f"{outer}.{column}"
        for part in ("problem", "answer", "solution", "id")
        if (column := getattr(shape, part))
    }
    own_id = {} if "id" in way else {"id": _id(table, [problem])}
    return replace(shape, **way, **own_id, meta={key: f"{outer}.{column}" for key, column in shape.meta.items()})


def _check_whole(table: Table, problem: str) -> None:
    """Raises DataError where another column seems to hold a part of the problem."""
    parts = table.find((*PART_OF_PROBLEM, *(("input",) if plain_name(problem) == "instruction" else ())), [problem])
    if parts and plain_name(problem) != "problem":
        raise DataError(f"'{problem}' seems to be only a part of the problem, beside '{parts[0]}'")


def _answer(table: Table, problem: str) -> str:
    found = table.find(ANSWER, [problem])
    if found and (found[0] == "answer" == plain_name(found[0]) and problem == "problem"):
        return found[0]
    if len(found) > 1:
        first = [str(value) for value in table.values(found[0])]
        found = [found[0]] + [c for c in found[1:] if [str(value) for value in table.values(c)] != first]
    if len(found) > 1:
        raise DataError(f"{_list(found, ' and ')} could all be the answer")
    if found:
        return found[0]
    if "reward_model" in table.columns and table.named("reward_model.ground_truth"):
        return "reward_model.ground_truth"
    if turns_of(table.first(problem)) and plain_name(problem) in CHAT:
        return problem
    texts = table.find(TEXT, [problem])
    marked = [column for column in texts if _is_marked(table.values(column))]
    if marked or len(texts) == 1:
        return (marked or texts)[0]
    if not texts and (empty := table.find(ANSWER, [problem], is_empty=True)):
        return empty[0]
    if not texts:
        raise DataError("no column for the answer")
    raise DataError(f"the answer is marked in none of {_list(texts)}")


def _is_marked(values: Sequence[Any]) -> bool:
    texts = (text for value in values for text in ([c for _, c in turns_of(value) or ()] or [value]))
    return any(isinstance(text, str) and find_answer(text) for text in texts)


def _with_answer(table: Table, shape: Shape, is_told: bool, number: type) -> Shape:
    """What the answers' column holds: answers, lists or objects of one, or texts in which they are marked."""
    values = table.values(shape.answer)
    if values and not turns_of(values[0]):
        if all(isinstance(value, dict) for value in values):
            parts = [part for part in INSIDE if all(part in value for value in values)]
            if len(parts) == 1:
                return _with_answer(table, replace(shape, answer=f"{shape.answer}.{parts[0]}"), is_told, number)
        if all(isinstance(value, list) and len(value) == 1 for value in values):
            return replace(shape, is_list=True, reading="short")
    is_whole = bool(values) and all(isinstance(value, number) and FRACTION.fullmatch(str(value)) for value in values)
    reading = "marked" if _is_marked(values) else "told" if is_told else "short"
    return replace(shape, is_whole=is_whole, reading=reading)


def _solution(table: Table, shape: Shape, is_named: bool) -> str | None:
    names = ("solution",) if is_named else SOLUTION
    found = table.find(names, [shape.problem, shape.answer])
    if not found and not is_named and plain_name(shape.problem) == "prompt":
        found = table.find(("completion",), [shape.answer])
    turns = turns_of(table.first(shape.problem)) if not found and shape.answer != shape.problem else None
    if turns and any(role == "assistant" for role, _ in turns):
        return shape.problem
    return found[0] if found else None


def _id(table: Table, without: Sequence[str], names: Sequence[str] = ID) -> str | None:
    """`id` as it is; a column of another name only where no two rows share a value."""
    for column in table.find(names, without):
        values = [value for value in table.values(column) if isinstance(value, str | int | float)]
        if plain_name(column) == "id" or len({*map(str, values)}) == len(table.rows):
            return column
    return None


def _list(columns: Sequence[str], last: str = ", ") -> str:
    quoted = [f"'{column}'" for column in columns] if last != ", " else list(columns)
    return (", ".join(quoted[:-1]) + last + quoted[-1]) if len(quoted) > 1 else "".join(quoted) or "none"
