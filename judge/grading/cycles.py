"""How often Python looks for cycles while transcripts come and go by the thousand. For programs of our own alone.

Transcripts, prompts and verdicts hold none; looking through them after every few hundred takes up to a sixth of a run's
processor time. A library leaves the setting to whoever's process it is in.
"""

from __future__ import annotations

import gc


def look_less_often() -> None:
    """Look after some ten thousand new objects rather than after some hundred."""
    gc.set_threshold(20_000, 20, 50)
