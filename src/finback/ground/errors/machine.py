"""Codes of family F5: this machine lacks something, or cannot run what is asked for."""

from __future__ import annotations

from finback.ground.errors.code import Code

NO_HOME = Code(
    "F500",
    "The user has no home directory, and nothing says where to keep files instead",
    "In a container, set HOME to a folder that the user can write to, or the variable that the message names.",
)
BAD_ENVIRONMENT = Code("F501", "An environment variable has a value that cannot be used")
NO_MIRROR = Code("F510", "No Debian mirror is known", "Set FINBACK_MIRROR, or `mirror:` in config.yml.")
NO_KEYRING = Code("F511", "There is no keyring to check Debian's archive with")
BAD_AUTHORITY = Code("F512", "The file cannot be used as a certificate authority")
NO_PROGRAM = Code("F520", "A program is not installed, or cannot be started")
NO_ACCELERATOR = Code("F521", "The accelerator cannot be used", "Use --accel auto or --accel tcg.")
NOTHING_TO_BOOT = Code("F522", "There is no image of this name that could be booted")
PORT_TAKEN = Code("F523", "A port cannot be published", "Publish on another port; `finback ps` lists those in use.")
PATH_TOO_LONG = Code("F524", "The path of the state folder is too long for sockets")
RUNS_ALREADY = Code("F525", "A machine of this name runs already")
QEMU_ENDED = Code(
    "F526", "QEMU ended at once", "--dry-run shows the command; qemu.log in the state folder has the reason."
)
NO_MACHINE = Code("F527", "No machine of this name runs, or several have it")
BAD_DISK = Code("F528", "A disk cannot be attached or made")
NO_NETWORKING = Code("F529", "Nothing can be published with this kind of networking")
NO_FIRMWARE = Code("F530", "There is no UEFI firmware for this architecture on this machine")
NOT_ENDED = Code("F531", "A process of the machine cannot be ended")
PROGRAM_HANGS = Code("F532", "A program does not answer, or cannot be started")
MEMORY_TOO_SMALL = Code("F533", "The memory is too small for the initrd")
COMMAND_TOO_LONG = Code("F534", "The command is too long", "Send what is long as its standard input.")
GUEST_SILENT = Code("F535", "Nothing in the machine answers commands")
TOO_MANY_COMMANDS = Code("F536", "Too many commands run in the machine already")
BUILD_KILLED = Code(
    "F537", "A process that built a component was killed", "Most often memory is missing: use --jobs 1."
)
SECRET_UNUSABLE = Code("F538", "A secret cannot be given to the machine")
SWITCH_FAILED = Code("F539", "The switch of a network cannot be started")
NO_SLOT = Code("F540", "No place for another disk is left")
NO_SNAPSHOT = Code("F541", "There is no such snapshot, or none can be made")
BAD_TRANSFER = Code("F542", "What was copied is not a whole archive, or has an entry that is not allowed")
TRANSFER_TOO_LARGE = Code("F543", "What is copied is too large")
NOT_COPIED = Code("F544", "Something was not copied")
NO_TERMINAL = Code("F545", "The machine has no terminal, or all are in use")
QEMU_REFUSES = Code("F546", "QEMU refuses a command, or does not answer")
COMMAND_TIMEOUT = Code("F547", "A command in the machine takes longer than it may")
EXTRA_MISSING = Code("F548", "A Python package that this command needs is not installed")
COMPANION_FAILED = Code("F549", "A program beside the machine does not start")
NO_TPM = Code("F550", "QEMU has no TPM for this architecture")
MEMORY_USED_UP = Code("F551", "This machine has too little memory for the command")
