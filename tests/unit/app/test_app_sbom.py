"""Bills of materials, checked by the libraries of the two formats."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from finback.app.sbom import bill as sbom
from finback.component.bill import Bill, BillImage
from finback.component.inventory import Package
from finback.debian.copyright import Licence
from finback.ground.diagnostic import FinbackError
from finback.ground.digest import Digest
from finback.ground.platform import Platform

AMD64 = Platform("linux", "amd64")
ODD = Licence(parts=("GPL-2.0-or-later OR LicenseRef-own", "Sendmail-9 AND MIT"), how="guessed")
LIBC = Package(kind="deb", name="libc6", version="2.41-12", architecture="amd64", source="glibc",
               maintainer="Libc <a@b.c>", licence=Licence(parts=("LGPL-2.1-or-later",), how="declared"))  # fmt: skip
TOOL = Package(kind="deb", name="g++", version="1:2", architecture="all", source="g++", licence=ODD)
MUSL = Package(kind="apk", name="musl", version="1.2.5-r9", architecture="x86_64", source="musl")


def image(name: str, *packages: Package) -> BillImage:
    reference = f"docker.io/finback/{name}"
    pinned = {"libc6": Digest.of(b"libc6")}
    return BillImage(
        reference=reference, digest=Digest.of(name.encode()), version="1", packages=packages, pinned=pinned
    )


SYSTEM = Bill(name="talk", version="abc", platform=AMD64, system=True, epoch=1492533000,
              images=(image("a", LIBC, TOOL), image("b", LIBC), image("c", MUSL)))  # fmt: skip
COMPONENT = Bill(name="a", version="1", platform=AMD64, system=False, epoch=1492533000, images=(image("a", LIBC),))


@pytest.mark.parametrize("bill", [SYSTEM, COMPONENT], ids=["system", "component"])
def test_spdx(bill: Bill) -> None:
    pytest.importorskip("spdx_tools")
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    text = sbom.write(bill, "spdx")
    assert text == sbom.write(bill, "spdx")
    data = json.loads(text)
    assert validate_full_spdx_document(JsonLikeDictParser().parse(data)) == []
    packages = {p["name"]: p for p in data["packages"]}
    libc = packages["libc6"]
    assert libc["licenseDeclared"] == "LGPL-2.1-or-later"
    assert libc["checksums"][0]["checksumValue"] == Digest.of(b"libc6").encoded
    assert {r["referenceType"] for r in libc["externalRefs"]} == {"purl", "cpe23Type"}
    contained = [r["relatedSpdxElement"] for r in data["relationships"] if r["relationshipType"] == "CONTAINS"]
    assert contained.count(libc["SPDXID"]) == (2 if bill.system else 1)
    if bill.system:
        assert "guessed" in packages["g++"]["licenseComments"]
        assert {e["licenseId"] for e in data["hasExtractedLicensingInfos"]} == {
            "LicenseRef-own",
            "LicenseRef-Sendmail-9",
        }
        assert "licenseDeclared" not in packages["musl"] or packages["musl"]["licenseDeclared"] == "NOASSERTION"


@pytest.mark.parametrize("bill", [SYSTEM, COMPONENT], ids=["system", "component"])
def test_cyclonedx(bill: Bill) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion

    text = sbom.write(bill, "cyclonedx")
    assert text == sbom.write(bill, "cyclonedx")
    assert validation.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    data = json.loads(text)
    libc = next(c for c in data["components"] if c["name"] == "libc6")
    assert libc["licenses"] == [{"expression": "LGPL-2.1-or-later"}]
    assert libc["purl"] == "pkg:deb/debian/libc6@2.41-12?arch=amd64&upstream=glibc"
    holders = [d["ref"] for d in data["dependencies"] if libc["bom-ref"] in d.get("dependsOn", ())]
    assert len(holders) == (2 if bill.system else 1)


def test_another_content_has_another_identity() -> None:
    assert sbom.identity(SYSTEM) != sbom.identity(replace(SYSTEM, images=SYSTEM.images[:2]))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "find_spec", lambda _: None)
    with pytest.raises(FinbackError) as failure:
        sbom.write(SYSTEM, "spdx")
    assert failure.value.diagnostics[0].code == "F548"
    assert "finback[sbom]" in failure.value.diagnostics[0].help


def test_the_command_line_does_not_load_the_libraries() -> None:
    program = (
        "import sys, finback.cli.sbom, finback.app.sbom.bill; assert not {'cyclonedx', 'spdx_tools'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
