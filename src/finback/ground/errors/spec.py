"""Codes of family F0: a file that the user wrote, or what the user asked for, is wrong.

Every example that is YAML is loaded by a test: the wrong one must report its code, and the right one must not.
"""

from __future__ import annotations

from finback.ground.errors.code import Code

# Reading YAML

NOT_YAML = Code(
    "F001",
    "The text is not YAML, or uses a part of YAML that has no meaning here",
    "Tags, several documents in one file, and anchors that do not exist are refused. The line that is shown is where "
    "the "
    "parser could not go on; the cause is often on the line before, such as a bracket or a quote that is not closed.",
    wrong="kernel: {image: finback/kernel\ninit: [finback/init]\n",
    right="kernel: {image: finback/kernel}\ninit: [finback/init]\n",
)
WRONG_SHAPE = Code(
    "F002",
    "A value has another shape than its key takes",
    "A key takes one value, a list, or a mapping with keys of its own. The message names the shape that it takes.",
    wrong="kernel: finback/kernel\ninit: [finback/init]\n",
    right="kernel: {image: finback/kernel}\ninit: [finback/init]\n",
)
WRONG_TYPE = Code(
    "F003",
    "A value has another type than its key takes",
    "The key decides the type of its value. `yes`, `on` and `1` are no Boolean values here, and text is no number.",
    wrong="services: [{name: web, image: finback/nginx, readonly: yes}]\n",
    right="services: [{name: web, image: finback/nginx, readonly: true}]\n",
)
UNKNOWN_KEY = Code(
    "F004",
    "There is no such key",
    "The key is misspelled, belongs to another part of the file, or is a key of another tool. Top-level keys that "
    "begin "
    "with `x-` are free for anchors.",
    wrong="services: [{name: web, image: finback/nginx, comand: [nginx]}]\n",
    right="services: [{name: web, image: finback/nginx, command: [nginx]}]\n",
)
REPEATED_KEY = Code(
    "F005",
    "A key occurs twice in one mapping",
    "YAML forbids it, and many readers silently use the last one. Keep one of them.",
    wrong="init: [finback/init]\ninit: [finback/runc]\n",
    right="init: [finback/init, finback/runc]\n",
)
MISSING_KEY = Code(
    "F006",
    "A required key is missing, or has no value",
    wrong="services: [{name: web}]\n",
    right="services: [{name: web, image: finback/nginx}]\n",
)
UNKNOWN_WORD = Code(
    "F007",
    "A value is not one of the words that its key takes",
    wrong="services: [{name: web, image: finback/nginx, restart: sometimes}]\n",
    right="services: [{name: web, image: finback/nginx, restart: on-failure}]\n",
)
FILE_TOO_LARGE = Code(
    "F008",
    "The file, or the number of files that it extends, is too large",
    "The limits keep a file from a stranger from using up time and memory, for instance by aliases that repeat each "
    "other.",
)
BAD_CHARACTER = Code(
    "F009",
    "The file has a character that cannot stand there, or is not UTF-8",
    'Save the file as UTF-8. A control character can be written in double quotes, such as `"\\u0007"`; NUL (`"\\0"`) '
    "only in the contents of files, because paths, arguments and settings end there.",
    wrong="services: [{name: web, image: finback/nginx, env: [A=\x07]}]\n",
    right='services: [{name: web, image: finback/nginx, env: ["A=\\u0007"]}]\n',
)
NO_PLUGIN = Code(
    "F010",
    "There is no format, command or other plug-in of this name",
    wrong="$ finback build --format raw-uefi web.yml\n",
    right="$ finback build --format raw-efi web.yml\n",
)

# Disks

BAD_DISK_VALUE = Code(
    "F011",
    "A value in `disks` is not valid: a name, size, label, mount point or mount option",
    wrong="disks: [{name: data, mount: srv}]\n",
    right="disks: [{name: data, mount: /srv}]\n",
)
DISK_KEYS_CONFLICT = Code(
    "F012",
    "Two keys of a disk contradict each other",
    "A disk with `partitions` has no file system of its own, and only the last partition can grow.",
    wrong="disks: [{name: data, mount: /srv, partitions: [{name: one}]}]\n",
    right="disks: [{name: data, partitions: [{name: one, mount: /srv}]}]\n",
)
MOUNT_POINT_TAKEN = Code(
    "F013",
    "A disk is mounted where it would hide the system or another file system",
    wrong="disks: [{name: data, mount: /usr/lib}]\n",
    right="disks: [{name: data, mount: /srv}]\n",
)
NO_DISK = Code(
    "F014",
    "A volume or secret names a disk that does not exist or cannot hold files",
    wrong="volumes: [{name: files, disk: data}]\n",
    right="disks: [{name: data, mount: /srv}]\nvolumes: [{name: files, disk: data}]\n",
)
NO_ENCRYPTION_KEY = Code(
    "F015",
    "Encryption of a disk has no source for its key, or has two",
    wrong="disks: [{name: data, mount: /srv, encryption: {}}]\n",
    right="disks: [{name: data, mount: /srv, encryption: {tpm2: {}}}]\n",
)
KEY_IN_IMAGE = Code(
    "F016",
    "A warning: the key of an encrypted disk is part of the image",
    "Whoever has the image can read the disk. Let the TPM keep the key, ask for a passphrase, or hand the key in at "
    "boot.",
    wrong="disks: [{name: data, mount: /srv, encryption: {keyFile: /etc/key}}]\n"
    "files: [{path: etc/key, contents: secret}]\n",
    right="disks: [{name: data, mount: /srv, encryption: {tpm2: {}}}]\n",
)

# What is built

BAD_PACKAGE_NAME = Code(
    "F017",
    "The name of the build cannot be the name of a deb or rpm package",
    wrong="$ finback build --format deb --name My_System web.yml\n",
    right="$ finback build --format deb --name my-system web.yml\n",
)
OUTPUT_NAME_CLASH = Code(
    "F018",
    "Two formats would write a file of the same name",
    wrong="$ finback build --format raw-bios,iso-bios --o web.img web.yml\n",
    right="$ finback build --format raw-bios,iso-bios web.yml\n",
)
BAD_COMPRESSION_FOR_FORMAT = Code(
    "F019",
    "The format cannot use this compression",
    wrong="$ finback build --format kernel+initrd --compression lz4 web.yml\n",
    right="$ finback build --format kernel+initrd --compression zstd web.yml\n",
)
BAD_SUBSTITUTION = Code(
    "F020",
    "The value of --substitute is not a substitution",
    wrong="$ finback build --substitute linuxkit/nginx web.yml\n",
    right="$ finback build --substitute 'linuxkit/*=finback/*' web.yml\n",
)
NO_SUCH_ID = Code(
    "F021",
    "A user or group names an item of the file that does not exist",
    "Items without a number of their own get one each; `uid: NAME` refers to it.",
    wrong="files: [{path: etc/motd, contents: hello, uid: web}]\n",
    right="services: [{name: web, image: finback/nginx}]\nfiles: [{path: etc/motd, contents: hello, uid: web}]\n",
)
NO_SOURCE_FILE = Code(
    "F022",
    "A file of this machine that the spec names does not exist",
    "Paths are relative to the YAML file that names them. `optional: true` leaves a missing file out.",
)
SEVERAL_FILES = Code(
    "F023",
    "The format has several files and cannot be written to one file or to standard output",
    wrong="$ finback build --format kernel+initrd --o web.img web.yml\n",
    right="$ finback build --format raw-efi --o web.img web.yml\n",
)
NO_KERNEL = Code(
    "F024",
    "The format needs a kernel, and the spec names none",
    "Add a `kernel:` section, or choose a format that does not boot, such as `tar`.",
)
BAD_COMPRESSION = Code(
    "F025",
    "The value of --compression is not a method, or its level is out of range",
    wrong="$ finback build --compression zstd:fast web.yml\n",
    right="$ finback build --compression zstd:19 web.yml\n",
)
FORMAT_NOT_FOR_ARCHITECTURE = Code(
    "F026",
    "The format cannot be made for this architecture",
    wrong="$ finback build --arch s390x --format iso-efi web.yml\n",
    right="$ finback build --arch s390x --format kernel+initrd web.yml\n",
)
FORMAT_WITHOUT_SIZE = Code(
    "F027",
    "The format has no size that could be chosen",
    wrong="$ finback build --format iso --size 4G web.yml\n",
    right="$ finback build --format raw-efi --size 4G web.yml\n",
)
BAD_DISK_SIZE = Code(
    "F028",
    "The text is not the size of a disk, or not the description of one",
    wrong="machine: {disks: [2 gigabytes]}\n",
    right="machine: {disks: [2G]}\n",
)
DISK_NOT_MADE = Code(
    "F029",
    "The disk image cannot be made with this size or content",
    "The size is too small for what the disk holds, or larger than the format can describe.",
)

# Images and items

BAD_REFERENCE = Code(
    "F030",
    "The text is not an image reference",
    "References are `[REGISTRY/]NAME[:TAG][@DIGEST]` (OCI distribution specification 1.1, section 3.1), or "
    "`oci-layout:PATH[:NAME]`, `docker-archive:PATH[:NAME]` and `docker-daemon:NAME`.",
    wrong="init: [Finback/init]\n",
    right="init: [finback/init]\n",
)
PACKAGE_TEMPLATE = Code(
    "F031",
    "The text is a template for a LinuxKit package, which finback does not expand here",
    wrong='init: ["@pkg:./init"]\n',
    right="init: [finback/init]\n",
)
BAD_VOLUME = Code(
    "F032",
    "A volume's name is not valid, or a volume of format oci has no image",
    wrong="volumes: [{name: My Files}]\n",
    right="volumes: [{name: my-files}]\n",
)
REPEATED_NAME = Code(
    "F033",
    "Two services, volumes, disks or partitions have the same name",
    wrong="volumes: [{name: files}, {name: files}]\n",
    right="volumes: [{name: files}, {name: more-files}]\n",
)
BAD_CONTAINER_NAME = Code(
    "F034",
    "The name of a container is not valid",
    "Names are letters and digits with `.`, `_` and `-` between them.",
    wrong="services: [{name: my web, image: finback/nginx}]\n",
    right="services: [{name: my-web, image: finback/nginx}]\n",
)
BAD_CAPABILITY = Code(
    "F035",
    "There is no such capability, or `all` or `none` stands beside others",
    "capabilities(7) lists them.",
    wrong="services: [{name: web, image: finback/nginx, capabilities: [NET_ADMIN]}]\n",
    right="services: [{name: web, image: finback/nginx, capabilities: [CAP_NET_ADMIN]}]\n",
)
BAD_RLIMIT = Code(
    "F036",
    "A resource limit is not valid",
    "A limit is `NAME,SOFT,HARD`, with the names of getrlimit(2) in lower case and without RLIMIT_.",
    wrong='services: [{name: web, image: finback/nginx, rlimits: ["nofile=1024"]}]\n',
    right='services: [{name: web, image: finback/nginx, rlimits: ["nofile,1024,4096"]}]\n',
)
BAD_BIND = Code(
    "F037",
    "A bind or tmpfs is not valid",
    "Binds are `SOURCE:DESTINATION[:OPTIONS]`, tmpfs entries `DESTINATION[:OPTIONS]`.",
    wrong="services: [{name: web, image: finback/nginx, binds: [/srv]}]\n",
    right='services: [{name: web, image: finback/nginx, binds: ["/srv:/srv:ro"]}]\n',
)
NO_VOLUME = Code(
    "F038",
    "A container mounts a volume that does not exist",
    "What begins with neither `/` nor `.` in the source of a bind is the name of a volume.",
    wrong='services: [{name: web, image: finback/nginx, binds: ["files:/srv"]}]\n',
    right='volumes: [{name: files}]\nservices: [{name: web, image: finback/nginx, binds: ["files:/srv"]}]\n',
)
READ_ONLY_VOLUME = Code(
    "F039",
    "A container mounts a read-only volume writable",
    wrong="volumes: [{name: files, readonly: true}]\n"
    'services: [{name: web, image: finback/nginx, binds: ["files:/srv"]}]\n',
    right="volumes: [{name: files, readonly: true}]\n"
    'services: [{name: web, image: finback/nginx, binds: ["files:/srv:ro"]}]\n',
)
BAD_COMPONENT_KEEP = Code(
    "F040",
    "A component's definition has an unknown architecture, or a path or pattern that is not valid",
)
BAD_COMPONENT_FILE = Code(
    "F041",
    "A file of a component's definition has no content or several, or an exception gives no reason",
)
BAD_MOUNT = Code(
    "F042",
    "A mount lacks its type or destination, or the text is not a mirror of a registry",
    wrong="services: [{name: web, image: finback/nginx, mounts: [{type: tmpfs}]}]\n",
    right="services: [{name: web, image: finback/nginx, mounts: [{type: tmpfs, destination: /tmp}]}]\n",
)
BAD_OPTION_VALUE = Code(
    "F043",
    "The value of an option or environment variable cannot be used here",
    wrong="$ finback push registry registry.example.com/web@sha256:0000 web\n",
    right="$ finback push registry registry.example.com/web:1 web\n",
)
BAD_MODE = Code(
    "F044",
    "A file's mode is not octal, or files to be pushed lack what tells them apart",
    wrong="files: [{path: etc/motd, contents: hello, mode: rw-r--r--}]\n",
    right='files: [{path: etc/motd, contents: hello, mode: "0644"}]\n',
)
BAD_IMAGE_PATH = Code(
    "F045",
    "The path of a file is not a path in the image",
    wrong="files: [{path: ../etc/motd, contents: hello}]\n",
    right="files: [{path: etc/motd, contents: hello}]\n",
)
BAD_FILE_CONTENT = Code(
    "F046",
    "A file has no content, or several",
    "A file has exactly one of `contents`, `source`, `symlink`, `directory` and `metadata`.",
    wrong="files: [{path: etc/motd}]\n",
    right="files: [{path: etc/motd, contents: hello}]\n",
)
BAD_NAMESPACE = Code(
    "F047",
    "A namespace, a mount propagation or the access to a device is not valid",
    wrong="services: [{name: web, image: finback/nginx, pid: fresh}]\n",
    right="services: [{name: web, image: finback/nginx, pid: new}]\n",
)
BAD_ID = Code(
    "F048",
    "The number is not a user or group identifier",
    wrong="services: [{name: web, image: finback/nginx, uid: -1}]\n",
    right="services: [{name: web, image: finback/nginx, uid: 1000}]\n",
)
COMPONENT_USERS_CONFLICT = Code(
    "F049",
    "The users or fields of a component's definition contradict each other",
)

# Warnings about what has no effect

TRUST_IGNORED = Code(
    "F050",
    "A warning: `trust` has no effect",
    "The lock file pins every image by its digest.",
    wrong="trust: {org: [linuxkit]}\n",
    right="init: [finback/init]\n",
)
ADD_IGNORED = Code(
    "F051",
    "A warning: a list that adds to the image's label has no effect beside the whole list",
    wrong="services: [{name: web, image: finback/nginx, capabilities: [CAP_CHOWN], capabilities.add: [CAP_KILL]}]\n",
    right="services: [{name: web, image: finback/nginx, capabilities: [CAP_CHOWN, CAP_KILL]}]\n",
)
NO_NETWORK = Code(
    "F052",
    "A warning: nothing in the file configures a network, and a service uses it",
    wrong="kernel: {image: finback/kernel}\nservices: [{name: web, image: finback/nginx, net: host}]\n",
    right="kernel: {image: finback/kernel}\nnetwork: {interfaces: [{name: eth0, dhcp: ipv4}]}\n"
    "services: [{name: web, image: finback/nginx, net: host}]\n",
)
VARIABLE_WITHOUT_VALUE = Code(
    "F053",
    "A warning: an element of `env` has no value and sets nothing",
    wrong="services: [{name: web, image: finback/nginx, env: [DEBUG]}]\n",
    right='services: [{name: web, image: finback/nginx, env: ["DEBUG=1"]}]\n',
)
KEY_IGNORED = Code(
    "F054",
    "A warning: a key has no effect beside, or without, another one",
    wrong="volumes: [{name: files, platforms: [linux/amd64]}]\n",
    right="volumes: [{name: files}]\n",
)
TEMPLATE_IGNORED = Code(
    "F055",
    "A warning: the text looks like a param, and no file declares params",
    wrong='services: [{name: web, image: finback/nginx, env: ["A=${params.a}"]}]\n',
    right='params: [{name: a, default: b}]\nservices: [{name: web, image: finback/nginx, env: ["A=${params.a}"]}]\n',
)
FILE_UNDER_MOUNT = Code(
    "F056",
    "A file lies where the machine mounts a file system of the kernel",
    "What the image has at `/dev`, `/proc` and `/sys` is hidden as soon as the machine runs. Let a step make it.",
    wrong="files: [{path: sys/module/a, contents: b}]\n",
    right="files: [{path: etc/modprobe.d/a.conf, contents: options a}]\n",
)
FILES_CONFLICT = Code(
    "F057",
    "Two files contradict each other: one is a file or a link where the other needs a folder",
    "A file may replace a file. What became of anything else would depend on the format, so no format writes it.",
    wrong="files: [{path: etc/x, contents: a}, {path: etc/x/y, contents: b}]\n",
    right="files: [{path: etc/x, directory: true}, {path: etc/x/y, contents: b}]\n",
)
NO_ASSEMBLY = Code(
    "F058",
    "There is no assembly of this name",
    wrong="$ finback assembly show ngnix\n",
    right="$ finback assembly show nginx\n",
)

# Supervision and tests

KEY_IN_WRONG_SECTION = Code(
    "F060",
    "The key belongs to items of another section",
    wrong="onboot: [{name: sysctl, image: finback/sysctl, restart: always}]\n",
    right="onboot: [{name: sysctl, image: finback/sysctl}]\n",
)
NO_SERVICE = Code(
    "F061",
    "There is no service of this name",
    wrong="services: [{name: web, image: finback/nginx, needs: [database]}]\n",
    right="services: [{name: web, image: finback/nginx, needs: [redis]}, {name: redis, image: finback/redis}]\n",
)
CIRCULAR_NEEDS = Code(
    "F062",
    "Services need each other in a circle, so that none can start first",
    wrong="services: [{name: a, image: finback/nginx, needs: [b]}, {name: b, image: finback/redis, needs: [a]}]\n",
    right="services: [{name: a, image: finback/nginx, needs: [b]}, {name: b, image: finback/redis}]\n",
)
BAD_PROBE = Code(
    "F063",
    "`ready` or `health` names no probe, or several",
    wrong="services: [{name: web, image: finback/nginx, ready: {tcp: 80, file: /run/up}}]\n",
    right="services: [{name: web, image: finback/nginx, ready: {tcp: 80}}]\n",
)
OUT_OF_RANGE = Code(
    "F064",
    "A value of supervision, of `machine` or of a test is out of its range",
    wrong="services: [{name: web, image: finback/nginx, ready: {tcp: 80000}}]\n",
    right="services: [{name: web, image: finback/nginx, ready: {tcp: 80}}]\n",
)
NOTIFY_WITH_CONTAINERD = Code(
    "F065",
    "`ready: {notify: ...}` cannot work, for containerd passes no file descriptor to a service",
    wrong="init: [finback/init, finback/containerd]\n"
    "services: [{name: web, image: finback/nginx, ready: {notify: true}}]\n",
    right="init: [finback/init, finback/containerd]\nservices: [{name: web, image: finback/nginx, ready: {tcp: 80}}]\n",
)
NOT_ONE_QUESTION = Code(
    "F066",
    "A test, or a `do` of one, has no question or action, or has several",
    wrong="tests: [{tcp: {port: 80}, console: ready}]\n",
    right="tests: [{tcp: {port: 80}}, {console: ready}]\n",
)
POINTLESS_TEST = Code(
    "F067",
    "A test can hold never, or always",
    wrong='tests: [{console: ""}]\n',
    right="tests: [{console: ready}]\n",
)
NO_TESTS = Code(
    "F068",
    "The file has no tests to run",
    'Add some under `tests:`, such as `tests: [{console: "finback: onboot"}]`.',
)
NO_COMPONENT_TEST = Code(
    "F069",
    "The component has no test to run",
    "Add `test: {expect: [...]}` to its component.yml.",
)

# Networks and secrets

BAD_NETWORK_NAME = Code(
    "F070",
    "The name of an interface, network or namespace is not valid, or occurs twice",
    wrong="network: {interfaces: [{name: a/b, dhcp: ipv4}]}\n",
    right="network: {interfaces: [{name: eth0, dhcp: ipv4}]}\n",
)
BAD_ADDRESS = Code(
    "F071",
    "An address, network or router is not valid, or cannot be reached",
    wrong="network: {interfaces: [{name: eth0, addresses: [192.0.2.300/24]}]}\n",
    right="network: {interfaces: [{name: eth0, addresses: [192.0.2.30/24]}]}\n",
)
ADDRESS_TAKEN = Code(
    "F072",
    "An address, subnet or route occurs twice, or a subnet has too few addresses",
    wrong="network: {interfaces: [{name: eth0, addresses: [192.0.2.3/24]}, {name: eth1, addresses: [192.0.2.3/24]}]}\n",
    right="network: {interfaces: [{name: eth0, addresses: [192.0.2.3/24]}, {name: eth1, addresses: [192.0.2.4/24]}]}\n",
)
BAD_MEMBERS = Code(
    "F073",
    "An interface is made of others that do not exist, belong to another one, or have settings of their own",
    wrong="network: {interfaces: [{name: br0, bridge: {members: [eth7]}}]}\n",
    right="network: {interfaces: [{name: eth7}, {name: br0, bridge: {members: [eth7]}}]}\n",
)
BAD_INTERFACE = Code(
    "F074",
    "A value of an interface is not valid",
    wrong="network: {interfaces: [{name: eth0}, {name: lan, vlan: {parent: eth0, id: 5000}}]}\n",
    right="network: {interfaces: [{name: eth0}, {name: lan, vlan: {parent: eth0, id: 500}}]}\n",
)
NETWORK_KEY_IGNORED = Code(
    "F075",
    "A warning: a setting of the network has no effect",
    wrong="network: {interfaces: [{name: eth0, dhcp: ipv4}], dns: {search: [example.com]}}\n",
    right="network: {interfaces: [{name: eth0, dhcp: ipv4}], dns: {servers: [192.0.2.1], search: [example.com]}}\n",
)
NO_NETWORK_OF_NAME = Code(
    "F076",
    "There is no network or namespace of this name",
    wrong="services: [{name: web, image: finback/nginx, networks: [front]}]\n",
    right="network: {networks: [{name: front}]}\nservices: [{name: web, image: finback/nginx, networks: [front]}]\n",
)
BAD_SERVICE_NETWORK = Code(
    "F077",
    "The networks, ports or CNI configuration of a service are not valid",
    wrong='services: [{name: web, image: finback/nginx, ports: ["8080:80"]}]\n',
    right="network: {networks: [{name: front}]}\n"
    'services: [{name: web, image: finback/nginx, networks: [front], ports: ["8080:80"]}]\n',
)
BAD_SECRET = Code(
    "F078",
    "The name or mode of a secret is not valid, or the name occurs twice",
    wrong="secrets: [{name: a b}]\n",
    right="secrets: [{name: a-b}]\nservices: [{name: web, image: finback/nginx, secrets: [a-b]}]\n",
)
NO_SECRET = Code(
    "F079",
    "There is no secret of this name",
    wrong="services: [{name: web, image: finback/nginx, secrets: [token]}]\n",
    right="secrets: [{name: token}]\nservices: [{name: web, image: finback/nginx, secrets: [token]}]\n",
)

# Files that extend others, and params

NO_ELEMENT = Code(
    "F081",
    "The list has no element of this name to edit",
    "`NAME.remove`, `.replace`, `.merge`, `.before` and `.after` name elements that an earlier file has.",
)
SEVERAL_ELEMENTS = Code("F082", "Several elements of the list have the name that an edit means")
BAD_EDIT = Code("F083", "The list does not have this kind of edit")
NOTHING_TO_EDIT = Code("F084", "The list that an edit changes does not exist")
REPEATED_PARAM = Code(
    "F085",
    "Two params have the same name",
    wrong="params: [{name: a, default: b}, {name: a, default: c}]\n",
    right="params: [{name: a, default: b}]\n",
)
NO_PARAM = Code(
    "F086",
    "There is no param of this name, or the text that stands for one is not complete",
    wrong='params: [{name: port, default: "80"}]\n'
    'services: [{name: web, image: finback/nginx, env: ["P=${params.prot}"]}]\n',
    right='params: [{name: port, default: "80"}]\n'
    'services: [{name: web, image: finback/nginx, env: ["P=${params.port}"]}]\n',
)
BAD_PARAM_NAME = Code(
    "F087",
    "The text is not a name for a param",
    wrong="params: [{name: a b, default: c}]\n",
    right="params: [{name: a-b, default: c}]\n",
)
PARAM_WITHOUT_VALUE = Code(
    "F088",
    "A param without a default has no value",
    "Give it one with `--set NAME=VALUE`, under `set:` of a file that extends this one, or a `default:`.",
    wrong='params: [{name: host}]\nservices: [{name: web, image: finback/nginx, env: ["H=${params.host}"]}]\n',
    right="params: [{name: host, default: example}]\n"
    'services: [{name: web, image: finback/nginx, env: ["H=${params.host}"]}]\n',
)
BAD_CHOICE = Code(
    "F089",
    "The value of a param is not one of its choices",
    wrong="params: [{name: level, choices: [low, high], default: medium}]\n",
    right="params: [{name: level, choices: [low, high], default: low}]\n",
)
BAD_SET = Code(
    "F090",
    "The value of --set is not NAME=VALUE",
    wrong="$ finback build --set port web.yml\n",
    right="$ finback build --set port=80 web.yml\n",
)
NO_PARENT = Code("F091", "A file or assembly that `extends` names does not exist or cannot be read here")
CIRCULAR_EXTENDS = Code("F092", "Files extend each other in a circle")
LOCAL_FILE_FROM_REGISTRY = Code(
    "F093",
    "A file from a registry names a file of this machine",
    "A file that comes from elsewhere cannot read files here: they would get into an image without being asked for.",
)
NOT_ONE_SPEC = Code("F094", "The artefact that a file extends does not hold exactly one spec")
BAD_SECCOMP_PROFILE = Code(
    "F095",
    "The file is not a seccomp profile",
    "Profiles are JSON as Docker and Podman read it. `default` and `unconfined` need no file.",
)
BAD_USER = Code(
    "F096",
    "`user` is not a user, or stands beside `uid` or `gid`",
    wrong='services: [{name: web, image: finback/nginx, user: "a b"}]\n',
    right="services: [{name: web, image: finback/nginx, user: nginx}]\n",
)
NOTHING_TO_BUILD = Code(
    "F097",
    "The file describes nothing that could be built",
    wrong="x-note: nothing yet\n",
    right="init: [finback/init]\n",
)
BAD_SYSTEM_CALL = Code(
    "F098",
    "`syscalls` names what is not a system call of Linux",
    "syscalls(2) lists them. The message has the nearest name.",
    wrong="services: [{name: web, image: finback/nginx, syscalls: [keyctrl]}]\n",
    right="services: [{name: web, image: finback/nginx, syscalls: [keyctl]}]\n",
)
BAD_ROOT_SIZE = Code(
    "F099",
    "`rootSize` is not a size",
    "It is bytes, with `k`, `m` or `g`, or a share of the machine's memory, from `1%` to `100%`.",
    wrong="services: [{name: web, image: alpine, rootSize: 10 MB}]\n",
    right="services: [{name: web, image: alpine, rootSize: 10m}]\n",
)
