"""`stepalign report` of every command's directory: what is on the page, finished or not, and that it is safe."""

import base64
import gzip
import html
import json
import re
from random import Random

import pytest

from stepalign.cli import main
from stepalign.core.errors import DataError
from stepalign.core.files import write_jsonl
from stepalign.report.write import write_report
from stepalign.runs.kinds import kind_of_directory

from .comparison.synthetic_run import write_run
from .directories import REPLY, TRACE, WRITERS, write

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x00"


def page(directory):
    return html.unescape(write_report(directory).read_text())


def packed(text):
    """The texts of a page's browser."""
    chunks = re.findall(r'<script type="text/plain" id="chunk-\d+">(.*?)</script>', text)
    return [entry for chunk in chunks for entry in json.loads(gzip.decompress(base64.b64decode(chunk)))]


def data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S).group(1))


@pytest.mark.parametrize("command", WRITERS)
def test_a_directory_is_known_by_what_is_in_it(command, tmp_path):
    assert kind_of_directory(write(command, tmp_path / command)).command == command


def test_a_comparison_is_more_than_its_runs(tmp_path):
    run = write_run(tmp_path / "run", num_rollouts=8)
    assert kind_of_directory(run).command == "compare"
    assert kind_of_directory(run / "conditions/grpo/seed_0").command == "train"


def test_a_directory_of_no_command_is_told_what_was_looked_for(tmp_path):
    log = tmp_path / "completions.jsonl"
    log.write_text("{}\n")
    with pytest.raises(DataError, match=r"got a file; .* stepalign grade --samples .*completions.jsonl"):
        write_report(log)
    with pytest.raises(DataError, match=r"no such run directory"):
        write_report(tmp_path / "nowhere")
    with pytest.raises(DataError) as caught:
        write_report(tmp_path)
    for word in ("results.json, conditions", "metrics.jsonl", "(curate)", "(preflight)", "advantage.json (inspect)"):
        assert word in str(caught.value)
    write("evaluate", tmp_path / "evaluated")
    with pytest.raises(DataError, match=r"Take one of: .*evaluated"):
        write_report(tmp_path)


@pytest.mark.parametrize("command", WRITERS)
def test_a_page_is_one_file_and_the_same_each_time(command, tmp_path):
    directory = write(command, tmp_path / command)
    text = write_report(directory).read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", text)
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert text == write_report(directory, tmp_path / "deep" / "again.html").read_text()
    for part in re.findall(r'href="#([^"]+)"', text):
        assert f'id="{part}"' in text, part


@pytest.mark.parametrize("command", WRITERS)
def test_hostile_text_stays_data(command, tmp_path):
    text = write_report(write(command, tmp_path / command, EVIL)).read_text()
    assert "alert(1)</script>" not in text and "<img" not in text
    assert not set("\u202e\x00") & set(text)
    assert "⟨U+202E⟩⟨U+0000⟩" in text or any("⟨U+202E⟩⟨U+0000⟩" in entry["trace"][0] for entry in packed(text))


def test_a_training_run(tmp_path):
    text = page(write("train", tmp_path / "run"))
    assert "One condition: stepalign" in text and "The best checkpoint on validation is that of step 40" in text
    assert "Checkpoints on validation problems" in text and "Training rollouts by step" in text
    assert "2 + 2 + 1?" in text and "All 64 training rollouts." in text
    assert "It hardly varies." in text and "see the warnings under Results" in text
    found = data(text)
    assert "loss" in found["training"] and len(found["curves"]["validation"][0]["points"]) == 7
    assert {entry["sides"][0]["label"] for entry in packed(text)} == {"Context"}
    for part in ("summary", "results", "curves", "rollouts", "critics", "settings", "prompts", "environment"):
        assert f'<section id="{part}"' in text


def test_a_run_of_a_comparison_has_the_problems_of_the_comparison(tmp_path):
    run = write_run(tmp_path / "run", num_rollouts=8)
    seed = run / "conditions/grpo/seed_0"
    (seed / "config.yaml").write_text(f"condition: grpo\ntrain_problems: {run}/problems/train.jsonl\nmax_steps: 90\n")
    text = page(seed)
    assert len(data(text)["problems"]) > 8 and "not finished" in text


def test_an_evaluation(tmp_path):
    text = page(write("evaluate", tmp_path / "base"))
    assert "avg@4 is 50.0 % (95 % interval 25.0 to 75.0)." in text
    assert "25.0 % of the samples were cut off" in text and "25.0 % of the samples could not be graded" in text
    rows = re.findall(r"<tr>\s*<th scope=\"row\">(\d of 4)</th>\s*<td class=\"num\">(\d)</td>", text)
    assert rows == [("0 of 4", "1"), ("2 of 4", "1"), ("4 of 4", "1")]
    hardest = re.findall(r"<tr>\s*<th scope=\"row\">(p\d)</th>", text)
    assert hardest == ["p0", "p1", "p2"] and "2 + 2 + 1?" in text
    assert data(text)["rollouts"]["solved"][:5] == ["0 of 4"] * 4 + ["2 of 4"]
    assert packed(text)[0]["trace"] == [TRACE]


def test_an_evaluation_that_is_not_finished(tmp_path):
    directory = write("evaluate", tmp_path / "base")
    (directory / "samples.jsonl").rename(directory / "samples.partial.jsonl")
    (directory / "metrics.json").unlink()
    text = page(directory)
    assert "This evaluation is not finished: 12 samples are there." in text and "All 12 samples." in text


def test_grades(tmp_path):
    text = page(write("grade", tmp_path / "graded"))
    assert "50.0 % of the samples are right." in text and "not finished" not in text


def test_critiques_stand_beside_their_traces(tmp_path):
    directory = write("critique", tmp_path / "critiqued")
    text = page(directory)
    assert "2 of 3 samples have a verified critique: 66.7 %." in text
    assert "D: a step is wrong" in text and "wrong_answer" in text and "num_rejected: wrong_answer" in text
    first, second, _ = packed(text)
    assert first["trace"][1] == "4 + 1 = 6" and first["sides"][0]["text"].endswith("<answer>5</answer>")
    assert second["sides"][0] == {"label": "Critique", "text": None, "note": "No critique: wrong_answer."}
    assert data(text)["rollouts"]["status"] == ["verified", "skipped", "verified"]
    assert (first["reply"], second["reply"]) == (REPLY, "No idea.")
    assert first["critique"]["judgement"] == "4 + 1 is 5." and "reply" not in first["critique"]
    (directory / "samples.used.jsonl").unlink()
    assert "The samples were not kept beside the critiques" in page(directory)


def test_a_preflight(tmp_path):
    directory = write("preflight", tmp_path / "pre")
    text = page(directory)
    assert "Expected to train best: refsol" in text and "go. The context helps" in text
    assert "aim: of the push up to the error, on its step" in text and "2 problems are few" in text
    entry = packed(text)[1]
    assert [side["label"] for side in entry["sides"]] == ["Context: refsol", "Context: stepalign"]
    assert entry["facts"][0][1] == (
        "teacher correct, 31 tokens; A_t on correct steps +0.10; on the first wrong one −0.20; aim 90 %"
    )
    result = json.loads((directory / "preflight.json").read_text())
    for summary in result["formats"].values():  # version 0.1.0 did not know them
        del summary["cut_off_rate"], summary["unparseable_rate"]
    (directory / "preflight.json").write_text(json.dumps(result))
    assert "cut off, student / teacher" in page(directory)
    (directory / "preflight.json").unlink()
    assert "This preflight is not finished" in page(directory)


def test_a_curation(tmp_path):
    directory = write("curate", tmp_path / "curated")
    text = page(directory)
    assert "3 of 9 problems were kept: 1 for training, 1 for validation and 1 for test." in text
    assert "The stage that drops most is solve_rate: not too hard." in text and "6 too_hard" in text
    assert re.search(
        r"25.0 %</th>\s*<td class=\"num\">1</td>\s*<td class=\"num\">1</td>\s*<td class=\"num\">1</td>", text
    )
    (directory / "funnel.json").unlink()
    assert "This curation is not finished" in page(directory)


def test_an_inspection(tmp_path, inspection_result):
    (tmp_path / "advantage.json").write_text(json.dumps(inspection_result()))
    assert "Where the signal falls" in page(tmp_path)


def test_the_command(tmp_path, capsys):
    directory = write("evaluate", tmp_path / "base")
    assert main(["report", str(directory)]) == 0
    assert capsys.readouterr().out == f"{directory / 'report.html'}\n"
    (directory / "samples.jsonl").write_text('{"sample": 0}\n')
    assert main(["report", str(directory)]) == 2
    assert "samples.jsonl, row 1: expected an object with 'text', 'problem_id'" in capsys.readouterr().err


def test_a_response_of_two_thousand_tokens_is_below_a_megabyte(tmp_path):
    random = Random(0)
    directory = write("localize", tmp_path / "localized")
    tokens = [f"w{random.randrange(3000)} " for _ in range(2000)]
    formats = ["refsol", "stepalign"]
    write_jsonl(
        directory / "tokens.jsonl", [{"problem_id": "p0", "sample": 0, "tokens": tokens, "token_steps": [2] * 2000}]
    )
    scores = [
        {
            "format": name,
            "problem_id": "p0",
            "sample": 0,
            "status": "ok",
            "advantage": [random.gauss(0, 3) for _ in tokens],
        }
        for name in formats
    ]
    write_jsonl(directory / "scores.jsonl", scores)
    signal = json.loads((directory / "signal.json").read_text())
    contexts = {row["format"]: {"advantage": row["advantage"]} for row in scores}
    signal["rollouts"][0] |= {"tokens": tokens, "token_steps": [2] * 2000, "contexts": contexts}
    (directory / "signal.json").write_text(json.dumps(signal))
    assert len(write_report(directory).read_bytes()) < 1_000_000
