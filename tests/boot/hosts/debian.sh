#!/bin/sh
# The init of a Debian host with GRUB: installs the package, or, where it is installed, removes it.
set -eu
export PATH=/usr/sbin:/usr/bin HOME=/root

finish() {
	status=$?
	[ "$status" = 0 ] || echo "HOST FAILED: $status"
	umount /boot/efi || :
	sync
	mount -o remount,ro /
	echo o >/proc/sysrq-trigger
	sleep 60
}
trap finish EXIT

mount -o remount,rw /
mkdir -p /boot/efi
mount /dev/vda1 /boot/efi

if ! [ -e /boot/grub/grub.cfg ]; then
	cat >/etc/default/grub <<-END
		GRUB_DEFAULT=saved
		GRUB_TIMEOUT=0
		GRUB_TERMINAL=console
		GRUB_CMDLINE_LINUX="console=ttyS0 init=/host"
	END
	grub-install --target=x86_64-efi --efi-directory=/boot/efi --removable --no-nvram
	update-grub
	dpkg -i /package
	[ -z "$(dpkg -V finback-web)" ]
	grub-reboot finback-web
	echo "HOST: installed"
	exit
fi

[ -z "$(dpkg -V finback-web)" ]
dpkg -r finback-web
if grep "menuentry.*finback-web" /boot/grub/grub.cfg; then exit 1; fi
dpkg -P finback-web
left=$(find /boot /etc /usr /var -name '*finback*')
echo "left: $left"
[ -z "$left" ]
[ -z "$(dpkg --audit)" ]
echo "HOST: removed"
