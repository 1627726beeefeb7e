//! What `help` prints.

/// What `help` prints.
pub const HELP: &str = "\
interrupt-callback tells you before your spot instance is reclaimed and when a host falls silent.

Usage: interrupt-callback [COMMAND] [OPTIONS]

Commands:
  run                 run the daemon in the foreground (default)
  check               read the configuration, tell every problem, do nothing else
  test [CHANNEL...]   send a marked message through every channel, or through these; with
                      --kind in the words of a kind of alert, or of a digest
  send TITLE [BODY]   tell people something through the channels; the body - is standard input
  status              show hosts, silences, notices and channels of the running daemon
  history [NAME|GLOB] show the last incidents: what began, and when it ended
  silence NAME|GLOB   tell nothing of these hosts: for some time with --for 2h, until the host
                      has been down and is back with --until-healthy, else until unsilence
  unsilence NAME|GLOB tell of these hosts again, at once of what still lasts
  note TEXT           what this host's beats say of it; \"\" takes it back
  reload              make the running daemon read its configuration again, as SIGHUP does
  simulate KIND       make the running daemon tell an exercise: interrupt, offline, online
  spot                ask the cloud once: what it says, what would be told, what to do about it
  forget NAME|GLOB    take hosts off the running daemon's roster
  job ACTION          jobs on the hosts that are alive: add, run, list, cancel, log, explain
  leave               say goodbye to the heartbeat servers for good
  keygen              print a new key: 32 random bytes as base64url
  help, version       print this, or the version

Options:
  -c, --config FILE   read this file
      --json          status, history, job list or job log as JSON
      --for TIME      how long a silence lasts: 30s, 5m, 2h, 15d
      --until-healthy a silence ends when its host has been down and is back
      --severity S    how much it matters what is sent: info (default), warning or critical
      --channel NAME  send only through this channel, whatever it takes otherwise; may be repeated
      --wait TIME     how long send waits for the delivery (10s); 0 does not
      --kind KIND     the kind of alert in whose words test speaks, such as offline, or digest
      --on WHERE      which hosts get a job: a name, any, all, any:GLOB, all:GLOB
      --in TIME       a job runs so much later: 30s, 5m, 2h, 15d
      --at TIME       a job runs at this time of the daemon's clock: 2026-12-01 02:00
      --every CRON    a job runs whenever this says: 0 2 * * *
  -h, --help          print this
  -V, --version       print the version

Jobs:
  job add MESSAGE     ask for what the [agent] of a host lists, --on WHERE; now, or later with
                      --in or --at, or again and again with --every
  job run NAME        run a [[job]] of the configuration now, where it says or --on a host
  job list            show what is defined, and the runs that have not ended
  job cancel ID|NAME  end a run, all runs of a job, or a schedule that was added
  job log [ID|NAME]   show the last runs, those of a job, or a run with its output
  job explain CRON    show how a cron expression is read, and its next five times

Files:
  configuration       --config, else CONFIG_PATH, else /etc/ic/config.toml if there is one
  state               state_dir in the configuration, else STATE_DIRECTORY, else
                      /var/lib/interrupt-callback (root) or $XDG_STATE_HOME/interrupt-callback
  control socket      control in the configuration, else control.sock in RUNTIME_DIRECTORY, in
                      /run/interrupt-callback (root), in $XDG_RUNTIME_DIR/interrupt-callback,
                      or in the state directory

Environment:
  CONFIG_PATH             the configuration file
  SERVER_PORT             the port of the heartbeat server (9080)
  RUST_LOG                what is logged, in place of log in the configuration
  TZ                      the time zone of messages, unless the configuration names one
  STATE_DIRECTORY, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY    as systemd sets them

Exit codes:
  0   fine; status: all is well
  1   failure; status: something is down; test and send: a channel did not take it; spot: a
      notice, or something could not be read
  2   status: no daemon answers
  64  the command line is wrong
  75  send: the daemon keeps it and has not told it yet
  77  not permitted
  78  the configuration is wrong, or there is nothing to do
";
