//! The graph, sorted by what the checks ask for.

use std::net::IpAddr;

use tcloud_model::{
    Address, ByAddress, Catalog, Cidr, DesiredGraph, DesiredResource, Fields, Name, Span, Value,
};

use super::Places;

/// A resource and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) resource: &'a DesiredResource,
    /// The position of its tenant in [`Facts::tenants`]; `None` for what is shared.
    pub(super) tenant: Option<usize>,
}

/// Everything that the checks read, collected in one pass.
pub(super) struct Facts<'a> {
    pub(super) graph: &'a DesiredGraph,
    pub(super) catalog: &'a Catalog,
    pub(super) places: &'a dyn Places,
    /// Everything that stands in a tenant, tenants too.
    pub(super) owned: Vec<(&'a DesiredResource, usize)>,
    pub(super) tenants: ByAddress<&'a Address, Tenant<'a>>,
    pub(super) networks: ByAddress<&'a Address, Network<'a>>,
    pub(super) vms: Vec<Member<'a>>,
    /// Volumes and disks.
    pub(super) storage: Vec<Member<'a>>,
    pub(super) hosts: Vec<&'a DesiredResource>,
    pub(super) pools: Vec<&'a DesiredResource>,
    pub(super) images: Vec<&'a DesiredResource>,
}

/// A tenant and what it may use.
pub(super) struct Tenant<'a> {
    pub(super) resource: &'a DesiredResource,
    /// The sites that it names; `None` when it may use all.
    pub(super) sites: Option<&'a [Value]>,
}

/// A network and the numbers that the checks compare.
pub(super) struct Network<'a> {
    pub(super) resource: &'a DesiredResource,
    /// Whose it is; `None` for a network of a site.
    pub(super) tenant: Option<&'a Address>,
    pub(super) cidr: Option<Cidr>,
    pub(super) cidr6: Option<Cidr>,
    pub(super) gateway: Option<IpAddr>,
    pub(super) dhcp: Option<(IpAddr, IpAddr)>,
    pub(super) expose_to: &'a [Value],
}

/// A NIC, in its VM.
pub(super) struct Nic<'a> {
    /// The position of the VM's tenant.
    pub(super) tenant: Option<usize>,
    pub(super) vm: &'a DesiredResource,
    pub(super) label: &'a Name,
    pub(super) fields: &'a Fields,
}

impl<'a> Facts<'a> {
    pub(super) fn collect(
        graph: &'a DesiredGraph,
        catalog: &'a Catalog,
        places: &'a dyn Places,
    ) -> Facts<'a> {
        let mut facts = Facts {
            graph,
            catalog,
            places,
            owned: Vec::new(),
            tenants: ByAddress::default(),
            networks: ByAddress::default(),
            vms: Vec::new(),
            storage: Vec::new(),
            hosts: Vec::new(),
            pools: Vec::new(),
            images: Vec::new(),
        };
        // Sorted by address, what is in one tenant stands together.
        let mut scope: Option<(&Address, Option<usize>)> = None;
        for (address, resource) in &graph.resources {
            if address.kind() == "tenant" {
                facts.tenants.insert(address, Tenant::of(resource));
            }
            let own = scope_of(address);
            let tenant = match scope {
                Some((last, tenant)) if last == own => tenant,
                _ => facts.tenants.get_index_of(own),
            };
            scope = Some((own, tenant));
            facts.owned.extend(tenant.map(|tenant| (resource, tenant)));
            let member = Member { resource, tenant };
            match address.kind().as_str() {
                "network" => {
                    facts.networks.insert(address, Network::of(resource));
                }
                "vm" => facts.vms.push(member),
                "volume" | "disk" => facts.storage.push(member),
                "host" => facts.hosts.push(resource),
                "pool" => facts.pools.push(resource),
                "image" => facts.images.push(resource),
                _ => {}
            }
        }
        facts
    }

    /// The range of a value; the head of the block for an empty path.
    pub(super) fn span(&self, resource: &DesiredResource, path: &str) -> Span {
        self.places.span(&resource.address, path)
    }

    /// The head of a resource's block.
    pub(super) fn head(&self, resource: &DesiredResource) -> Span {
        self.places.span(&resource.address, "")
    }

    /// All NICs, in the order of their VMs and labels.
    pub(super) fn nics(&self) -> impl Iterator<Item = Nic<'a>> {
        self.vms.iter().flat_map(|vm| nics_of(*vm))
    }

    /// The resource that a field refers to.
    pub(super) fn referred(&self, fields: &'a Fields, name: &str) -> Option<&'a DesiredResource> {
        self.graph.resources.get(fields.reference(name)?)
    }

    /// The address of a tenant by its position.
    pub(super) fn tenant(&self, position: usize) -> Option<(&'a Address, &Tenant<'a>)> {
        self.tenants.get_index(position).map(|(address, tenant)| (*address, tenant))
    }

    /// Whether a resource of a tenant may refer to a network.
    pub(super) fn may_refer(&self, tenant: Option<usize>, network: &Network<'_>) -> bool {
        let tenant = tenant.and_then(|tenant| self.tenant(tenant));
        match (tenant.map(|(address, _)| address), network.tenant) {
            (None, _) | (_, None) => true,
            (Some(tenant), Some(owner)) => tenant == owner || network.is_exposed_to(tenant),
        }
    }
}

/// The NICs of a VM.
pub(super) fn nics_of(member: Member<'_>) -> impl Iterator<Item = Nic<'_>> {
    let Member { resource: vm, tenant } = member;
    let blocks = vm.attributes.map("nic").map(|nics| nics.iter());
    blocks.into_iter().flatten().filter_map(move |(label, value)| match value {
        Value::Map(fields) => Some(Nic { tenant, vm, label, fields }),
        _ => None,
    })
}

impl<'a> Tenant<'a> {
    fn of(resource: &'a DesiredResource) -> Tenant<'a> {
        let sites = match resource.attributes.get("sites") {
            Some(Value::List(sites)) => Some(&**sites),
            _ => None,
        };
        Tenant { resource, sites }
    }

    /// Whether it may use a site.
    pub(super) fn may_use(&self, site: &Address) -> bool {
        self.sites.is_none_or(|sites| lists(sites, site))
    }
}

impl<'a> Network<'a> {
    fn of(resource: &'a DesiredResource) -> Network<'a> {
        let fields: &Fields = &resource.attributes;
        let cidr = |name| match fields.get(name) {
            Some(Value::Cidr(cidr)) => Some(*cidr),
            _ => None,
        };
        let gateway = match fields.get("gateway") {
            Some(Value::Ip(ip)) => Some(*ip),
            _ => None,
        };
        let dhcp = match fields.map("dhcp").and_then(|dhcp| dhcp.get("range")) {
            Some(Value::IpRange(range)) => Some(**range),
            _ => None,
        };
        Network {
            resource,
            tenant: tenant_of(&resource.address),
            cidr: cidr("cidr"),
            cidr6: cidr("cidr6"),
            gateway,
            dhcp,
            expose_to: fields.list("expose_to"),
        }
    }

    pub(super) fn is_exposed_to(&self, tenant: &Address) -> bool {
        lists(self.expose_to, tenant)
    }

    /// The part of the network that an address of this family belongs to. Where no part is of this
    /// family, the one that the address is outside of.
    pub(super) fn part_for(&self, ip: IpAddr) -> Option<Cidr> {
        let of_family = |cidr: &Cidr| cidr.network().is_ipv4() == ip.is_ipv4();
        self.cidr.filter(of_family).or(self.cidr6.filter(of_family)).or(self.cidr)
    }

    pub(super) fn name(&self) -> String {
        self.resource.address.last_name()
    }
}

impl Nic<'_> {
    /// The path of one of its attributes in the VM.
    pub(super) fn path(&self, attribute: &str) -> String {
        format!("nic.{}.{attribute}", self.label)
    }

    pub(super) fn address(&self) -> Option<IpAddr> {
        match self.fields.get("address") {
            Some(Value::Ip(ip)) => Some(*ip),
            _ => None,
        }
    }
}

fn lists(references: &[Value], address: &Address) -> bool {
    references.iter().any(|value| value.as_ref_address() == Some(address))
}

/// The tenant that an address lies in, without listing its ancestry.
pub(crate) fn tenant_of(address: &Address) -> Option<&Address> {
    let scope = scope_of(address);
    (scope.kind() == "tenant").then_some(scope)
}

/// The site that an address lies in.
pub(super) fn site_of(address: &Address) -> Option<&Address> {
    let scope = scope_of(address);
    (scope.kind() == "site").then_some(scope)
}

/// The outermost tenant or site that an address lies in, or its first segment. It need not be the first
/// one itself: components make tenants and sites, too.
fn scope_of(address: &Address) -> &Address {
    let around = address.ancestry();
    let is_scope = |own: &&&Address| matches!(own.kind().as_str(), "tenant" | "site");
    around.iter().find(is_scope).or(around.first()).copied().unwrap_or(address)
}

/// The path of the first value in `fields` that `wanted` accepts.
pub(super) fn path_to(fields: &Fields, wanted: &dyn Fn(&Address) -> bool) -> Option<String> {
    let refers = |value: &Value| {
        let mut found = false;
        value.each_reference(&mut |address| found |= wanted(address));
        found
    };
    let (name, value) = fields.iter().find(|(_, value)| refers(value))?;
    match value {
        Value::Map(inner) => {
            let rest = path_to(inner, wanted)?;
            Some(format!("{name}.{rest}"))
        }
        _ => Some(name.to_string()),
    }
}
