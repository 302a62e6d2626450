//! Folding many equal rows into one, so that a plan of thousands of creations can be read.

use std::collections::{BTreeMap, HashSet};

use indexmap::IndexMap;

use super::row::{CREATE, Folded, Row, Whose};
use tcloud_model::{Address, Name};

/// A group of more equal rows than this is always folded.
const MANY: usize = 30;

/// With more rows than this in all, smaller groups are folded too, and what is made or removed in a
/// tenant takes one line.
const CROWDED: usize = 40;

/// The smallest group that is folded then.
const GROUP: usize = 3;

/// What rows have in common that may stand in one line. Creations and deletions are equal; other
/// changes only when the same happens.
#[derive(PartialEq, Eq, Hash)]
struct Likeness<'p> {
    rank: u8,
    /// `None` for every kind.
    kind: Option<&'p Name>,
    /// `None` for every tenant; `Some(None)` for what belongs to none.
    tenant: Option<Option<&'p Address>>,
    phrases: Vec<String>,
    window: Option<String>,
}

/// How far rows are folded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// One kind in one tenant.
    Kind,
    /// One tenant.
    Tenant,
    /// Everything.
    All,
}

impl<'p> Likeness<'p> {
    fn of(row: &Row<'p>, reach: Reach) -> Likeness<'p> {
        let alike = row.rank == CREATE || row.is_deleted();
        Likeness {
            rank: row.rank,
            kind: (!alike || reach == Reach::Kind).then(|| row.kind()),
            tenant: (reach != Reach::All).then_some(row.tenant),
            phrases: if alike { Vec::new() } else { row.happens() },
            window: row.window(),
        }
    }
}

/// Folds rows that were merged. They are sorted by rank and stay so.
pub(super) fn fold(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let foldable = rows.iter().filter(|row| !row.alone).count();
    if foldable <= CROWDED {
        return fold_to(rows, Reach::Kind, MANY);
    }
    let rows = fold_to(rows, Reach::Tenant, GROUP);
    if rows.len() > CROWDED { fold_to(rows, Reach::All, GROUP) } else { rows }
}

/// Puts rows about one address together that differ only in the host.
pub(super) fn merge(rows: &mut Vec<Row<'_>>) {
    rows.dedup_by(|row, last| {
        let alike = (last.rank, last.address()) == (row.rank, row.address())
            && !row.alone
            && last.is_like(row);
        if alike {
            if last.hosted {
                last.other_hosts.push(&row.change.object.host);
            }
            last.objects += row.objects;
        }
        alike
    });
}

fn fold_to<'p>(rows: Vec<Row<'p>>, reach: Reach, more_than: usize) -> Vec<Row<'p>> {
    let mut groups: IndexMap<Likeness<'p>, Sum<'p>> = IndexMap::new();
    let mut last = 0;
    let mut group = |row: &Row<'p>| {
        let likeness = Likeness::of(row, reach);
        // What is alike usually stands together, and need not be looked for.
        if groups.get_index(last).is_none_or(|(known, _)| *known != likeness) {
            let entry = groups.entry(likeness);
            last = entry.index();
            entry.or_default();
        }
        groups[last].add(row, reach);
        last
    };
    let groups_of: Vec<Option<usize>> =
        rows.iter().map(|row| (!row.alone).then(|| group(row))).collect();
    let mut folded = Vec::new();
    for (row, group) in rows.into_iter().zip(groups_of) {
        match group.and_then(|group| groups.get_index_mut(group)) {
            Some((likeness, sum)) if sum.rows > more_than => {
                // The first one stands for all, and takes what is said of them.
                if !std::mem::replace(&mut sum.told, true) {
                    folded.push(sum.row(row, likeness));
                }
            }
            _ => folded.push(row),
        }
    }
    folded
}

/// What a folded row says.
#[derive(Default)]
struct Sum<'p> {
    rows: usize,
    /// Whether its row is among the folded ones already.
    told: bool,
    kinds: BTreeMap<&'p Name, usize>,
    tenants: HashSet<Option<&'p Address>>,
    /// Where one kind is folded in one tenant there is room for names.
    names: Vec<String>,
}

impl<'p> Sum<'p> {
    fn add(&mut self, row: &Row<'p>, reach: Reach) {
        self.rows += 1;
        match &row.folded {
            Some(all) => {
                for (kind, number) in &all.kinds {
                    *self.kinds.entry(kind).or_default() += number;
                }
            }
            None => *self.kinds.entry(row.kind()).or_default() += row.objects,
        }
        self.tenants.insert(row.tenant);
        if reach == Reach::Kind {
            let name = row.name();
            let short = name.rsplit_once('.').map_or(name.as_str(), |(_, name)| name);
            self.names.push(short.to_owned());
        }
    }

    fn row(&mut self, first: Row<'p>, likeness: &Likeness<'p>) -> Row<'p> {
        let Likeness { rank: _, kind, tenant, phrases, window: _ } = likeness;
        let told = kind.is_some() && phrases.is_empty();
        let folded = Folded {
            whose: tenant.map_or(Whose::Many(self.tenants.len()), Whose::One),
            kinds: std::mem::take(&mut self.kinds),
            names: if told { std::mem::take(&mut self.names) } else { Vec::new() },
            phrases: phrases.clone(),
        };
        let folded = Some(Box::new(folded));
        Row { tenant: tenant.flatten(), hosted: false, folded, ..first }
    }
}
