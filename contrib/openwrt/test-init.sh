#!/bin/sh
# Runs the init script against a stub of procd's functions, in every shell that is here: contrib/openwrt/test-init.sh.
# Needs no router, no root and no daemon.
set -eu
cd "$(dirname "$0")"
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
mkdir -p "$here/etc/ic"
: >"$here/etc/ic/config.toml"

cat >"$here/program" <<'X'
#!/bin/sh
# Says "wrong" and 78, as the daemon does, if the file says so.
echo "program $*" >>"$HERE/calls"
if grep -q wrong "$HERE/etc/ic/config.toml"; then echo "config.toml:1: wrong" >&2; exit 78; fi
X
chmod +x "$here/program"

# What procd and rc.common would do, as lines in a file.
cat >"$here/stub" <<'X'
initscript=$1 action=$2
note() { echo "$*" >>"$HERE/calls"; }
logger() { note "logger $*"; }
chown() { note "chown $*"; }
id() { [ "$KNOWN" = yes ]; }
for name in procd_open_instance procd_set_param procd_close_instance procd_send_signal; do
	eval "$name() { note \"$name\${*:+ \$*}\"; }"
done
procd_running() { [ "$RUNNING" = yes ]; }
start() { start_service; }
reload() { reload_service; }
. "$initscript"
"$action"
X
sed -e "s|^PROG=.*|PROG=$here/program|" -e "s|^CONF=.*|CONF=$here/etc/ic/config.toml|" \
    -e "s|^STATE=.*|STATE=$here/etc/ic/state|" -e "s|^RUN=.*|RUN=$here/run|" \
    files/interrupt-callback.init >"$here/init"

failed=no
run() { # shell, file's words, running, user known, action, wanted exit code
    echo "$2" >"$here/etc/ic/config.toml"
    : >"$here/calls"
    code=0
    # A shell may be two words.
    # shellcheck disable=SC2086
    HERE=$here RUNNING=$3 KNOWN=$4 $1 "$here/stub" "$here/init" "$5" >/dev/null 2>"$here/errors" || code=$?
    title="$1: $5, file $2, running $3, user $4"
    [ "$code" = "$6" ] || fail "exit code $code, not $6"
}
fail() {
    echo "FAILED $title: $1" >&2
    sed 's/^/    /' "$here/calls" "$here/errors" >&2
    failed=yes
}
has() { grep -qxF -- "$1" "$here/calls" || fail "no \"$1\""; }
lacks() { if grep -q -- "$1" "$here/calls"; then fail "there is \"$1\""; fi; }

shells=0
for shell in dash "busybox ash" bash; do
    command -v "${shell%% *}" >/dev/null || { echo "SKIPPED: no $shell here" >&2 && continue; }
    shells=$((shells + 1))
    run "$shell" good no yes start 0
    has "program check -c $here/etc/ic/config.toml"
    has "procd_set_param command $here/program run -c $here/etc/ic/config.toml"
    has "procd_set_param respawn 3600 5 0"
    has "procd_set_param user ic"
    has "chown -R ic:ic $here/etc/ic/state $here/run"
    has procd_close_instance
    [ "$(stat -c %a "$here/etc/ic/config.toml" "$here/etc/ic/state" "$here/run" | tr '\n' ' ')" = "640 700 700 " ] ||
        fail "modes $(stat -c '%a %n' "$here/etc/ic/config.toml" "$here/etc/ic/state" "$here/run")"
    run "$shell" good no no start 0
    has procd_open_instance
    lacks "procd_set_param user"
    echo OWNER=root >"$here/etc/ic/init.conf"
    run "$shell" good no yes start 0
    has "procd_set_param user root"
    has "chown -R root:root $here/etc/ic/state $here/run"
    rm "$here/etc/ic/init.conf"
    run "$shell" wrong no yes start 1
    lacks procd_
    has "logger -t interrupt-callback -p daemon.err not started: config.toml:1: wrong"
    run "$shell" good yes yes reload 0
    has "procd_send_signal interrupt-callback * HUP"
    lacks procd_open_instance
    run "$shell" wrong yes yes reload 1
    lacks procd_send_signal
    has "logger -t interrupt-callback -p daemon.err not reloaded: config.toml:1: wrong"
    run "$shell" good no yes reload 0
    has procd_open_instance
    lacks procd_send_signal
done
[ $shells -gt 0 ] || failed=yes
[ $failed = yes ] || echo "the init script does what it should in $shells shells"
[ $failed = no ]
