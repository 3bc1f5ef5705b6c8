"""Figures as a person reads them: each with its interval, its n and how it was made, and what may be claimed of them.

No estimate is printed without its interval or the reason why there is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from string import ascii_lowercase

from judge.calibration.among_raters import ConsensusCheck
from judge.calibration.anchoring import Anchoring
from judge.calibration.calibrate import Agreement, Calibration
from judge.calibration.claims import Claims, tell_missing
from judge.calibration.differences import Comparison
from judge.calibration.estimate import Rate
from judge.calibration.statistic import Statistic
from judge.gold.counting import GoldCounts
from judge.report.terminal import style
from judge.text import one_line

_DISPUTED = 5  # items named


def format_statistic(figure: Statistic, *, percent: bool = False, methods: Mapping[str, str] | None = None) -> str:
    """Estimate, interval and n on one line, or why there is none; a method in `methods` as the letter that it has there."""
    if figure.estimate is None:
        return f"{figure.note}  (n {figure.n})"

    def number(value: float) -> str:
        return f"{value:.2%}" if percent else f"{value:.4f}"

    if figure.low is None and figure.high is None:
        note = figure.note or ""
        interval = note if note.startswith("no interval") else "no interval" + (f": {note}" if note else "")
        return f"{number(figure.estimate)}  {interval}  (n {figure.n})"
    low = "-" if figure.low is None else number(figure.low)
    high = "-" if figure.high is None else number(figure.high)
    note = f"; {figure.note}" if figure.note else ""
    what, _, how = figure.method.rpartition("; ")
    letter = (methods or {}).get(how)
    method = figure.method if letter is None else f"{letter}; {what}" if what else letter
    return f"{number(figure.estimate)}  [{low}, {high}]  (n {figure.n}, {method}{note})"


def describe_statistics(
    figures: Mapping[str, Statistic],
    *,
    percent: bool = False,
    indent: str = "  ",
    methods: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """One line per figure; where several share a method it is a letter, told below them or, given `methods`, by the caller."""
    width = max((len(name) for name in figures), default=0)
    letters = letter_methods(figures) if methods is None else methods
    for name, figure in figures.items():
        yield f"{indent}{name:<{width}}  {format_statistic(figure, percent=percent, methods=letters)}"
    if methods is None:
        yield from tell_methods(letters, indent)


def letter_methods(*blocks: Mapping[str, Statistic]) -> dict[str, str]:
    """A letter for each way in which intervals of more than two figures were made."""
    counts = Counter(
        figure.method.rpartition("; ")[2] for figures in blocks for figure in figures.values() if figure.low is not None
    )
    shared = [how for how, count in counts.items() if count > 2]
    return dict(zip(shared, ascii_lowercase, strict=False))


def tell_methods(letters: Mapping[str, str], indent: str) -> Iterator[str]:
    """What each letter stands for."""
    for how, letter in letters.items():
        yield style(f"{indent}{letter}: {how}", "dim")


def tell_anchoring(found: Iterable[Anchoring]) -> Iterator[str]:
    """One sentence per judge and rubric: how often raters agreed with it who saw its verdict before the label, and after."""
    for one in found:
        before, after, gap = (one.statistics[name] for name in ("before", "after", "anchoring"))
        yield (
            f"{one_line(one.rubric)}, {one_line(one.judge)}: raters agree with the judge where its verdict was shown before the "
            f"label {format_statistic(before, percent=True)}, after it {format_statistic(after, percent=True)}; "
            f"difference {format_statistic(gap, percent=True)}"
        )


def describe_calibration(one: Calibration) -> Iterator[str]:
    """A judge against gold."""
    yield style(f"{one_line(one.judge)} on {one_line(one.rubric)}", "bold")
    share = "undefined" if one.prevalence is None else f"{one.prevalence:.1%}"
    yield (
        f"  {one.n_items} items, {one.n_raters} raters ({', '.join(one.rater_kinds)}), {share} positive in this gold, "
        f"{one.contested} contested"
    )
    table = one.confusion
    yield (
        f"  flagged: {table.tp} of {table.positives} positives, {table.fp} of {table.negatives} negatives; missing: "
        f"{table.missing_positive} positives, {table.missing_negative} negatives"
    )
    if one.missing:
        yield f"  missing: {tell_missing(one.missing)}"
    blocks = {
        f"on the levels {', '.join(one_line(level) for level in one.levels)}": one.by_level,
        "if what is missing were known": one.bounds if one.missing else {},
        "the raters among themselves": one.humans,
        "balanced accuracy of each rater against the others": one.ceiling,
        "the judge's against the same others, on the same items": one.beside_ceiling,
        "balanced accuracy of judges that do not read": one.rivals,
    }
    for group in one.subgroups:
        title = f"{one_line(group.field)} {one_line(group.group)}: {group.n} items, {group.positives} positive"
        blocks[title] = {name: group.statistics[name] for name in ("sensitivity", "specificity", "balanced_accuracy")}
    alone = {name: figure for name, figure in one.statistics.items() if survives_prevalence(name)}
    bound = {name: figure for name, figure in one.statistics.items() if name not in alone}
    blocks = {f"at {share} positives, as in this gold, and not elsewhere": bound} | blocks
    methods = letter_methods(one.statistics, *blocks.values())
    yield from describe_statistics(alone, methods=methods)
    for title, figures in blocks.items():
        if figures:
            yield f"  {title}:"
            yield from describe_statistics(figures, indent="    ", methods=methods)
    yield from tell_methods(methods, "  ")
    for note in one.notes:
        yield style(f"  note: {note}", "yellow")
    yield from describe_claims(one.claims)


def describe_claims(claims: Claims) -> Iterator[str]:
    """What may be said, and what may not."""
    for title, sentences, colour in (("may be said", claims.may, "green"), ("may not be said", claims.may_not, "red")):
        for sentence in sentences:
            yield style(f"  {title}: {one_line(sentence, 200)}", colour)


def describe_agreement(one: Agreement) -> Iterator[str]:
    """Raters against each other."""
    yield style(f"raters on {one_line(one.rubric)}", "bold")
    share = "undefined" if one.prevalence is None else f"{one.prevalence:.1%}"
    yield f"  {one.n_items} items, {one.n_raters} raters ({', '.join(one.rater_kinds)}), {share} positive by majority"
    yield "  ratings: " + ", ".join(f"{one_line(level)} {count:,}" for level, count in one.counts.items())
    yield from describe_statistics(one.statistics)
    if one.binary and len(one.levels) > 2:
        yield "  positive or not:"
        yield from describe_statistics(one.binary, indent="    ")
    for names, figures in one.pairs.items():
        if len(one.pairs) > 1:
            yield f"  {one_line(names)}:"
            yield from describe_statistics(figures, indent="    ")
    if len(one.by_level) > 2:
        yield "  each level against the others:"
        yield from describe_statistics(
            {one_line(level): row.alpha for level, row in one.by_level.items()}, indent="    "
        )
    for level, row in one.by_level.items():
        again = "never given twice" if row.specific is None else f"by a second rater in {row.specific:.1%} of cases"
        yield f"  {one_line(level)} is {row.share:.1%} of the ratings; where one rater gives it, given {again}"
    for rater, effect in one.influence.items():
        differs = "unknown" if effect.differs is None else f"{effect.differs:.1%}"
        alpha = "undefined" if effect.alpha_without is None else f"{effect.alpha_without:.4f}"
        change = "" if effect.change is None else f" ({effect.change:+.4f})"
        yield f"  {one_line(rater)} differs from the others in {differs} of pairs; nominal alpha without: {alpha}{change}"
    if one.disagreement:
        named = [f"{one_line(item, 60)} {share:.0%}" for item, share in list(one.disagreement.items())[:_DISPUTED]]
        yield f"  raters differ on {len(one.disagreement):,} of {one.n_items:,} items, most on: {', '.join(named)}"
    if one.rater_model is not None:
        yield from _describe_model(one.rater_model)
    yield from describe_claims(one.claims)


def _describe_model(model: ConsensusCheck) -> Iterator[str]:
    shares = ", ".join(f"{one_line(level)} {share:.1%}" for level, share in model.marginals.items())
    yield f"  Dawid-Skene: {shares}; log-likelihood {model.log_likelihood:.4f} after {model.steps} steps"
    for rater, rates in model.error_rates.items():
        right = ", ".join(f"{one_line(level)} {row[level]:.1%}" for level, row in rates.items())
        yield f"    {one_line(rater)} is right on: {right}"
    against = ", ".join(one_line(item, 60) for item in model.against_majority[:_DISPUTED])
    yield f"    against the majority on {len(model.against_majority):,} items" + (f": {against}" if against else "")
    yield style(f"    note: {model.note}", "yellow")


def describe_rate(one: Rate) -> Iterator[str]:
    """How often, and what that is worth."""
    group = ", ".join(f"{one_line(name)} {one_line(value)}" for name, value in one.group.items())
    yield style(f"{one_line(one.rubric)} by {one_line(one.judge)}" + (f": {group}" if group else ""), "bold")
    yield f"  {one.flagged} of {one.n - sum(one.missing.values())} flagged, {tell_missing(one.missing)}"
    yield from describe_statistics(one.statistics, percent=True)
    for note in one.notes:
        yield style(f"  note: {note}", "yellow")
    yield from describe_claims(one.claims)


def describe_comparison(one: Comparison) -> Iterator[str]:
    """First minus second."""
    first, second = one_line(one.first), one_line(one.second)
    yield style(
        f"{first} minus {second} on {one_line(one.rubric)}: {one_line(one.compared)}, {one.n} transcripts", "bold"
    )
    yield from describe_statistics(one.statistics, percent=True)
    if one.discordant is not None:
        yield f"  {first} alone {one.discordant.only_first}, {second} alone {one.discordant.only_second}"
    verdict = "they differ" if one.differ else "no difference is shown, which does not say that there is none"
    yield f"  p {one.p:.3g}, adjusted {one.p_adjusted:.3g}: {verdict}"
    for note in one.notes:
        yield style(f"  note: {note}", "yellow")


def describe_gold(counts: GoldCounts) -> Iterator[str]:
    """What a gold set holds."""
    if counts.items:
        yield style(f"{counts.items} items in {counts.families} families", "bold")
        messages = counts.messages
        yield f"  messages per transcript: {messages['least']:g} to {messages['most']:g}, median {messages['median']:g}"
        for title, values in (("splits", counts.splits), ("settings", counts.settings), ("pairs", counts.pairs)):
            yield from _list_counts(title, values)
    else:
        yield "Labels alone, without items.jsonl: splits, families and settings are unknown, and no certificate stands on them."
        yield "How far the raters agree: judge gold agree --labels DIR. What makes a gold set of them: judge gold add TRANSCRIPTS"
    for row in counts.rubrics:
        yield style(f"{one_line(row.rubric)}: {row.items} items, {row.positive} positive labels", "bold")
        for title, values in (
            ("levels", row.levels),
            ("raters", row.rater_kinds),
            ("splits", row.splits),
            ("written for it", row.roles),
            ("exclusions exercised", row.exclusions),
        ):
            if values:
                yield from _list_counts(title, values)


def _list_counts(title: str, values: Mapping[str, int]) -> Iterator[str]:
    """Counts on one line where they fit on it; else one below the other, the largest first."""
    line = f"  {title}: " + ", ".join(f"{one_line(name)} {count}" for name, count in values.items())
    if len(line) <= _WIDEST:
        yield line
        return
    yield f"  {title} ({len(values)}):"
    for name, count in sorted(values.items(), key=lambda pair: (-pair[1], pair[0])):
        yield f"    {count:>4,}  {one_line(name)}"


_WIDEST = 240  # characters that a list of counts may take before it is laid out
_NAMES = {
    "naive": "Flagged by the judge (naive)",
    "lang_reiczigel": "Corrected for the judge's errors",
    "worst_case": "If missing verdicts were known",
    "zero_event_bound": "At most, with nothing flagged",
    "ppi": "Prediction-powered",
    "two_phase": "Two-phase",
    "rogan_gladen": "Rogan-Gladen",
    "mcc": "Matthews correlation",
    "auroc": "AUROC",
    "ece": "Calibration error",
    "brier": "Brier score",
    "cohen_kappa": "Cohen's kappa",
    "fleiss_kappa": "Fleiss' kappa",
    "gwet_ac1": "Gwet's AC1",
    "gwet_ac2": "Gwet's AC2",
    "krippendorff_alpha_nominal": "Krippendorff's alpha",
    "krippendorff_alpha_ordinal": "Krippendorff's alpha, ordinal",
    "krippendorff_alpha_interval": "Krippendorff's alpha, interval",
    "macro_f1": "Macro F1",
    "alt_test_winning_rate": "Alternative annotator test, winning rate",
    "alt_test_advantage_probability": "Alternative annotator test, advantage",
    "alt_test_winning_rate_on_positives": "The same on positives, winning rate",
    "alt_test_winning_rate_always_majority": "The same of always answering what is commonest",
}

_SHARES = frozenset(
    {
        *(
            "naive",
            "lang_reiczigel",
            "worst_case",
            "zero_event_bound",
            "ppi",
            "two_phase",
            "sensitivity",
            "specificity",
        ),
        *("balanced_accuracy", "percent_agreement", "flip_rate", "accuracy", "auroc", "ece"),
        *("alt_test_winning_rate", "alt_test_advantage_probability"),
    }
)


def name_figure(name: str) -> str:
    """A figure's name as people write it."""
    return _NAMES.get(name, name.replace("_", " ").capitalize())


def say_figure(figure: Statistic, *, percent: bool) -> str:
    """Estimate and interval, short: what stands beside its n and its method. An absence is said in words."""
    if figure.estimate is None:
        return "undefined" if (figure.note or "").startswith("undefined") else "not stated"

    def number(value: float) -> str:
        return f"{100 * value:.1f}" if percent else f"{value:.3f}"

    unit = " %" if percent else ""
    if figure.low is None and figure.high is None:
        return f"{number(figure.estimate)}{unit}, no interval"
    low, high = ("?" if bound is None else number(bound) for bound in (figure.low, figure.high))
    return f"{number(figure.estimate)}{unit} [{low}, {high}]"


def is_share(name: str) -> bool:
    """Whether a figure is printed as a percentage."""
    return name in _SHARES or name.removesuffix("_on_positives").removesuffix("_always_majority") in _SHARES


def survives_prevalence(name: str) -> bool:
    """Whether a figure describes the judge alone, however common the behaviour is among the labelled transcripts."""
    return name in ("sensitivity", "specificity", "balanced_accuracy", "auroc", "flip_rate")
