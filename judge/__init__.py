"""Grade transcripts of AI agents for misaligned conduct, and say how far the verdicts may be trusted.

The public names are those of `__all__`; everything else may change. They load when they are first used, so that
`import judge` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judge.calibration.calibrate import Agreement, Calibration, Rate, agreement, calibrate
    from judge.calibration.calibrate import measure_rates as rates
    from judge.errors import (
        BudgetError,
        InputError,
        IntegrityError,
        JudgeError,
        NotCalibratedError,
        ProviderError,
    )
    from judge.gold.labels import read_labels
    from judge.gold.model import Label
    from judge.grading.judges import Judge
    from judge.grading.panels.sitting import PanelGrading, grade_panel, grade_panel_sync
    from judge.grading.run import Grading, grade, grade_sync
    from judge.ledger.store import open_ledger
    from judge.ledger.verdict import Verdict
    from judge.rubrics.loading import load_rubric
    from judge.rubrics.model import Rubric
    from judge.transcripts.model import Transcript
    from judge.transcripts.reading import iter_transcripts, read

# Where each name lives; a name that is another one there says so after a colon.
_HOMES = {
    "Agreement": "calibration.calibrate",
    "BudgetError": "errors",
    "Calibration": "calibration.calibrate",
    "Grading": "grading.run",
    "InputError": "errors",
    "IntegrityError": "errors",
    "Judge": "grading.judges",
    "JudgeError": "errors",
    "Label": "gold.model",
    "NotCalibratedError": "errors",
    "PanelGrading": "grading.panels.sitting",
    "ProviderError": "errors",
    "Rate": "calibration.calibrate",
    "Rubric": "rubrics.model",
    "Transcript": "transcripts.model",
    "Verdict": "ledger.verdict",
    "agreement": "calibration.calibrate",
    "calibrate": "calibration.calibrate",
    "grade": "grading.run",
    "grade_panel": "grading.panels.sitting",
    "grade_panel_sync": "grading.panels.sitting",
    "grade_sync": "grading.run",
    "iter_transcripts": "transcripts.reading",
    "load_rubric": "rubrics.loading",
    "open_ledger": "ledger.store",
    "rates": "calibration.calibrate:measure_rates",
    "read": "transcripts.reading",
    "read_labels": "gold.labels",
}

__all__ = [
    "Agreement",
    "BudgetError",
    "Calibration",
    "Grading",
    "InputError",
    "IntegrityError",
    "Judge",
    "JudgeError",
    "Label",
    "NotCalibratedError",
    "PanelGrading",
    "ProviderError",
    "Rate",
    "Rubric",
    "Transcript",
    "Verdict",
    "agreement",
    "calibrate",
    "grade",
    "grade_panel",
    "grade_panel_sync",
    "grade_sync",
    "iter_transcripts",
    "load_rubric",
    "open_ledger",
    "rates",
    "read",
    "read_labels",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'judge' has no attribute {name!r}")
    module, _, there = _HOMES[name].partition(":")
    return getattr(import_module(f"judge.{module}"), there or name)


def __dir__() -> list[str]:
    return __all__
