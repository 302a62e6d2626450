//! Types as written to types as understood.

use tcloud_model::diagnostic::nearest;
use tcloud_model::{Diagnostic, Field, Name, Type, codes};
use tcloud_syntax::ast::{Ident, TypeExpr, TypeExprKind};

use crate::shapes::Shapes;
use crate::tree::{BodyId, Named, Tree};

/// Types that have a word of their own.
const WORDS: [(&str, Type); 19] = [
    ("Bool", Type::Bool),
    ("Bytes", Type::Bytes),
    ("Cidr", Type::Cidr),
    ("Date", Type::Date),
    ("Duration", Type::Duration),
    ("Float", Type::Float),
    ("Int", Type::INT),
    ("Ip", Type::Ip),
    ("IpRange", Type::IpRange),
    ("Mac", Type::Mac),
    ("Money", Type::Money),
    ("Percent", Type::Percent),
    ("Port", Type::Port),
    ("Range", Type::Range),
    ("Rate", Type::Rate),
    ("Size", Type::Bytes),
    ("String", Type::Text),
    ("Text", Type::Text),
    ("Window", Type::Window),
];

/// How many parts a written type may have. Types that name others twice double with each of them.
const MAX_PARTS: usize = 1_000;

/// How many parts a type may have that is made from values.
const MAX_SIZE: usize = 10_000;

/// How many names of types may stand for one another.
pub(crate) const MAX_NAMES: u8 = 32;

/// Understands written types in one scope.
pub(crate) struct Reader<'r> {
    pub(crate) tree: &'r Tree,
    pub(crate) shapes: &'r Shapes,
    pub(crate) scope: BodyId,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// How many names of types stand for one another.
    depth: u8,
    /// How many parts were read.
    parts: usize,
    /// Whether what may have been meant is looked for.
    pub(crate) explains: bool,
}

impl<'r> Reader<'r> {
    pub(crate) fn new(tree: &'r Tree, shapes: &'r Shapes, scope: BodyId) -> Reader<'r> {
        Reader { tree, shapes, scope, diagnostics: Vec::new(), depth: 0, parts: 0, explains: true }
    }

    /// One whose mistakes are told elsewhere.
    pub(crate) fn silent(tree: &'r Tree, shapes: &'r Shapes, scope: BodyId) -> Reader<'r> {
        Reader { explains: false, ..Reader::new(tree, shapes, scope) }
    }

    /// The type; what is wrong with it becomes [`Type::Unknown`].
    pub(crate) fn read(&mut self, ty: &TypeExpr) -> Type {
        let read = self.part(ty);
        if self.parts <= MAX_PARTS {
            return read;
        }
        let message = format!("this type has more than {MAX_PARTS} parts");
        self.wrong(ty, &message, "look for types that have another one in several fields")
    }

    fn part(&mut self, ty: &TypeExpr) -> Type {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Type::Unknown;
        }
        match &ty.kind {
            TypeExprKind::Name(name) => self.named(ty, name),
            TypeExprKind::Bounded(word, min, max) => match word.name.as_str() {
                "Int" => Type::Int { min: *min, max: *max },
                _ => self.wrong(
                    ty,
                    "only Int takes bounds",
                    "use `where`: `Bytes where this >= 1GiB`",
                ),
            },
            TypeExprKind::Generic(word, of) => match word.name.as_str() {
                "Map" => Type::Map(Box::new(self.part(of))),
                "Secret" => Type::Secret(Box::new(self.part(of))),
                "Late" => self.part(of),
                "List" => self.wrong(ty, "lists are written `T[]`", "write `T[]`"),
                _ => self.unknown(word, ty),
            },
            TypeExprKind::List(of) => Type::list(self.part(of)),
            TypeExprKind::Optional(of) => Type::Optional(Box::new(self.part(of))),
            TypeExprKind::Text(text) => Type::OneOf(vec![Name::new(text)]),
            TypeExprKind::Union(parts) => self.union(parts),
            TypeExprKind::Object(fields) => {
                let read = |(name, optional, ty): &(Ident, bool, TypeExpr)| Field {
                    name: name.name.clone(),
                    ty: self.part(ty),
                    optional: *optional,
                };
                Type::Object(fields.iter().map(read).collect())
            }
            TypeExprKind::Where(of, _) | TypeExprKind::Paren(of) => self.part(of),
            TypeExprKind::Bad => Type::Unknown,
        }
    }

    fn named(&mut self, ty: &TypeExpr, name: &Name) -> Type {
        if let Some((_, word)) = WORDS.iter().find(|(word, _)| name == word) {
            return word.clone();
        }
        let alias = self.tree.outwards(self.scope).find_map(|body| {
            self.tree.named(body, name).iter().find_map(|(_, named)| match named {
                Named::Alias(alias) => Some(*alias),
                _ => None,
            })
        });
        if let Some(alias) = alias {
            if self.depth == MAX_NAMES {
                let message = format!("more than {MAX_NAMES} types are made of one another here");
                return self.wrong(ty, &message, "write the type itself in place of a name");
            }
            let alias = self.tree.alias(alias);
            // Its words mean what they mean where it was declared.
            let scope = std::mem::replace(&mut self.scope, alias.scope);
            self.depth += 1;
            let read = self.part(&alias.ast.ty);
            (self.depth, self.scope) = (self.depth - 1, scope);
            return read;
        }
        let is_kind = self.shapes.kind(name).is_some() || self.is_component(name);
        if is_kind {
            return Type::Ref(vec![name.clone()]);
        }
        self.unknown(&Ident { name: name.clone(), span: ty.span }, ty)
    }

    fn is_component(&self, name: &str) -> bool {
        self.tree.outwards(self.scope).any(|body| {
            let named = self.tree.named(body, name);
            named.iter().any(|(_, named)| matches!(named, Named::Component(_)))
        })
    }

    fn union(&mut self, parts: &[TypeExpr]) -> Type {
        let mut texts: Vec<Name> = Vec::new();
        let mut kinds: Vec<Name> = Vec::new();
        let mut others: Vec<Type> = Vec::new();
        for part in parts {
            match self.part(part) {
                Type::OneOf(more) => texts.extend(more),
                Type::Ref(more) => kinds.extend(more),
                Type::Either(more) => others.extend(more),
                other => others.push(other),
            }
        }
        if !kinds.is_empty() {
            others.insert(0, Type::Ref(kinds));
        }
        if !texts.is_empty() {
            others.insert(0, Type::OneOf(texts));
        }
        match others.len() {
            1 => others.swap_remove(0),
            _ => Type::Either(others),
        }
    }

    fn wrong(&mut self, ty: &TypeExpr, message: &str, help: &str) -> Type {
        self.diagnostics.push(Diagnostic::error(codes::E0209, ty.span, message).help(help));
        Type::Unknown
    }

    fn unknown(&mut self, word: &Ident, ty: &TypeExpr) -> Type {
        let bad = self
            .tree
            .outwards(self.scope)
            .any(|body| self.tree.body(body).bad().contains(&word.name));
        if bad {
            return Type::Unknown;
        }
        let other_tools = [
            ("string", "String"),
            ("number", "Int"),
            ("bool", "Bool"),
            ("list", "T[]"),
            ("map", "Map<T>"),
            ("any", "the type that is meant"),
            ("object", "{ a: Int }"),
        ];
        let habit =
            other_tools.iter().find(|(theirs, _)| word.name == *theirs).map(|(_, ours)| *ours);
        let most = if self.explains { usize::MAX } else { 0 };
        let aliases = self.tree.aliases.iter().take(most).map(|alias| alias.ast.name.name.as_str());
        let known = WORDS.iter().map(|(word, _)| *word).chain(["Map", "Secret"]).chain(aliases);
        let meant = habit.or_else(|| nearest(&word.name, known));
        let help = match meant {
            Some(meant) => format!("write `{meant}`"),
            None => {
                "types are Int, String, Bytes, Ip, Cidr, …, kinds, and those of `type`".to_owned()
            }
        };
        let message = format!("there is no type `{}`", word.name);
        self.diagnostics.push(Diagnostic::error(codes::E0209, ty.span, message).help(help));
        Type::Unknown
    }
}

/// How many parts a type has, unless it is beyond all bounds.
pub(crate) fn size(ty: &Type) -> Option<usize> {
    let mut size = 0;
    let mut open = vec![ty];
    while let Some(ty) = open.pop() {
        size += 1;
        if size > MAX_SIZE {
            return None;
        }
        match ty {
            Type::List(of) | Type::Map(of) | Type::Optional(of) | Type::Secret(of) => open.push(of),
            Type::Either(types) => open.extend(types),
            Type::Object(fields) => open.extend(fields.iter().map(|field| &field.ty)),
            _ => {}
        }
    }
    Some(size)
}

/// A type in the words of the text, for messages.
pub(crate) fn written(ty: &TypeExpr) -> String {
    match &ty.kind {
        TypeExprKind::Name(name) => name.to_string(),
        TypeExprKind::Bounded(word, min, max) => {
            let bound = |bound: &Option<i64>| bound.map_or(String::new(), |b| b.to_string());
            format!("{}({}..={})", word.name, bound(min), bound(max))
        }
        TypeExprKind::Generic(word, of) => format!("{}<{}>", word.name, written(of)),
        TypeExprKind::List(of) => format!("{}[]", written(of)),
        TypeExprKind::Optional(of) => format!("{}?", written(of)),
        TypeExprKind::Text(text) => format!("\"{text}\""),
        TypeExprKind::Union(parts) => parts.iter().map(written).collect::<Vec<_>>().join(" | "),
        TypeExprKind::Object(_) => "{ … }".to_owned(),
        TypeExprKind::Where(of, _) | TypeExprKind::Paren(of) => written(of),
        TypeExprKind::Bad => "?".to_owned(),
    }
}
