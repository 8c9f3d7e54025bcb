"""Score labelled rollouts under the contexts of feedback formats: does a context find the step that is wrong first?

    >>> from stepalign.settings.commands import LOCALIZE
    >>> from stepalign.settings.given import read_given
    >>> from stepalign.settings.localization import resolve_localization
    >>> argv = ["--model", "micro", "--labels", "labels.jsonl", "--conditions", "refsol", "stepalign"]
    >>> result = localize(resolve_localization(read_given(LOCALIZE, [*argv, "--output_dir", "localized"])))
    >>> list(result["conditions"])
    ['refsol', 'stepalign']

Contexts are made first and kept in contexts.jsonl. Then rollouts are scored, a few at a time: the student once for all
contexts, sequences of like length together, the head on the response alone. A row a rollout and context is appended to
scores.jsonl as soon as it is there, so that an interrupted run goes on; what is summed up is read from the files. What
is kept between rollouts does not depend on their number, but for their texts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stepalign.core.environment import describe_environment
from stepalign.core.errors import ConfigError
from stepalign.core.files import append_jsonl, read_json, read_jsonl, stream_jsonl, write_json, write_jsonl
from stepalign.core.rollout import Rollout
from stepalign.core.settings import may_change
from stepalign.feedback.critics.labels import LabelsCritic
from stepalign.feedback.critics.recorded import critiques_in, make_recorded_critic
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.feedback.formats import AskCritic, FeedbackFormat, feedback_class
from stepalign.grading import AnyGrader
from stepalign.models.loading import best_device, load_model
from stepalign.runs import files
from stepalign.settings.command_groups import LocalizeSettings
from stepalign.settings.grading import make_grader
from stepalign.settings.localization import ResolvedLocalization
from stepalign.settings.models import resolve_with_adapter
from stepalign.settings.same import REMEDY, check_same
from stepalign.signal.labelled_scores import Scorer
from stepalign.signal.localization_showcase import write_showcase
from stepalign.signal.localization_summary import summarize
from stepalign.signal.policy import Policy
from stepalign.signal.preflight_records import KeptCritic, Key, Records, key_in, key_of, place

CHUNK = 8  # rollouts that are scored at once: what a kill can lose
BATCH = 8  # sequences in a forward pass; on a CPU one by one, which is as fast without padding
ASKED = 64  # rollouts that a format is asked about at once


def localize(run: ResolvedLocalization) -> dict[str, Any]:
    """Make contexts, score, sum up; what `localization.json` holds.

    Raises:
        ConfigError: the directory holds a localization with other settings or rollouts.
        ModelError: the model does not load, or its logits are not finite.
        CriticError: the critic had to stop; the same call goes on.
    """
    _check_same_localization(run)
    records, rollouts = Records(run.directory), [label.rollout for label in run.labels]
    with make_grader(run.settings) as grader:
        critic = _critic(run, grader)
        rollouts = [_ran(rollout, grader) for rollout in rollouts]
        for name in run.settings.conditions:
            _make_contexts(name, _format(name, critic, run), rollouts, records)
    _score(run, records)
    result = summarize(run)
    write_showcase(run.directory, run.labels, run.settings.conditions)
    write_json(run.directory / files.LOCALIZATION, result)
    return result


def _ran(rollout: Rollout, grader: AnyGrader) -> Rollout:
    """With its grade where it is a program: formats say what happened when it ran."""
    is_program = rollout.problem.tests is not None
    return rollout.graded(grader.grade(rollout.text, rollout.problem)) if is_program else rollout


def _check_same_localization(run: ResolvedLocalization) -> None:
    """Keep settings and labels beside the scores.

    Raises:
        ConfigError: the directory holds a localization with others; nothing was changed.
    """
    directory, rows = run.directory, [label.to_json() for label in run.labels]
    path, labels = directory / files.LOCALIZE_SETTINGS, directory / files.USED_LABELS
    if path.exists():
        free = may_change(LocalizeSettings, CriticSettings)
        check_same(read_json(path), run.record, f"{directory} holds a localization", may_change=free)
        if read_jsonl(labels) != rows:
            raise ConfigError(
                f"{directory} holds a localization of other rollouts: they differ from {files.USED_LABELS}. {REMEDY}"
            )
    write_jsonl(labels, rows)
    write_json(path, run.record)
    write_json(directory / files.ENVIRONMENT, describe_environment())


def _critic(run: ResolvedLocalization, grader: AnyGrader) -> AskCritic:
    """Who is asked for critiques: what was set, else the labels."""
    if run.settings.critiques is not None:
        return critiques_in(Path(run.settings.critiques))
    source = make_recorded_critic(run.critic, grader.grade, run.directory)
    return LabelsCritic(run.labels) if source is None else KeptCritic(source, run.directory / files.CRITIQUES)


def _format(name: str, critic: AskCritic, run: ResolvedLocalization) -> FeedbackFormat:
    problems = [label.rollout.problem for label in run.labels]
    return feedback_class(name)(critic, problems=problems, seed=run.settings.seed)


def _make_contexts(name: str, feedback: FeedbackFormat, rollouts: Sequence[Rollout], records: Records) -> None:
    left = records.left(rollouts, "contexts", [name])
    with tqdm(total=len(rollouts), initial=len(rollouts) - len(left), desc=f"contexts, {name}", delay=2) as bar:
        for at in range(0, len(left), ASKED):
            chunk = left[at : at + ASKED]
            made = zip(chunk, feedback.contexts(chunk), strict=True)
            records.append("contexts", ({"format": name, **place(r), "context": c and c.text} for r, c in made))
            bar.update(len(chunk))


def _score(run: ResolvedLocalization, records: Records) -> None:
    """Score what is left; whole chunks, so that a rollout is scored in the same company, to the same digits, however
    often the work was interrupted."""
    names, directory = run.settings.conditions, run.directory
    done: dict[str, set[Key]] = {name: set() for name in names}
    for row in stream_jsonl(directory / files.SCORES):
        done.setdefault(row["format"], set()).add(key_in(row))
    keys = [key_of(label.rollout) for label in run.labels]
    complete = {key for key in keys if all(key in done[name] for name in names)}
    if len(complete) == len(keys):
        return
    tokenized = {key_in(row) for row in stream_jsonl(directory / files.TOKENS)}
    scorer = Scorer(_load_policy(run), {name: records.contexts(name) for name in names})
    with tqdm(total=len(run.labels), initial=len(complete), unit="rollout", desc="scores") as bar:
        for at in range(0, len(run.labels), CHUNK):
            chunk = [scorer.tokenized(label.rollout) for label in run.labels[at : at + CHUNK]]
            asked = [name for name in names if any(key_of(rollout) not in done[name] for rollout in chunk)]
            if not asked:
                continue
            began = time.perf_counter(), time.process_time(), scorer.num_sequences, scorer.num_tokens
            new = [rollout for rollout in chunk if key_of(rollout) not in tokenized]
            append_jsonl(directory / files.TOKENS, *map(scorer.token_row, new))
            rows = [row for row in scorer.rows(chunk, asked) if key_in(row) not in done[row["format"]]]
            append_jsonl(directory / files.SCORES, *rows)
            now = time.perf_counter(), time.process_time(), scorer.num_sequences, scorer.num_tokens
            _add_timing(directory / files.TIMING, [b - a for a, b in zip(began, now, strict=True)])
            bar.update(sum(key_of(rollout) not in complete for rollout in chunk))


def _add_timing(path: Path, more: Sequence[float]) -> None:
    """What scoring took so far, over all sessions: seconds, seconds of processor time, sequences, and their tokens."""
    before: dict[str, float] = read_json(path) if path.exists() else {}
    names = ("wall_s", "cpu_s", "num_sequences", "num_tokens")
    write_json(path, {name: round(before.get(name, 0) + part, 3) for name, part in zip(names, more, strict=True)})


def _load_policy(run: ResolvedLocalization) -> Policy:
    settings = run.settings
    dtype = settings.dtype or ("float32" if best_device().type == "cpu" else "auto")
    family = str(settings.prompt_templates)
    names = resolve_with_adapter(settings.model, settings.adapter)
    model, tokenizer = load_model(*names, dtype=dtype, prompt_templates=family)
    kwargs, teacher_kwargs = settings.chat_template_kwargs, settings.teacher_chat_template_kwargs
    return Policy(
        model,
        tokenizer,
        prompt_templates=family,
        chat_template_kwargs=kwargs,
        teacher_chat_template_kwargs=kwargs if teacher_kwargs is None else teacher_kwargs,
        max_teacher_prompt_length=settings.max_teacher_prompt_length,
        batch_size=1 if model.device.type == "cpu" else BATCH,
    )
