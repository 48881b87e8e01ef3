#!/bin/sh
# The init of a host with RPM and systemd-boot, as Fedora can be set up: installs the package, or, where it is
# installed, removes it.
set -eu
export PATH=/usr/sbin:/usr/bin HOME=/root

finish() {
	status=$?
	[ "$status" = 0 ] || echo "HOST FAILED: $status"
	umount /boot || :
	sync
	mount -o remount,ro /
	echo o >/proc/sysrq-trigger
	sleep 60
}
trap finish EXIT

rpm() {
	command rpm --dbpath /var/lib/rpm "$@"
}

mount -o remount,rw /
# As systemd mounts it.
mount -o umask=0077 /dev/vda1 /boot

if ! rpm -q finback-web; then
	rpm --initdb
	rpm -i --nosignature /base
	rpm -i --nosignature /package
	rpm -V finback-web
	cat /boot/loader/entries/finback-web.conf
	echo "HOST: installed"
	exit
fi

rpm -V finback-web
rpm -e finback-web
if rpm -q finback-web; then exit 1; fi
left=$(find /boot /etc /usr /var -name '*finback*')
echo "left: $left"
[ -z "$left" ]
echo "HOST: removed"
