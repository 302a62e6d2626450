//! What a guest's metadata say in our name: its stamp, and words that libvirt has no place for.

use tcloud_model::{Fields, Stamp};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::ErrorNumber;
use virt_sys::{VIR_DOMAIN_AFFECT_CONFIG, VIR_DOMAIN_AFFECT_LIVE, VIR_DOMAIN_METADATA_ELEMENT};

use super::guest::Guest;
use super::words;
use crate::failure::Failure;
use crate::stamp::{self, Note};
use crate::xml::Element;

/// The note of a guest: it keeps nothing in it beside its stamp.
pub(super) fn note(stamp: &Stamp) -> Note {
    Note::new(stamp, Fields::new())
}

/// Puts a stamp on both definitions. A running guest never loses the element of metadata again, so
/// that one without any is left so; that its persistent definition is stamped is enough.
pub(super) fn put_stamp(guest: &Guest, stamp: &Stamp) -> Result<(), Failure> {
    let has_metadata = |own: &&Element| own.find("metadata").is_some();
    let live = guest.live.as_ref().filter(|own| guest.persistent.is_none() || has_metadata(own));
    let mut flags = 0;
    if live.is_some() {
        flags |= VIR_DOMAIN_AFFECT_LIVE;
    }
    if guest.persistent.is_some() {
        flags |= VIR_DOMAIN_AFFECT_CONFIG;
    }
    set_element(&guest.domain, Some(note(stamp).to_element()), "stamp", stamp::NAMESPACE, flags)
}

/// Takes the stamp off both definitions. libvirt would leave an empty element behind where nothing
/// else was in it, so that such a definition is written anew.
pub(super) fn remove_stamp(connect: &Connect, guest: &Guest) -> Result<(), Failure> {
    let domain = &guest.domain;
    if guest.live.as_ref().is_some_and(|live| Note::of(live).is_some()) {
        set_element(domain, None, "stamp", stamp::NAMESPACE, VIR_DOMAIN_AFFECT_LIVE)?;
    }
    let Some(persistent) = &guest.persistent else { return Ok(()) };
    let mut plain = persistent.clone();
    stamp::put(&mut plain, None);
    if plain.find("metadata").is_some() {
        return set_element(domain, None, "stamp", stamp::NAMESPACE, VIR_DOMAIN_AFFECT_CONFIG);
    }
    Domain::define_xml(connect, &plain.write()?)?;
    Ok(())
}

/// Puts words and stamp on a running guest.
pub(super) fn put_live(
    domain: &Domain,
    live: &Element,
    words: &Fields,
    note: &Note,
) -> Result<(), Failure> {
    if words.is_empty() && live.find("metadata").is_none() {
        return Ok(());
    }
    put_live_words(domain, live, words)?;
    let note = Some(note.to_element());
    set_element(domain, note, "stamp", stamp::NAMESPACE, VIR_DOMAIN_AFFECT_LIVE)
}

/// Puts words alone on a running guest: a change that broke off is done in part.
pub(super) fn put_live_words(
    domain: &Domain,
    live: &Element,
    words: &Fields,
) -> Result<(), Failure> {
    if words.is_empty() && live.find("metadata").is_none() {
        return Ok(());
    }
    let element = (!words.is_empty()).then(|| words::element(words));
    set_element(domain, element, "words", words::NAMESPACE, VIR_DOMAIN_AFFECT_LIVE)
}

/// Sets the metadata of one namespace. libvirt adds the namespace and its prefix itself.
fn set_element(
    domain: &Domain,
    element: Option<Element>,
    name: &str,
    namespace: &str,
    flags: u32,
) -> Result<(), Failure> {
    let kind = i32::try_from(VIR_DOMAIN_METADATA_ELEMENT).unwrap_or(0);
    let plain = element.map(|element| Element::new(name).text(element.content()).write());
    let plain = plain.transpose()?;
    match domain.set_metadata(kind, plain.as_deref(), Some(stamp::PREFIX), Some(namespace), flags) {
        Ok(_) => Ok(()),
        // What is not there needs not be taken away.
        Err(error) if plain.is_none() && error.code() == ErrorNumber::NoDomainMetadata => Ok(()),
        Err(error) => Err(error.into()),
    }
}
