"""The public names of the package: all there, all documented, none loaded before it is used."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import judge
from build import transcript


@pytest.mark.parametrize("name", judge.__all__)
def test_every_public_name_is_there_and_says_what_it_is_for(name: str) -> None:
    """Each name resolves and has a docstring."""
    assert inspect.getdoc(getattr(judge, name))


def test_the_public_names_are_sorted() -> None:
    """A name is found where the alphabet puts it."""
    assert sorted(judge.__all__) == judge.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The package behaves as any module does."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        judge.nothing  # noqa: B018


def test_the_readme_program_runs(tmp_path: Path) -> None:
    """The Python example of the README works as it stands."""
    from judge.transcripts.canonical import encode

    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    program = text.split("```python\n", 1)[1].split("```", 1)[0]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "t.jsonl").write_bytes(encode(transcript(("user", "hi"), ("target", "hello"))) + b"\n")
    (tmp_path / "labels").mkdir()
    for rater in ("ana", "bo"):
        row = {"rubric": "coercive-leverage", "rater": rater, "rater_kind": "human", "label": "absent"}
        (tmp_path / "labels" / f"{rater}.jsonl").write_text(json.dumps(row | {"transcript_id": "t1"}))
    for name in ("runs", "labels"):
        program = program.replace(f'"{name}/"', repr(str(tmp_path / name)))
    exec(compile(program, "README.md", "exec"), {})


def test_verdicts_labels_and_rates_work_together_in_python() -> None:
    """grade, calibrate, agreement and rates take each other's results."""
    subjects = [transcript(("user", f"ask {n}"), ("target", f"answer {n}"), id=f"t{n}") for n in range(30)]
    grading = judge.grade_sync(subjects, ["coercive-leverage"], ["baseline/cues"])
    labels = [
        judge.Label(
            transcript_id=f"t{n}",
            rubric="coercive-leverage",
            rater=rater,
            rater_kind="human",
            label="enacted" if n < 3 else "absent",
        )
        for n in range(20)
        for rater in ("ana", "bo")
    ]
    (one,) = judge.calibrate(grading.verdicts, labels)
    assert (20, 2, 0, 3) == (one.n_items, one.n_raters, one.confusion.tp, one.confusion.fn)
    assert 1.0 == judge.agreement(labels).statistics["percent_agreement"].estimate
    (rate,) = judge.rates(grading.verdicts, labels)
    assert (10, 0) == (rate.n, rate.flagged)
    assert rate.statistics["lang_reiczigel"].low is None


VERDICTS = [
    {"transcript_id": f"t{n}", "rubric": "coercive-leverage", "judge": "keen", "level": ("absent", "enacted")[n < 6]}
    for n in range(20)
]
LABELS = [
    {
        "transcript_id": f"t{n}",
        "rubric": "coercive-leverage",
        "rater": rater,
        "rater_kind": "human",
        "label": ("absent", "enacted")[n < 8],
    }
    for n in range(20)
    for rater in ("ana", "bo")
]


def write_rows(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_and_paths_give_what_models_give(tmp_path: Path) -> None:
    """Six of eight positives are found, whether rows come as mappings, as a file or as a folder, by name or by path."""
    verdicts = write_rows(tmp_path / "verdicts" / "v.jsonl", VERDICTS)
    labels = write_rows(tmp_path / "labels" / "l.jsonl", LABELS)
    for said, told in (
        (VERDICTS, LABELS),
        (iter(VERDICTS), iter(LABELS)),
        (verdicts, str(labels)),
        (str(verdicts.parent), labels.parent),
        (VERDICTS, judge.read_labels(str(labels))),
    ):
        (one,) = judge.calibrate(said, told)
        assert (6, 2, 0) == (one.confusion.tp, one.confusion.fn, one.confusion.fp)
    assert 1.0 == judge.agreement(LABELS).statistics["percent_agreement"].estimate
    assert judge.agreement(labels, "blackmail") == judge.agreement(judge.read_labels(labels))
    (rate,) = judge.rates(VERDICTS, str(labels))
    assert (20, 6) == (rate.n, rate.flagged)


def test_one_rubric_judge_and_path_may_be_given_by_name(tmp_path: Path) -> None:
    """A text is one name, never its letters; a pack is its members."""
    from judge.transcripts.canonical import encode

    path = tmp_path / "t.jsonl"
    path.write_bytes(encode(transcript(("user", "hi"), ("target", "hello"))) + b"\n")
    (verdict,) = judge.grade_sync(path, "blackmail", "baseline/cues").verdicts
    assert ("t1", "coercive-leverage", "absent") == (verdict.transcript_id, verdict.rubric, verdict.level)
    assert 9 == len(judge.grade_sync([str(path)], "default", ["baseline/cues"]).verdicts)
    with pytest.raises(judge.InputError, match=r"nothere\.jsonl"):
        judge.grade_sync(tmp_path / "nothere.jsonl", "blackmail", "baseline/cues")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: judge.calibrate(VERDICTS, "nothere.jsonl"), "no such label file"),
        (lambda: judge.calibrate("nothere.jsonl", LABELS), "cannot be read"),
        (lambda: judge.calibrate([{"transcript_id": "t1"}], LABELS), r"verdicts\[0\]: no 'rubric'"),
        (lambda: judge.calibrate(VERDICTS, [{"transcript_id": "t1", "rubric": "r"}]), r"labels\[0\]: rater"),
        (lambda: judge.calibrate(VERDICTS, [3]), r"labels\[0\]: '3' of type int"),
        (lambda: judge.calibrate(VERDICTS[0], LABELS), "one row; give a list of rows"),
        (lambda: judge.rates([VERDICTS[0], VERDICTS[0] | {"level": "attempted"}]), "a second verdict on the same"),
        (lambda: judge.rates([]), "no verdicts"),
        (lambda: judge.grade_sync(["t"], "blackmail", "baseline/cues"), "No such file"),
        (lambda: judge.grade_sync([VERDICTS[0]], "blackmail", "baseline/cues"), r"transcripts\[0\]"),
    ],
)
def test_what_cannot_be_used_is_refused_in_the_words_of_the_command_line(call: Callable[[], object], said: str) -> None:
    """No attribute error from within: what is wrong, where, and what is accepted."""
    with pytest.raises(judge.InputError, match=said):
        call()


def test_an_empty_list_of_labels_is_no_talk_of_options() -> None:
    """Python code has no --rubric to give."""
    with pytest.raises(judge.InputError, match="there are no labels"):
        judge.agreement([])
    with pytest.raises(judge.InputError) as error:
        judge.agreement([*LABELS, LABELS[0] | {"rubric": "larceny"}])
    assert "--" not in str(error.value)
    assert "'coercive-leverage', 'larceny'" in str(error.value)


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    """The first screen of the README is the beginning of the demo's own output."""
    from typer.testing import CliRunner

    from judge.cli.main import app

    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = text.split("$ judge demo\n", 1)[1].split("...\n", 1)[0]
    done = CliRunner().invoke(app, ["demo", str(tmp_path / "demo"), "--quiet"])
    assert done.stdout.startswith(shown)
