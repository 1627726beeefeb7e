#!/bin/sh
# Does what the Dockerfile says without a container engine, and runs the result as process 1 of its own namespaces:
# contrib/docker/test-image.sh. Needs root (or user namespaces), unshare and chroot; run build-static.sh first.
set -eu
cd "$(dirname "$0")/../.."
file=contrib/docker/Dockerfile
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
chroot=$(command -v chroot) root=$here/root
mkdir "$root"
fail() { echo "FAILED: $*" >&2 && exit 1; }

# The steps, in the order of the file; a word that is not known here is a failure.
while read -r step words; do
    case $step in
    FROM) [ "$words" = scratch ] || fail "the image is not made from nothing: $words" ;;
    ARG) binary=${words#*=} ;;
    COPY)
        owner=
        while :; do
            case $words in
            --chown=*) owner=${words%% *} owner=${owner#--chown=} ;;
            --chmod=*) ;;
            *) break ;;
            esac
            words=${words#* }
        done
        from=${words% *} to=$root${words##* }
        # The Dockerfile's own variable.
        # shellcheck disable=SC2016
        [ "$from" != '${BINARY}' ] || from=$binary
        grep -q "^!${from%%-x86*}" $file.dockerignore || fail "$from is left out by $file.dockerignore"
        mkdir -p "${to%/*}"
        cp -r "$from" "$to" || fail "$from is missing: contrib/build-static.sh --only full x86_64"
        [ -z "$owner" ] || chown -R "$owner" "$to"
        ;;
    ENV) environment=$words ;;
    USER) user=$words ;;
    ENTRYPOINT) program=$(echo "$words" | tr -d '[]"') ;;
    CMD) command=$(echo "$words" | tr -d '[]"') ;;
    HEALTHCHECK) health=$(echo "${words#*CMD}" | tr -d '[]",') ;;
    VOLUME | EXPOSE | STOPSIGNAL | "" | "#"*) ;;
    *) fail "unknown step $step" ;;
    esac
done <$file

# What -v /etc/ic:/etc/ic:ro brings.
mkdir -p "$root/etc/ic" "$root/proc"
printf '[keepalive.server]\nlisten = "127.0.0.1:0"\nkey = "a-key-for-this-test"\n[alert.log]\n' >"$root/etc/ic/config.toml"
chown -R "$user" "$root/etc/ic"
chmod 400 "$root/etc/ic/config.toml"
in_there() { # words: as the image's user, in the image's tree and nothing else
    # A list of assignments.
    # shellcheck disable=SC2086
    env -i $environment "$chroot" --userspec="$user" "$root" "$@"
}
# Process 1 gets no signal that it does not handle, unless it comes from outside: so it is sent from inside.
cat >"$here/first" <<'X'
mount -t proc proc "$1/proc"
shift
exec env -i "$@"
X
# shellcheck disable=SC2086
unshare --pid --fork --mount --kill-child sh "$here/first" "$root" $environment \
    "$chroot" --userspec="$user" "$root" "$program" "$command" >"$here/log" 2>&1 &
outer=$!
for _ in $(seq 100); do
    grep -q 'ready:' "$here/log" && break
    kill -0 $outer 2>/dev/null || break
    sleep 0.1
done
grep -q 'ready:' "$here/log" || { cat "$here/log" >&2 && fail "it does not start"; }
# shellcheck disable=SC2086
in_there $health >"$here/answer" 2>&1 || { cat "$here/answer" >&2 && fail "the health check fails: $health"; }
inner=$(pgrep -P $outer)
[ "$(awk '/^NSpid:/ { print $NF }' "/proc/$inner/status")" = 1 ] || fail "it is not process 1"
nsenter --target "$inner" --pid kill -TERM 1
begun=$(date +%s)
wait $outer && code=0 || code=$?
[ "$code" = 0 ] || { cat "$here/log" >&2 && fail "SIGTERM: exit code $code"; }
in_there "$program" status >/dev/null 2>&1 && fail "it still answers"
[ -e "$root/var/lib/interrupt-callback/lock" ] || fail "it kept no state"
echo "the image holds $(find "$root" -type f -path '*/interrupt-callback' | wc -l) program," \
    "runs as process 1 and user $user, and ends $(($(date +%s) - begun)) s after SIGTERM"
