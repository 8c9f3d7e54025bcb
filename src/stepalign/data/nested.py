"""Logs whose rows are no rollouts yet: steps in lists, episodes with traces, trees of a page; made into rows that are.

    ms-swift   lists of one step a row
    prime-rl   an episode of verifiers a row, with traces, which are graphs of messages; or one trace a row
    tinker     *_logtree.json, the tree of a page with conversations in it; trajectories.jsonl of its evaluations

    >>> row = Row("completions.jsonl, line 1", {"prompt": ["2 + 2?"] * 2, "completion": ["4", "5"]})
    >>> [one.values["completion"] for one in of_ms_swift(row)]
    ['4', '5']

The rows that come out have prompt and completion, and the right answer where the log has it. Of a conversation with
several turns the last question and its reply are taken. Thinking that a log keeps apart stands before the reply, in
its tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from stepalign.core.errors import DataError
from stepalign.data.row import Row

ANSWERS = ("gts", "ground_truth", "answer", "gold", "target", "expected", "reference_answer")
Tree = Mapping[str, Any]


def of_ms_swift(row: Row) -> Iterator[Row]:
    """A row a rollout, of a row that holds a step's in lists."""
    texts = row.value("completion")
    if not isinstance(texts, list):
        yield row
        return
    count = len(cast("list[object]", texts))
    lists = {key: value for key, value in row.values.items() if isinstance(value, list) and len(value) == count}
    for i in range(count):
        yield Row(f"{row.where}, number {i + 1}", {**row.values, **{key: value[i] for key, value in lists.items()}})


def of_prime_rl(row: Row) -> Iterator[Row]:
    """A row a trace; an episode that failed before there was one has none."""
    traces = [row.values] if "nodes" in row.values else _list(row, "traces")
    for number, trace in enumerate(traces, start=1):
        where = row.where if len(traces) == 1 else f"{row.where}, trace {number}"
        one = Row(where, _object(row, "traces", trace))
        messages = [_object(one, "message", node.get("message")) for node in _last_path(one)]
        yield _of_messages(one, messages, one.value("task.data") if one.has("task") else row.value("task.data"))


def of_tinker(row: Row) -> Iterator[Row]:
    """A row a rollout of a page's tree, or of a trajectory, which has turns.

    Raises:
        DataError: it is a summary of a rollout, which holds lengths and rewards and no text.
    """
    if {"traj_idx", "ac_len"} & row.values.keys():  # of a file of one line the steps may have been taken for the rows
        raise row.error(
            "tinker-cookbook's summaries hold rewards and lengths, and no text. Give the *_logtree.json of the same "
            "iteration, which holds the conversations of the groups that were logged."
        )
    if "root" in row.values:
        yield from _of_tree(row)
    else:
        yield _of_messages(row, _list(row, "turns"), row.values.get("logs"))


def _last_path(trace: Row) -> list[Tree]:
    """The nodes from the root to the last one that the model sampled."""
    nodes = [_object(trace, "nodes", node) for node in _list(trace, "nodes")]
    place = next((i for i in reversed(range(len(nodes))) if nodes[i].get("sampled")), None)
    path: list[Tree] = []
    while place is not None and len(path) <= len(nodes):
        path.insert(0, nodes[place])
        parent = nodes[place].get("parent")
        if parent is not None and (not isinstance(parent, int) or not 0 <= parent < len(nodes)):
            raise trace.error(f"'nodes': got the parent {parent!r}; expected 0 to {len(nodes) - 1}, or none.")
        place = parent
    return path


def _of_messages(row: Row, messages: Sequence[object], answers: object) -> Row:
    """The last reply and what it replies to."""
    turns = [_object(row, "messages", message) for message in messages]
    last = next((i for i in reversed(range(len(turns))) if turns[i].get("role") == "assistant"), None)
    asked = next((turn for turn in reversed(turns[:last]) if turn.get("role") == "user"), None)
    if last is None or asked is None:
        raise row.error("it has no turn of the user with a reply of the assistant: there is no rollout to look at.")
    values: dict[str, Any] = {"prompt": _text(row, asked), "completion": _text(row, turns[last])}
    found = cast("Tree", answers) if isinstance(answers, Mapping) else {}
    answer = next((found[name] for name in ANSWERS if found.get(name) is not None), None)
    return Row(row.where, values if answer is None else {**values, "answer": answer})


def _of_tree(row: Row) -> Iterator[Row]:
    """Each conversation of the assistant's that follows one of the user's, with the answer of the table behind it."""
    pieces = list(_pieces(_object(row, "root", row.value("root"))))
    asked: list[Tree] = []
    number = 0
    for i, (kind, piece) in enumerate(pieces):
        if kind != "conversation":
            continue
        if not any(turn.get("role") == "assistant" for turn in piece[-1:]):
            asked = piece
            continue
        number += 1
        behind = pieces[i + 1] if i + 1 < len(pieces) else ("", {})
        answers = behind[1] if behind[0] == "table" else None
        turns = piece if any(turn.get("role") == "user" for turn in piece) else [*asked, *piece]
        yield _of_messages(Row(f"{row.where}, conversation {number}", {}), turns, answers)
    if not number:
        raise row.error(
            "'root' holds no conversation with a reply. The environment logged none; see its logtree calls."
        )


def _pieces(node: Tree) -> Iterator[tuple[str, Any]]:
    """Conversations and tables of a tree, in order."""
    data: object = node.get("data")
    if isinstance(data, Mapping) and cast("Tree", data).get("type") == "conversation":
        yield "conversation", list(cast("Tree", data).get("messages", ()))
        return
    if node.get("tag") == "table":
        yield "table", dict(_cells(node))
        return
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            yield from _pieces(cast("Tree", child))


def _cells(node: Tree) -> Iterator[tuple[str, str]]:
    """The rows of a table of two columns: name and value."""
    children = [cast("Tree", child) for child in node.get("children", ()) if isinstance(child, Mapping)]
    if node.get("tag") == "tr" and len(children) == 2:
        yield _words(children[0]), _words(children[1])
    for child in children:
        yield from _cells(child)


def _words(node: object) -> str:
    if isinstance(node, str):
        return node
    return "".join(map(_words, cast("Tree", node).get("children", ()))).strip()


def _text(row: Row, turn: Tree) -> str:
    """What a turn says, after what it thought."""
    content, thought = turn.get("content"), turn.get("reasoning_content")
    if isinstance(content, list):
        parts = [_object(row, "content", part) for part in cast("list[object]", content)]
        thought = "".join(str(part["thinking"]) for part in parts if "thinking" in part) or thought
        content = "".join(str(part["text"]) for part in parts if "text" in part)
    if not isinstance(content, str) and not thought:
        raise row.error(f"the turn of the {turn.get('role')} has no text.")
    return f"<think>\n{thought}\n</think>\n\n{content or ''}" if thought else str(content)


def _list(row: Row, key: str) -> list[Any]:
    value = row.value(key)
    if not isinstance(value, list):
        row.string(key)  # raises where it is missing
        raise row.error(f"'{key}' is a text; expected a list.")
    return cast("list[Any]", value)


def _object(row: Row, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise DataError(f"{row.where}: an item of '{key}' is {type(value).__name__}; expected an object.")
    return dict(cast("Tree", value))
