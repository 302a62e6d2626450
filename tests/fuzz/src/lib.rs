//! What has to hold for every input of every reader. The targets in `fuzz/` run these bodies for as
//! long as somebody lets them; the tests beside them run each for a moment, in every run of the suite.

use std::path::Path;

use tcloud_model::{Diagnostic, Digest, FileId, Name};
use tcloud_planner::planfile;
use tcloud_plugin::frame;
use tcloud_plugin::message::{FromPlugin, ToPlugin};
use tcloud_project::config::ConfigError;
use tcloud_project::{Config, Lock};
use tcloud_provider_libvirt::domain::{Definitions, Directory, read};
use tcloud_provider_libvirt::firewall::{read_network, read_nic};
use tcloud_provider_libvirt::xml::{Element, XmlError};
use tcloud_state::{Entry, Folded};
use tcloud_syntax::ast::File;
use tcloud_syntax::{format, parse, parse_expression};

/// A body: it panics when something does not hold.
pub type Body = fn(&[u8]);

/// All of them, by the names of the targets.
pub const BODIES: [(&str, Body); 8] = [
    ("grammar", grammar),
    ("formatter", formatter),
    ("plan_file", plan_file),
    ("journal", journal),
    ("frames", frames),
    ("settings", settings),
    ("lock", lock),
    ("xml", xml),
];

/// A text is read to its end, and what is wrong with it has a place inside of it.
///
/// # Panics
/// When that does not hold.
pub fn grammar(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parsed = parse(FileId(0), text);
    have_places(&parsed.diagnostics, text);
    have_places(&parse_expression(FileId(0), text).1, text);
}

fn have_places(diagnostics: &[Diagnostic], text: &str) {
    for diagnostic in diagnostics {
        let labels = diagnostic.secondary.iter().map(|label| label.span);
        for span in labels.chain([diagnostic.primary.span]) {
            let place = span.start as usize..span.end as usize;
            assert!(text.get(place).is_some(), "{diagnostic:?}");
        }
    }
}

/// What was formatted stays as it is, and a sound text keeps its meaning: the same tree, elsewhere.
///
/// # Panics
/// When that does not hold.
pub fn formatter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let once = format(text);
    assert_eq!(format(&once), once, "{text:?}");
    let before = parse(FileId(0), text);
    if before.diagnostics.is_empty() {
        let after = parse(FileId(0), &once);
        assert!(after.diagnostics.is_empty(), "{text:?} became {once:?}");
        assert_eq!(shape(&before.file), shape(&after.file), "{text:?} became {once:?}");
    }
}

/// A tree without its places.
fn shape(file: &File) -> String {
    let text = std::format!("{file:?}");
    let mut parts = text.split("Span {");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shape, part| shape + part.split_once(" }").map_or("", |(_, rest)| rest))
}

/// A plan that is read is the one that was written, to the byte, and can be shown in every form. A
/// plan names the digest of its content: it is tried with the one that it has as well.
///
/// # Panics
/// When that does not hold.
pub fn plan_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let digested = with_its_digest(text);
    for text in [Some(text), digested.as_deref()].into_iter().flatten() {
        if let Ok(file) = planfile::read(text) {
            assert_eq!(planfile::write(&file), text);
            let shown = tcloud_report::json::write_plan(&file.plan, &mut Vec::new());
            assert!(shown.is_ok(), "{shown:?}");
        }
    }
}

/// The text of a plan with the digest that its content has: else no fuzzer would get past it.
fn with_its_digest(text: &str) -> Option<String> {
    let (head, content) = text.trim_end().split_once("\"content\":")?;
    let content = content.strip_suffix('}')?;
    let (format, rest) = head.split_once("\"digest\":\"")?;
    let (_, seal) = rest.split_once('"')?;
    let digest = Digest::of_bytes(content.as_bytes());
    Some(std::format!("{format}\"digest\":\"{digest}\"{seal}\"content\":{content}}}\n"))
}

/// An entry that is read says the same when it is written and read again, and any entries can be
/// folded or are refused.
///
/// # Panics
/// When that does not hold.
pub fn journal(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut folded = Folded::default();
    for line in text.lines() {
        let Ok(entry) = Entry::from_json(line) else { continue };
        let again = Entry::from_json(&entry.to_json());
        assert_eq!(again.ok().as_ref(), Some(&entry), "{line}");
        // A journal that contradicts itself is refused, and that is all.
        let _ = folded.add(&entry);
    }
}

/// Frames are read until the first that is none, and each is a message or refused. No more is kept
/// of a frame than its limit, whatever it says about its length.
///
/// # Panics
/// When that does not hold.
pub fn frames(bytes: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let Ok(runtime) = runtime else { return };
    runtime.block_on(async {
        let mut left = bytes;
        while let Ok(Some(body)) = frame::read(&mut left).await {
            assert!(body.len() <= frame::LARGEST);
            let _ = serde_json::from_slice::<FromPlugin<'_>>(&body);
            let _ = serde_json::from_slice::<ToPlugin<'_>>(&body);
        }
    });
}

/// Settings name things by words of the language, or it is said in which line they are wrong.
///
/// # Panics
/// When that does not hold.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Config::parse(text, Path::new("/srv/lab")) {
        Ok(config) => {
            let mut names = config.providers.keys().chain([&config.deployment]);
            assert!(names.all(|name| Name::is_word(name)), "{text:?}");
        }
        Err(ConfigError::Wrong { line, .. }) => {
            let lines = text.matches('\n').count() + 1;
            assert!((1..=lines).contains(&(line as usize)), "{text:?}");
        }
        Err(ConfigError::Name { .. } | ConfigError::Read { .. }) => {}
    }
}

/// Pinned programs are the same when they are written and read again.
///
/// # Panics
/// When that does not hold.
pub fn lock(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(lock) = Lock::parse(text) {
        assert_eq!(Lock::parse(&lock.text()).ok(), Some(lock), "{text:?}");
    }
}

/// A document is the same when it is written and read again, and whatever it says can be read as a
/// guest and as the rules of one.
///
/// # Panics
/// When that does not hold.
pub fn xml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(element) = Element::parse(text) else { return };
    match element.write() {
        Ok(written) => assert!(Element::parse(&written).as_ref() == Ok(&element), "{text:?}"),
        // XML has names that hypervisors do not use, and that are not written.
        Err(error) => assert!(matches!(error, XmlError::Name(_)), "{text:?}: {error}"),
    }
    let (live, persistent) = (Some(&element), Some(&element));
    let definitions = Definitions { live, persistent, autostart: true, executing: true };
    let reading = read(&definitions, &Directory::default());
    let _ = read_network(live, &reading.attributes);
    let _ = read_nic(live);
}

#[cfg(test)]
mod tests {
    use super::with_its_digest;

    #[test]
    fn a_plan_gets_the_digest_of_its_content() {
        let digested = |digest: &str| {
            let plan = "\"seal\":null,\"content\":{\"tool\":\"1\"}}\n";
            with_its_digest(&std::format!("{{\"digest\":\"{digest}\",{plan}"))
        };
        assert!(digested("").is_some());
        assert_eq!(digested(""), digested("00ff"));
    }
}
