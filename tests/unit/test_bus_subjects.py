import pytest

from sysmanager.bus import subjects


def test_subjects_of_a_recorder() -> None:
    assert subjects.beat("r-1_A") == "sm.beat.r-1_A"
    assert subjects.recorder_of("sm.beat.r-1_A") == "r-1_A"


@pytest.mark.parametrize("recorder", ["", "a.b", "*", ">", "a b", "ü", "a" * 65, "a\n"])
def test_id_that_does_not_fit_a_subject_is_refused(recorder: str) -> None:
    for function in (subjects.beat, subjects.watchdog, subjects.report, subjects.order, subjects.documents, subjects.check_recorder_id):
        with pytest.raises(ValueError, match="no recorder id"):
            function(recorder)
