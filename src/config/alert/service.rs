//! Channels that are data.

use crate::alert::channel::presets::{Key, Preset, What};
use crate::config::alert::address;
use crate::config::plan::{ChannelKind, ServicePlan};
use crate::config::table::{Item, Table};
use crate::secret::Secret;

/// A channel of the row `preset`. All its keys are read before the first bad one counts.
pub fn service(table: &mut Table<'_>, preset: &'static Preset) -> Option<ChannelKind> {
    let mut values = Vec::with_capacity(preset.keys.len());
    let (mut fine, mut own_server) = (true, false);
    for key in preset.keys {
        let item = table.get(key.name);
        let value = match &item {
            Some(item) => value(item, key.what),
            None => usual(table, key),
        };
        if let (What::Telling(parts), Some(secret)) = (key.what, &value)
            && !own_server
            && let Some(server) = server_of(secret.reveal(), parts)
        {
            values[0] = Some(Secret::new(server));
        }
        fine &= value.is_some() || (item.is_none() && matches!(key.what, What::Optional | What::Choice(_)));
        own_server |= values.is_empty() && item.is_some();
        values.push(value);
    }
    fine.then_some(ChannelKind::Service(ServicePlan { preset, values }))
}

/// What stands for a key that is not there.
fn usual(table: &Table<'_>, key: &Key) -> Option<Secret> {
    match key.what {
        What::Optional | What::Choice(_) => return None,
        What::Server(server) if !server.is_empty() => {
            let server = Secret::new(server);
            return address(&table.item(), &server).map(|_| server);
        }
        What::Server(_) | What::Address | What::Secret | What::Telling(_) => table.missing(key.name, ""),
    }
    None
}

/// The value under a key; `None` if it is no good one.
fn value(item: &Item<'_>, what: What) -> Option<Secret> {
    if let What::Choice(choices) = what {
        return Some(Secret::new(choices.words[item.choice(choices.names)?]));
    }
    let secret = item.secret()?;
    let wrong = match what {
        What::Server(_) | What::Address => {
            let url = address(item, &secret)?.text;
            let server = matches!(what, What::Server(_));
            if !(url.contains('#') || (server && url.contains('?'))) {
                return Some(Secret::new(if server { url.trim_end_matches('/') } else { &url }));
            }
            if server { "must be the address of a server, without a query" } else { "holds a fragment (#…)" }
        }
        _ if secret.is_empty() => "is empty",
        _ if secret.reveal().bytes().all(|b| (b' '..=b'~').contains(&b)) => return Some(secret),
        _ => "must be one line of ASCII",
    };
    item.bad(wrong)
}

/// The server that a secret names: `sctp123tabc` that of number 123.
fn server_of(secret: &str, [before, after, server]: &[&str; 3]) -> Option<String> {
    let rest = secret.strip_prefix(before)?;
    let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
    let named = !digits.is_empty() && digits.len() <= 20 && rest[digits.len()..].starts_with(after);
    named.then(|| server.replace("{}", digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_server() {
        let parts = ["sctp", "t", "https://{}.push.ft07.com/send"];
        for (key, server) in [
            ("sctp123tabcdef", Some("https://123.push.ft07.com/send")),
            ("sctp1t", Some("https://1.push.ft07.com/send")),
            ("SCT123tabc", None),
            ("sctpt", None),
            ("sctp123", None),
            ("sctp123x", None),
        ] {
            assert_eq!(server_of(key, &parts).as_deref(), server, "{key}");
        }
    }
}
