//! Shares equal names and addresses while many values are read: the same few attribute names,
//! hosts and tenants occur in every one of half a million records.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use crate::{Address, AddressError, Key, Name};

thread_local! {
    static TABLES: RefCell<Option<Tables>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Tables {
    names: HashSet<Name>,
    /// Addresses by their text.
    read: HashMap<Box<str>, Address>,
    /// What addresses stand in.
    parents: HashSet<Address>,
}

/// Runs something that reads many names or addresses: on this thread, equal ones are shared until
/// it ends. It changes nothing but memory and time.
pub fn sharing<T>(work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Tables>);
    impl Drop for Restore {
        fn drop(&mut self) {
            TABLES.set(self.0.take());
        }
    }
    let _restore = Restore(TABLES.replace(Some(Tables::default())));
    work()
}

/// The name of this text.
pub(crate) fn name(text: &str) -> Name {
    TABLES.with_borrow_mut(|tables| match tables {
        Some(tables) => tables.name(text),
        None => Name::new(text),
    })
}

/// The address of this text. Outside of [`sharing`] it is only read.
///
/// # Errors
/// When the text is no address.
pub fn address(text: &str) -> Result<Address, AddressError> {
    TABLES.with_borrow_mut(|tables| match tables {
        Some(tables) => tables.address(text),
        None => text.parse(),
    })
}

impl Tables {
    fn name(&mut self, text: &str) -> Name {
        if let Some(known) = self.names.get(text) {
            return known.clone();
        }
        let new = Name::new(text);
        self.names.insert(new.clone());
        new
    }

    fn address(&mut self, text: &str) -> Result<Address, AddressError> {
        if let Some(known) = self.read.get(text) {
            return Ok(known.clone());
        }
        let read: Address = text.parse()?;
        let shared = self.last_segment(&read);
        self.read.insert(Box::from(text), shared.clone());
        Ok(shared)
    }

    /// The address with shared parents and words.
    fn last_segment(&mut self, read: &Address) -> Address {
        let (kind, name) = (self.name(read.kind()), self.name(read.name()));
        let key = match read.key() {
            Some(Key::Ref(address)) => Some(Key::Ref(self.parent(address))),
            other => other.cloned(),
        };
        match read.parent() {
            Some(parent) => self.parent(parent).child(kind, name, key),
            None => Address::root(kind, name, key),
        }
    }

    fn parent(&mut self, read: &Address) -> Address {
        if let Some(known) = self.parents.get(read) {
            return known.clone();
        }
        let new = self.last_segment(read);
        self.parents.insert(new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_together_is_equal_and_shares_its_parents() {
        let texts = ["tenant.a.vm.web[1]", "tenant.a.vm.web[site.m.zone.a]", "tenant.a.vm.web[1]"];
        let read = sharing(|| texts.map(|text| address(text).expect(text)));
        for (text, address) in texts.iter().zip(&read) {
            assert_eq!(*address, text.parse().expect(text));
            assert_eq!(address.to_string(), *text);
        }
        let parent = |address: &Address| address.parent().map(|parent| parent.name().as_ptr());
        assert!(read.iter().all(|address| parent(address) == parent(&read[0])));
        let alone = address(texts[0]).expect("an address");
        assert_ne!(parent(&alone), parent(&read[0]), "it has ended");
        assert!(sharing(|| address("tenant")).is_err());
    }
}
