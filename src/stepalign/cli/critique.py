"""`stepalign critique`: critiques for given samples, verified, cached and accounted for.

    stepalign critique --problems P.jsonl --samples S.jsonl --critic_base_url http://127.0.0.1:8000/v1 \
        --critic_model Qwen/QwQ-32B --output_dir OUT

    stepalign critique --audit labels.jsonl --critic_base_url http://127.0.0.1:8000/v1 \
        --critic_model Qwen/QwQ-32B --output_dir AUDITED

Writes critiques.jsonl, one line a sample in input order, ledger.json, and what was critiqued: samples.used.jsonl and
problems.used.jsonl. Every reply is in the cache from the moment
it arrives: interrupted at any time, the same command goes on where it was and pays for nothing twice. With --audit it
asks about rollouts whose first wrong step people marked, and writes audit.json: how often the critic finds it.
"""

from __future__ import annotations

import gc
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stepalign.cli.words import asks_for_help, report_hint
from stepalign.core.errors import CriticError, DataError
from stepalign.runs.files import CRITIQUES
from stepalign.settings.command_groups import CritiqueSettings
from stepalign.settings.commands import CRITIQUE
from stepalign.settings.given import read_given

if TYPE_CHECKING:
    from stepalign.clients.ledger import Ledger
    from stepalign.core.rollout import Rollout
    from stepalign.data.label import Label
    from stepalign.feedback.critics.critic import Critic, CritiqueRecord
    from stepalign.feedback.critics.settings import CriticSettings


def run(argv: Sequence[str]) -> None:
    """Critique, then write both files; also when the critic stops early, which is then raised as a `CriticError`."""
    if asks_for_help(CRITIQUE, argv):
        return
    given = read_given(CRITIQUE, argv)
    settings = given.make(CritiqueSettings)
    from stepalign.clients.alive import check_alive
    from stepalign.feedback.critics.audit import has_replied, kept_audit
    from stepalign.feedback.critics.build import build_critic
    from stepalign.feedback.critics.critic import CriticStopped
    from stepalign.feedback.critics.settings import CriticSettings
    from stepalign.settings.grading import make_grader

    asked, directory = given.make(CriticSettings), Path(settings.output_dir)
    earlier = kept_audit(asked)
    check_alive(asked.client_settings())
    rollouts, labels = _read(settings)
    gc.freeze()  # what was loaded stays: looking through it again and again would hold up all requests
    with make_grader(settings) as grader:
        critic = build_critic(asked, grader.grade)
        try:
            records = _with_progress(critic, rollouts)
        except CriticStopped as stop:
            _write(directory, critic, rollouts, stop.records)
            raise CriticError(f"{stop}\n{_resume_hint()}") from None
        except KeyboardInterrupt:
            print(f"\n{_resume_hint()}", file=sys.stderr)
            raise
    _write(directory, critic, rollouts, records, earlier)
    print(_summary(rollouts, critic, records, directory))
    if settings.export is not None and settings.export_file is not None:
        from stepalign.feedback.export import export_critiques

        path = Path(settings.export_file)
        print(f"{path}: {export_critiques(path, settings.export, rollouts, records)} rows for {settings.export}")
    if labels:
        _audit(directory, asked, critic, labels, records)
    print(report_hint(directory))
    if not critic.ledger.num_verified and not (labels and any(map(has_replied, records))):
        raise CriticError(f"{_why_none(critic.ledger)}\n{_resume_hint()}")


def _read(settings: CritiqueSettings) -> tuple[list[Rollout], list[Label]]:
    """What is critiqued, and where it is an audit what is known of it."""
    from stepalign.data.labels import load_labels
    from stepalign.data.logged import load_rollouts
    from stepalign.data.problems import load_problems

    if settings.audit is not None:
        labels = load_labels(settings.audit, settings.num_rollouts, settings.rollouts_format, settings.sample_columns)
        return [label.rollout for label in labels], labels
    problems = None if settings.problems is None else load_problems(settings.problems, settings.columns)
    return load_rollouts(settings.samples, problems, settings.rollouts_format, settings.sample_columns), []


def _audit(
    directory: Path, asked: CriticSettings, critic: Critic, labels: Sequence[Label], records: Sequence[CritiqueRecord]
) -> None:
    """Write how well the critic did, and print it."""
    from stepalign.feedback.critics.recorded import write_audit
    from stepalign.report.critique import audit_lines

    for line in audit_lines(write_audit(directory, asked, critic, labels, records)):
        print(line)


def _with_progress(critic: Critic, rollouts: Sequence[Rollout]) -> list[CritiqueRecord]:
    """Critique under a bar that moves on, with its counts, also while everything waits."""
    from tqdm import tqdm

    with tqdm(total=len(rollouts), desc="critiques", unit="", file=sys.stderr, dynamic_ncols=True) as bar:

        def show() -> None:
            ledger = critic.ledger
            counts = {"requests": ledger.num_requests, "cached": ledger.num_cached, "retries": ledger.num_retries}
            bar.set_postfix(counts)  # pyright: ignore[reportUnknownMemberType]

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


def _write(
    directory: Path,
    critic: Critic,
    rollouts: Sequence[Rollout],
    records: Sequence[CritiqueRecord],
    audit: Mapping[str, Any] | None = None,
) -> None:
    from stepalign.feedback.critics.recorded import write_critiques

    try:
        write_critiques(directory, critic, rollouts, records, audit)
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
        *(_rejected(reason, count, ledger.said) for reason, count in sorted(ledger.num_rejected.items())),
    ]
    if num_correct:
        share = f"{num_kept} of {num_correct} ({num_kept / num_correct:.1%})"
        lines.append(f"steps before the first wrong one that came through unchanged: {share}")
    return "\n".join([*lines, str(directory / CRITIQUES)])


def _why_none(ledger: Ledger) -> str:
    """That nothing came of it, with the words of whoever gave no reply, else the most frequent reason."""
    most_frequent, _ = ledger.num_rejected.most_common(1)[0]
    reason, words = next(reversed(ledger.said.items()), (most_frequent, ""))
    return f"none of {ledger.num_samples} critiques is verified: {reason}{f' ({words})' if words else ''}"


def _rejected(reason: str, count: int, said: Mapping[str, str]) -> str:
    """How often, and the last words of whoever gave no reply."""
    words = said.get(reason, "")
    return f"  not verified, {reason}: {count}{f' ({words})' if words else ''}"


def _resume_hint() -> str:
    return f"To go on where it stopped: stepalign {shlex.join(sys.argv[1:])}"
