//! `moved`, `adopt`, `forget`, `check`, and outputs: what is neither a block nor an attribute.

use tcloud_model::{
    Address, Adoption, Check, Diagnostic, Forgotten, Key, Moved, Name, Output, Value, codes,
};
use tcloud_syntax::ast::{Assert, Expr, ExprKind};

use super::resource::Collected;
use super::state::{Instance, InstanceId};
use super::{Env, Eval, Evaluated, Stop};
use crate::ops::shown;
use crate::parts::Held;
use crate::tree::{BodyId, DefKind, Statement};

/// One segment of an address as written.
type Segment = (Name, Name, Option<Key>);

impl<'p> Eval<'p> {
    pub(super) fn statements_of(&mut self, id: InstanceId, out: &mut Collected) {
        for (guard, statement) in self.tree.body(self.body_of(id)).statements() {
            if self.guards_hold(id, *guard) != Ok(true) {
                continue;
            }
            match statement {
                Statement::Moved(moved) => {
                    let (from, to) = (self.address(id, &moved.from), self.address(id, &moved.to));
                    if let (Ok(from), Ok(to)) = (from, to) {
                        out.moved.push(Moved { from, to, span: moved.span });
                    }
                }
                Statement::Adopt(adopt) => {
                    let address = self.address(id, &adopt.address);
                    let (from, host) =
                        (self.eval(Env::of(id), &adopt.from), self.eval(Env::of(id), &adopt.host));
                    let from = from.and_then(|value| self.adopted_name(value, &adopt.from));
                    let host = host.and_then(|value| self.adopted_host(value, &adopt.host));
                    if let (Ok(address), Ok(from), Ok(host)) = (address, from, host) {
                        out.adopted.push(Adoption { address, from, host, span: adopt.span });
                    }
                }
                Statement::Forget(forget) => {
                    if let Ok(address) = self.address(id, &forget.address) {
                        out.forgotten.push(Forgotten { address, span: forget.span });
                    }
                }
                Statement::Check(name, body) => {
                    let check = self.check_instance(id, *body);
                    let check = Held { part: self.part, id: check };
                    out.checks.push((self.scoped_name(id, &name.name), check));
                }
                Statement::Assert(_) => {}
            }
        }
    }

    fn check_instance(&mut self, scope: InstanceId, body: BodyId) -> InstanceId {
        self.state.push(Instance::new(None, None, body, Some(scope), Some(scope), Box::default()))
    }

    fn adopted_name(&mut self, value: Value, expr: &Expr) -> Evaluated<String> {
        match value {
            Value::Text(text) => Ok(text.to_string()),
            other => {
                let message = format!("a name or UUID is a text, this is {}", shown(&other));
                Err(self.report(
                    Diagnostic::error(codes::E0201, expr.span, message)
                        .help("write it in quotes: `from \"web-old\"`"),
                ))
            }
        }
    }

    fn adopted_host(&mut self, value: Value, expr: &Expr) -> Evaluated<Address> {
        match value {
            Value::Ref(address) if address.kind() == "host" => Ok(address),
            other => {
                let message = format!("a host is needed here, this is {}", shown(&other));
                Err(self.report(
                    Diagnostic::error(codes::E0201, expr.span, message)
                        .help("write `on host.NAME`"),
                ))
            }
        }
    }

    /// An address as a path, whether or not something is there now. Short paths begin in the nearest
    /// scope that declares the first segment, or else in the scope of the statement.
    fn address(&mut self, scope: InstanceId, expr: &'p Expr) -> Evaluated<Address> {
        let mut segments = Vec::new();
        if self.segments(scope, expr, &mut segments)?.is_some() {
            return Err(self.no_address(expr));
        }
        let Some((kind, name, _)) = segments.first() else { return Err(self.no_address(expr)) };
        let declaring = self
            .lexical(scope)
            .find(|scope| !self.tree.blocks_named(self.body_of(*scope), kind, name).is_empty());
        let top = matches!(kind.as_str(), "tenant" | "site");
        let base = match declaring {
            Some(declaring) => self.state.get(declaring).address.clone(),
            None if top => None,
            None => self.state.get(scope).address.clone(),
        };
        let mut address = base;
        for (kind, name, key) in segments {
            address = Some(match &address {
                Some(outer) => outer.child(kind, name, key),
                None => Address::root(kind, name, key),
            });
        }
        address.ok_or(Stop::Reported)
    }

    /// Collects finished segments; returns the kind that still waits for its name.
    fn segments(
        &mut self,
        scope: InstanceId,
        expr: &'p Expr,
        out: &mut Vec<Segment>,
    ) -> Evaluated<Option<Name>> {
        match &expr.kind {
            ExprKind::Name(kind) => Ok(Some(kind.clone())),
            ExprKind::Paren(inner) => self.segments(scope, inner, out),
            ExprKind::Field(base, name) => match self.segments(scope, base, out)? {
                Some(kind) => {
                    out.push((kind, name.name.clone(), None));
                    Ok(None)
                }
                None => Ok(Some(name.name.clone())),
            },
            ExprKind::Index(base, key) => {
                if self.segments(scope, base, out)?.is_some() {
                    return Err(self.no_address(expr));
                }
                let key = match self.eval(Env::of(scope), key)? {
                    Value::Int(number) => Key::Int(number),
                    Value::Text(text) => Key::Text(Name::new(&text)),
                    Value::Ref(address) => Key::Ref(address),
                    _ => return Err(self.no_address(expr)),
                };
                match out.last_mut() {
                    Some((_, _, own @ None)) => *own = Some(key),
                    _ => return Err(self.no_address(expr)),
                }
                Ok(None)
            }
            ExprKind::Bad => Err(Stop::Reported),
            _ => Err(self.no_address(expr)),
        }
    }

    fn no_address(&mut self, expr: &Expr) -> Stop {
        self.report(
            Diagnostic::error(codes::E0308, expr.span, "this is no address")
                .help("an address is kinds and names in turn: `tenant.rhoenblick.vm.web[1]`"),
        )
    }

    /// A name with the scope that it stands in: `tenant.a.spread`.
    fn scoped_name(&self, scope: InstanceId, name: &Name) -> Name {
        match &self.state.get(scope).address {
            Some(address) => Name::from(format!("{address}.{name}")),
            None => name.clone(),
        }
    }

    /// The outputs of an instance. What waits for an assignment is left out.
    pub(crate) fn outputs(&mut self, id: InstanceId, out: &mut Vec<Output>) {
        for (def, found) in self.tree.defs_of(self.body_of(id)) {
            if found.kind != DefKind::Output || self.guards_hold(id, found.guard) != Ok(true) {
                continue;
            }
            self.asking = found.name.span;
            if let Ok(value) = self.definition(id, def, None) {
                let doc = found.doc.as_deref().unwrap_or_default().to_owned();
                out.push(Output { name: self.scoped_name(id, &found.name.name), doc, value });
            }
        }
    }

    /// Evaluates a check; what is wrong with its expressions counts as a failure.
    pub(crate) fn check(&mut self, name: &Name, id: InstanceId) -> Check {
        let mut failures = Vec::new();
        for (guard, statement) in self.tree.body(self.body_of(id)).statements() {
            if let Statement::Assert(assert) = statement
                && self.guards_hold(id, *guard) == Ok(true)
                && let Some(failure) = self.assertion(name, id, assert)
            {
                failures.push(failure);
            }
        }
        Check { name: name.clone(), failures }
    }

    fn assertion(&mut self, name: &Name, id: InstanceId, assert: &'p Assert) -> Option<Diagnostic> {
        let at = assert.condition.span;
        let value = self.eval(Env::of(id), &assert.condition).ok()?;
        if self.truth(&value, at).ok()? {
            return None;
        }
        let said = assert.message.as_ref().and_then(|m| self.eval(Env::of(id), m).ok());
        let message = match said {
            Some(Value::Text(text)) => {
                let clean: String = text
                    .chars()
                    .map(|c| if tcloud_model::value::is_unsafe_to_print(c) { ' ' } else { c })
                    .collect();
                format!("check `{name}` does not hold: {clean}")
            }
            _ => format!("check `{name}` does not hold"),
        };
        Some(
            Diagnostic::error(codes::E0990, at, message)
                .label("this is false")
                .help("change the text so that it holds, or the check"),
        )
    }
}
