"""`judge grade`: transcripts in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from judge.cli.common import (
    Format,
    Json,
    LedgerPath,
    LimitsOption,
    Quiet,
    Workspace,
    ledger_path,
    parse_price,
    print_json,
    read_sources,
    report_unreadable,
    say,
    show_usd,
)
from judge.cli.given import finite
from judge.cli.outcome import Outcome, print_all, summarise
from judge.cli.panel import ask, open_panel, print_preview
from judge.cli.progress import Follow, Reading
from judge.errors import BudgetError, InputError
from judge.grading.cycles import look_less_often
from judge.workspace import SETTINGS_FILE, load_settings

if TYPE_CHECKING:
    from judge.grading.judges import Judge
    from judge.grading.lanes.pace import LocalPaces, Paces
    from judge.grading.panels.panel import Panel
    from judge.ledger.store import Ledger
    from judge.ledger.verdict import Status
    from judge.rubrics.model import Rubric
    from judge.transcripts.model import Transcript
    from judge.transcripts.source import Unreadable

CONCURRENCY = 16


def grade(
    sources: Annotated[list[Path], typer.Argument(help="Files or folders of transcripts, from any harness.")],
    rubric: Annotated[
        list[str] | None, typer.Option("-r", "--rubric", help="A rubric's id or file; repeat for more.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="A judge: baseline/cues, openai/..., replay/FILE; repeat for more."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, max=1_000, help="How often each judge is asked the same question.")
    ] = 1,
    panel: Annotated[
        str | None,
        typer.Option(
            "--panel", metavar="FILE", help="Several judges by a panel file: who votes, who must agree, who is next."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, max=2**31, help="Only the first N transcripts.")] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, metavar="USD", callback=finite, help="Never spend more than this.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print calls, tokens and cost; ask nobody.")] = False,
    retry: Annotated[
        list[str] | None,
        typer.Option(help="Ask again where the ledger holds this status; default: error, over_budget."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append the answers to FILE, for -m replay/FILE.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Print negative verdicts too.")] = False,
    concurrency: Annotated[int | None, typer.Option(min=1, help="Verdicts in the making at once; default: 16.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Worker processes, where one processor is not enough.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Work on a Ray cluster: auto, HOST:PORT, ray://HOST:PORT, local."),
    ] = None,
    together: Annotated[
        int, typer.Option(min=1, metavar="N", help="Rubrics asked for in one call: cheaper, perhaps less careful.")
    ] = 1,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch", help="Ask in the provider's batches: cheaper, answered within a day; run again to collect."
        ),
    ] = False,
    lane: Annotated[
        str,
        typer.Option(metavar="auto|direct|litellm", help="How judges are reached; direct: without litellm in between."),
    ] = "auto",
    rpm: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Most requests to a provider in any 60 s.")
    ] = None,
    tpm: Annotated[int | None, typer.Option(min=1, metavar="N", help="Most tokens to a provider in any 60 s.")] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=-1, max=2, callback=finite, help="Sampling temperature; -1 for the provider's default."),
    ] = 0.0,
    max_tokens: Annotated[int, typer.Option(min=64, help="Longest answer, in tokens.")] = 4096,
    context: Annotated[
        int | None,
        typer.Option(
            min=8_000,
            metavar="N",
            help="Tokens that a judge reads at once; longer transcripts are read in windows. Default: as known of the model.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", callback=finite, help="How long to wait for one answer.")
    ] = 120.0,
    attempts: Annotated[int, typer.Option(min=1, help="How often a failed request is sent in all.")] = 6,
    api_base: Annotated[str | None, typer.Option(metavar="URL", help="Address of an OpenAI-compatible server.")] = None,
    price: Annotated[
        str | None, typer.Option(metavar="IN/OUT", help="USD per million tokens, where litellm knows none.")
    ] = None,
    format: Format = None,  # noqa: A002
    limits: LimitsOption = None,
    ledger: LedgerPath = None,
    workspace: Workspace = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Grade transcripts: verdicts with verified quotes, kept in the ledger. A verdict that is there is not asked again.

    What judge.toml of the workspace says under [grade] (rubrics, models, concurrency, rpm, tpm) is used where no option is given.

    With --panel several judges vote, each vote is kept, and the panel's own verdict is that of judge panel/NAME: docs/panels.md.

    Example: judge grade runs/ -r coercive-leverage -m baseline/cues
    """
    from judge.grading.judges import parse_judge
    from judge.grading.lanes.batches import SIZE as BATCH_SIZE
    from judge.ledger.opening import open_ledger
    from judge.rubrics.loading import load_rubrics
    from judge.workspace import resolve_workspace

    here = resolve_workspace(workspace)
    settings = _load_defaults(here)
    rubrics = load_rubrics(_need(rubric or settings.rubrics, "-r RUBRIC", "rubrics"), here)
    parameters: dict[str, Any] = {
        "temperature": None if temperature is None or temperature < 0 else temperature,
        "max_tokens": max_tokens,
        "context": context,
        "timeout_s": timeout,
        "attempts": attempts,
        "api_base": api_base,
        "price": parse_price(price),
        "via": _choose_way(lane, batch=batch, elsewhere=processes not in (None, 1) or cluster is not None),
    }
    fixed = {"-m": bool(model), "--samples": samples != 1, "--record": record is not None}
    fixed |= {"--together": together != 1, "--temperature": temperature != 0.0, "--max-tokens": max_tokens != 4096}
    seated = open_panel(panel, here, rubrics, parameters, fixed) if panel is not None else None
    models = [] if seated else _need(model or settings.models, "-m MODEL", "models")
    judges = [parse_judge(name, **parameters) for name in dict.fromkeys(models)]
    statuses = _check_statuses(retry)
    unreadable: list[Unreadable] = []
    transcripts: Iterable[Transcript] = islice(read_sources(sources, format, unreadable, limits), limit)
    if dry_run:
        with _find_verdicts(ledger_path(ledger, workspace), statuses) as is_found:
            _preview(list(transcripts), rubrics, seated or judges, samples, is_found, together, json=json)
        report_unreadable(unreadable, quiet=quiet)
        if any(not item.refused for item in unreadable):
            raise typer.Exit(1)
        return

    import asyncio
    from functools import cache, partial

    from judge.grading.budget import Budget

    look_less_often()

    purse = Budget(budget)
    reading = Reading(sources, limit)
    outcome = Outcome()
    with ExitStack() as stack:
        book = stack.enter_context(open_ledger(ledger_path(ledger, workspace)))
        paces = cache(partial(_open_paces, book, rpm=rpm or settings.rpm, tpm=tpm or settings.tpm))
        follow = stack.enter_context(
            Follow(
                quiet=quiet,
                reading=reading,
                list_down=lambda: paces().list_down() if paces.cache_info().currsize else (),
            )
        )
        stream = ask(
            _choose_run(processes, cluster, record, together, paces),
            reading.follow(transcripts),
            lambda: islice(read_sources(sources, format, [], limits), limit),
            rubrics,
            seated or judges,
            samples=samples,
            ledger=book,
            concurrency=concurrency or (BATCH_SIZE if batch else settings.concurrency or CONCURRENCY),
            budget=purse,
            retry=statuses,
            on_progress=follow,
            wanted=None if json or everything or seated else outcome.wants,
        )
        with _say_how_to_go_on(book if batch else None):
            asyncio.run(print_all(stream, outcome, json=json, everything=everything, panel=seated is not None))
        head = book.head()
    report_unreadable(unreadable, quiet=quiet)
    where = f"{book.where}, {head.rows} entries, head {head.sha256[:16]}"
    summarise(outcome, follow, where, paid_usd=None if budget is None else purse.spent_usd, quiet=quiet)
    if purse.reached:
        raise BudgetError(f"the budget of {budget:g} USD is reached; run the same command with a larger one to go on")
    if code := _exit_code(outcome, unreadable):
        raise typer.Exit(code)


@contextmanager
def _say_how_to_go_on(batching: Ledger | None) -> Iterator[None]:
    """End the program with a word where it is stopped, which typer would do without; `batching` knows of open batches."""
    from judge.grading.lanes.batches import open_batches
    from judge.text import counted

    try:
        yield
    except KeyboardInterrupt:
        waiting = f"; {counted(len(open_batches(batching)), 'batch', 'batches')} with the provider" if batching else ""
        say(f"\njudge: stopped; what was done is kept{waiting}, run the same command again to go on")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        say(
            "judge: stopped, nobody reads the output any more; what was done is kept, run the same command again to go on"
        )
        raise typer.Exit(1) from None


def _exit_code(outcome: Outcome, unreadable: Sequence[Unreadable]) -> int:
    """2 where there was nothing to grade, 1 where something has no verdict, a log without samples included; else 0."""
    if not outcome.total:
        return 1 if any(item.empty for item in unreadable) else 2
    return int(bool(outcome.missing) or any(not item.refused for item in unreadable))


def _choose_run(
    processes: int | None, cluster: str | None, record: Path | None, together: int, paces: Callable[[], Paces]
) -> Callable[..., Any]:
    """Return what makes the verdicts: this process, several, or a cluster."""
    from functools import partial

    if cluster is None and processes in (None, 1):
        from judge.grading.run import run

        if record is not None and together > 1:
            raise InputError("--record: a recording holds one rubric a call; leave out --together")
        return partial(run, record=record, paces=paces(), together=together)
    from judge.grading.workers.driver import run_on_workers

    if together > 1:
        raise InputError(
            "--together: one process asks for several rubrics at once; leave out --processes and --cluster"
        )
    if record is not None:
        raise InputError("--record: answers are recorded by one process; leave out --processes and --cluster")
    if cluster is None:
        from judge.grading.workers.local import LocalLauncher

        return partial(run_on_workers, launch=LocalLauncher, workers=processes, paces=paces)
    from judge.grading.workers.cluster import ClusterLauncher

    return partial(run_on_workers, launch=partial(ClusterLauncher, cluster), workers=processes, paces=paces)


class _Defaults(NamedTuple):
    """What `[grade]` in `judge.toml` gives where no option does."""

    rubrics: Sequence[str] = ()
    models: Sequence[str] = ()
    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None


def _load_defaults(workspace: Path | None) -> _Defaults:
    from judge.text import quoted

    table = load_settings(workspace).get("grade", {})
    where = f"{(workspace or Path()) / SETTINGS_FILE}: [grade]"
    if not isinstance(table, dict):
        raise InputError(f"{where}: {quoted(table)}: give a table of settings ({', '.join(_Defaults._fields)})")
    for name, value in table.items():
        if name not in _Defaults._fields:
            raise InputError(f"{where}: no setting {quoted(name)}; settings are {', '.join(_Defaults._fields)}")
        if name in ("concurrency", "rpm", "tpm"):
            if type(value) is not int or value < 1:
                raise InputError(f"{where}: {name} {quoted(value)}: give a whole number, 1 or more")
        elif not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise InputError(f'{where}: {name} {quoted(value)}: give a list of names, as in {name} = ["..."]')
    return _Defaults(**table)


def _need(values: Sequence[str], option: str, setting: str) -> Sequence[str]:
    if not values:
        raise InputError(
            f"no {setting} to grade with: give {option} (see: judge rubrics list, judge doctor), or set {setting} under "
            f"[grade] in the {SETTINGS_FILE} of a workspace"
        )
    return values


def _check_statuses(retry: list[str] | None) -> tuple[Any, ...]:
    from typing import get_args

    from judge.ledger.store import REOPENED
    from judge.ledger.verdict import Status

    if not retry:
        return REOPENED
    if unknown := [name for name in retry if name not in get_args(Status)]:
        raise InputError(f"--retry {unknown[0]!r}: no such status; statuses are {', '.join(get_args(Status))}")
    return tuple(retry)


def _choose_way(lane: str, *, batch: bool, elsewhere: bool) -> str:
    """Return how judges are reached, as `Judge.via` has it."""
    from judge.text import quoted

    if lane not in (ways := ("auto", "direct", "litellm")):
        raise InputError(f"--lane {quoted(lane)}: no such lane; give one of {', '.join(ways)}")
    if batch and (elsewhere or lane != "auto"):
        raise InputError("--batch: one process asks, through litellm; leave out --processes, --cluster and --lane")
    return "batch" if batch else lane


def _open_paces(ledger: Ledger, *, rpm: int | None, tpm: int | None) -> LocalPaces:
    """Return how fast providers are asked; where requests are limited, those of the last minute count too."""
    from judge.grading.lanes.pace import LocalPaces, read_ages

    return LocalPaces(rpm=rpm, tpm=tpm, ages_s=read_ages(ledger) if rpm else ())


@contextmanager
def _find_verdicts(where: str, retry: Sequence[Status]) -> Iterator[Callable[[str], bool]]:
    """Give a function that says of a verdict whether the ledger, if there is one, holds it for good."""
    from judge.ledger.opening import is_address, open_ledger

    if not is_address(where) and not Path(where).exists():
        yield lambda _verdict_id: False
        return
    with open_ledger(where, read_only=True) as book:
        yield lambda verdict_id: book.statuses([verdict_id]).get(verdict_id, retry[0]) not in retry


def _preview(
    transcripts: list[Transcript],
    rubrics: list[Rubric],
    judges: list[Judge] | Panel,
    samples: int,
    is_found: Callable[[str], bool],
    together: int,
    *,
    json: bool,
) -> None:
    from judge.grading.lanes.client import missing_keys
    from judge.grading.preview import preview
    from judge.text import counted

    if not isinstance(judges, list):
        print_preview(judges, transcripts, rubrics, is_found, json=json)
        return
    for row in preview(transcripts, rubrics, judges, samples, is_found, together):
        if json:
            print_json(row.model_dump(mode="json"))
            continue
        cost = "cost unknown: give --price" if row.cost_usd is None else f"about {show_usd(row.cost_usd)}"
        windows = ", as some take several windows" if row.calls > row.verdicts else ""
        several = f" for {counted(row.verdicts, 'verdict')}{windows}" if row.calls != row.verdicts else ""
        found = f" ({counted(row.found, 'verdict')} more found in the ledger)" if row.found else ""
        print(
            f"{row.judge}: {counted(row.calls, 'call')}{several}{found}, "
            f"about {row.input_tokens:,} tokens in and {row.output_tokens:,} out, "
            f"{cost}; "
            f"with every re-ask at most {counted(row.calls * row.most_requests_per_call, 'request')}"
        )
    for judge in judges:
        if keys := [] if judge.embedded or judge.replayed else missing_keys(judge):
            say(f"{judge.model} needs {' and '.join(keys)}, not set here: export it before grading", quiet=json)
    say("Nothing was asked and nothing was spent.", quiet=json)
