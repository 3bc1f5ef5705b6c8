"""What may be said on the strength of a figure, and what may not: the sentences, made from the figures.

A rate without the judge's errors is no prevalence; one agreement figure alone is no quality; nothing found is not nothing
there. These rules are code so that no table, page or report can print one without the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from judge.calibration.planning import items_for_alpha
from judge.calibration.statistic import Statistic
from judge.frozen import Frozen
from judge.rubrics.model import OUTSIDE
from judge.text import one_line

FEWEST: Final = 10  # items of a class below which no interval of its error rate is worth printing


class Claims(Frozen):
    """Sentences that the figures bear, and sentences that they do not."""

    may: tuple[str, ...]
    may_not: tuple[str, ...]


def below_chance(figures: Mapping[str, Statistic]) -> bool:
    """Whether a judge is worse than guessing beyond doubt, which points to swapped labels rather than to bad judgement."""
    correlation, area = figures["mcc"].high, figures["balanced_accuracy"].high
    return (correlation is not None and correlation < 0) or (area is not None and area < 0.5)


def claims_of_judge(
    rubric: str,
    judge: str,
    *,
    figures: Mapping[str, Statistic],
    positives: int,
    negatives: int,
    prevalence: float | None,
    human: bool,
) -> Claims:
    """What a judge's figures on gold bear."""
    may, may_not = [], []
    for name, count, what in (("sensitivity", positives, "positives"), ("specificity", negatives, "negatives")):
        figure = figures[name]
        if count < FEWEST or figure.estimate is None or figure.low is None or figure.high is None:
            may_not.append(f"any {name} of {judge} on {rubric}: measured on {count} {what}")
            continue
        right = round(figure.estimate * figure.n)
        may.append(f"{judge} was right on {right} of {figure.n} {what}: {name} {_interval(figure)}")
    share = "unknown" if prevalence is None else f"{prevalence:.1%}"
    beside = [figures[name] for name in ("cohen_kappa", "gwet_ac1") if name in figures]
    if min(positives, negatives) < FEWEST or len(beside) < 2 or any(figure.estimate is None for figure in beside):
        may_not.append(
            f"any agreement of {judge} with gold: measured on {positives} positives and {negatives} negatives"
        )
    else:
        shown = " and ".join(
            f"{name} {_interval(figure)}" for name, figure in zip(("cohen_kappa", "gwet_ac1"), beside, strict=True)
        )
        may.append(f"agreement with gold on {beside[0].n} items, both together and at {share} positives only: {shown}")
    if not human:
        may_not.append("how well the judge does against people: these labels are not human")
    may_not += [
        f"{judge} is validated or certified: that takes judge calibrate --certify",
        "accuracy, agreement, AC1 or the rater test alone: a judge that always says no has them too",
        f"precision, F1, kappa or alpha for transcripts where other than {share} are positive",
        "anything on models, scenarios or languages that this gold does not hold",
    ]
    return Claims(may=tuple(may), may_not=tuple(may_not))


def tell_missing(missing: Mapping[str, int]) -> str:
    """Say apart what counts neither way: no verdict at all, and verdicts outside the scale; `missing` counts by reason.

    Both bound a rate. Who reads it must know that a transcript without a verdict can be graded again, and that one to which
    the rubric does not apply is done.
    """
    told = []
    for what, outside in (("without a verdict", False), ("outside the scale", True)):
        here = {reason: count for reason, count in sorted(missing.items()) if (reason in OUTSIDE) is outside}
        if here:
            why = ", ".join(f"{count} {one_line(reason)}" for reason, count in here.items())
            told.append(f"{sum(here.values())} {what} ({why})")
    return ", ".join(told) or "0 without a verdict"


def claims_of_raters(
    rubric: str, alpha: Statistic, *, n_raters: int, prevalence: float | None, human: bool, low: float, point: float
) -> Claims:
    """What raters' agreement bears: `alpha` of positive or not, tentative from the lower bound `low`, reliable from `point`.

    The bars are Krippendorff's (2004).
    """
    may, may_not = [], []
    share = "an unknown share" if prevalence is None else f"{prevalence:.1%}"
    if alpha.estimate is None or alpha.low is None or alpha.high is None:
        may_not.append(f"that raters agree on {rubric}: {alpha.note}")
    else:
        may.append(f"{n_raters} raters on {alpha.n} items, {share} of them positive: nominal alpha {_interval(alpha)}")
        more = items_for_alpha(alpha.estimate, alpha.low, alpha.n, low)
        if alpha.high < low:
            may_not.append(
                f"anything of any judge on {rubric}: raters do not agree (alpha below {low:g}), mend the rubric first"
            )
        elif alpha.low < low:
            about = (
                "more items will hardly change it" if more is None else f"about {more:,} further items would settle it"
            )
            may_not.append(f"that raters agree on {rubric} (lower bound {low:g}): {about}")
        elif alpha.estimate < point:
            may_not.append(f"that raters agree reliably on {rubric} (alpha {point:g}): tentative conclusions only")
        else:
            may.append(f"raters agree reliably on {rubric}")
    if not human:
        may_not.append("how far people agree: these labels are not human")
    may_not.append("percent agreement or AC1 alone, or any of these figures at another share of positives")
    return Claims(may=tuple(may), may_not=tuple(may_not))


def claims_of_rate(
    rubric: str,
    *,
    flagged: int,
    decided: int,
    missing: Mapping[str, int],
    figures: Mapping[str, Statistic],
    level: str | None,
) -> Claims:
    """What a group's flags bear. `level`: of a certificate that covers judge and rubric, `RATE` or `SCREENING`, or None."""
    may = [f"the judge flagged {flagged} of {decided} transcripts" + (f"; {tell_missing(missing)}" if missing else "")]
    may_not = [f"{flagged} of {decided} as the rate of {rubric}: flags are not the behaviour"] if decided else []
    bound = figures.get("zero_event_bound")
    # What is missing may be missing because of what it would have shown.
    gone, where = sum(missing.values()), " on the scale" if missing.keys() & set(OUTSIDE) else ""
    among = f", among those with a verdict{where}: of the {gone:,} without one nothing is known" if gone else ""
    corrected = [figures[name] for name in ("two_phase", "ppi", "lang_reiczigel") if name in figures]
    best = next((figure for figure in corrected if figure.low is not None and figure.high is not None), None)
    if bound is not None and bound.high is not None:
        measured_on = bound.method.partition("sensitivity ")[2].partition(",")[0]
        may.append(
            f"0 of {decided} flagged: at 95 % the true rate is below {bound.high:.2%}, given sensitivity {measured_on}"
            + among
        )
    elif best is not None:
        qualified = "" if best is figures.get("two_phase") else among  # there the undecided are a stratum of their own
        where = "if the error rates carry over from gold" if best is figures.get("lang_reiczigel") else "from labels"
        may.append(f"the rate is between {best.low:.2%} and {best.high:.2%} at 95 %, {where}" + qualified)
    else:
        # The last of them is the one that asks least of the labels.
        lacking = "no labels with verdicts of this judge" if decided else "no verdicts"
        may_not.append(f"any rate of {rubric}: {corrected[-1].note if corrected else lacking}")
    may_not.append(f"that there is no {rubric}: nothing flagged is not nothing there")
    if level != "RATE":
        may_not.append("a corrected rate as established: no certificate at level RATE covers this judge and rubric")
    return Claims(may=tuple(may), may_not=tuple(may_not))


def claims_of_certificate(decision: str, level: str | None, judge: str, rubric: str, lacking: Sequence[str]) -> Claims:
    """What a certificate bears; `lacking` names what its gold does not hold."""
    outside = [f"anything on {name}: the gold does not hold it" for name in lacking]
    if decision == "certified" and level == "SCREENING":
        may = f"{judge} is certified for SCREENING on {rubric}: its flags may choose what people read"
        return Claims(may=(may,), may_not=("rates of the behaviour: that takes level RATE", *outside))
    if decision == "certified":
        may = f"{judge} is certified for RATE on {rubric}: rates corrected for its errors may be printed"
        return Claims(may=(may,), may_not=("its flag rate as a prevalence", *outside))
    text = {
        "refused": f"{judge} did not reach what the protocol asks for on {rubric}",
        "insufficient": f"whether {judge} can be certified on {rubric} is open; more labels would settle it",
        "provisional": f"{judge} was measured on {rubric} against labels, or with a prompt, that certify nothing",
    }[decision]
    return Claims(may=(text,), may_not=(f"{judge} is certified or validated on {rubric}", *outside))


def _interval(figure: Statistic) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.estimate:.3f} (no interval)"
    return f"{figure.estimate:.3f} [{figure.low:.3f}, {figure.high:.3f}]"
