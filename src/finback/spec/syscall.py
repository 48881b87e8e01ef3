"""The system calls that the default seccomp profile allows, and the capability that allows others.

The profile is Docker's, with the differences that decision 12 lists. What works on the caller's own files, memory,
processes and sockets is allowed. What concerns the machine as a whole needs the capability for it. What makes
namespaces, and with them new capabilities, needs CAP_SYS_ADMIN. The kernel's keyrings, which no namespace separates,
and what is obsolete or has a record of holes (userfaultfd, io_uring), is refused. Names that an architecture does not
have mean nothing on it.

Source: moby/profiles, seccomp/default.json; containerd, contrib/seccomp; syscalls(2), capabilities(7).
"""

from __future__ import annotations

_FILES = """
access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync
ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat ioctl io_cancel io_destroy
io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit lchown lchown32 lgetxattr link linkat
listxattr listxattrat llistxattr lremovexattr lseek lsetxattr lstat lstat64 memfd_create memfd_secret mkdir
mkdirat mknod mknodat name_to_handle_at newfstatat _llseek open openat openat2 pipe pipe2 pread64 preadv preadv2
pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr removexattrat rename renameat
renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statx symlink
symlinkat sync sync_file_range sync_file_range2 arm_sync_file_range syncfs tee truncate truncate64 umask unlink
unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev cachestat statmount listmount
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch fanotify_mark
"""
_WAITING = """
alarm clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64
epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
eventfd2 futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getitimer gettimeofday nanosleep
pause poll ppoll ppoll_time64 pselect6 pselect6_time64 restart_syscall select _newselect setitimer signalfd
signalfd4 time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times
adjtimex clock_adjtime clock_adjtime64
"""
_MEMORY = """
brk madvise map_shadow_stack mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock
munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages
membarrier set_thread_area get_thread_area arch_prctl modify_ldt set_tls cacheflush breakpoint
arm_fadvise64_64 uretprobe
riscv_flush_icache riscv_hwprobe s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr
s390_sthyi
"""
_PROCESSES = """
capget capset execve execveat exit exit_group fork vfork wait4 waitid waitpid getcpu getegid
getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority
getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32
ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self
pidfd_open pidfd_send_signal prctl prlimit64 process_vm_readv process_vm_writev ptrace rseq rt_sigaction
rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
sched_setparam sched_setscheduler sched_yield seccomp set_robust_list get_robust_list set_tid_address setfsgid
setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32
setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 sigaction
sigaltstack signal sigpending sigprocmask sigreturn sigsuspend sysinfo tgkill tkill ugetrlimit uname
"""
_MESSAGES = """
accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open
mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd
recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg
sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketcall socketpair
"""
ALLOWED = tuple(sorted(f"{_FILES}{_WAITING}{_MEMORY}{_PROCESSES}{_MESSAGES}".split()))
"""Allowed in every container, whatever their arguments."""

BY_CAPABILITY = {
    "CAP_BPF": ("bpf",),
    "CAP_DAC_READ_SEARCH": ("open_by_handle_at",),
    "CAP_PERFMON": ("perf_event_open",),
    "CAP_SYS_ADMIN": (
        "bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie",
        "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "mount", "mount_setattr", "move_mount",
        "open_tree", "open_tree_attr", "perf_event_open", "pivot_root", "quotactl", "quotactl_fd",
        "setdomainname", "sethostname", "setns", "socket", "swapoff", "swapon", "syslog", "umount", "umount2",
        "unshare",
    ),
    "CAP_SYS_BOOT": ("reboot", "kexec_load", "kexec_file_load"),
    "CAP_SYS_CHROOT": ("chroot",),
    "CAP_SYS_MODULE": ("create_module", "delete_module", "finit_module", "init_module", "query_module"),
    "CAP_SYS_NICE": (
        "get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node", "migrate_pages", "move_pages",
    ),
    "CAP_SYS_PACCT": ("acct",),
    "CAP_SYS_PTRACE": ("kcmp", "pidfd_getfd", "process_madvise"),
    "CAP_SYS_RAWIO": ("ioperm", "iopl"),
    "CAP_SYS_TIME": ("clock_settime", "clock_settime64", "settimeofday", "stime"),
    "CAP_SYS_TTY_CONFIG": ("vhangup",),
    "CAP_SYSLOG": ("syslog",),
}  # fmt: skip
"""What a capability allows besides."""

NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. Source: clone(2)."""
NEW_TIME = 0x80
"""CLONE_NEWTIME, which unshare(2) takes; in the flags of clone(2) it is part of a signal's number."""
PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
"""PER_LINUX, PER_LINUX32, UNAME26, both, and the question which it is."""
REFUSED_FAMILIES = (38, 40)
"""AF_ALG, the kernel's ciphers, with a record of holes; AF_VSOCK, which leads to the hypervisor from every network
namespace. In ascending order.
"""

BY_ARGUMENT = ("clone", "personality", "socket", "unshare")
"""Allowed in every container with some arguments."""

_REFUSED = """
add_key keyctl request_key clone3 io_uring_enter io_uring_register io_uring_setup userfaultfd vm86 vm86old nfsservctl
uselib ustat sysfs _sysctl bdflush oldfstat oldlstat oldolduname oldstat olduname readdir sgetmask ssetmask nice
file_getattr file_setattr rt_tgsigqueueinfo swapcontext get_kernel_syms
"""
KNOWN = frozenset({*ALLOWED, *BY_ARGUMENT, *_REFUSED.split(), *(n for names in BY_CAPABILITY.values() for n in names)})
"""Every name that `syscalls` in a file may have."""
