#!/bin/sh
# Runs static binaries, those of other processors under qemu: contrib/try-static.sh [FILE…], else all in target/static.
#
# Of each: version, check, beats to a native server and from a native client, a signed alert over HTTP and HTTPS,
# certificates of each kind and a forged one, the roster after a restart, and how much memory it takes (only where no qemu
# stands between). Needs python3 and openssl, and for other processors qemu-user-static. What it skips it says; with
# IC_NO_SKIP=1 that is a failure.
set -eu
cd "$(dirname "$0")/.."
out=${CARGO_TARGET_DIR:-target}
[ $# -gt 0 ] || set -- "$out"/static/interrupt-callback-*
[ -x "$1" ] || { echo "$0: there is no binary yet: contrib/build-static.sh" >&2 && exit 1; }
here=$(mktemp -d)
trap 'stop_all; rm -rf "$here"' EXIT
native=$(uname -m)
failed=no skipped=0 pids=''
# Seconds to wait for anything; qemu on a busy machine is slow.
patience=60

stop_all() {
    for pid in $pids; do kill -9 "$pid" 2>/dev/null || :; done
}
fail() {
    echo "  FAILED: $*" >&2
    for log in "$here"/*.log; do
        [ ! -s "$log" ] || { echo "  ${log##*/}:" && tail -n 8 "$log" | sed 's/^/    /'; } >&2
    done
    failed=yes
}
skip() {
    skipped=$((skipped + 1))
    echo "  SKIPPED: $*" >&2
}
# Until the command succeeds; fails with the words before it.
until_true() { # what, command…
    what=$1
    shift
    end=$(($(date +%s) + patience))
    until "$@"; do
        [ "$(date +%s)" -lt $end ] || { fail "$what"; return 1; }
        sleep 0.2
    done
}
says() { grep -q -- "$2" "$1" 2>/dev/null; }

# ---- the services that it talks to ----
for tool in python3 openssl; do
    command -v $tool >/dev/null || { echo "$0: $tool is missing: apt install $tool" >&2 && exit 1; }
done
# Two of the same name: one is trusted, the other signs what must be refused.
for root in ca other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=a root for one test' \
        -keyout "$here/$root.key" -out "$here/$root.pem" 2>/dev/null
done
printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >"$here/tls.ext"
certificate() { # name, kind of key…
    name=$1 signer=ca
    shift
    [ "$name" != forged ] || signer=other
    openssl req -newkey "$@" -nodes -subj /CN=localhost -keyout "$here/$name.key" -out "$here/$name.csr" 2>/dev/null
    openssl x509 -req -in "$here/$name.csr" -CA "$here/$signer.pem" -CAkey "$here/$signer.key" \
        -CAcreateserial -days 2 -extfile "$here/tls.ext" -out "$here/$name.pem" 2>/dev/null
}
certificate p256 ec -pkeyopt ec_paramgen_curve:P-256
certificate p384 ec -pkeyopt ec_paramgen_curve:P-384
certificate rsa rsa:2048
certificate ed25519 ed25519
certificate forged ec -pkeyopt ec_paramgen_curve:P-256
# A Feishu bot: takes a message if its signature is right, and writes down what became of each.
cat >"$here/bot.py" <<'X'
import base64, hashlib, hmac, http.server, json, ssl, sys, threading, time

class Bot(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = (body.get("timestamp", "") + "\ntop-secret").encode()
        right = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode() == body.get("sign")
        fresh = abs(time.time() - int(body.get("timestamp", 0))) < 3600
        print(self.path, "signed" if right and fresh else "UNSIGNED", flush=True)
        answer = b'{"code":0,"msg":"success"}' if right and fresh else b'{"code":19021,"msg":"sign match fail"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words):
        pass

class Server(http.server.ThreadingHTTPServer):
    context = None
    def get_request(self):
        stream, peer = self.socket.accept()
        if self.context is None:
            return stream, peer
        stream.settimeout(60)
        try:
            return self.context.wrap_socket(stream, server_side=True), peer
        except ssl.SSLError as error:
            print("handshake", error.reason, flush=True)
            raise OSError from error

# Certificate, group of the key exchange, version: each of what a client of this program may meet.
KINDS = [("p256", None, "1.3"), ("rsa", "prime256v1", "1.2"), ("p384", "secp384r1", "1.3"), ("ed25519", "prime256v1", "1.3"),
         ("p256", None, "1.2"), ("forged", None, "1.3")]
ports = []
for name, group, version in [None, None, None], *KINDS:
    server = Server(("127.0.0.1", 0), Bot)
    if name:
        server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.context.load_cert_chain(f"{sys.argv[1]}/{name}.pem", f"{sys.argv[1]}/{name}.key")
        server.context.maximum_version = server.context.minimum_version = \
            ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
        if group:
            server.context.set_ecdh_curve(group)
    ports.append(server.server_port)
    threading.Thread(target=server.serve_forever).start()
print("ports", *ports, flush=True)
X
python3 "$here/bot.py" "$here" >"$here/bot.log" 2>&1 &
pids="$pids $!"
until_true "the bot does not start" says "$here/bot.log" ports
read -r _ http https others <"$here/bot.log"
forged=${others##* }
others=${others% *}

# ---- daemons ----
write() { # name, sections: a configuration with a state of its own
    printf 'name = "%s"\nstate_dir = "%s/state-%s"\ncontrol = "%s/%s.sock"\nlanguage = "en"\n%s\n' \
        "$1" "$here" "$1" "$here" "$1" "$2" >"$here/$1.toml"
    chmod 600 "$here/$1.toml"
}
handshakes() { # port…: a configuration with a channel for each
    write handshakes ''
    for port; do
        printf '[alert.at-%s]\nkind = "feishu"\nwebhook = "https://localhost:%s/"\n' "$port" "$port"
        printf 'secret = "top-secret"\nca_file = "ca.pem"\n'
    done >>"$here/handshakes.toml"
}
start() { # name, program…
    name=$1
    shift
    : >"$here/$name.log"
    "$@" run -c "$here/$name.toml" >"$here/$name.log" 2>&1 &
    pid=$!
    pids="$pids $pid"
    until_true "$name does not get ready" says "$here/$name.log" 'ready:'
}
stop() { # pid: a clean stop, which is one with exit code 0
    kill "$1"
    code=0
    wait "$1" || code=$?
    [ $code = 0 ] || { fail "exit code $code after SIGTERM"; return 1; }
}
address() { sed -n 's/.*listening on \([0-9.:]*\)$/\1/p' "$here/$1.log" | head -n 1; }
ask() { # name: the status of a daemon, asked by the native program
    "$helper" status --json -c "$here/$1.toml" 2>/dev/null || :
}
host_is() { # name of the server, host, state
    ask "$1" | python3 -c 'import json, sys
text = sys.stdin.read()
hosts = json.loads(text)["hosts"] if text else []
sys.exit(not any(host["name"].startswith(sys.argv[1]) and host["state"] == sys.argv[2] for host in hosts))' "$2" "$3"
}
memory() { sed -n "s/^$2:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$1/status"; }

helper=
for file in "$out/static/interrupt-callback-$native-router" "$out/static/interrupt-callback-$native-router-tiny" \
    "$out/static/interrupt-callback-$native-plain" "$out/release/interrupt-callback" "$out/debug/interrupt-callback"; do
    [ -n "$helper" ] || [ ! -x "$file" ] || helper=$file
done
[ -n "$helper" ] || { echo "$0: there is no native binary to talk to: contrib/build-static.sh $native" >&2 && exit 1; }

attempt() { # file, runner…
    file=$1
    shift
    set -- "$@" "$file"
    rm -rf "$here"/state-* "$here"/*.toml "$here"/*.sock
    rm -f "$here/server.log" "$here/client.log" "$here/tried.log"

    "$@" version | grep -q '^interrupt-callback [0-9]' || { fail "version"; return; }
    write wrong '[keepalive.server]
num = 0'
    code=0
    "$@" check -c "$here/wrong.toml" >"$here/check.log" 2>&1 || code=$?
    [ $code = 78 ] || { fail "check: exit $code"; return; }
    says "$here/check.log" 'wrong.toml:6: keepalive.server.num' || { fail "check"; return; }

    # It beats to a native server.
    write server '[keepalive]
period = 1
[keepalive.server]
listen = "127.0.0.1:0"
key = "a-key-of-one-test"
[alert.log]'
    start server "$helper" || return 0
    server=$pid
    write tried "[keepalive]
period = 1
[keepalive.client]
uri = \"ic://default:a-key-of-one-test@$(address server)\"
[alert.log]"
    start tried "$@" || return 0
    tried=$pid
    until_true "the native server does not hear it" host_is server tried up || return 0
    stop "$tried" || return 0
    until_true "the native server does not hear its goodbye" host_is server tried stopped || return 0
    stop "$server" || return 0
    echo "  version, check, beats and goodbye to a native server: fine"

    # It watches a native client, tells through HTTP and HTTPS, and knows the client after a restart.
    tls=no
    case $file in *-plain*) ;; *) tls=yes ;; esac
    write tried "[keepalive]
period = 1
[keepalive.server]
listen = \"127.0.0.1:0\"
key = \"a-key-of-one-test\"
[alert.plain]
kind = \"feishu\"
webhook = \"http://127.0.0.1:$http/${file##*/}\"
secret = \"top-secret\""
    [ $tls = no ] || cat >>"$here/tried.toml" <<X
[alert.tls]
kind = "feishu"
webhook = "https://localhost:$https/tls/${file##*/}"
secret = "top-secret"
ca_file = "ca.pem"
X
    "$@" check -c "$here/tried.toml" >"$here/check.log" 2>&1 || { fail "check of a good file"; return; }
    start tried "$@" || return 0
    tried=$pid
    write client "[keepalive]
period = 1
[keepalive.client]
uri = \"ic://default:a-key-of-one-test@$(address tried)\"
[alert.log]"
    start client "$helper" || return 0
    client=$pid
    until_true "it does not hear a native client" host_is tried client up || return 0
    idle="$(memory "$tried" VmRSS) KB ($(memory "$tried" RssAnon) its own, the rest its file)"
    "$@" simulate offline -c "$here/tried.toml" >"$here/simulate.log" 2>&1 || { fail "simulate"; return; }
    until_true "no signed alert over HTTP" says "$here/bot.log" "^/${file##*/} signed" || return 0
    if [ $tls = yes ]; then
        until_true "no signed alert over HTTPS" says "$here/bot.log" "^/tls/${file##*/} signed" || return 0
        echo "  signed alerts over HTTP and HTTPS: fine"
    else
        echo "  signed alert over HTTP: fine"
    fi
    [ $# -gt 1 ] || echo "  memory: $idle with a server, a client and its channels;" \
        "$(memory "$tried" VmRSS) KB after the alerts, $(memory "$tried" VmHWM) KB at most, $(memory "$tried" VmSize) KB virtual"
    if [ $tls = yes ]; then
        # shellcheck disable=SC2086
        handshakes $others
        "$@" test -c "$here/handshakes.toml" >"$here/handshakes.log" 2>&1 || { fail "other certificates"; return; }
        handshakes "$forged"
        ! "$@" test -c "$here/handshakes.toml" >"$here/handshakes.log" 2>&1 || { fail "a forged certificate"; return; }
        says "$here/handshakes.log" "unknown issuer" || { fail "refusal of a forged certificate"; return; }
        echo "  certificates with RSA, P-256, P-384 and Ed25519; keys by X25519, P-256 and P-384; TLS 1.2 and 1.3: fine"
    fi
    stop "$client" || return 0
    until_true "it does not hear the client's goodbye" host_is tried client stopped || return 0
    stop "$tried" || return 0
    start tried "$@" || return 0
    tried=$pid
    until_true "after a restart the client is not on its roster" host_is tried client stopped || return 0
    stop "$tried" || return 0
    echo "  beats and goodbye of a native client, roster after a restart: fine"
}

for file; do
    name=${file##*/interrupt-callback-}
    arch=${name%%-*}
    echo "$name"
    case $arch in
    "$native") attempt "$file" ;;
    armv7) arch=arm ;;
    esac
    [ "$arch" != "$native" ] || continue
    qemu=$(command -v "qemu-$arch-static" || command -v "qemu-$arch" || :)
    if [ -z "$qemu" ]; then
        skip "$name: qemu-$arch is missing: apt install qemu-user-static"
        continue
    fi
    attempt "$file" "$qemu"
done
[ $skipped = 0 ] || [ "${IC_NO_SKIP:-}" != 1 ] || { echo "$0: $skipped skipped" >&2 && exit 1; }
[ $failed = no ] && echo "all ran; $skipped skipped"
