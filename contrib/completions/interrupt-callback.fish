# Made by contrib/man.sh. Install it as /usr/share/fish/vendor_completions.d/interrupt-callback.fish,
# or ~/.config/fish/completions/interrupt-callback.fish.
function __interrupt_callback_names --argument-names heading
    set -l seen
    for line in (interrupt-callback status 2>/dev/null)
        set -l word (string split -f 1 ' ' -- $line)
        if test "$word" = "$heading"
            set seen yes
        else if test -z "$word"
            set seen
        else if test -n "$seen"
            echo $word
        end
    end
end
set -l commands run check test spot simulate status history send silence unsilence note forget reload job leave keygen version help
complete -c interrupt-callback -f
complete -c interrupt-callback -s c -l config -r -F -d 'read this file'
complete -c interrupt-callback -l json -d 'status, history, job list or job log as JSON'
complete -c interrupt-callback -l watch -x -d 'status again and again, every 2s or so often'
complete -c interrupt-callback -l kind -x -d 'in whose words test speaks'
complete -c interrupt-callback -l severity -x -d 'how much what is sent matters'
complete -c interrupt-callback -l channel -x -d 'send only through this channel'
complete -c interrupt-callback -l wait -x -d 'how long send waits for the delivery (10s)'
complete -c interrupt-callback -l for -x -d 'how long a silence lasts'
complete -c interrupt-callback -l until-healthy -d 'a silence ends when what was down is back'
complete -c interrupt-callback -l on -x -d 'who gets a job'
complete -c interrupt-callback -l in -x -d 'a job runs so much later'
complete -c interrupt-callback -l at -x -d 'a job runs at this local time'
complete -c interrupt-callback -l every -x -d 'a job runs whenever this says'
complete -c interrupt-callback -s h -l help -d 'print this'
complete -c interrupt-callback -s V -l version -d 'print the version'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a run -d 'run the daemon in the foreground (default)'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a check -d 'read the configuration and tell every problem'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a test -d 'send a marked message through every channel, or these'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a spot -d 'ask the cloud once'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a simulate -d 'tell an exercise'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a status -d 'show hosts, probes, resources, notices, channels and jobs'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a history -d 'show the last incidents'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a send -d 'tell people something'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a silence -d 'tell nothing of these hosts or probes, until unsilence'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a unsilence -d 'tell of them again, at once of what still lasts'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a note -d 'what this host\'s beats say of it'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a forget -d 'take hosts off the roster'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a reload -d 'have the daemon read its file again, as SIGHUP does'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a job -d 'jobs on live hosts'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a leave -d 'say goodbye to the heartbeat servers for good'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a keygen -d 'print a new key'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a version -d 'print this, or the version'
complete -c interrupt-callback -n "not __fish_seen_subcommand_from $commands" -a help -d 'print this, or the version'
complete -c interrupt-callback -n "__fish_seen_subcommand_from test" -a '(__interrupt_callback_names CHANNEL)'
complete -c interrupt-callback -n "__fish_seen_subcommand_from simulate" -a 'interrupt offline online'
complete -c interrupt-callback -n "__fish_seen_subcommand_from history" -a '(__interrupt_callback_names HOST)'
complete -c interrupt-callback -n "__fish_seen_subcommand_from silence" -a '(__interrupt_callback_names HOST)'
complete -c interrupt-callback -n "__fish_seen_subcommand_from unsilence" -a '(__interrupt_callback_names HOST)'
complete -c interrupt-callback -n "__fish_seen_subcommand_from forget" -a '(__interrupt_callback_names HOST)'
complete -c interrupt-callback -n "__fish_seen_subcommand_from job" -a 'add run list cancel log explain'
