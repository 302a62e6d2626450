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

/// Understands written types in one scope.
pub(crate) struct Reader<'r> {
    pub(crate) tree: &'r Tree,
    pub(crate) shapes: &'r Shapes,
    pub(crate) scope: BodyId,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// How many names of types stand for one another; a guard against types that name themselves.
    depth: u8,
}

impl<'r> Reader<'r> {
    pub(crate) fn new(tree: &'r Tree, shapes: &'r Shapes, scope: BodyId) -> Reader<'r> {
        Reader { tree, shapes, scope, diagnostics: Vec::new(), depth: 0 }
    }

    /// The type; what is wrong with it becomes [`Type::Unknown`].
    pub(crate) fn read(&mut self, ty: &TypeExpr) -> Type {
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
                "Map" => Type::Map(Box::new(self.read(of))),
                "Secret" => Type::Secret(Box::new(self.read(of))),
                "Late" => self.read(of),
                "List" => self.wrong(ty, "lists are written `T[]`", "write `T[]`"),
                _ => self.unknown(word, ty),
            },
            TypeExprKind::List(of) => Type::list(self.read(of)),
            TypeExprKind::Optional(of) => Type::Optional(Box::new(self.read(of))),
            TypeExprKind::Text(text) => Type::OneOf(vec![Name::new(text)]),
            TypeExprKind::Union(parts) => self.union(parts),
            TypeExprKind::Object(fields) => {
                let read = |(name, optional, ty): &(Ident, bool, TypeExpr)| Field {
                    name: name.name.clone(),
                    ty: self.read(ty),
                    optional: *optional,
                };
                Type::Object(fields.iter().map(read).collect())
            }
            TypeExprKind::Where(of, _) | TypeExprKind::Paren(of) => self.read(of),
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
            if self.depth == 32 {
                return self.wrong(ty, "this type is made of itself", "types cannot be recursive");
            }
            self.depth += 1;
            let read = self.read(&self.tree.aliases[alias.index()].ty);
            self.depth -= 1;
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
            match self.read(part) {
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
        let aliases = self.tree.aliases.iter().map(|alias| alias.name.name.as_str());
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
