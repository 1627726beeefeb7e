//! Users of this machine, as `/etc/passwd` lists them.

use std::path::Path;

use crate::config::plan::User;
use crate::config::problem::quoted;
use crate::config::secrets::read_capped;
use crate::config::table::Item;

/// Where users are listed.
const PASSWD: &str = "/etc/passwd";
/// Bytes of it.
const MAX_FILE: usize = 4 * 1024 * 1024;

impl Item<'_> {
    /// A user: a name or a number out of `/etc/passwd`, or `uid:gid`, which need not stand there.
    pub fn user(&self) -> Option<User> {
        let wanted = self.line(64)?;
        let passwd = match read_capped(Path::new(PASSWD), MAX_FILE) {
            Ok((bytes, _)) => String::from_utf8_lossy(&bytes).into_owned(),
            // Small containers have none.
            Err(_) => String::new(),
        };
        let found = find(&passwd, wanted);
        if found.is_none() {
            let why = [&quoted(wanted), " is not in /etc/passwd; write its numbers: \"1000:1000\""].concat();
            return self.bad(&why);
        }
        found
    }
}

/// The user that `wanted` names. Only its primary group is looked for: a callback has no others.
fn find(passwd: &str, wanted: &str) -> Option<User> {
    let (uid, gid) = wanted.split_once(':').unwrap_or((wanted, ""));
    for line in passwd.lines() {
        // name:password:uid:gid:comment:home:shell (passwd(5)).
        let mut parts = line.split(':');
        let (Some(name), _, Some(its_uid), Some(its_gid)) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if name.is_empty() || (wanted != name && uid != its_uid) || (!gid.is_empty() && gid != its_gid) {
            continue;
        }
        let home = parts.nth(1).unwrap_or_default().to_owned();
        return Some(User { name: name.to_owned(), uid: number(its_uid)?, gid: number(its_gid)?, home });
    }
    Some(User { name: uid.to_owned(), uid: number(uid)?, gid: number(gid)?, home: String::new() })
}

/// The last number means "unchanged" to the system.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().filter(|id| *id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\n# odd\nbroken\nbackup:x:34:35:b:/var/backups:/bin/false\nnan:x:a:b::/:\n";
        let backup = User { name: "backup".into(), uid: 34, gid: 35, home: "/var/backups".into() };
        for wanted in ["backup", "34", "34:35"] {
            assert_eq!(find(passwd, wanted), Some(backup.clone()), "{wanted}");
        }
        let other = User { name: "34".into(), uid: 34, gid: 7, home: String::new() };
        assert_eq!(find(passwd, "34:7"), Some(other));
        assert_eq!(find("", "5:6").map(|user| (user.uid, user.gid)), Some((5, 6)));
        for wanted in
            ["", "nobody-here", "5", "5:", ":5", "-1:0", "+1:1", "4294967295:0", "0:4294967295", "nan", "broken"]
        {
            assert_eq!(find(passwd, wanted), None, "{wanted}");
        }
    }
}
