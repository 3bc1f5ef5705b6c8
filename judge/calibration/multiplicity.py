"""Several judges or behaviours certified in one run: of many, some would pass by chance, and the rest would never be mentioned.

Benjamini and Hochberg (1995) over the run, in the form that decisions from interval bounds take (Benjamini and Yekutieli 2005):
of m members, the largest k are certified that pass with intervals at 1 - k/m of the error allowed. The share of wrong
certificates among those of a run is then at most that error. What each member needs is a whole number, recomputed from its
own record; every record of a run holds the numbers of all, so that each certificate can be checked without the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from judge.calibration.calibrate import Calibration, measure
from judge.calibration.gates import Gate, Needs, evaluate, evaluate_bounds, total_needs
from judge.calibration.matching import Matched
from judge.calibration.protocol import Protocol
from judge.calibration.records import Member, Record, hash_answers, hash_gold, match_record
from judge.errors import IntegrityError


def bind_together(records: Sequence[Record]) -> list[Record]:
    """The records of one run, each with all of its members and what each of them needs to pass."""
    family = []
    for record in records:
        one = match_record(record)
        figures = measure(one, epsilon=record.protocol.thresholds.epsilon, seed=0)
        needs = find_parts(record, one, figures, len(records))
        family.append(_member(record).model_copy(update={"parts": needs}))
    return [record.model_copy(update={"family": tuple(family)}) for record in records]


def find_parts(record: Record, one: Matched, figures: Calibration, size: int) -> int | None:
    """The least number of parts of the error, of `size`, with which every gate passes; None if not even all of them do.

    Wider intervals never pass what narrower ones did not, so that the number is found by halving.
    """

    def passed(gates: Iterable[Gate]) -> bool:
        return all(gate.state in ("passed", "reported") for gate in gates)

    def passes(parts: int) -> bool:
        return passed(evaluate_bounds(record, one, level_of(record.protocol, parts, size)))

    if one.ratings.kinds != {"human"} or record.identity.unknown() or not passed(evaluate(record, one, figures)):
        return None
    low, high = 1, size
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle + 1, high)
    return low


def level_of(protocol: Protocol, parts: int, size: int) -> float:
    """The level of intervals that may err with `parts` of `size` of what the protocol allows at each look."""
    return 1 - (1 - protocol.interval_level) * parts / size


def count_selected(family: Sequence[Member]) -> int:
    """How many members pass together: the largest k of which k pass with k parts of the error."""
    needed = sorted(member.parts for member in family if member.parts is not None)
    return max((k for k, parts in enumerate(needed, start=1) if parts <= k), default=0)


def find_member(record: Record) -> Member:
    """The entry of the record's own judge and rubric in its family.

    Raises:
        IntegrityError: if there is not exactly one that names the record's labels and answers.
    """
    named = [member for member in record.family if member.model_copy(update={"parts": None}) == _member(record)]
    if len(named) != 1:
        raise IntegrityError("the record's family does not hold its own labels and answers exactly once")
    return named[0]


def tell_together(record: Record, one: Matched) -> tuple[float, Gate]:
    """The level at which this member's gates are decided, and the gate that says how it stands among the others."""
    mine, size, selected = find_member(record), len(record.family), count_selected(record.family)
    gate = Gate(gate="G9", name="together", state="reported", text="certified alone, nothing was chosen from")
    if size == 1:
        return record.protocol.interval_level, gate
    among = f"{size} were certified in this run, {selected} of them pass together (Benjamini-Hochberg)"
    if mine.parts is None:
        update = {"text": f"{among}; this one does not pass by itself"}
        return record.protocol.interval_level, gate.model_copy(update=update)
    if mine.parts <= selected:
        level = level_of(record.protocol, selected, size)
        update = {"state": "passed", "text": f"{among}; intervals at {level:.4g}"}
        return level, gate.model_copy(update=update)
    wanted = evaluate_bounds(record, one, level_of(record.protocol, selected + 1, size))
    text = f"{among}; this one would pass alone, but among so many a pass like this is within chance"
    needs: Needs = total_needs(each.needs for each in wanted if each.state == "open")
    return record.protocol.interval_level, gate.model_copy(update={"state": "open", "text": text, "needs": needs})


def _member(record: Record) -> Member:
    return Member(
        judge=record.identity.judge,
        rubric=record.identity.rubric,
        gold_sha256=hash_gold(record.items, record.ratings),
        answers_sha256=hash_answers(record.answers),
        parts=None,
    )
