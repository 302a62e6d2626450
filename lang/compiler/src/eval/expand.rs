//! One block becomes its instances: `for n in 1..=3 if cond`, with keys that are values and never
//! positions.

use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, Diagnostic, Key, Name, Span, Value, codes};
use tcloud_syntax::ast::{BlockForm, Expr, Repeat};

use super::state::{Expansion, Instance, InstanceId, Layer, State};
use super::{Env, Eval, Evaluated, Frame, Node, Stop};
use crate::check::structure;
use crate::ops::shown;
use crate::tree::{Block, BlockId, BodyId, GuardId, Named, Shape};

/// A block among the children of an instance, with the scope that its text stands in.
#[derive(Clone, Copy)]
pub(super) struct Child {
    pub(super) block: BlockId,
    pub(super) scope: InstanceId,
}

/// What is done with the element, or with key and value, of each pass of a `for`.
type Visit<'v, 'p> = dyn FnMut(&mut Eval<'p>, Value, Option<Value>) -> Evaluated<()> + 'v;

/// One pass of a `for`: the key and the variables.
#[derive(Default)]
struct Pass<'p> {
    key: Option<Key>,
    bindings: Vec<(&'p Name, Value)>,
    /// For the use of a component: the scope that its arguments stand in.
    arguments: Option<InstanceId>,
    /// What blocks of the same label in the defaults of the block around it give.
    layers: Vec<Layer>,
}

/// How many steps of evaluation each resource allows for.
const STEPS_EACH: u64 = 1_000;

impl<'p> Eval<'p> {
    /// How many blocks stand in an instance, with those that `defaults` add.
    pub(super) fn child_count(&self, id: InstanceId) -> u32 {
        let instance = self.state.get(id);
        let own = self.tree.body(instance.body).blocks.len();
        let layers = instance.layers();
        let added: usize = layers.iter().map(|l| self.tree.body(l.body).blocks.len()).sum();
        u32::try_from(own + added).unwrap_or(u32::MAX)
    }

    /// The block at a position: the instance's own first, then those of `defaults`.
    pub(super) fn child(&self, id: InstanceId, position: u32) -> Option<Child> {
        let instance = self.state.get(id);
        let mut at = position as usize;
        let own = &self.tree.body(instance.body).blocks;
        if let Some(block) = own.get(at) {
            return Some(Child { block: *block, scope: id });
        }
        at -= own.len();
        for layer in instance.layers() {
            let blocks = &self.tree.body(layer.body).blocks;
            if let Some(block) = blocks.get(at) {
                return Some(Child { block: *block, scope: layer.scope });
            }
            at -= blocks.len();
        }
        None
    }

    /// Whether an instance has blocks of a kind and name, its own or of `defaults`, whatever their
    /// conditions.
    pub(super) fn declares(&self, id: InstanceId, kind: &str, name: &str) -> bool {
        let instance = self.state.get(id);
        let mut bodies =
            std::iter::once(instance.body).chain(instance.layers().iter().map(|layer| layer.body));
        bodies.any(|body| !self.tree.blocks_named(body, kind, name).is_empty())
    }

    /// The positions of the blocks of a kind and name. A block of `defaults` counts only where
    /// nothing nearer of its name is there.
    pub(super) fn positions(
        &mut self,
        id: InstanceId,
        kind: &str,
        name: &str,
    ) -> Evaluated<Vec<u32>> {
        let mut groups = self.groups(id, kind, name);
        let Some(farthest) = groups.pop() else { return Ok(Vec::new()) };
        for group in groups {
            if self.any_is_there(id, &group)? {
                return Ok(group);
            }
        }
        Ok(farthest)
    }

    /// The positions of the blocks of a kind and name, whatever their conditions: the instance's
    /// own, then those of each of its `defaults`, as far as there are any.
    fn groups(&self, id: InstanceId, kind: &str, name: &str) -> Vec<Vec<u32>> {
        let instance = self.state.get(id);
        let layers = instance.layers().iter().map(|layer| layer.body);
        let (mut groups, mut offset) = (Vec::new(), 0);
        for body in std::iter::once(instance.body).chain(layers) {
            let found = self.tree.blocks_named(body, kind, name);
            if !found.is_empty() {
                groups.push(found.iter().map(|at| at + offset).collect());
            }
            offset += u32::try_from(self.tree.body(body).blocks.len()).unwrap_or(0);
        }
        groups
    }

    /// Whether one of some blocks is there: its conditions hold. What is repeated over nothing says
    /// that there is none.
    fn any_is_there(&mut self, id: InstanceId, positions: &[u32]) -> Evaluated<bool> {
        for position in positions {
            if !self.expand(id, *position)?.is_empty() {
                return Ok(true);
            }
            let Some(child) = self.child(id, *position) else { continue };
            let block = self.tree.block(child.block);
            if block.repeat.is_some() && self.guards_hold(child.scope, block.guard)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a child does not count, because something nearer of its name is there.
    fn is_shadowed(&mut self, id: InstanceId, position: u32, child: Child) -> Evaluated<bool> {
        if child.scope == id {
            return Ok(false);
        }
        let block = self.tree.block(child.block);
        let name = block.name.as_ref().map_or("", |name| name.name.as_str());
        for group in self.groups(id, &block.kind.name, name) {
            if group.contains(&position) {
                break;
            }
            if self.any_is_there(id, &group)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The instances of the block at a position.
    pub(super) fn expand(&mut self, id: InstanceId, position: u32) -> Evaluated<Range<u32>> {
        match self.state.expansion(id, position) {
            Expansion::Done(range) => return Ok(range.clone()),
            Expansion::Failed => return Err(Stop::Reported),
            Expansion::Fresh => {}
        }
        let Some(child) = self.child(id, position) else { return Ok(0..0) };
        self.enter(Node::Expansion(id, position))?;
        let range = match self.is_shadowed(id, position, child) {
            Ok(true) => Ok(0..0),
            Ok(false) => self.instances(id, child),
            Err(stop) => Err(stop),
        };
        self.leave();
        let count = self.child_count(id) as usize;
        let found = match &range {
            Ok(range) => Expansion::Done(range.clone()),
            Err(_) => Expansion::Failed,
        };
        self.state.expanded(id, position, count, found);
        range
    }

    fn instances(&mut self, id: InstanceId, child: Child) -> Evaluated<Range<u32>> {
        let block = self.tree.block(child.block);
        let nothing = self.state.next()..self.state.next();
        if block.shape == Shape::Unknown || !self.guards_hold(child.scope, block.guard)? {
            return Ok(nothing);
        }
        let passes = match &block.repeat {
            None => vec![Pass::default()],
            Some(repeat) => self.passes(child.scope, repeat)?,
        };
        let mut kept = self.kept(child.scope, block, passes)?;
        if self.state.addressed + kept.len() > self.bounds.resources {
            return Err(self.too_many(block.head));
        }
        self.bounds.steps = self.bounds.steps.saturating_add(kept.len() as u64 * STEPS_EACH);
        // Before all instances, whose numbers follow each other.
        self.lay_nested(id, child, block, &mut kept)?;
        if let Shape::Use(_) = block.shape {
            kept.iter_mut().for_each(|pass| self.use_scope(id, child, block, pass));
        }
        let first = self.state.next();
        for pass in kept {
            self.instance(id, child, block, pass);
        }
        Ok(first..self.state.next())
    }

    /// The passes for which the condition of a block holds.
    fn kept(
        &mut self,
        scope: InstanceId,
        block: &'p Block,
        passes: Vec<Pass<'p>>,
    ) -> Evaluated<Vec<Pass<'p>>> {
        let Some(condition) = &block.condition else { return Ok(passes) };
        let mut kept = Vec::with_capacity(passes.len());
        for pass in passes {
            let frame = Frame { bindings: &pass.bindings, outer: None };
            let env = Env { frame: Some(&frame), ..Env::of(scope) };
            if self.condition(env, condition)? {
                kept.push(pass);
            }
        }
        Ok(kept)
    }

    /// Makes the scope that the arguments of a use stand in, with its variables and `let`s. What is
    /// inside of the component must not see it: there the same names mean something else.
    fn use_scope(
        &mut self,
        parent: InstanceId,
        child: Child,
        block: &'p Block,
        pass: &mut Pass<'p>,
    ) {
        let bindings = owned(std::mem::take(&mut pass.bindings));
        let (parent, scope) = (Some(parent), Some(child.scope));
        let scope = Instance::new(None, Some(child.block), block.body, parent, scope, bindings);
        pass.arguments = Some(self.state.push(scope));
    }

    pub(super) fn too_many(&mut self, at: Span) -> Stop {
        let message = format!("more than {} resources", self.bounds.resources);
        self.report(
            Diagnostic::error(codes::E0406, at, message)
                .label("this goes beyond the limit")
                .help("look at what it is repeated over; the limit is a setting"),
        )
    }

    fn instance(&mut self, parent: InstanceId, child: Child, block: &'p Block, pass: Pass<'p>) {
        let bindings = owned(pass.bindings);
        let address = block.name.as_ref().map(|name| {
            let (kind, name) = (block.kind.name.clone(), name.name.clone());
            match &self.state.get(parent).address {
                Some(outer) => outer.child(kind, name, pass.key),
                None => Address::root(kind, name, pass.key),
            }
        });
        if let Some(address) = &address
            && let Some(earlier) = self.state.at(address)
        {
            self.report_twice(earlier, block, address);
            return;
        }
        let (body, lexical) = match block.shape {
            Shape::Use(component) => {
                let component = self.tree.component(component);
                (component.body, self.declaring(child.scope, component.scope))
            }
            _ => (block.body, child.scope),
        };
        let mut instance =
            Instance::new(address, Some(child.block), body, Some(parent), Some(lexical), bindings);
        if let Some(layers) = self.layers(parent, pass.layers, block) {
            instance.lay(layers);
        }
        if let Some(arguments) = pass.arguments {
            instance.takes(arguments);
        }
        self.state.push(instance);
    }

    pub(super) fn report_twice(&mut self, earlier: InstanceId, block: &Block, what: &dyn Display) {
        let first = self.state.get(earlier).block.map(|block| self.tree.block(block).head);
        let mut diagnostic =
            Diagnostic::error(codes::E0302, block.head, format!("{what} is declared twice"))
                .label("again")
                .help("conditions of blocks with one name have to exclude each other");
        if let Some(first) = first {
            diagnostic = diagnostic.also(first, "first");
        }
        self.sink.push(diagnostic);
    }

    /// The scope, seen from a use, that a component was declared in.
    fn declaring(&self, from: InstanceId, body: BodyId) -> InstanceId {
        self.lexical(from).find(|scope| self.body_of(*scope) == body).unwrap_or(State::ROOT)
    }

    /// The `defaults` that apply to a new instance.
    fn layers(
        &mut self,
        parent: InstanceId,
        nested: Vec<Layer>,
        block: &'p Block,
    ) -> Option<Arc<[Layer]>> {
        let kind = &block.kind.name;
        let is_kind =
            matches!(block.shape, Shape::Known(shape) if self.shapes.get(shape).schema.is_some());
        let scoped = if is_kind { self.scope_layers(parent, kind) } else { None };
        match scoped {
            scoped if nested.is_empty() => scoped,
            None => Some(nested.into()),
            Some(far) => Some(nested.into_iter().chain(far.iter().copied()).collect()),
        }
    }

    /// Blocks of the same label in the defaults of the block around it: their attributes hold where
    /// the nearer block is silent. One that is repeated gives those of each pass to the instance of
    /// the same key.
    fn lay_nested(
        &mut self,
        parent: InstanceId,
        child: Child,
        block: &'p Block,
        kept: &mut [Pass<'p>],
    ) -> Evaluated<()> {
        let tree = self.tree;
        let name = block.name.as_ref().map_or("", |name| name.name.as_str());
        let mut alike = Vec::new();
        for layer in self.state.get(parent).layers() {
            for at in tree.blocks_named(layer.body, &block.kind.name, name) {
                let id = tree.body(layer.body).blocks[*at as usize];
                if id != child.block {
                    alike.push((id, layer.scope));
                }
            }
        }
        for (id, scope) in alike {
            let other = tree.block(id);
            if other.repeat.is_some() {
                self.lay_repeated(parent, id, scope, kept)?;
            } else if self.gives_defaults(scope, other) {
                kept.iter_mut().for_each(|own| own.layers.push(Layer { body: other.body, scope }));
            }
        }
        Ok(())
    }

    fn lay_repeated(
        &mut self,
        parent: InstanceId,
        id: BlockId,
        scope: InstanceId,
        kept: &mut [Pass<'p>],
    ) -> Evaluated<()> {
        let other = self.tree.block(id);
        let Some(repeat) = &other.repeat else { return Ok(()) };
        if kept.iter().all(|own| own.key.is_none()) || !self.guards_hold(scope, other.guard)? {
            return Ok(());
        }
        let passes = self.passes(scope, repeat)?;
        let passes = self.kept(scope, other, passes)?;
        let mut given: IndexMap<Option<Key>, Vec<_>> =
            passes.into_iter().map(|pass| (pass.key, pass.bindings)).collect();
        for own in kept {
            let Some(bindings) = given.swap_remove(&own.key) else { continue };
            let (around, bindings) = (Some(parent), owned(bindings));
            let of = Instance::new(None, Some(id), other.body, around, Some(scope), bindings);
            own.layers.push(Layer { body: other.body, scope: self.state.push(of) });
        }
        Ok(())
    }

    /// Whether all conditions of a block that gives defaults hold where it was written.
    fn gives_defaults(&mut self, scope: InstanceId, block: &'p Block) -> bool {
        self.guards_hold(scope, block.guard).unwrap_or(false)
            && match &block.condition {
                Some(condition) => self.condition(Env::of(scope), condition).unwrap_or(false),
                None => true,
            }
    }

    /// `defaults KIND` of the scopes around, innermost first.
    fn scope_layers(&mut self, scope: InstanceId, kind: &Name) -> Option<Arc<[Layer]>> {
        if let Some(known) = self.state.cached_defaults(scope, kind) {
            return known;
        }
        let instance = self.state.get(scope);
        let (body, parent) = (self.tree.body(instance.body), instance.parent);
        let mut found: Vec<Layer> = Vec::new();
        let mut first: Option<&Block> = None;
        for id in body.defaults() {
            let block = self.tree.block(*id);
            if block.kind.name != *kind || !self.gives_defaults(scope, block) {
                continue;
            }
            match first {
                None => first = Some(block),
                Some(first) => self.sink.push(structure::defaults_given_twice(first, block)),
            }
            found.push(Layer { body: block.body, scope });
        }
        let outer = parent.and_then(|parent| self.scope_layers(parent, kind));
        let layers = if found.is_empty() {
            outer
        } else {
            found.extend(outer.iter().flat_map(|outer| outer.iter().copied()));
            Some(found.into())
        };
        if self.holds_others(scope) {
            self.state.cache_defaults(scope, kind, layers.clone());
        }
        layers
    }

    /// Whether resources stand in an instance, so that remembering defaults there pays.
    fn holds_others(&self, id: InstanceId) -> bool {
        let Some(block) = self.state.get(id).block else { return true };
        match self.tree.block(block).shape {
            Shape::Known(shape) => self.shapes.get(shape).is_scope(),
            Shape::Use(_) => true,
            Shape::Unknown => false,
        }
    }

    /// Whether all conditions around a statement hold.
    pub(super) fn guards_hold(
        &mut self,
        scope: InstanceId,
        guard: Option<GuardId>,
    ) -> Evaluated<bool> {
        let mut at = guard;
        while let Some(id) = at {
            let guard = self.tree.guard(id);
            let condition = self.tree.condition(guard);
            if self.condition(Env::of(scope), condition)? != guard.expected {
                return Ok(false);
            }
            at = guard.outer;
        }
        Ok(true)
    }

    /// A condition that decides what exists.
    pub(super) fn condition(&mut self, env: Env<'_>, expr: &'p Expr) -> Evaluated<bool> {
        let result = self.eval(env, expr);
        let value = self.now(result, expr.span, "a condition")?;
        self.truth(&value, expr.span)
    }

    pub(super) fn truth(&mut self, value: &Value, at: Span) -> Evaluated<bool> {
        match value {
            Value::Bool(flag) => Ok(*flag),
            Value::Secret(_) => Err(self.secret_decides(at, "a condition")),
            other => {
                let message = format!("a condition is true or false, not {}", shown(other));
                Err(self.report(
                    Diagnostic::error(codes::E0201, at, message)
                        .help("compare it with something: `count > 0`, `env == \"prod\"`"),
                ))
            }
        }
    }

    pub(super) fn secret_decides(&mut self, at: Span, what: &str) -> Stop {
        self.report(
            Diagnostic::error(codes::E0802, at, format!("a secret cannot decide {what}"))
                .label("what exists would give the secret away")
                .help("decide by a parameter, and keep the secret for the value"),
        )
    }

    fn passes(&mut self, scope: InstanceId, repeat: &'p Repeat) -> Evaluated<Vec<Pass<'p>>> {
        let at = repeat.over.span;
        let result = self.eval(Env::of(scope), &repeat.over);
        let over = self.now(result, at, "a repetition")?;
        let mut passes = Vec::new();
        let mut seen = IndexSet::new();
        let mut failed = false;
        self.each(repeat, &over, &mut |eval, first, second| {
            eval.spend(1, at)?;
            if passes.len() > eval.bounds.resources {
                eval.bounds.steps = 0;
                return eval.spend(1, at);
            }
            match eval.key(&first, at) {
                Ok(key) if seen.insert(key.clone()) => {
                    let mut bindings = vec![(&repeat.first.name, first)];
                    if let (Some(variable), Some(value)) = (&repeat.second, second) {
                        bindings.push((&variable.name, value));
                    }
                    passes.push(Pass { key: Some(key), bindings, ..Pass::default() });
                }
                Ok(key) => {
                    failed = true;
                    eval.sink.push(
                        Diagnostic::error(codes::E0303, at, format!("the key {key} comes twice"))
                            .help("repeat over values that differ: `xs.unique()`"),
                    );
                }
                Err(_) => failed = true,
            }
            Ok(())
        })?;
        if failed { Err(Stop::Reported) } else { Ok(passes) }
    }

    fn key(&mut self, value: &Value, at: Span) -> Evaluated<Key> {
        match value {
            Value::Int(number) => Ok(Key::Int(*number)),
            Value::Text(text) if is_key(text) => Ok(Key::Text(Name::new(text))),
            Value::Ref(address) => Ok(Key::Ref(address.clone())),
            Value::Text(_) => Err(self.report(
                Diagnostic::error(codes::E0304, at, format!("{value} cannot be a key")).help(
                    "keys become parts of names: a to z, A to Z, digits, `.`, `-` and `_`; they \
                     begin with a letter or digit and have at most 63 characters",
                ),
            )),
            Value::Secret(_) => Err(self.secret_decides(at, "a name")),
            other => Err(self.report(
                Diagnostic::error(codes::E0206, at, format!("{} cannot be a key", shown(other)))
                    .help("repeat over numbers, texts or references"),
            )),
        }
    }

    /// Calls `visit` with the element, or with key and value, of whatever can be repeated over.
    pub(super) fn each(
        &mut self,
        repeat: &'p Repeat,
        over: &Value,
        visit: &mut Visit<'_, 'p>,
    ) -> Evaluated<()> {
        let pairs = repeat.second.is_some();
        match over {
            Value::Range(first, last) if !pairs => {
                // Refused before the passes are made: they would fill the memory.
                let beyond = i64::try_from(self.bounds.resources).unwrap_or(i64::MAX);
                if last.checked_sub(*first).is_none_or(|length| length >= beyond) {
                    return Err(self.too_many(repeat.over.span));
                }
                (*first..=*last).try_for_each(|number| visit(self, Value::Int(number), None))
            }
            Value::List(items) if !pairs => {
                items.iter().try_for_each(|item| visit(self, item.clone(), None))
            }
            Value::Map(fields) => fields.iter().try_for_each(|(name, value)| {
                let second = pairs.then(|| value.clone());
                visit(self, Value::text(name), second)
            }),
            Value::Secret(_) => Err(self.secret_decides(repeat.over.span, "a repetition")),
            other => {
                let (what, help) = if pairs {
                    ("`for k, v` needs a map or an object", "for a list write `for x in xs`")
                } else {
                    ("`for` needs a list, a range or a map", "a range is written `1..=3`")
                };
                let message = format!("{what}, this is {}", shown(other));
                Err(self
                    .report(Diagnostic::error(codes::E0206, repeat.over.span, message).help(help)))
            }
        }
    }

    /// A component with this name, seen from a scope.
    pub(super) fn knows_component(&self, from: InstanceId, word: &str) -> bool {
        self.lexical(from).any(|scope| {
            let named = self.tree.named(self.body_of(scope), word);
            named.iter().any(|(_, named)| matches!(named, Named::Component(_)))
        })
    }

    /// Whether a block only gives defaults.
    pub(super) fn is_existing(&self, id: InstanceId) -> bool {
        let block = self.state.get(id).block;
        block.is_some_and(|block| self.tree.block(block).form == BlockForm::Existing)
    }
}

fn owned(bindings: Vec<(&Name, Value)>) -> Box<[(Name, Value)]> {
    bindings.into_iter().map(|(name, value)| (name.clone(), value)).collect()
}

/// Whether a text may be a key: it becomes part of the names of objects.
fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= tcloud_model::name::MAX_LENGTH
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}
