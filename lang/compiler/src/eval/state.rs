//! The instances of blocks and what was computed for them. Owned and free of borrows, so that a
//! finished program can be asked again.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tcloud_model::{Address, ByAddress, Fields, Name, Type, Value};

use crate::tree::{BlockId, BodyId, DefId, Tree};

/// Index of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct InstanceId(u32);

/// Everything that was computed.
#[derive(Debug)]
pub(crate) struct State {
    instances: Vec<Instance>,
    by_address: ByAddress<Address, InstanceId>,
    /// Definitions in `defaults` blocks, by the scope that these stand in: all objects of the scope
    /// share one value.
    layered: BTreeMap<(InstanceId, DefId), Slot>,
    /// Written types, understood.
    pub(crate) types: BTreeMap<DefId, Arc<Type>>,
    /// How many instances have an address.
    pub(crate) addressed: usize,
}

/// One instance of a block; the root is the instance of all files.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Its address, if it has a name.
    pub(crate) address: Option<Address>,
    /// Its block; `None` for the root.
    pub(crate) block: Option<BlockId>,
    /// Where its names are declared: its block's body, or the component's.
    pub(crate) body: BodyId,
    /// The instance around it.
    pub(crate) parent: Option<InstanceId>,
    /// The scope that its text stands in.
    pub(crate) lexical: Option<InstanceId>,
    /// Finished fields.
    pub(crate) done: Option<Arc<Fields>>,
    slots: Box<[Slot]>,
    expansions: Box<[Expansion]>,
    /// Anything else. Most instances have nothing of it, and there are very many of them.
    rest: Option<Box<Rest>>,
}

/// What few instances have.
#[derive(Debug, Default)]
struct Rest {
    /// The variables of its repetition.
    bindings: Box<[(Name, Value)]>,
    /// For the use of a component: the scope that its arguments stand in.
    arguments: Option<InstanceId>,
    /// Bodies of `defaults` that apply, innermost first.
    layers: Option<Arc<[Layer]>>,
    /// What applies to blocks of a kind inside of it.
    defaults: Vec<(Name, Option<Arc<[Layer]>>)>,
}

/// Attributes and nested blocks given by `defaults`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// The body with the defaults.
    pub(crate) body: BodyId,
    /// The scope that they stand in.
    pub(crate) scope: InstanceId,
}

/// What is known of a definition.
#[derive(Clone, Debug, Default)]
pub(crate) enum Slot {
    #[default]
    Fresh,
    Done(Value),
    Failed,
    Late,
}

/// What is known of a block's instances.
#[derive(Clone, Debug, Default)]
pub(crate) enum Expansion {
    #[default]
    Fresh,
    Done(Range<u32>),
    Failed,
}

impl State {
    pub(crate) const ROOT: InstanceId = InstanceId(0);

    /// Nothing but the root, and room for so many instances.
    pub(crate) fn new(room: usize) -> State {
        let root = Instance::new(None, None, Tree::ROOT, None, None, Box::default());
        let mut instances = Vec::with_capacity(1 + room);
        instances.push(root);
        State {
            instances,
            by_address: ByAddress::with_capacity_and_hasher(room, Default::default()),
            layered: BTreeMap::new(),
            types: BTreeMap::new(),
            addressed: 0,
        }
    }

    pub(crate) fn get(&self, id: InstanceId) -> &Instance {
        &self.instances[id.0 as usize]
    }

    pub(crate) fn get_mut(&mut self, id: InstanceId) -> &mut Instance {
        &mut self.instances[id.0 as usize]
    }

    pub(crate) fn at(&self, address: &Address) -> Option<InstanceId> {
        self.by_address.get(address).copied()
    }

    /// The number of the next instance.
    pub(crate) fn next(&self) -> u32 {
        u32::try_from(self.instances.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn push(&mut self, instance: Instance) -> InstanceId {
        let id = InstanceId(self.next());
        if let Some(address) = &instance.address {
            self.by_address.insert(address.clone(), id);
            self.addressed += 1;
        }
        self.instances.push(instance);
        id
    }

    /// The instances of a finished expansion.
    pub(crate) fn range(range: Range<u32>) -> impl Iterator<Item = InstanceId> {
        range.map(InstanceId)
    }

    pub(crate) fn slot(&self, tree: &Tree, id: InstanceId, def: DefId) -> &Slot {
        let instance = self.get(id);
        let slot = match slot_index(tree, instance, def) {
            Some(at) => instance.slots.get(at),
            None => self.layered.get(&(id, def)),
        };
        slot.unwrap_or(&Slot::Fresh)
    }

    /// Remembers a definition.
    pub(crate) fn remember(&mut self, tree: &Tree, id: InstanceId, def: DefId, slot: Slot) {
        let instance = self.get_mut(id);
        let Some(at) = slot_index(tree, instance, def) else {
            self.layered.insert((id, def), slot);
            return;
        };
        if instance.slots.is_empty() {
            let count = tree.body(instance.body).defs.len();
            instance.slots = vec![Slot::Fresh; count].into();
        }
        if let Some(own) = instance.slots.get_mut(at) {
            *own = slot;
        }
    }

    pub(crate) fn expansion(&self, id: InstanceId, position: u32) -> &Expansion {
        self.get(id).expansions.get(position as usize).unwrap_or(&Expansion::Fresh)
    }

    pub(crate) fn expanded(&mut self, id: InstanceId, position: u32, of: usize, found: Expansion) {
        let instance = self.get_mut(id);
        if instance.expansions.len() < of {
            instance.expansions = vec![Expansion::Fresh; of].into();
        }
        if let Some(own) = instance.expansions.get_mut(position as usize) {
            *own = found;
        }
    }

    /// The addresses of what the blocks at these positions of an instance became.
    pub(crate) fn addresses(
        &self,
        id: InstanceId,
        blocks: Range<u32>,
    ) -> impl Iterator<Item = &Address> {
        let ranges = blocks.filter_map(move |position| match self.expansion(id, position) {
            Expansion::Done(range) => Some(range.clone()),
            Expansion::Fresh | Expansion::Failed => None,
        });
        ranges.flat_map(State::range).filter_map(|id| self.get(id).address.as_ref())
    }

    /// All instances directly inside another one that were needed so far.
    pub(crate) fn children(&self, id: InstanceId) -> impl Iterator<Item = InstanceId> + use<'_> {
        self.get(id).expansions.iter().flat_map(|expansion| match expansion {
            Expansion::Done(range) => State::range(range.clone()),
            _ => State::range(0..0),
        })
    }

    pub(crate) fn cached_defaults(
        &self,
        scope: InstanceId,
        kind: &str,
    ) -> Option<Option<Arc<[Layer]>>> {
        let known = &self.get(scope).rest.as_ref()?.defaults;
        known.iter().find(|(own, _)| own == kind).map(|(_, layers)| layers.clone())
    }

    pub(crate) fn cache_defaults(
        &mut self,
        scope: InstanceId,
        kind: &Name,
        layers: Option<Arc<[Layer]>>,
    ) {
        self.get_mut(scope).rest_mut().defaults.push((kind.clone(), layers));
    }
}

/// Definitions of a body are contiguous, so that their place in it is a subtraction.
fn slot_index(tree: &Tree, instance: &Instance, def: DefId) -> Option<usize> {
    let defs = &tree.body(instance.body).defs;
    defs.contains(&def.0).then(|| (def.0 - defs.start) as usize)
}

impl Instance {
    pub(crate) fn new(
        address: Option<Address>,
        block: Option<BlockId>,
        body: BodyId,
        parent: Option<InstanceId>,
        lexical: Option<InstanceId>,
        bindings: Box<[(Name, Value)]>,
    ) -> Instance {
        Instance {
            address,
            block,
            body,
            parent,
            lexical,
            done: None,
            slots: Box::default(),
            expansions: Box::default(),
            rest: (!bindings.is_empty()).then(|| Box::new(Rest { bindings, ..Rest::default() })),
        }
    }

    /// The variables of its repetition.
    pub(crate) fn bindings(&self) -> &[(Name, Value)] {
        self.rest.as_ref().map_or(&[], |rest| &rest.bindings)
    }

    /// For the use of a component: the scope that its arguments stand in. It has the variables of the
    /// repetition, and nothing inside of the component sees it.
    pub(crate) fn arguments(&self) -> Option<InstanceId> {
        self.rest.as_ref().and_then(|rest| rest.arguments)
    }

    /// Says where the arguments of the use of a component stand.
    pub(crate) fn takes(&mut self, arguments: InstanceId) {
        self.rest_mut().arguments = Some(arguments);
    }

    /// Bodies of `defaults` that apply, innermost first.
    pub(crate) fn layers(&self) -> &[Layer] {
        self.rest.as_ref().and_then(|rest| rest.layers.as_deref()).unwrap_or_default()
    }

    /// Puts the instance under `defaults`.
    pub(crate) fn lay(&mut self, layers: Arc<[Layer]>) {
        self.rest_mut().layers = Some(layers);
    }

    fn rest_mut(&mut self) -> &mut Rest {
        self.rest.get_or_insert_default()
    }

    /// Forgets definitions that cannot be asked for again.
    pub(crate) fn finish(&mut self, fields: Arc<Fields>, keep: bool) {
        self.done = Some(fields);
        if !keep {
            self.slots = Box::default();
        }
    }
}
