"""What every test stands on."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# How fast examples are drawn says how busy the machine is, and nothing of the product.
settings.register_profile("judge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("judge")


def pytest_configure() -> None:
    """Let child processes be interrupted: whoever starts the suite in a shell's background has them born deaf to Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
