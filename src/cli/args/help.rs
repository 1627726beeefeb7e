//! What `help` prints.

/// What `help` prints.
pub const HELP: &str = "\
interrupt-callback tells you before your spot instance is reclaimed, and when a
host falls silent or a service fails.

Usage: interrupt-callback [COMMAND] [OPTIONS]

Commands:
  run                 run the daemon in the foreground (default)
  check               read the configuration and tell every problem
  test [CHANNEL...]   send a marked message through every channel, or these
  spot                ask the cloud once: what it says, what would be told
  simulate KIND       tell an exercise: interrupt, offline, online
  status              show hosts, probes, resources, notices, channels and jobs
  history [NAME|GLOB] show the last incidents: what began, and when it ended
  send TITLE [BODY]   tell people something; the body - is standard input
  silence NAME|GLOB   tell nothing of these hosts or probes, until unsilence
  unsilence NAME|GLOB tell of them again, at once of what still lasts
  note TEXT           what this host's beats say of it; \"\" takes it back
  forget NAME|GLOB    take hosts off the roster
  reload              have the daemon read its file again, as SIGHUP does
  job ACTION          jobs on live hosts: add, run, list, cancel, log, explain
  leave               say goodbye to the heartbeat servers for good
  keygen              print a new key: 32 random bytes as base64url
  help, version       print this, or the version

Options:
  -c, --config FILE   read this file
      --json          status, history, job list or job log as JSON
      --watch [TIME]  status again and again, every 2s or so often
      --kind KIND     in whose words test speaks: a kind of alert, or digest
      --severity S    how much what is sent matters: info, warning, critical
      --channel NAME  send only through this channel; may be repeated
      --wait TIME     how long send waits for the delivery (10s); 0 does not
      --for TIME      how long a silence lasts: 30s, 5m, 2h, 15d
      --until-healthy a silence ends when what was down is back
      --on WHERE      who gets a job: a name, any, all, any:GLOB, all:GLOB
      --in TIME       a job runs so much later: 30s, 5m, 2h, 15d
      --at TIME       a job runs at this local time: 2026-12-01 02:00
      --every CRON    a job runs whenever this says: 0 2 * * *
  -h, --help          print this
  -V, --version       print the version

Jobs:
  job add MESSAGE     ask for what the [agent] of a host lists, --on WHERE; now,
                      or later with --in or --at, or again with --every
  job run NAME        run a [[job]] of the configuration now
  job list            show what is defined, and the runs that have not ended
  job cancel ID|NAME  end a run, all runs of a job, or a schedule that was added
  job log [ID|NAME]   show the last runs, those of a job, or one with its output
  job explain CRON    show how a cron expression is read, and its next times

Files:
  configuration       --config, else CONFIG_PATH, else /etc/ic/config.toml
  state               state_dir in the configuration, else in
                      STATE_DIRECTORY, in /var/lib/interrupt-callback (root), or
                      in $XDG_STATE_HOME/interrupt-callback
  control socket      control in the configuration, else control.sock in
                      RUNTIME_DIRECTORY, in /run/interrupt-callback (root), in
                      $XDG_RUNTIME_DIR/interrupt-callback, or beside the state

Environment:
  CONFIG_PATH         the configuration file
  SERVER_PORT         the port of the heartbeat server (9080)
  RUST_LOG            what is logged, in place of log in the configuration
  TZ                  the time zone of messages, if the file names none
  ALL_PROXY, HTTPS_PROXY, HTTP_PROXY, NO_PROXY  the way of channels over HTTP
  SSL_CERT_FILE       root certificates, in place of the system's
  STATE_DIRECTORY, RUNTIME_DIRECTORY, CREDENTIALS_DIRECTORY  set by systemd

Exit codes:
  0   fine; status: all is well; send: delivered
  1   failure; status: something is down; test: a channel did not take it;
      send: refused; spot: a notice, or something could not be read
  2   status: no daemon answers
  64  the command line is wrong
  75  send: the daemon keeps it and has not told it yet
  77  not permitted
  78  the configuration is wrong, or there is nothing to do
";
