//! References. A path is followed word by word: a scope, a kind in it, a name, a key, an attribute.

use std::ops::Range;

use tcloud_model::{Diagnostic, Name, Span, Value, codes};
use tcloud_syntax::ast::{Expr, ExprKind, Ident};

use super::state::{InstanceId, State};
use super::{Env, Eval, Evaluated, Stop};
use crate::check::{habit, unknown};
use crate::methods;
use crate::ops::OpError;
use crate::shapes::ShapeInfo;
use crate::tree::{DefKind, Named, Shape, Tree};

/// What a path has reached.
#[derive(Clone, Debug)]
pub(super) enum Place<'p> {
    Value(Value),
    /// An object that the path names. Whose it is, is asked where the path ends.
    Object(InstanceId),
    /// A nested block that is no object of its own: `quota`, `dhcp`, `allow`.
    Part(InstanceId),
    /// `tenant.x.vm`: a name has to follow.
    Kind(InstanceId, &'p str),
    /// `vm.web` of a repeated block: a key or `*` has to follow. All declarations of the name, one of
    /// which is repeated at least.
    Repeated(InstanceId, Vec<u32>),
    /// All of something.
    Many(Vec<Place<'p>>),
}

impl<'p> Eval<'p> {
    /// Follows a path.
    pub(super) fn place(&mut self, env: Env<'_>, expr: &'p Expr) -> Evaluated<Place<'p>> {
        match &expr.kind {
            ExprKind::Name(name) => self.name(env, name, expr.span),
            ExprKind::Field(base, field) => {
                if let ExprKind::Name(kind) = &base.kind
                    && !self.is_variable(env, kind)
                {
                    return self.global(env, kind, field, expr.span);
                }
                let base = self.place(env, base)?;
                self.field(env, base, field, expr.span)
            }
            ExprKind::Index(base, index) => {
                let base = self.place(env, base)?;
                let key = self.eval(env, index)?;
                self.index(base, &key, index.span, expr.span)
            }
            ExprKind::Star(base) => self.star(env, base),
            _ => self.eval(env, expr).map(Place::Value),
        }
    }

    pub(super) fn is_variable(&self, env: Env<'_>, name: &str) -> bool {
        env.local(name).is_some()
            || self.lexical(env.scope).any(|scope| {
                let instance = self.state.get(scope);
                instance.bindings().iter().any(|(own, _)| own == name)
                    || self
                        .tree
                        .named(instance.body, name)
                        .iter()
                        .any(|(_, named)| matches!(named, Named::Def(_)))
            })
    }

    /// A variable: of a `for`, a function or a lambda, then `let`s and parameters outwards.
    fn name(&mut self, env: Env<'_>, name: &'p Name, at: Span) -> Evaluated<Place<'p>> {
        if let Some(value) = env.local(name) {
            return Ok(Place::Value(value.clone()));
        }
        let mut scope = Some(env.scope);
        while let Some(id) = scope {
            let instance = self.state.get(id);
            if let Some((_, value)) = instance.bindings().iter().find(|(own, _)| own == name) {
                return Ok(Place::Value(value.clone()));
            }
            let outer = instance.lexical;
            for (_, named) in self.tree.named(instance.body, name) {
                if let Named::Def(def) = named
                    && self.guards_hold(id, self.tree.def(*def).guard)?
                {
                    self.asking = at;
                    return self.definition(id, *def, None).map(Place::Value);
                }
            }
            scope = outer;
        }
        if name == "any" {
            return Ok(Place::Value(Value::text("any")));
        }
        Err(self.unknown_name(env, name, at))
    }

    pub(super) fn unknown_name(&mut self, env: Env<'_>, name: &str, at: Span) -> Stop {
        if self.is_bad(env.scope, name) {
            return Stop::Reported;
        }
        if !self.explains() {
            return self.report(unknown::name(name, at, &[], &[], None));
        }
        let mut words: Vec<&str> = self.variables_in(env.scope).into_iter().collect();
        let mut frame = env.frame;
        while let Some(at) = frame {
            words.extend(at.bindings.iter().map(|(name, _)| name.as_str()));
            frame = at.outer;
        }
        let components = self.tree.components.iter().map(|component| component.name.name.as_str());
        let kinds: Vec<&str> =
            self.shapes.kinds().map(|(word, _)| word.as_str()).chain(components).collect();
        let called = self.tree.called(self.body_of(env.scope), name);
        let diagnostic = unknown::name(name, at, &words, &kinds, called);
        self.report(diagnostic)
    }

    /// `kind.name` as the beginning of a path: the nearest scope that declares it.
    fn global(
        &mut self,
        env: Env<'_>,
        kind: &'p Name,
        name: &'p Ident,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        let mut scope = Some(env.scope);
        while let Some(id) = scope {
            if self.declares(id, kind, &name.name) {
                return self.member(id, kind, name, at);
            }
            scope = self.state.get(id).lexical;
        }
        if let Some(site) = self.site_with(kind, name, at)? {
            return self.member(site, kind, name, at);
        }
        if self.is_bad(env.scope, &name.name) {
            return Err(Stop::Reported);
        }
        if let Some(help) = habit::path(kind, Some(&name.name)) {
            let message = format!("tcloud has no `{kind}.{}`", name.name);
            return Err(self.report(Diagnostic::error(codes::E0010, at, message).help(help)));
        }
        if self.shapes.kind(kind).is_none() && !self.knows_component(env.scope, kind) {
            let first = Span { end: at.start + u32::try_from(kind.len()).unwrap_or(0), ..at };
            return Err(self.unknown_name(env, kind, first));
        }
        let scopes: Vec<InstanceId> = self.lexical(env.scope).collect();
        Err(self.unknown_member(&scopes, kind, name, at))
    }

    /// The only site that has a host, pool or network of this name, so that `host.kvm1` is enough
    /// outside of sites.
    fn site_with(&mut self, kind: &str, name: &Ident, at: Span) -> Evaluated<Option<InstanceId>> {
        let Some(shape) = self.shapes.kind(kind).map(|kind| self.shapes.get(kind)) else {
            return Ok(None);
        };
        if !shape.schema.as_ref().is_some_and(|s| s.within.iter().any(|outer| outer == "site")) {
            return Ok(None);
        }
        let mut found: Option<InstanceId> = None;
        let sites: Vec<u32> =
            self.tree.blocks_of_kind(Tree::ROOT, "site").map(|(position, _)| position).collect();
        for position in sites {
            for site in State::range(self.expand(State::ROOT, position)?) {
                if !self.declares(site, kind, &name.name) {
                    continue;
                }
                let Some(first) = found.replace(site) else { continue };
                let (first, second) = (self.instance_path(first), self.instance_path(site));
                let message = format!("{kind} `{}` is in {first} and in {second}", name.name);
                return Err(self.report(
                    Diagnostic::error(codes::E0301, at, message)
                        .help(format!("write `{first}.{kind}.{}`", name.name)),
                ));
            }
        }
        Ok(found)
    }

    /// Nothing has this kind and name: what has, in the scopes that were searched?
    fn unknown_member(
        &mut self,
        scopes: &[InstanceId],
        kind: &str,
        name: &Ident,
        at: Span,
    ) -> Stop {
        if !self.explains() {
            return self.report(unknown::member(kind, name, at, None, Vec::new()));
        }
        let mut known: Vec<&str> = Vec::new();
        for scope in scopes {
            let body = self.tree.body(self.body_of(*scope));
            if body.incomplete() || self.tree.has_misspelt(self.body_of(*scope), &name.name) {
                return Stop::Reported;
            }
            let blocks = self.tree.blocks_of_kind(self.body_of(*scope), kind);
            known.extend(blocks.filter_map(|(_, b)| b.name.as_ref().map(|n| n.name.as_str())));
        }
        let alone = scopes.iter().filter(|_| scopes.len() == 1);
        let place = alone.into_iter().find_map(|scope| self.state.get(*scope).address.as_ref());
        let place = place.map(ToString::to_string);
        let diagnostic = unknown::member(kind, name, at, place.as_deref(), known);
        self.report(diagnostic)
    }

    /// A block of an instance by kind and name.
    fn member(
        &mut self,
        id: InstanceId,
        kind: &'p str,
        name: &'p Ident,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        let positions = self.positions(id, kind, &name.name)?;
        if positions.is_empty() {
            let bad = self.tree.body(self.body_of(id)).bad().contains(&name.name);
            return Err(if bad {
                Stop::Reported
            } else {
                self.unknown_member(&[id], kind, name, at)
            });
        }
        if positions.iter().any(|position| self.is_repeated(id, *position)) {
            return Ok(Place::Repeated(id, positions));
        }
        if let Some(place) = self.not_repeated(id, &positions, at)? {
            return Ok(place);
        }
        let last = positions.last().and_then(|position| self.child(id, *position));
        let head = last.map_or(at, |child| self.tree.block(child.block).head);
        Err(self.does_not_hold(&format!("{kind} `{}`", name.name), head, at))
    }

    fn is_repeated(&self, id: InstanceId, position: u32) -> bool {
        self.child(id, position).is_some_and(|child| self.tree.block(child.block).repeat.is_some())
    }

    /// The instance of a name by those of its declarations that are not repeated: the one whose
    /// condition holds, if any does.
    fn not_repeated(
        &mut self,
        id: InstanceId,
        positions: &[u32],
        at: Span,
    ) -> Evaluated<Option<Place<'p>>> {
        for position in positions {
            if self.is_repeated(id, *position) {
                continue;
            }
            let range = self.existing(id, *position, at)?;
            if let Some(instance) = State::range(range).next() {
                return self.instance_place(instance).map(Some);
            }
        }
        Ok(None)
    }

    /// The instances of a block that a reference needs.
    pub(super) fn existing(
        &mut self,
        id: InstanceId,
        position: u32,
        at: Span,
    ) -> Evaluated<Range<u32>> {
        self.asking = at;
        let found = self.expand(id, position);
        self.now(found, at, "what exists")
    }

    fn does_not_hold(&mut self, what: &str, declared: Span, at: Span) -> Stop {
        self.report(
            Diagnostic::error(codes::E0305, at, format!("{what} does not exist"))
                .label("its condition does not hold")
                .also(declared, "declared here")
                .help("put this under the same condition"),
        )
    }

    /// An instance as something that a path goes on from.
    pub(super) fn instance_place(&mut self, id: InstanceId) -> Evaluated<Place<'p>> {
        let instance = self.state.get(id);
        let shape = instance.block.map(|block| self.tree.block(block).shape);
        let object = match shape {
            Some(Shape::Known(shape)) => self.shapes.get(shape).schema.is_some(),
            Some(Shape::Use(_)) => true,
            Some(Shape::Unknown) => return Err(Stop::Reported),
            None => false,
        };
        let Some(address) = instance.address.as_ref().filter(|_| object) else {
            return Ok(Place::Part(id));
        };
        if address.kind() == "disk"
            && let Some(volume) = self.attached_volume(id)?
        {
            let found = self.state.at(&volume).map(Place::Object);
            return Ok(found.unwrap_or(Place::Value(Value::Ref(volume))));
        }
        Ok(Place::Object(id))
    }

    fn field(
        &mut self,
        env: Env<'_>,
        base: Place<'p>,
        field: &'p Ident,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        match base {
            Place::Value(Value::Ref(address)) => match self.state.at(&address) {
                Some(id) => self.instance_field(env, id, field, at),
                None => Err(self.no_field(&Value::Ref(address), field)),
            },
            Place::Value(Value::List(items))
                if items.iter().all(|item| matches!(item, Value::Ref(_)))
                    && methods::property(&Value::List(items.clone()), &field.name).is_none() =>
            {
                let all = items.iter().map(|item| Place::Value(item.clone())).collect();
                self.field(env, Place::Many(all), field, at)
            }
            Place::Value(Value::Map(fields)) => match fields.get(&field.name) {
                Some(value) => Ok(Place::Value(value.clone())),
                None => {
                    let value = Value::Map(fields);
                    match methods::property(&value, &field.name) {
                        Some(value) => Ok(Place::Value(value)),
                        None => Err(self.no_field(&value, field)),
                    }
                }
            },
            Place::Value(value) => {
                self.refuse_secret(&value, at)?;
                match methods::property(&value, &field.name) {
                    Some(value) => Ok(Place::Value(value)),
                    None => Err(self.no_field(&value, field)),
                }
            }
            Place::Part(id) | Place::Object(id) => self.instance_field(env, id, field, at),
            Place::Kind(id, kind) => self.member(id, kind, field, at),
            Place::Repeated(id, positions) => match self.not_repeated(id, &positions, at)? {
                Some(place) => self.field(env, place, field, at),
                None => Err(self.needs_key(id, &positions, at)),
            },
            Place::Many(places) => {
                let all: Evaluated<Vec<_>> =
                    places.into_iter().map(|place| self.field(env, place, field, at)).collect();
                all.map(Place::Many)
            }
        }
    }

    fn no_field(&mut self, value: &Value, field: &Ident) -> Stop {
        let diagnostic = match value {
            Value::Map(fields) => {
                let most = if self.explains() { fields.len() } else { 0 };
                let known = fields.iter().take(most).map(|(name, _)| name.as_str());
                unknown::field("the object", field, known.collect())
            }
            Value::None => {
                Diagnostic::error(codes::E0306, field.span, "this may be absent, it has no fields")
                    .help("say what holds then: `x ?? …`")
            }
            other => {
                let ty = crate::check::infer::of_value(other);
                let OpError { code, message, help } = methods::unknown_property(&ty, &field.name);
                Diagnostic::error(code, field.span, message).help(help)
            }
        };
        self.report(diagnostic)
    }

    /// What an instance has under a name: an attribute, an output, a nested block, a kind.
    fn instance_field(
        &mut self,
        env: Env<'_>,
        id: InstanceId,
        field: &'p Ident,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        let body = self.body_of(id);
        let wanted = |kind| matches!(kind, DefKind::Output | DefKind::Param);
        let own = self.tree.defs_of(body);
        let own = own.filter(|(_, def)| wanted(def.kind) && def.name.name == field.name);
        let mut declared = None;
        for (def, found) in own {
            // Outputs are there to be read by others.
            if found.kind != DefKind::Output {
                self.may_read(env.reader, id, at)?;
            }
            self.asking = at;
            if self.guards_hold(id, found.guard)? {
                return self.definition(id, def, None).map(Place::Value);
            }
            declared = Some(found.name.span);
        }
        if let Some(declared) = declared {
            return Err(self.does_not_hold(&format!("`{}`", field.name), declared, at));
        }
        if let Some(info) = self.info(id) {
            if info.attribute(&field.name).is_some() || assigned_only(info, &field.name) {
                self.may_read(env.reader, id, at)?;
                self.asking = at;
                let value = self.attribute(id, &field.name)?;
                return Ok(Place::Value(value.unwrap_or(Value::None)));
            }
            if let Some(nested) = info.block(&field.name)
                && !self.shapes.get(nested).named
            {
                return self.single(id, &field.name, at);
            }
            if info.block(&field.name).is_some() {
                return Ok(Place::Kind(id, &field.name));
            }
        }
        let holds = self.tree.blocks_of_kind(body, &field.name).next().is_some();
        if holds || self.shapes.kind(&field.name).is_some_and(|kind| self.may_hold(id, kind)) {
            return Ok(Place::Kind(id, &field.name));
        }
        if self.tree.body(body).bad().contains(&field.name) {
            return Err(Stop::Reported);
        }
        Err(self.no_instance_field(id, field))
    }

    fn may_hold(&self, id: InstanceId, kind: crate::shapes::ShapeId) -> bool {
        self.info(id).is_none_or(|info| info.takes(self.shapes.get(kind)))
    }

    /// A nested block that occurs once.
    fn single(&mut self, id: InstanceId, word: &'p str, at: Span) -> Evaluated<Place<'p>> {
        for position in self.positions(id, word, "")? {
            self.asking = at;
            let range = self.expand(id, position)?;
            if let Some(part) = State::range(range).next() {
                return Ok(Place::Part(part));
            }
        }
        Ok(Place::Value(Value::None))
    }

    fn no_instance_field(&mut self, id: InstanceId, field: &Ident) -> Stop {
        let path = self.instance_path(id);
        let mut known: Vec<&str> = Vec::new();
        if let Some(info) = self.info(id) {
            known.extend(info.attributes.iter().map(|attribute| attribute.name.as_str()));
            known.extend(info.blocks.iter().map(|(word, _)| word.as_str()));
        }
        let body = self.tree.body(self.body_of(id));
        known.extend(body.blocks.iter().map(|b| self.tree.block(*b).kind.name.as_str()));
        let outputs = self.tree.defs_of(self.body_of(id));
        let outputs = outputs.filter(|(_, def)| def.kind == DefKind::Output);
        known.extend(outputs.map(|(_, def)| def.name.name.as_str()));
        let diagnostic = unknown::field(&path, field, known);
        self.report(diagnostic)
    }

    fn needs_key(&mut self, id: InstanceId, positions: &[u32], at: Span) -> Stop {
        let repeated = positions.iter().find(|position| self.is_repeated(id, **position));
        let (name, head) = match repeated.and_then(|position| self.child(id, *position)) {
            Some(child) => {
                let block = self.tree.block(child.block);
                let name = block.name.as_ref().map_or("", |name| name.name.as_str());
                (format!("{}.{name}", block.kind.name), block.head)
            }
            None => (String::new(), at),
        };
        self.report(unknown::key(&name, head, at))
    }

    /// What a path that ends here is as a value.
    pub(super) fn value_of(
        &mut self,
        env: Env<'_>,
        place: Place<'p>,
        expr: &'p Expr,
    ) -> Evaluated<Value> {
        match place {
            Place::Value(value) => Ok(value),
            Place::Object(id) => {
                self.may_read(env.reader, id, expr.span)?;
                let address = self.state.get(id).address.clone();
                address.map(Value::Ref).ok_or(Stop::Reported)
            }
            Place::Part(id) => {
                self.may_read(env.reader, id, expr.span)?;
                self.part(id).map(Value::Map)
            }
            Place::Many(places) => {
                let mut values = Vec::with_capacity(places.len());
                let mut stop = None;
                for place in places {
                    match self.value_of(env, place, expr) {
                        Ok(value) => values.push(value),
                        Err(error) => super::expr::worst(&mut stop, error),
                    }
                }
                stop.map_or_else(|| Ok(Value::list(values)), Err)
            }
            Place::Kind(id, kind) => {
                let path = self.instance_path(id);
                Err(self.report(
                    Diagnostic::error(
                        codes::E0301,
                        expr.span,
                        format!("`{path}.{kind}` needs a name"),
                    )
                    .help(format!("write `{path}.{kind}.NAME`, or `.*` for all of them")),
                ))
            }
            Place::Repeated(id, positions) => {
                match self.not_repeated(id, &positions, expr.span)? {
                    Some(place) => self.value_of(env, place, expr),
                    None => Err(self.needs_key(id, &positions, expr.span)),
                }
            }
        }
    }

    /// The shape of an instance, if it is a known kind or nested block.
    pub(super) fn info(&self, id: InstanceId) -> Option<&'p ShapeInfo> {
        let block = self.state.get(id).block?;
        match self.tree.block(block).shape {
            Shape::Known(shape) => Some(self.shapes.get(shape)),
            _ => None,
        }
    }
}

/// What the planner assigns and no text can set.
fn assigned_only(info: &ShapeInfo, name: &str) -> bool {
    name == "host" && (info.is_kind("volume") || info.is_kind("disk"))
}
