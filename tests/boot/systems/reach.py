"""What a process in a container can reach of the machine: run there, it prints what it found as JSON.

Nothing is written to anything it finds: files are opened for writing and closed again.
"""

import contextlib
import ctypes
import errno
import json
import os
import re
import socket
import stat
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
# x86-64; source: arch/x86/entry/syscalls/syscall_64.tbl.
NUMBERS = {
    "ptrace": 101, "pivot_root": 155, "chroot": 161, "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166,
    "swapon": 167, "swapoff": 168, "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "init_module": 175, "delete_module": 176, "quotactl": 179, "clock_settime": 227, "kexec_load": 246, "add_key": 248,
    "request_key": 249, "keyctl": 250, "migrate_pages": 256, "unshare": 272, "move_pages": 279, "perf_event_open": 298,
    "fanotify_init": 300, "open_by_handle_at": 304, "setns": 308, "kcmp": 312, "finit_module": 313,
    "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "pidfd_getfd": 438,
    "mount_setattr": 442, "quotactl_fd": 443, "clone": 56, "mknod": 133, "syslog": 103, "personality": 135,
}  # fmt: skip
NAMESPACES = {
    "time": 0x80, "mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
    "pid": 0x20000000, "net": 0x40000000,
}  # fmt: skip


def call(name: str, *arguments: object) -> str:
    """The name of the error of a system call, made in a child of its own; or `allowed`."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        ctypes.set_errno(0)
        answer = LIBC.syscall(NUMBERS[name], *arguments)
        os.write(writer, str(ctypes.get_errno() if answer == -1 else 0).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    number = int(os.read(reader, 16) or b"0")
    os.close(reader)
    return errno.errorcode[number] if number else "allowed"


def calls() -> dict[str, str]:
    text = ctypes.c_char_p(b"proc")
    folder = ctypes.c_char_p(b"/tmp")
    zero = ctypes.create_string_buffer(256)
    found = {
        "keyctl": call("keyctl", 0, -3, 1),
        "add_key": call("add_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"probe"), b"x", 1, -4),
        "request_key": call("request_key", ctypes.c_char_p(b"user"), ctypes.c_char_p(b"probe"), None, 0),
        "mount": call("mount", text, folder, text, 0, None),
        "umount2": call("umount2", ctypes.c_char_p(b"/proc"), 2),
        "fsopen": call("fsopen", text, 0),
        "open_tree": call("open_tree", -100, folder, 1),
        "mount_setattr": call("mount_setattr", -100, folder, 0, zero, 32),
        "chroot": call("chroot", folder),
        "mknod": call("mknod", ctypes.c_char_p(b"/dev/probe"), 0o60600, os.makedev(253, 0)),
        "swapon": call("swapon", folder, 0),
        "sethostname": call("sethostname", text, 4),
        "setdomainname": call("setdomainname", text, 4),
        "settimeofday": call("settimeofday", zero, None),
        "clock_settime": call("clock_settime", 0, zero),
        "iopl": call("iopl", 3),
        "ioperm": call("ioperm", 0x510, 2, 1),
        "reboot": call("reboot", 0xFEE1DEAD, 672274793, 0x89ABCDEF, None),
        "bpf": call("bpf", 0, zero, 48),
        "perf_event_open": call("perf_event_open", zero, 0, -1, -1, 0),
        "userfaultfd": call("userfaultfd", 0),
        "io_uring_setup": call("io_uring_setup", 4, zero),
        "clone3": call("clone3", zero, 64),
        "init_module": call("init_module", zero, 0, text),
        "delete_module": call("delete_module", text, 0),
        "acct": call("acct", None),
        "quotactl": call("quotactl", 0x800001 << 8, None, 0, None),
        "syslog": call("syslog", 5, None, 0),
        "open_by_handle_at": call("open_by_handle_at", -100, zero, 0),
        "no address space randomization": call("personality", 0x40000),
    }
    for name in ("pivot_root", "kexec_load", "setns", "kcmp", "pidfd_getfd", "fsconfig", "fsmount", "fspick",
                 "move_mount", "migrate_pages", "move_pages", "fanotify_init", "quotactl_fd",
                 "finit_module", "kexec_file_load"):  # fmt: skip
        found[name] = call(name, 0, 0, 0, 0, 0)
    for kind, flag in NAMESPACES.items():
        found[f"unshare {kind}"] = call("unshare", flag)
        if kind != "time":
            # A stack is not needed: it works on a copy of this one.
            found[f"clone {kind}"] = cloned(flag)
    return found


def cloned(flag: int) -> str:
    child = LIBC.syscall(NUMBERS["clone"], flag | 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child > 0:
        os.waitpid(child, 0)
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


def sockets() -> dict[str, str]:
    """Which sockets can be made. As a number: AF_ALG is 38, AF_VSOCK 40, AF_PACKET 17."""
    found = {}
    kinds = {
        "raw": (2, 3, 1), "packet": (17, 3, 3), "vsock": (40, 1, 0), "ciphers": (38, 5, 0), "xdp": (44, 3, 0),
        "tcp": (2, 1, 0), "unix": (1, 1, 0), "netlink": (16, 3, 0), "netfilter": (16, 3, 12), "audit": (16, 3, 9),
        "uevent": (16, 3, 15),
    }  # fmt: skip
    for name, arguments in kinds.items():
        try:
            socket.socket(*arguments).close()
            found[name] = "made"
        except OSError as failure:
            found[name] = errno.errorcode[failure.errno]
    # Rules of netfilter, that is, the request for a new table.
    with contextlib.suppress(OSError), socket.socket(16, 3, 12) as asked:
        begin = b"\x14\0\0\0\x10\0\1\0\1\0\0\0\0\0\0\0\0\0\0\x0a"
        table = b"\x20\0\0\0\0\x0a\5\4\2\0\0\0\0\0\0\0\2\0\0\0\x0a\0\1\0probe\0\0\0"[:32]
        end = b"\x14\0\0\0\x11\0\1\0\3\0\0\0\0\0\0\0\0\0\0\x0a"
        asked.send(begin + table + end)
        asked.settimeout(2)
        answer = asked.recv(4096)
        found["netfilter rule"] = errno.errorcode.get(-int.from_bytes(answer[16:20], "little", signed=True), "made")
    return found


def writable() -> list[str]:
    """The files below /proc, /sys and /dev that can be opened for writing, and the folders that take a new file."""
    found = set()
    for top in ("/proc", "/sys", "/dev"):
        for folder, names, files in os.walk(top):
            if re.fullmatch(r"/proc/\d+/task", folder):
                names[:] = names[:1]
            for path in (os.path.join(folder, f) for f in files):
                with contextlib.suppress(OSError):
                    mode = os.lstat(path).st_mode
                    if stat.S_ISLNK(mode):
                        continue
                    if stat.S_ISSOCK(mode):
                        socket.socket(1, 1, 0).connect(path)
                    else:
                        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
                    found.add(path)
            with contextlib.suppress(OSError):
                path = os.path.join(folder, ".probe")
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
                os.unlink(path)
                found.add(folder + "/")
    return sorted({re.sub(r"(/proc|/task)/\d+", r"\1/N", p) for p in found})


def in_sight() -> list[str]:
    """Which of the machine's own files and folders are there and not empty."""
    places = ("/run/finback", "/run/service", "/containers", "/etc/finback", "/sys/firmware/qemu_fw_cfg", "/dev/kmsg",
              "/dev/mem", "/dev/port", "/proc/kcore", "/dev/hvc0", "/dev/vport0p1", "/dev/vda",
              "/dev/fuse")  # fmt: skip
    found = []
    for path in places:
        with contextlib.suppress(OSError):
            if os.path.isdir(path):
                if os.listdir(path):
                    found.append(path)
            else:
                with open(path, "rb") as opened:
                    if opened.read(1):
                        found.append(path)
    return found


def abstract() -> list[str]:
    """The abstract sockets of the network namespace."""
    with open("/proc/net/unix") as table:
        return sorted({w[7] for line in table if len(w := line.split()) > 7 and w[7].startswith("@")})


def stands() -> dict[str, object]:
    """How the process stands: what it may, who it is, where it is."""
    with open("/proc/self/status") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    kept = ("NoNewPrivs", "Seccomp", "CapEff", "CapBnd", "CapPrm", "CapInh", "CapAmb", "Uid", "Gid", "Groups")
    found: dict[str, object] = {k: fields[k].strip() for k in kept}
    with open("/proc/self/oom_score_adj") as score:
        found["oom_score_adj"] = score.read().strip()
    with open("/proc/self/limits") as limits:
        found["open files"] = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
    for name in ("pids.max", "memory.max"):
        with contextlib.suppress(OSError), open("/sys/fs/cgroup/" + name) as limit:
            found[name] = limit.read().strip()
    found["cwd"] = os.getcwd()
    found["env"] = sorted(f"{k}={v}" for k, v in os.environ.items())
    return found


def message_queues() -> int:
    """How many System V queues there are, with one that is made here."""
    LIBC.msgget(0x66696E62, 0o1666)
    with open("/proc/sysvipc/msg") as table:
        return len(table.readlines()) - 1


json.dump(
    {
        "stands": stands(),
        "namespaces": {n: os.readlink(f"/proc/self/ns/{n}") for n in sorted(os.listdir("/proc/self/ns"))},
        "calls": calls(),
        "sockets": sockets(),
        "writable": writable(),
        "sight": in_sight(),
        "abstract": abstract(),
        "queues": message_queues(),
    },
    sys.stdout,
)
