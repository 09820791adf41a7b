"""Addresses ask for pages and for nothing else."""

from __future__ import annotations

import pytest

from adatom.errors import SettingError
from adatom.explorer.addresses import Asked, address, read_address


@pytest.mark.parametrize(
    "target",
    [
        "/defects.db", "/../defects.db", "/..%2f..%2fetc/passwd", "/defect/../1", "/defect/1/",
        "/defect/-1", "/defect/1e3", "/defect/%31", "/defect/", "//search", "/search/",
        "http://elsewhere/search", "*", "", "/%00", "/defect/" + "1" * 40, "//[",
        "http://[search",
        "/defect/\N{ARABIC-INDIC DIGIT ONE}", "C:\\defects.db", "/search\\..\\x",
    ],
)  # fmt: skip
def test_what_is_no_page_leads_nowhere(target: str) -> None:
    assert read_address(target) is None


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/search?form=Si1C3", "'form' is no parameter of this page: formula, name"),
        ("/defect/1?x=1", "none are"),
        ("/search?name=a&name=b", "name is given twice"),
        ("/search?name=" + "a" * 201, "200 letters"),
        ("/search?name=*a*a*a*a*", "5 stars"),
        ("/search?name=a%00b", "none may be null"),
        ("/search?name=%ff", "no text"),
        ("/search?" + "&".join(f"a{k}=1" for k in range(40)), "more than 20"),
        ("/search?page=0", "pages count from 1"),
        ("/search?page=1e3", "pages count from 1"),
        ("/search?page=9999999999", "pages count from 1"),
        ("/search?confidence=2", "a number from 0 to 1"),
        ("/search?confidence=nan", "a number from 0 to 1"),
        ("/search?confidence=high", "a number from 0 to 1"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(target: str, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        read_address(target)


def test_addresses_are_read_as_they_are_spelled() -> None:
    texts = {"name": "Si1C*", "source": "a b&c/\N{GREEK SMALL LETTER MU}.tif"}
    asked = read_address(address("/search", **texts))
    assert asked == Asked("/search", texts)
    assert read_address(asked.on_page(3)) == Asked("/search", {**texts, "page": "3"}, 3)
    # A form sends what was left empty too.
    assert read_address("/search?formula=&name=V1&confidence=") == Asked("/search", {"name": "V1"})
    assert read_address("/defect/17") == Asked("/defect", number=17)
