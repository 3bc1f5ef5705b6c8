"""What `judge gold agree` says beyond alpha: levels, items, raters, and what hangs on counting votes alike."""

from __future__ import annotations

import pytest

from judge.calibration.among_raters import Agreement, agreement
from judge.gold.model import Label
from judge.rubrics.model import Scale


def labels(**by_rater: str) -> list[Label]:
    """Each rater's answers as a word of letters, one per item: y, n, or - for none."""
    said = {"y": "enacted", "n": "absent", "c": "considered"}
    every = {"rubric": "r", "rater_kind": "human"}
    return [
        Label.model_validate(every | {"transcript_id": f"t{item}", "rater": rater, "label": said[letter]})
        for rater, word in by_rater.items()
        for item, letter in enumerate(word)
        if letter != "-"
    ]


def measured(**by_rater: str) -> Agreement:
    return agreement(labels(**by_rater), scale=Scale())


def test_items_are_listed_by_how_much_raters_differ_on_them() -> None:
    """Of three raters one differs on t1: two of its three pairs do; both pairs of t2's two raters are one, and it differs."""
    found = measured(ada="ynyn", ben="yyn-", eve="yn-n")
    assert [(one.transcript_id, one.levels) for one in found.disputed] == [
        ("t2", {"absent": 1, "enacted": 1}),
        ("t1", {"absent": 2, "enacted": 1}),
    ]
    assert [one.disagreement for one in found.disputed] == pytest.approx([1.0, 2 / 3])


def test_each_level_stands_against_the_others() -> None:
    """Two raters, 20/5/10/15 items: specific agreement 2 * 20 / (25 + 30) and 2 * 15 / (20 + 25); alpha is the same for both."""
    found = measured(ada="y" * 25 + "n" * 25, ben="y" * 20 + "n" * 5 + "y" * 10 + "n" * 15)
    yes, no = found.by_level["enacted"], found.by_level["absent"]
    assert (yes.specific, no.specific) == (pytest.approx(40 / 55), pytest.approx(30 / 45))
    assert (yes.share, no.share) == (pytest.approx(0.55), pytest.approx(0.45))
    assert yes.alpha.estimate == pytest.approx(found.statistics["krippendorff_alpha_nominal"].estimate)


def test_the_rater_who_drives_disagreement_comes_first() -> None:
    """Two raters agree on ten items; the third differs from both on five: in 10 of 20 pairs, they in 5 of 20 each."""
    found = measured(ada="yyyyynnnnn", ben="yyyyynnnnn", eve="nnnnnnnnnn")
    assert next(iter(found.without)) == "eve"
    assert found.without["eve"] == 1.0
    assert found.differs == {"eve": 0.5, "ada": 0.25, "ben": 0.25}


def test_a_model_of_raters_stands_beside_the_majority() -> None:
    """Three raters answer alike and a fourth always says no: no majority turns, and the model finds the fourth blind."""
    careful = "y" * 40 + "n" * 60
    found = measured(ada=careful, ben=careful, eve=careful, ida="n" * 100)
    assert found.consensus is not None
    assert (found.consensus.changed, found.consensus.settled) == (0, 0)
    assert found.consensus.positive_by_model == pytest.approx(0.4, abs=1e-6)
    rates = found.consensus.error_rates
    assert (rates["ada"].sensitivity, rates["ada"].specificity) == (pytest.approx(1), pytest.approx(1))
    assert (rates["ida"].sensitivity, rates["ida"].specificity) == (pytest.approx(0), pytest.approx(1))
    assert "never truth" in found.consensus.note
    assert found.prevalence == pytest.approx(0.4)


def test_a_majority_of_careless_raters_is_called_in_question() -> None:
    """Two raters who see a positive on 40 items tie there with two who never do: the model settles the 40 ties."""
    careful, careless = "y" * 40 + "n" * 60, "n" * 100
    found = measured(ada=careful, ben=careful, ida=careless, joe=careless)
    assert found.consensus is not None
    assert found.consensus.settled == 40
    assert found.consensus.changed == 0


@pytest.mark.parametrize("raters", [{"ada": "yn", "ben": "yy"}, {"ada": "nn", "ben": "nn", "eve": "nn"}])
def test_no_model_where_it_could_say_nothing(raters: dict[str, str]) -> None:
    """Two raters, or one answer only, tell nothing about who errs."""
    assert measured(**raters).consensus is None
