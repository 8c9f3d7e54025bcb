"""The page of `stepalign inspect`: one HTML file that shows where each context pushes a response, and how to read it.

    >>> write_page(result, directory / "inspect.html")

`result` is what `advantage.json` holds. Whatever the model wrote is text in the page, never markup: see
`stepalign.report.page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stepalign.core.files import write_text
from stepalign.core.token_classes import token_classes
from stepalign.report.alternatives import PARTS, instead, pack
from stepalign.report.inspection.measures import MEASURES, MISSING, number, share
from stepalign.report.page.document import build_page
from stepalign.report.page.sections import Bars
from stepalign.report.page.text import clean
from stepalign.report.palette import Palette
from stepalign.report.token_classes import class_chart

PAGE = Path(__file__).parent / "page"
DECIMALS = {  # of the numbers behind the picture; advantage.json has them in full
    **dict.fromkeys(("advantage", "student_logp", "teacher_logp"), 4),
    **dict.fromkeys(("expected_advantage", "logit_push", "gradient_share"), 3),
}


def write_page(result: Mapping[str, Any], path: Path, palette: Palette = "safe") -> None:
    """Write the page of one inspection; `palette` is the one that it opens with."""
    write_text(path, render_page(result, palette))


def render_page(result: Mapping[str, Any], palette: Palette = "safe") -> str:
    """The whole page as one HTML document."""
    contexts = result["contexts"]
    data: dict[str, Any] = {
        "tokens": result["tokens"],
        "token_steps": result["token_steps"],
        "first_wrong_step": result["first_wrong_step"],
        "student_prompt": result["student_prompt"],
        "response": result["response"],
        "critique": result.get("critique"),
        "palette": palette,
        **_alternatives(result),
    }
    content = {
        "title": " and ".join(contexts),
        "model": result["model"],
        "num_tokens": len(result["tokens"]),
        "num_steps": len({step for step in result["token_steps"] if step is not None}),
        "first_wrong_step": result["first_wrong_step"],
        "wrong_in_words": _wrong_in_words(result),
        "names": list(contexts),
        "measures": _measures(contexts),
        "notes": result["notes"],
        "told": any(context.get("teacher_top") for context in contexts.values()),
        "contexts": [_steps(name, context) for name, context in contexts.items()],
        "classes": asdict(_classes(result)),
    }
    return build_page(PAGE, "inspect.html.jinja", scripts=("inspect.js",), content=clean(content), data=clean(data))


def _classes(result: Mapping[str, Any]) -> Bars:
    """Mean A_t by kind of token: of the whole response, and of its first wrong step where one is known."""
    kinds, wrong = result.get("token_classes") or token_classes(result["tokens"]), result["first_wrong_step"]
    values = {name: context["advantage"] for name, context in result["contexts"].items()}
    inside = [i for i, step in enumerate(result["token_steps"]) if wrong and step == wrong]
    of_step = {name: [row[i] for i in inside] for name, row in values.items()}
    charts = [
        class_chart("Mean A_t by kind of token, whole response", values, kinds),
        class_chart("The same in the first wrong step", of_step, [kinds[i] for i in inside]),
    ]
    return Bars([chart for chart in charts if not chart.is_empty])


def _wrong_in_words(result: Mapping[str, Any]) -> str:
    source = result["first_wrong_step_source"]
    if source is None:
        return "nobody said which step is wrong first"
    step = result["first_wrong_step"]
    return f"step {step} is the first wrong one ({source})" if step else f"no step is wrong ({source})"


def _alternatives(result: Mapping[str, Any]) -> dict[str, Any]:
    """The contexts with their numbers, what would be written at each token, and the token that is told of at first."""
    tokens, contexts = result["tokens"], result["contexts"]
    packed = pack([result.get("student_top", []), *(context.get("teacher_top", []) for context in contexts.values())])
    found = {name: instead(context, tokens) for name, context in contexts.items()}
    numbers = {text: number for number, text in enumerate(packed.texts)}
    return {
        "texts": packed.texts,
        "student_top": packed.tops[0],
        "start": _start(result, [it.token for lines in found.values() for it in lines]),
        "contexts": [
            {
                **_data(name, context),
                "teacher_top": top,
                "instead": [[it.token, numbers[it.text], round(PARTS * it.probability)] for it in found[name]],
            }
            for (name, context), top in zip(contexts.items(), packed.tops[1:], strict=True)
        ],
    }


def _start(result: Mapping[str, Any], found: Sequence[int]) -> int:
    """The token that is told of at first: of those with a second line one in the first wrong step, else the first."""
    wrong = (i for i in found if result["token_steps"][i] == result["first_wrong_step"] is not None)
    return next(wrong, next(iter(found), 0))


def _data(name: str, context: Mapping[str, Any]) -> dict[str, Any]:
    rows = {
        key: [None if value is None else round(value, decimals) for value in context[key]]
        for key, decimals in DECIMALS.items()
        if key in context  # an inspection of version 0.1.0 does not have all
    }
    texts = {key: context[key] for key in ("context", "teacher_prompt")}
    return {"name": name, **texts, **rows}


def _measures(contexts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a measure, with its value under each context; a measure that no context has is left out."""
    rows = [
        {
            "name": measure.name,
            "meaning": measure.meaning,
            "values": [measure.read(context) for context in contexts.values()],
        }
        for measure in MEASURES
    ]
    return [row for row in rows if set(row["values"]) != {MISSING}]


def _steps(name: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """The table per step under one context."""
    copied = {row["step"]: row["share"] for row in context["alignment"]["steps"]}
    return {
        "name": name,
        "steps": [
            {
                "step": row["step"],
                "num_tokens": row["num_tokens"],
                "values": [number(row[key]) for key in ("mean", "sum", "min", "max")],
                "copied": share(copied.get(row["step"])),
            }
            for row in context["steps"]
        ],
    }
