"""What a report counts, and in which order it tells cases. Expected numbers are counted by hand from `material.rows`.

alpha flags 0 3 6 9 of 0 .. 11, beta 0 4 8, beta's second sample the even ones; alpha also refuses t20 and finds t21 not
applicable. Raters call 0, 3 and 5 of 0 .. 9 enacted.
"""

from __future__ import annotations

import pytest

from judge.errors import InputError
from judge.report.gather import gather
from report.material import full_report, label, labels, missing, rows, verdict


def test_scope_counts_everything_once() -> None:
    """12 x 3 verdicts and 2 more, of which one is missing and one outside the scale; 4 + 3 + 6 are positive."""
    scope = full_report().scope
    assert (38, 14, 1, 2) == (scope.verdicts, scope.transcripts, scope.rubrics, scope.judges)
    assert (13, 1, 1) == (scope.positive, scope.missing, scope.outside)


def test_tallies_keep_what_is_missing_apart() -> None:
    """A refusal is no level, and what does not apply is no negative."""
    alpha = full_report().tallies[0]
    assert {"absent": 8, "enacted": 4} == alpha.levels
    assert {"not_applicable": 1} == alpha.outside
    assert {"refused": 1} == alpha.missing
    assert ("enacted",) == alpha.positive_levels


def test_cases_stand_worst_first_and_the_rest_is_counted() -> None:
    """All three votes on t0 are positive, two of three on t4: they come first, and the other six are counted."""
    report = full_report()
    assert ["t0", "t4"] == [case.transcript_id for case in report.cases]
    assert [(3, 3), (2, 3)] == [(case.flagged, case.settled) for case in report.cases]
    assert 8 == report.n_cases
    assert {"threats: enacted, severity 2": 6} == report.other_cases


def test_severity_comes_before_level_and_level_before_votes() -> None:
    """A grave attempt stands before a serious act, and that before a serious attempt."""
    found = gather(
        [
            verdict(1, positive=True, level="attempted", severity=2),
            verdict(2, positive=True, level="enacted", severity=2),
            verdict(3, positive=True, level="attempted", severity=3),
        ]
    )
    assert ["t3", "t2", "t1"] == [case.transcript_id for case in found.cases]


def test_differences_name_misses_first() -> None:
    """alpha misses t5 and flags t6 and t9, which raters call absent; 2 hits and 5 passes are right."""
    alpha = full_report().accuracy[0]
    cells = alpha.calibration.confusion
    assert (2, 2, 1, 5) == (cells.tp, cells.fp, cells.fn, cells.tn)
    assert [("missed", "t5"), ("false alarm", "t6"), ("false alarm", "t9")] == [
        (one.kind, one.case.transcript_id) for one in alpha.differences
    ]
    assert ["pay or else"] == [quote.quote for quote in alpha.differences[0].decisive]
    assert "enacted (2 human)" == alpha.differences[0].label


def test_reliability_needs_probabilities() -> None:
    """alpha gave .1 and .8 on the ten labelled ones (6 and 4 of them): two bins, with 1 and 2 positives; beta gave none."""
    alpha, beta = full_report().accuracy
    assert [(6, 1 / 6), (4, 2 / 4)] == [(one.n, one.observed) for one in alpha.reliability]
    assert () == beta.reliability


def test_panel_counts_where_votes_differ() -> None:
    """Votes differ on 2 3 4 6 8 9 10; beta's samples on 2 6 10; first samples of alpha and beta agree on 7 of 12."""
    (panel,) = full_report().panels
    assert (7 / 12, 12) == (panel.split.estimate, panel.split.n)
    assert 7 == panel.n_divided
    assert 3 / 12 == panel.flips["beta"].estimate
    assert "alpha" not in panel.flips
    assert [7 / 12] == [pair.agreement.estimate for pair in panel.pairs]


def test_cost_is_a_sum_of_what_is_known() -> None:
    """Fourteen rows of alpha at half a dollar are seven dollars; without any known cost there is no sum, not zero."""
    assert 7.0 == full_report().costs[0].cost_usd
    (unknown,) = gather([verdict(1, cost_usd=None)]).costs
    assert unknown.cost_usd is None
    assert 1 == unknown.unpriced


def test_rates_are_of_unlabelled_transcripts() -> None:
    """Of alpha's t10 t11 t20 t21 none is flagged, and the two without a place on the scale are missing, not passed."""
    alpha = full_report().rates[0]
    assert ({"model": "m"}, 4, 0) == (alpha.group, alpha.n, alpha.flagged)
    assert {"refused": 1, "not_applicable": 1} == alpha.missing


def test_with_every_transcript_labelled_only_the_flag_rate_is_given() -> None:
    """Nothing is corrected where there is nothing left to correct, and the report says why."""
    (rate,) = gather([verdict(n, positive=n == 0) for n in range(10)], labels()).rates
    assert {"naive", "worst_case"} == set(rate.statistics)
    assert "labelled" in rate.notes[-1]


def test_without_labels_the_first_note_says_what_is_unknown() -> None:
    """A report without labels says before any figure that the judge's errors are unknown."""
    assert "nothing is known of the judge's errors" in gather(rows()).notes[0]


def test_constructed_labels_certify_nothing() -> None:
    """Labels that were written with the transcripts are marked as such before any figure."""
    given = [label(n, "enacted" if n < 3 else "absent", kind="constructed") for n in range(10)]
    assert gather(rows(), given).notes[0].startswith("Constructed labels certify nothing")


def test_labels_on_other_transcripts_do_not_stop_a_report() -> None:
    """A rubric that was judged and labelled, but never on the same transcript, is named, and the rest is reported."""
    elsewhere = label(99, "enacted").model_copy(update={"rubric": "other"})
    found = gather([*rows(), verdict(1, rubric="other", verdict_id="o1")], [*labels(), elsewhere])
    assert any("No verdict is on a labelled transcript for: other" in note for note in found.notes)
    assert 2 == len(found.accuracy)


def test_labels_that_do_not_fit_are_refused() -> None:
    """Label sets that differ from the verdicts' are an error, not a figure."""
    with pytest.raises(InputError, match="label sets differ"):
        gather(rows(), [label(1, "red"), label(2, "blue")])


def test_verdicts_under_two_versions_of_a_rubric_are_noted() -> None:
    """Two hashes of one rubric are said, so that nobody reads them as one measurement."""
    found = gather([verdict(1), verdict(2, rubric_sha256="c" * 64)])
    assert any("different versions" in note for note in found.notes)


def test_secrets_in_quotes_are_masked_unless_asked_for() -> None:
    """A key in a quote and in an error is masked by default; with masking off it is there."""
    key = "AKIA" + "A1B2C3D4E5F6G7H8"
    from judge.ledger.verdict import Evidence, Finding

    quote = Evidence(message_id="m1", quote=f"use {key} now", match="exact", admissible=True)
    given = [
        verdict(1, positive=True, findings=(Finding(criterion="c", met="met", reason=key, evidence=(quote,)),)),
        missing(2, error=f"said {key}"),
    ]
    assert key not in gather(given).model_dump_json()
    assert 3 == gather(given, masked=False).model_dump_json().count(key)


def test_long_quotes_are_cut_visibly() -> None:
    """What is cut says how much is gone: 900 characters at a limit of 700."""
    from judge.ledger.verdict import Evidence, Finding

    quote = Evidence(message_id="m1", quote="x" * 900, match="exact", admissible=True)
    found = gather([verdict(1, positive=True, findings=(Finding(criterion="c", met="met", evidence=(quote,)),))])
    assert "x" * 700 + " ... 200 characters cut" == found.cases[0].points[0].quotes[0].quote


def test_levels_of_a_foreign_scale_are_signed_before_anything_is_counted() -> None:
    """Rows that give a level alone, on a scale of their own, count as positive in every part of the report alike."""
    rows = [verdict(n, level="dire" if n < 4 else "fine", positive=None) for n in range(10)]
    given = [label(n, "dire" if n < 3 else "fine") for n in range(10)]
    report = gather(rows, given, positive=["dire"])
    assert (4, 0) == (report.scope.positive, report.scope.outside)
    assert 4 == report.n_cases
    assert 4 == report.rates[0].flagged
    assert (3, 1) == (report.accuracy[0].calibration.confusion.tp, report.accuracy[0].calibration.confusion.fp)


def test_refusals_are_measured() -> None:
    """A judge that refused every labelled transcript stands in the accuracy with all of them missing, and no note denies it."""
    found = gather([missing(n) for n in range(10)], labels())
    (one,) = found.accuracy
    assert one.calibration.missing == {"refused": 10}
    assert one.calibration.bounds["sensitivity_if_missing_are_right"].estimate == 1.0
    assert not any("No verdict is on a labelled transcript" in note for note in found.notes)
