//! Whether every block and every attribute stands where it may: kinds, nested blocks, names,
//! things given twice. Gives each block its [`Shape`].

use tcloud_model::diagnostic::nearest;
use tcloud_model::{Diagnostic, Name, Schema, codes};
use tcloud_syntax::ast::{BlockForm, Ident};

use super::habit;
use crate::shapes::{ShapeId, ShapeInfo, Shapes};
use crate::tree::{
    Block, BlockId, BodyId, ComponentId, Def, DefKind, Named, Owner, Shape, Statement, Tree,
};

/// Understands the word of every block, outermost first, and reports what is out of place.
pub(crate) fn check(tree: &mut Tree, shapes: &Shapes, diagnostics: &mut Vec<Diagnostic>) {
    for id in (0..tree.blocks.len()).map(|at| BlockId(u32::try_from(at).unwrap_or(u32::MAX))) {
        let mut checker = Structure { tree, shapes, diagnostics };
        let shape = checker.block(id);
        tree.blocks[id.index()].shape = shape;
    }
    let mut checker = Structure { tree, shapes, diagnostics };
    for at in 0..tree.bodies.len() {
        checker.body(BodyId(u32::try_from(at).unwrap_or(u32::MAX)));
    }
}

/// What a body is the inside of.
#[derive(Clone, Copy)]
enum Context {
    Root,
    Known(ShapeId),
    Component,
    Use(ComponentId),
    Check,
    Unknown,
}

struct Structure<'c> {
    tree: &'c Tree,
    shapes: &'c Shapes,
    diagnostics: &'c mut Vec<Diagnostic>,
}

impl<'c> Structure<'c> {
    fn context(&self, body: BodyId) -> Context {
        match self.tree.body(body).owner {
            Owner::Root => Context::Root,
            Owner::Component(_) => Context::Component,
            Owner::Check => Context::Check,
            Owner::Block(block) => match self.tree.block(block).shape {
                Shape::Known(shape) => Context::Known(shape),
                Shape::Use(component) => Context::Use(component),
                Shape::Unknown => Context::Unknown,
            },
        }
    }

    /// The shape of a block; blocks around it were understood before.
    fn block(&mut self, id: BlockId) -> Shape {
        let block = self.tree.block(id);
        let shape = self.word(block);
        match shape {
            Shape::Known(shape) => self.head(block, self.shapes.get(shape)),
            Shape::Use(_) if block.name.is_none() => self.nameless(block),
            _ => {}
        }
        if let Some(name) = &block.name
            && !Name::is_word(&name.name)
        {
            self.diagnostics.push(bad_name(name));
        }
        shape
    }

    fn word(&mut self, block: &'c Block) -> Shape {
        let word = block.kind.name.as_str();
        let kind = self.shapes.kind(word);
        if block.form == BlockForm::Defaults {
            return match kind {
                Some(kind) => Shape::Known(kind),
                None => self.unknown_word(block, &[], "defaults are given for kinds"),
            };
        }
        let context = self.context(block.parent);
        let here = match context {
            Context::Unknown => return kind.map_or(Shape::Unknown, Shape::Known),
            Context::Root => kind.filter(|kind| self.schema_of(*kind, |s| s.top_level)),
            Context::Component => {
                kind.filter(|kind| self.schema_of(*kind, |s| stands_in_scopes(self.shapes, s)))
            }
            Context::Known(outer) => {
                let outer = self.shapes.get(outer);
                outer.block(word).or(kind.filter(|kind| outer.takes(self.shapes.get(*kind))))
            }
            Context::Use(_) | Context::Check => None,
        };
        if let Some(shape) = here {
            return Shape::Known(shape);
        }
        match self.component(block.parent, word) {
            Some(component) if self.is_scope(context) => Shape::Use(component),
            Some(_) => self.misplaced(block, context, "a component is used in a tenant or a site"),
            None if kind.is_some() => {
                let schema = kind.and_then(|kind| self.shapes.get(kind).schema.as_ref());
                let places = schema.map_or_else(String::new, |schema| places(schema));
                self.misplaced(block, context, &places)
            }
            None => self.unknown_block(block, context),
        }
    }

    fn schema_of(&self, kind: ShapeId, holds: impl Fn(&Schema) -> bool) -> bool {
        self.shapes.get(kind).schema.as_ref().is_some_and(|schema| holds(schema))
    }

    fn component(&self, scope: BodyId, word: &str) -> Option<ComponentId> {
        self.tree.outwards(scope).find_map(|body| {
            self.tree.named(body, word).iter().find_map(|(_, named)| match named {
                Named::Component(component) => Some(*component),
                _ => None,
            })
        })
    }

    /// The components that may be used in a body.
    fn components(&self, body: BodyId) -> Vec<&'c str> {
        let tree = self.tree;
        let names = tree.outwards(body).flat_map(|body| tree.body(body).names());
        let components = names.filter(|(_, named)| matches!(named, Named::Component(_)));
        let mut words: Vec<&str> = components.map(|(name, _)| name.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        words
    }

    fn misplaced(&mut self, block: &Block, context: Context, help: &str) -> Shape {
        let word = &block.kind.name;
        let place = match context {
            Context::Root => "at the top level".to_owned(),
            Context::Known(outer) => format!("in a {}", self.shapes.get(outer).word),
            Context::Use(_) => "in the use of a component".to_owned(),
            Context::Check => "in a check".to_owned(),
            Context::Component | Context::Unknown => "here".to_owned(),
        };
        let kind = if block.name.is_some() { self.shapes.kind(word) } else { None };
        self.diagnostics.push(
            Diagnostic::error(codes::E0104, block.head, format!("{word} cannot stand {place}"))
                .help(help),
        );
        kind.map_or(Shape::Unknown, Shape::Known)
    }

    fn unknown_word(&mut self, block: &Block, components: &[&str], help: &str) -> Shape {
        let word = &block.kind;
        let kinds = self.shapes.kinds().map(|(word, _)| word.as_str());
        let known = kinds.chain(components.iter().copied().take(COMPONENTS_COMPARED));
        let diagnostic =
            Diagnostic::error(codes::E0103, word.span, format!("there is no kind `{}`", word.name));
        self.diagnostics.push(suggest(diagnostic, word, known, help));
        Shape::Unknown
    }

    fn unknown_block(&mut self, block: &'c Block, context: Context) -> Shape {
        if let Some(diagnostic) = habit::block(block) {
            self.diagnostics.push(diagnostic);
            return Shape::Unknown;
        }
        let components =
            if self.is_scope(context) { self.components(block.parent) } else { Vec::new() };
        let Context::Known(outer) = context else {
            let help = with_components("`tcloud explain` lists the kinds", &components);
            return self.unknown_word(block, &components, &help);
        };
        let (outer, word) = (self.shapes.get(outer), &block.kind);
        if outer.attribute(&word.name).is_some() {
            self.diagnostics.push(
                Diagnostic::error(
                    codes::E0106,
                    word.span,
                    format!("`{}` of {} is an attribute, not a block", word.name, outer.word),
                )
                .help(format!("write `{} = …`, with `=`", word.name)),
            );
            return Shape::Unknown;
        }
        let mut known: Vec<&str> = outer.blocks.iter().map(|(word, _)| word.as_str()).collect();
        known.extend(
            self.shapes
                .kinds()
                .filter(|(_, kind)| outer.takes(self.shapes.get(*kind)))
                .map(|(word, _)| word.as_str()),
        );
        known.dedup();
        let list = if known.is_empty() {
            format!("{} takes no blocks", outer.word)
        } else {
            format!("blocks of {}: {}", outer.word, known.join(", "))
        };
        let list = with_components(&list, &components);
        known.extend(components);
        let message = match self.shapes.kind(&word.name) {
            Some(_) => format!("{} cannot stand in a {}", word.name, outer.word),
            None => format!("{} has no block `{}`", outer.word, word.name),
        };
        let diagnostic = Diagnostic::error(codes::E0103, word.span, message);
        self.diagnostics.push(suggest(diagnostic, word, known.iter().copied(), &list));
        Shape::Unknown
    }

    /// The name, the repetition and the form of a block.
    fn head(&mut self, block: &Block, info: &ShapeInfo) {
        let word = &block.kind.name;
        if block.form == BlockForm::Defaults {
            let stray = block.name.as_ref().map(|name| name.span);
            let stray = stray.or(block.repeat.as_ref().map(|repeat| repeat.span));
            if let Some(span) = stray {
                self.diagnostics.push(
                    Diagnostic::error(
                        codes::E0107,
                        span,
                        format!("defaults for {word} have neither a name nor a repetition"),
                    )
                    .help(format!("write `defaults {word} {{ … }}`")),
                );
            }
            return;
        }
        match (&block.name, info.named) {
            (None, true) => self.nameless(block),
            (Some(name), false) => self.diagnostics.push(
                Diagnostic::error(codes::E0107, name.span, format!("{word} has no name"))
                    .help(format!("write `{word} {{ … }}`; it occurs once")),
            ),
            _ => {}
        }
        if let Some(repeat) = &block.repeat
            && !info.named
        {
            self.diagnostics.push(
                Diagnostic::error(codes::E0107, repeat.span, format!("{word} occurs once"))
                    .help("repeat the block around it, or compute its attributes"),
            );
        }
        let managed = info.schema.as_ref().is_some_and(|schema| schema.role.is_managed());
        if block.form == BlockForm::Existing && !managed {
            self.diagnostics.push(
                Diagnostic::error(
                    codes::E0104,
                    block.head,
                    format!("`existing` does not apply to {word}"),
                )
                .help("it is for objects on hypervisors: networks, volumes, images, pools, VMs"),
            );
        }
    }

    fn nameless(&mut self, block: &Block) {
        let word = &block.kind.name;
        self.diagnostics.push(
            Diagnostic::error(codes::E0107, block.head, format!("this {word} needs a name"))
                .help(format!("write `{word} NAME {{ … }}`, a name such as `main`")),
        );
    }

    fn body(&mut self, id: BodyId) {
        let context = self.context(id);
        if !matches!(context, Context::Unknown) {
            self.definitions(id, context);
            self.statements(id, context);
        }
        self.twice(id);
    }

    fn definitions(&mut self, id: BodyId, context: Context) {
        for (_, def) in self.tree.defs_of(id) {
            match (def.kind, context) {
                (DefKind::Let, _) => {}
                (DefKind::Attribute, Context::Known(shape)) => self.attribute(id, def, shape),
                (DefKind::Attribute, Context::Use(component)) => self.argument(def, component),
                (DefKind::Attribute, _) => self.stray_attribute(def),
                (DefKind::Param, Context::Root | Context::Component)
                | (DefKind::Output, Context::Root | Context::Component) => {}
                (DefKind::Output, Context::Known(shape)) if self.shapes.get(shape).is_scope() => {}
                (DefKind::Param, _) => self.diagnostics.push(
                    Diagnostic::error(codes::E0108, def.span, "`param` cannot stand here")
                        .help("parameters belong at the top level or in a component; use `let`"),
                ),
                (DefKind::Output, _) => self.diagnostics.push(
                    Diagnostic::error(codes::E0108, def.span, "`output` cannot stand here")
                        .help("outputs belong at the top level, in a tenant or in a component"),
                ),
            }
        }
    }

    fn stray_attribute(&mut self, def: &Def) {
        let name = &def.name.name;
        let diagnostic = Diagnostic::error(
            codes::E0108,
            def.name.span,
            format!("`{name} = …` stands in no block"),
        );
        self.diagnostics.push(match habit::attribute(&def.name) {
            Some(habit) => habit,
            None => diagnostic
                .help(format!("a value for later use is written `let {name} = …`"))
                .fix(def.name.span, format!("let {name}")),
        });
    }

    /// Names on hosts follow from addresses; only what others made has one of its own.
    fn name_of_ours(&mut self, body: BodyId, def: &Def, info: &ShapeInfo) {
        let managed = info.schema.as_ref().is_some_and(|schema| schema.role.is_managed());
        let Owner::Block(block) = self.tree.body(body).owner else { return };
        let block = self.tree.block(block);
        if managed && def.name.name == "name" && block.form != BlockForm::Existing {
            self.diagnostics.push(
                Diagnostic::error(
                    codes::E0101,
                    def.name.span,
                    format!("{} has no attribute `name`", describe(block)),
                )
                .label("tcloud names its own objects")
                .help("only `existing` objects are called as somebody else named them"),
            );
        }
    }

    fn attribute(&mut self, body: BodyId, def: &Def, shape: ShapeId) {
        let info = self.shapes.get(shape);
        let name = &def.name;
        if info.attribute(&name.name).is_some() {
            self.name_of_ours(body, def, info);
            return;
        }
        if info.block(&name.name).is_some() {
            let message = format!("`{}` of {} is a block, not an attribute", name.name, info.word);
            self.diagnostics.push(
                Diagnostic::error(codes::E0106, name.span, message)
                    .help(format!("write `{} {{ … }}`, without `=`", name.name)),
            );
            return;
        }
        if let Some(habit) = habit::attribute(name) {
            self.diagnostics.push(habit);
            return;
        }
        let subject = match self.tree.body(body).owner {
            Owner::Block(block) => describe(self.tree.block(block)),
            _ => info.word.to_string(),
        };
        let known = info.attributes.iter().map(|attribute| attribute.name.as_str());
        let list: Vec<&str> = known.clone().take(8).collect();
        let help = format!("attributes of {}: {}", info.word, list.join(", "));
        let diagnostic = Diagnostic::error(
            codes::E0101,
            name.span,
            format!("{subject} has no attribute `{}`", name.name),
        );
        self.diagnostics.push(suggest(diagnostic, name, known, &help));
    }

    /// An attribute of a component's use has to be one of its parameters.
    fn argument(&mut self, def: &Def, component: ComponentId) {
        let component = self.tree.component(component);
        let params: Vec<&str> = self
            .tree
            .defs_of(component.body)
            .filter(|(_, def)| def.kind == DefKind::Param)
            .map(|(_, def)| def.name.name.as_str())
            .collect();
        if params.contains(&def.name.name.as_str()) {
            return;
        }
        let message = format!("{} has no parameter `{}`", component.name.name, def.name.name);
        let diagnostic = Diagnostic::error(codes::E0101, def.name.span, message)
            .also(component.head, "the component");
        let help = format!("its parameters: {}", params.join(", "));
        self.diagnostics.push(suggest(diagnostic, &def.name, params.iter().copied(), &help));
    }

    fn statements(&mut self, id: BodyId, context: Context) {
        for (_, statement) in self.tree.body(id).statements() {
            let (word, span, fits) = match statement {
                Statement::Assert(assert) => {
                    ("assert", assert.span, matches!(context, Context::Check))
                }
                Statement::Moved(moved) => ("moved", moved.span, self.is_scope(context)),
                Statement::Adopt(adopt) => ("adopt", adopt.span, self.is_scope(context)),
                Statement::Forget(forget) => ("forget", forget.span, self.is_scope(context)),
                Statement::Check(name, _) => ("check", name.span, self.is_scope(context)),
            };
            if !fits {
                let help = match word {
                    "assert" => "write `check NAME { assert …, \"message\" }`",
                    _ => "it belongs at the top level or directly in a tenant or site",
                };
                self.diagnostics.push(
                    Diagnostic::error(codes::E0108, span, format!("`{word}` cannot stand here"))
                        .help(help),
                );
            }
        }
    }

    fn is_scope(&self, context: Context) -> bool {
        match context {
            Context::Root | Context::Component => true,
            Context::Known(shape) => self.shapes.get(shape).is_scope(),
            _ => false,
        }
    }

    /// Names, attributes and blocks that are given twice without a condition between them.
    fn twice(&mut self, id: BodyId) {
        let body = self.tree.body(id);
        for pair in body.names().windows(2) {
            let [(first, a), (second, b)] = pair else { continue };
            let ((first_at, a_guard), (at, b_guard)) = (self.place(*a), self.place(*b));
            if first == second && a_guard == b_guard {
                self.diagnostics.push(
                    Diagnostic::error(codes::E0302, at, format!("`{second}` is declared twice"))
                        .label("again")
                        .also(first_at, "first")
                        .help("give one of them another name"),
                );
            }
        }
        let mut attributes: Vec<&Def> =
            self.tree.defs_of(id).map(|(_, def)| def).filter(|d| d.kind != DefKind::Let).collect();
        attributes.sort_by(|a, b| a.name.name.cmp(&b.name.name));
        for pair in attributes.windows(2) {
            let [first, second] = pair else { continue };
            let same = first.kind == second.kind && first.name.name == second.name.name;
            if same && first.guard == second.guard && first.kind != DefKind::Param {
                self.diagnostics.push(
                    Diagnostic::error(
                        codes::E0105,
                        second.name.span,
                        format!("`{}` is set twice", second.name.name),
                    )
                    .label("again")
                    .also(first.name.span, "first")
                    .help("remove one of the two"),
                );
            }
        }
        for pair in body.index.windows(2) {
            let [first, second] = pair else { continue };
            let block = |at: &u32| self.tree.block(body.blocks[*at as usize]);
            let (first, second) = (block(first), block(second));
            let same = first.kind.name == second.kind.name
                && first.name.as_ref().map(|n| &n.name) == second.name.as_ref().map(|n| &n.name);
            if same && first.guard == second.guard && first.condition.is_none() {
                self.diagnostics.push(declared_twice(first, second));
            }
        }
        self.defaults_twice(id);
    }

    fn defaults_twice(&mut self, id: BodyId) {
        let tree = self.tree;
        let blocks = tree.body(id).defaults().iter().map(|id| tree.block(*id));
        let mut blocks: Vec<&Block> = blocks.filter(|block| block.condition.is_none()).collect();
        blocks.sort_by(|a, b| a.kind.name.cmp(&b.kind.name));
        for pair in blocks.windows(2) {
            let [first, second] = pair else { continue };
            if first.kind.name == second.kind.name && first.guard == second.guard {
                self.diagnostics.push(defaults_given_twice(first, second));
            }
        }
    }

    fn place(&self, named: Named) -> (tcloud_model::Span, Option<crate::tree::GuardId>) {
        match named {
            Named::Def(def) => (self.tree.def(def).name.span, self.tree.def(def).guard),
            Named::Function(f) => (self.tree.functions[f.index()].ast.name.span, None),
            Named::Alias(alias) => (self.tree.alias(alias).ast.name.span, None),
            Named::Component(component) => (self.tree.component(component).name.span, None),
        }
    }
}

/// Where a kind may stand, as advice.
pub(super) fn places(schema: &Schema) -> String {
    let mut places: Vec<String> =
        schema.within.iter().map(|outer| format!("in a {outer}")).collect();
    if schema.top_level {
        places.insert(0, "at the top level".to_owned());
    }
    format!("a {} stands {}", schema.kind, places.join(" or "))
}

/// Whether there is a place for it where components are used; which one, `uses` looks at.
pub(super) fn stands_in_scopes(shapes: &Shapes, schema: &Schema) -> bool {
    let mut around = schema.within.iter().filter_map(|outer| shapes.kind(outer));
    schema.top_level || around.any(|outer| shapes.get(outer).is_scope())
}

/// How many components a help lists.
const COMPONENTS_SHOWN: usize = 8;

/// How many components a word is compared with.
const COMPONENTS_COMPARED: usize = 200;

/// A list of words, and the components besides.
fn with_components(list: &str, components: &[&str]) -> String {
    let shown = &components[..components.len().min(COMPONENTS_SHOWN)];
    match components.len() - shown.len() {
        0 if shown.is_empty() => list.to_owned(),
        0 => format!("{list}; components: {}", shown.join(", ")),
        more => format!("{list}; components: {} and {more} more", shown.join(", ")),
    }
}

/// Two blocks of one name, in one scope.
pub(crate) fn declared_twice(first: &Block, second: &Block) -> Diagnostic {
    let subject = describe(second);
    Diagnostic::error(codes::E0302, second.head, format!("{subject} is declared twice"))
        .label("again")
        .also(first.head, "first")
        .help("give one of them another name; blocks are never merged")
}

/// Two blocks of defaults for one kind, in one scope.
pub(crate) fn defaults_given_twice(first: &Block, second: &Block) -> Diagnostic {
    let message = format!("defaults for {} are given twice in one scope", second.kind.name);
    Diagnostic::error(codes::E0302, second.head, message)
        .label("again")
        .also(first.head, "first")
        .help("write one block with all of them; conditions of two have to exclude each other")
}

/// A block for people: ``vm `web` ``.
pub(crate) fn describe(block: &Block) -> String {
    match &block.name {
        Some(name) => format!("{} `{}`", block.kind.name, name.name),
        None => block.kind.name.to_string(),
    }
}

fn bad_name(name: &Ident) -> Diagnostic {
    Diagnostic::error(codes::E0304, name.span, format!("`{}` cannot be a name", name.name)).help(
        "names have the letters a to z, digits and single minus signs, begin with a letter and \
         have at most 63 characters",
    )
}

/// Completes a message about a misspelt word: the likely spelling, or a list.
pub(crate) fn suggest<'a>(
    diagnostic: Diagnostic,
    word: &Ident,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> Diagnostic {
    match nearest(&word.name, known) {
        Some(meant) => diagnostic
            .label(format!("did you mean `{meant}`?"))
            .help(format!("write `{meant}`"))
            .fix(word.span, meant),
        None => diagnostic.help(otherwise),
    }
}
