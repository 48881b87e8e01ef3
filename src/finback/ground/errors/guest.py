"""Codes of family F7: the machine that was started did not do what it should.

Most of them are found on the console of a boot that failed, and lead back to the line of the spec that is the cause.
"""

from __future__ import annotations

from finback.ground.errors.code import Code

BROKE_OFF = Code(
    "F701", "The machine broke off while it was answering", "It may have ended; `finback ps` lists what runs."
)
WAITED_TOO_LONG = Code("F703", "Something that was waited for did not happen in time")
MACHINE_ENDED = Code("F704", "The machine ended while something was expected of it")
WRONG_RESULT = Code("F705", "A command or question in a machine did not have the expected result")
BAD_INITRD = Code(
    "F710", "The kernel cannot unpack the initrd", "Give the machine more memory, or build the image again."
)
NO_INIT = Code("F711", "The image has no /init that the kernel could start")
NO_ROOT = Code("F712", "The kernel cannot open the root file system that the command line names")
NO_MEMORY = Code("F713", "The machine has too little memory to boot")
INIT_ENDED = Code("F714", "The first process ended")
NO_OUTPUT = Code(
    "F715",
    "Nothing appeared on the console",
    "The command line may name another console than the machine has, or the machine has too little memory.",
)
KERNEL_PANIC = Code("F719", "The kernel stopped with a panic")
OUT_OF_MEMORY = Code("F720", "The memory was used up, and the kernel ended a process")
LIMIT_REACHED = Code("F721", "A container used up the memory that it may use")
PROGRAM_NOT_FOUND = Code("F722", "A container's program is not in its image")
BIND_NOT_FOUND = Code("F723", "The source of a bind mount does not exist in the machine")
STEP_TIMEOUT = Code("F724", "A step did not end in time")
NO_NETWORK = Code("F725", "A step got no answer on the network")
NOT_READY = Code("F726", "A service did not become ready in time")
SERVICE_FAILED = Code("F727", "A service failed and is not started again")
STEP_FAILED = Code("F728", "A step failed")
VOLUME_NOT_MOUNTED = Code("F729", "A volume could not be mounted")
CGROUP_VERSION = Code("F730", "The command line asks for cgroup version 1, which the system does not have")
NO_LEASE = Code("F731", "No DHCP server answered")
NO_DEVICE = Code("F732", "No network device of the machine fits an interface's `match`")
SECRET_MISSING = Code("F733", "A service waits for a secret that was not given", "finback run --secret NAME=FILE")
FULL = Code("F734", "The place that a container writes to is full")
READ_ONLY = Code("F735", "A container writes where it may not")
NOT_PERMITTED = Code("F736", "The kernel refuses what a container does", "It may need a capability.")
NO_MODULE = Code("F737", "A step loads a module that the kernel does not have")
TEST_FAILED = Code("F740", "A component does not pass its test with the privileges that it declares")
PRIVILEGE_UNNEEDED = Code("F741", "A component passes its test without a privilege that it declares")
NO_DISK = Code("F750", "No disk of the machine fits an entry of `disks`")
DAMAGED_FILE_SYSTEM = Code("F751", "A file system is damaged, and the repair that is safe was not enough")
TPM_REFUSES = Code(
    "F752", "The TPM does not release the key of a disk", "The firmware or boot configuration has changed."
)
WRONG_KEY = Code("F753", "A disk cannot be opened with the key that was given")
