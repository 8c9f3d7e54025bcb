"""`stepalign critique`: critiques for given samples, verified, cached and accounted for.

    stepalign critique --problems P.jsonl --samples S.jsonl --critic_base_url http://127.0.0.1:8000/v1 \
        --critic_model Qwen/QwQ-32B --output_dir OUT

Writes critiques.jsonl, one line a sample in input order, and ledger.json. Every reply is in the cache from the moment
it arrives: interrupted at any time, the same command goes on where it was and pays for nothing twice.
"""

from __future__ import annotations

import argparse
import gc
import shlex
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from stepalign.core.errors import CriticError, DataError

if TYPE_CHECKING:
    from stepalign.core.rollout import Rollout
    from stepalign.feedback.critics.critic import Critic, CritiqueRecord


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    from stepalign.feedback.critics.settings import CriticSettings

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "critique", description="Critique given samples. Interrupted, the same command goes on where it was."
    )
    parser.add_argument("--problems", type=Path, required=True, metavar="P.jsonl", help="problems with ground truth")
    parser.add_argument("--samples", type=Path, required=True, metavar="S.jsonl", help="the solver's responses")
    parser.add_argument(
        "--output_dir", type=Path, required=True, metavar="OUT", help="for critiques.jsonl and ledger.json"
    )
    add_settings(parser, CriticSettings)


def add_settings(parser: argparse.ArgumentParser, settings: type) -> None:
    """One option for each field of a settings class."""
    hints = get_type_hints(settings)
    for item in fields(settings):
        hint, text = hints[item.name], f"{item.metadata['help']} (default: {item.default!r})"
        if hint is bool:
            parser.add_argument(f"--{item.name}", type=_flag, nargs="?", const=True, default=item.default, help=text)
        else:
            options = get_args(hint) or None
            kind = str if options else hint
            parser.add_argument(f"--{item.name}", type=kind, choices=options, default=item.default, help=text)


def run(args: argparse.Namespace) -> int:
    """Critique, then write both files; also when the critic stops early, which is then raised as a `CriticError`."""
    from stepalign.data.problems import load_problems
    from stepalign.data.samples import load_samples
    from stepalign.feedback.critics.build import build_critic
    from stepalign.feedback.critics.critic import CriticStopped
    from stepalign.feedback.critics.settings import CriticSettings
    from stepalign.grading import Grader

    settings = CriticSettings(**{item.name: getattr(args, item.name) for item in fields(CriticSettings)})
    rollouts = load_samples(args.samples, load_problems(args.problems))
    gc.freeze()  # what was loaded stays: looking through it again and again would hold up all requests
    with Grader() as grader:
        critic = build_critic(settings, grader.grade)
        try:
            records = _with_progress(critic, rollouts)
        except CriticStopped as stop:
            _write(args.output_dir, critic, stop.records)
            raise CriticError(f"{stop}\n{_resume_hint()}") from None
        except KeyboardInterrupt:
            print(f"\n{_resume_hint()}", file=sys.stderr)
            raise
    _write(args.output_dir, critic, records)
    print(_summary(rollouts, critic, records, args.output_dir))
    return 0


def _with_progress(critic: Critic, rollouts: Sequence[Rollout]) -> list[CritiqueRecord]:
    """Critique under a bar that moves on, with its counts, also while everything waits."""
    from tqdm import tqdm

    with tqdm(total=len(rollouts), desc="critiques", unit="", file=sys.stderr, dynamic_ncols=True) as bar:

        def show() -> None:
            ledger = critic.ledger
            bar.set_postfix(requests=ledger.num_requests, cached=ledger.num_cached, retries=ledger.num_retries)

        def keep_moving() -> None:
            while not is_done.wait(1.0 if sys.stderr.isatty() else 30.0):
                show()

        is_done = threading.Event()
        mover = threading.Thread(target=keep_moving, daemon=True)
        mover.start()
        try:
            return critic.critique(rollouts, lambda i, record: bar.update())
        finally:
            is_done.set()
            mover.join()
            show()


def _write(directory: Path, critic: Critic, records: Sequence[CritiqueRecord]) -> None:
    from stepalign.core.files import write_json, write_jsonl

    try:
        write_jsonl(directory / "critiques.jsonl", [record.to_json() for record in records])
        write_json(directory / "ledger.json", critic.ledger.to_json())
    except OSError as error:
        raise DataError(
            f"cannot write to {directory}: {error.strerror or error}. Make room or choose another --output_dir; the "
            f"replies are in the cache.\n{_resume_hint()}"
        ) from None


def _summary(rollouts: Sequence[Rollout], critic: Critic, records: Sequence[CritiqueRecord], directory: Path) -> str:
    from stepalign.feedback.critics.verify import verbatim_counts

    ledger = critic.ledger
    pairs = [
        verbatim_counts(rollout, record.critique)
        for rollout, record in zip(rollouts, records, strict=True)
        if record.status == "verified" and record.critique is not None
    ]
    num_kept, num_correct = sum(kept for kept, _ in pairs), sum(correct for _, correct in pairs)
    lines = [
        f"{ledger.num_verified} of {ledger.num_samples} verified in {ledger.wall_s:.1f} s: {ledger.num_requests} "
        f"requests ({ledger.num_retries} retries), {ledger.num_cached} from the cache, {ledger.tokens_in} tokens in, "
        f"{ledger.tokens_out} out",
        *(f"  not verified, {reason}: {count}" for reason, count in sorted(ledger.num_rejected.items())),
    ]
    if num_correct:
        share = f"{num_kept} of {num_correct} ({num_kept / num_correct:.1%})"
        lines.append(f"steps before the first wrong one that came through unchanged: {share}")
    return "\n".join([*lines, str(directory / "critiques.jsonl")])


def _resume_hint() -> str:
    return f"To go on where it stopped: stepalign {shlex.join(sys.argv[1:])}"


def _flag(text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise argparse.ArgumentTypeError(f"expected true or false; got '{text}'")
