import base64
import gzip
import hashlib
import json
import re
from html import unescape

import pytest

from stepalign.cli.report import run as run_command
from stepalign.core.files import write_jsonl
from stepalign.report.comparison.page import render_page, rollouts_of
from stepalign.report.curves import curves
from stepalign.report.rollouts import pack_rollouts, split_trace
from stepalign.report.settings import compare_settings
from stepalign.report.write import write_report
from stepalign.runs.reading import read_run

from .synthetic_run import WARNINGS, write_run


@pytest.fixture
def path(tmp_path):
    return write_run(tmp_path / "run", num_rollouts=250)


def unpack(chunk):
    return json.loads(gzip.decompress(base64.b64decode(chunk)))


def test_the_page_is_one_file_without_addresses(path):
    html = write_report(path).read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", html)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert "url(" not in html and "@import" not in html


def test_only_the_pages_own_script_may_run(path):
    html = write_report(path).read_text()
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_same_run_gives_the_same_page(path, tmp_path):
    assert write_report(path).read_bytes() == write_report(path, tmp_path / "deep" / "other.html").read_bytes()


def test_hostile_text_stays_data(path):
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x00\ud800"
    row = {"step": 1, "problem_id": evil, "sample": 0, "text": evil, "grade": evil, "context": evil}
    (path / "conditions/grpo/seed_0/rollouts.jsonl").write_text(json.dumps(row) + "\n")
    (path / "conditions/grpo/seed_0/prompts.json").write_text(json.dumps({"student": evil, "teacher": None}))
    (path / "environment.json").write_text(json.dumps({evil: evil}))
    html = write_report(path).read_text()
    assert "alert(1)</script>" not in html and "<img" not in html
    assert not set("\u202e\x00") & set(html)
    assert "&lt;/script&gt;" in html and "⟨U+202E⟩⟨U+0000⟩\ufffd" in html


def test_rollouts_are_packed_in_chunks(path):
    archive = pack_rollouts(rollouts_of(read_run(path)))
    assert archive.num_total == 750
    assert {len(column) for column in archive.index.values()} == {750}
    texts = [entry for chunk in archive.chunks for entry in unpack(chunk)]
    assert len(texts) == 750 and len(archive.chunks) == 4
    assert archive.index["condition"][500] == "stepalign" and texts[500]["critique"]["source"] == "exact"
    assert texts[0]["critique"] is None and texts[0]["sides"][0]["text"] is None


def test_too_many_rollouts_are_sampled_evenly_and_the_page_says_so(path, monkeypatch):
    archive = pack_rollouts(rollouts_of(read_run(path)), max_rollouts=100)
    assert archive.num_total == 750 and 90 <= len(archive.index["step"]) <= 100
    assert [archive.index["condition"].count(name) for name in ("grpo", "refsol", "stepalign")] == [32, 31, 31]
    assert len(pack_rollouts(rollouts_of(read_run(path)), max_characters=1).index["step"]) >= 1
    monkeypatch.setattr("stepalign.report.rollouts.pack_rollouts.__defaults__", (100, 10**9))
    assert "An even sample: 94 of the run's 750 training rollouts." in unescape(write_report(path).read_text())


def test_the_first_wrong_step_is_cut_out():
    text = "<step_1>a</step_1><step_2>b</step_2><answer>c</answer>"
    assert split_trace(text, 2) == ["<step_1>a</step_1><step_2>", "b", "</step_2><answer>c</answer>"]
    assert split_trace(text, 3) == split_trace(text, None) == [text]


def test_curves_start_at_the_base_model(path):
    run = read_run(path)
    series = curves(run.seed_runs, run.keys, run.base)["test"][0]
    assert series["points"][0]["step"] == 0 and series["points"][0]["values"]["avg@12"] == 0.08
    assert series["points"][1]["ci95"]["avg@12"] == pytest.approx([0.14, 0.28])
    assert "completions/mean_length" in curves(run.seed_runs, run.keys)["training"][0]["points"][0]["values"]


def test_steps_with_probes_stay_in_a_long_curve(path):
    rows = [{"step": step, "loss": 0.1} | ({"probe/auroc": 0.9} if step % 10 == 0 else {}) for step in range(1, 2001)]
    file = path / "conditions/refsol/seed_0/metrics.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    points = next(s for s in curves(read_run(path).seed_runs, ())["training"] if s["condition"] == "refsol")["points"]
    assert len(points) < 800 and sum("probe/auroc" in point["values"] for point in points) == 200


def test_settings(path):
    settings = compare_settings(read_run(path).seed_runs)
    assert settings.same["learning_rate"] == "0.0001" and settings.same["seed"] == "0"
    assert settings.different["num_generations"] == {"grpo": "8", "refsol": "1", "stepalign": "1"}


def test_warnings_are_shown_where_there_are_any(path):
    assert "Warnings during training" not in write_report(path).read_text()
    write_jsonl(path / "conditions/refsol/seed_0/warnings.jsonl", WARNINGS)
    html = write_report(path).read_text()
    assert '<a class="at" href="#warnings">2 warnings</a>' in html and '<div id="warnings">' in html
    assert "It hardly varies." in html and "Very short &lt;now&gt;." in html
    assert html.index("Paired differences") < html.index("Warnings during training") < html.index('id="curves"')


def test_a_figure_without_rollouts_says_why(path):
    assert "No rollout can be shown" not in write_report(path).read_text()
    (path / "signal.json").write_text('{"conditions": ["refsol"], "rollouts": []}')
    assert "No rollout can be shown" in write_report(path).read_text()
    (path / "signal.json").unlink()
    assert 'id="signal"' not in write_report(path).read_text()


def test_an_unfinished_run_gives_a_page(path):
    (path / "results.json").unlink()
    (path / "conditions/refsol/seed_0/evaluations.jsonl").unlink()
    (path / "environment.json").unlink()
    assert "not finished" in write_report(path).read_text()


def test_a_run_without_anything_gives_a_page(tmp_path):
    (tmp_path / "config.yaml").write_text("")
    assert "No condition has started." in render_page(read_run(tmp_path))


def test_the_command_prints_the_path(path, tmp_path, capsys):
    run_command([str(path), "--output", str(tmp_path / "report.html")])
    assert capsys.readouterr().out == f"{tmp_path / 'report.html'}\n"
