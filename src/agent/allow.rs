//! The allow-list: from the message of a job to the program that this machine's own file names for it.
//!
//! What comes over a network only ever becomes whole elements of an argument list, and only where the file has a place
//! for it. It never becomes a program, an option, a piece of shell text or a path that leads upwards.

use std::path::PathBuf;
use std::time::Duration;

use crate::alert::clean::expand;
use crate::alert::route::glob_matches;
use crate::config::problem::quoted;

/// Bytes of a message.
pub const MAX_MESSAGE: usize = 1024;
/// Words of a message.
pub const MAX_WORDS: usize = 64;
/// Why a message is refused; what it is about stands before it, with a colon.
pub const TOO_LONG: &str = "the message has more than 1024 bytes";
/// The same.
pub const TOO_MANY_WORDS: &str = "the message has more than 64 words";
/// The same.
pub const CONTROL: &str = "the message holds a control character";
/// The same.
pub const NOT_HERE: &str = "not allowed here; help lists what is";
/// The same.
pub const OTHER_COUNT: &str = "takes another number of words after its name";
/// The same.
pub const OPTION: &str = "begins with -";
/// The same.
pub const UPWARDS: &str = "leads upwards";
/// The same.
pub const NOT_THERE: &str = "not allowed there";
/// The first word of a message that asks for a call.
pub const URL: &str = "url";
/// Messages that ask for the list.
pub const HELP: [&str; 2] = ["help", "all"];

/// `[agent]`: what may run here.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AllowPlan {
    /// Tried in this order: shortcuts, commands, templates, each as they stand in the file.
    pub entries: Vec<Entry>,
    /// What URLs that may be called begin with; each has a host and a `/` behind it.
    pub urls: Vec<String>,
    /// How long a run may take, unless its entry says otherwise.
    pub timeout: Duration,
}

/// One thing that may run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The message, the first word of it, or the name.
    pub name: String,
    /// What a message must look like.
    pub shape: Shape,
    /// The program and its arguments; in a template with parameters in braces.
    pub argv: Vec<String>,
    /// Where it runs.
    pub dir: Option<PathBuf>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// What a message must look like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shape {
    /// The name and nothing else.
    Shortcut,
    /// The name, and further words, which are added to the arguments.
    Command {
        /// Every further word must match one of these globs, if there are any.
        patterns: Vec<String>,
        /// Words may begin with `-`.
        options: bool,
    },
    /// The name, and a word for each of these.
    Template(Vec<Parameter>),
}

/// A place in a template.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// As in braces.
    pub name: String,
    /// A word must match one of these globs, if there are any.
    pub patterns: Vec<String>,
}

/// What to start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Where.
    pub dir: Option<PathBuf>,
    /// For how long.
    pub timeout: Duration,
}

/// What comes of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is to be run.
    Run(Start),
    /// This URL is to be called, for so long at most.
    Call(String, Duration),
    /// It is answered with this text.
    Say(String),
    /// It is refused, and why; one line.
    Refuse(String),
}

impl AllowPlan {
    /// Judges a message.
    pub fn answer(&self, message: &str) -> Answer {
        if message.len() > MAX_MESSAGE {
            return Answer::Refuse(TOO_LONG.to_owned());
        }
        if message.chars().any(char::is_control) {
            return Answer::Refuse(CONTROL.to_owned());
        }
        if HELP.contains(&message) {
            return Answer::Say(self.help());
        }
        let words: Vec<&str> = message.split(' ').filter(|word| !word.is_empty()).collect();
        if words.len() > MAX_WORDS {
            return Answer::Refuse(TOO_MANY_WORDS.to_owned());
        }
        if let [URL, url] = words[..]
            && self.urls.iter().any(|prefix| url.starts_with(prefix))
        {
            if climbs(url) {
                // The address may hold a password, and this text goes far.
                return Answer::Refuse([&*quoted(URL), ": ", UPWARDS].concat());
            }
            return Answer::Call(url.to_owned(), self.timeout);
        }
        let mut why = None;
        for entry in &self.entries {
            match entry.argv(message, &words) {
                Some(Ok(argv)) => {
                    let timeout = entry.timeout.unwrap_or(self.timeout);
                    return Answer::Run(Start { argv, dir: entry.dir.clone(), timeout });
                }
                // Another entry of that name may take it.
                Some(Err(refusal)) => why = why.or(Some(refusal)),
                None => {}
            }
        }
        Answer::Refuse(why.unwrap_or_else(|| {
            let first = quoted(words.first().copied().unwrap_or_default());
            [&*first, ": ", NOT_HERE].concat()
        }))
    }

    /// What may be asked for: names and parameters, never command lines, which may hold secrets.
    pub fn help(&self) -> String {
        let mut text = String::new();
        for line in self.help_lines() {
            text.push_str(&line);
            text.push('\n');
        }
        if text.is_empty() { "nothing is allowed here\n".to_owned() } else { text }
    }

    /// A line for everything that may be asked for: `NAME`, `NAME …`, `NAME <a> <b>`, `url PREFIX…`.
    pub fn help_lines(&self) -> impl Iterator<Item = String> {
        let entries = self.entries.iter().map(|entry| {
            let mut line = entry.name.clone();
            match &entry.shape {
                Shape::Shortcut => {}
                Shape::Command { .. } => line.push_str(" …"),
                Shape::Template(parameters) => {
                    for parameter in parameters {
                        for part in [" <", &parameter.name, ">"] {
                            line.push_str(part);
                        }
                    }
                }
            }
            line
        });
        entries.chain(self.urls.iter().map(|prefix| [URL, " ", prefix, "…"].concat()))
    }
}

impl Entry {
    /// The arguments for a message; `None` if it is not meant.
    fn argv(&self, message: &str, words: &[&str]) -> Option<Result<Vec<String>, String>> {
        let (first, rest) = match &self.shape {
            Shape::Shortcut => return (message == self.name).then(|| Ok(self.argv.clone())),
            Shape::Command { .. } | Shape::Template(_) => words.split_first()?,
        };
        if *first != self.name {
            return None;
        }
        Some(match &self.shape {
            Shape::Command { patterns, options } => {
                let bad = rest.iter().find_map(|word| unfit(word, patterns, *options));
                bad.map_or_else(|| Ok([&self.argv[..], &owned(rest)].concat()), Err)
            }
            Shape::Template(parameters) => self.filled(parameters, rest),
            Shape::Shortcut => Ok(self.argv.clone()),
        })
    }

    fn filled(&self, parameters: &[Parameter], words: &[&str]) -> Result<Vec<String>, String> {
        if words.len() != parameters.len() {
            return Err([&*self.name, ": ", OTHER_COUNT].concat());
        }
        let mut fields = Vec::with_capacity(words.len());
        for (parameter, word) in parameters.iter().zip(words) {
            if let Some(why) = unfit(word, &parameter.patterns, false) {
                return Err([&parameter.name, ": ", &why].concat());
            }
            fields.push((&*parameter.name, (*word).to_owned()));
        }
        Ok(self.argv.iter().map(|part| expand(part, &fields, &mut |out, word| out.push_str(word))).collect())
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Whether a URL leads out of where its beginning leads, in whatever way a server may read it.
fn climbs(url: &str) -> bool {
    let mut plain = url.to_ascii_lowercase();
    for (code, meant) in [("%2e", "."), ("%2f", "/"), ("%5c", "\\"), ("%25", "%")] {
        plain = plain.replace(code, meant);
    }
    plain.split(['/', '\\', '?', '#', ';']).any(|part| part == ".." || part.contains("%2e"))
}

/// Why a word may not become an argument.
fn unfit(word: &str, patterns: &[String], options: bool) -> Option<String> {
    // A pattern that is the word itself is the owner's own choice.
    if patterns.iter().any(|pattern| pattern == word) {
        return None;
    }
    let why = if word.starts_with('-') && !options {
        OPTION
    } else if word.split(['/', '=']).any(|part| part == "..") {
        UPWARDS
    } else if !patterns.is_empty() && !patterns.iter().any(|pattern| glob_matches(pattern, word)) {
        NOT_THERE
    } else {
        return None;
    };
    Some([&*quoted(word), ": ", why].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        owned(texts)
    }

    fn entry(name: &str, shape: Shape, argv: &[&str]) -> Entry {
        Entry { name: name.to_owned(), shape, argv: texts(argv), dir: None, timeout: None }
    }

    fn plan() -> AllowPlan {
        let parameter = |name: &str, patterns: &[&str]| Parameter { name: name.to_owned(), patterns: texts(patterns) };
        let to = vec![parameter("what", &["db", "home", "-"]), parameter("where", &["/mnt/*"])];
        AllowPlan {
            entries: vec![
                entry("restart web", Shape::Shortcut, &["systemctl", "restart", "web"]),
                entry("free", Shape::Command { patterns: Vec::new(), options: false }, &["/usr/bin/free"]),
                entry("ls", Shape::Command { patterns: texts(&["-l", "/srv/*"]), options: false }, &["/bin/ls", "--"]),
                entry("df", Shape::Command { patterns: Vec::new(), options: true }, &["df"]),
                entry("backup", Shape::Template(to), &["/bin/backup", "{what}", "--to={where}", "{other}", "{"]),
            ],
            urls: vec!["https://example.com/hooks/".to_owned()],
            timeout: Duration::from_secs(60),
        }
    }

    fn run(message: &str) -> Result<Vec<String>, String> {
        match plan().answer(message) {
            Answer::Run(start) => Ok(start.argv),
            Answer::Call(url, _) => Err(["calls ", &url].concat()),
            Answer::Say(text) => Err(["said: ", &text].concat()),
            Answer::Refuse(why) => Err(why),
        }
    }

    #[test]
    fn what_is_listed_runs_as_listed() {
        for (message, argv) in [
            ("restart web", &["systemctl", "restart", "web"][..]),
            ("free", &["/usr/bin/free"]),
            ("free a  b", &["/usr/bin/free", "a", "b"]),
            (" free ", &["/usr/bin/free"]),
            ("ls -l /srv/x", &["/bin/ls", "--", "-l", "/srv/x"]),
            ("df -h /", &["df", "-h", "/"]),
            ("backup db /mnt/a", &["/bin/backup", "db", "--to=/mnt/a", "{other}", "{"]),
            ("backup - /mnt/{what}", &["/bin/backup", "-", "--to=/mnt/{what}", "{other}", "{"]),
        ] {
            assert_eq!(run(message), Ok(texts(argv)), "{message}");
        }
    }

    #[test]
    fn nothing_else_runs() {
        for (message, why) in [
            ("", "\"\": not allowed here"),
            ("restart web ", "\"restart\": not allowed here"),
            ("Restart web", "\"Restart\": not allowed here"),
            ("restart  web", "\"restart\": not allowed here"),
            ("freex", "\"freex\": not allowed here"),
            ("free -h", "\"-h\": begins with -"),
            ("ls /etc/passwd", "\"/etc/passwd\": not allowed there"),
            ("ls /srv/../etc", "\"/srv/../etc\": leads upwards"),
            ("ls -la", "\"-la\": begins with -"),
            ("df --output=..", "\"--output=..\": leads upwards"),
            ("backup db", "backup: takes another number of words"),
            ("backup db /mnt/a b", "backup: takes another number of words"),
            ("backup sys /mnt/a", "what: \"sys\": not allowed there"),
            ("backup db /etc", "where: \"/etc\": not allowed there"),
            ("backup db -x", "where: \"-x\": begins with -"),
            ("url https://example.com/hooks/x", "calls https://example.com/hooks/x"),
            ("url https://example.com/", "\"url\": not allowed here"),
            ("url https://example.com/hooks/../x", "\"url\": leads upwards"),
            ("url https://example.com/hooks/%2E./x", "\"url\": leads upwards"),
            ("url https://example.com/hooks/..%2fx", "\"url\": leads upwards"),
            ("url https://example.com/hooks/..\\x", "\"url\": leads upwards"),
            ("url https://example.com/hooks/%252e%252e/x", "\"url\": leads upwards"),
            ("url https://example.com/hooks/a..b/x", "calls https://example.com/hooks/a..b/x"),
            ("url https://example.com/hooks/x y", "\"url\": not allowed here"),
            ("free\nreboot", "the message holds a control character"),
            ("free\0", "the message holds a control character"),
        ] {
            let refused = run(message).unwrap_err();
            assert!(refused.starts_with(why), "{message}: {refused}");
        }
        assert_eq!((MAX_MESSAGE, MAX_WORDS), (1024, 64), "the reasons name them");
        for message in ["x".repeat(MAX_MESSAGE + 1), "free".to_owned() + &" x".repeat(MAX_WORDS)] {
            assert!(run(&message).unwrap_err().starts_with("the message has more than"));
        }
        // What a shell would read is one word here.
        assert_eq!(
            run("free ;reboot $(reboot) `x` |y >z").unwrap()[1..],
            texts(&[";reboot", "$(reboot)", "`x`", "|y", ">z"])
        );
    }

    #[test]
    fn help_shows_names_and_no_command_line() {
        for word in HELP {
            assert_eq!(
                run(word).unwrap_err(),
                "said: restart web\nfree …\nls …\ndf …\nbackup <what> <where>\nurl https://example.com/hooks/…\n"
            );
        }
        assert_eq!(AllowPlan::default().help(), "nothing is allowed here\n");
        assert_eq!(
            AllowPlan::default().answer("free"),
            Answer::Refuse("\"free\": not allowed here; help lists what is".to_owned())
        );
    }
}
