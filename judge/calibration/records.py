"""Everything that a certificate is computed from, in one file beside it, so that anyone can compute it again without us.

A record holds the protocol, the items of the split with their labels, the judge's verdicts on them, who was asked what (the
hashes of prompt, rubric and parameters) and when the split was opened. It holds no words of any transcript.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field

from judge.calibration.matching import Matched, match
from judge.calibration.protocol import Protocol
from judge.canonical import canonical_json, content_sha256
from judge.errors import InputError
from judge.frozen import Frozen
from judge.gold.labels import latest
from judge.gold.model import Item, Label, Split
from judge.ledger.verdict import Verdict
from judge.rubrics.model import Scale
from judge.text import quoted
from judge.transcripts.model import Transcript

SCHEMA: Final = "judge.record/2"
# What a transcript's run may say about who was judged, under which conditions.
SCOPE_FIELDS: Final = ("model", "models", "language", "harness", "condition")


class Identity(Frozen):
    """Who judged: a certificate holds for exactly this. Null: the verdict rows do not say."""

    judge: str
    rubric: str
    rubric_sha256: str | None
    prompt_sha256: str | None
    judge_sha256: str | None  # of the judge's parameters

    def unknown(self) -> list[str]:
        """The hashes that are not known, so that a change of them could not be seen."""
        return [name for name in ("rubric_sha256", "prompt_sha256", "judge_sha256") if getattr(self, name) is None]


class Opening(Frozen):
    """The moment at which the labels of a split were first compared with a judge's verdicts under a protocol."""

    protocol_sha256: str
    identity: Identity
    split: Split
    items: tuple[str, ...]
    gold_sha256: str
    answers_sha256: str  # of the judge's first answer on each item
    look: int = Field(ge=1)  # 1: nobody had opened any of these items for this rubric before
    opened_at: str


class GoldItem(Frozen):
    """An item of the split: its scenario family, its length, and what the run says of itself."""

    transcript_id: str
    content_sha256: str
    family: str
    setting: str | None = None
    messages: int | None = None
    characters: int | None = None
    run: dict[str, str] = Field(default_factory=dict)


class Rating(Frozen):
    """A label without its words."""

    transcript_id: str
    rater: str
    rater_kind: Literal["human", "ai", "constructed", "adjudicated"]
    label: str
    blind: bool | None = None
    guideline: str | None = None


class Answer(Frozen):
    """A verdict without its words."""

    transcript_id: str
    sample: int
    status: str
    level: str | None = None
    positive: bool | None = None
    score: float | None = None
    p_positive: float | None = None


class Member(Frozen):
    """A judge on a rubric that was certified in the same run.

    `parts`: with how many parts of the error that the protocol allows, of as many as there are members, it passes; null if it
    does not even with all of them.
    """

    judge: str
    rubric: str
    gold_sha256: str
    answers_sha256: str
    parts: int | None


class Record(Frozen):
    """The inputs of one certificate."""

    schema_: Literal["judge.record/2"] = Field(default=SCHEMA, alias="schema")
    protocol: Protocol
    identity: Identity
    opening: Opening
    scale: Scale | None
    positive: tuple[str, ...]
    items: tuple[GoldItem, ...]
    split_families: tuple[str, ...]  # families that stand in another split as well
    ratings: tuple[Rating, ...]
    answers: tuple[Answer, ...]
    family: tuple[Member, ...] = ()  # all that were certified in this run, this one among them (`multiplicity`)
    made_with: dict[str, str]

    def to_bytes(self) -> bytes:
        """Canonical JSON, one line."""
        return canonical_json(self.model_dump(mode="json", by_alias=True)) + b"\n"


class SplitGold(NamedTuple):
    """One split of a gold set on one rubric."""

    items: tuple[GoldItem, ...]
    ratings: tuple[Rating, ...]
    split_families: tuple[str, ...]


def hash_gold(items: Iterable[GoldItem], ratings: Iterable[Rating]) -> str:
    """Hash of the items and labels of a split."""
    rows = {"items": items, "labels": ratings}
    return content_sha256({name: [row.model_dump(mode="json") for row in each] for name, each in rows.items()})


def hash_answers(answers: Iterable[Answer]) -> str:
    """Hash of a judge's answers."""
    return content_sha256([row.model_dump(mode="json") for row in answers])


def take_split(
    items: Mapping[str, Item],
    transcripts: Mapping[str, Transcript],
    labels: Iterable[Label],
    rubric: str,
    split: Split,
) -> SplitGold:
    """The labelled items of one split, each rater's last word on them.

    Decisions on disputes are left out: they were given with the judge's verdict in sight, on items that were picked because
    somebody doubted it, and would certify the judge by its own word.

    Raises:
        InputError: if the split has no label on this rubric.
    """
    ours = {name for name, item in items.items() if item.split == split}
    rows = [
        label
        for label in latest(labels)
        if label.rubric == rubric
        and label.criterion is None
        and label.transcript_id in ours
        and not (label.rater_kind == "adjudicated" and label.blind is False)
    ]
    if not rows:
        splits = ", ".join(sorted({item.split for item in items.values()})) or "none"
        raise InputError(
            f"no label on {quoted(rubric)} in split {quoted(split)}; splits of this gold set are {splits}; "
            "the protocol's `split` says which one certifies, -r leaves other rubrics out"
        )
    named = sorted({row.transcript_id for row in rows})
    elsewhere = {item.family for item in items.values() if item.split != split}
    families = {items[name].family for name in named}
    return SplitGold(
        tuple(_gold_item(items[name], transcripts.get(name)) for name in named),
        tuple(
            Rating(**{name: getattr(row, name) for name in Rating.model_fields})
            for row in sorted(rows, key=lambda row: (row.transcript_id, row.rater))
        ),
        tuple(sorted(families & elsewhere)),
    )


def identify(verdicts: Sequence[Verdict]) -> Identity:
    """Who made these verdicts of one judge on one rubric.

    Raises:
        InputError: if they were made with more than one prompt, rubric or set of parameters.
    """
    found: dict[str, Any] = {}
    for name in ("judge", "rubric", "rubric_sha256", "prompt_sha256", "judge_sha256"):
        values = {getattr(row, name) for row in verdicts}
        if len(values) != 1:
            shown = ", ".join(sorted(quoted(value, 14) for value in values))
            raise InputError(f"verdicts have {len(values)} values of {name} ({shown}); certify one at a time")
        (found[name],) = values
    return Identity(**found)


def take_answers(verdicts: Iterable[Verdict], gold: SplitGold) -> tuple[Answer, ...]:
    """The answers of one judge on the items of the split, in order."""
    named = {item.transcript_id for item in gold.items}
    found = (
        Answer(**{name: getattr(row, name) for name in Answer.model_fields})
        for row in verdicts
        if row.transcript_id in named
    )
    return tuple(sorted(found, key=lambda row: (row.transcript_id, row.sample)))


def build_record(
    protocol: Protocol,
    gold: SplitGold,
    answers: Sequence[Answer],
    opening: Opening,
    *,
    scale: Scale | None,
    positive: Collection[str] = (),
    made_with: Mapping[str, str],
) -> Record:
    """Put together what a certificate is computed from. Its date is that of the opening."""
    return Record(
        protocol=protocol,
        identity=opening.identity,
        opening=opening,
        scale=scale,
        positive=tuple(sorted(positive)),
        items=gold.items,
        split_families=gold.split_families,
        ratings=gold.ratings,
        answers=tuple(answers),
        made_with=dict(made_with),
    )


def match_record(record: Record) -> Matched:
    """Join the record's labels and answers, as for any calibration."""
    rubric, judge = record.identity.rubric, record.identity.judge
    labels = [Label(rubric=rubric, **row.model_dump()) for row in record.ratings]
    verdicts = [
        Verdict(
            verdict_id=f"{row.transcript_id}/{row.sample}",
            rubric=rubric,
            judge=judge,
            **row.model_dump(),
        )
        for row in record.answers
    ]
    families = {item.transcript_id: item.family for item in record.items}
    scales = {rubric: record.scale} if record.scale else {}
    (one,) = match(verdicts, labels, scales=scales, positive=record.positive, clusters=families)
    return one


def _gold_item(item: Item, transcript: Transcript | None) -> GoldItem:
    if transcript is None:
        return GoldItem(
            transcript_id=item.transcript_id,
            content_sha256=item.content_sha256,
            family=item.family,
            setting=item.setting,
        )
    run = {name: str(transcript.run[name]) for name in SCOPE_FIELDS if transcript.run.get(name)}
    return GoldItem(
        transcript_id=item.transcript_id,
        content_sha256=item.content_sha256,
        family=item.family,
        setting=item.setting,
        messages=len(transcript.messages),
        characters=sum(len(part.text) for _, part in transcript.parts()),
        run=run,
    )
