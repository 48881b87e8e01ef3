"""A virtual machine to import into VMware and VirtualBox: its description and the disk of vmdk in one tar.

Source: DMTF, Open Virtualization Format 1.1.0 (DSP0243), sections 5.1 (package), 5.3 (distribution as one file) and 8
(hardware).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from xml.sax.saxutils import quoteattr

from finback.assemble.system import Contents, Piece, System
from finback.codec import disk, tar
from finback.outputs import Format, Options, Written, _drive, raw
from finback.tree.content import Inline, Slice
from finback.tree.entry import File

CPUS, MEMORY = 1, 1024
_RASD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
_VSSD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
_OVF = "http://schemas.dmtf.org/ovf/envelope/1"
_FORMAT = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
# Other Linux, 64 bit (CIM_OperatingSystem).
_LINUX = 101


def _archive(system: System, contents: Contents, options: Options) -> Iterator[Piece]:
    image = raw.DRIVE.image(system, contents, options)
    # Its size and digest come before it in the archive.
    stored = contents.keep(_drive.in_vmdk(image, system, contents))
    name = system.name
    described = _description(name, disk.size(image), stored).encode()
    manifest = f"SHA256({name}.ovf)= {sha256(described).hexdigest()}\n"
    manifest += f"SHA256({name}-disk1.vmdk)= {stored.blob.encoded}\n"
    entries = [
        File(path=f"{name}.ovf", mtime=system.epoch, content=Inline(described)),
        File(path=f"{name}.mf", mtime=system.epoch, content=Inline(manifest.encode())),
        File(path=f"{name}-disk1.vmdk", mtime=system.epoch, content=stored),
    ]
    for chunk in tar.encode(entries, contents.read):
        yield bytes(chunk)


def _description(name: str, capacity: int, stored: Slice) -> str:
    # The numbers are resource types of CIM_ResourceAllocationSettingData.
    processor = {"ElementName": "Processors", "InstanceID": 1, "ResourceType": 3, "VirtualQuantity": CPUS}
    memory = {"ElementName": "Memory", "InstanceID": 2, "ResourceType": 4, "VirtualQuantity": MEMORY}
    sata = {"ElementName": "SATA", "InstanceID": 3, "ResourceType": 20, "ResourceSubType": "AHCI", "Address": 0}
    drive = {"ElementName": "Disk", "InstanceID": 4, "ResourceType": 17, "Parent": 3, "AddressOnParent": 0}
    network = {"ElementName": "Network", "InstanceID": 5, "ResourceType": 10, "ResourceSubType": "E1000"}
    items = (
        processor,
        {**memory, "AllocationUnits": "byte * 2^20"},
        sata,
        {**drive, "HostResource": "ovf:/disk/disk1"},
        {**network, "Connection": "network", "AutomaticAllocation": "true"},
    )
    quoted = quoteattr(name)
    file = quoteattr(f"{name}-disk1.vmdk")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="{_OVF}" xmlns:ovf="{_OVF}" xmlns:rasd="{_RASD}" xmlns:vssd="{_VSSD}">
  <References>
    <File ovf:id="file1" ovf:href={file} ovf:size="{stored.size}"/>
  </References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="{capacity}" ovf:format="{_FORMAT}"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="network"><Description>The machine's network</Description></Network>
  </NetworkSection>
  <VirtualSystem ovf:id={quoted}>
    <Info>A machine built by finback</Info>
    <Name>{quoted[1:-1]}</Name>
    <OperatingSystemSection ovf:id="{_LINUX}"><Info>Linux</Info></OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Hardware</Info>
      <System>
        <vssd:ElementName>Hardware</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemType>vmx-14</vssd:VirtualSystemType>
      </System>
{"".join(map(_item, items))}    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""


def _item(properties: Mapping[str, object]) -> str:
    """A piece of hardware; the schema wants its properties in the order of their names."""
    parts = (f"<rasd:{key}>{value}</rasd:{key}>" for key, value in sorted(properties.items()))
    return f"      <Item>{''.join(parts)}</Item>\n"


def write(system: System, contents: Contents, options: Options) -> Iterator[Written]:
    """One file."""
    yield Written(
        suffix=".ova",
        role="disk",
        media_type="application/ovf",
        body=lambda: _archive(system, contents, options),
    )


FORMAT = Format(
    write=write,
    memory=MEMORY,
    needs_kernel=True,
    streamable=True,
    sized=True,
    loaders=raw.DRIVE.loaders,
    ways=raw.DRIVE.ways,
)
