//! What a sweep could not read.

use std::sync::{Mutex, PoisonError};

use virt::connect::Connect;

use crate::domain::Directory;
use crate::failure::{Failure, quoted};
use crate::stamp::Place;

/// What could not be read, so that all else can be told.
#[derive(Debug, Default)]
pub(super) struct Unread(Mutex<Vec<Missed>>);

/// One thing that could not be read.
#[derive(Clone, Debug)]
struct Missed {
    /// In words, with its name.
    told: String,
    what: Sort,
    name: String,
}

/// What can be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Stamp,
    Damaged,
    Network,
    Filter,
    Pool,
    Volumes,
    Volume,
    Guest,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Sort::Stamp | Sort::Damaged => "stamp",
            Sort::Network => "network",
            Sort::Filter => "nwfilter",
            Sort::Pool => "pool",
            Sort::Volumes => "the volumes of pool",
            Sort::Volume => "volume",
            Sort::Guest => "guest",
        }
    }
}

impl Unread {
    /// How many are named.
    const NAMED: usize = 10;

    /// What was read; `None` with a note when it could not be. A connection that broke is an error:
    /// nobody knows then what is there.
    pub(super) fn note<T>(
        &self,
        connect: &Connect,
        what: Sort,
        name: &str,
        read: Result<Option<T>, Failure>,
    ) -> Result<Option<T>, Failure> {
        match read {
            Err(failure @ (Failure::Libvirt(_) | Failure::Xml(_) | Failure::Stamp(_)))
                if alive(connect) =>
            {
                let told = format!("{} {} could not be read: {failure}", what.word(), quoted(name));
                let missed = Missed { told, what, name: name.to_owned() };
                self.0.lock().unwrap_or_else(PoisonError::into_inner).push(missed);
                Ok(None)
            }
            read => read,
        }
    }

    /// Notes a stamp that was read and says nothing. What it is of is known.
    pub(super) fn damaged(&self, place: &Place, error: &serde_json::Error) {
        let told = format!("the stamp of {} is damaged: {error}", place.told());
        let missed = Missed { told, what: Sort::Damaged, name: String::new() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(missed);
    }

    /// Whether there are stamps of which nobody knows what they are of.
    pub(super) fn misses_stamps(&self) -> bool {
        self.all().iter().any(|own| own.what == Sort::Stamp)
    }

    fn all(&self) -> Vec<Missed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells of what guests refer to.
    pub(super) fn tell(&self, directory: &mut Directory) {
        for Missed { what, name, .. } in self.all() {
            match what {
                Sort::Network => directory.add_unread_network(name),
                Sort::Filter => directory.add_unread_filter(name),
                Sort::Pool | Sort::Volumes | Sort::Volume => directory.hide_volumes(),
                Sort::Stamp => directory.hide_owners(),
                Sort::Guest | Sort::Damaged => {}
            }
        }
    }

    pub(super) fn told(&self) -> Vec<String> {
        let mut all: Vec<String> = self.all().into_iter().map(|own| own.told).collect();
        all.sort_unstable();
        let more = all.len().saturating_sub(Unread::NAMED);
        all.truncate(Unread::NAMED);
        all.extend((more > 0).then(|| format!("and {more} more could not be read")));
        all
    }
}

fn alive(connect: &Connect) -> bool {
    connect.is_alive().unwrap_or(false)
}
