"""A bill of materials as CycloneDX 1.6 JSON."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from finback.component import bill as bills
from finback.component import inventory
from finback.component.bill import Bill, BillImage


def write(bill: Bill, identity: uuid.UUID) -> str:
    """The document's text."""
    whole = Component(
        name=bill.name,
        version=bill.version or None,
        type=ComponentType.OPERATING_SYSTEM if bill.system else ComponentType.CONTAINER,
        bom_ref="whole",
        properties=[Property(name="finback:platform", value=str(bill.platform))],
    )
    created = datetime.fromtimestamp(bill.epoch, UTC)
    bom = Bom(serial_number=identity, metadata=BomMetaData(component=whole, timestamp=created))
    known: dict[str, Component] = {}
    for image in bill.images:
        holder = whole
        if bill.system:
            holder = _image(image)
            bom.components.add(holder)
            bom.register_dependency(whole, [holder])
        else:
            whole.purl = PackageURL.from_string(bills.image_purl(image))
        inside = [known.setdefault(bills.purl(p), _package(p, image)) for p in image.packages]
        bom.components.update(inside)
        bom.register_dependency(holder, inside)
    return str(JsonV1Dot6(bom).output_as_string(indent=2)) + "\n"


def _image(image: BillImage) -> Component:
    return Component(
        name=image.reference,
        version=image.version or None,
        type=ComponentType.CONTAINER,
        bom_ref=f"image:{image.reference}",
        purl=PackageURL.from_string(bills.image_purl(image)),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=image.digest.encoded)],
    )


def _package(package: inventory.Package, image: BillImage) -> Component:
    digest = image.pinned.get(package.name)
    licence = package.licence
    return Component(
        name=package.name,
        version=package.version or None,
        type=ComponentType.LIBRARY,
        bom_ref=bills.purl(package),
        purl=PackageURL.from_string(bills.purl(package)),
        cpe=bills.cpe(package),
        publisher=package.maintainer or None,
        licenses=[LicenseExpression(licence.expression)] if licence.expression else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.encoded)] if digest else None,
        properties=[Property(name="finback:licence", value=licence.how)],
    )
