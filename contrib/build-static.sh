#!/bin/sh
# Builds static musl binaries and prints what they weigh, beside a stand-in of the same packages.
#
#   contrib/build-static.sh [x86_64]
#
# Needs: rustup target add x86_64-unknown-linux-musl, and for TLS (ring) a C compiler; musl-gcc if there is one,
# else the system's. With --check it also compares with contrib/size-budget and fails above it.
set -eu
cd "$(dirname "$0")/.."
check=no
arch=x86_64
for word; do
    case $word in
    --check) check=yes ;;
    x86_64) arch=$word ;;
    *) echo "usage: $0 [--check] [x86_64]" >&2; exit 64 ;;
    esac
done
target=$arch-unknown-linux-musl
if ! rustup target list --installed 2>/dev/null | grep -qx "$target"; then
    echo "$0: the target is missing: rustup target add $target" >&2
    exit 1
fi
if command -v musl-gcc >/dev/null; then cc=musl-gcc; else cc=${CC:-cc}; fi
export CC_x86_64_unknown_linux_musl="${CC_x86_64_unknown_linux_musl:-$cc}"
# The same flags for the product and the stand-in: no unwind tables, small relocations, no padding between segments;
# code that occurs several times is kept once; and functions with a frame of more than 320 bytes, of all sizes tried the
# best, are not merged into their callers, where every access to the stack would take a longer instruction.
flags="-C link-arg=-Wl,-T,$PWD/contrib/no-unwind.ld -C link-arg=-Wl,-z,pack-relative-relocs"
flags="$flags -C link-arg=-Wl,-z,noseparate-code"
flags="$flags -C llvm-args=-enable-machine-outliner=always -C llvm-args=-inline-max-stacksize=320"
export RUSTFLAGS="$flags ${RUSTFLAGS:-}"
out=${CARGO_TARGET_DIR:-target}
mkdir -p "$out/static"
# The same versions as the product; what only the product has falls out by itself.
cp Cargo.lock contrib/stand-in/Cargo.lock

budget() { sed -n "s/^$1 //p" contrib/size-budget; }
failed=no
row() { # name, file
    bytes=$(wc -c <"$2")
    most=$(budget "$1")
    note=
    if [ -n "$most" ]; then
        # Two in a hundred above the budget are forgiven: compilers differ.
        if [ "$bytes" -gt $((most + most / 50)) ]; then note="  OVER"; [ $check = no ] || failed=yes; fi
    fi
    printf '%-28s %9s bytes  budget %9s%s\n' "$1" "$bytes" "${most:--}" "$note"
    eval "$3=$bytes"
}
build() { # name, features
    cargo build --locked --quiet --release --target "$target" --no-default-features --features "$2"
    cp "$out/$target/release/interrupt-callback" "$out/static/interrupt-callback-$arch-$1"
    CARGO_TARGET_DIR="$out/stand-in" cargo build --quiet --release --target "$target" \
        --manifest-path contrib/stand-in/Cargo.toml --features "$2"
    row "$arch-$1" "$out/static/interrupt-callback-$arch-$1" ours
    row "$arch-$1-stand-in" "$out/stand-in/$target/release/stand-in" theirs
    row_difference "$1" $((ours - theirs))
}
row_difference() {
    most=$(budget "$arch-$1-difference")
    note=
    if [ -n "$most" ] && [ "$2" -gt "$most" ]; then note="  OVER"; [ $check = no ] || failed=yes; fi
    printf '%-28s %9s bytes  budget %9s%s\n' "$arch-$1-difference" "$2" "${most:--}" "$note"
}
build router tls
build plain ""
for file in "$out/static/interrupt-callback-$arch-router" "$out/static/interrupt-callback-$arch-plain"; do
    if ldd "$file" 2>/dev/null | grep -q '=>'; then echo "$0: $file needs libraries" >&2; failed=yes; fi
    "$file" version
done
[ $failed = no ]
