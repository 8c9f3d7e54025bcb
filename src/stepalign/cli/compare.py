"""`stepalign compare`: train several conditions alike, evaluate their checkpoints, and report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stepalign.core.environment import describe_environment
from stepalign.core.errors import ConfigError
from stepalign.core.files import exclusive, write_json

USAGE = "stepalign compare [--quick | --config RECIPE.yaml] [--output_dir DIR] [--dry_run] [--key value ...]"
DESCRIPTION = """Train grpo, refsol and stepalign on the same problems with the same settings, evaluate, and report.

  stepalign compare                          the micro world: a real tiny model on a CPU
  stepalign compare --quick                  the same in a few minutes: fewer steps and problems
  stepalign compare --config my.yaml --seeds 0 1 2 --output_dir runs/mine

On several GPUs conditions run side by side, each on one of them; --num_processes 2 trains each on two. Interrupted at
any moment, the same command goes on where it was. With --dry_run it says what it would take."""
DEFAULT_OUTPUT = "runs/compare"


def run(argv: Sequence[str]) -> None:
    """Entry of the command: `argv` is what follows `compare`."""
    from stepalign.cli.config import parse_settings, print_settings, read_recipe
    from stepalign.cli.quiet import quieten
    from stepalign.cli.train import COMMON, types
    from stepalign.comparison.compare import CompareArguments

    all_types = [CompareArguments, *types()]
    if "--help" in argv or "-h" in argv or "--help_all" in argv:
        print_settings(all_types, USAGE, DESCRIPTION, COMMON, "--help_all" in argv)
        return
    quieten()
    quick, dry = "--quick" in argv, "--dry_run" in argv
    argv = [word for word in argv if word not in ("--quick", "--dry_run")]
    if quick and "--config" in argv:
        raise ConfigError("--quick is a recipe of its own; got --config as well. Give one of them.")
    defaults = {} if "--config" in argv else read_recipe("micro-quick" if quick else "micro")
    (compare, study, critic, args, model_args), given = parse_settings(all_types, argv, defaults)
    if dry:
        dry_run(compare, (study, critic, args, model_args))
        return
    directory = Path(given.get("output_dir") or (f"{DEFAULT_OUTPUT}-quick" if quick else DEFAULT_OUTPUT))
    with exclusive(directory, timeout_s=1):
        compare_conditions(
            directory, compare, (study, critic, args, model_args), {**given, "output_dir": str(directory)}
        )


def dry_run(compare: Any, training: tuple[Any, ...]) -> None:
    """Check the settings and print what the comparison would do."""
    from stepalign.cli.critics import check_study, resolve_critic
    from stepalign.cli.dry_run import print_plan
    from stepalign.comparison.devices import check_num_processes, visible_devices
    from stepalign.training.run import check_num_problems

    study, critic, args, model_args = training
    num_checkpoints = _num_checkpoints(args)
    check_study(study, critic, compare.conditions)
    resolve_critic(critic)
    problems = _problems(study, compare, model_args.model_name_or_path)
    num_processes = compare.num_processes
    check_num_processes(num_processes, visible_devices())
    check_num_problems(len(problems["train"]), args, num_processes)
    print_plan(training, vars(compare), compare.conditions, len(compare.seeds), problems["train"], num_processes)
    num_models = 1 + num_checkpoints * len(compare.conditions) * len(compare.seeds)
    num_responses = num_models * compare.num_samples * (len(problems["validation"]) + len(problems["test"]))
    print(
        f"Evaluation comes on top: {num_models} models (checkpoints and the base), {num_responses} responses, at most "
        f"{num_responses * args.max_completion_length} tokens."
    )


def compare_conditions(
    directory: Path, compare: Any, training: tuple[Any, ...], given: dict[str, Any]
) -> dict[str, Any]:
    """Lay out, run, collect and report a comparison; `training` are the parsed settings of `stepalign train`."""
    from stepalign.cli.critics import check_study, resolve_critic
    from stepalign.cli.train import plain
    from stepalign.cli.wiring import resolve_model
    from stepalign.comparison.compare import Comparison, check_conditions_alike, lay_out, run_comparison
    from stepalign.comparison.devices import check_num_processes, visible_devices
    from stepalign.comparison.results import collect_results
    from stepalign.models.loading import check_model, read_own_defaults, templates_for
    from stepalign.report.comparison import write_report
    from stepalign.report.comparison.terminal import print_results, print_warnings
    from stepalign.runs.files import RESULTS
    from stepalign.training.run import check_num_problems, check_sampler

    study, critic, args, model_args = training
    num_checkpoints = _num_checkpoints(args)
    check_study(study, critic, compare.conditions)
    check_sampler(args)
    resolve_critic(critic)
    model_name = resolve_model(model_args.model_name_or_path)
    check_model(model_name)
    problems = _problems(study, compare, model_name)
    check_num_processes(compare.num_processes, visible_devices())
    check_num_problems(len(problems["train"]), args, compare.num_processes)
    own = read_own_defaults(model_name)
    study.prompt_templates = templates_for(study.prompt_templates, own)
    # ours as resolved, TRL's as given: their defaults are resolved by each child and compared afterwards
    settings = plain({**given, **vars(critic), **vars(study), **vars(compare)})
    comparison = Comparison(directory, compare, settings, args.max_steps, num_checkpoints)
    lay_out(comparison, problems)
    write_json(directory / "environment.json", describe_environment())
    run_comparison(comparison)
    check_conditions_alike(comparison)
    results = collect_results(comparison.base, comparison.seed_directories)
    write_json(directory / RESULTS, results.to_json())
    _write_signal(comparison, study, args, model_args)
    report = write_report(directory)
    print_results(results)
    print_warnings(comparison.seed_directories)
    print(f"\nReport: {report}")
    return results.to_json()


def _write_signal(comparison: Any, study: Any, args: Any, model_args: Any) -> None:
    """The figure of where the signal falls; a model that cannot be scored costs the figure, not the report."""
    from stepalign.cli.wiring import load_policy
    from stepalign.core.errors import ModelError
    from stepalign.signal.showcase import write_signal

    try:
        write_signal(comparison.directory, comparison.seed_directories, lambda: load_policy(study, args, model_args))
    except ModelError as error:
        print(f"no token maps in the report: {error}")


def _num_checkpoints(args: Any) -> int:
    if args.max_steps <= 0 or args.save_steps < 1:
        raise ConfigError(f"compare needs max_steps and save_steps; got {args.max_steps} and {args.save_steps}.")
    steps = {*range(int(args.save_steps), args.max_steps + 1, int(args.save_steps)), args.max_steps}
    return len(steps)  # Hugging Face saves at the last step as well


def _problems(study: Any, compare: Any, model: str | None) -> dict[str, list[Any]]:
    from stepalign.cli.wiring import check_of_micro_world, micro_splits
    from stepalign.data.problems import load_problems

    given = {
        "train": study.train_problems,
        "validation": compare.validation_problems,
        "test": compare.test_problems,
    }
    missing = [split for split, path in given.items() if path is None]
    if len(missing) == len(given):
        check_of_micro_world(model)
        return micro_splits(study, compare.micro_num_validation, compare.micro_num_test)
    if missing:
        raise ConfigError(f"{missing[0]}_problems is missing; expected all three of {', '.join(given)}, or none.")
    return {split: load_problems(path) for split, path in given.items()}
