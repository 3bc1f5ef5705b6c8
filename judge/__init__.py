"""Grade transcripts of AI agents for misaligned conduct, and say how far the verdicts may be trusted.

The public names are those of `__all__`; everything else may change. They load when they are first used, so that
`import judge` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judge.api import agreement, calibrate, grade, grade_panel, grade_panel_sync, grade_sync, rates
    from judge.calibration.calibrate import Agreement, Calibration, Rate
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
    from judge.grading.panels.sitting import PanelGrading
    from judge.grading.run import Grading
    from judge.ledger.opening import open_ledger
    from judge.ledger.verdict import Verdict
    from judge.rubrics.loading import load_rubric
    from judge.rubrics.model import Rubric
    from judge.transcripts.model import Transcript
    from judge.transcripts.reading import iter_transcripts, read

# Where each name lives.
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
    "agreement": "api",
    "calibrate": "api",
    "grade": "api",
    "grade_panel": "api",
    "grade_panel_sync": "api",
    "grade_sync": "api",
    "iter_transcripts": "transcripts.reading",
    "load_rubric": "rubrics.loading",
    "open_ledger": "ledger.opening",
    "rates": "api",
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
    return getattr(import_module(f"judge.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
