"""The names of a run's files, one each. Writers and readers take them from here.

append_jsonl(directory / METRICS, {"step": 1, "loss": 0.2})
"""

METRICS, ROLLOUTS, PROGRESS = "metrics.jsonl", "rollouts.jsonl", "progress.json"
WARNINGS, EVALUATIONS = "warnings.jsonl", "evaluations.jsonl"
