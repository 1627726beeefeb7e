#!/bin/sh
# zig as a cross compiler and linker for Rust's musl targets; build-static.sh calls it: zig-cc.sh "ZIG" "FLAGS" ARGS…
# Leaves out what rustc and build scripts say to a gcc, and what zig brings along: its libc and start files.
set -eu
zig=$1
flags=$2
shift 2
left=$#
while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    case $word in
    --target=* | -march=* | -mcpu=* | -mfloat-abi=* | -mfpu=* | -lc | -lgcc | -lgcc_s | -lgcc_eh | -lunwind) ;;
    # It knows none of these packed relocations, of which a binary at a fixed address has none; and its linker leaves no
    # room between segments anyway.
    -Wl,-z,pack-relative-relocs | -Wl,-z,noseparate-code) ;;
    *) set -- "$@" "$word" ;;
    esac
done
# Both are lists of words.
# shellcheck disable=SC2086
exec $zig cc $flags "$@"
