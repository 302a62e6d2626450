//! The nouns that every crate of tcloud shares. No I/O, no clock, no parser.
//!
//! This is also the glossary; the modules stand in reading order:
//!
//! * [`name`] – a kebab-case word of the language ([`Name`]).
//! * [`address`] – where a resource stands in the text: a path of kind, name and key ([`Address`]).
//! * [`value`] – what an attribute holds ([`Value`]); [`wire`] is its JSON form.
//! * `fields` – values by name ([`Fields`]), also as trees: one over another, values at paths.
//! * [`types`] – what a value may be ([`Type`]).
//! * [`window`] – when a guest may be restarted ([`Window`], [`Moment`]).
//! * [`schema`] – what a kind consists of and what changing it costs ([`Schema`], [`Cost`]).
//! * [`impact`] – what a change does to a running guest ([`Impact`]).
//! * [`kinds`] – the core kinds, as data ([`kinds::core`]).
//! * [`catalog`] – the kinds that a run knows ([`Catalog`]).
//! * [`span`] – a range of a source text ([`Span`], [`Sources`]).
//! * [`diagnostic`] – something wrong with the text, with its place ([`Diagnostic`]).
//! * [`codes`] – every stable diagnostic code with its page ([`codes::find`]).
//! * [`desired`] – what the text asks for ([`DesiredGraph`], [`Evaluator`]).
//! * [`identity`] – who an object is on a hypervisor ([`ObjectId`], [`Identity`], [`Stamp`]).
//! * [`observed`] – what the hypervisors run ([`ObservedState`]).
//! * [`record`] – what tcloud last did ([`State`], [`Record`]).
//! * [`sharing`] – saves memory while many values are read.
//! * [`parallel`] – independent work on several threads.
//! * [`operation`] – one thing asked of a provider ([`Operation`]).

pub mod address;
pub mod by_address;
pub mod catalog;
pub mod codes;
pub mod desired;
pub mod diagnostic;
mod fields;
pub mod identity;
pub mod impact;
pub mod kinds;
pub mod name;
pub mod observed;
pub mod operation;
pub mod parallel;
pub mod record;
pub mod schema;
pub mod sharing;
pub mod span;
pub mod types;
pub mod value;
pub mod window;
pub mod wire;

pub use address::{Address, AddressError, AttrPath, Key, PathStep};
pub use by_address::ByAddress;
pub use catalog::Catalog;
pub use desired::{
    Adoption, Assigned, Check, DesiredGraph, DesiredResource, Evaluator, Forgotten, Lifecycle,
    Moved, Output,
};
pub use diagnostic::{Code, Diagnostic, Fix, Label, Severity};
pub use fields::Fields;
pub use identity::{Deployment, Digest, FieldsDigest, Identity, ObjectId, SealKey, Stamp};
pub use impact::Impact;
pub use name::Name;
pub use observed::{
    Hold, HostFacts, HostObservation, Lack, ObservedObject, ObservedState, PoolFacts, Room,
};
pub use operation::{HostTarget, Operation, OperationKind};
pub use record::{Record, State};
pub use schema::{Attribute, Block, Cost, Role, Schema, Unless};
pub use span::{FileId, Position, SourceFile, Sources, Span};
pub use types::{Field, Type};
pub use value::{Cidr, Money, Port, Protocol, Value};
pub use window::{Moment, Timestamp, Window};
