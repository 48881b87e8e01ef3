"""Licences from copyright files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.debian import copyright as copyright_file
from finback.debian import licence_name
from finback.debian.copyright import expression, identifiers, read


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("GPL-2+ and MIT", "GPL-2.0-or-later AND MIT"),
     ("Expat", "MIT"),
     ("BSD-3-clause or GPL-2", "BSD-3-Clause OR GPL-2.0-only"),
     ("GPL-2.0-or-later", "GPL-2.0-or-later"),
     ("GPL-3.0+", "GPL-3.0-or-later"),
     ("GPL", "GPL-1.0-or-later"),
     ("LGPL-2.1", "LGPL-2.1-only"),
     ("Perl and Expat", "(Artistic-1.0-Perl OR GPL-1.0-or-later) AND MIT"),
     ("GPL-2 or MIT, and BSD-3-clause", "(GPL-2.0-only OR MIT) AND BSD-3-Clause"),
     ("(GPL-2+ or MIT) and ISC", "(GPL-2.0-or-later OR MIT) AND ISC"),
     ("GPL-3+ with Bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
     ("GPL-3+-with-bison-exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
     ("GPL-2+ with OpenSSL exception", "LicenseRef-GPL-2.0-or-later-with-OpenSSL-exception"),
     ("public-domain", "LicenseRef-public-domain"),
     ("Our own terms", "LicenseRef-Our-own-terms"),
     ("GPL-2 and", "LicenseRef-GPL-2-and"),
     (")(", "LicenseRef-unnamed")],
)  # fmt: skip
def test_short_names(text: str, wanted: str) -> None:
    assert expression(text) == wanted


def test_a_machine_readable_file_is_read_as_it_says() -> None:
    found = read(
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "\nFiles: *\nCopyright: A\nLicense: GPL-2+ or MIT\n the text of both\n"
        "\nFiles: lib/*\nCopyright: B\nLicense: Zlib\n"
        "\nFiles: debian/* debian/rules\nCopyright: C\nLicense: GPL-3+\n"
        "\nLicense: GPL-3+\n only named for the packaging\n"
    )
    assert found.parts == ("GPL-2.0-or-later OR MIT", "Zlib")
    assert (found.how, found.expression) == ("declared", "(GPL-2.0-or-later OR MIT) AND Zlib")


def test_a_licence_for_everything_counts_where_no_files_are_named() -> None:
    assert read("Format: x\nLicense: Expat\n").parts == ("MIT",)


def test_other_files_give_guesses() -> None:
    found = read(
        "This program is free software; you can redistribute it under the terms of the GNU General Public License as\n"
        "published by the Free Software Foundation; either version 2, or (at your option) any later version.\n"
        "On Debian systems, the text is in `/usr/share/common-licenses/GPL-2'.\n"
        "Parts: Permission is hereby granted, free of charge, to any person obtaining a copy\n"
    )
    assert (found.parts, found.how) == (("GPL-2.0-or-later", "MIT"), "guessed")
    lesser = read("under the GNU Lesser General Public License version 2.1")
    assert lesser.parts == ("LGPL-2.1-only",)
    assert read("Redistribution and use in source and binary forms ... Neither the name of").parts == ("BSD-3-Clause",)
    assert read("Redistribution and use in source and binary forms, with or without").parts == ("BSD-2-Clause",)


def test_what_is_not_understood_is_unknown() -> None:
    assert read("All rights reserved.") == copyright_file.Licence()
    assert copyright_file.Licence().expression == ""


@given(st.text(alphabet="GPLMIT-2+ ()andorwithexception,", max_size=60))
def test_every_text_gives_a_sound_expression(text: str) -> None:
    made = expression(text)
    assert made
    assert made.count("(") == made.count(")")
    assert all(identifiers(made))


@given(st.text(max_size=400))
def test_no_file_is_too_strange(text: str) -> None:
    found = read("Format: 1\n" + text)
    assert (found.how == "unknown") == (not found.parts)


def test_every_name_that_is_not_spdx_says_so() -> None:
    licensing = pytest.importorskip("spdx_tools.common.spdx_licensing").spdx_licensing
    names = [licence_name.spdx(n) for n in ("GPL-2", "LGPL-2", "AGPL-3+", "GFDL-1.3", *licence_name._NAMES)]
    unknown = {n for name in names for n in licensing.unknown_license_keys(name)}
    assert {n for n in unknown if not n.startswith("LicenseRef-")} == set()
