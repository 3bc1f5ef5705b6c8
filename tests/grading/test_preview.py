"""What a run would cost, said before it is spent: windows counted, and what the ledger holds left out."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from build import RUBRIC, transcript
from judge.cli.main import app
from judge.grading.judges import Judge, Price
from judge.grading.judging import make_verdict_id
from judge.grading.preview import preview
from judge.grading.together import seat_together
from judge.grading.windows.dividing import plan_views
from judge.transcripts.canonical import write
from judge.transcripts.model import Transcript

JUDGE = Judge(model="test/judge", context=20_000, max_tokens=1_000, price=Price(input=1, output=0))
SHORT = transcript(("user", "hi"), ("target", "hello"), id="short")


def long() -> Transcript:
    return transcript(("user", "hi"), *[("target", "Thank you for your patience. " * 100)] * 40, id="long")


def test_each_window_is_a_call_with_its_own_question() -> None:
    """A long transcript costs as many calls as it has windows, and more tokens than it has itself."""
    (short,) = preview([SHORT], [RUBRIC], [JUDGE], 1)
    (one,) = preview([long()], [RUBRIC], [JUDGE], 1)
    windows = len(plan_views(long(), RUBRIC, JUDGE))
    assert (1, 1) == (short.calls, short.verdicts)
    assert windows > 3
    assert (windows, 1) == (one.calls, one.verdicts)
    assert one.input_tokens > windows * short.input_tokens
    assert one.output_tokens == windows * short.output_tokens
    (twice,) = preview([SHORT, long()], [RUBRIC], [JUDGE], 2)
    assert 2 * (one.input_tokens + short.input_tokens) == twice.input_tokens
    assert one.input_tokens / 1e6 == one.cost_usd


def test_judges_with_other_contexts_have_other_calls() -> None:
    """Each judge's windows are counted with its own context."""
    wide = JUDGE.model_copy(update={"model": "test/wide", "context": 1_000_000})
    narrow, wide_row = preview([long()], [RUBRIC], [JUDGE, wide], 1)
    assert 1 == wide_row.calls < narrow.calls


def test_what_is_in_the_ledger_is_not_counted() -> None:
    """Verdicts that are there already cost nothing; they are counted as found."""
    there = {make_verdict_id(SHORT, RUBRIC, JUDGE, 0)}
    (row,) = preview([SHORT], [RUBRIC], [JUDGE], 2, there.__contains__)
    assert (1, 1, 1) == (row.calls, row.verdicts, row.found)


def test_a_dry_run_counts_windows_and_leaves_out_what_the_ledger_holds(tmp_path: Path) -> None:
    """`judge grade --dry-run --context N` says how many calls long transcripts take, and what need not be asked again."""
    path = tmp_path / "t.jsonl"
    with path.open("wb") as stream:
        write([long(), SHORT], stream)
    common = ["grade", str(path), "-r", "coercive-leverage", "--ledger", str(tmp_path / "l.db"), "--dry-run"]
    said = CliRunner().invoke(
        app, [*common, "-m", "openai/x", "--api-base", "http://127.0.0.1:9", "--context", "30000"]
    )
    assert 0 == said.exit_code, said.output
    assert "for 2 verdicts, as some take several windows" in said.stdout
    assert not (tmp_path / "l.db").exists()
    graded = CliRunner().invoke(app, [*common[:-1], "-m", "baseline/cues", "--quiet"])
    assert 0 == graded.exit_code, graded.output
    again = CliRunner().invoke(app, [*common, "-m", "baseline/cues"])
    assert "baseline/cues: 0 calls (2 verdicts more found in the ledger)" in again.stdout


def test_rubrics_that_share_a_call_are_counted_once() -> None:
    """Three rubrics, two in a call: two calls, one of which shows the transcript for both. A long one is asked singly."""
    rubrics = [RUBRIC.model_copy(update={"id": name}) for name in ("first", "second", "third")]
    (apart,) = preview([SHORT], rubrics, [JUDGE], 1)
    (joined,) = preview([SHORT], rubrics, [JUDGE], 1, together=2)
    (one,) = preview([SHORT], rubrics[:1], [JUDGE], 1)
    (two,) = preview([SHORT], rubrics[:2], [JUDGE], 1, together=2)
    question = two.input_tokens - one.input_tokens
    assert (2, 3) == (joined.calls, joined.verdicts)
    assert 0 < question < one.input_tokens
    assert 2 * one.input_tokens + question == joined.input_tokens < apart.input_tokens
    assert apart.output_tokens == joined.output_tokens
    assert (4, 2 + 2 * 4) == (apart.most_requests_per_call, joined.most_requests_per_call)
    (apart,) = preview([long()], rubrics, [JUDGE], 1)
    (joined,) = preview([long()], rubrics, [JUDGE], 1, together=2)
    assert (apart.calls, apart.input_tokens, apart.output_tokens) == (
        joined.calls,
        joined.input_tokens,
        joined.output_tokens,
    )


def test_a_call_for_several_rubrics_is_whole_while_one_of_them_is_missing() -> None:
    """What was asked for together is found under its own ids; where a verdict is missing, the call asks for all again."""
    rubrics = (RUBRIC.model_copy(update={"id": "first"}), RUBRIC.model_copy(update={"id": "second"}))
    ((seated, _),) = seat_together(JUDGE, rubrics, 2)
    ids = [make_verdict_id(SHORT, rubric, seated, 0) for rubric in rubrics]
    (new,) = preview([SHORT], rubrics, [JUDGE], 1, together=2)
    (half,) = preview([SHORT], rubrics, [JUDGE], 1, ids[:1].__contains__, together=2)
    (done,) = preview([SHORT], rubrics, [JUDGE], 1, ids.__contains__, together=2)
    assert (1, 1, 1) == (half.calls, half.verdicts, half.found)
    assert new.input_tokens == half.input_tokens
    assert (0, 0, 2) == (done.calls, done.verdicts, done.found)


def test_a_batch_is_previewed_at_its_own_price() -> None:
    """Half the price of single requests, as litellm's table has it."""
    single = Judge(model="openai/gpt-5-mini")
    (row,) = preview([SHORT], [RUBRIC], [single], 1)
    (batched,) = preview([SHORT], [RUBRIC], [single.model_copy(update={"via": "batch"})], 1)
    assert row.cost_usd is not None
    assert row.cost_usd / 2 == batched.cost_usd
