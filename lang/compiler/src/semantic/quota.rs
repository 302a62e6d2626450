//! What a tenant uses, against its quota.

use indexmap::IndexMap;
use tcloud_model::{Address, DesiredResource, Diagnostic, Name, Value, codes};

use super::facts::{Facts, Member, Tenant, nics_of};

/// Something that a quota limits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Resource {
    Vcpus,
    Memory,
    Storage,
    Vms,
    Addresses,
}

const ALL: [Resource; 5] =
    [Resource::Vcpus, Resource::Memory, Resource::Storage, Resource::Vms, Resource::Addresses];

/// How many contributors a message names.
const SHOWN: usize = 3;

/// What a tenant uses, in the order of [`ALL`].
type Usage = [u64; 5];

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let mut usage = vec![Usage::default(); facts.tenants.len()];
    // VMs that are stopped count too: they can be started at any moment.
    for member in facts.vms.iter().chain(&facts.storage) {
        let Some(total) = member.tenant.and_then(|tenant| usage.get_mut(tenant)) else { continue };
        for (total, what) in total.iter_mut().zip(ALL) {
            *total = total.saturating_add(what.used_by(*member));
        }
    }
    let mut exceeded: Vec<(&Tenant<'_>, Resource, u64, u64)> = Vec::new();
    for (tenant, used) in facts.tenants.values().zip(usage) {
        let Some(quota) = tenant.resource.attributes.map("quota") else { continue };
        for (what, used) in ALL.into_iter().zip(used) {
            if let Some(limit) = quota.number(what.attribute()).filter(|limit| used > *limit) {
                exceeded.push((tenant, what, used, limit));
            }
        }
    }
    if exceeded.is_empty() {
        return;
    }
    let members = members(facts);
    for (tenant, what, used, limit) in exceeded {
        let position = facts.tenants.get_index_of(&tenant.resource.address);
        let own = position.and_then(|position| members.get(position));
        found.push(over(facts, tenant, what, (used, limit), own.map_or(&[], Vec::as_slice)));
    }
}

/// VMs, volumes and disks by the position of their tenant.
fn members<'a>(facts: &Facts<'a>) -> Vec<Vec<Member<'a>>> {
    let mut members = vec![Vec::new(); facts.tenants.len()];
    for member in facts.vms.iter().chain(&facts.storage) {
        if let Some(own) = member.tenant.and_then(|tenant| members.get_mut(tenant)) {
            own.push(*member);
        }
    }
    members
}

impl Resource {
    fn attribute(self) -> &'static str {
        match self {
            Resource::Vcpus => "vcpus",
            Resource::Memory => "memory",
            Resource::Storage => "storage",
            Resource::Vms => "vms",
            Resource::Addresses => "addresses",
        }
    }

    /// The attribute of a contributor that says how much it uses; empty for its head.
    fn cause(self) -> &'static str {
        match self {
            Resource::Vcpus => "vcpus",
            Resource::Memory => "memory",
            Resource::Storage => "size",
            Resource::Vms | Resource::Addresses => "",
        }
    }

    fn used_by(self, member: Member<'_>) -> u64 {
        let resource = member.resource;
        // Somebody else's object is paid for by somebody else.
        if resource.lifecycle.existing {
            return 0;
        }
        let is_vm = resource.address.kind() == "vm";
        let fields = &resource.attributes;
        match self {
            Resource::Vcpus if is_vm => fields.number("vcpus").unwrap_or(0),
            Resource::Memory if is_vm => fields.number("memory").unwrap_or(0),
            Resource::Storage if !is_vm => fields.number("size").unwrap_or(0),
            Resource::Vms if is_vm => 1,
            Resource::Addresses if is_vm => nics_of(member).count() as u64,
            _ => 0,
        }
    }

    /// An amount with its unit, as it is written.
    fn amount(self, amount: u64) -> String {
        match self {
            Resource::Memory | Resource::Storage => Value::Bytes(amount).to_string(),
            _ => amount.to_string(),
        }
    }

    fn words(self, amount: u64) -> String {
        let noun = match self {
            Resource::Vcpus => " vCPUs",
            Resource::Memory => " of memory",
            Resource::Storage => " of storage",
            Resource::Vms => " VMs",
            Resource::Addresses => " addresses",
        };
        format!("{}{noun}", self.amount(amount))
    }
}

/// The instances of one block that use the same.
struct Contributor<'a> {
    first: &'a DesiredResource,
    each: u64,
    count: u64,
}

impl Contributor<'_> {
    fn total(&self) -> u64 {
        self.each.saturating_mul(self.count)
    }

    /// `vm.db: 2 × 192GiB = 384GiB`
    fn describe(&self, what: Resource) -> String {
        let address = &self.first.address;
        let owner = match address.parent() {
            Some(vm) if vm.kind() == "vm" => format!("vm.{}.", vm.name()),
            _ => String::new(),
        };
        let name = format!("{owner}{}.{}", address.kind(), address.name());
        if self.count == 1 {
            return format!("{name}: {}", what.amount(self.each));
        }
        let (each, total) = (what.amount(self.each), what.amount(self.total()));
        format!("{name}: {} × {each} = {total}", self.count)
    }
}

fn over(
    facts: &Facts<'_>,
    tenant: &Tenant<'_>,
    what: Resource,
    (used, limit): (u64, u64),
    members: &[Member<'_>],
) -> Diagnostic {
    let contributors = contributors(what, members);
    let name = tenant.resource.address.name();
    let mut diagnostic = Diagnostic::error(
        codes::E0501,
        facts.span(tenant.resource, &format!("quota.{}", what.attribute())),
        format!(
            "tenant {name} uses {}, its quota is {} (+{})",
            what.words(used),
            what.amount(limit),
            what.amount(used - limit)
        ),
    )
    .label(format!("at most {}", what.words(limit)));
    for contributor in contributors.iter().take(SHOWN) {
        let span = facts.span(contributor.first, what.cause());
        diagnostic = diagnostic.also(span, contributor.describe(what));
    }
    let rest = contributors.iter().skip(SHOWN).map(Contributor::total);
    let rest = rest.fold(0_u64, u64::saturating_add);
    let others = if rest == 0 {
        String::new()
    } else {
        format!("{} more are used by others; ", what.amount(rest))
    };
    diagnostic.help(format!(
        "{others}make the largest smaller, or ask for `{} = {}`",
        what.attribute(),
        what.amount(used)
    ))
}

/// Who uses how much, largest first.
fn contributors<'a>(what: Resource, members: &[Member<'a>]) -> Vec<Contributor<'a>> {
    type Block<'a> = (Option<&'a Address>, &'a Name, &'a Name, u64);
    let mut blocks: IndexMap<Block<'a>, Contributor<'a>> = IndexMap::new();
    for member in members {
        let each = what.used_by(*member);
        if each == 0 {
            continue;
        }
        let resource = member.resource;
        let address = &resource.address;
        // Disks of the instances of one VM block belong together.
        let scope = match address.parent() {
            Some(vm) if vm.kind() == "vm" => vm.parent(),
            other => other,
        };
        let owner = match address.parent() {
            Some(vm) if vm.kind() == "vm" => vm.name(),
            _ => address.kind(),
        };
        blocks
            .entry((scope, owner, address.name(), each))
            .or_insert(Contributor { first: resource, each, count: 0 })
            .count += 1;
    }
    let mut all: Vec<Contributor<'a>> = blocks.into_values().collect();
    all.sort_by_key(|contributor| std::cmp::Reverse(contributor.total()));
    all
}
