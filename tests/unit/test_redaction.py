from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.redaction import redact, with_credentials
from sysmanager.recorder.session import CameraPlan, agent_of


@pytest.mark.parametrize(
    "text",
    [
        "[Errno 875574520] Server returned 404 Not Found: 'rtsp://admin:S3cret@10.0.0.9:554/ch1'",
        "rtsp://admin:S3cret@10.0.0.9/a and rtsp://admin:S3cret@10.0.0.10/b",
        "rtsp://:S3cret@cam/",
        "rtsps://admin:S3cret%40home@cam.example/live?channel=1",
        "rtsp://admin:p@S3cret@cam/live",
        "rtsp://admin:a/S3cret@cam/live",
        "http://cam/cgi?user=admin&password=S3cret&x=1",
        "Authorization: Basic S3cret",
    ],
)
def test_no_secret_is_left(text: str) -> None:
    assert "S3cret" not in redact(text)


@pytest.mark.parametrize("text", ["rtsp://10.0.0.9:554/ch1", "mail to someone@example.com", "nothing here", ""])
def test_harmless_text_stays(text: str) -> None:
    assert redact(text) == text


def test_the_rest_of_the_text_stays() -> None:
    assert redact("404: 'rtsp://u:p@10.0.0.9:554/ch1' gone") == "404: 'rtsp://***@10.0.0.9:554/ch1' gone"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="*"), min_size=6, max_size=30))
def test_what_we_send_can_always_be_hidden(password: str) -> None:
    url = with_credentials("rtsp://cam.example:554/live", "viewer", password)
    assert redact(f"error at {url}!") == "error at rtsp://***@cam.example:554/live!"


def test_credentials_replace_those_in_the_address() -> None:
    assert with_credentials("rtsp://old:one@cam/live", "a b", "p@s/s") == "rtsp://a%20b:p%40s%2Fs@cam/live"
    assert with_credentials("rtsp://cam/live", "", "") == "rtsp://cam/live"


def test_a_plan_does_not_show_its_password() -> None:
    plan = CameraPlan(id=CameraId("c"), name="Door", url="rtsp://x:S3cret@cam/", user="u", password="S3cret")
    assert "S3cret" not in f"{plan} {plan!r} {[plan]}"


@pytest.mark.parametrize(("recorder", "agent"), [("REC-1", "System Manager (REC-1)"), ("Tür\r\nX: y", "System Manager (TrX: y)")])
def test_a_recorder_names_itself_to_cameras_in_one_line(recorder: str, agent: str) -> None:
    assert agent_of(recorder) == agent
