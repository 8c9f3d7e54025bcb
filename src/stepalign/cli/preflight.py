"""`stepalign preflight`: before training, what each feedback format would teach, and whether to go."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepalign.core.errors import ConfigError
from stepalign.core.files import exclusive, read_json, read_jsonl, write_json, write_jsonl

USAGE = "stepalign preflight [--config RECIPE.yaml] --output_dir DIR [--conditions NAME ...] [--key value ...]"
DESCRIPTION = """Try feedback formats on a few problems before paying for training: does the context help the model,
does the signal fall where the reasoning fails, and does it leave correct steps alone? Ends with a go or no-go for each.

  stepalign preflight --output_dir runs/preflight                 the micro world
  stepalign preflight --config my.yaml --output_dir runs/pre      with the recipe that will train
  stepalign preflight --model_name_or_path Qwen/Qwen3-0.6B --problems train.jsonl --conditions refsol stepalign \\
      --critic_base_url http://127.0.0.1:8000/v1 --critic_model Qwen/QwQ-32B --output_dir runs/pre

Interrupted at any moment, the same command goes on where it was."""
# how something is asked, not what comes back; the formats may grow
MAY_CHANGE = {
    *("conditions", "plugins", "critic_concurrency", "critic_timeout_s", "critic_deadline_s", "critic_num_retries"),
    *("critic_token_budget", "critic_cost_budget", "critic_price_in", "critic_price_out"),
    *("critic_cache", "critic_offline", "critic_api_key_env"),
}
MODEL_SETTINGS = ("model_name_or_path", "model_revision", "dtype")
TRAINING_SETTINGS = (
    *("seed", "temperature", "top_p", "top_k", "max_completion_length"),
    *("chat_template_kwargs", "teacher_chat_template_kwargs"),
)
STUDY_SETTINGS = ("prompt_templates", "max_teacher_prompt_length", "answer_patterns", "plugins")
OWN_SETTINGS = ("conditions", "num_samples", "eval_batch_size")


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `preflight`."""
    from stepalign.cli.config import parse_settings, print_settings, read_recipe
    from stepalign.cli.preflight_arguments import PreflightArguments
    from stepalign.cli.quiet import quieten
    from stepalign.cli.train import COMMON, types

    all_types = [PreflightArguments, *types()]
    if "--help" in argv or "-h" in argv or "--help_all" in argv:
        print_settings(all_types, USAGE, DESCRIPTION, COMMON, "--help_all" in argv)
        return
    quieten()
    names_a_model = any(word.split("=")[0] in ("--config", "--model_name_or_path") for word in argv)
    defaults = {} if names_a_model else read_recipe("micro")
    (own, study, critic, args, model_args), given = parse_settings(all_types, argv, defaults)
    if not given.get("output_dir"):
        raise ConfigError("preflight needs --output_dir: the directory for samples and results.")
    for name in ("num_problems", "num_samples"):
        if getattr(own, name) < 1:
            raise ConfigError(f"{name}: got {getattr(own, name)}; expected 1 or more.")
    with exclusive(Path(args.output_dir), timeout_s=1):
        preflight(Path(args.output_dir), own, (study, critic, args, model_args))


def preflight(directory: Path, own: Any, training: tuple[Any, ...]) -> dict[str, Any]:
    """Measure, judge, write `preflight.json` and print the table; `training` are the settings of `stepalign train`."""
    from stepalign.cli.critics import LEDGER, check_study, make_critic, resolve_critic
    from stepalign.cli.wiring import load_policy
    from stepalign.feedback.formats import feedback_class
    from stepalign.grading import Grader
    from stepalign.report.preflight import print_preflight
    from stepalign.signal.preflight import Preflight
    from stepalign.signal.preflight_records import KeptCritic, Records
    from stepalign.training.run import GRPO

    study, critic, args, model_args = training
    names = list(dict.fromkeys(name for name in own.conditions if name != GRPO))
    if not names:
        raise ConfigError("conditions: got no feedback format; expected at least one, for example refsol stepalign.")
    check_study(study, critic, names)
    resolve_critic(critic)
    _resolve(study, model_args)
    problems = _problems(own, study, model_args.model_name_or_path, args.seed)
    _check_same(directory, _settings(own, study, critic, args, model_args), problems)
    with Grader(patterns=study.answer_patterns) as grader:
        source = make_critic(critic, grader.grade, directory)
        kept = None if source is None else KeptCritic(source, directory / "critiques.jsonl")
        formats = {name: feedback_class(name)(kept) for name in names}
        policy, sampling = load_policy(study, args, model_args), _sampling(own, args)
        work = Preflight(Records(directory), problems, policy, sampling, grader, formats, kept)
        _run_stages(work)
        rows = work.rows()
    ledger = read_json(directory / LEDGER) if (directory / LEDGER).exists() else {}
    asks = {name for name in names if feedback_class(name).needs_critic}
    result = judge_rows(rows, names, {name: ledger if name in asks else {} for name in names})
    result = {"is_micro": _is_micro(own, study, model_args), "num_problems": len(problems), **result}
    write_json(directory / "preflight.json", {**result, "rows": rows})
    print_preflight(result)
    print(f"\nAll of it: {directory / 'preflight.json'}")
    return result


def judge_rows(rows: list[dict[str, Any]], names: Sequence[str], ledgers: dict[str, Any]) -> dict[str, Any]:
    """Summary, price, verdict and rank of each format."""
    from stepalign.signal.preflight_records import price_per_rollout
    from stepalign.signal.verdict import expected_best, judge, rank, summarize_format

    summaries = {name: summarize_format(name, rows) for name in names}
    return {
        "formats": {
            name: {**judge(summary)._asdict(), **summary, "price_per_rollout": price_per_rollout(ledgers[name])}
            for name, summary in summaries.items()
        },
        "ranking": rank(summaries),
        "expected_best": expected_best(summaries),
    }


def _problems(own: Any, study: Any, model: str | None, seed: int) -> list[Any]:
    """The problems that are tried: drawn at random, in the order in which they were given."""
    from stepalign.cli.wiring import training_problems
    from stepalign.data.problems import load_problems

    problems = load_problems(own.problems) if own.problems is not None else training_problems(study, model)
    drawn = random.Random(f"stepalign preflight {seed}").sample(
        range(len(problems)), min(own.num_problems, len(problems))
    )
    return [problems[i] for i in sorted(drawn)]


def _is_micro(own: Any, study: Any, model_args: Any) -> bool:
    from stepalign.cli.wiring import resolve_model

    made = own.problems is None and study.train_problems is None
    return made or model_args.model_name_or_path == resolve_model("micro")


def _resolve(study: Any, model_args: Any) -> None:
    """Fail early where there is no such model, and take the prompts that it was made for."""
    from stepalign.cli.wiring import resolve_model
    from stepalign.models.loading import check_model, read_own_defaults, templates_for

    model_args.model_name_or_path = resolve_model(model_args.model_name_or_path)
    check_model(model_args.model_name_or_path)
    own = read_own_defaults(model_args.model_name_or_path)
    study.prompt_templates = templates_for(study.prompt_templates, own)


def _settings(own: Any, study: Any, critic: Any, args: Any, model_args: Any) -> dict[str, Any]:
    from stepalign.cli.train import plain

    groups = ((own, OWN_SETTINGS), (study, STUDY_SETTINGS), (args, TRAINING_SETTINGS), (model_args, MODEL_SETTINGS))
    values = {name: getattr(group, name) for group, names in groups for name in names}
    return plain({**values, **vars(critic)})


def _check_same(directory: Path, settings: dict[str, Any], problems: Sequence[Any]) -> None:
    """Keep settings and problems beside the samples.

    Raises:
        ConfigError: the directory holds a preflight with others; nothing was changed.
    """
    path, rows = directory / "settings.json", [problem.to_json() for problem in problems]
    remedy = "Use another --output_dir, or what it was started with."
    if path.exists():
        stored = read_json(path)
        for key in sorted({*stored, *settings} - MAY_CHANGE):
            if stored.get(key) != settings.get(key):
                raise ConfigError(
                    f"{directory} holds a preflight with other settings: {key} is {stored.get(key)} there and "
                    f"{settings.get(key)} now. {remedy}"
                )
        if read_jsonl(directory / "problems.jsonl") != rows:
            raise ConfigError(
                f"{directory} holds a preflight on other problems: they differ from problems.jsonl. {remedy}"
            )
    write_jsonl(directory / "problems.jsonl", rows)
    write_json(path, settings)


def _sampling(own: Any, args: Any) -> Any:
    from stepalign.models.sampling import Sampling

    return Sampling(
        num_samples=own.num_samples,
        temperature=args.temperature,
        top_p=args.top_p,
        top_k=args.top_k or 0,
        max_new_tokens=args.max_completion_length,
        seed=args.seed,
        batch_size=own.eval_batch_size,
    )


def _run_stages(work: Any) -> None:
    from tqdm import tqdm

    for stage in work.stages():
        if stage.num_done < stage.total:
            with tqdm(total=stage.total, initial=stage.num_done, unit="rollout", desc=stage.name, delay=2) as bar:
                for num_more in stage.run():
                    bar.update(num_more)
