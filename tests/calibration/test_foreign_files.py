"""Files that other people wrote, through the commands: what is missing, refused, misspelt or one-sided reads as what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from judge.cli.main import app
from judge.errors import InputError, JudgeError

RUBRIC = "petty-larceny"
Row = dict[str, Any]


class Files:
    """A folder with a label and a verdict file, and the commands on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, rows: Iterable[Row]) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        return str(path)

    def run(self, *words: str, labels: Iterable[Row] = (), verdicts: Iterable[Row] = ()) -> list[Row]:
        command = [*words, "--json"]
        for option, rows in (("--labels", list(labels)), ("--verdicts", list(verdicts))):
            command += [option, self.write(f"{option[2:]}.jsonl", rows)] if rows else []
        done = CliRunner().invoke(app, command)
        if isinstance(done.exception, JudgeError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def label(item: int, says: str, rater: str = "ida") -> Row:
    return {"transcript_id": f"t{item}", "rubric": RUBRIC, "rater": rater, "rater_kind": "human", "label": says}


def verdict(item: int, level: str | None, judge: str = "keen", **more: Any) -> Row:
    answer = {"status": "refused"} if level is None else {"level": level}
    return {"transcript_id": f"t{item}", "rubric": RUBRIC, "judge": judge} | answer | more


def word(says: object) -> str:
    return "yes" if says else "no"


GOLD = [label(item, word(item < 60)) for item in range(260)]
# Right on 54 of 60 positives and on 196 of 200 negatives, then 20 flags among 1,000 transcripts without a label.
KEEN = [verdict(item, word(6 <= item < 60 or (item >= 60 and item % 50 == 0))) for item in range(260)]
REST = [verdict(item, word(item % 50 == 0)) for item in range(1000, 2000)]


def test_the_default_correction_is_claimed(files: Files) -> None:
    """A corrected rate may be said with its condition, although prediction-powered inference is refused on this gold."""
    (rate,) = files.run("rates", labels=GOLD, verdicts=[*KEEN, *REST])
    assert rate["statistics"]["ppi"]["estimate"] is None
    bounds = rate["statistics"]["lang_reiczigel"]
    (sentence,) = [each for each in rate["claims"]["may"] if "the rate is between" in each]
    assert f"between {bounds['low']:.2%} and {bounds['high']:.2%} at 95 %, if the error rates carry over" in sentence
    assert not any("any rate of" in each for each in rate["claims"]["may_not"])


@pytest.mark.parametrize("flagged", [True, False])
def test_nine_positives_give_no_interval_by_any_way(files: Files, flagged: bool) -> None:
    """With nine positives in gold no corrected rate has an interval, neither by known error rates nor by nothing flagged."""
    rest = REST if flagged else [row | {"level": "no"} for row in REST]
    gold, said = ([row for row in rows if int(row["transcript_id"][1:]) >= 51] for rows in (GOLD, KEEN))
    (rate,) = files.run("rates", labels=gold, verdicts=[*said, *rest])
    corrected = {name: figure for name, figure in rate["statistics"].items() if name not in ("naive", "worst_case")}
    assert ("zero_event_bound" in corrected) is not flagged
    assert all(figure["low"] is None and figure["high"] is None for figure in corrected.values())
    assert any("any rate of" in each and "fewer than 10" in each for each in rate["claims"]["may_not"])
    assert not any("true rate" in each or "is between" in each for each in rate["claims"]["may"])


def test_a_judge_that_refused_everything(files: Files) -> None:
    """A judge without any verdict on gold is all missing, bounded from both sides; that is no mistake in the files."""
    (one,) = files.run("calibrate", labels=GOLD, verdicts=[verdict(item, None) for item in range(260)])
    assert one["missing"] == {"refused": 260}
    assert one["statistics"]["sensitivity"]["note"] == "undefined: no items"
    assert one["bounds"]["sensitivity_if_missing_are_wrong"]["estimate"] == 0.0
    assert one["bounds"]["sensitivity_if_missing_are_right"]["estimate"] == 1.0
    (rate,) = files.run("rates", labels=GOLD, verdicts=[verdict(item, None) for item in range(2000)])
    assert f"any rate of {RUBRIC}: no verdicts" in rate["claims"]["may_not"]


def test_labels_that_differ_in_spelling_only(files: Files) -> None:
    """Raters who write Yes and yes are not taken to disagree: the files have to be made alike first."""
    rows = [*GOLD, *(label(item, word(item < 60).title(), "ben") for item in range(260))]
    for command in ("gold agree", "calibrate"):
        verdicts = KEEN if command == "calibrate" else ()
        with pytest.raises(InputError, match="differ in spelling only: 'No', 'Yes', 'no', 'yes'"):
            files.run(*command.split(), labels=rows, verdicts=verdicts)


def test_gold_and_judge_at_opposite_ends(files: Files) -> None:
    """Gold of yes alone and a judge that only says no share no label, but the words leave no doubt: it found nothing."""
    labels, says = [label(item, "yes") for item in range(40)], [verdict(item, "no") for item in range(40)]
    (one,) = files.run("calibrate", labels=labels, verdicts=says)
    assert one["confusion"]["fn"] == 40
    ones, noughts = [row | {"label": "1"} for row in labels], [row | {"level": "0"} for row in says]
    with pytest.raises(InputError, match="label sets differ"):  # 1 may be half of 1 and 2
        files.run("calibrate", labels=ones, verdicts=noughts)


def test_one_class_allows_no_agreement(files: Files) -> None:
    """On gold of one class neither agreement nor a judge that does not read tells anything, and both are left unsaid."""
    (one,) = files.run("calibrate", labels=[label(item, "no") for item in range(260)], verdicts=KEEN)
    assert not any("kappa" in sentence for sentence in one["claims"]["may"])
    assert any("any agreement of keen with gold" in sentence for sentence in one["claims"]["may_not"])
    assert one["audit"]["judges"] == []


def test_agreement_is_claimed_with_its_n_and_intervals(files: Files) -> None:
    """What may be said of agreement names the number of items, the prevalence, and both figures with their intervals."""
    (one,) = files.run("calibrate", labels=GOLD, verdicts=KEEN)
    (sentence,) = [each for each in one["claims"]["may"] if "agreement" in each]
    kappa = one["statistics"]["cohen_kappa"]
    shown = f"cohen_kappa {kappa['estimate']:.3f} [{kappa['low']:.3f}, {kappa['high']:.3f}]"
    assert sentence.startswith("agreement with gold on 260 items, both together and at 23.1% positives only")
    assert shown in sentence


def test_foreign_levels_are_signed_everywhere(files: Files) -> None:
    """Rows that only say yes or no are flags for `gold next` and `compare` as they are for `rates`."""
    chosen = files.run("gold", "next", "-n", "6", labels=GOLD, verdicts=[*KEEN, *REST])
    assert sorted(row["stratum"] for row in chosen) == ["flagged"] * 3 + ["passed"] * 3
    # 20 of 1,000 are flagged: three of each kind stand for 20 / 3 and 980 / 3.
    assert sorted(row["weight"] for row in chosen) == pytest.approx([20 / 3] * 3 + [980 / 3] * 3)
    other = [row | {"judge": "dull", "level": "no"} for row in REST]
    (found,) = files.run("compare", "keen", "dull", verdicts=[*REST, *other])
    assert (found["n"], found["discordant"]["only_first"]) == (1000, 20)
    grouped = [row | {"model": "old" if index < 500 else "new"} for index, row in enumerate(REST)]
    (groups,) = files.run("compare", "old", "new", "--by", "model", verdicts=grouped)
    assert groups["n"] == 1000


def test_a_difference_within_scenarios_is_none(files: Files) -> None:
    """A judge that misses one scenario of ten, whole, differs from another by one witness, not by thirty."""
    gold = [label(item, "yes") for item in range(300)]
    rows = [verdict(item, "yes", "keen", scene=f"s{item // 30}") for item in range(300)]
    rows += [verdict(item, word(item >= 30), "dull", scene=f"s{item // 30}") for item in range(300)]
    (apart,) = files.run("compare", "keen", "dull", labels=gold, verdicts=rows)
    (shared,) = files.run("compare", "keen", "dull", "--cluster", "scene", labels=gold, verdicts=rows)
    assert apart["p"] == pytest.approx(2 / 2**30)
    assert apart["differ"] is True
    # Over ten scenarios the gaps are 1, 0, ..., 0: mean .1, standard error .1, t = 1 with 9 degrees of freedom.
    assert shared["p"] == pytest.approx(0.3434, abs=5e-5)
    assert shared["differ"] is False
    assert shared["statistics"]["accuracy"]["low"] < 0


Bound = Callable[[Row], Row]


@pytest.mark.parametrize(
    ("command", "find"),
    [
        ("rates", lambda found: found["statistics"]["worst_case"]),
        ("rates", lambda found: found["statistics"]["rogan_gladen"]),
        ("rates", lambda found: found["statistics"]["ppi"]),
        ("calibrate", lambda found: found["bounds"]["sensitivity_if_missing_are_wrong"]),
        ("calibrate", lambda found: found["ceiling"]["ida"]),
        ("calibrate", lambda found: found["rivals"]["always positive"]),
    ],
)
def test_clusters_widen_every_interval(files: Files, command: str, find: Bound) -> None:
    """Where whole scenarios go wrong, no interval stays as narrow as if their items were independent."""
    gold = [
        label(item, word(item < 60 and not (rater == "ben" and item < 12)), rater)
        for item in range(260)
        for rater in ("ida", "ben", "eve")
    ]
    said = [verdict(item, word(6 <= item < 60 or 60 <= item < 72), scene=f"s{item // 3}") for item in range(260)]
    rest = [verdict(item, word(item % 200 < 30), scene=f"s{100 + item // 30}") for item in range(1000, 2000)]
    words = (command, *(["--random-gold"] if command == "rates" else []))
    (free,), (tied,) = (
        [find(found) for found in files.run(*words, *more, labels=gold, verdicts=[*said, *rest])]
        for more in ((), ("--cluster", "scene"))
    )
    assert tied["estimate"] == pytest.approx(free["estimate"])
    assert tied["high"] - tied["low"] > 1.2 * (free["high"] - free["low"])


@pytest.mark.parametrize("epsilon", ["7", "-1", "nan"])
def test_an_epsilon_that_anybody_would_pass(files: Files, epsilon: str) -> None:
    """What a judge may lack lies between 0 and a half: with 7 every judge would replace every rater."""
    words = ["calibrate", "--labels", files.write("l.jsonl", GOLD), "--verdicts", files.write("v.jsonl", KEEN)]
    assert CliRunner().invoke(app, [*words, "--epsilon", epsilon]).exit_code == 2


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--order", "no,no,yes"], "give each level once"),
        (["--order", ","], "give each level once"),
        (["--kind", "alien"], "no such rater kind"),
        (["--items-of", "alien"], "--items-of 'alien': no such rater kind"),
    ],
)
def test_options_that_mean_nothing(files: Files, words: list[str], complaint: str) -> None:
    """A level that stands twice would be a category more, and a kind that is none would leave no label: both are said."""
    with pytest.raises(InputError, match=complaint):
        files.run("gold", "agree", *words, labels=GOLD)


def test_a_negative_seed(files: Files) -> None:
    """There is no such seed; that is a matter of usage, not a crash."""
    path = files.write("l.jsonl", GOLD)
    assert CliRunner().invoke(app, ["gold", "agree", "--labels", path, "--seed", "-1"]).exit_code == 2


def test_contested_items_are_no_part_of_what_is_said_by_level(files: Files) -> None:
    """Of 16 items raters are tied on six. On the other ten Fleiss' kappa is (.8 - (.9^2 + .1^2)) / (1 - .82) = -1/9.

    There the labels say none eight times and minor twice, and the judge says none ten times: .9 and .1 of twenty answers.
    """
    said = ["none"] * 8 + ["minor"] * 2
    gold = [label(item, level, rater) for item, level in enumerate(said) for rater in ("ida", "ben")]
    gold += [
        label(item, level, rater) for item in range(10, 16) for rater, level in (("ida", "major"), ("ben", "minor"))
    ]
    rows = [verdict(item, "none") for item in range(16)]
    options = ("--order", "none,minor,major", "--positive", "major")
    (found,) = files.run("calibrate", *options, labels=gold, verdicts=rows)
    assert found["contested"] == 6
    assert found["by_level"]["fleiss_kappa"]["estimate"] == pytest.approx(-1 / 9)
    assert found["by_level"]["fleiss_kappa"]["n"] == 10
