"""Bills of materials of components and of built systems, as SPDX 2.3 or CycloneDX 1.6 JSON.

What is listed was read from the images themselves: see `finback.component.inventory`. The same images give the same
bytes: times and identifiers are derived from what is listed.
"""

from __future__ import annotations

import uuid
from importlib.util import find_spec

from finback.app.planning import Inputs, make_plan
from finback.app.workspace import Workspace
from finback.component import inventory
from finback.component.bill import Bill, BillImage
from finback.ground import canonical
from finback.ground.diagnostic import error
from finback.ground.event import task
from finback.ground.platform import Platform
from finback.oci import flatten
from finback.resolve.catalogue import Wanted
from finback.resolve.plan import ImagePin, loader_reference

FORMATS = ("spdx", "cyclonedx")
# Files of components have this time (see `finback.sources.library`).
EPOCH = 1492533000


def of_component(name: str, platform: Platform, workspace: Workspace) -> Bill:
    """The bill of a component's image, built if need be.

    Raises:
        FinbackError: F141 an unknown name; whatever building raises.

    """
    wanted = Wanted(reference=loader_reference(name), platform=platform)
    pin = workspace.catalogue().find(wanted).pin
    images = (_image(pin, workspace),)
    return Bill(name=name, version=pin.version, platform=platform, system=False, epoch=EPOCH, images=images)


def of_system(inputs: Inputs, workspace: Workspace) -> Bill:
    """The bill of the system that the files describe, with the lock honoured as a build would.

    Raises:
        FinbackError: what planning raises.

    """
    plan, _ = make_plan(inputs, workspace)
    pins = {pin.reference: pin for pin in plan.images if not pin.loader}
    images = tuple(_image(pin, workspace) for _, pin in sorted(pins.items()))
    version = plan.digest().short
    return Bill(name=plan.name, version=version, platform=plan.platform, system=True, epoch=plan.epoch, images=images)


def _image(pin: ImagePin, workspace: Workspace) -> BillImage:
    assert pin.digest is not None
    name = pin.reference.removeprefix("docker.io/")
    with task(workspace.emit, f"inventory {name}", f"reading {name}"):
        found = inventory.take(flatten.entries(workspace.store, pin.digest), workspace.store.chunks)
    return BillImage(
        reference=pin.reference,
        digest=pin.digest,
        version=pin.version,
        packages=found.packages,
        pinned={p.name: p.digest for p in pin.packages},
    )


def write(bill: Bill, form: str) -> str:
    """The bill's text in one of `FORMATS`.

    Raises:
        FinbackError: F548, the libraries that write it are not installed.

    """
    needed = {"spdx": "spdx_tools", "cyclonedx": "cyclonedx"}[form]
    if find_spec(needed) is None:
        raise error(
            "F548", f"the library that writes {form} is not installed", help="run `pip install 'finback[sbom]'`"
        )
    if form == "spdx":
        from finback.app.sbom import spdx as sbom_spdx

        return sbom_spdx.write(bill, identity(bill))
    from finback.app.sbom import cyclonedx as sbom_cyclonedx

    return sbom_cyclonedx.write(bill, identity(bill))


def identity(bill: Bill) -> uuid.UUID:
    """An identifier that is the same for the same content. Source: RFC 9562, 5.5: version 5, by name."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"https://finback.org/sbom/{canonical.digest(bill).encoded}")
