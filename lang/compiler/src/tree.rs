//! The program as tables: every block, definition and condition of all files, addressed by small
//! numbers, with `if` statements flattened into guards. Instances, memos and diagnostics hold these
//! numbers, so that nothing borrows from or copies the syntax trees.

use std::ops::Range;
use std::sync::Arc;

use tcloud_model::{Name, Span};
use tcloud_syntax::ast::{self, BlockForm, Expr, Ident, TypeExpr};

use crate::shapes::ShapeId;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) u32);
        impl $name {
            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// What stands between two braces, or in all files together.
    BodyId
    /// A block.
    BlockId
    /// A named expression: an attribute, a `let`, a `param`, an `output`.
    DefId
    /// A condition that a statement stands under.
    GuardId
    /// A function.
    FunctionId
    /// A `type`.
    AliasId
    /// A component.
    ComponentId
}

/// All files, lowered.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) bodies: Vec<Body>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) defs: Vec<Def>,
    pub(crate) guards: Vec<Guard>,
    pub(crate) conditions: Vec<Expr>,
    pub(crate) functions: Vec<Function>,
    pub(crate) aliases: Vec<Alias>,
    pub(crate) components: Vec<Component>,
}

/// Declarations that share one scope.
#[derive(Debug)]
pub(crate) struct Body {
    /// What the body belongs to.
    pub(crate) owner: Owner,
    /// The scope around it in the text.
    pub(crate) outer: Option<BodyId>,
    /// Its definitions, contiguous.
    pub(crate) defs: Range<u32>,
    /// A bit for the name of each definition, see [`trace`]: most attributes that are asked for are
    /// not written.
    pub(crate) traces: u64,
    /// Its blocks except `defaults`, in the order of the text.
    pub(crate) blocks: Box<[BlockId]>,
    /// Positions in `blocks`, sorted by kind and name.
    pub(crate) index: Box<[u32]>,
    /// Anything else. Most bodies have nothing of it, and there are very many of them.
    pub(crate) rest: Option<Box<Rest>>,
}

/// What few bodies have.
#[derive(Debug)]
pub(crate) struct Rest {
    /// Variables, functions, types and components by name; sorted.
    pub(crate) names: Vec<(Name, Named)>,
    /// `defaults` blocks.
    pub(crate) defaults: Vec<BlockId>,
    /// What neither has a name nor a body of its own.
    pub(crate) statements: Vec<(Option<GuardId>, Statement)>,
    /// Names of items that could not be read: references to them are not reported.
    pub(crate) bad: Vec<Name>,
    /// Whether an item without a name could not be read.
    pub(crate) incomplete: bool,
}

impl Body {
    /// See [`Rest::names`].
    pub(crate) fn names(&self) -> &[(Name, Named)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.names)
    }

    /// See [`Rest::defaults`].
    pub(crate) fn defaults(&self) -> &[BlockId] {
        self.rest.as_ref().map_or(&[], |rest| &rest.defaults)
    }

    /// See [`Rest::statements`].
    pub(crate) fn statements(&self) -> &[(Option<GuardId>, Statement)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.statements)
    }

    /// See [`Rest::bad`].
    pub(crate) fn bad(&self) -> &[Name] {
        self.rest.as_ref().map_or(&[], |rest| &rest.bad)
    }

    /// See [`Rest::incomplete`].
    pub(crate) fn incomplete(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| rest.incomplete)
    }
}

/// What a body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// All files together.
    Root,
    /// A block.
    Block(BlockId),
    /// A component.
    Component(ComponentId),
    /// A `check`.
    Check,
}

/// What a name of a scope stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Def(DefId),
    Function(FunctionId),
    Alias(AliasId),
    Component(ComponentId),
}

/// A named expression.
#[derive(Debug)]
pub(crate) struct Def {
    pub(crate) kind: DefKind,
    pub(crate) name: Ident,
    pub(crate) ty: Option<Box<TypeExpr>>,
    pub(crate) value: Option<Expr>,
    pub(crate) guard: Option<GuardId>,
    pub(crate) span: Span,
    pub(crate) doc: Option<Arc<str>>,
}

/// What a definition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefKind {
    Attribute,
    Let,
    Param,
    Output,
}

/// A block without its body.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) form: BlockForm,
    pub(crate) kind: Ident,
    pub(crate) name: Option<Ident>,
    pub(crate) repeat: Option<Box<ast::Repeat>>,
    pub(crate) condition: Option<Box<Expr>>,
    pub(crate) guard: Option<GuardId>,
    /// What stands between its braces.
    pub(crate) body: BodyId,
    /// The body that it stands in.
    pub(crate) parent: BodyId,
    pub(crate) head: Span,
    /// What it may hold; filled in by `shapes`.
    pub(crate) shape: Shape,
}

/// What a block is, once its word is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A kind, or a nested block of one.
    Known(ShapeId),
    /// The use of a component.
    Use(ComponentId),
    /// Reported as unknown or misplaced.
    Unknown,
}

/// A condition that has to hold, or not to hold, besides those around it.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) outer: Option<GuardId>,
    /// Index into [`Tree::conditions`].
    pub(crate) condition: u32,
    pub(crate) expected: bool,
}

/// A function with the scope that it was written in.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) ast: ast::Function,
    pub(crate) scope: BodyId,
}

/// The name of a type with the scope that it was declared in.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) ast: ast::TypeAlias,
    pub(crate) scope: BodyId,
}

/// A component.
#[derive(Debug)]
pub(crate) struct Component {
    pub(crate) name: Ident,
    pub(crate) body: BodyId,
    pub(crate) scope: BodyId,
    pub(crate) head: Span,
}

/// A statement without a scope of its own.
#[derive(Debug)]
pub(crate) enum Statement {
    Moved(ast::Moved),
    Adopt(ast::Adopt),
    Forget(ast::Forget),
    /// A check with the body that holds its `let`s and asserts.
    Check(Ident, BodyId),
    Assert(ast::Assert),
}

/// One of 64 bits for a name: another bit is certainly another name.
pub(crate) fn trace(name: &str) -> u64 {
    let (first, last) = match name.as_bytes() {
        [] => (0, 0),
        [one] => (*one, *one),
        [first, .., last] => (*first, *last),
    };
    1 << ((usize::from(first) * 5 + usize::from(last) * 3 + name.len()) % 64)
}

impl Tree {
    pub(crate) const ROOT: BodyId = BodyId(0);

    pub(crate) fn body(&self, id: BodyId) -> &Body {
        &self.bodies[id.index()]
    }

    pub(crate) fn block(&self, id: BlockId) -> &Block {
        &self.blocks[id.index()]
    }

    pub(crate) fn def(&self, id: DefId) -> &Def {
        &self.defs[id.index()]
    }

    pub(crate) fn guard(&self, id: GuardId) -> &Guard {
        &self.guards[id.index()]
    }

    pub(crate) fn condition(&self, guard: &Guard) -> &Expr {
        &self.conditions[guard.condition as usize]
    }

    pub(crate) fn alias(&self, id: AliasId) -> &Alias {
        &self.aliases[id.index()]
    }

    pub(crate) fn component(&self, id: ComponentId) -> &Component {
        &self.components[id.index()]
    }

    /// The definitions of a body in the order of the text.
    pub(crate) fn defs_of(&self, body: BodyId) -> impl Iterator<Item = (DefId, &Def)> + use<'_> {
        let range = self.body(body).defs.clone();
        range.map(DefId).map(|id| (id, self.def(id)))
    }

    /// The attributes of this name: more than one when they stand under conditions.
    pub(crate) fn attributes<'t>(
        &'t self,
        body: BodyId,
        name: &'t str,
    ) -> impl Iterator<Item = DefId> + use<'t> {
        let perhaps = self.body(body).traces & trace(name) != 0;
        let defs = perhaps.then(|| self.defs_of(body)).into_iter().flatten();
        defs.filter(move |(_, def)| def.kind == DefKind::Attribute && def.name.name == *name)
            .map(|(id, _)| id)
    }

    /// What a scope itself says about a name; more than one under conditions.
    pub(crate) fn named(&self, body: BodyId, name: &str) -> &[(Name, Named)] {
        let names = self.body(body).names();
        let start = names.partition_point(|(own, _)| own.as_str() < name);
        let count = names[start..].iter().take_while(|(own, _)| own == name).count();
        &names[start..start + count]
    }

    /// Positions of the blocks of this kind and name in a body.
    pub(crate) fn blocks_named(&self, body: BodyId, kind: &str, name: &str) -> &[u32] {
        let body = self.body(body);
        let key = |at: &u32| {
            let block = self.block(body.blocks[*at as usize]);
            (block.kind.name.as_str(), block.name.as_ref().map_or("", |n| n.name.as_str()))
        };
        let start = body.index.partition_point(|at| key(at) < (kind, name));
        let count = body.index[start..].iter().take_while(|at| key(at) == (kind, name)).count();
        &body.index[start..start + count]
    }

    /// All blocks of a kind in a body, with their positions.
    pub(crate) fn blocks_of_kind<'t>(
        &'t self,
        body: BodyId,
        kind: &'t str,
    ) -> impl Iterator<Item = (u32, &'t Block)> + use<'t> {
        let body = self.body(body);
        let start = body
            .index
            .partition_point(|at| self.block(body.blocks[*at as usize]).kind.name.as_str() < kind);
        body.index[start..]
            .iter()
            .map(|at| (*at, self.block(body.blocks[*at as usize])))
            .take_while(move |(_, block)| block.kind.name == *kind)
    }

    /// What is called like this in a body or around it, as a path: `network.office`.
    pub(crate) fn called(&self, body: BodyId, name: &str) -> Option<String> {
        let named = |block: &&Block| block.name.as_ref().is_some_and(|own| own.name == *name);
        let blocks = self.outwards(body).flat_map(|body| self.body(body).blocks.iter());
        let found = blocks.map(|id| self.block(*id)).find(named)?;
        Some(format!("{}.{name}", found.kind.name))
    }

    /// Whether a block of this name has a word that is no kind: it is reported there, and may be what
    /// a reference is about.
    pub(crate) fn has_misspelt(&self, body: BodyId, name: &str) -> bool {
        let mut blocks = self.body(body).blocks.iter().map(|id| self.block(*id));
        blocks.any(|block| {
            block.shape == Shape::Unknown
                && block.name.as_ref().is_some_and(|own| own.name == *name)
        })
    }

    /// The scopes from a body outwards.
    pub(crate) fn outwards(&self, body: BodyId) -> impl Iterator<Item = BodyId> + use<'_> {
        std::iter::successors(Some(body), |at| self.body(*at).outer)
    }
}
