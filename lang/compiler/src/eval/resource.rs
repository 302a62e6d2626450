//! Finished resources: every attribute evaluated, nested blocks gathered, dependencies listed.

use std::ops::Range;
use std::sync::Arc;

use tcloud_model::diagnostic::nearest;
use tcloud_model::kinds::needed;
use tcloud_model::{
    Address, AttrPath, Attribute, DesiredResource, Diagnostic, Fields, Forgotten, Lifecycle, Moved,
    Name, Role, Span, Value, codes,
};
use tcloud_syntax::ast::{Expr, ExprKind};

use super::state::{InstanceId, State};
use super::{Eval, Stop};
use crate::check::habit;
use crate::check::structure::describe;
use crate::parts::Held;
use crate::shapes::{Purpose, ShapeInfo};
use crate::tree::{Def, DefKind, Shape};

/// Everything that a walk over all instances finds.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) resources: Vec<DesiredResource>,
    pub(crate) moved: Vec<Moved>,
    pub(crate) adopted: Vec<tcloud_model::Adoption>,
    pub(crate) forgotten: Vec<Forgotten>,
    /// Instances whose body holds outputs.
    pub(crate) outputs: Vec<Held>,
    /// Checks: their name with its scope, and the instance of their body.
    pub(crate) checks: Vec<(Name, Held)>,
}

impl Collected {
    /// Adds what another walk found.
    pub(crate) fn append(&mut self, other: Collected) {
        let Collected { resources, moved, adopted, forgotten, outputs, checks } = other;
        self.resources.extend(resources);
        self.moved.extend(moved);
        self.adopted.extend(adopted);
        self.forgotten.extend(forgotten);
        self.outputs.extend(outputs);
        self.checks.extend(checks);
    }
}

/// Attributes and nested blocks of one instance.
#[derive(Default)]
struct Gathered {
    /// Attributes as they are found; `fields` has them sorted when all of them are.
    found: Vec<(Name, Value)>,
    fields: Fields,
    missing: Vec<Name>,
    deferred: bool,
    failed: bool,
}

/// Which attributes of a `disk` block are wanted: those that say how it is attached, which belong
/// to the VM, or those of the disk itself.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    Attachment,
    Disk,
}

impl<'p> Eval<'p> {
    /// Evaluates everything below an instance.
    pub(crate) fn walk(&mut self, id: InstanceId, out: &mut Collected) {
        self.walk_some(id, 0..self.child_count(id), out);
    }

    /// Evaluates what stands in the blocks at these positions of an instance; the first of them come
    /// with what the instance says beside its blocks.
    pub(crate) fn walk_some(&mut self, id: InstanceId, blocks: Range<u32>, out: &mut Collected) {
        if blocks.start == 0 {
            self.definitions_of(id, out);
            self.statements_of(id, out);
        }
        for position in blocks {
            if self.sink.stopped {
                return;
            }
            let Some(child) = self.child(id, position) else { continue };
            let shape = self.tree.block(child.block).shape;
            let is_object = match shape {
                Shape::Known(shape) => {
                    let schema = self.shapes.get(shape).schema.as_ref();
                    schema.is_some_and(|schema| schema.role != Role::Part)
                }
                Shape::Use(_) => true,
                Shape::Unknown => false,
            };
            if !is_object {
                continue;
            }
            self.asking = self.tree.block(child.block).head;
            let found = self.expand(id, position);
            let at = self.asking;
            let Ok(range) = self.now(found, at, "what exists") else { continue };
            for instance in State::range(range) {
                if let Shape::Known(_) = shape {
                    self.finish(instance, out);
                }
                self.walk(instance, out);
            }
        }
    }

    /// `let`s, parameters and outputs are evaluated even when nothing asks for them.
    fn definitions_of(&mut self, id: InstanceId, out: &mut Collected) {
        if let Some(arguments) = self.state.get(id).arguments() {
            self.lets_of(arguments);
        }
        let mut has_outputs = false;
        for (def, found) in self.tree.defs_of(self.body_of(id)) {
            if found.kind == DefKind::Attribute {
                continue;
            }
            if self.guards_hold(id, found.guard) != Ok(true) {
                continue;
            }
            has_outputs |= found.kind == DefKind::Output;
            self.asking = found.name.span;
            let _ = self.definition(id, def, None);
        }
        if has_outputs {
            out.outputs.push(Held { part: self.part, id });
        }
    }

    /// The `let`s in the use of a component; what else stands there are arguments.
    fn lets_of(&mut self, id: InstanceId) {
        for (def, found) in self.tree.defs_of(self.body_of(id)) {
            if found.kind == DefKind::Let && self.guards_hold(id, found.guard) == Ok(true) {
                self.asking = found.name.span;
                let _ = self.definition(id, def, None);
            }
        }
    }

    /// Finishes one resource, unless it is a block that attaches a volume.
    fn finish(&mut self, id: InstanceId, out: &mut Collected) {
        let Some(info) = self.info(id) else { return };
        if info.is_kind("disk") && !matches!(self.is_inline(id), Ok(true)) {
            return;
        }
        let part = if info.is_kind("disk") { Part::Disk } else { Part::Whole };
        let gathered = self.gather(id, info, info, part);
        self.report_missing(id, info, &gathered);
        let lifecycle = self.lifecycle(id, info);
        let after = self.after(id, info);
        let instance = self.state.get(id);
        let (Some(address), Some(block)) = (instance.address.clone(), instance.block) else {
            return;
        };
        let fields = Arc::new(gathered.fields.compact());
        let dependencies = self.dependencies(&address, info, &fields, after);
        let keep = self.tree.defs_of(instance.body).any(|(_, def)| def.kind != DefKind::Attribute);
        self.state.get_mut(id).finish(fields.clone(), keep);
        out.resources.push(DesiredResource {
            address,
            attributes: fields,
            dependencies,
            lifecycle,
            deferred: gathered.deferred,
            span: self.tree.block(block).head,
        });
    }

    /// The attributes of a resource again, now that values were assigned.
    pub(crate) fn configure(&mut self, id: InstanceId) -> Fields {
        let Some(info) = self.info(id) else { return Fields::new() };
        let part = if info.is_kind("disk") { Part::Disk } else { Part::Whole };
        self.gather(id, info, info, part).fields
    }

    /// The fields of a nested block that occurs once or is no object.
    pub(super) fn part(&mut self, id: InstanceId) -> super::Evaluated<Arc<Fields>> {
        let Some(info) = self.info(id) else { return Err(Stop::Reported) };
        let gathered = self.gather(id, info, info, Part::Whole);
        match (gathered.failed, gathered.deferred) {
            (true, _) => Err(Stop::Reported),
            (_, true) => Err(Stop::Late),
            _ => Ok(Arc::new(gathered.fields)),
        }
    }

    /// Evaluates all attributes of an instance; `resource` is the kind that they belong to.
    fn gather(
        &mut self,
        id: InstanceId,
        info: &'p ShapeInfo,
        resource: &'p ShapeInfo,
        part: Part,
    ) -> Gathered {
        let mut gathered = Gathered::default();
        for (attribute, purpose) in info.purposes() {
            let wanted = match part {
                Part::Whole => purpose != Purpose::Lifecycle,
                Part::Attachment => purpose == Purpose::Attachment,
                Part::Disk => purpose == Purpose::Plain,
            };
            if wanted {
                self.gather_one(id, info, resource, attribute, &mut gathered);
            }
        }
        gathered.fields = std::mem::take(&mut gathered.found).into();
        if !info.blocks.is_empty() && part == Part::Whole {
            self.gather_blocks(id, info, resource, &mut gathered);
        }
        gathered
    }

    fn gather_one(
        &mut self,
        id: InstanceId,
        info: &'p ShapeInfo,
        resource: &'p ShapeInfo,
        attribute: &'p Attribute,
        gathered: &mut Gathered,
    ) {
        match self.settled(id, info, attribute) {
            Ok(Some(Value::None)) | Ok(None) => {
                if attribute.required {
                    gathered.missing.push(attribute.name.clone());
                }
            }
            Ok(Some(value)) => {
                gathered.found.push((attribute.name.clone(), value));
            }
            Err(Stop::Reported) => gathered.failed = true,
            Err(Stop::Late) => {
                let top = if info.word == resource.word { &attribute.name } else { &info.word };
                if may_wait(&resource.word, top) {
                    gathered.deferred = true;
                } else {
                    gathered.failed = true;
                    let at = self.attribute_span(id, &attribute.name);
                    self.too_late(at, &format!("`{}`", attribute.name));
                }
            }
        }
    }

    fn attribute_span(&mut self, id: InstanceId, name: &'p str) -> Span {
        let def = self.source(id, name).ok().flatten().map(|(_, def)| self.tree.def(def));
        let value = def.and_then(|def| def.value.as_ref()).map(|value| value.span);
        value.unwrap_or_else(|| self.head(id))
    }

    fn head(&self, id: InstanceId) -> Span {
        self.state.get(id).block.map_or(self.asking, |block| self.tree.block(block).head)
    }

    fn gather_blocks(
        &mut self,
        id: InstanceId,
        info: &'p ShapeInfo,
        resource: &'p ShapeInfo,
        gathered: &mut Gathered,
    ) {
        let mut maps: Vec<(&'p Name, Fields)> = Vec::new();
        for position in 0..self.child_count(id) {
            let Some(child) = self.child(id, position) else { continue };
            let block = self.tree.block(child.block);
            let Some((word, shape)) = info.blocks.iter().find(|(word, _)| *word == block.kind.name)
            else {
                continue;
            };
            self.asking = block.head;
            let found = self.expand(id, position);
            let Ok(range) = self.now(found, block.head, "what exists") else {
                gathered.failed = true;
                continue;
            };
            let nested = self.shapes.get(*shape);
            for instance in State::range(range) {
                let fields = self.nested(instance, nested, resource, gathered);
                let label =
                    self.state.get(instance).address.as_ref().map(|address| match address.key() {
                        None => address.name().clone(),
                        Some(_) => Name::from(address.last_name()),
                    });
                match label.filter(|_| nested.named) {
                    None => {
                        let earlier = gathered.fields.insert(word.clone(), Value::Map(fields));
                        if earlier.is_some() {
                            self.report_part_twice(id, position, instance);
                        }
                    }
                    Some(label) => {
                        let map = match maps.iter().position(|(own, _)| *own == word) {
                            Some(at) => &mut maps[at].1,
                            None => {
                                maps.push((word, Fields::new()));
                                let last = maps.len() - 1;
                                &mut maps[last].1
                            }
                        };
                        map.insert(label, Value::Map(fields));
                    }
                }
            }
        }
        for (word, fields) in maps {
            gathered.fields.insert(word.clone(), Value::map(fields));
        }
    }

    /// Says that a block without a name is there twice: nothing else would tell, as it has no address.
    fn report_part_twice(&mut self, id: InstanceId, position: u32, part: InstanceId) {
        let Some(child) = self.child(id, position) else { return };
        let block = self.tree.block(child.block);
        let earlier = (0..position).find_map(|at| {
            let other = self.child(id, at).map(|child| self.tree.block(child.block))?;
            let range = self.expand(id, at).ok().filter(|_| other.kind.name == block.kind.name)?;
            State::range(range).next()
        });
        if let Some(earlier) = earlier {
            let path = self.instance_path(part);
            self.report_twice(earlier, block, &path);
        }
    }

    /// The fields of one nested block.
    fn nested(
        &mut self,
        id: InstanceId,
        info: &'p ShapeInfo,
        resource: &'p ShapeInfo,
        around: &mut Gathered,
    ) -> Arc<Fields> {
        let is_disk = info.is_kind("disk");
        let part = if is_disk { Part::Attachment } else { Part::Whole };
        let mut gathered = self.gather(id, info, resource, part);
        if is_disk
            && gathered.fields.get("volume").is_none()
            && let Some(address) = self.state.get(id).address.clone()
        {
            gathered.fields.insert(self.shapes.words.volume.clone(), Value::Ref(address));
        }
        self.report_missing(id, info, &gathered);
        around.deferred |= gathered.deferred;
        around.failed |= gathered.failed;
        let fields = Arc::new(gathered.fields.compact());
        if info.is_kind("nic") {
            self.state.get_mut(id).finish(fields.clone(), true);
        }
        fields
    }

    /// Required attributes that nothing gives.
    fn report_missing(&mut self, id: InstanceId, info: &ShapeInfo, gathered: &Gathered) {
        if self.is_existing(id) || gathered.failed {
            return;
        }
        let mut missing: Vec<&str> = gathered.missing.iter().map(Name::as_str).collect();
        let mut help = None;
        if info.schema.is_some() {
            let needed = needed(info.word.as_str(), &gathered.fields);
            help = needed.help.filter(|_| missing.is_empty());
            missing.extend(needed.missing);
        }
        let known = |name: &str| info.attribute(name).is_some();
        missing.retain(|name| !self.was_meant(id, name, known));
        let Some((first, others)) = missing.split_first() else { return };
        let Some(block) = self.state.get(id).block.map(|block| self.tree.block(block)) else {
            return;
        };
        let ty = info.attribute(first).map_or(String::new(), |a| format!(" ({})", a.ty));
        let mut label = format!("required: {first}{ty}");
        if !others.is_empty() {
            label = format!("{label}; missing too: {}", others.join(", "));
        }
        let help = help.map_or_else(|| format!("add `{first} = …`"), str::to_owned);
        let message = format!("{} lacks `{first}`", describe(block));
        self.sink
            .push(Diagnostic::error(codes::E0102, block.head, message).label(label).help(help));
    }

    /// Whether a line of the block, or of its `defaults`, that is reported already was probably
    /// about this attribute: it cannot be read, or another word stands there. What is `known` stands
    /// for itself.
    pub(super) fn was_meant(
        &self,
        id: InstanceId,
        name: &str,
        known: impl Fn(&str) -> bool,
    ) -> bool {
        let instance = self.state.get(id);
        let written = instance.block.map_or(instance.body, |block| self.tree.block(block).body);
        let layers = instance.layers().iter().map(|layer| layer.body);
        [written].into_iter().chain(layers).any(|id| {
            let body = self.tree.body(id);
            let meant = |word: &str| {
                let form = habit::attribute_form(word).and_then(|form| form.split(' ').next());
                nearest(word, [name]).is_some() || form == Some(name)
            };
            let unknown = |def: &Def| def.kind == DefKind::Attribute && !known(&def.name.name);
            body.incomplete()
                || body.bad().iter().any(|bad| bad == name)
                || self.tree.defs_of(id).any(|(_, def)| unknown(def) && meant(&def.name.name))
        })
    }

    fn lifecycle(&mut self, id: InstanceId, info: &'p ShapeInfo) -> Lifecycle {
        let mut lifecycle = Lifecycle { existing: self.is_existing(id), ..Lifecycle::default() };
        if !info.schema.as_ref().is_some_and(|schema| schema.role.is_managed()) {
            return lifecycle;
        }
        lifecycle.protect = match self.explicit(id, info, "protect") {
            Some(Value::Bool(flag)) => Some(flag),
            _ => None,
        };
        lifecycle.create_first =
            matches!(self.explicit(id, info, "create_first"), Some(Value::Bool(true)));
        if let Some(Value::List(values)) = self.explicit(id, info, "replace_when") {
            lifecycle.replace_when = values.to_vec();
        }
        if let Ok(Some((_, def))) = self.source(id, "ignore")
            && let Some(expr) = &self.tree.def(def).value
        {
            lifecycle.ignore = self.attribute_paths(expr, info);
        }
        lifecycle
    }

    /// A lifecycle attribute that the text sets.
    fn explicit(
        &mut self,
        id: InstanceId,
        info: &'p ShapeInfo,
        name: &'static str,
    ) -> Option<Value> {
        let attribute = info.attribute(name)?;
        let (holder, def) = self.source(id, name).ok()??;
        let value = self.definition(holder, def, Some(&attribute.ty));
        let at = self.tree.def(def).value.as_ref().map_or(self.asking, |value| value.span);
        self.now(value, at, &format!("`{name}`")).ok()
    }

    fn after(&mut self, id: InstanceId, info: &'p ShapeInfo) -> Vec<Address> {
        let mut after = Vec::new();
        if let Some(value) = self.explicit(id, info, "after") {
            value.each_reference(&mut |address| after.push(address.clone()));
        }
        after
    }

    /// `ignore = [memory, nic.office.max_rate]`: paths, not values.
    fn attribute_paths(&mut self, expr: &Expr, info: &ShapeInfo) -> Vec<AttrPath> {
        let mut paths = Vec::new();
        if let ExprKind::List(items) = &expr.kind {
            for item in items {
                match attribute_path(item) {
                    Some(text) => {
                        let path = AttrPath::parse(&text);
                        if let Some(wrong) = unknown_attribute(&path, item, info) {
                            self.sink.push(wrong);
                        }
                        paths.push(path);
                    }
                    None => self.sink.push(
                        Diagnostic::error(codes::E0201, item.span, "this names no attribute")
                            .help("write attributes as they are called: `ignore = [memory]`"),
                    ),
                }
            }
        } else {
            self.sink.push(
                Diagnostic::error(codes::E0201, expr.span, "`ignore` needs a list of attributes")
                    .help("write `ignore = [memory]`"),
            );
        }
        paths
    }

    /// What a resource needs first. Rules about who may come in (`allow`) say nothing about order:
    /// networks and guests may name each other there.
    fn dependencies(
        &self,
        address: &Address,
        info: &ShapeInfo,
        fields: &Fields,
        mut all: Vec<Address>,
    ) -> Vec<Address> {
        // A guest may read its own cards; only `after` can make it wait for itself.
        let waits_for_itself = all.contains(address);
        for (name, value) in fields.iter() {
            if name != "allow" && name != "expose_to" {
                value.each_reference(&mut |target| all.push(self.owner_of_part(target)));
            }
        }
        let inside_vm = info.is_kind("disk");
        let mut owner = address.parent();
        while let Some(at) = owner {
            let is_object = self.state.at(at).and_then(|id| self.info(id)).is_some();
            if is_object && !(inside_vm && at.kind() == "vm") {
                all.push(at.clone());
                break;
            }
            owner = at.parent();
        }
        all.sort();
        all.dedup();
        all.retain(|target| target != address || waits_for_itself);
        all
    }

    /// The resource that an address belongs to: NICs are parts of their VM.
    fn owner_of_part(&self, address: &Address) -> Address {
        match address.parent() {
            Some(vm) if address.kind() == "nic" => vm.clone(),
            _ => address.clone(),
        }
    }
}

/// Attributes that nothing is decided by, so that they may wait for what the planner assigns.
fn may_wait(kind: &str, name: &str) -> bool {
    match kind {
        "vm" => matches!(name, "hostname" | "cloud_init" | "ssh_keys" | "allow"),
        "network" => matches!(name, "allow" | "dns"),
        _ => false,
    }
}

/// What is wrong with a path that leads to no attribute or block: nobody would notice that it does
/// nothing. What is inside of an attribute is not looked at.
fn unknown_attribute(path: &AttrPath, item: &Expr, info: &ShapeInfo) -> Option<Diagnostic> {
    let schema = info.schema.as_ref()?;
    let (mut attributes, mut blocks) = (&schema.attributes, &schema.blocks);
    let mut subject = schema.kind.clone();
    let names = path.names();
    let mut names = names.iter();
    while let Some(name) = names.next() {
        if attributes.iter().any(|own| own.name == *name) {
            return None;
        }
        let Some(block) = blocks.iter().find(|block| block.name == *name) else {
            let known = attributes.iter().map(|own| own.name.as_str());
            let known = known.chain(blocks.iter().map(|own| own.name.as_str()));
            let list: Vec<&str> = known.clone().take(8).collect();
            let help = format!("attributes of {subject}: {}", list.join(", "));
            let message = format!("`ignore` names `{path}`, but {subject} has no `{name}`");
            let wrong = Diagnostic::error(codes::E0101, item.span, message);
            return Some(match nearest(name, known) {
                Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
                None => wrong.help(help),
            });
        };
        (attributes, blocks, subject) = (&block.attributes, &block.blocks, block.name.clone());
        if block.labelled {
            names.next();
        }
    }
    None
}

/// `nic.office.max_rate` as a text.
fn attribute_path(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name.to_string()),
        ExprKind::Literal(Value::Text(text)) => Some(text.to_string()),
        ExprKind::Field(base, field) => {
            attribute_path(base).map(|base| format!("{base}.{}", field.name))
        }
        ExprKind::Index(base, key) => match &key.kind {
            ExprKind::Literal(key) => attribute_path(base).map(|base| format!("{base}[{key}]")),
            _ => None,
        },
        ExprKind::Paren(inner) => attribute_path(inner),
        _ => None,
    }
}
