//! The configurations in both READMEs, as somebody copies them.

use interrupt_callback::config;

use super::env;

/// Every block of TOML in `text`.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```toml\n").skip(1).filter_map(|after| after.split("```").next())
}

#[test]
fn every_example_in_the_readmes_is_valid() {
    if !cfg!(all(feature = "tls", feature = "email", feature = "jobs")) {
        // Some keys are errors then.
        return;
    }
    for text in [include_str!("../../README.md"), include_str!("../../contrib/README.zh-CN.md")] {
        let mut seen = 0;
        for block in blocks(text) {
            // What this machine has not.
            let block = block
                .replace("{ file = \"/etc/ic/smtp\" }", "\"x\"")
                .replace("{ env = \"API_TOKEN\" }", "\"x\"")
                .replace("user = \"worker\"", "user = \"1000:1000\"");
            let plan = config::parse(&block, "readme.toml", &env());
            assert!(plan.is_ok(), "{:?}\n{block}", plan.err());
            seen += 1;
        }
        assert!(seen >= 8, "{seen}");
    }
}
