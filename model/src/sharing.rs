//! Shares equal names, addresses and short texts while many values are read: the same few attribute
//! names, hosts and tenants occur in every one of half a million records.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::iter;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::{Address, AddressError, Key, Name, address};

thread_local! {
    static TABLES: RefCell<Option<Tables>> = const { RefCell::new(None) };
}

/// Longer addresses are read whole, which bounds how deep they go.
const LONGEST_PLAIN: usize = 256;

/// Longer texts hardly ever occur twice.
const LONGEST_SHARED: usize = 24;

#[derive(Default)]
struct Tables {
    /// What other threads may look at as well.
    known: Option<Known>,
    names: HashSet<Name, RandomState>,
    texts: HashSet<Arc<str>, RandomState>,
    /// Addresses by their text.
    addresses: HashMap<Box<str>, Address, RandomState>,
}

/// What was shared so far, for other threads to share as well.
#[derive(Clone)]
pub struct Known(Arc<Tables>);

/// What everybody shares.
static REMEMBERED: Mutex<Option<Known>> = Mutex::new(None);

/// Runs something that reads many names or addresses: on this thread, equal ones are shared until
/// it ends. It changes nothing but memory and time.
pub fn sharing<T>(work: impl FnOnce() -> T) -> T {
    let remembered = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    sharing_beside(remembered, work)
}

/// Like [`sharing`], and whoever begins to share afterwards shares the same, in place of what was
/// remembered before: what is remembered and what runs are called alike.
pub fn remembering<T>(work: impl FnOnce() -> T) -> T {
    sharing_beside(None, || {
        let done = work();
        let remembered = known();
        let mut all = REMEMBERED.lock().unwrap_or_else(PoisonError::into_inner);
        // Taking tables apart takes time, and nobody is to wait for it.
        let before = std::mem::replace(&mut *all, remembered);
        drop(all);
        drop(before);
        done
    })
}

/// Like [`sharing`], and what is known already is shared too.
pub fn sharing_beside<T>(known: Option<Known>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Tables>);
    impl Drop for Restore {
        fn drop(&mut self) {
            TABLES.set(self.0.take());
        }
    }
    let _restore = Restore(TABLES.replace(Some(Tables { known, ..Tables::default() })));
    work()
}

/// What this thread shares at this moment. What comes later stands beside it.
pub fn known() -> Option<Known> {
    let known = Known(Arc::new(TABLES.take()?));
    TABLES.set(Some(Tables { known: Some(known.clone()), ..Tables::default() }));
    Some(known)
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

/// A text of a value.
pub(crate) fn text(text: &str) -> Arc<str> {
    TABLES.with_borrow_mut(|tables| match tables {
        Some(tables) if text.len() <= LONGEST_SHARED => tables.text(text),
        _ => Arc::from(text),
    })
}

impl Tables {
    /// These tables and those that they stand beside.
    fn all(&self) -> impl Iterator<Item = &Tables> {
        iter::successors(Some(self), |tables| tables.known.as_ref().map(|known| &*known.0))
    }

    fn name(&mut self, text: &str) -> Name {
        if let Some(known) = self.all().find_map(|tables| tables.names.get(text)) {
            return known.clone();
        }
        let new = Name::new(text);
        self.names.insert(new.clone());
        new
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.all().find_map(|tables| tables.texts.get(text)) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        self.texts.insert(Arc::clone(&new));
        new
    }

    fn seen(&self, text: &str) -> Option<Address> {
        self.all().find_map(|tables| tables.addresses.get(text)).cloned()
    }

    fn address(&mut self, text: &str) -> Result<Address, AddressError> {
        if let Some(seen) = self.seen(text) {
            return Ok(seen);
        }
        let address = match self.plain(text) {
            Some(address) => address,
            None => self.last_segment(&text.parse()?),
        };
        self.addresses.insert(Box::from(text), address.clone());
        Ok(address)
    }

    /// The address of a text of plain words with perhaps a key at its end; most are, and their
    /// parents are known already.
    fn plain(&mut self, text: &str) -> Option<Address> {
        if text.len() > LONGEST_PLAIN {
            return None;
        }
        let (words, key) = match text.find('[') {
            Some(at) => (&text[..at], Some(self.key(address::last_key(text, at)?))),
            None => (text, None),
        };
        let mut words = words.rsplitn(3, '.');
        let (name, kind) = (words.next()?, words.next()?);
        if ![kind, name].into_iter().all(address::is_word) {
            return None;
        }
        Some(match words.next() {
            Some(parent) => {
                let parent = self.address(parent).ok()?;
                parent.child(self.name(kind), self.name(name), key)
            }
            None => Address::root(self.name(kind), self.name(name), key),
        })
    }

    fn key(&mut self, key: Key) -> Key {
        match key {
            Key::Ref(address) => Key::Ref(self.whole(&address)),
            other => other,
        }
    }

    /// The address with shared parents and words.
    fn last_segment(&mut self, read: &Address) -> Address {
        let (kind, name) = (self.name(read.kind()), self.name(read.name()));
        let key = read.key().map(|key| self.key(key.clone()));
        match read.parent() {
            Some(parent) => self.whole(parent).child(kind, name, key),
            None => Address::root(kind, name, key),
        }
    }

    fn whole(&mut self, read: &Address) -> Address {
        let text = read.to_text();
        if let Some(seen) = self.seen(&text) {
            return seen;
        }
        let new = self.last_segment(read);
        self.addresses.insert(text.into_boxed_str(), new.clone());
        new
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

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
    }

    #[test]
    fn what_is_remembered_is_shared_by_everybody() {
        let text = "tenant.remembered.vm.a";
        let read = remembering(|| address(text).expect(text));
        let other = thread::spawn(move || {
            let known = sharing(known);
            [sharing(|| address(text)), sharing_beside(known, || address(text))]
        });
        for again in other.join().expect("no panic") {
            assert_eq!(again.expect(text).name().as_ptr(), read.name().as_ptr());
        }
    }

    #[test]
    fn sharing_changes_no_address_and_no_error() {
        let long = format!("tenant.{}.vm.b", "a".repeat(300));
        for text in [
            "site.a",
            "tenant.a.vm.b[\"x.y[1]\"]",
            "tenant.a[1].vm.b",
            "tenant.a[site.m.zone[2]].vm.b[-3]",
            &long,
            "",
            "tenant",
            "tenant.",
            "tenant..a",
            "tenant.a.vm",
            "tenant.a[1",
            "tenant.a[1]b",
            "tenant.ä",
            &"a.".repeat(1_000),
        ] {
            let parsed = text.parse::<Address>();
            assert_eq!(sharing(|| address(text)), parsed, "{text}");
            let again = sharing(|| {
                let _ = address(text);
                let known = known();
                thread::scope(|scope| {
                    let other = scope.spawn(|| sharing_beside(known, || address(text)));
                    other.join().expect("no panic")
                })
            });
            assert_eq!(again, parsed, "{text}");
        }
    }
}
