//! The configurations in both READMEs, as somebody copies them.

use interrupt_callback::config;

use super::env;

/// Every block of TOML in `text`.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```toml\n").skip(1).filter_map(|after| after.split("```").next())
}

/// Secrets that stand elsewhere stand in the block itself, each with the name of its place: this machine has none of them.
fn with_secrets(block: &str) -> String {
    let mut text = block.to_owned();
    for begin in ["{ file = \"", "{ env = \""] {
        while let Some((before, after)) = text.split_once(begin) {
            let (place, rest) = after.split_once("\" }").expect("the end of a table");
            let secret = place.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
            text = format!("{before}\"a-secret-from{secret}\"{rest}");
        }
    }
    text
}

#[test]
fn every_example_in_the_readmes_is_valid() {
    if !cfg!(all(feature = "tls", feature = "email", feature = "jobs", feature = "status")) {
        // Some keys are errors then.
        return;
    }
    for text in [include_str!("../../README.md"), include_str!("../../contrib/README.zh-CN.md")] {
        let mut seen = 0;
        for block in blocks(text) {
            // A user that this machine has not.
            let block = with_secrets(block).replace("user = \"worker\"", "user = \"1000:1000\"");
            let plan = config::parse(&block, "readme.toml", &env());
            assert!(plan.is_ok(), "{:?}\n{block}", plan.err());
            seen += 1;
        }
        assert!(seen >= 8, "{seen}");
    }
}
