//! Observes hosts and applies plans: the only part of tcloud that waits for anything. It decides
//! nothing: what is done, and in which order, stands in the plan; what is asked of a provider is
//! durable in the journal before it is asked. The modules stand in reading order:
//!
//! * [`limits`] – how much at once, how long, how often ([`Limits`]).
//! * [`outside`] – time and secrets, so that a simulator can bring its own ([`Clock`]).
//! * [`run`] – what a run works with, who it is, and how it is stopped ([`RunInfo`]).
//! * [`hosts`] – the hosts of a run and the connections to them ([`HostSpec`]).
//! * [`discreet`] – keeps what may be a secret from being read back.
//! * [`observe`] – asks all hosts at once what they run.
//! * [`event`] – what a run tells while it goes on ([`ApplyEvent`]) and in the end ([`Account`]).
//! * [`hold`] – takes the leases of a run and keeps them.
//! * [`contract`] – compares what a provider answered with what was planned.
//! * [`settle`] – finds out what became of an operation by looking at its object.
//! * [`recover`] – settles what earlier runs left open.
//! * [`stale`] – whether the world is still what the plan expects.
//! * [`found`] – the objects of a host by their identity.
//! * [`queue`] – which steps may begin.
//! * `mark` – what a run writes onto objects beside what the plan says.
//! * `reveal` – reads the secrets of a plan before anything is changed.
//! * [`step`] – carries out one step: retries, the call, the answer.
//! * [`apply`] – carries out a plan.
//! * [`refresh`] and [`rebuild`] – records from what is observed.
//! * [`age`] – whether what is remembered is older than what runs.
//! * [`engine`] – all of it behind one door ([`Engine`]).

pub mod age;
pub mod apply;
pub mod contract;
mod discreet;
pub mod engine;
pub mod event;
mod found;
pub mod hold;
pub mod hosts;
pub mod limits;
mod mark;
pub mod observe;
pub mod outside;
mod queue;
pub mod rebuild;
pub mod recover;
pub mod refresh;
mod reveal;
pub mod run;
mod settle;
mod stale;
mod step;

pub use apply::{ApplyError, Judge};
pub use engine::{Engine, EngineConfig};
pub use event::{Account, ApplyEvent, Finding, SkipReason, Trouble};
pub use hold::HoldError;
pub use hosts::HostSpec;
pub use limits::Limits;
pub use outside::{Clock, NoSecrets, SecretError, SecretText, Secrets, SystemClock};
pub use recover::{Concerns, RecoverError, Recovered};
pub use refresh::{ChangeError, Changed, Edit};
pub use run::{Control, RunInfo, Stop};
pub use stale::StaleObject;
