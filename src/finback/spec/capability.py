"""Linux capabilities, in the order of their numbers. Source: capabilities(7), linux/capability.h."""

from __future__ import annotations

_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES = tuple(f"CAP_{n}" for n in _NAMES.split())


def expand(names: tuple[str, ...] | None) -> tuple[str, ...]:
    """The capabilities that *names* stand for: the words `all` and `none` are understood when they stand alone."""
    if not names:
        return ()
    if len(names) == 1 and names[0].lower() in ("all", "none"):
        return CAPABILITIES if names[0].lower() == "all" else ()
    return names
