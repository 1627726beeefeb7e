#!/bin/sh
# Makes the man page and the completions of bash, zsh and fish out of what `interrupt-callback help` prints.
#
#   contrib/man.sh [--check] [PROGRAM]
#
# PROGRAM is the newer one of target/release and target/debug, unless it is given. With --check nothing
# is written: it fails if what lies under contrib/ is not what the program's help makes.
# The programs below are awk's and the completions', in single quotes.
# shellcheck disable=SC2016
set -eu
cd "$(dirname "$0")/.."
check=no
[ "${1:-}" != --check ] || { check=yes && shift; }
[ $# -le 1 ] || { sed -n 's/^#  *contrib/usage: contrib/p' "$0" >&2 && exit 64; }
program=${1:-}
if [ -z "$program" ]; then
    for file in target/release/interrupt-callback target/debug/interrupt-callback; do
        [ -x "$file" ] || continue
        [ -n "$program" ] && [ -z "$(find "$file" -newer "$program")" ] || program=$file
    done
fi
[ -n "$program" ] || { echo "$0: there is no program yet: cargo build" >&2 && exit 1; }
help=$("$program" help)
[ -n "$help" ] || { echo "$0: $program prints no help: cargo build" >&2 && exit 1; }

# Reads the help's sections into terms and descriptions. A description begins in the column where the section's first
# one does; a line that begins there or further right continues the one above.
read_help='
function trim(s) { sub(/^ +/, "", s); sub(/ +$/, "", s); return s }
function short(s) { sub(/[:;] .*/, "", s); return s }
function entry(line,    at, rest, lead) {
    match(line, /^ */); lead = RLENGTH
    if (column && lead >= column) { text[n] = text[n] " " trim(line); return }
    rest = substr(line, lead + 1)
    if (!column && match(rest, /  +/)) column = lead + RSTART + RLENGTH - 1
    at = column
    if (substr(line, at, 1) != " " || substr(line, at + 1, 1) == " ") {
        # A term that is longer than its column: two spaces end it.
        at = match(rest, /  +/) ? lead + RSTART + RLENGTH - 1 : length(line)
    }
    n++; section[n] = title; term[n] = trim(substr(line, 1, at)); text[n] = trim(substr(line, at + 1))
}
/^[A-Z][A-Za-z ]*:$/ { title = substr($0, 1, length($0) - 1); column = 0; titles[++t] = title; next }
/^Usage: / { usage = substr($0, 8); next }
/^$/ { next }
title == "" { about = about (about == "" ? "" : " ") trim($0); next }
{ entry($0) }
function gather(    i, k, parts, words, word) {
    for (i = 1; i <= n; i++) {
        k = split(term[i], parts, /, */)
        if (section[i] == "Commands") {
            while (k) {
                split(parts[k--], words, " ")
                word = words[1]; commands[++c] = word; says[word] = short(text[i])
                if (words[2] ~ /CHANNEL/) takes[word] = "channels"
                if (words[2] ~ /NAME/) takes[word] = "hosts"
                if (words[2] == "KIND" || words[2] == "ACTION") { takes[word] = text[i]; sub(/.*: /, "", takes[word]); gsub(/, /, " ", takes[word]) }
            }
        }
        if (section[i] == "Options") {
            o++; brief[o] = long[o] = value[o] = ""; tells[o] = short(text[i])
            while (k) {
                split(parts[k--], words, " ")
                if (words[1] ~ /^--/) long[o] = words[1]; else brief[o] = words[1]
                if (words[2] != "") { value[o] = words[2]; words[2] = "" }
            }
        }
    }
}
function spaced(list, m,    i, all) { for (i = 1; i <= m; i++) all = all (i > 1 ? " " : "") list[i]; return all }
'
# Lists the names in a table of `status` for the completions: $1 is its first heading.
names='interrupt-callback status 2>/dev/null | while read -r word _; do
        case $word in "$1") seen=yes ;; "") seen= ;; *) [ -z "$seen" ] || printf "%s\\n" "$word" ;; esac
    done'

make() {
    case $1 in
    man/interrupt-callback.8) program='
function safe(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); if (s ~ /^[.\x27]/) s = "\\&" s; return s }
function quiet(s) { gsub(/\\/, "\\e", s); gsub(/--/, "\\-\\-", s); if (s ~ /^[.\x27]/) s = "\\&" s; return s }
function strong(s,    words, k, i, all) {
    # Names in bold; what is to be put in is in capitals or brackets and in italics.
    k = split(s, words, " ")
    for (i = 1; i <= k; i++) {
        font = words[i] ~ /^\[?[A-Z][A-Z|.]*\]?[.\]]*$/ && i > 1 ? "\\fI" : "\\fB"
        comma = sub(/,$/, "", words[i]) ? "," : ""
        all = all (i > 1 ? " " : "") font safe(words[i]) "\\fR" comma
    }
    return all
}
END {
    print ".\\\" Made by contrib/man.sh from the program\x27s help. Install it as"
    print ".\\\" /usr/local/share/man/man8/interrupt-callback.8"
    print ".TH INTERRUPT\\-CALLBACK 8 \"\" \"interrupt\\-callback\" \"System administration\""
    what = about; sub(/^interrupt-callback /, "", what); sub(/\.$/, "", what)
    print ".SH NAME\ninterrupt\\-callback \\- " quiet(what)
    print ".SH SYNOPSIS\n" strong(usage)
    for (i = 1; i <= t; i++) {
        print ".SH " toupper(titles[i])
        for (j = 1; j <= n; j++) if (section[j] == titles[i]) print ".TP\n" strong(term[j]) "\n" quiet(text[j])
    }
    print ".SH SIGNALS\n.TP\n\\fBSIGTERM\\fR, \\fBSIGINT\\fR\nsay goodbye, save and end within 4 s; a second one ends at once"
    print ".TP\n\\fBSIGHUP\\fR\nread the configuration again"
}' ;;
    completions/interrupt-callback.bash) program='
END {
    gather()
    print "# Made by contrib/man.sh. Install it as /usr/share/bash-completion/completions/interrupt-callback,"
    print "# or source it in ~/.bashrc."
    print "_interrupt_callback_names() {\n    local word seen=\n    " names "\n}"
    print "_interrupt_callback() {"
    print "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=\"\" skip=\"\" i"
    for (i = 1; i <= o; i++) if (value[i] != "") valued = valued (valued == "" ? "" : " | ") (brief[i] == "" ? "" : brief[i] " | ") long[i]
    print "    for ((i = 1; i < COMP_CWORD; i++)); do"
    print "        if [[ $skip ]]; then skip=; continue; fi"
    print "        case ${COMP_WORDS[i]} in\n        " valued ") skip=yes ;;\n        -*) ;;\n        *) [[ $command ]] || command=${COMP_WORDS[i]} ;;\n        esac\n    done"
    print "    COMPREPLY=()\n    case $before in"
    for (i = 1; i <= o; i++) if (value[i] != "") {
        print "    " (brief[i] == "" ? "" : brief[i] " | ") long[i] ") " (value[i] == "FILE" ? "mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n        " : "") "return ;;"
    }
    print "    esac\n    local -a words=()"
    print "    case $command in\n    \"\") words=(" spaced(commands, c) ") ;;"
    for (i = 1; i <= c; i++) {
        kind = takes[commands[i]]
        if (kind == "hosts") list = "mapfile -t words < <(_interrupt_callback_names HOST)"
        else if (kind == "channels") list = "mapfile -t words < <(_interrupt_callback_names CHANNEL)"
        else list = "words=(" kind ")"
        if (kind != "") print "    " commands[i] ") " list " ;;"
    }
    print "    esac"
    for (i = 1; i <= o; i++) all = all (i > 1 ? " " : "") (brief[i] == "" ? "" : brief[i] " ") long[i]
    print "    [[ $word != -* ]] || words=(" all ")"
    print "    # Host names come from elsewhere: compgen -W would run what stands in them."
    print "    for i in \"${words[@]}\"; do\n        [[ $i != \"$word\"* ]] || COMPREPLY+=(\"$(printf %q \"$i\")\")\n    done\n}"
    print "complete -F _interrupt_callback interrupt-callback"
}' ;;
    completions/_interrupt-callback) program='
function safe(s) { gsub(/\x27/, "\x27\\\x27\x27", s); gsub(/[\[\]:]/, "\\\\&", s); return s }
END {
    gather()
    print "#compdef interrupt-callback"
    print "# Made by contrib/man.sh. Install it in a folder of $fpath, such as"
    print "# /usr/local/share/zsh/site-functions/_interrupt-callback"
    print "_interrupt_callback_names() {\n    local word seen=\n    " names "\n}"
    print "local context state line\nlocal -a found\n_arguments -s \\"
    for (i = 1; i <= o; i++) {
        end = "[" safe(tells[i]) "]" (value[i] == "" ? "" : ":" tolower(value[i]) ":" (value[i] == "FILE" ? "_files" : " ")) "\x27"
        if (brief[i] == "") print "    \x27" long[i] end " \\"
        else print "    \x27(" brief[i] " " long[i] ")\x27{" brief[i] "," long[i] "}\x27" end " \\"
    }
    print "    \x271: :->command\x27 \x27*: :->operand\x27"
    print "case $state in\ncommand)\n    found=("
    for (i = 1; i <= c; i++) print "        \x27" commands[i] ":" safe(says[commands[i]]) "\x27"
    print "    )\n    _describe command found\n    ;;\noperand)\n    case $line[1] in"
    for (i = 1; i <= c; i++) {
        kind = takes[commands[i]]
        if (kind == "hosts") list = "${(f)\"$(_interrupt_callback_names HOST)\"}"
        else if (kind == "channels") list = "${(f)\"$(_interrupt_callback_names CHANNEL)\"}"
        else list = kind
        if (kind != "") print "    " commands[i] ") found=(" list ") ;;"
    }
    print "    esac\n    (( $#found )) && compadd -a found\n    ;;\nesac"
}' ;;
    completions/interrupt-callback.fish) program='
function safe(s) { gsub(/\\/, "\\\\", s); gsub(/\x27/, "\\\x27", s); return "\x27" s "\x27" }
END {
    gather()
    print "# Made by contrib/man.sh. Install it as /usr/share/fish/vendor_completions.d/interrupt-callback.fish,"
    print "# or ~/.config/fish/completions/interrupt-callback.fish."
    print "function __interrupt_callback_names --argument-names heading"
    print "    set -l seen\n    for line in (interrupt-callback status 2>/dev/null)"
    print "        set -l word (string split -f 1 \x27 \x27 -- $line)"
    print "        if test \"$word\" = \"$heading\"\n            set seen yes\n        else if test -z \"$word\"\n            set seen"
    print "        else if test -n \"$seen\"\n            echo $word\n        end\n    end\nend"
    print "set -l commands " spaced(commands, c)
    print "complete -c interrupt-callback -f"
    for (i = 1; i <= o; i++)
        print "complete -c interrupt-callback" (brief[i] == "" ? "" : " -s " substr(brief[i], 2)) " -l " substr(long[i], 3) \
            (value[i] == "" ? "" : value[i] == "FILE" ? " -r -F" : " -x") " -d " safe(tells[i])
    for (i = 1; i <= c; i++)
        print "complete -c interrupt-callback -n \"not __fish_seen_subcommand_from $commands\" -a " commands[i] " -d " safe(says[commands[i]])
    for (i = 1; i <= c; i++) {
        kind = takes[commands[i]]
        if (kind == "hosts") list = "(__interrupt_callback_names HOST)"
        else if (kind == "channels") list = "(__interrupt_callback_names CHANNEL)"
        else list = kind
        if (kind != "") print "complete -c interrupt-callback -n \"__fish_seen_subcommand_from " commands[i] "\" -a \x27" list "\x27"
    }
}' ;;
    esac
    # awk itself undoes one level of backslashes in a variable.
    printf '%s\n' "$help" | awk -v names="$(printf %s "$names" | sed 's/\\/\\\\/g')" "$read_help$program"
}

stale=no
for file in man/interrupt-callback.8 completions/interrupt-callback.bash completions/_interrupt-callback \
    completions/interrupt-callback.fish; do
    if [ $check = no ]; then
        mkdir -p "contrib/${file%/*}"
        make "$file" >"contrib/$file"
    elif [ "$(make "$file")" != "$(cat "contrib/$file")" ]; then
        echo "$0: contrib/$file is not what the help makes; run contrib/man.sh" >&2
        stale=yes
    fi
done
[ $stale = no ]
