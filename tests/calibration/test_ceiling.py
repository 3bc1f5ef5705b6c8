"""The human ceiling: raters and judge against the majority of the other raters."""

from __future__ import annotations

import numpy as np
import pytest

from judge.calibration.ceiling import human_ceiling


def test_humans_and_judge_face_the_same_majority():
    """The third rater errs on 4 of 20 positives and no negative: balanced accuracy .9 against the other two; the judge 1."""
    truth = np.repeat([1, 0], 20)
    third = truth.copy()
    third[:4] = 0
    found = human_ceiling(np.column_stack([truth, truth, third]), truth)
    assert found[2].human.estimate == pytest.approx(0.9)
    assert found[2].judge.estimate == 1.0
    assert found[2].n == 40
    assert found[0].n == 36  # the four items on which the other two differ have no majority


def test_a_lone_rater_has_no_ceiling():
    """With no other rater there is no majority to compare with."""
    assert human_ceiling([[1], [0]], [1, 0]) == ()
