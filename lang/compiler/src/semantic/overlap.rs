//! Networks that overlap where somebody can see both of them.
//!
//! A tenant sees its own networks, those that are exposed to it, and those of the sites that it may
//! use. What one tenant sees must not overlap, else an address would mean two places; networks of
//! tenants that never meet may be the same, as they are behind NAT everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use indexmap::{IndexMap, IndexSet};
use tcloud_model::{Address, Cidr, Diagnostic, Span, codes};

use super::facts::{Facts, Network, Tenant, site_of};

/// The most suggestions that are looked for; each of them looks at every network in view.
const SUGGESTIONS: usize = 50;

/// A network's addresses as numbers of one family. Two blocks are nested or apart, never half over.
#[derive(Clone, Copy)]
struct Block<'a> {
    start: u128,
    end: u128,
    cidr: Cidr,
    network: &'a Network<'a>,
}

/// What one tenant sees, without the networks of sites.
type View<'a> = Vec<Block<'a>>;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for v4 in [true, false] {
        family(facts, v4, found);
    }
}

fn family<'a>(facts: &'a Facts<'a>, v4: bool, found: &mut Vec<Diagnostic>) {
    let mut shared: View<'a> = Vec::new();
    let mut views: IndexMap<&Address, View<'a>> = IndexMap::new();
    for network in facts.networks.values() {
        for cidr in [network.cidr, network.cidr6].into_iter().flatten() {
            if cidr.network().is_ipv4() != v4 {
                continue;
            }
            let block = Block::new(cidr, network);
            let Some(owner) = network.tenant else {
                shared.push(block);
                continue;
            };
            views.entry(owner).or_default().push(block);
            let guests = network.expose_to.iter().filter_map(|value| value.as_ref_address());
            for guest in guests.filter(|guest| *guest != owner) {
                views.entry(guest).or_default().push(block);
            }
        }
    }
    let mut report = Report { facts, seen: IndexSet::new(), found };
    sort(&mut shared);
    sweep(&shared, &shared, &mut report);
    let shared = Shared::new(shared);
    for (tenant, view) in &mut views {
        sort(view);
        sweep(view, &shared.blocks, &mut report);
        if let Some(tenant) = facts.tenants.get(tenant) {
            for block in view.iter() {
                if let Some(other) = shared.overlapping(block, tenant) {
                    report.pair(&other, block, view, &shared.blocks);
                }
            }
        }
    }
}

impl<'a> Block<'a> {
    fn new(cidr: Cidr, network: &'a Network<'a>) -> Block<'a> {
        Block { start: number(cidr.network()), end: number(cidr.broadcast()), cidr, network }
    }
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn sort(blocks: &mut [Block<'_>]) {
    blocks.sort_by_key(|block| (block.start, block.cidr.prefix_len()));
}

/// Reports every block that lies inside the largest block before it.
fn sweep<'a>(blocks: &[Block<'a>], shared: &[Block<'a>], report: &mut Report<'a, '_>) {
    let mut outer: Option<&Block<'a>> = None;
    for block in blocks {
        match outer {
            Some(outer) if block.start <= outer.end => report.pair(outer, block, blocks, shared),
            _ => outer = Some(block),
        }
    }
}

/// The networks of sites, found by what contains a block or lies in it.
struct Shared<'a> {
    blocks: Vec<Block<'a>>,
    by_start: BTreeMap<(u128, u8), Vec<usize>>,
    prefixes: BTreeSet<u8>,
}

impl<'a> Shared<'a> {
    fn new(blocks: Vec<Block<'a>>) -> Shared<'a> {
        let mut by_start: BTreeMap<(u128, u8), Vec<usize>> = BTreeMap::new();
        for (at, block) in blocks.iter().enumerate() {
            by_start.entry((block.start, block.cidr.prefix_len())).or_default().push(at);
        }
        let prefixes = blocks.iter().map(|block| block.cidr.prefix_len()).collect();
        Shared { blocks, by_start, prefixes }
    }

    /// A network of a site that the tenant may use and that overlaps a block.
    fn overlapping(&self, block: &Block<'a>, tenant: &Tenant<'_>) -> Option<Block<'a>> {
        let usable = |at: &usize| {
            let block = self.blocks.get(*at)?;
            let site = site_of(&block.network.resource.address);
            site.is_none_or(|site| tenant.may_use(site)).then_some(*block)
        };
        let own = block.cidr.prefix_len();
        for prefix in self.prefixes.iter().filter(|prefix| **prefix <= own) {
            let host_bits = u32::from(block.cidr.max_prefix_len() - prefix);
            let start = block.start.checked_shr(host_bits).unwrap_or(0);
            let start = start.checked_shl(host_bits).unwrap_or(0);
            let at = self.by_start.get(&(start, *prefix)).into_iter().flatten();
            if let Some(other) = at.filter_map(usable).next() {
                return Some(other);
            }
        }
        let inside = self.by_start.range((block.start, own)..=(block.end, u8::MAX));
        inside.flat_map(|(_, at)| at).find_map(usable)
    }
}

/// Collects the messages, each pair once.
struct Report<'a, 'f> {
    facts: &'a Facts<'a>,
    seen: IndexSet<(&'a Address, &'a Address)>,
    found: &'f mut Vec<Diagnostic>,
}

impl<'a> Report<'a, '_> {
    fn pair(
        &mut self,
        outer: &Block<'a>,
        inner: &Block<'a>,
        view: &[Block<'a>],
        shared: &[Block<'a>],
    ) {
        let names = (&outer.network.resource.address, &inner.network.resource.address);
        // The two parts of one network are of two families, unless the text is odd.
        if names.0 == names.1 || !self.seen.insert(names) {
            return;
        }
        let (outer_span, inner_span) = (self.place(outer), self.place(inner));
        // Where one text gives both, the blocks that make them tell them apart.
        let one_text = outer_span == inner_span;
        let makers = if one_text { self.makers(names.0, names.1) } else { None };
        let (outer_maker, inner_maker) = makers.unwrap_or((outer_span, inner_span));
        // A tenant gives way to what is shared; else the later one in the text does.
        let outer_moves = match (outer.network.tenant, inner.network.tenant) {
            (Some(_), None) => true,
            (None, Some(_)) => false,
            _ => inner_maker < outer_maker,
        };
        let outer = Overlapping { block: outer, span: outer_span, maker: outer_maker };
        let inner = Overlapping { block: inner, span: inner_span, maker: inner_maker };
        let (moved, other) = if outer_moves { (outer, inner) } else { (inner, outer) };
        let free = self.free(moved.block, view, shared);
        let help = match makers {
            None if one_text => {
                "compute it from the variable of the `for`, such as `10.20.0.0/16.subnet(8, n)`"
                    .to_owned()
            }
            Some(_) if moved.maker != self.facts.head(moved.block.network.resource) => {
                let free = free.map_or_else(String::new, |free| format!("; {free}"));
                format!("give one of them others by a parameter of the component{free}")
            }
            _ => free.unwrap_or_else(|| "give one of them other addresses".to_owned()),
        };
        self.found.push(message(moved, other, makers.is_some()).help(help));
    }

    fn place(&self, block: &Block<'_>) -> Span {
        let field = if block.network.cidr == Some(block.cidr) { "cidr" } else { "cidr6" };
        self.facts.span(block.network.resource, field)
    }

    /// The innermost blocks around two networks of one text that are not the same: two uses of a
    /// component. `None` where all are, as in a repetition.
    fn makers(&self, a: &Address, b: &Address) -> Option<(Span, Span)> {
        let head = |address| self.facts.places.span(address, "");
        let (mut a, mut b) = (Some(a), Some(b));
        while let (Some(one), Some(two)) = (a, b) {
            let heads = (head(one), head(two));
            if heads.0 != heads.1 {
                return Some(heads);
            }
            (a, b) = (one.parent(), two.parent());
        }
        None
    }

    /// Where a network could move to, as advice.
    fn free(&self, moved: &Block<'_>, view: &[Block<'_>], shared: &[Block<'_>]) -> Option<String> {
        let suggested = self.found.len() < SUGGESTIONS;
        let cidr = suggested.then(|| free(moved, view, shared)).flatten()?;
        Some(format!("the next free /{} is {cidr}", cidr.prefix_len()))
    }
}

/// One of two networks that overlap, and where it is written.
#[derive(Clone, Copy)]
struct Overlapping<'a> {
    block: &'a Block<'a>,
    /// Its addresses in the text.
    span: Span,
    /// See [`Report::makers`].
    maker: Span,
}

/// What is said about a network that should move. `made` is whether the makers tell the two apart.
fn message(moved: Overlapping<'_>, other: Overlapping<'_>, made: bool) -> Diagnostic {
    let (a, b) = (moved.block.cidr, other.block.cidr);
    let label = if a == b {
        format!("{a} again")
    } else if a.prefix_len() < b.prefix_len() {
        format!("{a} contains {b}")
    } else {
        format!("{a} is inside {b}")
    };
    let owner = match other.block.network.tenant {
        tenant if tenant == moved.block.network.tenant => String::new(),
        Some(tenant) => format!(", of tenant {}", tenant.name()),
        None => ", shared by all tenants of the site".to_owned(),
    };
    let (name, other_name) = called(moved.block.network, other.block.network);
    let message = format!("network `{name}` overlaps network `{other_name}`");
    let diagnostic = Diagnostic::error(codes::E0312, moved.span, message).label(label);
    if made {
        diagnostic
            .also(moved.maker, format!("makes `{name}`"))
            .also(other.maker, format!("makes `{other_name}`"))
    } else if moved.span != other.span {
        diagnostic.also(other.span, format!("`{other_name}` is {b}{owner}"))
    } else {
        diagnostic
    }
}

/// What two networks are called in one message: by their names or, where these are the same, by
/// that part of their addresses in which they differ.
fn called(a: &Network<'_>, b: &Network<'_>) -> (String, String) {
    let names = (a.name(), b.name());
    if names.0 != names.1 {
        return names;
    }
    let (a, b) = (a.resource.address.ancestry(), b.resource.address.ancestry());
    let common = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = |path: &[&Address]| {
        let segments = path.iter().skip(common).map(|address| address.last_segment());
        segments.collect::<Vec<String>>().join(".")
    };
    (rest(&a), rest(&b))
}

/// The next network of the same size that overlaps nothing in view and stays in the same private
/// space.
fn free(moved: &Block<'_>, view: &[Block<'_>], shared: &[Block<'_>]) -> Option<Cidr> {
    let mut blocks: Vec<(u128, u128)> =
        view.iter().chain(shared).map(|block| (block.start, block.end)).collect();
    blocks.sort_unstable();
    let size = moved.end - moved.start;
    let mut start = moved.start;
    for (first, last) in blocks {
        if start.checked_add(size)? < first {
            break;
        }
        if last >= start {
            // The next multiple of the size after this block.
            start = last.checked_add(1)?.checked_add(size)? & !size;
        }
    }
    let ip = match moved.cidr {
        Cidr::V4(_) => IpAddr::V4(u32::try_from(start).ok()?.into()),
        Cidr::V6(_) => IpAddr::V6(start.into()),
    };
    let cidr = Cidr::new(ip, moved.cidr.prefix_len()).ok()?;
    let spaces = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    spaces
        .iter()
        .filter_map(|space| space.parse::<Cidr>().ok())
        .any(|space| space.contains(&moved.cidr) && space.contains(&cidr))
        .then_some(cidr)
}
