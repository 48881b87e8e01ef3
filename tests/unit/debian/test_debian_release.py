from __future__ import annotations

import pytest

from finback.debian import release
from finback.debian.release import Release
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest

HASH = "ab" * 32
TEXT = f"""Origin: Debian
Suite: stable-updates
Codename: trixie-updates
Date: Sat, 15 Nov 2025 14:12:30 UTC
Valid-Until: Sat, 22 Nov 2025 14:12:30 UTC
Acquire-By-Hash: yes
MD5Sum:
 0123 4 main/binary-amd64/Packages.xz
SHA256:
 {HASH}     1234 main/binary-amd64/Packages.xz
 {HASH} 0 main/binary-arm64/Packages.xz
"""
DATE = 1763215950
WEEK = 7 * 24 * 3600


def test_reads_what_verification_needs() -> None:
    found = release.decode(TEXT.encode(), "x")
    assert (found.suite, found.codename, found.by_hash) == ("stable-updates", "trixie-updates", True)
    assert (found.date, found.valid_until) == (DATE, DATE + WEEK)
    assert found.files["main/binary-amd64/Packages.xz"] == (Digest("sha256", HASH), 1234)
    assert len(found.files) == 2


def test_without_optional_fields() -> None:
    text = f"Codename: x\nDate: Sat, 15 Nov 2025 14:12:30 -0000\nSHA256:\n {HASH} 1 a\n"
    found = release.decode(text.encode(), "x")
    assert (found.date, found.valid_until, found.by_hash) == (DATE, None, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        TEXT.replace("SHA256:", "SHA512:"),
        TEXT.replace("Date: Sat", "Datum: Sat"),
        TEXT.replace("15 Nov 2025 14:12:30", "soon"),
        TEXT.replace(HASH, HASH[:-1]),
        TEXT.replace("1234", "many"),
        TEXT.replace("     1234", ""),
        "\udcff",
    ],
)
def test_refuses_what_is_no_release_file(text: str) -> None:
    with pytest.raises(FinbackError) as caught:
        release.decode(text.encode("utf-8", "surrogateescape"), "InRelease of trixie")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "F130"
    assert diagnostic.message.startswith("InRelease of trixie is not a Release file: ")
    assert diagnostic.help


def _check(suite: str = "trixie-updates", now: int = DATE, *, expired: bool = False) -> str:
    found: Release = release.decode(TEXT.encode(), "x")
    try:
        release.check(found, suite, now, "InRelease", expired=expired)
    except FinbackError as failure:
        return failure.diagnostics[0].code
    return ""


def test_holds_for_its_suite_and_codename_while_it_is_good() -> None:
    assert _check() == ""
    assert _check("stable-updates") == ""
    assert _check(now=DATE + WEEK) == ""


def test_refuses_another_suite() -> None:
    assert _check("trixie") == "F312"


def test_refuses_an_expired_statement_unless_told_otherwise() -> None:
    assert _check(now=DATE + WEEK + 1) == "F313"
    assert _check(now=DATE + WEEK + 1, expired=True) == ""


def test_refuses_the_future_beyond_a_clock_that_is_a_little_off() -> None:
    assert _check(now=DATE - release.TOLERANCE) == ""
    assert _check(now=DATE - release.TOLERANCE - 1) == "F314"
