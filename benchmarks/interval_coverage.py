"""How often each printed interval holds the truth, in simulations whose truth is known. Nominal is .95.

    python -m benchmarks.interval_coverage [RUNS]

One line for each interval and setting: coverage, mean width, and the share of runs without an interval. With RUNS runs
(default 1000) a coverage of .95 has a standard error of sqrt(.0475 / RUNS), .007 by default; settings without a
bootstrap are cheap and get five times as many. Two minutes on one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from judge.calibration.accuracy import accuracy
from judge.calibration.alpha import krippendorff_alpha
from judge.calibration.comparison import paired_difference
from judge.calibration.intervals import clustered_proportion
from judge.calibration.kappa import agreement_coefficient
from judge.calibration.legacy import hayes_krippendorff
from judge.calibration.rate_difference import difference, shared_cluster_difference
from judge.calibration.rates import (
    Gold,
    Stratum,
    lang_reiczigel,
    naive,
    prediction_powered,
    two_phase,
    zero_event_bound,
)
from judge.calibration.scores import auroc, average_precision, brier
from judge.calibration.statistic import Statistic

REPLICATES = 1000
CHEAPER = 5
Generator = np.random.Generator


class Setting(NamedTuple):
    """One line of the table: what is simulated, the truth of each figure, and one run of it."""

    name: str
    truth: dict[str, float]
    run: Callable[[Generator], dict[str, Statistic]]


class Line(NamedTuple):
    """Coverage of one interval in one setting."""

    setting: str
    interval: str
    coverage: float
    width: float
    none: float


def measure(settings: Iterator[Setting], runs: int, seed: int = 0) -> Iterator[Line]:
    """Run each setting and count how often its intervals hold the truth; an absent interval is neither."""
    for index, setting in enumerate(settings):
        rng = np.random.default_rng([seed, index])
        held = {name: list[bool]() for name in setting.truth}
        width = {name: list[float]() for name in setting.truth}
        for _ in range(runs):
            for name, figure in setting.run(rng).items():
                if figure.low is None or figure.high is None:
                    continue
                held[name].append(figure.low - 1e-9 <= setting.truth[name] <= figure.high + 1e-9)
                width[name].append(figure.high - figure.low)
        for name in setting.truth:
            share = len(held[name]) / runs
            nothing = float("nan")
            yield Line(
                setting.name,
                name,
                float(np.mean(held[name])) if held[name] else nothing,
                float(np.mean(width[name])) if held[name] else nothing,
                1 - share,
            )


def _raters(rng: Generator, n: int, raters: int, pi: float, se: float, sp: float) -> np.ndarray:
    truth = rng.random((n, 1)) < pi
    return (rng.random((n, raters)) < np.where(truth, se, 1 - sp)).astype(int)


def _kappa_of_twins(pi: float, se: float, sp: float) -> tuple[float, float]:
    """Kappa (= alpha in the limit) and AC1 of two raters with the same error rates."""
    share = pi * se + (1 - pi) * (1 - sp)
    both = pi * se**2 + (1 - pi) * (1 - sp) ** 2
    agree = 1 - 2 * (share - both)
    ac_chance = 2 * share * (1 - share)
    return (both - share**2) / (share * (1 - share)), (agree - ac_chance) / (1 - ac_chance)


def agreement_settings() -> Iterator[Setting]:
    """Alpha, Fleiss kappa and AC1 of raters who err alike."""
    for n, raters, pi, se, sp in (
        (100, 3, 0.30, 0.90, 0.95),
        (50, 3, 0.30, 0.90, 0.95),
        (100, 3, 0.05, 0.85, 0.99),
        (300, 3, 0.05, 0.85, 0.99),
        (300, 5, 0.02, 0.85, 0.995),
        (1000, 3, 0.02, 0.85, 0.995),
    ):
        kappa, ac1 = _kappa_of_twins(pi, se, sp)

        def run(rng: Generator, n=n, raters=raters, pi=pi, se=se, sp=sp) -> dict[str, Statistic]:
            ratings = _raters(rng, n, raters, pi, se, sp)
            options = {"replicates": REPLICATES, "seed": int(rng.integers(2**31))}
            return {
                "alpha, BCa over items": krippendorff_alpha(ratings, **options),
                "alpha, Hayes-Krippendorff (legacy)": hayes_krippendorff(ratings, **options),
                "AC1, BCa over items": agreement_coefficient(ratings, "gwet", categories=[0, 1], **options),
            }

        truth = {
            "alpha, BCa over items": kappa,
            "alpha, Hayes-Krippendorff (legacy)": kappa,
            "AC1, BCa over items": ac1,
        }
        yield Setting(f"{n} x {raters} raters, pi {pi}", truth, run)


def clustered_agreement_settings() -> Iterator[Setting]:
    """Alpha over scenarios of ten transcripts, whose prevalences differ from scenario to scenario."""
    for k in (20, 30, 60):
        pi, se, sp, factor = 0.3, 0.90, 0.95, 3.0
        kappa, _ = _kappa_of_twins(pi, se, sp)

        def run(rng: Generator, k=k, pi=pi, se=se, sp=sp, factor=factor) -> dict[str, Statistic]:
            scenario = np.repeat(np.arange(k), 10)
            truth = rng.random((10 * k, 1)) < rng.beta(pi * factor, (1 - pi) * factor, k)[scenario, None]
            ratings = (rng.random((10 * k, 3)) < np.where(truth, se, 1 - sp)).astype(int)
            options = {"replicates": REPLICATES, "seed": int(rng.integers(2**31))}
            return {"alpha, BCa over clusters": krippendorff_alpha(ratings, clusters=scenario, **options)}

        yield Setting(f"{k} scenarios x 10, 3 raters", {"alpha, BCa over clusters": kappa}, run)


def accuracy_settings() -> Iterator[Setting]:
    """A judge on gold with fixed numbers of positives and negatives."""
    for positives, negatives, se, sp in (
        (60, 200, 0.95, 0.98),
        (60, 200, 0.85, 0.95),
        (30, 150, 0.90, 0.98),
        (100, 440, 0.95, 0.99),
        (20, 100, 0.80, 0.90),
    ):
        pi = positives / (positives + negatives)
        tp, fp, fn, tn = pi * se, (1 - pi) * (1 - sp), pi * (1 - se), (1 - pi) * sp
        root = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        chance = (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)
        truth = {
            "sensitivity": se,
            "specificity": sp,
            "precision": tp / (tp + fp),
            "npv": tn / (tn + fn),
            "f1": 2 * tp / (2 * tp + fp + fn),
            "balanced_accuracy": (se + sp) / 2,
            "mcc": float((tp * tn - fp * fn) / root),
            "cohen_kappa": 2 * (tp * tn - fp * fn) / chance,
        }

        def run(
            rng: Generator, p=positives, q=negatives, pi=pi, se=se, sp=sp, names=tuple(truth)
        ) -> dict[str, Statistic]:
            gold = rng.random(p + q) < pi
            if not 0 < gold.sum() < p + q:
                return {}
            said = rng.random(p + q) < np.where(gold, se, 1 - sp)
            found = accuracy(gold, said, replicates=REPLICATES, seed=int(rng.integers(2**31)))
            return {name: found[name] for name in names}

        yield Setting(f"gold {positives}+{negatives}, se {se}, sp {sp}", truth, run)


def clustered_accuracy_settings() -> Iterator[Setting]:
    """A judge whose errors come by scenarios: 40 of 5 items each, half of them positive, correlation rho."""
    for se, sp, rho in ((0.90, 0.95, 0.2), (0.85, 0.90, 0.1)):
        pi = 0.5
        tp, fp, fn, tn = pi * se, (1 - pi) * (1 - sp), pi * (1 - se), (1 - pi) * sp
        root = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        truth = {
            "sensitivity": se,
            "f1": 2 * tp / (2 * tp + fp + fn),
            "balanced_accuracy": (se + sp) / 2,
            "mcc": float((tp * tn - fp * fn) / root),
        }

        def run(rng: Generator, se=se, sp=sp, rho=rho, names=tuple(truth)) -> dict[str, Statistic]:
            gold, scenario, factor = np.repeat(np.arange(40) % 2, 5), np.repeat(np.arange(40), 5), (1 - rho) / rho
            right = [rng.beta(share * factor, (1 - share) * factor, 40)[scenario] for share in (sp, se)]
            hit = rng.random(200) < np.where(gold == 1, right[1], right[0])
            options = {"replicates": REPLICATES, "seed": int(rng.integers(2**31))}
            found = accuracy(gold, np.where(hit, gold, 1 - gold), clusters=scenario, **options)
            return {name: found[name] for name in names}

        yield Setting(f"40 scenarios x 5, se {se}, sp {sp}, rho {rho}", truth, run)


def score_settings() -> Iterator[Setting]:
    """Scores that are probabilities: positives Beta(a, b), negatives Beta(b, a), rounded to hundredths."""
    for n, pi, a, b in ((100, 0.5, 2.0, 1.0), (200, 0.2, 3.0, 1.0), (60, 0.3, 4.0, 1.0)):
        big = np.random.default_rng(99)
        gold = big.random(400_000) < pi
        score = np.round(np.where(gold, big.beta(a, b, len(gold)), big.beta(b, a, len(gold))), 2)
        truth = {
            "auroc": auroc(gold, score).estimate or 0.0,
            "average precision": average_precision(gold, score, replicates=2).estimate or 0.0,
            "brier": float(np.mean((score - gold) ** 2)),
        }

        def run(rng: Generator, n=n, pi=pi, a=a, b=b) -> dict[str, Statistic]:
            y = rng.random(n) < pi
            s = np.round(np.where(y, rng.beta(a, b, n), rng.beta(b, a, n)), 2)
            options = {"replicates": REPLICATES, "seed": int(rng.integers(2**31))}
            return {
                "auroc": auroc(y, s),
                "average precision": average_precision(y, s, **options),
                "brier": brier(y, s, **options),
            }

        yield Setting(f"{n} scores, pi {pi}, Beta({a:g},{b:g})", truth, run)


def rate_settings() -> Iterator[Setting]:
    """A rate from enriched gold, and the zero-event bound."""
    for pi, se, sp, p, q, n in (
        (0.002, 0.80, 0.999, 50, 200, 1000),
        (0.01, 0.90, 0.99, 50, 150, 1000),
        (0.01, 0.90, 0.98, 30, 170, 1000),
        (0.05, 0.85, 0.97, 50, 150, 1000),
        (0.20, 0.90, 0.95, 100, 100, 1000),
    ):

        def run(rng: Generator, pi=pi, se=se, sp=sp, p=p, q=q, n=n) -> dict[str, Statistic]:
            gold = Gold(rng.binomial(p, se), p, rng.binomial(q, sp), q)
            flagged = int(rng.binomial(n, pi * se + (1 - pi) * (1 - sp)))
            return {
                "Lang-Reiczigel": lang_reiczigel(flagged, n, gold),
                "upper bound whatever sp is": zero_event_bound(flagged, n, gold.tp, p),
            }

        truth = {"Lang-Reiczigel": pi, "upper bound whatever sp is": pi}
        yield Setting(f"pi {pi}, se {se}, sp {sp}, gold {p}+{q}, N {n}", truth, run)
    for pi, se, p, n in ((0.005, 0.5, 20, 300), (0.01, 0.7, 20, 300), (0.003, 0.9, 50, 1000)):

        def few(rng: Generator, pi=pi, se=se, p=p, n=n) -> dict[str, Statistic]:
            flagged = int(rng.binomial(n, pi * se))
            return {
                "zero-event bound": zero_event_bound(flagged, n, int(rng.binomial(p, se)), p),
            }

        yield Setting(f"pi {pi}, se {se}, sp 1, {p} positives, N {n}", {"zero-event bound": pi}, few)


def label_settings() -> Iterator[Setting]:
    """A prevalence from human labels drawn within strata of the judge, and by prediction-powered inference."""
    for pi, se, sp, n, labels in (
        (0.01, 0.90, 0.98, 10_000, 300),
        (0.01, 0.90, 0.995, 10_000, 300),
        (0.05, 0.90, 0.95, 5_000, 200),
        (0.20, 0.90, 0.90, 5_000, 200),
    ):

        def run(rng: Generator, pi=pi, se=se, sp=sp, n=n, labels=labels) -> dict[str, Statistic]:
            truth = rng.random(n) < pi
            said = rng.random(n) < np.where(truth, se, 1 - sp)
            strata = []
            for side in (True, False):
                members = np.nonzero(said == side)[0]
                drawn = rng.choice(members, min(labels // 2, len(members)), replace=False)
                strata.append(Stratum(len(members), len(drawn), int(truth[drawn].sum())))
            gold = rng.permutation(n)
            inside, outside = gold[:labels], gold[labels:]
            return {
                "two-phase": two_phase(strata),
                "PPI++": prediction_powered(truth[inside], said[inside], said[outside], random_subsample=True),
            }

        yield Setting(f"pi {pi}, se {se}, sp {sp}, N {n}, {labels} labels", {"two-phase": pi, "PPI++": pi}, run)


def clustered_label_settings() -> Iterator[Setting]:
    """Prediction-powered inference where transcripts come in scenarios that are labelled in part."""
    for pi, rho, k, m, labels in ((0.2, 0.2, 100, 20, 400), (0.3, 0.1, 60, 20, 300)):

        def run(rng: Generator, pi=pi, rho=rho, k=k, m=m, labels=labels) -> dict[str, Statistic]:
            spread = (1 - rho) / rho
            scenario = np.repeat(np.arange(k), m)
            truth = rng.random(k * m) < rng.beta(pi * spread, (1 - pi) * spread, k)[scenario]
            said = rng.random(k * m) < np.where(truth, 0.9, 0.1)
            order = rng.permutation(k * m)
            inside, outside = order[:labels], order[labels:]
            gold, rest = (truth[inside], said[inside]), said[outside]
            return {
                "PPI++ over clusters": prediction_powered(
                    *gold, rest, random_subsample=True, clusters=(scenario[inside], scenario[outside])
                ),
                "PPI++ as if independent": prediction_powered(*gold, rest, random_subsample=True),
            }

        truth = {"PPI++ over clusters": pi, "PPI++ as if independent": pi}
        yield Setting(f"pi {pi}, {k} scenarios x {m}, rho {rho}, {labels} labels", truth, run)


def cluster_settings() -> Iterator[Setting]:
    """A share of items in clusters whose own shares follow a beta distribution with the given correlation."""
    for share, k, m, rho in (
        (0.90, 10, 30, 0.20),
        (0.90, 20, 25, 0.20),
        (0.90, 50, 10, 0.20),
        (0.90, 100, 5, 0.20),
        (0.90, 20, 25, 0.05),
        (0.98, 30, 10, 0.20),
    ):

        def run(rng: Generator, share=share, k=k, m=m, rho=rho) -> dict[str, Statistic]:
            factor = (1 - rho) / rho
            events = rng.binomial(m, rng.beta(share * factor, (1 - share) * factor, k))
            flags = np.repeat(np.tile([1, 0], k), np.column_stack([events, m - events]).ravel())
            return {
                "Wilson, effective size, t": clustered_proportion(events, np.full(k, m)),
                "naive Wilson": naive(flags),
            }

        truth = {"Wilson, effective size, t": share, "naive Wilson": share}
        yield Setting(f"share {share}, {k} x {m}, rho {rho}", truth, run)


def difference_settings() -> Iterator[Setting]:
    """Differences of two judges on the same items, and of two models on the same or on other scenarios."""
    for n, a, b, both in ((60, 0.90, 0.80, 0.75), (200, 0.95, 0.90, 0.88)):

        def paired(rng: Generator, n=n, a=a, b=b, both=both) -> dict[str, Statistic]:
            cell = rng.choice(4, n, p=[both, a - both, b - both, 1 - a - b + both])
            first, second = np.isin(cell, (0, 1)), np.isin(cell, (0, 2))
            return {"paired difference": paired_difference(first, second)}

        yield Setting(f"{n} paired items, {a} and {b}", {"paired difference": a - b}, paired)
    for k, m, first, second, rho in ((30, 10, 0.2, 0.1, 0.2), (50, 5, 0.3, 0.2, 0.3)):

        def models(rng: Generator, k=k, m=m, first=first, second=second, rho=rho) -> dict[str, Statistic]:
            factor = (1 - rho) / rho
            # The same quantile of each model's beta distribution makes a scenario easy or hard for both.
            rank = rng.beta(0.3 * factor, 0.7 * factor, k) / 0.3
            scenario = np.repeat(np.arange(k), m)
            flags = [rng.random(k * m) < np.minimum(rank * share, 1)[scenario] for share in (first, second)]
            return {
                "shared scenarios, t": shared_cluster_difference(flags[0], scenario, flags[1], scenario),
                "as if independent": difference(naive(flags[0], scenario), naive(flags[1], scenario)),
            }

        truth = {"shared scenarios, t": first - second, "as if independent": first - second}
        yield Setting(f"{k} scenarios x {m}, {first} and {second}", truth, models)


def main() -> None:
    runs = next((int(word) for word in sys.argv[1:] if word.isdigit()), 1000)
    print(f"{runs} runs, {CHEAPER * runs} without a bootstrap\n")
    print("| setting | interval | coverage | width | none |\n|---|---|---|---|---|")
    bootstrapped = (agreement_settings, clustered_agreement_settings, accuracy_settings, clustered_accuracy_settings)
    cheap = (rate_settings, label_settings, clustered_label_settings, cluster_settings, difference_settings)
    for group, times in [(g, runs) for g in (*bootstrapped, score_settings)] + [(g, CHEAPER * runs) for g in cheap]:
        for line in measure(group(), times):
            print(
                f"| {line.setting} | {line.interval} | {line.coverage:.3f} | {line.width:.3f} | {line.none:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
