"""References against distribution's grammar, written down a second time as one expression."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError
from finback.oci.reference import Reference

HEX = "0" * 64
# distribution/reference, regexp.go, `ReferenceRegexp`, after normalisation.
DOMAIN = (
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*"
    r"|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
)
COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
WHOLE = re.compile(
    rf"({DOMAIN})/({COMPONENT}(?:/{COMPONENT})*)(?::([\w][\w.-]{{0,127}}))?(?:@(sha256:[0-9a-f]{{64}}))?", re.ASCII
)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:alpine", "docker.io/library/nginx:alpine"),
        ("linuxkit/init:abc", "docker.io/linuxkit/init:abc"),
        ("localhost/a", "localhost/a"),
        ("localhost:5000/a", "localhost:5000/a"),
        ("host:5000/a/b:1", "host:5000/a/b:1"),
        ("index.docker.io/library/x", "docker.io/library/x"),
        ("index.docker.io/x", "docker.io/library/x"),
        ("docker.io/x", "docker.io/library/x"),
        (f"a@sha256:{HEX}", f"docker.io/library/a@sha256:{HEX}"),
        (f"a/b:v1@sha256:{HEX}", f"docker.io/a/b:v1@sha256:{HEX}"),
        # Three components and more stay as they are, with or without their registry.
        ("a/b/c", "a/b/c"),
        ("foo/bar/baz:v1", "foo/bar/baz:v1"),
        (f"foo/bar/baz@sha256:{HEX}", f"foo/bar/baz@sha256:{HEX}"),
        ("docker.io/a/b/c", "docker.io/a/b/c"),
        ("index.docker.io/a/b/c", "docker.io/a/b/c"),
        ("docker.io/library/a/b", "docker.io/library/a/b"),
        ("[::1]:5000/a", "[::1]:5000/a"),
        ("[2001:db8::1]/a/b:1", "[2001:db8::1]/a/b:1"),
        ("EXAMPLE.com/a", "EXAMPLE.com/a"),
        ("docker.io", "docker.io/library/docker.io"),
        ("ghcr.io/a--b__c.d_e/f", "ghcr.io/a--b__c.d_e/f"),
        ("127.0.0.1:0/a", "127.0.0.1:0/a"),
        ("a:" + "t" * 128, "docker.io/library/a:" + "t" * 128),
        (f"a@sha512:{HEX}{HEX}", f"docker.io/library/a@sha512:{HEX}{HEX}"),
    ],
)
def test_references_expand_as_docker_has_it(text: str, expanded: str) -> None:
    assert str(Reference.parse(text)) == expanded
    assert Reference.parse(expanded) == Reference.parse(text)


def test_a_name_of_three_components_comes_from_the_default_registry() -> None:
    bare = Reference.parse("foo/bar/baz:v1")
    assert (bare.registry, bare.repository, bare.tag) == ("docker.io", "foo/bar/baz", "v1")
    assert bare == Reference.parse("docker.io/foo/bar/baz:v1")
    assert Reference.parse(str(bare)) == bare


@pytest.mark.parametrize(
    "text",
    [
        "", "UPPER", "A/a", "a b", "a:", "a@sha256:1", "a//b", "-a", "a/" * 200 + "b", ":tag", "a@", "a:b:c", "a/b:c/d",
        "a/", "/a", "a:.t", "a:-t", "a:" + "t" * 129, "a___b", "a..b", "a._b", "a-", "a_", "host:port/a", "[::1/a",
        "[::g]/a",
        "a@md5:" + "0" * 32, f"a@sha256:{HEX.replace('0', 'A')}", HEX, "ex_ample.com/a", "a\n", "a:t\n", "é", "a/É",
        "-x.com/a", f"a@sha256:{HEX}@sha256:{HEX}", "host:/a", "docker.io/",
    ],
)  # fmt: skip
def test_bad_references_are_refused(text: str) -> None:
    with pytest.raises(FinbackError) as failure:
        Reference.parse(text)
    assert failure.value.diagnostics[0].code == "F030"


@pytest.mark.parametrize(
    ("text", "familiar"),
    [
        ("docker.io/library/nginx:1", "nginx:1"),
        ("docker.io/a/b", "a/b"),
        ("docker.io/library/a/b", "library/a/b"),
        ("ghcr.io/a/b", "ghcr.io/a/b"),
        ("docker.io/localhost/a", "docker.io/localhost/a"),
        ("docker.io/a.b/c", "docker.io/a.b/c"),
        (f"docker.io/library/a@sha256:{HEX}", f"a@sha256:{HEX}"),
    ],
)
def test_familiar_names(text: str, familiar: str) -> None:
    assert Reference.parse(text).familiar == familiar


@given(st.text(max_size=80) | st.text("abA0:/.@_-[]", max_size=40))
def test_any_text_is_a_reference_or_an_error(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except FinbackError:
        return
    assert WHOLE.fullmatch(str(reference))
    assert Reference.parse(str(reference)) == reference
    assert Reference.parse(reference.familiar) == reference


@given(st.from_regex(WHOLE, fullmatch=True))
def test_every_word_of_the_grammar_is_read(text: str) -> None:
    found = WHOLE.fullmatch(text)
    assert found
    domain, path, tag, digest = found.groups()
    first = text.partition("/")[0]
    if len(path) > 255 or not ("." in first or ":" in first or first == "localhost"):
        # What Docker's normalisation takes for a path is tested above.
        return
    read = Reference.parse(text)
    if domain in ("docker.io", "index.docker.io"):
        return
    assert (read.registry, read.repository, read.tag, read.digest) == (domain, path, tag or "", digest or "")
