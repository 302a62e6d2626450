//! What one step asks of a provider, what it expects, and what is remembered after it.

use std::sync::Arc;

use tcloud_model::{
    Address, AttrPath, Diagnostic, Fields, FileId, HostTarget, Identity, ObjectId, Operation,
    OperationKind, PathStep, Record, Role, Span, Stamp, Value, codes,
};

use super::{Builder, Node, Part};
use crate::draft::{Draft, Work};
use crate::facts::Known;
use crate::plan::{Action, Expectation, Step, StepId};
use crate::remember::{keeping, record, untouched};

impl Builder<'_, '_> {
    /// The step of a node.
    ///
    /// # Errors
    /// Objects of others that are not where it needs them.
    pub(super) fn step(
        &self,
        node: Node,
        id: StepId,
        after: Vec<StepId>,
    ) -> Result<Step, Vec<Diagnostic>> {
        let draft = &self.drafts[node.draft];
        let known = self.old(draft);
        let (kind, object, identity) = match node.part {
            Part::Restamp(index) => return Ok(self.restamp(node.draft, index, id, after)),
            Part::Adopt => {
                let (object, identity) = self.old_identity(draft);
                (self.adopt(draft), object, identity)
            }
            Part::Migrate => {
                let object = known.map_or_else(|| draft.object.clone(), |k| k.object.clone());
                (self.migrate(node.draft), object, draft.identity.clone())
            }
            Part::Detach => (self.detach(draft), draft.object.clone(), draft.identity.clone()),
            Part::Delete => {
                let (object, identity) = self.old_identity(draft);
                let lives = known.is_some_and(|known| known.live.is_some());
                (lives.then_some(OperationKind::Delete), object, identity)
            }
            Part::Create => (self.create(draft), draft.object.clone(), draft.identity.clone()),
            Part::Update => (self.update(draft), draft.object.clone(), draft.identity.clone()),
            Part::Forget => {
                let unstamp = (draft.work != Work::Record).then_some(OperationKind::Unstamp);
                (unstamp, draft.object.clone(), draft.identity.clone())
            }
        };
        let expects = self.expects(node);
        let records = self.records(node);
        let operation = kind.map(|action| self.operation(draft, object, identity, action));
        let change = u32::try_from(node.draft).unwrap_or(u32::MAX);
        Ok(Step { id, change, operation: operation.transpose()?, expects, records, after })
    }

    fn old_identity(&self, draft: &Draft) -> (ObjectId, Identity) {
        match self.old(draft) {
            Some(known) => {
                let kind = self.input.catalog.get(draft.kind());
                let per_host = kind.is_some_and(|schema| schema.role == Role::PerHost);
                (known.object.clone(), known.identity(self.input.deployment, per_host))
            }
            None => (draft.object.clone(), draft.identity.clone()),
        }
    }

    fn adopt(&self, draft: &Draft) -> Option<OperationKind> {
        let stamp = match self.intermediate(draft) {
            Some(record) if self.is_followed(draft) => record.stamp.clone(),
            _ => draft.record.as_ref()?.stamp.clone(),
        };
        let stamp = Stamp { incarnation: self.old(draft)?.object.incarnation, ..stamp };
        Some(OperationKind::Stamp { stamp, adopt: true })
    }

    /// Whether an update follows the adoption or the migration.
    fn is_followed(&self, draft: &Draft) -> bool {
        draft.work == Work::Update || draft.replaces()
    }

    /// What is remembered between two steps of one change: where it is, as it is.
    fn intermediate(&self, draft: &Draft) -> Option<Arc<Record>> {
        let known = self.old(draft)?;
        let wanted = self.layout.wanted.get(&draft.object.address)?;
        let attributes = match draft.action {
            Action::Migrate => known.applied.as_ref().or(known.found.as_ref())?,
            _ => known.attributes()?,
        };
        let previous = known.stamp().and_then(|stamp| stamp.previous.clone());
        let attributes = Arc::clone(attributes);
        let (object, identity) = (&draft.object, &draft.identity);
        let record = record(self.input, wanted, object, identity, attributes, previous);
        Some(keeping(record, known.stamp()))
    }

    fn migrate(&self, at: usize) -> Option<OperationKind> {
        let draft = &self.drafts[at];
        let record = match self.intermediate(draft) {
            Some(record) if self.is_followed(draft) => record,
            _ => Arc::clone(draft.record.as_ref()?),
        };
        let volumes = self.carried_by(draft).map(|volume| self.old_identity(volume)).collect();
        let host = &draft.object.host;
        let declared = self.input.evaluator.desired().resources.get(host);
        let uri = declared.and_then(|host| host.attributes.text("uri")).unwrap_or("").to_owned();
        Some(OperationKind::Migrate {
            to: HostTarget { host: host.clone(), uri },
            volumes,
            attributes: Arc::clone(&record.attributes),
            stamp: record.stamp.clone(),
        })
    }

    /// The guest without what is made anew; stopped, when that is a disk.
    fn detach(&self, draft: &Draft) -> Option<OperationKind> {
        let known = self.old(draft)?;
        let mut attributes = (**known.attributes()?).clone();
        for path in &draft.detached {
            remove_path(&mut attributes, path);
        }
        let mut changed = draft.detached.clone();
        let stops = draft.power_cycle && known.runs();
        if stops {
            attributes.insert("running", Value::Bool(false));
            changed.push(AttrPath::attribute("running"));
        }
        let recorded = || draft.record.as_ref().map(|record| record.stamp.clone());
        let stamp = known.stamp().cloned().or_else(recorded)?;
        let attributes = Arc::new(attributes);
        Some(OperationKind::Update { attributes, changed, power_cycle: stops, stamp })
    }

    fn create(&self, draft: &Draft) -> Option<OperationKind> {
        let record = draft.record.as_ref()?;
        Some(OperationKind::Create {
            attributes: Arc::clone(&record.attributes),
            stamp: record.stamp.clone(),
        })
    }

    fn update(&self, draft: &Draft) -> Option<OperationKind> {
        let record = draft.record.as_ref()?;
        let stamp = record.stamp.clone();
        match draft.work {
            Work::Record => None,
            Work::Stamp => Some(OperationKind::Stamp { stamp, adopt: false }),
            Work::Update => {
                let changed = self.changed(draft, record);
                let power_cycle = draft.power_cycle && draft.detached.is_empty();
                let attributes = Arc::clone(&record.attributes);
                Some(OperationKind::Update { attributes, changed, power_cycle, stamp })
            }
        }
    }

    /// What a provider is told to change: what it was told to take away, and everything that
    /// differs and is not only ours to know.
    fn changed(&self, draft: &Draft, record: &Record) -> Vec<AttrPath> {
        let schema = self.input.catalog.get(draft.kind());
        let steers = |path: &AttrPath| {
            let attribute = path.first().and_then(|name| schema?.attribute(name));
            attribute.is_some_and(|attribute| attribute.steering)
        };
        let within = |path: &AttrPath| draft.detached.iter().any(|d| path.0.starts_with(&d.0));
        let differ = draft.attributes.iter().map(|change| &change.path);
        let differ = differ.filter(|path| !steers(path) && !within(path));
        let mut changed: Vec<AttrPath> = draft.detached.iter().chain(differ).cloned().collect();
        let running = AttrPath::attribute("running");
        let stopped = draft.power_cycle && !draft.detached.is_empty();
        let starts = stopped && record.attributes.flag("running") != Some(false);
        if starts && !changed.contains(&running) {
            changed.push(running);
        }
        changed
    }

    fn operation(
        &self,
        draft: &Draft,
        object: ObjectId,
        identity: Identity,
        action: OperationKind,
    ) -> Result<Operation, Vec<Diagnostic>> {
        let (attributes, host) = match &action {
            OperationKind::Create { attributes, .. } | OperationKind::Update { attributes, .. } => {
                (Some(attributes), &object.host)
            }
            OperationKind::Migrate { attributes, to, .. } => (Some(attributes), &to.host),
            OperationKind::Delete | OperationKind::Stamp { .. } | OperationKind::Unstamp => {
                (None, &object.host)
            }
        };
        let references = match attributes {
            Some(attributes) => self.references(attributes, host, &draft.object.address)?,
            None => Vec::new(),
        };
        let kind = draft.kind().clone();
        Ok(Operation { object, kind, identity, action, references })
    }

    /// How the hypervisor knows what the attributes refer to.
    fn references(
        &self,
        attributes: &Fields,
        host: &Address,
        owner: &Address,
    ) -> Result<Vec<(Address, Identity)>, Vec<Diagnostic>> {
        let mut addresses: Vec<&Address> = Vec::new();
        for (_, value) in attributes.iter() {
            value.each_reference(&mut |address| addresses.push(address));
        }
        addresses.sort();
        addresses.dedup();
        let mut references = Vec::with_capacity(addresses.len());
        let mut problems = Vec::new();
        for address in addresses {
            if let Some(name) = self.existing.get(address) {
                match self.facts.foreign.get(&(host, address.kind(), name)) {
                    Some(live) => {
                        let uuid = live.uuid.unwrap_or_default();
                        references
                            .push((address.clone(), Identity { uuid, name: live.name.clone() }));
                    }
                    None => problems.push(self.not_there(address, host, owner)),
                }
            } else if let Some(identity) = self.identity_of(address, host) {
                references.push((address.clone(), identity));
            }
        }
        if problems.is_empty() { Ok(references) } else { Err(problems) }
    }

    fn identity_of(&self, address: &Address, host: &Address) -> Option<Identity> {
        let drafted = |on_host: bool| {
            self.at(address, host)
                .map(|at| &self.drafts[at])
                .find(|draft| draft.stays() && (!on_host || draft.object.host == *host))
        };
        let known = |host: Option<&Address>| {
            let known = self.facts.current(address, host)?;
            let per_host = self.input.catalog.get(known.kind())?.role == Role::PerHost;
            Some(known.identity(self.input.deployment, per_host))
        };
        drafted(true)
            .map(|draft| draft.identity.clone())
            .or_else(|| known(Some(host)))
            .or_else(|| drafted(false).map(|draft| draft.identity.clone()))
            .or_else(|| known(None))
    }

    fn not_there(&self, address: &Address, host: &Address, owner: &Address) -> Diagnostic {
        let desired = self.input.evaluator.desired();
        let span = |address: &Address| desired.resources.get(address).map(|own| own.span);
        let at = span(owner).or_else(|| span(address));
        let at = at.unwrap_or(Span::new(FileId(0), 0, 0));
        let known = self.existing.get(address).map(|name| name.to_string());
        let name = Value::text(&known.unwrap_or_else(|| address.last_name()));
        let kind = address.kind();
        let message = format!("there is no {kind} {name} on {host}");
        let diagnostic =
            Diagnostic::error(codes::E0909, at, message).label("is needed there").help(format!(
                "make it by hand, or declare it without `existing`, or choose another {kind}"
            ));
        match span(address) {
            Some(declared) => diagnostic.also(declared, "belongs to others, and is never made"),
            None => diagnostic,
        }
    }

    fn restamp(&self, draft: usize, index: usize, id: StepId, after: Vec<StepId>) -> Step {
        let known = &self.facts.known[index];
        let change = u32::try_from(draft).unwrap_or(u32::MAX);
        let kind = self.input.catalog.get(known.kind());
        let per_host = kind.is_some_and(|schema| schema.role == Role::PerHost);
        let identity = known.identity(self.input.deployment, per_host);
        let wanted = self.layout.wanted.get(&known.object.address);
        let attributes = known.applied.as_ref().or(wanted.map(|wanted| &wanted.attributes));
        let new = wanted.zip(attributes).map(|(wanted, attributes)| {
            let previous = known.stamp().and_then(|stamp| stamp.previous.clone());
            let attributes = Arc::clone(attributes);
            let own = record(self.input, wanted, &known.object, &identity, attributes, previous);
            untouched(own, known.stamp())
        });
        let operation = new.as_ref().map(|record| Operation {
            object: known.object.clone(),
            kind: known.kind().clone(),
            identity: identity.clone(),
            action: OperationKind::Stamp { stamp: record.stamp.clone(), adopt: false },
            references: Vec::new(),
        });
        let records = new.map(|record| (known.object.clone(), Some(record))).into_iter().collect();
        let expects = present(known);
        Step { id, change, operation, expects, records, after }
    }

    fn expects(&self, node: Node) -> Expectation {
        let draft = &self.drafts[node.draft];
        let parts = self.parts[node.draft];
        let earlier = match node.part {
            Part::Create => return Expectation::Absent,
            Part::Update => parts.adopt.or(parts.detach).or(parts.migrate).is_some(),
            Part::Detach => parts.adopt.or(parts.migrate).is_some(),
            Part::Delete => parts.adopt.is_some(),
            Part::Adopt | Part::Migrate | Part::Forget | Part::Restamp(_) => false,
        };
        match self.old(draft) {
            _ if earlier => Expectation::Earlier,
            Some(known) => present(known),
            None => Expectation::Absent,
        }
    }

    /// What is remembered after a step.
    fn records(&self, node: Node) -> Vec<(ObjectId, Option<Arc<Record>>)> {
        let draft = &self.drafts[node.draft];
        let mut records = Vec::with_capacity(1);
        let remove = |records: &mut Vec<_>, draft: &Draft| {
            let known = self.old(draft).into_iter();
            let ids =
                known.flat_map(|known| known.old_ids.iter().chain(std::iter::once(&known.object)));
            for id in ids.filter(|id| !self.is_kept(id)) {
                records.push((id.clone(), None));
            }
        };
        let keep = |records: &mut Vec<_>, draft: &Draft, followed: bool| {
            let between = if followed { self.intermediate(draft) } else { None };
            let record = between.or_else(|| draft.record.clone());
            records.push((draft.object.clone(), record));
        };
        match node.part {
            Part::Detach | Part::Restamp(_) => {}
            Part::Delete | Part::Forget => remove(&mut records, draft),
            Part::Create | Part::Update => {
                if !draft.replaces() {
                    remove(&mut records, draft);
                }
                keep(&mut records, draft, false);
            }
            Part::Adopt if draft.replaces() => {}
            Part::Adopt => keep(&mut records, draft, self.is_followed(draft)),
            Part::Migrate => {
                for moved in std::iter::once(draft).chain(self.carried_by(draft)) {
                    remove(&mut records, moved);
                    keep(&mut records, moved, self.is_followed(moved));
                }
            }
        }
        records.sort_by(|a, b| a.0.cmp(&b.0));
        records.shrink_to_fit();
        records
    }
}

fn present(known: &Known<'_>) -> Expectation {
    match known.live {
        Some(live) => Expectation::Present(live.digest()),
        None => Expectation::Absent,
    }
}

/// The last one leaves an empty list: what is not there at all would not be compared.
fn remove_path(fields: &mut Fields, path: &AttrPath) {
    let [PathStep::Field(block), PathStep::Field(label)] = path.0.as_slice() else { return };
    if let Some(Value::Map(labels)) = fields.get(block) {
        let mut labels = (**labels).clone();
        labels.remove(label);
        fields.insert(block.clone(), Value::map(labels));
    }
}
