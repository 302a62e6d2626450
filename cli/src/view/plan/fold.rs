//! Folding many equal rows into one, so that a plan of thousands of creations can be read.

use std::collections::{BTreeMap, BTreeSet};

use super::row::{CREATE, Row};
use tcloud_model::{Address, Name};
use tcloud_report::text;

/// A group of more equal rows than this is always folded.
const MANY: usize = 30;

/// With more rows than this in all, smaller groups are folded too, and what is made or removed in a
/// tenant takes one line.
const CROWDED: usize = 40;

/// The smallest group that is folded then.
const GROUP: usize = 3;

/// What rows have in common that may stand in one line. Creations and deletions are equal; other
/// changes only when the same happens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    rank: u8,
    /// `None` for every kind.
    kind: Option<Name>,
    /// `None` for every tenant; `Some(None)` for what belongs to none.
    tenant: Option<Option<Address>>,
    phrases: Vec<String>,
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

impl Likeness {
    fn of(row: &Row, reach: Reach) -> Likeness {
        let alike = row.rank == CREATE || row.word == "delete";
        Likeness {
            rank: row.rank,
            kind: (!alike || reach == Reach::Kind).then(|| row.kind.clone()),
            tenant: (reach != Reach::All).then(|| row.tenant.clone()),
            phrases: if alike { Vec::new() } else { row.phrases.clone() },
        }
    }
}

/// Folds rows that were merged. They are sorted by rank and stay so.
pub(super) fn fold(rows: Vec<Row>) -> Vec<Row> {
    let foldable = rows.iter().filter(|row| row.details.is_empty()).count();
    if foldable <= CROWDED {
        return fold_to(rows, Reach::Kind, MANY);
    }
    let rows = fold_to(rows, Reach::Tenant, GROUP);
    if rows.len() > CROWDED { fold_to(rows, Reach::All, GROUP) } else { rows }
}

/// Puts rows about one address together that differ only in the host.
pub(super) fn merge(rows: Vec<Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match merged.last_mut() {
            Some(last)
                if row.details.is_empty()
                    && (last.rank, &last.name) == (row.rank, &row.name)
                    && last.phrases == row.phrases =>
            {
                last.hosts.extend(row.hosts);
                last.objects += row.objects;
            }
            _ => merged.push(row),
        }
    }
    merged
}

fn fold_to(rows: Vec<Row>, reach: Reach, more_than: usize) -> Vec<Row> {
    let mut groups: BTreeMap<Likeness, Sum> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.details.is_empty()) {
        groups.entry(Likeness::of(row, reach)).or_default().add(row);
    }
    groups.retain(|_, sum| sum.rows > more_than);
    let mut begun: BTreeSet<Likeness> = BTreeSet::new();
    let mut folded = Vec::new();
    for row in rows {
        let likeness = row.details.is_empty().then(|| Likeness::of(&row, reach));
        match likeness.and_then(|likeness| groups.get_key_value(&likeness)) {
            None => folded.push(row),
            Some((likeness, sum)) => {
                if begun.insert(likeness.clone()) {
                    folded.push(sum.row(row, likeness));
                }
            }
        }
    }
    folded
}

/// What a folded row says.
#[derive(Default)]
struct Sum {
    rows: usize,
    kinds: BTreeMap<Name, usize>,
    tenants: BTreeSet<Option<Address>>,
    names: Vec<String>,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        self.rows += 1;
        match &row.folded {
            Some(kinds) => {
                for (kind, number) in kinds {
                    *self.kinds.entry(kind.clone()).or_default() += number;
                }
            }
            None => *self.kinds.entry(row.kind.clone()).or_default() += row.objects,
        }
        self.tenants.insert(row.tenant.clone());
        let short = row.name.rsplit_once('.').map_or(row.name.as_str(), |(_, name)| name);
        self.names.push(short.to_owned());
    }

    fn row(&self, first: Row, likeness: &Likeness) -> Row {
        let Likeness { rank: _, kind, tenant, phrases } = likeness;
        let name = match tenant {
            Some(Some(tenant)) => tenant.to_string(),
            Some(None) => "shared".to_owned(),
            None => format!("in {} tenants", self.tenants.len()),
        };
        let mut kinds: Vec<(&Name, usize)> = self.kinds.iter().map(|(k, n)| (k, *n)).collect();
        kinds.sort_by_key(|(kind, number)| (std::cmp::Reverse(*number), (*kind).clone()));
        let mut said: Vec<String> =
            kinds.iter().map(|(kind, number)| text::count(*number, text::noun(kind))).collect();
        match (kind, &phrases[..], &self.names[..]) {
            // One kind in one tenant: there is room for names.
            (Some(_), [], [one, others @ ..]) if tenant.is_some() => {
                said[0].push_str(&format!(": {one}"));
                said.extend(others.iter().cloned());
            }
            _ => said.extend(phrases.iter().cloned()),
        }
        let folded = Some(self.kinds.clone());
        let tenant = tenant.clone().flatten();
        Row { name, tenant, phrases: said, hosts: Vec::new(), cause: None, folded, ..first }
    }
}
