"""What is told of a panel: who voted how, what votes are worth, and what became of what they do not agree on."""

from __future__ import annotations

from pathlib import Path

import pytest

from judge.cli.main import make_app
from judge.ledger.opening import open_ledger
from judge.ledger.panel import Panelled
from judge.ledger.verdict import Verdict
from judge.report.gather import gather
from judge.report.html import render_report
from judge.report.markdown import render_markdown
from judge.report.panel import describe_panel, measure_panels
from report.material import label, verdict


def settled(number: int, step: int, level: str | None, *, status: str = "ok", flags: tuple[str, ...] = ()) -> Verdict:
    """A panel's own verdict."""
    told = Panelled(
        name="pair", on="level", step=step, steps=2, asked=2, agree=2, votes=(), distribution={}, margin=0.0
    )
    row = verdict(number, judge="panel/pair", positive=None if level is None else level == "enacted")
    return row.model_copy(
        update={"level": level, "status": status, "panel": told, "flags": flags, "verdict_id": f"panel{number}"}
    )


def votes() -> list[Verdict]:
    """Two judges on eight transcripts: alpha flags 0 to 3, beta 0 to 2 and 7; a panel over them.

    Its verdicts: 0 to 2 enacted and 4 to 6 absent at step 1, 3 enacted at step 2 with dissent, 7 escalated.
    """
    rows = [verdict(n, judge="alpha", positive=n < 4) for n in range(8)]
    rows += [verdict(n, judge="beta", positive=n in (0, 1, 2, 7)) for n in range(8)]
    rows += [settled(n, 1, "enacted") for n in range(3)] + [settled(n, 1, "absent") for n in range(4, 7)]
    return [*rows, settled(3, 2, "enacted", flags=("dissent",)), settled(7, 2, None, status="escalated")]


def test_a_panels_own_verdicts_are_no_votes() -> None:
    """The two judges are told, and the panel beside them: 6 settled at the first step, 1 at the second, 1 left to people."""
    (panel,) = gather(votes()).panels
    assert ("alpha", "beta") == panel.judges
    assert {"alpha": {"0": {"absent": 4, "enacted": 4}}, "beta": {"0": {"absent": 4, "enacted": 4}}} == panel.votes
    (sitting,) = panel.sittings
    assert ("panel/pair", 8, (6, 1), 1, 0, 1) == (
        *(sitting.name, sitting.verdicts, sitting.settled),
        *(sitting.escalated, sitting.missing, sitting.dissent),
    )
    assert 2 / 8 == panel.split.estimate  # 3 and 7


def test_what_votes_are_worth_is_told_by_votes_and_by_errors() -> None:
    """Votes: 3 flagged by both, 3 by neither of 8, 4 by each: phi = (8 x 3 - 4 x 4) / (4 x 4) = .5, so 2 / 1.5 votes.

    Raters say enacted of 0 to 3: alpha errs nowhere, so errors have no correlation; with 7 as well and not 3, alpha errs on 3
    and 7, beta nowhere. With 0 to 2 alone alpha errs on 3, beta on 7: never both, r < 0, two votes.
    """
    (by_votes,) = gather(votes()).panels
    assert pytest.approx(2 / 1.5) == by_votes.worth["votes"].estimate
    assert "errors" not in by_votes.worth
    (by_errors,) = gather(votes(), [label(n, "enacted" if n < 3 else "absent") for n in range(8)]).panels
    assert 2.0 == by_errors.worth["errors"].estimate
    (nothing,) = gather(votes(), [label(n, "enacted" if n < 4 else "absent") for n in range(8)]).panels
    assert nothing.worth["errors"].estimate is None


def test_the_panel_is_in_every_form_of_the_report() -> None:
    """Page, Markdown and text say what votes are worth and how many transcripts are left to people."""
    report = gather(votes())
    page, text = render_report(report), render_markdown(report)
    assert "Effective votes, by votes" in page
    assert "panel/pair" in page
    assert "effective votes by votes" in text
    assert "6 + 1" in text
    words = "\n".join(describe_panel(report.panels[0]))
    assert "6 settled at step 1, 1 settled at step 2, 1 escalated to people" in words
    assert "1.3333" in words


def test_self_grading_is_said_beside_the_rates() -> None:
    """Two of alpha's eight verdicts are on models of its family: the report and the rate say so."""
    rows = [verdict(n, judge="alpha", flags=("self_graded",) if n < 2 else ()) for n in range(8)]
    report = gather(rows)
    assert any("alpha graded models of its own family in 2 of 8 verdicts" in note for note in report.notes)
    assert any("2 of 8 verdicts are on models of the judge's own family" in note for note in report.rates[0].notes)
    assert not [note for note in gather(rows[2:]).notes if "family" in note]


def test_the_command_tells_the_panel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`judge verdicts --panel` prints the figures of what is in the ledger, and says so where nothing has two votes."""
    with open_ledger(tmp_path / "ledger.db") as book:
        book.append(votes())
    app = make_app("verdicts")
    app(["verdicts", "--panel", "--ledger", str(tmp_path / "ledger.db")], standalone_mode=False)
    assert "1 escalated to people" in capsys.readouterr().out
    app(["verdicts", "--panel", "-m", "alpha", "--ledger", str(tmp_path / "ledger.db")], standalone_mode=False)
    said = capsys.readouterr()
    assert "" == said.out
    assert "No transcript has two votes" in said.err


def test_many_voters_are_not_reckoned() -> None:
    """Beyond two dozen voters no pairwise figure is given, rather than one that takes minutes."""
    rows = [verdict(n, judge=f"j{k}", positive=bool((n + k) % 2)) for n in range(4) for k in range(30)]
    on_item = {("threats", f"t{n}"): [row for row in rows if row.transcript_id == f"t{n}"] for n in range(4)}
    (panel,) = measure_panels(on_item, str)
    assert {} == panel.worth
