# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs in the guest: a shell loop that runs commands sent through a virtio port. In a small guest it is PID 1, in one
with a whole Debian a service.

A port is no terminal: nothing echoes, nothing translates line ends. One request is one line,
`ID SECONDS BASE64-OF-A-SCRIPT`; one answer is the line `ID STATUS LENGTH` and exactly LENGTH bytes of output.
"""

PORT_NAME = "memhp.agent"

LOOP = r"""
for m in $(cat /etc/modules); do
        insmod /lib/memhp-modules/$m.ko || echo "agent: insmod $m failed"
done

port=
while [ -z "$port" ]; do
        for p in /sys/class/virtio-ports/*; do
                if [ "$(cat $p/name 2>/dev/null)" = "@PORT@" ] && [ -c "/dev/${p##*/}" ]; then
                        port=/dev/${p##*/}
                fi
        done
        [ -n "$port" ] || usleep 50000
done

exec 3<>$port
echo "0 0 0" >&3
while :; do
        if ! read -r id limit script <&3; then
                usleep 100000
                continue
        fi
        echo "$script" | base64 -d >/tmp/.agent-script
        # The numbers first and in one write: what follows is exactly so many bytes.
        timeout -s KILL "$limit" sh /tmp/.agent-script </dev/null >/tmp/.agent-out 2>&1 3>&-
        status=$?
        echo "$id $status $(stat -c %s /tmp/.agent-out)" >&3
        cat /tmp/.agent-out >&3
done
""".replace("@PORT@", PORT_NAME)

INIT = r"""#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs tmp /tmp
""" + LOOP
