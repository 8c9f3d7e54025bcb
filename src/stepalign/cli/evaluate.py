"""`stepalign evaluate`: sample a model on problems and measure pass@k, maj@k and avg@k."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepalign.core.errors import ConfigError
from stepalign.core.files import append_jsonl, read_json, read_jsonl, write_json, write_jsonl

EXAMPLE = "example: stepalign evaluate --model micro --problems test.jsonl --num_samples 12 --output_dir runs/base"
REPLIES = "replies.partial.sqlite"  # a server's, until the evaluation is finished
MAY_CHANGE = {
    *("k", "answer_patterns", "debug", "solver_base_url", "solver_api_key_env", "solver_concurrency"),
    *("solver_timeout_s", "solver_num_retries"),
}


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "evaluate",
        help="sample a model on problems; pass@k, maj@k, avg@k with intervals",
        description="Sample a model on problems and measure pass@k, maj@k and avg@k with 95 % intervals.",
        epilog=EXAMPLE,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--model",
        required=True,
        help="directory or hub name of a causal LM; micro: the shipped solver; with a server the name that it expects",
    )
    parser.add_argument("--adapter", help="directory or hub name of a PEFT adapter for it")
    parser.add_argument("--problems", required=True, help="JSONL with id, problem, answer")
    parser.add_argument("--output_dir", required=True, help="where metrics.json and samples.jsonl go")
    parser.add_argument("--num_samples", type=int, default=12, help="responses a problem")
    parser.add_argument("--k", type=int, nargs="+", default=[], help="for which k; none: the number of samples")
    parser.add_argument("--temperature", type=float, default=1.1, help="sampling temperature; 0 decodes greedily")
    parser.add_argument("--top_p", type=float, default=1.0, help="nucleus sampling; 1 keeps everything")
    parser.add_argument(
        "--top_k", type=int, default=0, help="keep the k likeliest tokens; 0 keeps all, but leaves it to a server"
    )
    parser.add_argument(
        "--max_new_tokens", type=int, help="longest response, in tokens; none: as the model says, else 2048"
    )
    parser.add_argument("--batch_size", type=int, default=264, help="sequences sampled together")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sampling")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16 or float16")
    parser.add_argument("--prompt_templates", help="steps, bare or a directory; none: as the model says, else steps")
    parser.add_argument("--no_thinking", action="store_true", help="pass enable_thinking=False to the chat template")
    parser.add_argument("--answer_patterns", nargs="+", help="where answers may stand; none: everywhere known")
    server = parser.add_argument_group("a server that samples, instead of this process")
    server.add_argument("--solver_base_url", default="", help="OpenAI-compatible server, usually ending in /v1")
    server.add_argument(
        "--solver_api_key_env",
        default="STEPALIGN_SOLVER_API_KEY",
        help="environment variable that holds its key; unset: no key is sent",
    )
    server.add_argument("--solver_concurrency", type=int, default=64, help="requests under way at once")
    server.add_argument("--solver_timeout_s", type=float, default=600.0, help="until a sample must begin to arrive")
    server.add_argument("--solver_num_retries", type=int, default=5, help="retries of a failed request, with backoff")
    server.add_argument("--solver_extra_body", default="", help="JSON object merged into each request")
    return parser


def run(args: argparse.Namespace) -> None:
    """Sample what is not sampled yet, grade, measure, write."""
    from stepalign.cli.wiring import resolve_model
    from stepalign.data.problems import load_problems
    from stepalign.evaluation.served import LONGEST
    from stepalign.models.loading import check_model, read_own_defaults, templates_for
    from stepalign.models.sampling import Sampling

    bad = [k for k in args.k if not 1 <= k <= args.num_samples]
    if bad:
        raise ConfigError(f"--k: got {bad[0]}; expected 1 to {args.num_samples}, the number of samples a problem.")
    problems = load_problems(args.problems)
    own: dict[str, Any] = {}
    if args.solver_base_url:
        _check_served(args)
    else:
        args.model = resolve_model(args.model)
        check_model(args.model)
        own = read_own_defaults(args.model)
    args.prompt_templates = templates_for(args.prompt_templates, own)
    if args.max_new_tokens is None:
        args.max_new_tokens = own.get("max_new_tokens", LONGEST)
    sampling = Sampling(
        num_samples=args.num_samples,
        temperature=args.temperature,
        top_p=args.top_p,
        top_k=args.top_k,
        max_new_tokens=args.max_new_tokens,
        seed=args.seed,
        batch_size=args.batch_size,
    )
    metrics = evaluate_model(problems, sampling, args)
    shown = {name: f"{100 * metrics[name]:.1f}" for name in metrics if "@" in name}
    for name, value in shown.items():
        low, high = metrics["ci95"][name]
        print(f"{name}: {value} [{100 * low:.1f}, {100 * high:.1f}]")
    print(f"Metrics and samples are in {args.output_dir}")


def evaluate_model(problems: Any, sampling: Any, args: argparse.Namespace) -> dict[str, Any]:
    """Metrics of a model; samples go to disk batch by batch, so that an interrupted evaluation goes on."""
    from tqdm import tqdm

    from stepalign.cli.quiet import quieten
    from stepalign.data.samples import load_samples
    from stepalign.evaluation.evaluate import evaluate_rollouts, grade_rollouts
    from stepalign.grading import Grader

    quieten()
    directory = Path(args.output_dir)
    partial = directory / "samples.partial.jsonl"
    _check_same_evaluation(directory, args)
    sample = _from_server if args.solver_base_url else _in_process
    total = len(problems) * sampling.num_samples
    done = {(row["problem_id"], row["sample"]) for row in read_jsonl(partial)}
    with tqdm(total=total, initial=len(done), unit="sample", desc="sampling") as bar:
        for batch in sample(problems, sampling, args, done):
            append_jsonl(partial, *(rollout.to_json() for rollout in batch))
            bar.update(len(batch))
    with Grader(patterns=args.answer_patterns) as grader:
        rollouts = grade_rollouts(load_samples(partial, problems), grader)
        metrics = evaluate_rollouts(problems, rollouts, grader, args.k).metrics.to_json()
    order = {problem.id: i for i, problem in enumerate(problems)}
    rollouts.sort(key=lambda r: (order[r.problem.id], r.sample))
    write_jsonl(directory / "samples.jsonl", (rollout.to_json() for rollout in rollouts))
    write_json(directory / "metrics.json", metrics)
    for path in (*directory.glob(f"{REPLIES}*"), partial):
        path.unlink()
    return metrics


def _in_process(problems: Any, sampling: Any, args: argparse.Namespace, done: Any) -> Iterator[list[Any]]:
    from stepalign.evaluation.evaluate import sample_problems
    from stepalign.models.loading import load_model

    model, tokenizer = load_model(args.model, args.adapter, dtype=args.dtype)
    kwargs = {"enable_thinking": False} if args.no_thinking else None
    yield from sample_problems(model, tokenizer, problems, sampling, args.prompt_templates, kwargs, done)


def _from_server(problems: Any, sampling: Any, args: Any, done: Any) -> Iterator[list[Any]]:
    """Replies are kept beside the samples, not in the shared cache: other weights may serve under this name later."""
    from stepalign.evaluation.served import ServedSolver, sample_served

    cache = Path(args.output_dir) / REPLIES
    solver = ServedSolver(args, model=args.model, cache=str(cache), top_k=args.top_k)
    left = [p for p in problems if any((p.id, i) not in done for i in range(sampling.num_samples))]
    for batch in sample_served(solver, left):
        yield [rollout for rollout in batch if (rollout.problem.id, rollout.sample) not in done]


def _check_served(args: argparse.Namespace) -> None:
    if args.adapter:
        raise ConfigError(
            "--adapter: the server has the model. Serve the adapter under a name of its own (vLLM: --lora-modules "
            "NAME=DIR) and give that name as --model."
        )


def _check_same_evaluation(directory: Path, args: argparse.Namespace) -> None:
    """Samples of another evaluation must not be mixed in: settings are kept beside the partial samples."""
    settings = {k: v for k, v in vars(args).items() if isinstance(v, str | int | float | list | None)}
    settings["in_process"] = not args.solver_base_url
    path = directory / "evaluation.json"
    if (directory / "samples.partial.jsonl").exists() and path.exists():
        stored = read_json(path)
        for key in sorted({*stored, *settings} - MAY_CHANGE):
            if stored.get(key) != settings.get(key):
                raise ConfigError(
                    f"{directory} holds an unfinished evaluation with {key} {stored.get(key)}; now it is "
                    f"{settings.get(key)}. Use another --output_dir, or the settings it was started with."
                )
    write_json(path, settings)
