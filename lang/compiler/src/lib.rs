//! Trees to a checked program to desired resources. Pure: files and environment are seen only
//! through [`World`].
//!
//! In the order in which a compilation goes through them:
//!
//! * `world` – files and environment ([`World`], [`MemoryWorld`]).
//! * `program` – the whole way ([`compile`], [`Settings`], [`Program`]).
//! * `tree`, `lower` – all files as flat tables.
//! * `shapes` – what each kind and nested block may hold, from the catalog.
//! * `types`, `variable` – types and parameters as written.
//! * `check` – structure, recursion, order.
//! * `eval` – lazy evaluation to desired resources; `parts` – of large programs on several threads.
//! * `ops`, `methods` – what operators and methods do with values and types.
//! * `semantic` – checks on the finished graph: addresses, quotas, tenancy.
//! * `reference` – kinds, methods and codes as Markdown.
//! * `causes` – which ranges of the text give an attribute its value.

mod causes;
mod check;
mod eval;
mod lower;
mod methods;
mod ops;
mod parts;
mod program;
pub mod reference;
mod semantic;
mod shapes;
mod tree;
mod types;
mod variable;
mod world;

pub use eval::Variable;
pub use program::{Compiled, Limits, Program, Settings, compile};
pub use world::{MemoryWorld, Reader, World, WorldError};
