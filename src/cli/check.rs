//! `check`: reads the configuration and does nothing else.

#[cfg(feature = "status")]
mod http;
#[cfg(feature = "jobs")]
mod jobs;
#[cfg(feature = "probes")]
mod probe;

use std::path::Path;
use std::process::ExitCode;

use crate::alert::channel::http::host_of;
use crate::cli::{mutter, say};
use crate::clock::{self, Now};
use crate::config::plan::{Act, Auth, Language, Plan, ServerPlan};
use crate::config::units::show_span;
#[cfg(feature = "jobs")]
use crate::zone::Zone;

/// Exit code of a configuration that is wrong or empty (`EX_CONFIG` of sysexits.h).
pub const EXIT_CONFIG: u8 = 78;

/// Writes warnings to standard error, and what would run to standard output.
pub fn run(file: &Path, plan: &Plan) -> ExitCode {
    warnings(plan);
    say(&summary(&file.to_string_lossy(), plan, &clock::now()))
}

/// Writes warnings to standard error.
pub fn warnings(plan: &Plan) {
    for warning in &plan.warnings {
        mutter(&["warning: ", warning]);
    }
    #[cfg(feature = "probes")]
    probe::warnings(plan);
}

/// What would run, line by line, without a secret.
fn summary(file: &str, plan: &Plan, now: &Now) -> String {
    #[cfg(not(feature = "jobs"))]
    let _ = now;
    let mut text = [file, ": ok\n"].concat();
    let mut line = |what: &str, parts: &[&str]| {
        text.push_str("  ");
        text.push_str(what);
        for part in parts {
            text.push_str(part);
        }
        text.push('\n');
    };
    if !plan.name.is_empty() {
        line("name     ", &[&plan.name]);
    }
    if let Some(spot) = &plan.spot {
        let (before, endpoint) = spot.endpoint.as_ref().map_or(("", ""), |endpoint| (" at ", endpoint));
        line("spot     ", &[spot.cloud.name(), " every ", &show_span(spot.interval), before, endpoint]);
    }
    if let Some(server) = &plan.server {
        line("server   ", &[&server_words(server)]);
    }
    for window in plan.server.iter().flat_map(|server| &server.windows) {
        let hosts = if window.hosts.is_empty() { "all hosts".to_owned() } else { window.hosts.join(", ") };
        line("window   ", &[&hours(window.from), " to ", &hours(window.to), " for ", &hosts]);
    }
    for client in &plan.clients {
        let protocol = if client.protocol == 1 { ", protocol 1" } else { ", protocol 2" };
        line("client   ", &[&client.uri.label(), " every ", &show_span(client.period), protocol]);
    }
    if let Some(upstream) = &plan.upstream {
        line("upstream ", &["asked every ", &show_span(upstream.period)]);
    }
    for channel in &plan.channels {
        let quiet = match channel.quiet {
            Some(quiet) => [", quiet from ", &hours(quiet.from), " to ", &hours(quiet.to)].concat(),
            None => String::new(),
        };
        line(
            "alert    ",
            &[
                &channel.name,
                " (",
                channel.kind.name(),
                ", ",
                if channel.language == Language::Zh { "zh" } else { "en" },
                &quiet,
                ")",
            ],
        );
    }
    for callback in &plan.callbacks {
        let kinds: Vec<&str> = callback.on.iter().map(|kind| kind.name()).collect();
        let (what, which) = match &callback.act {
            Act::Run(run) if run.argv[0] == "/bin/sh" && run.argv.len() == 3 => ("runs a shell line", ""),
            Act::Run(run) => ("runs ", &*run.argv[0]),
            Act::Call { hook, .. } => ("calls ", host_of(hook.url.reveal())),
        };
        let (after, before) = callback.after.as_ref().map_or(("", ""), |after| (", after ", after.as_str()));
        line("callback ", &[&callback.name, ": on ", &kinds.join(", "), after, before, " ", what, which]);
    }
    #[cfg(feature = "jobs")]
    {
        plan.agent.iter().for_each(|agent| jobs::agent(agent, &mut line));
        let zone = Zone::load(plan.timezone.as_deref()).unwrap_or_else(|_| Zone::utc());
        jobs::jobs(&plan.jobs, now.wall, &zone, &mut line);
    }
    #[cfg(feature = "status")]
    http::http(plan, &mut line);
    #[cfg(feature = "probes")]
    probe::probes(plan, &mut line);
    line("state    ", &[&plan.state_dir.to_string_lossy()]);
    line("control  ", &[&plan.control.to_string_lossy()]);
    text
}

/// Where the heartbeat server listens, and by which rules.
fn server_words(server: &ServerPlan) -> String {
    let addresses: Vec<String> = server.listen.iter().map(ToString::to_string).collect();
    [
        "on ",
        &addresses.join(", "),
        if server.key.is_empty() { ": no key" } else { ": key" },
        if server.old_key.is_some() { " and old key" } else { "" },
        ", ",
        &server.users.len().to_string(),
        if server.users.len() == 1 { " user" } else { " users" },
        ", silent after ",
        &server.num.to_string(),
        " × its period and ",
        &show_span(server.grace),
        if server.auth == Auth::Permissive { ", protocol 1 allowed" } else { "" },
    ]
    .concat()
}

/// Minutes of the day as people write them.
fn hours(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Boot, Tick, Wall};
    use crate::config::{self, Env};

    fn now() -> Now {
        // 2026-12-01 00:00 UTC.
        Now { tick: Tick(0), wall: Wall(1_796_083_200_000), boot: Boot(0) }
    }

    #[cfg(feature = "jobs")]
    #[test]
    fn agent_and_jobs() {
        let text = "timezone = \"+08:00\"\n[keepalive.server]\nkey = { env = \"HOME\" }\n[agent]\nserver = \"vps\"\n\
                    urls = [\"http://127.0.0.1/x/\"]\n[agent.queue]\nurl = \"http://127.0.0.1\"\ntoken = \"hunter2\"\n\
                    [[agent.shortcut]]\nmessage = \"off\"\nshell = \"hunter2\"\n[[agent.command]]\nprefix = \"df\"\n\
                    [[agent.template]]\nname = \"say\"\nparameters = [\"it\"]\nrun = [\"echo\", \"hunter2 {it}\"]\n\
                    [[job]]\nname = \"disk\"\non = \"all:web*\"\nmessage = \"df\"\ncron = \"0 2 * * *\"\n\
                    [[job]]\nname = \"ping\"\nurl = \"http://127.0.0.1/hunter2\"\n";
        let plan = config::parse(text, "FILE", &Env::new(false, &[("HOME", "/h")])).unwrap();
        let told = summary("FILE", &plan, &now());
        assert!(
            told.contains(
                "\x20 agent    jobs of vps and of 127.0.0.1, 4 at once, 1h each\n\
                 \x20   shortcut off\n\
                 \x20   command  df …\n\
                 \x20   template say <it>\n\
                 \x20   calls    http://127.0.0.1/x/…\n\
                 \x20 job      disk: df on all:web*; 0 2 * * *, next 2026-12-02 02:00:00 +08:00\n\
                 \x20 job      ping: calls 127.0.0.1; by hand\n"
            ),
            "{told}"
        );
        assert!(!told.contains("hunter2"));
    }

    #[cfg(feature = "status")]
    #[test]
    fn who_may_do_what_over_http() {
        let summed = |text: &str| {
            let plan = config::parse(text, "FILE", &Env::new(false, &[("HOME", "/h")])).unwrap();
            summary("FILE", &plan, &now())
        };
        let told = summed(
            "[http]\n[[http.token]]\nname = \"ci\"\ntoken = \"hunter2-hunter2-1\"\nscopes = [\"job\", \"message\"]\n\
             [[http.agent]]\nname = \"web1\"\nalias = \"w\"\ntoken = \"hunter2-hunter2-2\"\n\
             [http.event]\nalicloud = \"hunter2-hunter2-3\"\n",
        );
        let want = "\x20 http     on 127.0.0.1:9081, read on this machine without a token\n\
                    \x20 token    ci: message, job\n\
                    \x20 webagent web1 or w\n\
                    \x20 event    reclaims that Alibaba Cloud pushes\n";
        assert!(told.contains(want) && !told.contains("hunter2"), "{told}");
        let told =
            summed("[http]\nlisten = \"0.0.0.0:80\"\n[http.basic]\nuser = \"me\"\npassword = \"hunter2-hunter2-1\"\n");
        assert!(
            told.contains("  http     on 0.0.0.0:80\n  user     me: read\n") && !told.contains("hunter2"),
            "{told}"
        );
    }

    #[test]
    fn a_good_file() {
        let text = "name = \"x\"\nprovider = \"AliCloud\"\n[keepalive.server]\nkey = { env = \"HOME\" }\n\
                    listen = \"127.0.0.1:1\"\n[keepalive.client]\nuri = \"ic://default:hunter2@[::1]\"\n\
                    [keepalive.upstream]\nurl = \"http://127.0.0.1/hunter2\"\n\
                    [[window]]\ntime = \"23:05-4:30\"\nhosts = [\"web*\", \"nas\"]\n\
                    [[callback]]\non = [\"interrupt\", \"offline\"]\nrun = [\"save\", \"hunter2\"]\n\
                    [[callback]]\nname = \"x\"\non = [\"interrupt\"]\nafter = \"callback-1\"\nshell = \"hunter2\"\n\
                    [[callback]]\non = [\"online\"]\nurl = \"http://127.0.0.1/hunter2\"\n";
        let plan = config::parse(text, "FILE", &Env::new(false, &[("HOME", "/h")])).unwrap();
        assert_eq!(
            summary("FILE", &plan, &now()),
            "FILE: ok\n\
             \x20 name     x\n\
             \x20 spot     AliCloud every 10s\n\
             \x20 server   on 127.0.0.1:1: key, 0 users, silent after 4 × its period and 5s\n\
             \x20 window   23:05 to 04:30 for web*, nas\n\
             \x20 client   ic://default@[::1]:9080 every 30s, protocol 2\n\
             \x20 upstream asked every 30s\n\
             \x20 alert    log (log, en)\n\
             \x20 callback callback-1: on interrupt, offline runs save\n\
             \x20 callback x: on interrupt, after callback-1 runs a shell line\n\
             \x20 callback callback-3: on online calls 127.0.0.1\n\
             \x20 state    /h/.local/state/interrupt-callback\n\
             \x20 control  /h/.local/state/interrupt-callback/control.sock\n"
        );
    }
}
