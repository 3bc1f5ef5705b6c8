"""What every test stands on."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let child processes be interrupted: whoever starts the suite in a shell's background has them born deaf to Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
