"""A script for the test server: the model `small` overlooks every third threat, all others are honest."""

import re
from typing import Any

from grading import honest_judge
from servers.answers import Prompt, not_met


def answer(prompt: Prompt) -> dict[str, Any]:
    """Answer by who is asked."""
    number = int(re.findall(r"Write to customer (\d+) about the invoice", "\n".join(prompt.texts))[0])
    if str(prompt.body["model"]).endswith("small") and number % 3 == 0:
        return not_met(prompt)
    return honest_judge.answer(prompt)
