"""`stepalign inspect`: what does each context change at each token of one response, and is that where the error is?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepalign.core.errors import ConfigError

if TYPE_CHECKING:
    from stepalign.signal.case import Case

FIGURES = (".png", ".svg", ".pdf")
DESCRIPTION = """\
Score one response under one or more contexts, before anything is trained: which tokens does each push, and where?
A_t = log p(token | problem, context) - log p(token | problem), in nats. Above 0 the context reinforces the token,
below 0 it suppresses it. Aligned feedback leaves correct steps near or above 0 and is sharply negative at the error.

Writes OUTPUT_DIR/advantage.json (per token: student_logp, teacher_logp, advantage, divergence; per step; localization;
alignment; both prompts as tokenized) and OUTPUT_DIR/inspect.html, and prints a summary."""
EXAMPLE = """\
a case file:
  model: micro                # directory or hub name; micro: the shipped solver
  problem: Start with 47. Add 38.
  response: "<step_1>Add 38: 7+8=15 carry 1; 4+3=7. So 75.</step_1><answer>75</answer>"
  contexts:
    refsol: "38 more is 85."
  first_wrong_step: 1         # 0: none is wrong; may be left out
  # and: adapter, prompt_templates, chat_template_kwargs, teacher_chat_template_kwargs, answer, solution,
  # response_token_ids

examples:
  stepalign inspect case.yaml --output_dir inspected --figure figure.pdf
  stepalign inspect --model Qwen/Qwen3-0.6B --problem "What is 2 + 2?" --response @response.txt \\
      --context hint="Count on your fingers." --context solution=@solution.txt --output_dir inspected
  stepalign inspect --run runs/demo/conditions/stepalign/seed_0 --rollout 0 5 --context refsol=@solution --output_dir O
  stepalign inspect --model micro --problem @p.txt --response @r.txt --critic exact \\
      --context own=@critic --output_dir inspected"""


def add_parser(subparsers: Any) -> None:
    """Declare the command's arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "inspect", description=DESCRIPTION, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("case", nargs="?", type=Path, metavar="CASE.yaml", help="what to look at; flags win over it")
    add("--output_dir", type=Path, required=True, metavar="DIR", help="for advantage.json and inspect.html")
    add("--model", help="directory or hub name of a causal LM; micro: the shipped solver")
    add("--adapter", metavar="DIR", help="directory or hub name of a PEFT adapter for it")
    add("--problem", metavar="TEXT", help="what the solver was asked; @FILE reads it, less a final line break")
    add("--response", metavar="TEXT", help="what it wrote, or @FILE")
    add(
        "--context",
        action="append",
        default=[],
        metavar="NAME=TEXT",
        help="a context, or @FILE; @critic: what --critic writes; @solution: the reference solution. May be repeated",
    )
    add("--run", type=Path, metavar="DIR", help="look at rollouts of a run: directory of one condition and seed")
    add("--rollout", type=int, nargs="+", metavar="INDEX", help="which rows of its rollouts.jsonl, from 0")
    add("--problems", type=Path, metavar="FILE", help="the run's problems, where they are no longer beside it")
    add("--critic", help="exact: the micro world's critic says which step is wrong first")
    add("--first_wrong_step", type=int, metavar="N", help="which step is wrong first, from 1; 0: none is")
    add("--answer", help="the right answer, for the record")
    add("--prompt_templates", help="steps, bare or a directory (default: as the model says, else steps)")
    add("--chat_template_kwargs", type=_mapping, metavar="JSON", help='such as {"enable_thinking": false}')
    add(
        "--teacher_chat_template_kwargs",
        type=_mapping,
        metavar="JSON",
        help="the teacher's (default: as the student's)",
    )
    add(
        "--dtype",
        choices=["auto", "float32", "bfloat16", "float16"],
        help="of the weights; auto: as saved (default: float32 on a CPU, else auto). Half precision blurs A_t",
    )
    add("--figure", type=Path, metavar="F", help="also draw figures: F.png, F.svg or F.pdf")


def run(args: argparse.Namespace) -> None:
    """Inspect, write and print each case."""
    from stepalign.cli.cases import cases_of
    from stepalign.cli.quiet import quieten

    if args.figure is not None and args.figure.suffix.lower() not in FIGURES:
        raise ConfigError(f"--figure {args.figure}: got '{args.figure.suffix}'; expected one of {', '.join(FIGURES)}.")
    cases = cases_of(args)
    quieten()
    results = inspect_cases(cases, args.dtype)
    from stepalign.report.inspection.terminal import print_inspection

    for case, result in zip(cases, results, strict=True):
        name = f"rollout-{case.rollout['index']}" if len(cases) > 1 else ""
        figure = args.figure if args.figure is None or not name else args.figure.with_stem(f"{args.figure.stem}-{name}")
        written = write_inspection(result, args.output_dir / name, figure)
        if name:
            print(name)
        print_inspection(result)
        print(f"Written: {', '.join(map(str, written))}")


def inspect_cases(cases: Sequence[Case], dtype: str | None = None) -> list[dict[str, Any]]:
    """The result of each case; a model that several share is loaded once."""
    from stepalign.cli.wiring import resolve_model
    from stepalign.models.loading import best_device, load_model
    from stepalign.signal.inspect import inspect_response

    dtype = dtype or ("float32" if best_device().type == "cpu" else "auto")
    loaded: dict[tuple[str, str | None], Any] = {}
    results: list[dict[str, Any]] = []
    for case in cases:
        key = case.model, case.adapter
        if key not in loaded:
            loaded.clear()
            loaded[key] = load_model(resolve_model(case.model), case.adapter, dtype=dtype)
        results.append(inspect_response(case, loaded[key].model, loaded[key].tokenizer))
    return results


def write_inspection(result: Mapping[str, Any], directory: Path, figure: Path | None = None) -> list[Path]:
    """Write `advantage.json`, `inspect.html` and perhaps the figures; returns what was written."""
    from stepalign.core.files import write_json
    from stepalign.report.inspection.page import write_page

    written = [directory / "advantage.json", directory / "inspect.html"]
    write_json(written[0], result)
    write_page(result, written[1])
    if figure is not None:
        from stepalign.report.figures import advantage_figures

        written += advantage_figures(result, figure)
    return written


def _mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a JSON object; got {text!r} ({error})") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object; got {text!r}")
    return value
