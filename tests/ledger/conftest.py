from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from judge.ledger.opening import open_ledger
from judge.ledger.store import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be made."""
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """A new, empty ledger."""
    with open_ledger(path) as opened:
        yield opened
