//! Bots of chat services: Feishu, DingTalk, WeCom, Telegram.

use crate::sheet::{class, golden, judged, notice, plan, ready};

#[test]
fn a_feishu_post_is_signed() {
    let plan =
        plan("[alert.feishu]\nwebhook = \"https://open.feishu.cn/open-apis/bot/v2/hook/tok\"\nsecret = \"demo\"");
    let ready = ready(&plan, &notice("web-1@vm"));
    golden("feishu-post", &ready);
    assert_eq!(class(&judged(&plan, &ready, 200, &[], r#"{"code":0}"#)), "delivered");
}
