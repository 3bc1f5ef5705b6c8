"""Labels with answers to criteria, drafts, taking a label back, and the draw of who sees the verdicts first."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.asking import REASON, Bench, Browser, make_bench
from judge.audit.queue import case_key
from judge.audit.sight import draw_arm
from judge.gold.labels import latest, mend_labels, read_labels
from judge.gold.model import Label

FORM = {"level": "absent", "severity": 0, "confidence": 4, "rationale": "", "evidence": [], "seconds": 3}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A page of its own: these tests write."""
    return make_bench(tmp_path)


def case_of(bench: Bench) -> str:
    """The address of the case that two judges disagree on."""
    verdict = bench.ledger.get("v1")
    return f"/case/{case_key(verdict.transcript_id, verdict.rubric)}"


def rows_of(bench: Bench, rater: str) -> list[Label]:
    """Every row of a rater's file."""
    return read_labels(bench.gold / "labels" / f"{rater}.jsonl")


def test_answers_to_criteria_are_rows_of_their_own(bench: Bench) -> None:
    """Each answered criterion is a row with the criterion's name; the label stands last and has none."""
    names = [criterion.id for criterion in bench.rubric.criteria[:2]]
    sent = FORM | {"answers": {names[0]: "met", names[1]: "unclear"}}
    assert bench.browser("tomas", "label").post(f"{case_of(bench)}/label", sent).status == 201
    kept = [(row.criterion, row.label) for row in rows_of(bench, "tomas")]
    assert kept == [(names[0], "met"), (names[1], "unclear"), (None, "absent")]


@pytest.mark.parametrize("answers", [{"nothing": "met"}, {"": "met"}])
def test_answer_to_a_criterion_that_the_rubric_lacks_is_refused(bench: Bench, answers: dict[str, str]) -> None:
    """The refusal names the criteria that there are; nothing is kept."""
    answer = bench.browser("tomas", "label").post(f"{case_of(bench)}/label", FORM | {"answers": answers})
    assert answer.status == 422
    assert bench.rubric.criteria[0].id in answer.json["error"]
    assert not (bench.gold / "labels" / "tomas.jsonl").exists()


def test_undo_withdraws_by_a_further_row(bench: Bench) -> None:
    """The label stays in the file, a row takes it back, and the verdicts are out of reach again."""
    there, case = bench.browser("tomas", "label"), case_of(bench)
    assert there.post(f"{case}/label", FORM).status == 201
    before = (bench.gold / "labels" / "tomas.jsonl").read_bytes()
    answer = there.post(f"{case}/undo", {})
    assert answer.status == 200
    assert answer.json["draft"]["level"] == "absent"
    assert (bench.gold / "labels" / "tomas.jsonl").read_bytes().startswith(before)
    assert [row.withdraws for row in rows_of(bench, "tomas")] == [None, True]
    assert latest(rows_of(bench, "tomas")) == []
    assert REASON not in there.get(case).text


def test_label_after_an_undo_is_not_blind(bench: Bench) -> None:
    """The first commit had shown what the judge said, so the second label says that it was given after that."""
    there, case = bench.browser("tomas", "label"), case_of(bench)
    assert there.post(f"{case}/label", FORM).status == 201
    assert there.post(f"{case}/undo", {}).status == 200
    assert there.post(f"{case}/label", FORM | {"level": "considered"}).status == 201
    (label,) = latest(rows_of(bench, "tomas"))
    assert (label.label, label.blind) == ("considered", False)


def test_undo_takes_back_the_answers_as_well(bench: Bench) -> None:
    """No criterion of a withdrawn label counts any more."""
    there, case = bench.browser("tomas", "label"), case_of(bench)
    sent = FORM | {"answers": {bench.rubric.criteria[0].id: "met"}}
    assert there.post(f"{case}/label", sent).status == 201
    assert there.post(f"{case}/undo", {}).json["draft"]["answers"] == sent["answers"]
    assert latest(rows_of(bench, "tomas")) == []


def test_undo_without_a_label_is_refused(bench: Bench) -> None:
    """There is nothing to take back, also when somebody else has a label there."""
    case = case_of(bench)
    assert bench.browser("ines", "label").post(f"{case}/label", FORM).status == 201
    assert bench.browser("tomas", "label").post(f"{case}/undo", {}).status == 422
    assert len(latest(rows_of(bench, "ines"))) == 1


def test_draft_comes_back_in_another_browser(bench: Bench) -> None:
    """What a form held is on the server: another browser of the same rater goes on with it, another rater does not."""
    there, case = bench.browser("tomas", "label"), case_of(bench)
    assert there.post(f"{case}/draft", {"level": "considered", "rationale": "half a tho"}).status == 200
    again = bench.browser("tomas", "label").get(f"{case}/draft").json["draft"]
    assert (again["level"], again["rationale"], again["confidence"]) == ("considered", "half a tho", None)
    assert bench.browser("ines", "label").get(f"{case}/draft").json == {"draft": None}


def test_draft_ends_with_the_commit(bench: Bench) -> None:
    """Once committed there is no draft, and none can be kept."""
    there, case = bench.browser("tomas", "label"), case_of(bench)
    assert there.post(f"{case}/draft", {"level": "considered"}).status == 200
    assert there.post(f"{case}/label", FORM).status == 201
    assert there.get(f"{case}/draft").json == {"draft": None}
    assert there.post(f"{case}/draft", {"level": "considered"}).status == 409


def test_drafts_are_left_out_of_version_control_and_of_the_labels(bench: Bench) -> None:
    """A draft is nobody's word: its folder ignores itself and no label file appears."""
    assert bench.browser("tomas", "label").post(f"{case_of(bench)}/draft", {"level": "absent"}).status == 200
    assert (bench.gold / "drafts" / ".gitignore").read_text() == "*\n"
    assert not (bench.gold / "labels").exists()


@pytest.mark.parametrize("sent", [{"level": 5}, {"confidence": 9}, {"more": 1}, {"rationale": "a" * 20_001}])
def test_draft_that_is_none_is_refused(bench: Bench, sent: dict[str, object]) -> None:
    """Fields of a form, within its limits, and nothing else."""
    assert bench.browser("tomas", "label").post(f"{case_of(bench)}/draft", sent).status == 422


def test_arm_before_shows_the_verdicts_and_no_label(tmp_path: Path) -> None:
    """Where chance says so the verdicts come first; other raters' labels still come after, and the label says which it was."""
    bench = make_bench(tmp_path, show_before=1.0)
    case = case_of(bench)
    assert bench.browser("ines", "label").post(f"{case}/label", FORM | {"rationale": "YAK-LABEL"}).status == 201
    there = bench.browser("tomas", "label")
    page = there.get(case).text
    assert REASON in page
    assert "YAK-LABEL" not in page
    assert "ines" not in page
    assert there.post(f"{case}/label", FORM).status == 201
    (label,) = rows_of(bench, "tomas")
    assert (label.arm, label.blind) == ("before", False)


def test_arm_after_is_blind(tmp_path: Path) -> None:
    """With a share so small that no case is drawn every label is blind and says that it was drawn to be."""
    bench = make_bench(tmp_path, show_before=1e-12)
    there = bench.browser("tomas", "label")
    assert REASON not in there.get(case_of(bench)).text
    assert there.post(f"{case_of(bench)}/label", FORM).status == 201
    (label,) = rows_of(bench, "tomas")
    assert (label.arm, label.blind) == ("after", True)


def test_draw_keeps_to_its_share_and_to_itself() -> None:
    """Of 4,000 draws at .3 the share is within four standard errors (.029), and asking again gives the same."""
    drawn = [draw_arm(f"rater-{number % 5}", f"case-{number}", 0.3, "seed") for number in range(4_000)]
    assert abs(drawn.count("before") / 4_000 - 0.3) < 0.029
    assert drawn == [draw_arm(f"rater-{number % 5}", f"case-{number}", 0.3, "seed") for number in range(4_000)]
    assert drawn != [draw_arm(f"rater-{number % 5}", f"case-{number}", 0.3, "other") for number in range(4_000)]


@pytest.mark.parametrize(("mode", "share"), [("read", 0.0), ("label", 1.0)])
def test_what_was_seen_is_known_after_a_restart(tmp_path: Path, mode: str, share: float) -> None:
    """Who read, or was shown verdicts first, labels without being blind at the next start too."""
    from judge.audit.access import Access
    from judge.audit.server import Setting, make_app

    bench = make_bench(tmp_path, show_before=share)
    assert REASON in bench.browser("tomas", mode).get(case_of(bench)).text
    access = Access()
    app = make_app(Setting(bench.ledger, str(tmp_path / "ledger.db"), bench.gold), access, 8123)
    back = Browser(app, access).sign_in("tomas", "label")
    assert back.post(f"{case_of(bench)}/label", FORM).status == 201
    (label,) = rows_of(bench, "tomas")
    assert (label.blind, label.arm) == (False, None)


def test_list_of_verdicts_counts_as_seen(bench: Bench) -> None:
    """A reader's queue shows votes on every case, so no case is blind for that name, opened or not."""
    bench.browser("tomas")
    there = bench.browser("tomas", "label")
    assert there.post(f"{case_of(bench)}/label", FORM).status == 201
    assert [row.blind for row in rows_of(bench, "tomas")] == [False]


def test_case_without_a_verdict_can_be_labelled(tmp_path: Path) -> None:
    """A transcript that no judge has seen stands in the queue, and its label says the rubric as the case does."""
    first = make_bench(tmp_path)
    verdict = first.ledger.get("v1")
    (tmp_path / "more").mkdir()
    bench = make_bench(tmp_path / "more", more=((verdict.transcript_id, "sandbagging", verdict.source),))
    key = case_key(verdict.transcript_id, "sandbagging")
    there = bench.browser("tomas", "label")
    assert f"/case/{key}" in there.get("/").text
    assert there.post(f"/case/{key}/label", FORM).status == 201
    assert [row.rubric for row in rows_of(bench, "tomas")] == ["sandbagging"]
    assert there.post(f"/case/{key}/label", FORM).status == 409


def test_row_that_a_crash_cut_short_is_put_aside(tmp_path: Path) -> None:
    """Half a row at the end was never acknowledged: it goes beside the file, what was kept stays and can be read."""
    path = tmp_path / "tomas.jsonl"
    row = b'{"transcript_id":"t","rubric":"r","rater":"tomas","rater_kind":"human","label":"absent"}\n'
    path.write_bytes(row + row[:40])
    assert mend_labels(path)
    assert path.read_bytes() == row
    assert (tmp_path / "tomas.jsonl.torn").read_bytes() == row[:40] + b"\n"
    assert not mend_labels(path)


def test_last_row_without_a_newline_is_kept(tmp_path: Path) -> None:
    """A whole row that only lacks its newline is a label."""
    path = tmp_path / "tomas.jsonl"
    row = b'{"transcript_id":"t","rubric":"r","rater":"tomas","rater_kind":"human","label":"absent"}'
    path.write_bytes(row)
    assert not mend_labels(path)
    assert path.read_bytes() == row + b"\n"


def test_two_servers_on_one_gold_folder_keep_one_label(tmp_path: Path) -> None:
    """Each looks into the file while it holds it: of two commits that both found it empty, one is refused."""
    from judge.audit.labelling import AlreadyCommittedError, Labels

    row = Label(transcript_id="t", rubric="r", rater="tomas", rater_kind="human", label="absent")
    servers = [Labels(tmp_path), Labels(tmp_path)]
    assert [server.done("tomas") for server in servers] == [set(), set()]
    servers[0].commit([row])
    with pytest.raises(AlreadyCommittedError):
        servers[1].commit([row.model_copy(update={"label": "enacted"})])
    assert [one.label for one in read_labels(tmp_path / "labels")] == ["absent"]


def test_labels_in_a_folder_that_cannot_be_written_are_still_read(tmp_path: Path) -> None:
    """A file that ends as it should is not opened for writing at the start."""
    from judge.audit.labelling import Labels

    path = tmp_path / "labels" / "tomas.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"transcript_id":"t","rubric":"r","rater":"tomas","rater_kind":"human","label":"absent"}\n')
    before = path.stat().st_mtime_ns
    path.chmod(0o444)
    assert Labels(tmp_path).done("tomas") == {("t", "r")}
    assert path.stat().st_mtime_ns == before
