//! The names of what happens: kinds of events, their severities, and fields of facts.

/// How much an event matters. `critical`: act now; `warning`: look today; `info`: good to know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look today.
    Warning,
    /// Act now.
    Critical,
}

impl Severity {
    /// All severities, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// The severity of that name.
    pub fn parse(name: &str) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| severity.name() == name)
    }

    /// Its name in files and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Whether an event begins something that ends, ends it, or stands alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Begins an incident; an end with the same incident id follows one day.
    Begin,
    /// Ends the incident of the same id.
    End,
    /// Neither.
    Single,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $severity:ident, $phase:ident;)*) => {
        /// What happened. The names are those of `only = […]`, of JSON and of `simulate`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Kind] = &[$(Kind::$variant),*];

            /// Its name in files and JSON.
            pub fn name(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// How much it matters unless its source says otherwise.
            pub fn severity(self) -> Severity {
                match self { $(Kind::$variant => Severity::$severity,)* }
            }

            /// Its place in an incident.
            pub fn phase(self) -> Phase {
                match self { $(Kind::$variant => Phase::$phase,)* }
            }
        }
    };
}

kinds! {
    /// The cloud will reclaim this instance.
    Interrupt = "interrupt", Critical, Begin;
    /// The cloud took its notice back.
    InterruptWithdrawn = "interrupt.withdrawn", Info, End;
    /// A host fell silent.
    Offline = "offline", Critical, Begin;
    /// A silent host is back.
    Online = "online", Info, End;
    /// A host said goodbye.
    Stopped = "stopped", Info, Begin;
    /// A host fell silent as its cloud had announced.
    Reclaimed = "reclaimed", Info, Begin;
    /// A silent host was taken off the roster.
    Forgotten = "forgotten", Info, End;
    /// A host is still silent; comes again and again, if that is wanted.
    Reminder = "reminder", Critical, Single;
    /// A host was booted anew, and nobody had said so.
    Rebooted = "rebooted", Warning, Single;
    /// A host goes and comes too often to tell each time.
    Flapping = "flapping", Warning, Begin;
    /// A flapping host has kept its state for a while.
    Steady = "steady", Info, End;
    /// Two machines beat under one name.
    Duplicate = "duplicate", Warning, Single;
    /// A heartbeat server does not answer this host.
    MonitorUnreachable = "monitor.unreachable", Info, Begin;
    /// That server answers again.
    MonitorReachable = "monitor.reachable", Info, End;
    /// Somebody answers in place of a heartbeat server, without its key or under another name.
    MonitorForged = "monitor.forged", Warning, Single;
    /// The metadata service gives no good answer: a notice could be missed.
    Blind = "blind", Warning, Begin;
    /// The metadata service answers again.
    Seeing = "seeing", Info, End;
    /// The cloud expects that it will soon reclaim this instance.
    Rebalance = "rebalance", Warning, Begin;
    /// The cloud no longer says so.
    RebalanceOver = "rebalance.over", Info, End;
    /// The cloud will reboot, move, freeze or stop this instance.
    Maintenance = "maintenance", Warning, Begin;
    /// It did, or will not.
    MaintenanceOver = "maintenance.over", Info, End;
    /// What a cloud had announced is followed no longer: its kind was switched off, or the machine was booted anew.
    /// Nobody is told; it closes the incident.
    NoticeDropped = "notice.dropped", Info, End;
    /// A heartbeat was refused: old protocol, name taken, roster full.
    Refused = "refused", Warning, Single;
    /// A channel refuses alerts for a reason that a person must mend.
    ChannelBroken = "channel.broken", Warning, Begin;
    /// A parked channel takes alerts again.
    ChannelMended = "channel.mended", Info, End;
    /// Alerts were given up or dropped.
    Lost = "lost", Warning, Single;
    /// The state directory cannot be written.
    StateUnwritable = "state.unwritable", Warning, Begin;
    /// The state directory can be written again.
    StateWritable = "state.writable", Info, End;
    /// A state file was damaged and set aside.
    StateDamaged = "state.damaged", Warning, Single;
    /// The changed configuration is wrong: the old one stays in force.
    ConfigRejected = "config.rejected", Warning, Begin;
    /// The configuration was read again and is in force.
    ConfigAccepted = "config.accepted", Info, End;
    /// The daemon was started three times within ten minutes.
    Restarts = "restarts", Warning, Single;
    /// A script or a person tells something, with `send`.
    Message = "message", Info, Single;
    /// A callback ended well.
    CallbackDone = "callback.done", Info, Single;
    /// A callback failed, was killed at its limit, or could not be started.
    CallbackFailed = "callback.failed", Warning, Single;
    /// The daemon ended while a callback ran.
    CallbackUnknown = "callback.unknown", Warning, Single;
    /// A job was done.
    JobDone = "job.done", Info, Single;
    /// A job failed, and no attempt is left.
    JobFailed = "job.failed", Warning, Single;
    /// A job was not started in time, and never will be.
    JobExpired = "job.expired", Warning, Single;
    /// Perhaps a job was done; nobody will know.
    JobLost = "job.lost", Warning, Single;
    /// A job was taken back, or ended on request.
    JobCancelled = "job.cancelled", Info, Single;
    /// Jobs left a host that is gone or goes.
    JobMoved = "job.moved", Info, Single;
    /// A firing was left out, because an earlier run had not ended.
    JobSkipped = "job.skipped", Info, Single;
    /// What a probe looks at fails.
    ProbeDown = "probe.down", Critical, Begin;
    /// It works again.
    ProbeUp = "probe.up", Info, End;
    /// A machine runs short of something, or too hot.
    ResourceHigh = "resource.high", Warning, Begin;
    /// It does not any more.
    ResourceNormal = "resource.normal", Info, End;
    /// Somebody asked whether alerts arrive.
    Test = "test", Info, Single;
}

impl Kind {
    /// Whether it tells how a callback ended.
    pub fn is_of_callback(self) -> bool {
        matches!(self, Kind::CallbackDone | Kind::CallbackFailed | Kind::CallbackUnknown)
    }

    /// The kind of that name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// The name of a fact.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Field {
            $($(#[$doc])* $variant,)*
        }

        impl Field {
            /// Every field.
            pub const ALL: &[Field] = &[$(Field::$variant),*];

            /// Its name in JSON and templates.
            pub fn name(self) -> &'static str {
                match self { $(Field::$variant => $name,)* }
            }
        }
    };
}

fields! {
    /// Cloud that gave the notice.
    Provider = "provider";
    /// Instance id.
    Instance = "instance";
    /// Region.
    Region = "region";
    /// Zone.
    Zone = "zone";
    /// Instance type.
    InstanceType = "instance_type";
    /// Address of the host.
    Address = "address";
    /// When the instance goes.
    Deadline = "deadline";
    /// What the cloud will do: `release`, `stop`, ….
    Action = "action";
    /// How long before it this cloud usually announces it.
    Lead = "lead";
    /// The deadline before it was changed.
    OldDeadline = "old_deadline";
    /// The last beat that was heard.
    LastBeat = "last_beat";
    /// How long it lasted.
    Duration = "duration";
    /// Since when.
    Since = "since";
    /// Who noticed it.
    Server = "server";
    /// Why.
    Reason = "reason";
    /// When it wants to be back.
    BackBy = "back_by";
    /// What a person can do.
    Hint = "hint";
    /// The alert channel concerned.
    Channel = "channel";
    /// How many.
    Count = "count";
    /// File or folder concerned.
    Path = "path";
    /// The URI of a heartbeat server, without its key.
    Monitor = "monitor";
    /// The second address that is concerned.
    OtherAddress = "other_address";
    /// Where something stands now: `up`, `offline`.
    State = "state";
    /// Load average, with the number of cores.
    Load = "load";
    /// Memory in use.
    Memory = "memory";
    /// Disk in use.
    Disk = "disk";
    /// Temperature.
    Temperature = "temperature";
    /// Time since the boot.
    Uptime = "uptime";
    /// What the host last said of itself.
    Note = "note";
    /// What somebody tells, in a line.
    Headline = "headline";
    /// What else they tell, in several lines.
    Message = "message";
    /// The callback concerned.
    Callback = "callback";
    /// The event that started it: its kind and subject.
    Cause = "cause";
    /// How a program ended.
    ExitCode = "exit_code";
    /// The signal that ended a program.
    Signal = "signal";
    /// The job concerned: its name, or the message.
    Job = "job";
    /// The id of its run.
    Run = "run";
    /// The beginning and the end of what a program said.
    Output = "output";
    /// The probe concerned: its name.
    Probe = "probe";
    /// What it looks at: an address, a file, a process.
    Target = "target";
    /// What is short, or too much: `disk /var`, `memory`.
    Resource = "resource";
    /// How much of it there is or is used, with its unit.
    Value = "value";
    /// How much is allowed, with its unit.
    Limit = "limit";
}

impl Field {
    /// The field of that name.
    pub fn parse(name: &str) -> Option<Field> {
        Field::ALL.iter().copied().find(|field| field.name() == name)
    }
}
