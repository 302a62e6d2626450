//! Evaluation: lazy, memoised, and bounded. Every definition is computed when it is first asked
//! for; what is being computed stands on a stack, so that a cycle is seen with its whole path.
//!
//! * `state` – the instances of blocks and what was computed for them.
//! * `expand` – one block becomes its instances: `for`, `if`, keys.
//! * `expr`, `call` – expressions.
//! * `path`, `choose` – references: `tenant.a.vm.web[1].nic.office.address`, `vm.web.*`.
//! * `define` – `let`, `param`, `output`, attributes, and their types.
//! * `attribute` – an attribute of a resource, with `defaults`, the schema's default and what is
//!   derived (`derive`).
//! * `fit` – whether a value is of a type, and what to say if not.
//! * `tenant` – who may read an attribute.
//! * `resource` – a finished resource for the desired graph.

mod attribute;
mod call;
mod choose;
mod cycle;
mod define;
mod derive;
mod expand;
mod expr;
pub(crate) mod fit;
mod path;
mod resource;
mod state;
mod statement;
mod tenant;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexSet;
use tcloud_model::{Address, Assigned, Code, Diagnostic, Name, Span, Value, codes};

use crate::shapes::Shapes;
use crate::tree::{BodyId, DefId, FunctionId, Tree};
use crate::world::Texts;

pub(crate) use call::match_arguments;
pub(crate) use resource::Collected;
pub(crate) use state::{InstanceId, State};

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A diagnostic says why.
    Reported,
    /// It waits for what the planner assigns; [`Eval::late`] says for what.
    Late,
}

pub(crate) type Evaluated<T> = Result<T, Stop>;

/// A parameter from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Variable {
    /// A text as given on a command line: `3`, `8GiB`, `prod`.
    Text(String),
    /// A finished value.
    Value(Value),
}

/// Bounds of one evaluation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) steps: u64,
    pub(crate) resources: usize,
}

impl Bounds {
    /// What each of so many parts may take. Their resources are counted together afterwards.
    pub(crate) fn share(self, parts: usize) -> Bounds {
        Bounds { steps: self.steps / parts as u64, ..self }
    }
}

/// How many definitions may wait for one another. Each takes a few kilobytes of stack.
const DEEPEST: usize = 100;

/// One run of the evaluator over a program.
pub(crate) struct Eval<'p> {
    pub(crate) tree: &'p Tree,
    pub(crate) shapes: &'p Shapes,
    pub(crate) state: &'p mut State,
    pub(crate) variables: &'p BTreeMap<Name, Variable>,
    pub(crate) texts: &'p Texts,
    /// What the planner assigned; `None` while compiling.
    pub(crate) assigned: Option<&'p dyn Assigned>,
    pub(crate) sink: Sink,
    /// Which part of the program this is.
    pub(crate) part: usize,
    bounds: Bounds,
    active: Vec<Active>,
    /// What the last [`Stop::Late`] waits for.
    late: Option<(Address, Name)>,
    /// The expression that asks for the next definition.
    asking: Span,
    /// How many names of types stand for one another where conditions are checked.
    type_names: u8,
}

/// Something that is being computed.
#[derive(Clone, Copy)]
struct Active {
    node: Node,
    /// The expression that asked for it.
    asked: Span,
}

#[derive(Clone, Copy, PartialEq)]
enum Node {
    Def(InstanceId, DefId),
    Call(FunctionId),
    Expansion(InstanceId, u32),
}

/// Diagnostics, each place and code once.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) diagnostics: Vec<Diagnostic>,
    seen: IndexSet<(Code, Span)>,
    /// Resources that already miss something because of a mistake.
    pub(crate) stopped: bool,
}

impl Sink {
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.seen.insert((diagnostic.code, diagnostic.primary.span)) {
            self.diagnostics.push(diagnostic);
        }
    }
}

/// Variables of functions, lambdas and `for` expressions, innermost first, and the scope beyond.
#[derive(Clone, Copy)]
pub(crate) struct Env<'e> {
    frame: Option<&'e Frame<'e>>,
    scope: InstanceId,
    /// The scope that the value is for. Functions, and the conditions of types, read in the name of
    /// whoever uses them.
    reader: InstanceId,
}

struct Frame<'e> {
    bindings: &'e [(&'e Name, Value)],
    outer: Option<&'e Frame<'e>>,
}

impl<'e> Env<'e> {
    fn of(scope: InstanceId) -> Env<'static> {
        Env { frame: None, scope, reader: scope }
    }

    fn local(&self, name: &str) -> Option<&'e Value> {
        let mut frame = self.frame;
        while let Some(at) = frame {
            if let Some((_, value)) = at.bindings.iter().find(|(own, _)| *own == name) {
                return Some(value);
            }
            frame = at.outer;
        }
        None
    }
}

impl<'p> Eval<'p> {
    pub(crate) fn new(
        tree: &'p Tree,
        shapes: &'p Shapes,
        state: &'p mut State,
        variables: &'p BTreeMap<Name, Variable>,
        texts: &'p Texts,
        bounds: Bounds,
    ) -> Eval<'p> {
        let nowhere = Span::new(tcloud_model::FileId(0), 0, 0);
        Eval {
            tree,
            shapes,
            state,
            variables,
            texts,
            assigned: None,
            sink: Sink::default(),
            part: 0,
            bounds,
            active: Vec::new(),
            late: None,
            asking: nowhere,
            type_names: 0,
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Stop {
        self.sink.push(diagnostic);
        Stop::Reported
    }

    /// Takes steps from the budget.
    fn spend(&mut self, steps: u64, at: Span) -> Evaluated<()> {
        if let Some(left) = self.bounds.steps.checked_sub(steps) {
            self.bounds.steps = left;
            return Ok(());
        }
        self.bounds.steps = 0;
        if !self.sink.stopped {
            self.sink.stopped = true;
            self.sink.push(
                Diagnostic::error(
                    codes::E0406,
                    at,
                    "this takes more steps than a program may take",
                )
                .label("stopped here")
                .help(
                    "look for repetitions inside repetitions, and for texts or lists that double; \
                     the limit is a setting",
                ),
            );
        }
        Err(Stop::Reported)
    }

    /// What waits for an assignment cannot decide this.
    fn too_late(&mut self, at: Span, what: &str) -> Stop {
        let needed = match &self.late {
            Some((address, attribute)) => format!("`{address}.{attribute}`"),
            None => "a value that is assigned later".to_owned(),
        };
        self.report(
            Diagnostic::error(codes::E0701, at, format!("{what} cannot depend on {needed}"))
                .label("known only after everything has its place")
                .help(format!("set {needed} in the text, or decide by something else")),
        )
    }

    /// Turns a late value into an error, where it decides something.
    fn now<T>(&mut self, result: Evaluated<T>, at: Span, what: &str) -> Evaluated<T> {
        match result {
            Err(Stop::Late) => Err(self.too_late(at, what)),
            other => other,
        }
    }

    fn wait_for(&mut self, address: &Address, attribute: &Name) -> Stop {
        self.late = Some((address.clone(), attribute.clone()));
        Stop::Late
    }

    /// The scopes that an instance sees by name: itself, then outwards in the text.
    fn lexical(&self, from: InstanceId) -> impl Iterator<Item = InstanceId> + use<'_, 'p> {
        std::iter::successors(Some(from), |at| self.state.get(*at).lexical)
    }

    /// Names of items that could not be read, seen from a scope.
    fn is_bad(&self, from: InstanceId, name: &str) -> bool {
        self.lexical(from).any(|scope| {
            let body = self.tree.body(self.body_of(scope));
            body.bad().iter().any(|bad| bad == name)
        })
    }

    /// Whether mistakes are still explained by what may have been meant.
    fn explains(&self) -> bool {
        crate::check::unknown::is_explained(self.sink.diagnostics.len())
    }

    /// The words that can begin an expression in a scope.
    fn variables_in(&self, from: InstanceId) -> BTreeSet<&str> {
        let mut words = BTreeSet::new();
        for scope in self.lexical(from) {
            let instance = self.state.get(scope);
            words.extend(instance.bindings().iter().map(|(name, _)| name.as_str()));
            let names = self.tree.body(instance.body).names();
            words.extend(names.iter().map(|(name, _)| name.as_str()));
        }
        words
    }

    fn body_of(&self, instance: InstanceId) -> BodyId {
        self.state.get(instance).body
    }
}
