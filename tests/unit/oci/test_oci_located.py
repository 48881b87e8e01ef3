from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finback.ground.diagnostic import FinbackError
from finback.oci import located
from finback.oci.located import Located
from finback.oci.reference import Reference


@pytest.mark.parametrize(
    ("text", "source", "path", "name"),
    [
        ("oci-layout:images", "oci-layout", "images", ""),
        ("oci-layout:/a/b.tar:docker.io/library/web:1", "oci-layout", "/a/b.tar", "docker.io/library/web:1"),
        ("docker-archive:web.tar:web", "docker-archive", "web.tar", "web"),
        ("docker-daemon:web:1", "docker-daemon", "web", "1"),
        ("theirs:./x", "theirs", "./x", ""),
        ("theirs:~/x:y", "theirs", "~/x", "y"),
    ],
)
def test_places(text: str, source: str, path: str, name: str) -> None:
    found = located.parse(text)
    assert isinstance(found, Located)
    assert (found.source, found.split(), str(found)) == (source, (path, name), text)


@pytest.mark.parametrize("text", ["registry:2", "hello-world:latest", "host:5000/a", "a/b:c", "nginx"])
def test_references_stay_references(text: str) -> None:
    assert located.parse(text) == Reference.parse(text)


@pytest.mark.parametrize("text", ["https://a/b", "oci-layout:", "docker-archive:\n", "Theirs:./x", ":./x"])
def test_neither(text: str) -> None:
    with pytest.raises(FinbackError):
        located.parse(text)


@given(st.text(max_size=60) | st.from_regex(r"(oci-layout|a-b|x):[./~a-z:]*", fullmatch=True))
def test_what_is_read_is_written_as_it_was(text: str) -> None:
    try:
        found = located.parse(text)
    except FinbackError:
        return
    assert located.parse(str(found)) == found
    assert isinstance(found, Reference) or str(found) == text
