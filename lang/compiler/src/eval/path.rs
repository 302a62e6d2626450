//! References. A path is followed word by word: a scope, a kind in it, a name, a key, an attribute.

use tcloud_model::diagnostic::nearest;
use tcloud_model::{Diagnostic, Key, Name, Span, Value, codes};
use tcloud_syntax::ast::{Expr, ExprKind, Ident};

use super::state::{InstanceId, State};
use super::{Env, Eval, Evaluated, Stop};
use crate::check::habit;
use crate::methods;
use crate::ops::shown;
use crate::shapes::ShapeInfo;
use crate::tree::{DefKind, Named, Shape, Tree};

/// What a path has reached.
#[derive(Clone, Debug)]
pub(super) enum Place<'p> {
    Value(Value),
    /// A nested block that is no object of its own: `quota`, `dhcp`, `allow`.
    Part(InstanceId),
    /// `tenant.x.vm`: a name has to follow.
    Kind(InstanceId, &'p str),
    /// `vm.web` of a repeated block: a key or `*` has to follow.
    Repeated(InstanceId, u32),
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
                self.field(base, field, expr.span)
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

    fn is_variable(&self, env: Env<'_>, name: &str) -> bool {
        env.local(name).is_some()
            || self.lexical(env.scope).any(|scope| {
                let instance = self.state.get(scope);
                instance.bindings.iter().any(|(own, _)| own == name)
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
            if let Some((_, value)) = instance.bindings.iter().find(|(own, _)| own == name) {
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

    fn unknown_name(&mut self, env: Env<'_>, name: &str, at: Span) -> Stop {
        if self.is_bad(env.scope, name) {
            return Stop::Reported;
        }
        if let Some(help) = habit::path(name, None) {
            let message = format!("tcloud has no `{name}`");
            return self.report(Diagnostic::error(codes::E0010, at, message).help(help));
        }
        if self.shapes.kind(name).is_some() || self.knows_component(env.scope, name) {
            let message = format!("`{name}` is a kind, a name has to follow");
            return self.report(
                Diagnostic::error(codes::E0301, at, message)
                    .help(format!("write `{name}.NAME`, or `{name}.*` for all of them")),
            );
        }
        let words = self.variables_in(env.scope);
        let mut frame = env.frame;
        let mut words: Vec<&str> = words.into_iter().collect();
        while let Some(at) = frame {
            words.extend(at.bindings.iter().map(|(name, _)| name.as_str()));
            frame = at.outer;
        }
        let meant = nearest(name, words.iter().copied())
            .or_else(|| nearest(name, self.shapes.kinds().map(|(word, _)| word.as_str())));
        let mut diagnostic = Diagnostic::error(codes::E0301, at, format!("there is no `{name}`"));
        diagnostic = match meant {
            Some(meant) => diagnostic
                .label(format!("did you mean `{meant}`?"))
                .help(format!("write `{meant}`"))
                .fix(at, meant),
            None => diagnostic.help(format!("declare it: `let {name} = …`; texts are in quotes")),
        };
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
            if !self.positions(id, kind, &name.name).is_empty() {
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
                if self.positions(site, kind, &name.name).is_empty() {
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
        let mut known: Vec<&str> = Vec::new();
        for scope in scopes {
            let body = self.tree.body(self.body_of(*scope));
            if body.incomplete {
                return Stop::Reported;
            }
            let blocks = self.tree.blocks_of_kind(self.body_of(*scope), kind);
            known.extend(blocks.filter_map(|(_, b)| b.name.as_ref().map(|n| n.name.as_str())));
        }
        let place = scopes
            .iter()
            .find_map(|scope| self.state.get(*scope).address.as_ref())
            .map_or(String::new(), |address| format!(" in {address}"));
        let message = format!("there is no {kind} `{}`{place}", name.name);
        let diagnostic = Diagnostic::error(codes::E0301, at, message);
        let diagnostic = match nearest(&name.name, known.iter().copied()) {
            Some(meant) => diagnostic
                .label(format!("did you mean `{kind}.{meant}`?"))
                .help(format!("write `{meant}`"))
                .fix(name.span, meant),
            None if known.is_empty() => {
                diagnostic.help(format!("declare it: `{kind} {} {{ … }}`", name.name))
            }
            None => {
                known.truncate(12);
                diagnostic.help(format!("what there is: {}", known.join(", ")))
            }
        };
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
        let positions = self.positions(id, kind, &name.name);
        if positions.is_empty() {
            let bad = self.tree.body(self.body_of(id)).bad.contains(&name.name);
            return Err(if bad {
                Stop::Reported
            } else {
                self.unknown_member(&[id], kind, name, at)
            });
        }
        let mut head = at;
        for position in positions {
            let Some(child) = self.child(id, position) else { continue };
            let block = self.tree.block(child.block);
            head = block.head;
            if block.repeat.is_some() {
                return Ok(Place::Repeated(id, position));
            }
            self.asking = at;
            let found = self.expand(id, position);
            let range = self.now(found, at, "what exists")?;
            if let Some(instance) = State::range(range).next() {
                return self.instance_place(instance);
            }
        }
        Err(self.report(
            Diagnostic::error(codes::E0305, at, format!("{kind} `{}` does not exist", name.name))
                .label("its condition does not hold")
                .also(head, "declared here")
                .help("put this under the same condition"),
        ))
    }

    /// An instance as something that a path goes on from.
    fn instance_place(&mut self, id: InstanceId) -> Evaluated<Place<'p>> {
        let instance = self.state.get(id);
        let shape = instance.block.map(|block| self.tree.block(block).shape);
        let object = match shape {
            Some(Shape::Known(shape)) => self.shapes.get(shape).schema.is_some(),
            Some(Shape::Use(_)) => true,
            Some(Shape::Unknown) => return Err(Stop::Reported),
            None => false,
        };
        let Some(address) = instance.address.clone().filter(|_| object) else {
            return Ok(Place::Part(id));
        };
        if address.kind() == "disk"
            && let Some(volume) = self.attached_volume(id)?
        {
            return Ok(Place::Value(Value::Ref(volume)));
        }
        Ok(Place::Value(Value::Ref(address)))
    }

    fn field(&mut self, base: Place<'p>, field: &'p Ident, at: Span) -> Evaluated<Place<'p>> {
        match base {
            Place::Value(Value::Ref(address)) => match self.state.at(&address) {
                Some(id) => self.instance_field(id, field, at),
                None => Err(self.no_field(&Value::Ref(address), field)),
            },
            Place::Value(Value::List(items))
                if items.iter().all(|item| matches!(item, Value::Ref(_)))
                    && methods::property(&Value::List(items.clone()), &field.name).is_none() =>
            {
                let all = items.iter().map(|item| Place::Value(item.clone())).collect();
                self.field(Place::Many(all), field, at)
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
            Place::Part(id) => self.instance_field(id, field, at),
            Place::Kind(id, kind) => self.member(id, kind, field, at),
            Place::Repeated(id, position) => Err(self.needs_key(id, position, at)),
            Place::Many(places) => {
                let all: Evaluated<Vec<_>> =
                    places.into_iter().map(|place| self.field(place, field, at)).collect();
                all.map(Place::Many)
            }
        }
    }

    fn no_field(&mut self, value: &Value, field: &Ident) -> Stop {
        let known: Vec<&str> = match value {
            Value::Map(fields) => fields.iter().map(|(name, _)| name.as_str()).collect(),
            _ => Vec::new(),
        };
        let message = format!("{} has no `{}`", shown(value), field.name);
        let diagnostic = Diagnostic::error(codes::E0306, field.span, message);
        let help = match (nearest(&field.name, known.iter().copied()), value) {
            (Some(meant), _) => format!("write `{meant}`"),
            (None, Value::None) => "it may be absent: say what holds then, `x ?? …`".to_owned(),
            (None, Value::Map(_)) => format!("it has: {}", known.join(", ")),
            _ => "methods are called with parentheses: `cidr.host(10)`".to_owned(),
        };
        self.report(diagnostic.help(help))
    }

    /// What an instance has under a name: an attribute, an output, a nested block, a kind.
    fn instance_field(
        &mut self,
        id: InstanceId,
        field: &'p Ident,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        let body = self.body_of(id);
        let wanted = |kind| matches!(kind, DefKind::Output | DefKind::Param);
        let own =
            self.tree.defs_of(body).find(|(_, d)| wanted(d.kind) && d.name.name == field.name);
        if let Some((def, _)) = own {
            self.asking = at;
            return self.definition(id, def, None).map(Place::Value);
        }
        if let Some(info) = self.info(id) {
            if info.attribute(&field.name).is_some() || assigned_only(info, &field.name) {
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
        if self.tree.body(body).bad.contains(&field.name) {
            return Err(Stop::Reported);
        }
        Err(self.no_instance_field(id, field))
    }

    fn may_hold(&self, id: InstanceId, kind: crate::shapes::ShapeId) -> bool {
        self.info(id).is_none_or(|info| info.takes(self.shapes.get(kind)))
    }

    /// A nested block that occurs once.
    fn single(&mut self, id: InstanceId, word: &'p str, at: Span) -> Evaluated<Place<'p>> {
        for position in self.positions(id, word, "") {
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
        let message = format!("{path} has no `{}`", field.name);
        let diagnostic = Diagnostic::error(codes::E0306, field.span, message);
        let diagnostic = match nearest(&field.name, known.iter().copied()) {
            Some(meant) => diagnostic
                .label(format!("did you mean `{meant}`?"))
                .help(format!("write `{meant}`"))
                .fix(field.span, meant),
            None => {
                known.sort_unstable();
                known.dedup();
                known.truncate(12);
                diagnostic.help(format!("it has: {}", known.join(", ")))
            }
        };
        self.report(diagnostic)
    }

    fn index(
        &mut self,
        base: Place<'p>,
        key: &Value,
        key_at: Span,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        match (base, key) {
            (Place::Repeated(id, position), _) => self.keyed(id, position, key, at),
            (Place::Many(places), _) => {
                let all: Evaluated<Vec<_>> =
                    places.into_iter().map(|place| self.index(place, key, key_at, at)).collect();
                all.map(Place::Many)
            }
            (Place::Value(Value::List(items)), Value::Int(wanted)) => {
                let found = usize::try_from(*wanted).ok().and_then(|wanted| items.get(wanted));
                match found {
                    Some(item) => Ok(Place::Value(item.clone())),
                    None => {
                        let message = format!("there is no element {wanted}");
                        let help = match items.len() {
                            0 => "the list is empty".to_owned(),
                            count => {
                                format!("elements are counted from 0, the last is {}", count - 1)
                            }
                        };
                        Err(self
                            .report(Diagnostic::error(codes::E0305, key_at, message).help(help)))
                    }
                }
            }
            (Place::Value(Value::Map(fields)), Value::Text(name)) => match fields.get(name) {
                Some(value) => Ok(Place::Value(value.clone())),
                None => {
                    let known: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                    let help = match nearest(name, known.iter().copied()) {
                        Some(meant) => format!("did you mean \"{meant}\"?"),
                        None => format!("its keys: {}", known.join(", ")),
                    };
                    let message = format!("there is no key {key}");
                    Err(self.report(Diagnostic::error(codes::E0305, key_at, message).help(help)))
                }
            },
            (Place::Value(Value::Ref(address)), _) => {
                let message = format!("{address} is not repeated, it has no instances");
                Err(self.report(
                    Diagnostic::error(codes::E0305, at, message).help("leave the key away"),
                ))
            }
            (Place::Value(value), _) => {
                let message = format!("{} has no element {}", shown(&value), shown(key));
                Err(self.report(
                    Diagnostic::error(codes::E0306, at, message)
                        .help("lists have numbers from 0, maps have texts: `xs[0]`, `m[\"a\"]`"),
                ))
            }
            (Place::Part(_) | Place::Kind(..), _) => Err(self.report(
                Diagnostic::error(codes::E0305, at, "a key follows the name of a repeated block")
                    .help("write `vm.web[1]`"),
            )),
        }
    }

    /// One instance of a repeated block.
    fn keyed(
        &mut self,
        id: InstanceId,
        position: u32,
        key: &Value,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        self.asking = at;
        let found = self.expand(id, position);
        let range = self.now(found, at, "what exists")?;
        let wanted = match key {
            Value::Int(number) => Some(Key::Int(*number)),
            Value::Text(text) => Some(Key::Text(Name::new(text))),
            Value::Ref(address) => Some(Key::Ref(address.clone())),
            _ => None,
        };
        let first = State::range(range.clone()).next();
        let sample = first.and_then(|first| self.state.get(first).address.clone());
        if let (Some(wanted), Some(sample)) = (wanted, sample) {
            let (kind, name) = (sample.kind().clone(), sample.name().clone());
            let address = match sample.parent() {
                Some(parent) => parent.child(kind, name, Some(wanted)),
                None => tcloud_model::Address::root(kind, name, Some(wanted)),
            };
            if let Some(instance) = self.state.at(&address) {
                return self.instance_place(instance);
            }
        }
        let name = self.child(id, position).map_or(String::new(), |child| {
            crate::check::structure::describe(self.tree.block(child.block))
        });
        let keys: Vec<String> = State::range(range)
            .take(8)
            .filter_map(|instance| self.state.get(instance).address.as_ref()?.key().cloned())
            .map(|key| key.to_string())
            .collect();
        let help = if keys.is_empty() {
            "there are no instances".to_owned()
        } else {
            format!("its instances: {}", keys.join(", "))
        };
        let message = format!("{name} has no instance {}", shown(key));
        Err(self.report(Diagnostic::error(codes::E0305, at, message).help(help)))
    }

    fn needs_key(&mut self, id: InstanceId, position: u32, at: Span) -> Stop {
        let (name, head) = match self.child(id, position) {
            Some(child) => {
                let block = self.tree.block(child.block);
                let name = block.name.as_ref().map_or("", |name| name.name.as_str());
                (format!("{}.{name}", block.kind.name), block.head)
            }
            None => (String::new(), at),
        };
        self.report(
            Diagnostic::error(codes::E0305, at, format!("{name} is repeated, which one is meant?"))
                .also(head, "repeated here")
                .help(format!("write `{name}[KEY]` for one, `{name}.*` for all")),
        )
    }

    /// `vm.web.*`, `vm.*`, `list.*`: all of them.
    fn star(&mut self, env: Env<'_>, base: &'p Expr) -> Evaluated<Place<'p>> {
        if let ExprKind::Name(kind) = &base.kind
            && !self.is_variable(env, kind)
        {
            let holds = |scope: &InstanceId| {
                self.tree.blocks_of_kind(self.body_of(*scope), kind).next().is_some()
            };
            let nearest = self.lexical(env.scope).find(holds);
            let known = self.shapes.kind(kind).is_some() || self.knows_component(env.scope, kind);
            return match nearest {
                Some(scope) => self.all_of_kind(scope, kind, base.span),
                None if known => Ok(Place::Many(Vec::new())),
                None => Err(self.unknown_name(env, kind, base.span)),
            };
        }
        match self.place(env, base)? {
            Place::Repeated(id, position) => self.all_at(id, position, base.span).map(Place::Many),
            Place::Kind(id, kind) => self.all_of_kind(id, kind, base.span),
            Place::Many(places) => Ok(Place::Many(places)),
            Place::Value(Value::List(items)) => {
                Ok(Place::Many(items.iter().map(|item| Place::Value(item.clone())).collect()))
            }
            Place::Value(Value::Map(fields)) => {
                Ok(Place::Many(fields.iter().map(|(_, v)| Place::Value(v.clone())).collect()))
            }
            Place::Value(value) => {
                let message = format!("{} is one thing, `.*` needs many", shown(&value));
                Err(self.report(
                    Diagnostic::error(codes::E0305, base.span, message)
                        .help("`.*` follows a repeated block, a kind, a list or a map"),
                ))
            }
            Place::Part(_) => Err(self.report(
                Diagnostic::error(codes::E0305, base.span, "this occurs once, `.*` needs many")
                    .help("`.*` follows a repeated block, a kind, a list or a map"),
            )),
        }
    }

    fn all_of_kind(&mut self, id: InstanceId, kind: &str, at: Span) -> Evaluated<Place<'p>> {
        let mut positions: Vec<u32> =
            self.tree.blocks_of_kind(self.body_of(id), kind).map(|(at, _)| at).collect();
        positions.sort_unstable();
        let mut all = Vec::new();
        for position in positions {
            all.extend(self.all_at(id, position, at)?);
        }
        Ok(Place::Many(all))
    }

    fn all_at(&mut self, id: InstanceId, position: u32, at: Span) -> Evaluated<Vec<Place<'p>>> {
        self.asking = at;
        let found = self.expand(id, position);
        let range = self.now(found, at, "what exists")?;
        self.spend(u64::from(range.end - range.start), at)?;
        State::range(range).map(|instance| self.instance_place(instance)).collect()
    }

    /// What a path that ends here is as a value.
    pub(super) fn value_of(&mut self, place: Place<'p>, expr: &'p Expr) -> Evaluated<Value> {
        match place {
            Place::Value(value) => Ok(value),
            Place::Part(id) => self.part(id).map(Value::Map),
            Place::Many(places) => {
                let mut values = Vec::with_capacity(places.len());
                let mut stop = None;
                for place in places {
                    match self.value_of(place, expr) {
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
            Place::Repeated(id, position) => Err(self.needs_key(id, position, expr.span)),
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
