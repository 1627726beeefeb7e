#!/bin/sh
# Install: /usr/sbin/interrupt-callback-respawn, mode 755, and in /etc/inittab of a BusyBox init the line
#   ::respawn:/usr/sbin/interrupt-callback-respawn
# then `kill -HUP 1`. After a change of the file: interrupt-callback reload.
PROG=/usr/bin/interrupt-callback
CONF=/etc/ic/config.toml

say() { logger -t interrupt-callback -p "daemon.$1"; }

# A wrong file is looked at again once a minute; starting with it would be once a second.
until words=$("$PROG" check -c "$CONF" 2>&1); do
    echo "not started: $words" | say err
    sleep 60
done
"$PROG" run -c "$CONF" 2>&1 </dev/null | say info
# So that a daemon that cannot live is not started every second.
sleep 5
