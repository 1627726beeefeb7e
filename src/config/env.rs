//! The environment, read once.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the environment says. It may hold secrets, so it has no `Debug`.
#[derive(Clone)]
pub struct Env {
    /// In place of the process's own.
    vars: Option<Vec<(String, OsString)>>,
    root: bool,
}

/// No variable is set.
impl Default for Env {
    fn default() -> Env {
        Env::new(false, &[])
    }
}

impl Env {
    /// The environment of this process; a variable is read when it is asked for.
    pub fn of_process() -> Env {
        Env { vars: None, root: rustix::process::geteuid().is_root() }
    }

    /// An environment of just these variables.
    pub fn new(root: bool, vars: &[(&str, &str)]) -> Env {
        Env { vars: Some(vars.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect()), root }
    }

    /// The value of `name`; `None` also if it is empty.
    pub fn get(&self, name: &str) -> Option<OsString> {
        let value = match &self.vars {
            // The standard library's own check panics in older versions.
            None if name.is_empty() || name.contains(['=', '\0']) => None,
            None => std::env::var_os(name),
            Some(vars) => vars.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The folder that `name` holds. A relative one is ignored, as the XDG rules want it.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        Some(PathBuf::from(self.get(name)?)).filter(|path| path.is_absolute())
    }

    /// The first folder that `name` holds: systemd writes several with colons between.
    fn first_folder(&self, name: &str) -> Option<PathBuf> {
        let folders = self.get(name)?;
        let first = Path::new(OsStr::from_bytes(folders.as_bytes().split(|b| *b == b':').next()?));
        first.is_absolute().then(|| first.to_owned())
    }

    /// `CREDENTIALS_DIRECTORY`: where a service manager puts secrets.
    pub fn credentials(&self) -> Option<PathBuf> {
        self.folder("CREDENTIALS_DIRECTORY")
    }

    /// Where state is kept unless the file says otherwise: `STATE_DIRECTORY`, else `/var/lib/interrupt-callback` for
    /// root and `$XDG_STATE_HOME/interrupt-callback` (`~/.local/state/…`) for others.
    pub fn state_dir(&self) -> PathBuf {
        const SYSTEM: &str = "/var/lib/interrupt-callback";
        if let Some(folder) = self.first_folder("STATE_DIRECTORY") {
            return folder;
        }
        if self.root {
            return SYSTEM.into();
        }
        let base = self.folder("XDG_STATE_HOME").or_else(|| Some(self.folder("HOME")?.join(".local/state")));
        base.map_or_else(|| SYSTEM.into(), |base| base.join("interrupt-callback"))
    }

    /// Where the control socket and the last-beat times are kept: `RUNTIME_DIRECTORY`, else
    /// `/run/interrupt-callback` for root, else `$XDG_RUNTIME_DIR/interrupt-callback`, else `state_dir`.
    pub fn runtime_dir(&self, state_dir: &Path) -> PathBuf {
        if let Some(folder) = self.first_folder("RUNTIME_DIRECTORY") {
            return folder;
        }
        if self.root {
            return "/run/interrupt-callback".into();
        }
        self.folder("XDG_RUNTIME_DIR").map_or_else(|| state_dir.to_owned(), |base| base.join("interrupt-callback"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders() {
        let root = Env::new(true, &[("HOME", "/root"), ("XDG_STATE_HOME", "/x"), ("XDG_RUNTIME_DIR", "/y")]);
        assert_eq!(root.state_dir(), Path::new("/var/lib/interrupt-callback"));
        assert_eq!(root.runtime_dir(Path::new("/s")), Path::new("/run/interrupt-callback"));

        let user = Env::new(false, &[("HOME", "/home/u")]);
        assert_eq!(user.state_dir(), Path::new("/home/u/.local/state/interrupt-callback"));
        assert_eq!(user.runtime_dir(Path::new("/s")), Path::new("/s"));

        let xdg =
            Env::new(false, &[("HOME", "/home/u"), ("XDG_STATE_HOME", "/x:y"), ("XDG_RUNTIME_DIR", "/run/user/7")]);
        assert_eq!(xdg.state_dir(), Path::new("/x:y/interrupt-callback"));
        assert_eq!(xdg.runtime_dir(Path::new("/s")), Path::new("/run/user/7/interrupt-callback"));

        let systemd = [("STATE_DIRECTORY", "/var/lib/ic:/var/lib/other"), ("RUNTIME_DIRECTORY", "/run/ic")];
        for root in [true, false] {
            let env = Env::new(root, &systemd);
            assert_eq!(env.state_dir(), Path::new("/var/lib/ic"));
            assert_eq!(env.runtime_dir(Path::new("/s")), Path::new("/run/ic"));
        }

        let odd = Env::new(false, &[("HOME", ""), ("XDG_STATE_HOME", "relative"), ("XDG_RUNTIME_DIR", "")]);
        assert_eq!(odd.state_dir(), Path::new("/var/lib/interrupt-callback"));
        assert_eq!(odd.runtime_dir(Path::new("/s")), Path::new("/s"));
    }
}
