//! The parts of a path that choose among many: `vm.web[1]`, `xs[0]`, `vm.web.*`, `vm.*`.

use tcloud_model::diagnostic::nearest;
use tcloud_model::{Diagnostic, Key, Name, Span, Value, codes};
use tcloud_syntax::ast::{Expr, ExprKind};

use super::path::Place;
use super::state::{InstanceId, State};
use super::{Env, Eval, Evaluated, Stop};
use crate::ops::shown;

impl<'p> Eval<'p> {
    pub(super) fn index(
        &mut self,
        base: Place<'p>,
        key: &Value,
        key_at: Span,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        match (base, key) {
            (Place::Repeated(id, positions), _) => self.keyed(id, &positions, key, at),
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
                    let most = if self.explains() { fields.len() } else { 0 };
                    let known: Vec<&str> =
                        fields.iter().take(most).map(|(name, _)| name.as_str()).collect();
                    let help = match nearest(name, known.iter().copied()) {
                        Some(meant) => format!("did you mean \"{meant}\"?"),
                        None => format!("its keys: {}", known.join(", ")),
                    };
                    let message = format!("there is no key {key}");
                    Err(self.report(Diagnostic::error(codes::E0305, key_at, message).help(help)))
                }
            },
            (Place::Object(id), _) => {
                let path = self.instance_path(id);
                Err(self.not_repeated_at_all(&path, at))
            }
            (Place::Value(Value::Ref(address)), _) => {
                Err(self.not_repeated_at_all(&address.to_string(), at))
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

    fn not_repeated_at_all(&mut self, path: &str, at: Span) -> Stop {
        let message = format!("{path} is not repeated, it has no instances");
        self.report(Diagnostic::error(codes::E0305, at, message).help("leave the key away"))
    }

    /// One instance of a repeated block, by whichever of its declarations.
    fn keyed(
        &mut self,
        id: InstanceId,
        positions: &[u32],
        key: &Value,
        at: Span,
    ) -> Evaluated<Place<'p>> {
        let wanted = match key {
            Value::Int(number) => Some(Key::Int(*number)),
            Value::Text(text) => Some(Key::Text(Name::new(text))),
            Value::Ref(address) => Some(Key::Ref(address.clone())),
            _ => None,
        };
        for position in positions {
            let range = self.existing(id, *position, at)?;
            let first = State::range(range).next();
            let sample = first.and_then(|first| self.state.get(first).address.clone());
            let (Some(wanted), Some(sample)) = (wanted.clone(), sample) else { continue };
            let (kind, name) = (sample.kind().clone(), sample.name().clone());
            let address = match sample.parent() {
                Some(parent) => parent.child(kind, name, Some(wanted)),
                None => tcloud_model::Address::root(kind, name, Some(wanted)),
            };
            if let Some(instance) = self.state.at(&address) {
                return self.instance_place(instance);
            }
        }
        Err(self.no_instance(id, positions, key, at))
    }

    fn no_instance(&mut self, id: InstanceId, positions: &[u32], key: &Value, at: Span) -> Stop {
        let child = positions.first().and_then(|position| self.child(id, *position));
        let name = child.map_or(String::new(), |child| {
            crate::check::structure::describe(self.tree.block(child.block))
        });
        let found = positions.iter().flat_map(|at| self.state.addresses(id, *at..*at + 1));
        let keys: Vec<String> =
            found.filter_map(|address| address.key()).take(8).map(|key| key.to_string()).collect();
        let help = if keys.is_empty() {
            "there are no instances".to_owned()
        } else {
            format!("its instances: {}", keys.join(", "))
        };
        let message = format!("{name} has no instance {}", shown(key));
        self.report(Diagnostic::error(codes::E0305, at, message).help(help))
    }

    /// `vm.web.*`, `vm.*`, `list.*`: all of them.
    pub(super) fn star(&mut self, env: Env<'_>, base: &'p Expr) -> Evaluated<Place<'p>> {
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
            Place::Repeated(id, positions) => self.all_at(id, &positions, base.span),
            Place::Kind(id, kind) => self.all_of_kind(id, kind, base.span),
            Place::Many(places) => Ok(Place::Many(places)),
            Place::Value(Value::List(items)) => {
                Ok(Place::Many(items.iter().map(|item| Place::Value(item.clone())).collect()))
            }
            Place::Value(Value::Map(fields)) => {
                Ok(Place::Many(fields.iter().map(|(_, v)| Place::Value(v.clone())).collect()))
            }
            Place::Value(value) => {
                Err(self.not_many(&format!("{} is one thing", shown(&value)), base.span))
            }
            Place::Object(id) => {
                let path = self.instance_path(id);
                Err(self.not_many(&format!("{path} is one thing"), base.span))
            }
            Place::Part(_) => Err(self.not_many("this occurs once", base.span)),
        }
    }

    fn not_many(&mut self, what: &str, at: Span) -> Stop {
        self.report(
            Diagnostic::error(codes::E0305, at, format!("{what}, `.*` needs many"))
                .help("`.*` follows a repeated block, a kind, a list or a map"),
        )
    }

    fn all_of_kind(&mut self, id: InstanceId, kind: &str, at: Span) -> Evaluated<Place<'p>> {
        let mut positions: Vec<u32> =
            self.tree.blocks_of_kind(self.body_of(id), kind).map(|(at, _)| at).collect();
        positions.sort_unstable();
        let own = u32::try_from(self.tree.body(self.body_of(id)).blocks.len()).unwrap_or(u32::MAX);
        positions.extend((own..self.child_count(id)).filter(|at| {
            self.child(id, *at).is_some_and(|child| self.tree.block(child.block).kind.name == *kind)
        }));
        self.all_at(id, &positions, at)
    }

    fn all_at(&mut self, id: InstanceId, positions: &[u32], at: Span) -> Evaluated<Place<'p>> {
        let mut all = Vec::new();
        for position in positions {
            let range = self.existing(id, *position, at)?;
            self.spend(u64::from(range.end - range.start), at)?;
            for instance in State::range(range) {
                all.push(self.instance_place(instance)?);
            }
        }
        Ok(Place::Many(all))
    }
}
