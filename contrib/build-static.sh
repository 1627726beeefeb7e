#!/bin/sh
# Builds static musl binaries and prints what they weigh, on x86-64 beside a stand-in of the same packages.
#
#   contrib/build-static.sh [--tiny | --tiniest] [--only SET]… [--stand-in] [--twice] [--check] [TARGET…]
#
# TARGET: x86_64 (the default), aarch64, armv7, mipsel, mips, or all. SET: plain (no feature), router (tls), full (all
# that Cargo.toml has by default); all three unless some are named.
#   --tiny     std rebuilt for size, fixed addresses, no unwind tables. A panic still says what and where; of an error
#              within it only the type.
#   --tiniest  the same, and a panic ends the process at once: no message, no hook; only the signal (SIGABRT or SIGILL)
#              and the service manager's restart tell of it. For flash chips that are full to the last block.
#   --stand-in compares with the stand-in on other targets than x86_64 too
#   --twice    builds again from a copy of the sources in another folder and fails unless the bytes are the same
#   --check    compares with contrib/size-budget and fails above it
#
# The binaries are left in target/static. What is missing is said, with the command that gets it.
set -eu
cd "$(dirname "$0")/.."
usage() {
    sed -n 's/^#  *contrib/usage: contrib/p' "$0" >&2
    exit 64
}
check=no mode=release sets='' compare=no twice=no targets=''
while [ $# -gt 0 ]; do
    case $1 in
    --check) check=yes ;;
    --tiny | --tiniest) mode=${1#--} ;;
    --stand-in) compare=yes ;;
    --twice) twice=yes ;;
    --only)
        [ $# -gt 1 ] || usage
        shift
        case $1 in router | plain | full) sets="$sets $1" ;; *) usage ;; esac
        ;;
    x86_64 | aarch64 | armv7 | mipsel | mips) targets="$targets $1" ;;
    all) targets="x86_64 aarch64 armv7 mipsel mips" ;;
    *) usage ;;
    esac
    shift
done
default=$(sed -n 's/^default = \[\(.*\)\]$/\1/p' Cargo.toml | tr -d '" ')
[ -n "$sets" ] || sets="plain router full"

root=$PWD
out=${CARGO_TARGET_DIR:-target}
mkdir -p "$out/static"
out=$(cd "$out" && pwd)
failed=no
say() { echo "$0: $*" >&2; }
lacks() {
    say "$1"
    say "get it with: $2"
    exit 1
}
command -v cargo >/dev/null || lacks "cargo is missing" "https://rustup.rs"
sysroot=$(rustc --print sysroot)
given_flags=${RUSTFLAGS:-}

# zig 0.15: with 0.17 mipsel does not link.
zig=
find_zig() {
    [ -z "$zig" ] || return 0
    for zig in "${ZIG:-zig}" "$out/zig/bin/python -m ziglang" "python3 -m ziglang"; do
        # shellcheck disable=SC2086
        case $($zig version 2>/dev/null || true) in 0.15.*) return 0 ;; esac
    done
    lacks "zig 0.15 is missing, the compiler and linker for $1" \
        "python3 -m venv $out/zig && $out/zig/bin/pip install ziglang==0.15.2"
}

# What differs from target to target: the triple, the C compiler, whether std has to be built.
prepare() { # arch, mode
    zig_flags='' own_flags='' ar=ar std=ready
    case $1 in
    x86_64) target=x86_64-unknown-linux-musl ;;
    aarch64) target=aarch64-unknown-linux-musl zig_flags='-target aarch64-linux-musl' ;;
    # Without NEON and with sixteen registers, as Rust's target: some NAS processors have no more.
    armv7) target=armv7-unknown-linux-musleabihf
        zig_flags='-target arm-linux-musleabihf -mcpu=generic+v7a+vfp3d16+thumb2' ;;
    mipsel | mips) target=$1-unknown-linux-musl
        zig_flags="-target $1-linux-musleabi -mcpu=mips32r2+soft_float" ;;
    esac
    under=$(echo "$target" | tr - _)
    eval "cc=\${CC_$under:-} given_cflags=\${CFLAGS_$under:-}"
    if [ -n "$cc" ]; then
        :
    elif [ -z "$zig_flags" ]; then
        cc=$(command -v musl-gcc || command -v "${CC:-cc}") || lacks "a C compiler is missing" "apt install musl-tools"
    else
        find_zig "$1"
        cc=$out/zig-$1-cc
        printf '#!/bin/sh\nexec sh "%s" "%s" "%s" "$@"\n' "$root/contrib/zig-cc.sh" "$zig" "$zig_flags" >"$cc"
        ar=$out/zig-ar
        printf '#!/bin/sh\nexec %s ar "$@"\n' "$zig" >"$ar"
        chmod +x "$cc" "$ar"
        export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-$out/zig-cache}"
        # The C library and its start files are zig's.
        own_flags="-C link-self-contained=no -C linker=$cc"
    fi
    export "CC_$under=$cc"
    export "AR_$under=$ar"
    if [ ! -d "$sysroot/lib/rustlib/$target/lib" ]; then
        std=built
        # Start files for code at any address do not fit what std expects here, and MIPS dies of them.
        features=+crt-static
        # Half of its instructions take two bytes.
        [ "$1" != armv7 ] || features=$features,+thumb-mode
        # Here rustix asks the C library for the time, in 64 bits; the libc package has to be told that it can.
        case $1 in mips*) own_flags="$own_flags --cfg=libc_unstable_musl_v1_2" ;; esac
        own_flags="$own_flags -C target-feature=$features -C relocation-model=static"
        [ "$1" != x86_64 ] || lacks "the target is missing" "rustup target add $target"
    fi
    [ "$2" = release ] || std=built
    if [ $std = built ] && [ ! -d "$sysroot/lib/rustlib/src/rust/library" ]; then
        lacks "std for $target has to be built and its source is missing" \
            "rustup component add rust-src (or, where it is offered: rustup target add $target)"
    fi
}

# The flags of a build, the same for the product and the stand-in. Unwind tables are a tenth of the binary and of no
# use here, so there is no unwinder either; no path of this machine is left in panic messages; there is no padding
# between segments; code that occurs several times is kept once; and functions with a frame of more than 320 bytes, of
# all sizes tried the best, are not merged into their callers, where access to the stack takes longer instructions.
flags() { # folder of the sources, folder of the results
    # Found before the real ones. The sum is in the name, since cargo does not look into what is linked.
    stubs=$2/stubs-$arch-$(cat "$root"/contrib/no-* | cksum | cut -d ' ' -f 1)
    rm -rf "$stubs"
    mkdir -p "$stubs"
    for part in unwind dlsym; do
        "$cc" -Os -c -o "$stubs/$part.o" "$root/contrib/no-$part.c"
        "$ar" crs "$stubs/libunwind.a" "$stubs/$part.o"
    done
    RUSTFLAGS="-C link-arg=-Wl,-T,$stubs/link.ld -C link-arg=-Wl,-z,pack-relative-relocs"
    RUSTFLAGS="$RUSTFLAGS -C link-arg=-Wl,-z,noseparate-code -C llvm-args=-inline-max-stacksize=320"
    RUSTFLAGS="$RUSTFLAGS -C llvm-args=-enable-machine-outliner=always"
    if [ $std = ready ]; then
        rustc --edition 2024 --target "$target" --crate-name no_backtrace --crate-type rlib -C opt-level=z \
            -C panic=abort --remap-path-prefix="$root=." -o "$stubs/libno_backtrace.rlib" contrib/no-backtrace.rs
        RUSTFLAGS="$RUSTFLAGS --cfg no_backtrace --extern no_backtrace=$stubs/libno_backtrace.rlib"
    fi
    cp "$root/contrib/no-unwind.ld" "$stubs/link.ld"
    # ring's curves with the small tables that other processors have anyway, instead of 180 KB of large ones: a handshake
    # takes a millisecond more. Its Rust part asks for two functions that then are missing, each for a faster twin of
    # one that is there. What of this does not fit another version of ring, the linker says.
    case $arch in
    x86_64 | aarch64)
        ring=ring_core_$(sed -n '/^name = "ring"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock | tr . _)__
        printf 'PROVIDE(%s = %s);\n' \
            "${ring}p256_point_mul_base_vartime" "${ring}p256_point_mul_base" \
            "${ring}x25519_scalar_mult_adx" "${ring}x25519_scalar_mult_generic_masked" >>"$stubs/link.ld"
        export "CFLAGS_$under=${given_cflags:+$given_cflags }-DOPENSSL_SMALL"
        ;;
    esac
    # zig would take its own unwinder for the library of that name, so there they are objects.
    if [ -n "$zig_flags" ]; then
        RUSTFLAGS="$RUSTFLAGS -C link-arg=$stubs/unwind.o -C link-arg=$stubs/dlsym.o"
    else
        RUSTFLAGS="$RUSTFLAGS -L native=$stubs"
    fi
    RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=$1=."
    RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$2=. --remap-path-prefix=$sysroot/lib/rustlib/src/rust=rust"
    case $mode in
    release) ;;
    # Not `fmt-debug=none`: the http package writes the version of a request in that way.
    tiny) RUSTFLAGS="$RUSTFLAGS -C relocation-model=static -C force-unwind-tables=no -Z fmt-debug=shallow" ;;
    tiniest)
        RUSTFLAGS="$RUSTFLAGS -C relocation-model=static -C force-unwind-tables=no -Z fmt-debug=shallow"
        RUSTFLAGS="$RUSTFLAGS -Z location-detail=none"
        ;;
    esac
    export RUSTFLAGS="$RUSTFLAGS $own_flags $given_flags"
}

compile() { # folder of the sources, folder of the results, manifest, features, further words
    from=$1 into=$2 manifest=$3 features=$4
    shift 4
    mkdir -p "$into"
    flags "$from" "$into"
    if [ $std = built ]; then
        export RUSTC_BOOTSTRAP=1
        # Named ones replace those that std has otherwise, with them what prints a backtrace.
        kind=default
        [ "$mode" = release ] || kind=optimize_for_size
        set -- "$@" -Z build-std=std,panic_abort -Z build-std-features=$kind
        if [ "$mode" = tiniest ]; then
            export CARGO_PROFILE_RELEASE_PANIC=immediate-abort
            set -- "$@" -Z panic-immediate-abort
        fi
    else
        unset RUSTC_BOOTSTRAP
    fi
    (cd "$from" && CARGO_TARGET_DIR=$into cargo build --quiet --release --target "$target" --no-default-features \
        --manifest-path "$manifest" --features "$features" "$@")
}

budget() { sed -n "s/^$1 //p" contrib/size-budget; }
squeezed() {
    if command -v xz >/dev/null; then xz -9e -c "$1" | wc -c; else echo -; fi
}
# Compares with the budget; two in a hundred above it are forgiven, since compilers differ.
verdict() { # name, bytes, per cent
    most=$(budget "$1")
    note=
    if [ -n "$most" ] && [ "$2" -gt $((most + most * $3 / 100)) ]; then
        note="  OVER"
        [ $check = no ] || failed=yes
    fi
    [ -z "$most" ] || note="  budget $most$note"
}
row() { # name, features, file
    bytes=$(wc -c <"$3")
    small=$(squeezed "$3")
    verdict "$1" "$bytes" 2
    printf '%-28s %-10s %9s bytes %9s xz  %s%s\n' "$1" "${2:--}" "$bytes" "$small" "$(sha "$3")" "$note"
    if [ "$small" != - ] && [ -n "$(budget "$1-xz")" ]; then
        verdict "$1-xz" "$small" 2
        printf '%-28s %-10s %9s bytes%s\n' "$1-xz" "" "$small" "$note"
    fi
}
sha() { sha256sum "$1" | cut -d ' ' -f 1; }
alone() { # file
    if command -v readelf >/dev/null; then
        if readelf -ld "$1" | grep -Eq 'INTERP|\(NEEDED\)'; then return 1; fi
    elif grep -aq '/ld-\(musl\|linux\)' "$1"; then
        return 1
    fi
}
# Neither where it was built nor by whom.
traceless() { # file
    for path in "$root/" "$sysroot" "${CARGO_HOME:-$HOME/.cargo}" "$out"; do
        if grep -aqF "$path" "$1"; then say "$1 names $path"; return 1; fi
    done
}
again() { # name, features, file
    second=$out/second/src
    rm -rf "$out/second/src"
    mkdir -p "$second"
    cp -r Cargo.toml Cargo.lock src "$second"
    # What the manifest names must exist, though it is not built.
    mkdir -p "$second/tests/bench" && cp -r tests/bench "$second/tests/"
    compile "$second" "$out/second/$mode" Cargo.toml "$2" --locked
    if [ "$(sha "$3")" = "$(sha "$out/second/$mode/$target/release/interrupt-callback")" ]; then
        printf '%-28s %-10s the same bytes from another folder\n' "$1" ""
    else
        say "$1: the second build differs"
        failed=yes
    fi
}

for arch in ${targets:-x86_64}; do
    prepare "$arch" "$mode"
    into=$out
    suffix=
    [ "$mode" = release ] || { into=$out/$mode && suffix=-$mode; }
    for set in $sets; do
        case $set in
        router) features=tls ;;
        plain) features= ;;
        full) features=$default ;;
        esac
        name=$arch-$set$suffix
        file=$out/static/interrupt-callback-$name
        compile "$root" "$into" Cargo.toml "$features" --locked
        cp "$into/$target/release/interrupt-callback" "$file"
        row "$name" "$features" "$file"
        ours=$bytes
        alone "$file" || { say "$file needs libraries" && failed=yes; }
        traceless "$file" || failed=yes
        if [ "$set" != full ] && { [ "$arch" = x86_64 ] || [ $compare = yes ]; }; then
            # The same versions as the product; what only the product has falls out by itself.
            cp Cargo.lock contrib/stand-in/Cargo.lock
            compile "$root" "$out/stand-in/$mode" contrib/stand-in/Cargo.toml "$features"
            row "$name-stand-in" "$features" "$out/stand-in/$mode/$target/release/stand-in"
            verdict "$name-difference" $((ours - bytes)) 0
            printf '%-28s %-10s %9s bytes%s\n' "$name-difference" "" $((ours - bytes)) "$note"
        fi
        [ $twice = no ] || again "$name" "$features" "$file"
        [ "$arch" != "$(uname -m)" ] || "$file" version
    done
done
[ $failed = no ]
