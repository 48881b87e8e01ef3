"""Debian's short names of licences, as SPDX writes them.

Source: copyright-format 1.0, section "License specification"; the SPDX License List; what the copyright files of trixie
say beside those.
"""

from __future__ import annotations

import re

# Debian's names in lower case. Those that end in + or -later mean "or any later version".
_SAME = (
    "0BSD", "AFL-2.1", "AGPL-3.0", "Apache-1.1", "Apache-2.0", "Artistic-2.0", "Beerware", "BSD-1-Clause",
    "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSD-4-Clause-UC", "BSL-1.0", "BlueOak-1.0.0", "bzip2-1.0.6",
    "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDDL-1.0", "CPL-1.0", "curl", "EPL-1.0",
    "EPL-2.0", "FSFAP", "FSFUL", "FSFULLR", "FTL", "HPND", "IJG", "ISC", "Latex2e", "Libpng", "MIT", "MIT-0",
    "MPL-1.1", "MPL-2.0", "MS-PL", "NCSA", "OFL-1.1", "OLDAP-2.8", "OpenSSL", "PostgreSQL", "PSF-2.0", "QPL-1.0",
    "Ruby", "SISSL", "SMLNJ", "TCL", "Unlicense", "UPL-1.0", "Vim", "W3C", "WTFPL", "X11", "Zlib", "ZPL-2.1",
    "Unicode-3.0", "Unicode-DFS-2016", "TCP-wrappers", "NTP", "Spencer-94", "MIT-CMU", "JSON", "blessing", "Info-ZIP",
    "NAIST-2003", "RSA-MD", "SSH-OpenSSH", "Xnet", "Zend-2.0",
)  # fmt: skip
_OTHER = {
    "expat": "MIT", "mit/expat": "MIT", "mit/x11": "MIT", "x11/mit": "MIT", "expat/mit": "MIT", "mit-style": "MIT",
    "apache-2": "Apache-2.0", "apache2": "Apache-2.0", "asl-2": "Apache-2.0", "apache": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl", "artistic-1": "Artistic-1.0-Perl", "artistic-1.0": "Artistic-1.0",
    "artistic-2": "Artistic-2.0", "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
    "bsd": "BSD-3-Clause", "bsd-2": "BSD-2-Clause", "bsd-3": "BSD-3-Clause", "bsd-4": "BSD-4-Clause",
    "bsd-2-clauses": "BSD-2-Clause", "bsd-3-clauses": "BSD-3-Clause", "bsd2": "BSD-2-Clause", "bsd3": "BSD-3-Clause",
    "bsd-2clause": "BSD-2-Clause", "bsd-3clause": "BSD-3-Clause", "2-clause-bsd": "BSD-2-Clause",
    "3-clause-bsd": "BSD-3-Clause", "bsd-4-clause-uc": "BSD-4-Clause-UC", "bsd-0-clause": "0BSD",
    "boost": "BSL-1.0", "boost-1.0": "BSL-1.0", "bsl-1": "BSL-1.0", "cc0": "CC0-1.0", "cc0-1": "CC0-1.0",
    "mpl-2": "MPL-2.0", "mpl": "MPL-2.0", "psf-2": "PSF-2.0", "psf": "PSF-2.0", "python": "PSF-2.0", "ofl": "OFL-1.1",
    "sil-1.1": "OFL-1.1", "zlib/libpng": "Zlib", "zlib-acknowledgement": "zlib-acknowledgement",
    "openldap": "OLDAP-2.8", "openldap-2.8": "OLDAP-2.8", "fsf-unlimited": "FSFUL", "all-permissive": "FSFAP",
    "permissive": "FSFAP", "bzip2": "bzip2-1.0.6", "zpl": "ZPL-2.1", "tcltk": "TCL", "beer-ware": "Beerware",
    "freetype": "FTL", "unicode": "Unicode-DFS-2016", "openssh": "SSH-OpenSSH", "libpng": "Libpng",
    "unicode-data": "Unicode-DFS-2016", "isc-license": "ISC", "mit-license": "MIT", "bsd-isc": "ISC",
    "pd": "LicenseRef-public-domain", "public domain": "LicenseRef-public-domain",
    "mit-x11": "MIT", "mit-1": "MIT", "gpl2": "GPL-2.0-only", "gpl3": "GPL-3.0-only",
}  # fmt: skip
_NAMES = {name.lower(): name for name in _SAME} | _OTHER
# Families whose names end in -only or -or-later, with the version that a bare name stands for.
_VERSIONED = re.compile(r"(a?gpl|lgpl|gfdl)(?:-?v?(\d(?:\.\d)?))?(\+|-or-later|-only)?\Z")
_FAMILIES = {
    "gpl": {"1": "GPL-1.0", "2": "GPL-2.0", "3": "GPL-3.0", "": "GPL-1.0"},
    "lgpl": {"2": "LGPL-2.0", "2.1": "LGPL-2.1", "3": "LGPL-3.0", "": "LGPL-2.0"},
    "agpl": {"3": "AGPL-3.0", "": "AGPL-3.0"},
    "gfdl": {"1.1": "GFDL-1.1", "1.2": "GFDL-1.2", "1.3": "GFDL-1.3", "": "GFDL-1.1"},
}
_EXCEPTIONS = {
    "openssl": "LicenseRef-openssl-exception", "autoconf": "Autoconf-exception-generic", "gcc": "GCC-exception-3.1",
    "libtool": "Libtool-exception", "bison": "Bison-exception-2.2", "font": "Font-exception-2.0",
    "classpath": "Classpath-exception-2.0", "llvm": "LLVM-exception", "gcc-runtime": "GCC-exception-3.1",
    "linux-syscall-note": "Linux-syscall-note", "autoconf-macro": "Autoconf-exception-macro",
    "runtime-library": "GCC-exception-3.1",
}  # fmt: skip


def spdx(name: str) -> str:
    """The SPDX identifier for one of Debian's names; `LicenseRef-` and the name where the list has none."""
    word = name.strip().lower()
    found = _NAMES.get(word)
    if found:
        return found
    versioned = _VERSIONED.match(word)
    if versioned:
        family, version, suffix = versioned.groups()
        base = _FAMILIES[family].get((version or "").removesuffix(".0"))
        if base:
            # A bare name without a version lets whoever takes the work choose any.
            later = suffix in ("+", "-or-later") or not version
            return f"{base}-{'or-later' if later else 'only'}"
    return reference(name)


def reference(name: str) -> str:
    """A name of one's own for a licence that SPDX has none for. Source: SPDX 2.3, annex D."""
    return "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.-]+", "-", name.strip()).strip("-") or "unnamed")


def with_exception(licence: str, exception: str) -> str:
    """*licence* with an exception that Debian calls *exception*: `with OpenSSL exception`."""
    known = _EXCEPTIONS.get(exception.strip().lower())
    if known and not known.startswith("LicenseRef-") and " " not in licence and not licence.startswith("LicenseRef-"):
        return f"{licence} WITH {known}"
    return reference(f"{licence}-with-{exception}-exception")
