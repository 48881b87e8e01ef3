#!/usr/bin/busybox sh
# shellcheck shell=dash
# swap.sh --path FILE --size N[K|M|G] [--encrypt] [--condition CONDITION]... [--debug]: swaps memory out to a file below
# /var, which it makes, or to a whole disk. Options are those of LinuxKit's swap. All conditions must hold, else there is
# no swap, and the status is 0, or 1 where the condition ends with `:true`:
#
#     part:PATH[:true]             a file system is mounted on PATH, or from the device PATH
#     partsize:PATH:SIZE[:true]    the file system that PATH is on has at least SIZE
#     partuuid:ID[:true], uuid:ID, label:ID, id:ID, path:ID    there is the device /dev/disk/by-WORD/ID
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
path='' size='' encrypt='' conditions=''

fail() {
	echo "swap: $*" >&2
	exit 1
}

# bytes SIZE: prints its bytes.
bytes() {
	case $1 in
	*K) factor=1024 ;;
	*M) factor=1048576 ;;
	*G) factor=1073741824 ;;
	*) factor=1 ;;
	esac
	number=${1%[KMG]}
	case $number in
	'' | *[!0-9]* | 0* | ????????????????*) return 1 ;;
	esac
	echo $((number * factor))
}

while [ $# -gt 0 ]; do
	case $1 in
	--path=* | --size=* | --condition=*)
		name=${1%%=*} value=${1#*=}
		shift
		;;
	--path | --size | --condition)
		[ $# -ge 2 ] || fail "$1 needs a value"
		name=$1 value=$2
		shift 2
		;;
	--encrypt)
		encrypt=yes
		shift
		continue
		;;
	--debug)
		set -x
		shift
		continue
		;;
	*) fail "unknown option $1" ;;
	esac
	case $name in
	--path) path=$value ;;
	--size) size=$value ;;
	--condition) conditions="$conditions$value
" ;;
	esac
done

# holds CONDITION: sets `required` when the step fails without it.
holds() {
	kind=${1%%:*} rest=${1#*:} required=''
	[ "$kind" != "$1" ] || fail "$1 is no condition"
	case $rest in
	*:true) rest=${rest%:true} required=yes ;;
	*:false) rest=${rest%:false} ;;
	esac
	case $kind in
	part) busybox awk -v at="$rest" '$1 == at || $2 == at { found = 1 } END { exit !found }' /proc/mounts ;;
	partsize)
		least=$(bytes "${rest##*:}") || fail "$1: ${rest##*:} is no size"
		total=$(busybox df -kP "${rest%:*}" 2>/dev/null | busybox awk 'END { print $2 }')
		[ "${total:-0}" -gt 0 ] && [ $((total * 1024)) -ge "$least" ]
		;;
	partuuid | uuid | label | id | path) [ -b "/dev/disk/by-$kind/$rest" ] ;;
	*) fail "$kind is no kind of condition: there are part and partsize" ;;
	esac
}

while [ -n "$conditions" ]; do
	condition=${conditions%%
*}
	conditions=${conditions#*
}
	holds "$condition" && continue
	echo "swap: the condition $condition does not hold; no swap"
	[ -z "$required" ] || exit 1
	exit 0
done

[ -n "$path" ] || fail '--path is needed'
if [ ! -b "$path" ]; then
	case $path in
	*/../* | */..) fail "$path has to be below /var" ;;
	/var/?*) ;;
	*) fail "$path has to be below /var, or a disk" ;;
	esac
	[ -n "$size" ] || fail '--size is needed to make a file'
	wanted=$(bytes "$size") || fail "$size is no size: a number, with K, M or G"
	[ "$wanted" -ge 40960 ] || fail "$size is too small to swap to: at least 40K"
	# In whole pages.
	wanted=$((wanted / 4096 * 4096))
	# A file of another size is made anew. One with holes can't be swapped to; its name appears when it is whole.
	if [ "$(busybox stat -c %s "$path" 2>/dev/null)" != "$wanted" ]; then
		busybox grep -q "^$path " /proc/swaps && fail "$path is in use with another size"
		umask 077
		busybox mkdir -p "${path%/*}" || fail "${path%/*} can't be made"
		if ! { busybox fallocate -l "$wanted" "$path.new" 2>/dev/null ||
			busybox dd if=/dev/zero of="$path.new" bs=4096 count=$((wanted / 4096)) status=none; } ||
			! busybox chmod 600 "$path.new" || ! busybox mv "$path.new" "$path"; then
			busybox rm -f "$path.new"
			fail "$path can't be made with $size"
		fi
	fi
fi
device=$path
if [ -n "$encrypt" ]; then
	# Opening it has the kernel load its module, which makes a disk of a file.
	[ -b "$path" ] || [ -e /dev/loop-control ] || busybox mknod -m 600 /dev/loop-control c 10 237
	# A key of this boot; what was swapped out can't be read after it.
	cryptsetup --batch-mode --type plain --cipher aes-xts-plain64 --key-size 256 --key-file /dev/urandom open "$path" swapfile ||
		fail "$path can't be encrypted"
	device=/dev/mapper/swapfile
fi
[ -z "$encrypt" ] && [ "$(blkid -p -o value -s TYPE "$device" 2>/dev/null)" = swap ] ||
	/usr/sbin/mkswap "$device" >/dev/null || fail "$device can't be made swap"
if ! /usr/sbin/swapon "$device"; then
	[ -z "$encrypt" ] || cryptsetup close swapfile
	fail "$device can't be swapped to"
fi
echo "swap: $device is in use"
