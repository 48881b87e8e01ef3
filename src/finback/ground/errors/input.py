"""Codes of family F1: an image, a package, an archive or a component is not what it should be."""

from __future__ import annotations

from finback.ground.errors.code import Code

# Definitions of components, as `finback component check` reports them

BAD_SUMMARY = Code(
    "F100",
    "The summary of a component is not one short line that begins with a capital letter and has no full stop",
    wrong="summary: serves web pages.\n",
    right="summary: Serves web pages\n",
)
COMPONENT_ENTRY_TWICE = Code(
    "F101",
    "A component's definition has a path or an entry of a list twice, or a path below something that is no directory",
)
PRIVILEGE_WITHOUT_REASON = Code(
    "F102",
    "A component has a privilege and gives no reason for it",
    "Every privilege of a library component has a line under `reasons:` that says what the program needs it for.",
)
REASON_WITHOUT_PRIVILEGE = Code("F103", "A component gives a reason for a privilege that it does not have")
COMPONENT_USER_MISSING = Code("F104", "No user of the component's image has this identifier, or two have it")
COMPONENT_PORT = Code("F105", "An exposed port of a component is not valid, or its test asks for another port")
COMPONENT_WITHOUT_TEST = Code("F106", "A component has no test", "Add `test: {expect: [...]}` to its component.yml.")
RECORD_STALE = Code(
    "F107",
    "A warning: the component has changed since it was tested, probed or measured",
    "Run the command that the message names; it records the result again.",
)
RECORD_FAILED = Code("F108", "The last recorded test or probe of the component failed")
BAD_COMPONENT_NAME = Code("F109", "The name of a new component is not valid, or exists already")

UNREADABLE_PACKAGES = Code(
    "F110",
    "The list of packages in an image can't be read",
    "`var/lib/dpkg/status` of the image, or a file in `status.d` beside it, is not in the form of Debian's control "
    "files, so that nobody can say what the image is made of.",
)

# Images in a spec

NOTHING_TO_RUN = Code(
    "F120",
    "The image has no entry point and no command, and the spec names none",
    "Give the item a `command:`.",
)
COMPONENT_WITH_TAG = Code(
    "F121",
    "A component of the library takes no tag or digest",
    "The lock file pins its packages and its image.",
    wrong="init: [finback/init:1.0]\n",
    right="init: [finback/init]\n",
)
NO_IMAGE_SOURCE = Code("F122", "No source of images answers this name, or what answers it is not a container image")
PATH_NOT_IN_IMAGE = Code("F123", "Nothing in the built image is at this path")
UNREADABLE_IMAGE = Code(
    "F124",
    "The image is not one that finback reads",
    "Its manifest, configuration or a layer has another type than the OCI image specification 1.1 and Docker's "
    "schema 2 "
    "define, or contradicts its own sizes.",
)
BAD_LAYER = Code("F125", "A layer of the image is not a valid archive, or leads outside the image")
BAD_LABEL = Code("F126", "The label with which an image configures itself is not valid")
NO_IMAGE_USER = Code("F127", "The image has no such user or group, or the artefact is no component of a library")
NOT_PUBLISHED = Code("F128", "The published library has no such component, or no longer the pinned image of it")

# Debian's archive

BAD_RELEASE = Code("F130", "The mirror's Release file is malformed")
BAD_INDEX = Code("F131", "A package index of the archive, or a package in it, is malformed")
NO_PACKAGE = Code("F132", "The archive has no package of this name", "Check the name, the suite and the architecture.")
UNSOLVABLE = Code(
    "F133",
    "The dependencies of a component's packages cannot be satisfied",
    "The notes show which package needs what. Leave a package out, or name what is not needed under `without:`.",
)
BAD_PACKAGE = Code("F134", "A Debian package is malformed")
NO_PACKAGES_FOR_ARCHITECTURE = Code("F135", "The suite has no packages for this architecture")

# Building components

NOT_FOR_ARCHITECTURE = Code("F140", "The component cannot be built for this architecture, for the reason that it gives")
NO_COMPONENT = Code(
    "F141",
    "There is no component of this name in the library",
    "`finback component list` shows all. Folders of your own components are named by `library:` in config.yml.",
    wrong="init: [finback/inti]\n",
    right="init: [finback/init]\n",
)
SAME_ANSWER = Code("F142", "Two components answer the same image name")
FOLDER_NOT_COPIED = Code(
    "F136",
    "A folder that `files` copies is too large, or it is or has something that cannot be copied",
    "Files are copied, and folders with their files, folders and symbolic links. Devices, sockets and pipes have no "
    "content.",
)
NOTHING_KEPT = Code("F143", "None of the component's packages has a file that its `keep:` names")
LIBRARY_MISSING = Code("F144", "A program needs a library or interpreter that no package of the component has")
FOREIGN_PROGRAM = Code("F145", "A program of a package is malformed, or for another architecture")
SEVERAL_KERNELS = Code("F146", "The packages hold no kernel, or several")
NO_MODULE = Code("F147", "The kernel does not have a module that the component asks for")
BAD_MODULE = Code("F148", "A kernel module is malformed, or a module that it needs is missing")
PACKAGE_WITHOUT_PROGRAMS = Code("F149", "The package has no programs that a component could be made from")

# Assembling a system

NO_KERNEL_FILE = Code("F150", "The kernel's image has no file of this name to boot")
NO_MICROCODE = Code("F151", "The kernel's image has no microcode of this name")
NO_MODULE_ARCHIVE = Code("F152", "The kernel's image has no archive of modules of this name, or a malformed one")
PLAN_NOT_RESOLVED = Code("F153", "An image of the plan has no digest yet", "Build from a resolved plan.")
VOLUME_PLATFORM = Code("F154", "A volume can hold only the image of the platform that is built for")
ATTRIBUTES_LOST = Code(
    "F155",
    "A warning: files lose extended attributes, which an initrd does not have",
    "File capabilities are extended attributes. Give the container the capabilities that its programs need, or use a "
    "format whose root keeps attributes, such as kernel+squashfs.",
)
BAD_FILE_PATH = Code("F156", "A file's path names no file")
NOT_PLANNED = Code("F157", "The plan lacks a component that the format needs", "Plan for the formats that are made.")
LOADER_UNUSABLE = Code("F158", "A boot loader's component cannot be used")
BOOT_PARTITION = Code("F159", "The boot partition cannot be made")
FIRMWARE_MISSING = Code("F160", "The board's firmware is missing from its component")
DISC_TOO_SMALL = Code("F161", "The root file system does not fit on a disc")
COMMAND_LINE_UNSAYABLE = Code(
    "F162",
    "A boot loader has no way to pass this command line on to the kernel",
    "Each loader reads the line by its own rules first: GRUB puts backslashes before quotes, iPXE replaces `${...}`. "
    "Write the line without what is named, or build a format that another loader boots.",
)
COMMAND_LINE_TOO_LONG = Code(
    "F163",
    "The command line is longer than what the kernel keeps",
    "A kernel for amd64 and arm64 keeps 2047 bytes, for riscv64 1023, for s390x 4095; what a boot loader adds counts. "
    "Shorten the line: what is for programs can be in a file of `files:`.",
)
NOT_HELD = Code(
    "F164",
    "A format cannot hold a file: it is too large, or a number or a name of it does not fit",
    "An initrd holds files of less than 4 GiB and times from 1970 to 2106. The message names formats that can hold it.",
)
ROOT_DRIVER_MISSING = Code("F165", "The kernel has no driver for the root file system of this format")
ROOT_MODULES_MISSING = Code("F166", "Nothing in the initrd can load the drivers for the root file system")
ROOT_NOT_WRITABLE = Code("F167", "The system cannot be written as this file system")

# Registries, layouts and archives

BAD_MANIFEST = Code("F170", "A manifest, index or configuration cannot be read")
NO_PLATFORM = Code("F171", "The image has no variant for this platform")
INDEX_TOO_DEEP = Code("F172", "Image indexes contain each other too deeply")
LAYER_NOT_DISTRIBUTED = Code("F173", "A layer may not be distributed by registries")
NO_NAMED_FILES = Code("F174", "The artefact has no files with names, or a name that is not one of a part of a system")
NOT_BUILT = Code("F175", "The store does not have the image that is asked for")
FILE_IN_THE_WAY = Code(
    "F178",
    "A file that `pull` would write is there already",
    "What is there may be yours. `--force` replaces files, and of a symbolic link the link itself, never its target.",
)
NOT_AN_INDEX = Code("F176", "Nothing can be added to a single image or artefact")
LAYER_COMPRESSION = Code("F180", "A layer cannot be decompressed")
LAYER_DIFFERS = Code("F181", "A layer does not unpack to what the image's configuration announces")
IMAGE_NOT_NAMED = Code("F182", "The layout or archive has no image of this name, or several and no name was given")
LAYOUT_DAMAGED = Code(
    "F183", "A file of the layout or archive does not have its digest or size, or is not a regular file below it"
)
DISK_NAMED_BY_BUS = Code(
    "F177",
    "A warning: a disk has the name of another bus than the disks of `finback run`",
    "LinuxKit's machines have /dev/sda. Run the system with `--disk FILE,bus=sata`, or write /dev/vda.",
)
FILE_HIDDEN = Code(
    "F184",
    "A warning: the boot mounts a file system over this file",
    "`/run`, `/tmp` and `/var` are in memory. Put the file below /etc or /usr and bind it, or let a step copy it.",
    wrong="files: [{path: var/lib/data, contents: hello}]\n",
    right="files: [{path: etc/data, contents: hello}]\n",
)
NOT_A_LAYOUT = Code("F185", "The path is not an OCI image layout, or not an archive of images")
NO_ENGINE = Code("F186", "No Docker or Podman can be asked on this machine")
ENGINE_REFUSES = Code("F187", "The Docker or Podman on this machine refuses, or breaks off")
NO_ENGINE_IMAGE = Code("F188", "The Docker or Podman on this machine does not have the image")
NOT_IN_STORE = Code("F189", "Nothing in the store has this name")

# Checks that a system can boot

NO_INIT = Code("F190", "The system has no first program that the kernel could start")
NO_PROGRAM = Code("F191", "A container's program, its interpreter or a library is missing, or for another machine")
BIND_SOURCE_MISSING = Code("F192", "The source of a bind mount does not exist in the system")
MOUNT_OVER_FILE = Code("F193", "A file system is mounted where the image has a file")
DRIVER_MISSING = Code("F194", "The kernel lacks a driver that the system needs")
NO_CONSOLE = Code("F195", "The kernel has no driver for the consoles that the command line names")
USER_NOT_MAPPED = Code("F196", "The user namespace of a container does not map the user that it runs as")
MEMORY_TOO_SMALL = Code("F197", "The initrd is larger than the memory that the machine is given")
CHECKS_SKIPPED = Code("F198", "A warning: checks that the system can boot were skipped")
SECTION_WITHOUT_INIT = Code("F199", "Nothing in `init:` would carry out a section of the file")
