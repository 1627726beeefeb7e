#!/bin/sh
# Measures this program and monit at the same job on this machine, and prints the tables of contrib/compare.md:
#   contrib/build-static.sh --only router && contrib/compare.sh target/static/interrupt-callback-x86_64-router
#
# The job: a watched host is looked after every 5 s, and a program is started when it is gone. Here it is heard, monit
# asks a port of it. IDLE=300 measures the idle programs for so many seconds (60), ROUNDS=12 lets the host die so often
# (5). Needs monit and python3; on a busy machine times and switches are larger.
set -eu
ours=${1:?usage: contrib/compare.sh BINARY}
idle=${IDLE:-60} rounds=${ROUNDS:-5}
for tool in monit python3 ldd; do
    command -v $tool >/dev/null || { echo "$0: $tool is missing: apt install monit python3 libc-bin" >&2 && exit 1; }
done
dir=$(mktemp -d)
pids=
trap 'stop $pids; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

stop() {
    for one; do
        kill -9 "$one" 2>/dev/null || :
        wait "$one" 2>/dev/null || :
    done
}
# Bytes of a program and of the shared libraries that it loads.
bytes() {
    total=$(stat -Lc %s "$1")
    for library in $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || :); do
        total=$((total + $(stat -Lc %s "$library")))
    done
    echo "$total"
}
libraries() { ldd "$1" 2>/dev/null | grep -c / || :; }
# How often it went to sleep so far, all threads together: each time is one waking. Being put aside for another process
# is not counted, since that is the machine's doing.
wakings() { awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }' /proc/"$1"/task/*/status; }
# Nanoseconds on a processor.
nanos() { awk '{ n += $1 } END { printf "%d", n }' /proc/"$1"/task/*/schedstat; }
memory() { awk -v key="$2:" '$1 == key { print $2 }' /proc/"$1"/status; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
await() { # what, command…: 60 s at most
    what=$1
    shift
    tries=600
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "$0: $what" >&2 && tail -n 20 "$dir"/*.log >&2 && exit 1; }
        sleep 0.1
    done
}
teller() { # name: a program that notes when it was started
    printf '#!/bin/sh\ndate +%%s.%%N >%s/%s.told\n' "$dir" "$1" >"$dir/tell-$1"
    chmod +x "$dir/tell-$1"
}
# SC2317: called by way of await.
# shellcheck disable=SC2317
answers() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1" 2>/dev/null; }

# This program: a server, and a client that stands for the watched host.
port=$(free_port)
mkdir "$dir/server" "$dir/client"
teller ours
cat >"$dir/server.toml" <<X1
state_dir = "$dir/server"
control = "$dir/server/control.sock"
[keepalive]
period = 5
grace = 1
[keepalive.server]
listen = "127.0.0.1:$port"
key = "0123456789abcdef0123456789abcdef"
num = 1
[alert.command]
argv = ["$dir/tell-ours"]
only = ["offline"]
X1
# SC2317: called by way of await.
# shellcheck disable=SC2317
is_up() { "$ours" status -c "$dir/server.toml" 2>/dev/null | grep -q "$1@.* up"; }
# A new name each time: one host that dies so often is told as flapping.
start_client() { # name
    cat >"$dir/client.toml" <<X1
state_dir = "$dir/client"
control = "$dir/client/control.sock"
name = "$1"
[keepalive]
period = 5
[keepalive.client]
uri = "ic://default:0123456789abcdef0123456789abcdef@127.0.0.1:$port"
[alert.log]
X1
    chmod 600 "$dir"/*.toml
    "$ours" run -c "$dir/client.toml" >"$dir/client.log" 2>&1 &
    client=$!
    pids="$pids $client"
    await "the client is not heard" is_up "$1"
}
"$ours" run -c "$dir/server.toml" >"$dir/server.log" 2>&1 &
server=$!
pids=$server
start_client watched

# monit asks a port that a small program holds open, for the watched host.
watched=$(free_port)
teller monit
start_port() {
    python3 -m http.server --bind 127.0.0.1 "$watched" >"$dir/port.log" 2>&1 &
    held=$!
    pids="$pids $held"
    await "the port does not answer" answers "$watched"
}
cat >"$dir/monitrc" <<X1
set daemon 5
set pidfile $dir/monit.pid
set statefile $dir/monit.state
set idfile $dir/monit.id
check host watched with address 127.0.0.1
    if failed port $watched type tcp then exec "$dir/tell-monit"
X1
chmod 600 "$dir/monitrc"
start_port
monit -I -c "$dir/monitrc" >"$dir/monit.log" 2>&1 &
monit=$!
pids="$pids $monit"

echo "| Program | Bytes | Shared libraries | Bytes with them |"
echo "| --- | --- | --- | --- |"
echo "| this program | $(stat -Lc %s "$ours") | $(libraries "$ours") | $(bytes "$ours") |"
there=$(command -v monit)
echo "| monit $(monit --version | awk 'NR == 1 { print $NF }') | $(stat -Lc %s "$there") | $(libraries "$there") | $(bytes "$there") |"
echo

sleep 10
note() { eval "wakings_$1=$(wakings "$2") nanos_$1=$(nanos "$2")"; }
row() { # label, name, pid
    eval "more_wakings=\$(($(wakings "$3") - wakings_$2)) more_nanos=\$(($(nanos "$3") - nanos_$2))"
    # SC2154: assigned by eval.
    # shellcheck disable=SC2154
    awk -v l="$1" -v r="$(memory "$3" VmRSS)" -v v="$(memory "$3" VmSize)" -v t="$more_wakings" -v n="$more_nanos" -v s="$idle" \
        'BEGIN { printf "| %s | %d KB | %d KB | %.2f | %.2f |\n", l, r, v, t / s, n / 1e9 * 3600 / s }'
}
note server "$server"
note client "$client"
note monit "$monit"
sleep "$idle"
echo "| Idle for $idle s, one host every 5 s | Resident | Virtual | Wakings a second | Processor seconds an hour |"
echo "| --- | --- | --- | --- | --- |"
row "this program, the server" server "$server"
row "this program, the watched host" client "$client"
row "monit" monit "$monit"
echo

# The watched processes die together, at another moment of the five seconds each time.
round=1
while [ "$round" -le "$rounds" ]; do
    rm -f "$dir"/*.told
    sleep "$(awk -v r="$round" 'BEGIN { printf "%.1f", 6 + r * 1.7 % 5 }')"
    date +%s.%N >"$dir/died"
    stop "$client" "$held"
    await "this program does not tell" test -s "$dir/ours.told"
    await "monit does not tell" test -s "$dir/monit.told"
    for name in ours monit; do
        awk -v a="$(cat "$dir/died")" -v b="$(cat "$dir/$name.told")" 'BEGIN { printf "%.2f\n", b - a }' >>"$dir/$name.delays"
    done
    start_port
    start_client "watched-$round"
    # monit runs its program once for each beginning: it has to see that the port is back.
    sleep 6
    round=$((round + 1))
done
echo "| From a death to the start of the program, $rounds times | Shortest | Mean | Longest |"
echo "| --- | --- | --- | --- |"
for name in ours monit; do
    case $name in ours) label="this program" ;; *) label=monit ;; esac
    sort -n "$dir/$name.delays" | awk -v l="$label" '{ n += $1; if (NR == 1) a = $1; b = $1 }
        END { printf "| %s | %.1f s | %.1f s | %.1f s |\n", l, a, n / NR, b }'
done
