//! Channels of chat services that need code.

use crate::config::alert::address;
use crate::config::plan::ChannelKind;
use crate::config::table::Table;
use crate::secret::Secret;

/// `kind = "feishu"`.
pub fn feishu(table: &mut Table<'_>) -> Option<ChannelKind> {
    let item = table.need("webhook", "");
    let secret = table.need("secret", "; write secret = \"\" for a bot without signature");
    let webhook = item.and_then(|item| {
        let url = address(&item, &item.secret()?)?;
        if url.text.contains("/bot/hook/") {
            return item.bad(
                "is a hook of version 1, which takes no such messages; make a new custom bot, its address has /v2/",
            );
        }
        Some(Secret::new(url.text))
    });
    let secret = secret.and_then(|secret| secret.secret());
    Some(ChannelKind::Feishu { webhook: webhook?, secret: secret? })
}
