"""Words of other tools, and what stands for them here: Compose, Kubernetes, cloud-init, systemd, Ignition, netplan, and
the Moby of 2017, which became LinuxKit.

Each table belongs to one kind of record, which is recognised by a key that only that kind has. A value that
is a key of the record is suggested as such; any other is the remedy itself.

Source: the Compose specification; Kubernetes API, PodSpec and Container; systemd.service(5), systemd.exec(5);
cloud-init's module reference; Butane's fcos specification; netplan(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def remedy(word: str, keys: Iterable[str]) -> str | None:
    """What to suggest for *word*, another tool's key, in a record with *keys*; None for others."""
    known = set(keys)
    found = _table_for(known).get(folded(word))
    if found in known:
        return f"did you mean {found}?"
    # A key alone is no remedy where the record, which shares a table with others, does not have it.
    return found if found and " " in found else None


def words(keys: Iterable[str]) -> Iterable[str]:
    """Other tools' words, folded, that have a remedy in a record with *keys*."""
    known = set(keys)
    return [word for word, found in _table_for(known).items() if found in known or " " in found]


def _table_for(known: set[str]) -> Mapping[str, str]:
    return next((table for mark, table in _TABLES.items() if mark in known), {})


def folded(word: str) -> str:
    """*word* as the tables have it: small letters without joints."""
    return word.lower().replace("_", "").replace("-", "").replace(".", "")


def _table(lines: Mapping[str, str]) -> Mapping[str, str]:
    """Blank-separated words with what stands for them all, as one entry for each word."""
    return {word: stands for line, stands in lines.items() for word in line.split()}


_STEP = "there is no key for commands of the boot: add a step to `onboot:` with `name`, `image` and `command`"
_KUBERNETES = "this is an object of Kubernetes: each of its containers becomes an element of `services:`"
_IGNITION = "this is a configuration for Ignition: files go to `files:`, disks to `disks:`, units become `services:`"
_NETWORK = "write it below `network:`, where `interfaces` lists what is set up"

_TOP = _table(
    {
        "onstart boot start startup system": "onboot",
        "shutdown onstop onpoweroff": "onshutdown",
        "containers container daemon daemons": "services",
        "formats artifacts targets": "outputs",
        "filesystems partitions disksetup fssetup fstab swap luks raid": "disks",
        "writefiles configs rootfs": "files",
        "include import base from": "extends",
        "vars variables args arguments": "params",
        "append kernelargs kargs kernelarguments bootargs": "write it as `cmdline` below `kernel:`",
        "hostname fqdn hostnames": "the machine's name is a file: `files: [{path: etc/hostname, contents: "
        "NAME}]`, which "
        "finback/hostname reads at boot; `hostname` of an item is for a container with `uts: new`",
        "sysctl sysctls": "for the machine write a file such as `files: [{path: etc/sysctl.d/90-mine.conf, "
        "contents: ...}]`, "
        "which the step finback/sysctl reads; `sysctl` of an item is for the container's own namespaces",
        "users user groups group passwd chpasswd sshauthorizedkeys sshkeys authorizedkeys ssh": "the machine has no "
        "accounts: a container runs as the `user` of its item; keys for SSH are a file, root/.ssh/authorized_keys, "
        "for finback/sshd",
        "dependson needs after requires wants": "write `needs: [NAME]` in the service that waits",
        "environment env envfile": "write `env` in each element of `onboot:` or `services:`; values of a "
        "whole file are "
        "`params:`",
        "packages apt yum apk packageupdate packageupgrade packagerebootifrequired": "nothing is installed "
        "on a running "
        "system: what it runs are images; see `finback component new --from PACKAGE`",
        "runcmd bootcmd commands run scripts script": _STEP,
        "cloudinit userdata cloudconfig": "the machine reads such data when it boots: add the step finback/metadata",
        "ntp chrony timesync": "add the service finback/ntpd",
        "timezone locale keyboard": "a container has its own: set `env: [TZ=...]` in its item",
        "interfaces ethernets wifis bonds bridges vlans netplan networking": _NETWORK,
        "networks": "write it below `network:`, and name the networks in the `networks` of services",
        "dns nameservers resolver resolvconf": "write `dns` below `network:`",
        "kind apiversion metadata spec pods deployment": _KUBERNETES,
        "ignition variant systemd storage": _IGNITION,
        "version": "there is no format version: remove it",
        "name hostnameprefix title": "a build is called like its file, or by `--name`",
        "arch architecture platform platforms": "the architecture is chosen when building: `--arch arm64`",
        "memory cpus mem cpu": "a machine has memory and processors when it runs: `--mem`, `--cpus`, and "
        "`machine:` for tests",
        "modules kernelmodules": "name them in the command of a step with the image finback/modprobe",
    }
)

_ITEM = _table(
    {
        "environment envvars environments": "env",
        "envfile environmentfile": "write the variables themselves: `env: [NAME=value]`",
        "entrypoint cmd args arguments exec execstart run program": "command",
        "execstartpre execstartpost execstop initcontainers poststart prestop": "add a step to `onboot:` or "
        "`onshutdown:`, "
        "or a service that others need",
        "volumes volume volumemounts bind bindmounts volumesfrom": "binds",
        "cap caps capadd capability capabilityboundingset": "capabilities",
        "ambientcapabilities": "ambient",
        "capdrop": "there is nothing to drop: a container has only the capabilities listed under `capabilities`",
        "privileged": "write `capabilities: [all]`; a container has no others than those listed",
        "privileges nonewprivs allowprivilegeescalation": "noNewPrivileges",
        "workingdir workdir workingdirectory chdir directory": "cwd",
        "networkmode network hostnetwork netns": "net",
        "hostpid pidmode": "pid",
        "ipcmode hostipc": "ipc",
        "usernsmode hostusers": "userns",
        "utsmode": "uts",
        "containername id": "name",
        "ulimits ulimit limitnofile limits rlimit": 'write `rlimits: ["NAME,SOFT,HARD"]`, such as nofile,1024,4096',
        "sysctls": "sysctl",
        "group runasgroup": "gid",
        "runasuser owner": "uid",
        "groupadd supplementalgroups supplementarygroups groups fsgroup": "additionalGids",
        "dependson after requires wants bindsto links": "needs",
        "before wantedby requiredby": "write `needs` in the service that waits for this one",
        "healthcheck livenessprobe probe": "health",
        "readinessprobe startupprobe notify": "ready",
        "restartpolicy autorestart": "restart",
        "restartsec restartdelay": "write `backoff: {first: SECONDS}`",
        "startlimitburst startlimitinterval startlimitintervalsec": "startLimit",
        "stopsignal killsignal": "write `stop: {signal: NAME}`",
        "stopgraceperiod timeoutstopsec terminationgraceperiodseconds stoptimeout": "write `stop: {timeout: SECONDS}`",
        "timeoutstartsec timeoutsec": "timeout",
        "readonlyroot readonlyrootfs readonlyrootfilesystem protectsystem": "readonly",
        "securityopt securitycontext apparmor selinux": "the keys for that are `seccomp`, "
        "`noNewPrivileges`, `capabilities`, "
        "`readonly` and `user`",
        "deploy memlimit memory mem memorymax cpus cpu cpuquota requests pidslimit tasksmax": "write it "
        "below `resources:`, "
        "such as `resources: {memory: {limit: 268435456}}`",
        "labels label": "annotations",
        "expose port publish containerport": "ports",
        "logging logdriver standardoutput standarderror": "what a service prints is kept without that: see "
        "`finback logs`",
        "build dockerfile": "an image is built by other tools: name it, as `image:`",
        "dns extrahosts hostaliases domainname": "write a file of `files:` and bind it, such as /etc/hosts:/etc/hosts",
        "tty stdinopen stdin interactive": "remove it: a container has no terminal; `finback exec -t` gives one",
        "pullpolicy imagepullpolicy": "remove it: the lock file pins every image by digest",
        "platform": "the architecture is chosen when building: `--arch arm64`",
        "replicas scale": "write one element for each container",
        "configs configmap": "write `files:` at the top level, and bind them into the container",
        "privatetmp tmp shmsize": "tmpfs",
        "runtimedirectory statedirectory mkdirs": "write `runtime: {mkdir: [PATH]}`",
        "propagation mountpropagation": "rootfsPropagation",
    }
)

_TABLES: Mapping[str, Mapping[str, str]] = {
    "services": _TOP,
    "binds": _ITEM,
    "cmdline": _table(
        {
            "append args argskernel kernelargs options bootargs params parameters commandline": "cmdline",
            "microcode firmware": "ucode",
            "modules": "tar",
            "kernel vmlinuz file": "binary",
            "initrd": "the initrd is what is built: its images are `init:`",
        }
    ),
    "contents": _table(
        {
            "content text data body inline": "contents",
            "permissions perm perms chmod": "mode",
            "target link linkto": "symlink",
            "owner user": "uid",
            "group": "gid",
            "dest destination dst name filename": "path",
            "src from file copy local contentsfrom": "source",
            "dir folder mkdir": "directory",
            "encoding": "remove it: `contents` is text; other bytes come from a file, by `source`",
            "append": "remove it: `contents` is the whole file",
            "overwrite": "remove it: a file here replaces an image's",
        }
    ),
    "destination": _table(
        {
            "target dest dst mountpath mountpoint path": "destination",
            "src device hostpath what": "source",
            "fstype filesystem": "type",
            "opts flags option": "options",
            "readonly ro": "write `options: [ro]`",
        }
    ),
    "addresses": _table(
        {
            "address ip ipaddr ipaddress ipaddresses static subnet cidr": "addresses",
            "dhcp4 dhcp6 bootproto": "write `dhcp: ipv4`, `ipv6` or `both`",
            "gateway gateway4 gateway6 gw router": "write `routes: [{to: default, via: ADDRESS}]`",
            "nameservers dns nameserver": "write `dns` below `network:`, beside `interfaces`",
            "macaddress hwaddr": "mac",
            "setname device id interface": "name",
            "route": "routes",
            "master": "name it in the `members` of that interface",
            "optional": "write `required: false`",
            "macaddresspolicy macmatch": "match",
            "acceptra slaac ipv6ra": "write `dhcp: ipv6` for router advertisements; without it they are ignored",
            "rules routingpolicy rule": "there is no key for policy rules: add a step to `onboot:` that runs `ip rule`",
            "wakeonlan offload ethtool": "there is no key for that: add a step to `onboot:` that runs ethtool",
            "routemetric priority": "metric",
            "dhcp4overrides dhcp6overrides": "write `metric` for the routes that DHCP brings",
        }
    ),
    "namespaces": _table(
        {
            "ethernets ethernet wifis eth devices links interface config": "interfaces",
            "bonds vlans bridges tunnels dummydevices": "each is an element of `interfaces:`, with a key such as "
            "`bond`, `vlan` or `bridge`",
            "version renderer": "remove it: netplan's file has it, and this one does not need it",
            "nameservers nameserver resolvers": "dns",
            "dhcp dhcp4 addresses address gateway gateway4 routes": "write it in an element of `interfaces:`",
        }
    ),
    "via": _table(
        {
            "destination dest dst target network prefix": "to",
            "gateway gw nexthop router": "via",
            "priority weight distance": "metric",
            "dev device interface": "remove it: a route stands below its interface",
            "table src prefsrc scope type": "add a step to `onboot:` that runs `ip route`: there is no key for it",
        }
    ),
    "console": _table(
        {
            "cmd command commands run shell script": "exec",
            "url httpget curl web": "http",
            "port tcpsocket": "tcp",
            "log logs output stdout serial": "console",
            "path exists": "file",
            "timeout deadline": "within",
            "reboot poweroff powercut kill": "write it below `do:`",
        }
    ),
    "status": _table(
        {
            "code statuscode exitcode exitstatus rc returncode": "status",
            "url uri": "write `port: NUMBER` and `path: /PATH`: the machine that runs the guest is asked",
            "body text match stdout output": "contains",
            "cmd exec run args": "command",
        }
    ),
    "networking": _table(
        {
            "mem ram memorysize": "memory",
            "cpu vcpu vcpus smp cores processors": "cpus",
            "disk drive drives": "disks",
            "network net nic netdev networkmode": "networking",
            "secret": "secrets",
            "metadata userdata": "data",
        }
    ),
    "tcp": _table(
        {
            "test exec cmd script": "command",
            "httpget url": "http",
            "tcpsocket port": "tcp",
            "periodseconds period": "interval",
            "timeoutseconds": "timeout",
            "failurethreshold": "retries",
            "initialdelayseconds initialdelay delay": "startPeriod",
        }
    ),
    "partitions": _table(
        {
            "device dev path disk": "write `match:`, which says by what the disk is known",
            "fstype fs format type": "filesystem",
            "mountpoint mountpath": "mount",
        }
    ),
}
