//! References without evaluating: which block a path leads to, and the type of what it reads.

use std::rc::Rc;

use tcloud_model::{Diagnostic, Name, Span, Type, codes};
use tcloud_syntax::ast::{Expr, ExprKind, Ident};

use super::infer::{Infer, Scope, is_variable};
use super::{structure, unknown};
use crate::methods;
use crate::ops::OpError;
use crate::shapes::{ShapeId, ShapeInfo};
use crate::tree::{Block, BlockId, BodyId, DefId, DefKind, Named, Owner, Shape, Tree};

/// What a path has reached.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Type(Type),
    /// One instance of a block.
    Block(BlockId),
    /// A repeated block: a key or `*` has to follow.
    Repeated(BlockId),
    /// A kind in a body: a name has to follow.
    Kind(BodyId, Name),
    /// All of something.
    Many(Box<Place>),
}

/// The types of the variables of a repeated block.
pub(super) type Variables = (Rc<Type>, Rc<Type>);

const UNKNOWN: Place = Place::Type(Type::Unknown);

impl<'c> Infer<'c> {
    pub(super) fn place(&self, scope: Scope<'_>, expr: &'c Expr) -> Place {
        match &expr.kind {
            ExprKind::Name(name) => match self.variable(scope, name) {
                Some(ty) => Place::Type(self.copy(&ty)),
                None => self.bare(scope, name, expr.span),
            },
            ExprKind::Field(base, field) => {
                let ExprKind::Name(name) = &base.kind else {
                    let base = self.place(scope, base);
                    return self.field(base, field, expr.span);
                };
                match self.variable(scope, name) {
                    // The field's type is taken without the others.
                    Some(ty) => self.type_field(&ty, field, expr.span),
                    None => self.global(scope, name, field, base.span, expr.span),
                }
            }
            ExprKind::Index(base, index) => {
                let place = self.place(scope, base);
                let key = self.expr(scope, index);
                self.index(place, &key, expr.span)
            }
            ExprKind::Star(base) => self.star(scope, base),
            _ => Place::Type(self.expr(scope, expr)),
        }
    }

    /// A type for another use of what it is known of.
    pub(super) fn copy(&self, ty: &Type) -> Type {
        if self.afford(ty) { ty.clone() } else { Type::Unknown }
    }

    /// Whether a type of this size may be made once more. What doubles with each definition may not.
    pub(super) fn afford(&self, ty: &Type) -> bool {
        let left = crate::types::size(ty).and_then(|size| self.parts.get().checked_sub(size));
        left.inspect(|left| self.parts.set(*left)).is_some()
    }

    /// The type of a variable in scope.
    fn variable(&self, scope: Scope<'_>, name: &str) -> Option<Rc<Type>> {
        let mut local = scope.locals;
        while let Some(at) = local {
            if *at.name == *name {
                return Some(at.ty.clone());
            }
            local = at.outer;
        }
        for body in self.tree.outwards(scope.body) {
            let defs = self.tree.named(body, name).iter().filter_map(|(_, named)| match named {
                Named::Def(def) if is_variable(self.tree.def(*def).kind) => Some(*def),
                _ => None,
            });
            if let Some(ty) = self.one_type(defs, body) {
                return Some(ty);
            }
            if let Owner::Block(block) = self.tree.body(body).owner
                && let Some(repeat) = &self.tree.block(block).repeat
            {
                let (first, second) = (&repeat.first, repeat.second.as_ref());
                let is_second = second.is_some_and(|second| second.name == *name);
                if first.name == *name || is_second {
                    let (first, second) = self.repeated(block, repeat);
                    return Some(if is_second { second } else { first });
                }
            }
        }
        (name == "any").then(|| Rc::new(Type::OneOf(vec![Name::new("any")])))
    }

    /// The type of a name with so many definitions, under conditions: any of them may hold.
    fn one_type(&self, defs: impl Iterator<Item = DefId>, body: BodyId) -> Option<Rc<Type>> {
        let mut types = defs.map(|def| self.definition(def, body));
        let first = types.next()?;
        Some(if types.all(|ty| ty == first) { first } else { Type::Unknown.into() })
    }

    fn is_bad(&self, scope: Scope<'_>, name: &Name) -> bool {
        self.tree.outwards(scope.body).any(|body| self.tree.body(body).bad().contains(name))
    }

    fn bare(&self, scope: Scope<'_>, name: &Name, at: Span) -> Place {
        if self.is_bad(scope, name) {
            return UNKNOWN;
        }
        if !self.explains() {
            self.report(unknown::name(name, at, &[], &[], None));
            return UNKNOWN;
        }
        let mut words: Vec<&str> = Vec::new();
        let mut local = scope.locals;
        while let Some(at) = local {
            words.push(at.name);
            local = at.outer;
        }
        for body in self.tree.outwards(scope.body) {
            words.extend(self.tree.body(body).names().iter().map(|(name, _)| name.as_str()));
            if let Owner::Block(block) = self.tree.body(body).owner
                && let Some(repeat) = &self.tree.block(block).repeat
            {
                words.push(&repeat.first.name);
                words.extend(repeat.second.as_ref().map(|second| second.name.as_str()));
            }
        }
        let components = self.tree.components.iter().map(|component| component.name.name.as_str());
        let kinds: Vec<&str> =
            self.shapes.kinds().map(|(word, _)| word.as_str()).chain(components).collect();
        let called = self.tree.called(scope.body, name);
        self.report(unknown::name(name, at, &words, &kinds, called));
        UNKNOWN
    }

    /// `kind.name` as the beginning of a path.
    fn global(
        &self,
        scope: Scope<'_>,
        kind: &Name,
        name: &Ident,
        kind_at: Span,
        at: Span,
    ) -> Place {
        let mut scopes = self.tree.outwards(scope.body);
        if let Some(body) = scopes.find(|body| self.has(*body, kind, &name.name)) {
            return self.member(body, kind, name, at);
        }
        let is_kind = self.shapes.kind(kind).is_some();
        if let Some(site) = self.site_with(kind, &name.name) {
            return self.member(site, kind, name, at);
        }
        if self.is_bad(scope, &name.name) || self.is_bad(scope, kind) {
            return UNKNOWN;
        }
        let is_component = self.tree.components.iter().any(|own| own.name.name == *kind);
        if let Some(help) = super::habit::path(kind, Some(&name.name)) {
            let message = format!("tcloud has no `{kind}.{}`", name.name);
            self.report(Diagnostic::error(codes::E0010, at, message).help(help));
            return UNKNOWN;
        }
        if !is_kind && !is_component {
            return self.bare(scope, kind, kind_at);
        }
        let scopes: Vec<BodyId> = self.tree.outwards(scope.body).collect();
        if scopes.iter().any(|body| self.tree.body(*body).incomplete()) {
            return UNKNOWN;
        }
        self.unknown_member(&scopes, kind, name, at)
    }

    /// Whether a body has a block of this kind and name.
    fn has(&self, body: BodyId, kind: &str, name: &str) -> bool {
        !self.tree.blocks_named(body, kind, name).is_empty()
    }

    /// The one site that has a host, pool or network of this name.
    fn site_with(&self, kind: &str, name: &str) -> Option<BodyId> {
        let shape = self.shapes.get(self.shapes.kind(kind)?);
        if !shape.schema.as_ref()?.within.iter().any(|outer| outer == "site") {
            return None;
        }
        let sites = self.tree.blocks_of_kind(Tree::ROOT, "site");
        let mut found = sites.map(|(_, site)| site.body).filter(|site| self.has(*site, kind, name));
        found.next()
    }

    fn unknown_member(&self, scopes: &[BodyId], kind: &str, name: &Ident, at: Span) -> Place {
        if !self.explains() {
            self.report(unknown::member(kind, name, at, None, Vec::new()));
            return UNKNOWN;
        }
        if scopes.iter().any(|body| self.tree.has_misspelt(*body, &name.name)) {
            return UNKNOWN;
        }
        let mut known = Vec::new();
        for body in scopes {
            let blocks = self.tree.blocks_of_kind(*body, kind);
            known.extend(blocks.filter_map(|(_, b)| b.name.as_ref().map(|n| n.name.as_str())));
        }
        // What is looked for in scopes around each other is missed in none of them.
        let place = scopes.iter().filter(|_| scopes.len() == 1).find_map(|body| {
            match self.tree.body(*body).owner {
                Owner::Block(block) => {
                    let block = self.tree.block(block);
                    block.name.as_ref().map(|name| format!("{}.{}", block.kind.name, name.name))
                }
                Owner::Component(component) => {
                    Some(format!("component {}", self.tree.component(component).name.name))
                }
                Owner::Root | Owner::Check => None,
            }
        });
        self.report(unknown::member(kind, name, at, place.as_deref(), known));
        UNKNOWN
    }

    fn member(&self, body: BodyId, kind: &str, name: &Ident, at: Span) -> Place {
        let found = self.tree.blocks_named(body, kind, &name.name);
        let Some(position) = found.first() else {
            let own = self.tree.body(body);
            if own.bad().contains(&name.name)
                || own.incomplete()
                || self.is_in_defaults(kind, &name.name)
            {
                return UNKNOWN;
            }
            return self.unknown_member(&[body], kind, name, at);
        };
        let id = self.tree.body(body).blocks[*position as usize];
        let block = self.tree.block(id);
        let repeated =
            |at: &u32| self.tree.block(self.tree.body(body).blocks[*at as usize]).repeat.is_some();
        match (block.shape, &block.repeat) {
            (Shape::Unknown, _) => UNKNOWN,
            // Which of them holds says whether a key has to follow.
            _ if found.iter().any(|at| repeated(at) != repeated(position)) => UNKNOWN,
            (_, Some(_)) => Place::Repeated(id),
            (_, None) => self.instance(id),
        }
    }

    /// An instance of a block. Only its kind is known where several blocks have its name, under
    /// conditions.
    fn instance(&self, id: BlockId) -> Place {
        let block = self.tree.block(id);
        let name = block.name.as_ref().map_or("", |name| name.name.as_str());
        match self.tree.blocks_named(block.parent, &block.kind.name, name) {
            [_] => Place::Block(id),
            _ => Place::Type(self.type_of_place(Place::Block(id), block.head)),
        }
    }

    /// The body that the names of a block's inside are declared in.
    fn inside(&self, block: &Block) -> BodyId {
        match block.shape {
            Shape::Use(component) => self.tree.component(component).body,
            _ => block.body,
        }
    }

    fn field(&self, base: Place, field: &Ident, at: Span) -> Place {
        match base {
            Place::Block(id) => self.block_field(id, field),
            Place::Kind(body, kind) => self.member(body, &kind, field, at),
            Place::Repeated(id) => {
                self.needs_key(id, at);
                UNKNOWN
            }
            Place::Many(inner) => Place::Many(Box::new(self.field(*inner, field, at))),
            Place::Type(ty) => self.type_field(&ty, field, at),
        }
    }

    fn type_field(&self, ty: &Type, field: &Ident, at: Span) -> Place {
        match ty {
            Type::Unknown | Type::Either(_) => UNKNOWN,
            Type::Ref(kinds) => match kinds.as_slice() {
                [kind] => self.kind_field(kind, field),
                _ => UNKNOWN,
            },
            Type::List(of) if methods::property_type(ty, &field.name).is_none() => {
                match of.as_ref() {
                    Type::Ref(_) => {
                        let element = self.type_field(of, field, at);
                        Place::Many(Box::new(element))
                    }
                    _ => self.no_property(ty, field),
                }
            }
            Type::Map(of) => Place::Type(self.copy(of)),
            Type::Object(fields) => match fields.iter().find(|own| own.name == field.name) {
                Some(own) if own.optional => Place::Type(optional(self.copy(&own.ty))),
                Some(own) => Place::Type(self.copy(&own.ty)),
                None => match methods::property_type(ty, &field.name) {
                    Some(ty) => Place::Type(ty),
                    None => {
                        let most = if self.explains() { fields.len() } else { 0 };
                        let known = fields.iter().take(most).map(|field| field.name.as_str());
                        self.report(unknown::field("the object", field, known.collect()));
                        UNKNOWN
                    }
                },
            },
            Type::Secret(_) => {
                let what = "nothing can be computed from a secret";
                self.report(
                    Diagnostic::error(codes::E0803, at, what)
                        .label("a secret")
                        .help("it can only stand in a text: `\"user:${password}\"`"),
                );
                UNKNOWN
            }
            Type::Optional(_) => {
                let what = "this may be absent, it has no fields";
                self.report(
                    Diagnostic::error(codes::E0306, field.span, what)
                        .help("say what holds then: `x ?? …`"),
                );
                UNKNOWN
            }
            _ => match methods::property_type(ty, &field.name) {
                Some(ty) => Place::Type(ty),
                None => self.no_property(ty, field),
            },
        }
    }

    fn no_property(&self, ty: &Type, field: &Ident) -> Place {
        let OpError { code, message, help } = methods::unknown_property(ty, &field.name);
        self.report(Diagnostic::error(code, field.span, message).help(help));
        UNKNOWN
    }

    /// A field of something of which only the kind is known: a parameter of type `network`.
    fn kind_field(&self, kind: &str, field: &Ident) -> Place {
        let Some(shape) = self.shapes.kind(kind) else {
            let component = self.tree.components.iter().find(|c| c.name.name == *kind);
            return match component {
                Some(component) => self.inside_field(component.body, kind, field),
                None => UNKNOWN,
            };
        };
        let info = self.shapes.get(shape);
        match self.shape_field(info, field) {
            Some(ty) => Place::Type(ty),
            // What stands in a scope is its own.
            None if info.is_scope()
                || info.block(&field.name).is_some()
                || self.shapes.kind(&field.name).is_some() =>
            {
                UNKNOWN
            }
            None => {
                self.report(unknown::field(kind, field, attribute_words(info)));
                UNKNOWN
            }
        }
    }

    fn block_field(&self, id: BlockId, field: &Ident) -> Place {
        let block = self.tree.block(id);
        let body = self.inside(block);
        let subject = structure::describe(block);
        let Shape::Known(shape) = block.shape else {
            return self.inside_field(body, &subject, field);
        };
        let info = self.shapes.get(shape);
        if let Some(ty) = self.shape_field(info, field) {
            return Place::Type(ty);
        }
        if let Some(nested) = info.block(&field.name) {
            return self.nested(body, nested, &field.name);
        }
        let is_kind =
            self.shapes.kind(&field.name).is_some_and(|kind| info.takes(self.shapes.get(kind)));
        let known: Vec<&str> = attribute_words(info);
        self.place_inside(body, &subject, field, is_kind, known)
    }

    fn nested(&self, body: BodyId, nested: ShapeId, word: &Name) -> Place {
        if self.shapes.get(nested).named {
            return Place::Kind(body, word.clone());
        }
        match self.tree.blocks_named(body, word, "").first() {
            Some(position) => self.instance(self.tree.body(body).blocks[*position as usize]),
            None => UNKNOWN,
        }
    }

    fn inside_field(&self, body: BodyId, subject: &str, field: &Ident) -> Place {
        self.place_inside(body, subject, field, false, Vec::new())
    }

    /// Outputs, parameters and kinds declared in a body.
    fn place_inside(
        &self,
        body: BodyId,
        subject: &str,
        field: &Ident,
        is_kind: bool,
        mut known: Vec<&'c str>,
    ) -> Place {
        let readable = |kind| matches!(kind, DefKind::Output | DefKind::Param);
        let own = self.tree.defs_of(body);
        let own = own.filter(|(_, def)| readable(def.kind) && def.name.name == field.name);
        if let Some(ty) = self.one_type(own.map(|(id, _)| id), body) {
            return Place::Type(self.copy(&ty));
        }
        let holds = self.tree.blocks_of_kind(body, &field.name).next().is_some();
        if holds || is_kind {
            return Place::Kind(body, field.name.clone());
        }
        let contents = self.tree.body(body);
        if contents.bad().contains(&field.name) || contents.incomplete() {
            return UNKNOWN;
        }
        if self.explains() {
            known.extend(contents.blocks.iter().map(|b| self.tree.block(*b).kind.name.as_str()));
            let defs = self.tree.defs_of(body).filter(|(_, def)| readable(def.kind));
            known.extend(defs.map(|(_, def)| def.name.name.as_str()));
        }
        self.report(unknown::field(subject, field, known));
        UNKNOWN
    }

    /// The type that an attribute has when it is read. Whether the text leaves it out and nothing
    /// else gives it is for the evaluator: `defaults` are not seen from here.
    fn shape_field(&self, info: &ShapeInfo, field: &Ident) -> Option<Type> {
        let is_host = field.name == "host" && (info.is_kind("volume") || info.is_kind("disk"));
        if is_host {
            return Some(Type::reference(&["host"]));
        }
        info.attribute(&field.name).map(|attribute| attribute.ty.clone())
    }

    fn index(&self, place: Place, key: &Type, at: Span) -> Place {
        match place {
            Place::Repeated(id) => self.instance(id),
            Place::Many(inner) => match *inner {
                Place::Type(_) | Place::Block(_) => *inner,
                inner => Place::Many(Box::new(self.index(inner, key, at))),
            },
            Place::Block(id) => {
                let block = self.tree.block(id);
                let name = structure::describe(block);
                let message = format!("{name} is not repeated, it has no instances");
                self.report(
                    Diagnostic::error(codes::E0305, at, message).help("leave the key away"),
                );
                UNKNOWN
            }
            Place::Kind(..) => {
                let message = "a key follows the name of a repeated block";
                self.report(Diagnostic::error(codes::E0305, at, message).help("write `vm.web[1]`"));
                UNKNOWN
            }
            Place::Type(Type::List(of)) => Place::Type(*of),
            Place::Type(Type::Map(of)) => Place::Type(*of),
            Place::Type(Type::Object(fields)) => {
                let literal = match key {
                    Type::OneOf(texts) => texts.first().filter(|_| texts.len() == 1),
                    _ => None,
                };
                let found = literal.and_then(|name| fields.iter().find(|own| own.name == *name));
                found.map_or(UNKNOWN, |own| Place::Type(own.ty.clone()))
            }
            Place::Type(
                Type::Unknown
                | Type::Either(_)
                | Type::Ref(_)
                | Type::Optional(_)
                | Type::Secret(_),
            ) => UNKNOWN,
            Place::Type(ty) => {
                let message = format!("{} has no elements", crate::eval::fit::named(&ty));
                self.report(
                    Diagnostic::error(codes::E0306, at, message)
                        .help("lists have numbers from 0, maps have texts: `xs[0]`, `m[\"a\"]`"),
                );
                UNKNOWN
            }
        }
    }

    fn star(&self, scope: Scope<'_>, base: &'c Expr) -> Place {
        if let ExprKind::Name(kind) = &base.kind
            && self.variable(scope, kind).is_none()
        {
            let known = self.shapes.kind(kind).is_some()
                || self.tree.components.iter().any(|own| own.name.name == *kind);
            if !known {
                return self.bare(scope, kind, base.span);
            }
            return Place::Many(Box::new(Place::Type(Type::Ref(vec![kind.clone()]))));
        }
        match self.place(scope, base) {
            Place::Repeated(id) => Place::Many(Box::new(self.instance(id))),
            Place::Kind(_, kind) => Place::Many(Box::new(Place::Type(Type::Ref(vec![kind])))),
            Place::Many(inner) => Place::Many(inner),
            Place::Type(Type::List(of) | Type::Map(of)) => Place::Many(Box::new(Place::Type(*of))),
            Place::Type(_) => UNKNOWN,
            Place::Block(id) => {
                let name = structure::describe(self.tree.block(id));
                let message = format!("{name} is one thing, `.*` needs many");
                self.report(
                    Diagnostic::error(codes::E0305, base.span, message)
                        .help("`.*` follows a repeated block, a kind, a list or a map"),
                );
                UNKNOWN
            }
        }
    }

    fn needs_key(&self, id: BlockId, at: Span) {
        let block = self.tree.block(id);
        let name = block.name.as_ref().map_or("", |name| name.name.as_str());
        let path = format!("{}.{name}", block.kind.name);
        self.report(unknown::key(&path, block.head, at));
    }

    /// What a path that ends here has as its type.
    pub(super) fn type_of_place(&self, place: Place, at: Span) -> Type {
        match place {
            Place::Type(ty) => ty,
            Place::Many(inner) => Type::list(self.type_of_place(*inner, at)),
            Place::Repeated(id) => {
                self.needs_key(id, at);
                Type::Unknown
            }
            Place::Kind(_, kind) => self.report(
                Diagnostic::error(codes::E0301, at, format!("`{kind}` needs a name"))
                    .help(format!("write `{kind}.NAME`, or `.*` for all of them")),
            ),
            Place::Block(id) => {
                let block = self.tree.block(id);
                match block.shape {
                    Shape::Known(shape) if self.shapes.get(shape).is_kind("disk") => {
                        Type::reference(&["disk", "volume"])
                    }
                    Shape::Known(shape) if self.shapes.get(shape).schema.is_some() => {
                        Type::Ref(vec![self.shapes.get(shape).word.clone()])
                    }
                    Shape::Use(component) => {
                        Type::Ref(vec![self.tree.component(component).name.name.clone()])
                    }
                    _ => Type::Unknown,
                }
            }
        }
    }
}

fn optional(ty: Type) -> Type {
    match ty {
        Type::Optional(_) | Type::Unknown => ty,
        other => Type::Optional(Box::new(other)),
    }
}

fn attribute_words(info: &ShapeInfo) -> Vec<&str> {
    let blocks = info.blocks.iter().map(|(word, _)| word.as_str());
    info.attributes.iter().map(|attribute| attribute.name.as_str()).chain(blocks).collect()
}
