from __future__ import annotations

import pytest

from finback.debian.sources import Mirrors, parse

DEB822 = """# from the installer
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main non-free-firmware
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd

Types: deb
URIs: https://security.example/debian-security
Suites: trixie-security
Components: main
"""
ONE_LINE = """# deb http://commented.example/debian trixie main
deb-src http://sources.example/debian trixie main
deb [arch=amd64 signed-by=/a.gpg] http://mirror.example/debian trixie main contrib # comment
deb http://security.example/debian-security trixie-security main
"""
BOTH = Mirrors(debian="http://mirror.example/debian", security="https://security.example/debian-security")


def test_deb822() -> None:
    assert parse([(".sources", DEB822)]) == BOTH


def test_one_line() -> None:
    assert parse([(".list", ONE_LINE)]) == Mirrors(
        debian="http://mirror.example/debian", security="http://security.example/debian-security"
    )


def test_field_names_have_no_case() -> None:
    assert parse([(".sources", DEB822.replace("URIs", "uris").replace("Types", "TYPES"))]) == BOTH


def test_the_first_counts() -> None:
    assert parse([(".sources", DEB822), (".list", ONE_LINE.replace("mirror", "second"))]) == BOTH


def test_another_vendors_archive_does_not_pass_for_debians() -> None:
    vendor = (
        "deb https://vendor.example/linux/debian-tools trixie main\ndeb https://other.example/debian trixie stable\n"
    )
    assert parse([(".list", vendor), (".sources", DEB822)]) == BOTH


def test_a_mirror_under_another_path_is_taken_when_there_is_no_better() -> None:
    text = "deb http://snapshot.example/debian/20250520T000000Z trixie main"
    assert parse([(".list", text)]).debian == "http://snapshot.example/debian/20250520T000000Z"


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".sources", DEB822.replace("Types: deb", "Enabled: no\nTypes: deb")),
        (".sources", DEB822.replace("Types: deb deb-src", "Types: deb-src").split("\n\n")[0]),
        (".sources", "broken"),
        (".list", "deb http://archive.example/ubuntu noble main"),
        (".list", "deb file:/srv/debian trixie main"),
        (".list", "deb mirror+file:/etc/apt/mirrors.list trixie main"),
        (".list", "deb"),
        (".list", ""),
    ],
)
def test_none(suffix: str, text: str) -> None:
    assert parse([(suffix, text)]) == Mirrors()
