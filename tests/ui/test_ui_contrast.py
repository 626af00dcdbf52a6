"""What is read stands out from what is behind it: contrast by WCAG AA, light and dark."""

from __future__ import annotations

import pytest

from sysmanager.ui.theme import DARK, LIGHT, Colours

TEXT, CONTROL = 4.5, 3.0
BOTH = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_the_one_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@BOTH
@pytest.mark.parametrize("ink", ["ink", "muted", "accent", "good", "warning", "bad"])
@pytest.mark.parametrize("behind", ["paper", "panel", "stripe", "tint", "hover"])
def test_text(colours: Colours, ink: str, behind: str) -> None:
    assert contrast(getattr(colours, ink), getattr(colours, behind)) >= TEXT


@BOTH
@pytest.mark.parametrize("chip", ["good", "warning", "bad", "accent", "muted"])
def test_white_on_a_chip(colours: Colours, chip: str) -> None:
    assert contrast("#ffffff", getattr(colours, f"chip_{chip}")) >= TEXT


@BOTH
def test_the_great_button_and_selected_text(colours: Colours) -> None:
    assert contrast(colours.on_accent, colours.accent) >= TEXT


@BOTH
@pytest.mark.parametrize("behind", ["paper", "panel"])
@pytest.mark.parametrize("line", ["control", "accent"])
def test_the_edge_of_what_can_be_ticked_or_typed_into_and_of_what_has_the_focus(colours: Colours, line: str, behind: str) -> None:
    assert contrast(getattr(colours, line), getattr(colours, behind)) >= CONTROL
