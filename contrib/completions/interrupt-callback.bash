# Made by contrib/man.sh. Install it as /usr/share/bash-completion/completions/interrupt-callback,
# or source it in ~/.bashrc.
_interrupt_callback_names() {
    local word seen=
    interrupt-callback status 2>/dev/null | while read -r word _; do
        case $word in "$1") seen=yes ;; "") seen= ;; *) [ -z "$seen" ] || printf "%s\\n" "$word" ;; esac
    done
}
_interrupt_callback() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command="" skip="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        if [[ $skip ]]; then skip=; continue; fi
        case ${COMP_WORDS[i]} in
        -c | --config | --watch | --kind | --severity | --channel | --wait | --for | --on | --in | --at | --every) skip=yes ;;
        -*) ;;
        *) [[ $command ]] || command=${COMP_WORDS[i]} ;;
        esac
    done
    COMPREPLY=()
    case $before in
    -c | --config) mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
    --watch) return ;;
    --kind) return ;;
    --severity) return ;;
    --channel) return ;;
    --wait) return ;;
    --for) return ;;
    --on) return ;;
    --in) return ;;
    --at) return ;;
    --every) return ;;
    esac
    local -a words=()
    case $command in
    "") words=(run check test spot simulate status history send silence unsilence note forget reload job leave keygen version help) ;;
    test) mapfile -t words < <(_interrupt_callback_names CHANNEL) ;;
    simulate) words=(interrupt offline online) ;;
    history) mapfile -t words < <(_interrupt_callback_names HOST) ;;
    silence) mapfile -t words < <(_interrupt_callback_names HOST) ;;
    unsilence) mapfile -t words < <(_interrupt_callback_names HOST) ;;
    forget) mapfile -t words < <(_interrupt_callback_names HOST) ;;
    job) words=(add run list cancel log explain) ;;
    esac
    [[ $word != -* ]] || words=(-c --config --json --watch --kind --severity --channel --wait --for --until-healthy --on --in --at --every -h --help -V --version)
    # Host names come from elsewhere: compgen -W would run what stands in them.
    for i in "${words[@]}"; do
        [[ $i != "$word"* ]] || COMPREPLY+=("$(printf %q "$i")")
    done
}
complete -F _interrupt_callback interrupt-callback
