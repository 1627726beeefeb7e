use super::*;
use crate::alert::outbox::Outbox;
use crate::alert::pending::Change;
use crate::alert::testing::{at, event};
use crate::event::Kind;
use crate::run::state::testing::Folder;

fn hosts_ok(bytes: &[u8]) -> bool {
    json::read(bytes).is_some_and(|value| value.is_array())
}

fn read(dir: &Path) -> Loaded {
    load(dir, &["spot"], hosts_ok)
}

/// A directory with one of each file, as the desk writes them.
fn full(folder: &Folder) -> Vec<(String, Vec<u8>)> {
    let mut outbox = Outbox::new(vec!["a".into()]);
    let after = After::Small { name: "spot".into(), json: "{\"standing\":1}".into() };
    outbox.admit(Change { seq: 7, event: Some(event(Kind::Offline, 1, "nas")), after }, &|_, _| true, &at(0));
    let mut files = outbox.writes(true, &at(0));
    outbox.finished.push(crate::event::Id(5), crate::event::Kind::Offline);
    files.push(("incidents.json".into(), outbox.incidents.to_json()));
    files.push(("finished.json".into(), outbox.finished.to_json()));
    files.push(("digests.json".into(), b"[[\"a\",1,7]]".to_vec()));
    files.push(("channels.json".into(), b"[{\"name\":\"a\"}]".to_vec()));
    files.push(("spot.json".into(), b"{\"seq\":3,\"json\":\"{}\"}".to_vec()));
    files.push(("hosts/63.json".into(), b"[1,2]".to_vec()));
    files.push(("outbox/0000000000000007.aa.try".into(), b"{\"channel\":\"a\",\"count\":1,\"seqs\":[7]}".to_vec()));
    for (file, bytes) in &files {
        write(folder, file, bytes);
    }
    files
}

fn write(folder: &Folder, file: &str, bytes: &[u8]) {
    let path = folder.path().join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_empty_or_missing_directory_is_a_fresh_start() {
    let folder = Folder::default();
    for dir in [folder.path().to_path_buf(), folder.path().join("none")] {
        let loaded = read(&dir);
        assert_eq!((loaded.last_seq, loaded.damaged.len(), loaded.outbox.records.len()), (0, 0, 0));
    }
}

#[test]
fn everything_comes_back() {
    let folder = Folder::default();
    full(&folder);
    let loaded = read(folder.path());
    assert_eq!(loaded.damaged, [""; 0]);
    assert_eq!(loaded.last_seq, 7);
    assert_eq!(loaded.outbox.records.len(), 1);
    assert_eq!(loaded.outbox.marks[0].seqs, [7]);
    assert_eq!(loaded.outbox.digests.len(), 1);
    assert!(loaded.outbox.incidents.knows(crate::event::Id(1), 0));
    assert!(loaded.outbox.finished.contains(crate::event::Id(5)));
    assert_eq!(loaded.hosts, [(63, b"[1,2]".to_vec())]);
    assert_eq!(loaded.small("spot").unwrap().json, "{\"standing\":1}", "the outbox knows better");
    assert_eq!((loaded.outbox.small[0].0.as_str(), loaded.outbox.small[0].1.seq), ("spot", 7));
    assert_eq!(loaded.channels[0].0, "a");
}

#[test]
fn every_file_cut_at_every_length_is_set_aside_and_named() {
    let folder = Folder::default();
    for (file, bytes) in full(&folder) {
        for length in 0..bytes.len() {
            write(&folder, &file, &bytes[..length]);
            let loaded = read(folder.path());
            assert_eq!(loaded.damaged, [file.as_str()], "cut at {length}");
            assert_eq!(read(folder.path()).damaged, [""; 0], "{file} is told twice");
        }
        write(&folder, &file, &bytes);
        assert_eq!(read(folder.path()).damaged, [""; 0]);
    }
    assert!(fs::read_dir(folder.path().join("outbox/bad")).unwrap().count() <= MAX_BAD);
}

#[test]
fn a_garbled_file_falls_back_to_its_last_generation() {
    let folder = Folder::default();
    full(&folder);
    write(&folder, "hosts/63.json.old", b"[9]");
    write(&folder, "hosts/63.json", b"\xff\x00[");
    let loaded = read(folder.path());
    assert_eq!((loaded.hosts, loaded.damaged), (vec![(63, b"[9]".to_vec())], vec!["hosts/63.json".to_owned()]));
    assert!(folder.path().join("hosts/63.json.bad").exists());
    write(&folder, "hosts/63.json", &vec![b' '; 9 * 1024 * 1024]);
    assert_eq!(read(folder.path()).damaged, ["hosts/63.json"], "too large");
    fs::create_dir(folder.path().join("finished.json.x")).unwrap();
    fs::remove_file(folder.path().join("finished.json")).unwrap();
    fs::create_dir(folder.path().join("finished.json")).unwrap();
    assert_eq!(read(folder.path()).damaged, ["finished.json"], "a folder in its place");
}

#[test]
fn not_every_damaged_file_is_named() {
    let folder = Folder::default();
    for seq in 1..=100 {
        write(&folder, &crate::alert::record::file_name(seq), b"{");
    }
    let damaged = read(folder.path()).damaged;
    assert_eq!((damaged.len(), damaged[MAX_NAMED].as_str()), (MAX_NAMED + 1, "more"));
    assert_eq!(read(folder.path()).damaged, [""; 0], "all are set aside");
}

#[test]
fn records_come_in_the_order_of_their_numbers() {
    let folder = Folder::default();
    let mut outbox = Outbox::new(vec!["a".into()]);
    for seq in 1..=30 {
        let event = Some(event(Kind::Offline, seq, "nas"));
        outbox.admit(Change { seq, event, after: After::Nothing }, &|_, _| true, &at(0));
    }
    for (file, bytes) in outbox.writes(true, &at(0)) {
        write(&folder, &file, &bytes);
    }
    let seqs: Vec<u64> = read(folder.path()).outbox.records.iter().map(|record| record.seq).collect();
    assert_eq!(seqs, (1..=30).collect::<Vec<u64>>());
}

#[test]
fn what_was_cut_off_while_being_written_is_removed() {
    let folder = Folder::default();
    write(&folder, "outbox/0000000000000001.json.tmp", b"{");
    assert_eq!(read(folder.path()).damaged, [""; 0]);
    assert!(!folder.path().join("outbox/0000000000000001.json.tmp").exists());
}
