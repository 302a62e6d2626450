//! The block `libvirt { … }` of a guest: what only libvirt has, and the language has no word for. It is
//! one table; each of its rows says how an attribute is read, and how it is written.
//!
//! A definition may hold more than a row can say – a screen with a password, two sound cards. Such a
//! row reads nothing at all, so that nothing is changed, and [`super::kept`] tells it.

mod board;
pub(super) mod ends;
mod overlay;
mod screen;

use std::sync::LazyLock;

use tcloud_model::{Attribute, Block, Fields, Impact, Name, Type, Value};
use tcloud_provider::Extension;

use super::DefineError;
use crate::xml::Element;

/// The word that begins the block.
pub(super) const BLOCK: &str = "libvirt";

/// The attribute for what has no word at all.
const RAW: &str = Attribute::RAW;

/// An attribute of the block.
struct Own {
    name: &'static str,
    /// What a definition says of it: [`Value::None`] when it is not there, nothing when it is in a
    /// way that has no word.
    read: fn(&Element) -> Option<Value>,
    /// Makes it so. Without a value: as guests are that we make.
    write: fn(&mut Element, Option<&Value>),
}

const ALL: [Own; 14] = [
    Own { name: "machine_type", read: board::read_type, write: board::write_type },
    Own { name: "boot_menu", read: board::read_menu, write: board::write_menu },
    Own { name: "cpus", read: board::read_cpus, write: board::write_cpus },
    Own { name: "hugepages", read: board::read_hugepages, write: board::write_hugepages },
    Own { name: "balloon", read: board::read_balloon, write: board::write_balloon },
    Own { name: "clock", read: board::read_clock, write: board::write_clock },
    Own { name: "watchdog", read: board::read_watchdog, write: board::write_watchdog },
    Own { name: "video", read: screen::read_video, write: screen::write_video },
    Own { name: "graphics", read: screen::read_graphics, write: screen::write_graphics },
    Own { name: "tablet", read: screen::read_tablet, write: screen::write_tablet },
    Own { name: "sound", read: screen::read_sound, write: screen::write_sound },
    Own { name: "on_reboot", read: ends::read_reboot, write: ends::write_reboot },
    Own { name: "on_crash", read: ends::read_crash, write: ends::write_crash },
    Own { name: RAW, read: overlay::read, write: overlay::write },
];

/// What is kept of the block in the words of a definition: what libvirt's own does not show.
pub(super) const KEPT: [&str; 2] = ["machine_type", RAW];

/// The block, as plans and people know it.
pub(crate) fn extension() -> Extension {
    Extension { kind: Name::new("vm"), attributes: Vec::new(), blocks: vec![block()] }
}

fn block() -> Block {
    let words = |name: &str, words: &[&str], doc: &str| {
        Attribute::new(name, Type::one_of(words), doc).cost(Impact::PowerCycle)
    };
    let flag = |name: &str, default: bool, doc: &str| {
        Attribute::new(name, Type::Bool, doc).default(Value::Bool(default)).cost(Impact::PowerCycle)
    };
    let attributes = vec![
        Attribute::new(
            "machine_type",
            Type::Text,
            "The exact board, with its version: `pc-q35-7.2`. Without it, the newest of `machine` \
             that the host has when the guest is made.",
        )
        .cost(Impact::PowerCycle),
        flag("boot_menu", false, "Whether whoever watches its start may choose a device."),
        Attribute::new(
            "cpus",
            Type::Range,
            "The processors of the host that it may use, by their numbers: `0..=3`. Without it, all.",
        )
        .cost(Impact::PowerCycle),
        flag("hugepages", false, "Whether its memory is made of huge pages, which the host has to keep ready."),
        flag("balloon", true, "Whether it has a balloon, which tells how much of its memory is in use."),
        words("clock", &["utc", "localtime"], "What its clock shows when it starts. Windows expects `localtime`.")
            .default(Value::text("utc")),
        words(
            "watchdog",
            &board::WATCHED,
            "What happens when it no longer answers its watchdog. Without it, it has none.",
        ),
        words("video", &screen::CARDS, "Its video card. Without it, it has none, and a console only."),
        words(
            "graphics",
            &["vnc", "spice"],
            "How its screen is shown. Only on the host itself, to whoever may log in there; it needs \
             `video`. Without it, not at all.",
        ),
        flag("tablet", false, "Whether it has a tablet, so that a pointer over its screen is where it seems to be."),
        words("sound", &screen::SOUNDS, "Its sound card. Without it, it has none."),
        words("on_reboot", &["restart", "destroy"], "What happens when the guest restarts itself: `destroy` ends it.")
            .default(Value::text("restart"))
            .cost(Impact::Live),
        words(
            "on_crash",
            &ends::CRASHES,
            "What happens when the guest crashes. `preserve` keeps it as it is, for whoever looks \
             into it; `coredump-…` writes its memory to a file on the host first.",
        )
        .default(Value::text("restart"))
        .cost(Impact::Live),
        Attribute::new(
            RAW,
            Type::Text,
            "Elements of libvirt's own XML that are added to its definition as they are: devices \
             of sorts that have no word here in `<devices>`, `<features>`, `<qemu:commandline>` and \
             some more.\n\nWhoever may write it may do everything on the host that QEMU may: it is \
             refused unless `tcloud.toml` says `allow_raw_xml = true` (E0911), and every plan shows \
             it whole. Write values as `virsh dumpxml` shows them, else they count as changed.",
        )
        .cost(Impact::PowerCycle),
    ];
    Block::single(
        BLOCK,
        "What only libvirt has. Changes of it take effect when the guest is next stopped and started, \
         but for what becomes of it when it ends.",
        attributes,
    )
}

/// What libvirt would not tell, or not before the guest starts.
///
/// # Errors
/// What does not go together.
pub(super) fn check(block: Option<&Fields>, machine: Option<&str>) -> Result<(), DefineError> {
    let Some(block) = block else { return Ok(()) };
    if let Some(exact) = block.text("machine_type")
        && !board::is_version_of(exact, machine.unwrap_or("q35"))
    {
        return Err(DefineError::NoVersion);
    }
    if let Some(text) = block.text(RAW) {
        overlay::check(text).map_err(DefineError::Raw)?;
    }
    let is_set = |name| block.get(name).is_some_and(|value| *value != Value::None);
    if is_set("graphics") && !is_set("video") {
        return Err(DefineError::NoCard);
    }
    Ok(())
}

/// What a definition says, also where it is as everywhere.
pub(super) fn read(domain: &Element) -> Fields {
    let said = |own: &Own| Some((Name::new(own.name), (own.read)(domain)?));
    ALL.iter().filter_map(said).collect()
}

/// What holds where nothing is said.
static USUAL: LazyLock<Fields> = LazyLock::new(|| {
    let with_default = |own: Attribute| Some((own.name, own.default?));
    block().attributes.into_iter().filter_map(with_default).collect()
});

/// Makes a definition say what is wanted. What is so already is left exactly as it is written.
pub(super) fn write(domain: &mut Element, wanted: Option<&Fields>) {
    for own in &ALL {
        let wanted = wanted.and_then(|wanted| wanted.get(own.name));
        let found = (own.read)(domain);
        // What nobody can say, and nobody asked for, stays.
        if found.is_none() && wanted.is_none() {
            continue;
        }
        let wanted = wanted.or(USUAL.get(own.name));
        if found.filter(|value| *value != Value::None).as_ref() != wanted {
            (own.write)(domain, wanted);
        }
    }
}

/// What a definition says that would not hold without the block.
pub(super) fn said(domain: &Element) -> Fields {
    let odd = |(name, value): &(&Name, &Value)| is_odd(name, value);
    let own = |(name, value): (&Name, &Value)| (name.clone(), value.clone());
    read(domain).iter().filter(odd).map(own).collect()
}

/// Whether a value would not hold if nothing was said.
fn is_odd(name: &str, value: &Value) -> bool {
    *value != Value::None && USUAL.get(name) != Some(value)
}

/// The definition without what the block says of it; nothing when it says nothing, or only what
/// becomes of the guest when it ends, which takes no copy to know.
pub(super) fn without(domain: &Element) -> Option<Element> {
    let is_end = |own: &&Own| ["on_reboot", "on_crash"].contains(&own.name);
    let is_odd = |own: &Own| (own.read)(domain).is_some_and(|value| is_odd(own.name, &value));
    ALL.iter().filter(|own| !is_end(own)).any(is_odd).then(|| {
        let mut plain = domain.clone();
        write(&mut plain, None);
        plain
    })
}

/// The one device of a kind: `Ok(None)` when there is none.
///
/// # Errors
/// When there are several.
fn only<'a>(domain: &'a Element, kind: &str) -> Result<Option<&'a Element>, ()> {
    let Some(devices) = domain.find("devices") else { return Ok(None) };
    let mut all = devices.all().filter(|own| own.name == kind);
    let first = all.next();
    if all.next().is_some() { Err(()) } else { Ok(first) }
}

/// Whether an element has nothing but these attributes and elements.
fn has_only(element: &Element, attributes: &[&str], elements: &[&str]) -> bool {
    element.attributes.iter().all(|(name, _)| attributes.contains(&name.as_str()))
        && element.all().all(|own| elements.contains(&own.name.as_str()))
}

/// A word if it is one of ours.
fn word(found: Option<&str>, known: &[&str]) -> Option<Value> {
    found.filter(|found| known.contains(found)).map(Value::text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_book_has_every_attribute_with_its_words() {
        let page = include_str!("../../../../../book/src/operations/libvirt.md");
        for own in block().attributes {
            let line = page.lines().find(|line| line.starts_with(&format!("| `{}` |", own.name)));
            let line = line.unwrap_or_else(|| panic!("{} is not in the book", own.name));
            if let Type::OneOf(words) = &own.ty {
                let missing = words.iter().find(|word| !line.contains(&format!("`\"{word}\"`")));
                assert_eq!(missing, None, "{line}");
            }
        }
    }

    #[test]
    fn every_attribute_is_read_and_written() {
        let described: Vec<Name> = block().attributes.into_iter().map(|own| own.name).collect();
        let handled: Vec<Name> = ALL.iter().map(|own| Name::new(own.name)).collect();
        assert_eq!(described, handled);
    }
}
