"""The pages as HTML, from templates that escape everything.

Text of transcripts, judges and raters is text on every page: never markup, never a class, never an address. Classes,
anchors and addresses come from closed sets, numbers and hashes.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from judge.audit.queue import FILTERS
from judge.report.html import tone
from judge.text import one_line, visible

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC: Final = {
    "audit.css": "text/css",
    "audit.js": "text/javascript",
    "transcript.js": "text/javascript",
    "label.js": "text/javascript",
}


def render(template: str, **values: Any) -> str:
    """A page from one of our templates; the values are text, whoever wrote it."""
    return _environment().get_template(template).render(**values)


def load_templates() -> None:
    """Compile every page's template, which the first one to be shown would otherwise wait for."""
    environment = _environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


def read_static(name: str) -> str | None:
    """Return the style sheet or the script, or None for any other name."""
    if name not in STATIC:
        return None
    return resources.files("judge.audit").joinpath("static", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("judge.audit"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "shown": visible,
        "line": one_line,
        "words": _words,
        "tail": _tail,
        "count": "{:,}".format,
        "when": _when,
    }
    environment.globals |= {"tone": tone, "filters": FILTERS}
    return environment


def _when(at: str) -> str:
    """A time that an entry was made, to the minute: ours are all in UTC."""
    return one_line(f"{at[:16].replace('T', ' ')} UTC")


def _tail(name: str, limit: int) -> str:
    """A name of one line, of which the end tells most: the beginning of a long path is left out, visibly."""
    shown = one_line(name, 100_000)
    return shown if len(shown) <= limit else f"\N{HORIZONTAL ELLIPSIS}{shown[-limit:]}"


def _words(name: str) -> str:
    """A level, criterion or status as words of one line."""
    return one_line(name.replace("_", " ").replace("-", " "), 60)
