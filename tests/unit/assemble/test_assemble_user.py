"""Users of an image by name."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from finback.assemble import user
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.host.store import Store
from finback.oci.image import CONFIG, LAYER
from finback.oci.manifest import MANIFEST
from finback.resolve.plan import Container, ImagePin
from finback.spec.model import Settings

PASSWD = "root:x:0:0::/:/bin/sh\n# no user\nweb:x:101:102:Web:/var/www:/bin/false\nodd:x:no:1\n"
GROUP = "root:x:0:\nweb:x:102:\nlogs:x:200:other,web\nmail:x:8:web\n"


def image(store: Store, files: dict[str, str]) -> Digest:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    layer = out.getvalue()

    def described(kind: str, data: bytes) -> dict[str, object]:
        return {"mediaType": kind, "digest": str(store.put(data)), "size": len(data)}

    diff = {"type": "layers", "diff_ids": [str(Digest.of(layer))]}
    config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": diff, "config": {}}).encode()
    body = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(CONFIG, config),
        "layers": [described(LAYER, layer)],
    }
    return store.put(json.dumps(body).encode())


def settled(store: Store, name: str, files: dict[str, str] | None = None) -> Settings:
    container = Container(
        section="services", index=0, name="s", image=ImagePin(reference="i"), settings=Settings(user=name, cwd="/")
    )
    found = image(store, {"etc/passwd": PASSWD, "etc/group": GROUP} if files is None else files)
    return user.settled(container, found, store)


@pytest.mark.parametrize(
    ("name", "uid", "gid", "others"),
    [
        ("web", 101, 102, (200, 8)),
        ("101", 101, 102, (200, 8)),
        ("web:mail", 101, 8, None),
        ("web:7", 101, 7, None),
        ("1000", 1000, 0, None),
        ("1000:1000", 1000, 1000, None),
        ("root", 0, 0, None),
        ("0", 0, 0, None),
    ],
)
def test_ids_of_a_user(store: Store, name: str, uid: int, gid: int, others: tuple[int, ...] | None) -> None:
    assert settled(store, name) == Settings(cwd="/", uid=uid, gid=gid, additional_gids=others)


@pytest.mark.parametrize("name", ["nobody", "web:nobody", "odd", "4294967295"])
def test_there_is_no_such_user(store: Store, name: str) -> None:
    with pytest.raises(FinbackError) as failure:
        settled(store, name)
    assert failure.value.diagnostics[0].code == "F127"
    assert failure.value.diagnostics[0].help


def test_ids_need_no_tables(store: Store) -> None:
    assert settled(store, "5:6", {}).uid == 5
    with pytest.raises(FinbackError):
        settled(store, "web", {})


def test_without_a_user_nothing_is_looked_up(store: Store) -> None:
    settings = Settings(uid=5)
    container = Container(section="onboot", index=0, name="s", image=ImagePin(reference="i"), settings=settings)
    assert user.settled(container, Digest.of(b"none"), store) == settings
