"""One browser for every test of this folder that drives one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.browser import Chrome, Desktop, start_desktop, why_no_browser


@pytest.fixture(scope="session")
def chrome() -> Iterator[Chrome]:
    """A headless browser, or a skip that says what to install; in CI a missing browser is a failure."""
    if reason := why_no_browser():
        if os.environ.get("CI"):
            pytest.fail(f"CI drives a browser: {reason}")
        pytest.skip(reason)
    running = Chrome()
    yield running
    running.quit()


@pytest.fixture
def desktop(chrome: Chrome, tmp_path: Path) -> Iterator[Desktop]:
    """An audit page of its own on a free port of loopback, and the browser to open it in.

    After every test: no script complained, the browser asked nobody but this page, and the ledger's chain holds.
    """
    with start_desktop(chrome, tmp_path) as here:
        yield here
        here.check()
