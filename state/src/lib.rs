//! What tcloud remembers: a journal of everything that runs did, chained by hashes, and the state
//! that follows from it. The modules stand in reading order:
//!
//! * [`scope`] – the part of a deployment that one run holds: a tenant, or what is shared.
//! * [`journal`] – one line of the journal ([`Entry`]) and its JSON form.
//! * [`chain`] – how each entry is tied to the one before it ([`Head`], [`Sealed`]).
//! * [`fold`] – how the state follows from the journal ([`Folded`]).
//! * `follow` – follows a chain, or parts of it.
//! * [`lease`] – who may write to a scope, and for how long ([`Lease`], [`Holder`]).
//! * [`process`] – whether the process that holds a lease still lives.
//! * [`store`] – where all of this is kept ([`Store`]).
//! * [`writer`] – appends entries to the scopes that a run holds ([`Writer`]).
//! * [`memory`] – a store that ends with the process.
//! * [`sqlite`] – a store in a file.
//! * [`postgres`] – a store in a database that a team shares.
//! * [`verify`] – follows the chains, and finds the first entry that does not fit.
//! * [`export`] – everything that a store holds, as one JSON document.

pub mod chain;
pub mod export;
pub mod fold;
mod follow;
pub mod journal;
pub mod lease;
pub mod memory;
pub mod postgres;
pub mod process;
mod record;
pub mod scope;
pub mod sqlite;
pub mod store;
pub mod verify;
pub mod writer;

pub use chain::{Hash, Head, Sealed};
pub use fold::{Folded, OpenIntent};
pub use journal::{
    Begin, Body, End, EndStatus, Entry, Intent, IntentId, Outcome, RecordChange, Remembered,
    StepResult, Takeover, Why,
};
pub use lease::{Acquired, Holder, Lease, LeaseRequest};
pub use memory::MemoryStore;
pub use postgres::PostgresStore;
pub use process::{LocalProcesses, Process, Processes};
pub use scope::Scope;
pub use sqlite::SqliteStore;
pub use store::{Append, Filter, Loaded, Logged, Selection, Store, StoreError};
pub use writer::Writer;
