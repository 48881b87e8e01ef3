"""A bill of materials as SPDX 2.3 JSON."""

from __future__ import annotations

import io
import re
import uuid
from datetime import UTC, datetime

from spdx_tools.common.spdx_licensing import spdx_licensing
from spdx_tools.spdx.model import (
    Actor,
    ActorType,
    Checksum,
    ChecksumAlgorithm,
    CreationInfo,
    Document,
    ExternalPackageRef,
    ExternalPackageRefCategory,
    ExtractedLicensingInfo,
    Package,
    PackagePurpose,
    Relationship,
    RelationshipType,
    SpdxNoAssertion,
)
from spdx_tools.spdx.writer.json import json_writer

from finback.component import bill as bills
from finback.component import inventory
from finback.component.bill import Bill, BillImage

GUESSED = "guessed from sentences of the package's copyright file, which is not machine-readable"
WHOLE = "SPDXRef-whole"


def write(bill: Bill, identity: uuid.UUID) -> str:
    """The document's text.

    Raises:
        ValueError: a library that writes SPDX found it to be wrong: a mistake of finback's.

    """
    references: set[str] = set()
    packages = [_whole(bill)]
    relations = [Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, WHOLE)]
    known: dict[str, Package] = {}
    for number, image in enumerate(bill.images):
        inside = f"SPDXRef-image-{number}" if bill.system else WHOLE
        if bill.system:
            packages.append(_image(image, inside))
            relations.append(Relationship(WHOLE, RelationshipType.CONTAINS, inside))
        for package in image.packages:
            made = _package(package, image, references)
            known.setdefault(made.spdx_id, made)
            relations.append(Relationship(inside, RelationshipType.CONTAINS, made.spdx_id))
    created = datetime.fromtimestamp(bill.epoch, UTC).replace(tzinfo=None)
    document = Document(
        creation_info=CreationInfo(
            spdx_version="SPDX-2.3",
            spdx_id="SPDXRef-DOCUMENT",
            name=bill.name,
            document_namespace=f"https://finback.org/sbom/{bill.name}-{identity}",
            creators=[Actor(ActorType.TOOL, "finback")],
            created=created,
        ),
        packages=[*packages, *known.values()],
        relationships=relations,
        extracted_licensing_info=[_extracted(r) for r in sorted(references)],
    )
    out = io.StringIO()
    json_writer.write_document_to_stream(document, out, validate=True)
    return out.getvalue() + "\n"


def _whole(bill: Bill) -> Package:
    purpose = PackagePurpose.OPERATING_SYSTEM if bill.system else PackagePurpose.CONTAINER
    package = Package(
        spdx_id=WHOLE,
        name=bill.name,
        version=bill.version or None,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        primary_package_purpose=purpose,
        comment=f"for {bill.platform}",
    )
    if not bill.system:
        (image,) = bill.images
        package.checksums = [Checksum(ChecksumAlgorithm.SHA256, image.digest.encoded)]
        package.external_references = [_reference("purl", bills.image_purl(image))]
    return package


def _image(image: BillImage, identifier: str) -> Package:
    return Package(
        spdx_id=identifier,
        name=image.reference,
        version=image.version or None,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        checksums=[Checksum(ChecksumAlgorithm.SHA256, image.digest.encoded)],
        primary_package_purpose=PackagePurpose.CONTAINER,
        external_references=[_reference("purl", bills.image_purl(image))],
    )


def _package(package: inventory.Package, image: BillImage, references: set[str]) -> Package:
    where = f"{package.kind}-{package.name}-{package.version}-{package.architecture}"
    declared, licence = SpdxNoAssertion(), package.licence
    digest = image.pinned.get(package.name)
    made = Package(
        spdx_id="SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", where),
        name=package.name,
        version=package.version or None,
        supplier=_actor(package.maintainer),
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        source_info=f"built from source package {package.source}",
        license_concluded=SpdxNoAssertion(),
        license_declared=declared,
        license_comment=GUESSED if licence.how == "guessed" else None,
        checksums=[Checksum(ChecksumAlgorithm.SHA256, digest.encoded)] if digest else None,
        external_references=[
            _reference("purl", bills.purl(package)),
            _reference("cpe23Type", bills.cpe(package), ExternalPackageRefCategory.SECURITY),
        ],
    )
    if licence.expression:
        text, found = known_licences(licence.expression)
        references |= found
        made.license_declared = spdx_licensing.parse(text)
    return made


def known_licences(text: str) -> tuple[str, set[str]]:
    """The expression with references in place of what SPDX's list has not; and all references."""
    unknown = spdx_licensing.unknown_license_keys(spdx_licensing.parse(text))
    for name in unknown:
        if not name.startswith("LicenseRef-"):
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", f"LicenseRef-{name}", text)
    return text, {n if n.startswith("LicenseRef-") else f"LicenseRef-{n}" for n in unknown}


def _extracted(reference: str) -> ExtractedLicensingInfo:
    name = reference.removeprefix("LicenseRef-")
    text = f"Called {name} in the copyright files of the packages that name it, which hold its text"
    return ExtractedLicensingInfo(license_id=reference, license_name=name, extracted_text=text)


def _actor(maintainer: str) -> Actor | SpdxNoAssertion:
    name, bracket, address = maintainer.strip().partition("<")
    if not bracket or not name.strip() or not address.endswith(">") or not address[:-1] or ">" in address[:-1]:
        return SpdxNoAssertion()
    return Actor(ActorType.ORGANIZATION, name.strip().strip('"'), address[:-1])


def _reference(
    kind: str, locator: str, category: ExternalPackageRefCategory = ExternalPackageRefCategory.PACKAGE_MANAGER
) -> ExternalPackageRef:
    return ExternalPackageRef(category, kind, locator)
