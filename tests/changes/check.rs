//! Sentences about definitions and guests: `vcpu/@current = 2`, `devices/disk[ua-disk-data]`,
//! `!devices/tpm`, `cpus = 2`, `memory > 300000000`, `"serial":"data"`.

use tcloud_provider_libvirt::xml::Element;

/// Whether a sentence about a definition holds.
///
/// # Errors
/// What is found instead.
pub(crate) fn definition(domain: &Element, sentence: &str) -> Result<(), String> {
    let (path, wanted) = match sentence.split_once(" = ") {
        Some((path, wanted)) => (path, Some(wanted)),
        None => (sentence, None),
    };
    let (path, absent) = match path.strip_prefix('!') {
        Some(path) => (path, true),
        None => (path, false),
    };
    let found = values(domain, path);
    let holds = match (absent, wanted) {
        (true, _) => found.is_empty(),
        (false, Some(wanted)) => found.iter().any(|own| own == wanted),
        (false, None) => !found.is_empty(),
    };
    if holds { Ok(()) } else { Err(format!("`{sentence}` does not hold: there is {found:?}")) }
}

/// What a path leads to: contents of elements, or values of an attribute.
pub(crate) fn values(element: &Element, path: &str) -> Vec<String> {
    if let Some(attribute) = path.strip_prefix('@') {
        return element.get(attribute).map(str::to_owned).into_iter().collect();
    }
    let (step, rest) = match path.split_once('/') {
        Some((step, rest)) => (step, Some(rest)),
        None => (path, None),
    };
    let (name, mark) = match step.split_once('[') {
        Some((name, mark)) => (name, mark.trim_end_matches(']')),
        None => (step, ""),
    };
    let fits = |own: &&Element| mark.is_empty() || own.to_string().contains(mark);
    let found = element.elements(name).filter(fits);
    match rest {
        Some(rest) => found.flat_map(|own| values(own, rest)).collect(),
        None => found.map(Element::content).collect(),
    }
}

/// Whether a sentence about what a guest sees holds.
///
/// # Errors
/// What it sees instead.
pub(crate) fn guest(facts: &str, sentence: &str) -> Result<(), String> {
    let plain: String = facts.split_whitespace().collect();
    let number = |name: &str| {
        let at = plain.find(&format!("\"{name}\":"))? + name.len() + 3;
        let digits: String = plain[at..].chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().ok()
    };
    let holds = if let Some((name, wanted)) = sentence.split_once(" = ") {
        number(name) == wanted.parse().ok()
    } else if let Some((name, least)) = sentence.split_once(" > ") {
        number(name) > least.parse().ok()
    } else if let Some((name, most)) = sentence.split_once(" < ") {
        number(name).is_some_and(|own| Some(own) < most.parse().ok())
    } else if let Some(absent) = sentence.strip_prefix('!') {
        !plain.contains(absent)
    } else {
        plain.contains(sentence)
    };
    if holds { Ok(()) } else { Err(format!("the guest does not see `{sentence}`: {facts}")) }
}
