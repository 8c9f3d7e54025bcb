"""What each command can be told: its groups of settings and what its help shows first."""

from __future__ import annotations

from stepalign.core.settings import fields_of
from stepalign.feedback.critics.settings import CriticSettings
from stepalign.settings.command_groups import (
    CacheSettings,
    CritiqueSettings,
    DataSettings,
    EvaluateSettings,
    GradeSettings,
    InspectSettings,
    LocalizeSettings,
    MicroProblemsSettings,
    ReportSettings,
)
from stepalign.settings.curate import CurateSettings
from stepalign.settings.groups import (
    ComparisonSettings,
    EvalSettings,
    LossSettings,
    MicroSettings,
    PreflightSettings,
    TrainSettings,
    ValidationSettings,
)
from stepalign.settings.options import CommandSettings

COMMON = (
    *("per_device_train_batch_size", "gradient_accumulation_steps", "gradient_checkpointing"),
    *("lora_r", "lora_alpha", "lora_target_modules", "chat_template_kwargs", "use_vllm", "vllm_mode"),
)
CRITIC = ("critic", "critic_base_url", "critic_model")

TRAIN = CommandSettings(
    "train",
    "train [--config RECIPE.yaml] --output_dir DIR [--condition NAME] [--dry_run] [--key value ...]",
    """Train a model under one condition: grpo, refsol, stepalign, or a feedback format of your own.

  stepalign train --config micro --condition refsol --output_dir runs/refsol
  stepalign train --model_name_or_path Qwen/Qwen3-0.6B --use_peft \\
      --train_problems train.jsonl --output_dir runs/mine

Flags win over the recipe. Run again on the same directory, training goes on from
the last checkpoint. --dry_run prints the settings as resolved and what the run
would take, and does nothing.""",
    groups=(TrainSettings, LossSettings, ValidationSettings, EvalSettings, CriticSettings, MicroSettings),
    essentials=(
        *("model_name_or_path", "use_peft", "train_problems", "condition", *CRITIC, "output_dir"),
        *("seed", "learning_rate", "max_steps", "save_steps", *COMMON),
    ),
    takes_trl=True,
    accepted=frozenset(fields_of(ComparisonSettings)),
)
COMPARE = CommandSettings(
    "compare",
    "compare [--quick | --config RECIPE.yaml] [--output_dir DIR] [--dry_run] [--key value ...]",
    """Train conditions (grpo, refsol and stepalign unless --conditions says otherwise) on the same problems with the
same settings, evaluate, and report. A gain says something of feedback only against controls: --controls adds them.

  stepalign compare                          the micro world: a real tiny model on a CPU
  stepalign compare --quick                  the same in a few minutes: fewer steps and problems
  stepalign compare --config my.yaml --controls --seeds 0 1 2 --output_dir runs/mine

On several GPUs conditions run side by side, each on one of them; --num_processes 2
trains each on two. Interrupted at any moment, the same command goes on where it
was. With --dry_run it says what it would take, and what difference it could resolve (--power: that alone).""",
    groups=(ComparisonSettings, EvalSettings, TrainSettings, LossSettings, CriticSettings, MicroSettings),
    essentials=(
        *("model_name_or_path", "use_peft", "train_problems", "validation_problems", "test_problems", "conditions"),
        *("controls", "seeds", *CRITIC, "output_dir", "learning_rate", "max_steps", "save_steps", *COMMON),
    ),
    takes_trl=True,
)
PREFLIGHT = CommandSettings(
    "preflight",
    "preflight [--config RECIPE.yaml] --output_dir DIR [--conditions NAME ...] [--key value ...]",
    """Try feedback formats on a few problems before paying for training: does the context help the model,
does the signal fall where the reasoning fails, and does it leave correct steps alone? Ends with a go or no-go for each.

  stepalign preflight --output_dir runs/preflight                 the micro world
  stepalign preflight --config my.yaml --output_dir runs/pre      with the recipe that will train
  stepalign preflight --model_name_or_path Qwen/Qwen3-0.6B --problems train.jsonl \\
      --conditions refsol stepalign --critic_base_url http://127.0.0.1:8000/v1 \\
      --critic_model Qwen/QwQ-32B --output_dir runs/pre
  stepalign preflight --model_name_or_path Qwen/Qwen3-0.6B --problems train.jsonl --samples completions/ \\
      --conditions refsol --output_dir runs/pre                   on rollouts that a trainer logged

Interrupted at any moment, the same command goes on where it was.""",
    groups=(PreflightSettings, TrainSettings, LossSettings, CriticSettings, MicroSettings),
    essentials=(
        *("model_name_or_path", "problems", "conditions", *CRITIC, "output_dir", "num_problems", "num_samples"),
        *("samples", "seed", "chat_template_kwargs"),
    ),
    takes_trl=True,
    accepted=frozenset(name for group in (ComparisonSettings, EvalSettings) for name in fields_of(group)),
)
CURATE = CommandSettings(
    "curate",
    "curate [--config RECIPE.yaml] --source SOURCE --solver_model NAME --output_dir DIR [--key value ...]",
    """Find problems to train on: gradable, no duplicates, in the step format, mostly but not always failed by
the solver, and solved by the critic.

  stepalign curate --config curate-micro --source problems/train.jsonl --output_dir curated
  stepalign curate --config curate-openmathreasoning --solver_base_url http://127.0.0.1:8000/v1 \\
      --critic_base_url http://127.0.0.1:8001/v1 --output_dir curated

Writes train.jsonl, validation.jsonl, test.jsonl, funnel.json and its picture. Interrupted at any moment, the same
command goes on where it was. Set num_problems higher and run again to find more.""",
    groups=(CurateSettings, CriticSettings),
    essentials=("source", "columns", "solver_model", "solver_base_url", *CRITIC, "output_dir", "num_problems"),
)
EVALUATE = CommandSettings(
    "evaluate",
    "evaluate --model NAME --problems FILE --output_dir DIR [--config FILE.yaml] [--key value ...]",
    """Sample a model on problems and measure pass@k, maj@k and avg@k with 95 % intervals.

  stepalign evaluate --model micro --problems test.jsonl --num_samples 12 --output_dir runs/base""",
    groups=(EvaluateSettings,),
    essentials=("model", "adapter", "problems", "output_dir", "num_samples", "k", "temperature", "max_new_tokens"),
)
CRITIQUE = CommandSettings(
    "critique",
    "critique (--problems FILE --samples FILE | --audit LABELS) --output_dir DIR --critic_base_url URL "
    "--critic_model NAME [--key ...]",
    """Critique given samples. Interrupted, the same command goes on where it was.

  stepalign critique --problems problems.jsonl --samples samples.jsonl \\
      --critic_base_url http://127.0.0.1:8000/v1 --critic_model Qwen/QwQ-32B --output_dir critiques

With --audit it says how good the critic is: on rollouts whose first wrong step people marked (docs/localize.md), how
often it finds that step, leaves right traces alone, reaches the answer, and how much it copies: OUTPUT_DIR/audit.json.

  stepalign critique --audit processbench-math.jsonl --critic_base_url http://127.0.0.1:8000/v1 \\
      --critic_model Qwen/QwQ-32B --output_dir audited""",
    groups=(CritiqueSettings, CriticSettings),
    essentials=("problems", "samples", "audit", "output_dir", *CRITIC),
)
GRADE = CommandSettings(
    "grade",
    "grade --problems FILE --samples FILE --output_dir DIR [--key value ...]",
    """Grade sampled responses by mathematical equality with the true answers, or by a grader of your own.

Writes OUTPUT_DIR/samples.jsonl, the input rows with "grade" (correct, wrong, unparseable or timeout; error where your
own grader failed), "extracted" (the answer that was found) and your grader's "score", and OUTPUT_DIR/grades.json, the
counts and rates.

  problems.jsonl:  {"id": "p1", "problem": "What is 2 + 2?", "answer": "4"}
  samples.jsonl:   {"problem_id": "p1", "sample": 0, "text": "2 + 2 = 4, so \\\\boxed{4}"}

  stepalign grade --problems problems.jsonl --samples samples.jsonl --output_dir graded""",
    groups=(GradeSettings,),
    essentials=("problems", "samples", "output_dir"),
)
INSPECT = CommandSettings(
    "inspect",
    "inspect [CASE.yaml] --output_dir DIR [--key value ...]",
    """Score one response under one or more contexts, before anything is trained: which tokens does each push, where?
A_t = log p(token | problem, context) - log p(token | problem), in nats. Above 0 the context reinforces the token,
below 0 it suppresses it. Aligned feedback leaves correct steps near or above 0 and is sharply negative at the error.

Writes OUTPUT_DIR/advantage.json (per token: student_logp, teacher_logp, advantage, divergence, expected_advantage,
and the likeliest tokens as student_top and teacher_top; per step; localization; alignment; both prompts as
tokenized) and OUTPUT_DIR/inspect.html, and prints a summary.

a case file:
  model: micro                # directory, GGUF file or hub name; micro, micro-code: the shipped solvers
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
  stepalign inspect --run runs/demo/conditions/stepalign/seed_0 --rollout 0 5 \\
      --context refsol=@solution --output_dir O
  stepalign inspect --model micro --problem @p.txt --response @r.txt --critic exact \\
      --context own=@critic --output_dir inspected
  stepalign inspect case.yaml --critic_base_url http://127.0.0.1:8000/v1 --critic_model Qwen/QwQ-32B \\
      --context own=@critic --output_dir inspected""",
    groups=(InspectSettings, CriticSettings),
    essentials=("case", "model", "problem", "response", "context", "run", "rollout", *CRITIC, "output_dir"),
)
LOCALIZE = CommandSettings(
    "localize",
    "localize --model NAME --labels FILE --output_dir DIR [--conditions NAME ...] [--key value ...]",
    """Rollouts whose first wrong step somebody marked, scored under the contexts of feedback formats: does a context
find the error, and does it leave the correct steps before it alone? Nothing is trained and nothing is sampled.

A_t = log p(token | problem, context) - log p(token | problem), in nats, at every token of a rollout. For each format:
mean A_t on the correct steps and on the first wrong one, its lowest token, how the wrong step ranks among those before
it, and how often the lowest token of all lies in it. With 95 % intervals over rollouts.

  stepalign localize --model HuggingFaceTB/SmolLM2-135M-Instruct --labels mr_gsm8k.jsonl --output_dir runs/localize
  stepalign localize --model micro --labels labels.jsonl --conditions refsol stepalign --critic exact --output_dir O
  stepalign localize --model DIR --labels labels.jsonl --critiques audited/critiques.jsonl --output_dir O

a row of the labels:
  {"id": "p1", "problem": "2 + 2 + 1?", "answer": "5", "solution": "2 + 2 + 1 = 5", "steps": ["2 + 2 = 4", "4 + 1 = 6"],
   "first_wrong_step": 2, "reason": "4 + 1 is 5."}      # from 1; null: none is wrong. No solution, no reason: may be

Formats that need a critic get one of a critic, of --critiques, or else one spliced: the solver's steps before the first
wrong one, then the steps of the reference solution that remain. Interrupted at any moment, the same command goes on
where it was. Writes localization.json, report.html, and A_t of every token, scores.jsonl.""",
    groups=(LocalizeSettings, CriticSettings),
    essentials=("model", "labels", "conditions", "output_dir", "num_rollouts", "critiques", *CRITIC),
)
MICRO = CommandSettings(
    "micro",
    "micro --output_dir DIR [--key value ...]",
    """Write train, validation and test problems of the micro world as JSONL. The world is constructed: chained column
arithmetic that a tiny shipped solver half masters.

  stepalign micro --output_dir problems --num_test 60 --condensed 0.5""",
    groups=(MicroProblemsSettings,),
)
DATA = CommandSettings(
    "data",
    "data SOURCE [--columns problem=COLUMN,answer=COLUMN,...] [--output_file OUT.jsonl] [--key value ...]",
    """Read problems of any shape and write them in our own: id, problem, answer, and perhaps solution and meta.

  stepalign data gsm8k.csv                                        what would be read, and as what
  stepalign data mine.parquet --columns problem=question,answer=final --output_file problems.jsonl
  stepalign data saved_dataset --split test --output_file test.jsonl

Says what it took for what, and which rows it left out and why. Every other command reads the same shapes as they are,
but leaves nothing out.""",
    groups=(DataSettings,),
    essentials=("source", "columns", "output_file"),
)
REPORT = CommandSettings(
    "report",
    "report DIR [--output F.html]",
    """Write the report of a directory, finished or not, as one HTML file that opens from disk. The directory is the
output directory of train, compare, evaluate, preflight, localize, critique, curate, grade or inspect.

  stepalign report runs/refsol""",
    groups=(ReportSettings,),
)
CACHE = CommandSettings(
    "cache",
    "cache [show|prune] [--key value ...]",
    """Show or prune the cache of critics' replies.

  stepalign cache show
  stepalign cache prune --older_than_days 30
  stepalign cache prune --model Qwen/QwQ-32B""",
    groups=(CacheSettings,),
)
