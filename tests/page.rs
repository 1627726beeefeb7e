//! The status page: what it says, what strangers can do to it, and how it looks in a real browser.
#![cfg(feature = "status")]
#![expect(clippy::unwrap_used, reason = "a test may fail wherever it wants to")]

mod common;
#[path = "page/scene.rs"]
mod scene;

use std::fs;
use std::path::Path;

use interrupt_callback::config::plan::Language;
use scene::Scene;

#[test]
fn draft() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/page");
    fs::create_dir_all(&folder).unwrap();
    for (name, scene) in
        [("well", Scene::well()), ("trouble", Scene::trouble()), ("hostile", Scene::hostile()), ("crowd", Scene::crowd(10_000))]
    {
        let html = scene.html(Language::En);
        println!("{name}: {} bytes", html.len());
        fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
    fs::write(folder.join("zh.html"), Scene::trouble().html(Language::Zh)).unwrap();
}
