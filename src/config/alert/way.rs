//! `proxy` and `ca_file`: how a channel is reached, and who is trusted there.

use std::path::Path;

use crate::config::problem::quoted;
use crate::config::table::Table;
use crate::config::url;
use crate::fetch::roots::CaFile;
use crate::fetch::{proxy_is_usable, root_is_usable};
use crate::secret::Secret;

/// Bytes of a path (PATH_MAX of Linux, with the zero at the end).
const MAX_PATH: usize = 4095;

/// `proxy`: what to go through in place of the environment's; `""` and `"none"` for nothing.
pub fn proxy(table: &mut Table<'_>) -> Option<Secret> {
    let item = table.get("proxy")?;
    let secret = item.secret()?;
    let text = secret.reveal();
    if text.is_empty() || text == "none" {
        return Some(Secret::new(""));
    }
    match url::proxy(text) {
        Err(why) => return item.bad(why),
        Ok(true) => item.warn("the password goes to the proxy over a public network, where everyone can read it"),
        Ok(false) => {}
    }
    if proxy_is_usable(text) { Some(secret) } else { item.bad("is no address of a proxy") }
}

/// `ca_file`: certificates of authorities that are trusted in place of the usual ones. A relative name starts beside the
/// configuration file.
pub fn ca_file(table: &mut Table<'_>) -> Option<CaFile> {
    let item = table.get("ca_file")?;
    let name = item.line(MAX_PATH)?;
    if !cfg!(feature = "tls") {
        return item.bad("needs the feature \"tls\", which this binary was built without");
    }
    let path = item.report.folder().join(Path::new(name));
    let shown = quoted(&path.to_string_lossy());
    match CaFile::read(path, root_is_usable) {
        Ok(file) => Some(file),
        Err(error) => item.bad(&["cannot use ", &shown, ": ", &error.to_string()].concat()),
    }
}
