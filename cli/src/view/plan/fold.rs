//! Folding many equal rows into one, so that a plan of thousands of creations can be read.

use std::collections::BTreeMap;

use super::row::{CREATE, Row};
use tcloud_model::{Address, Name};

/// A group of more equal rows than this is always folded.
const MANY: usize = 30;

/// With more rows than this in all, smaller groups are folded too.
const CROWDED: usize = 40;

/// The smallest group that is folded then.
const GROUP: usize = 3;

/// What rows have in common that may stand in one line. Creations and deletions of one kind are
/// equal; other changes only when the same happens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    rank: u8,
    kind: Name,
    tenant: Option<Option<Address>>,
    phrases: Vec<String>,
}

impl Likeness {
    fn of(row: &Row, by_tenant: bool) -> Likeness {
        let alike = row.rank == CREATE || row.word == "delete";
        Likeness {
            rank: row.rank,
            kind: row.kind.clone(),
            tenant: by_tenant.then(|| row.tenant.clone()),
            phrases: if alike { Vec::new() } else { row.phrases.clone() },
        }
    }
}

/// Folds rows: first those of a kind in a tenant, then, when there are still too many, those of a
/// kind in all tenants. The rows are sorted by rank and stay so.
pub(super) fn fold(rows: Vec<Row>) -> Vec<Row> {
    let rows = fold_by(rows, true);
    if rows.len() > 2 * CROWDED { fold_by(rows, false) } else { rows }
}

fn fold_by(rows: Vec<Row>, by_tenant: bool) -> Vec<Row> {
    let mut groups: BTreeMap<Likeness, Vec<usize>> = BTreeMap::new();
    let mut foldable = 0;
    for (at, row) in rows.iter().enumerate() {
        if row.details.is_empty() {
            foldable += 1;
            groups.entry(Likeness::of(row, by_tenant)).or_default().push(at);
        }
    }
    groups
        .retain(|_, members| members.len() > MANY || (foldable > CROWDED && members.len() > GROUP));
    let mut place: BTreeMap<usize, (usize, Likeness)> = BTreeMap::new();
    for (likeness, members) in &groups {
        for (position, at) in members.iter().enumerate() {
            place.insert(*at, (position, likeness.clone()));
        }
    }
    let mut sums: BTreeMap<&Likeness, Sum> = groups.keys().map(|k| (k, Sum::default())).collect();
    let mut folded: Vec<(Row, Option<Likeness>)> = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        let Some((position, likeness)) = place.remove(&at) else {
            folded.push((row, None));
            continue;
        };
        if let Some(sum) = sums.get_mut(&likeness) {
            sum.add(&row);
        }
        if position == 0 {
            folded.push((row, Some(likeness)));
        }
    }
    let finish = |(row, likeness): (Row, Option<Likeness>)| match likeness {
        Some(likeness) => match sums.get(&likeness) {
            Some(sum) => sum.row(row, &likeness),
            None => row,
        },
        None => row,
    };
    folded.into_iter().map(finish).collect()
}

/// What a folded row says.
#[derive(Default)]
struct Sum {
    objects: usize,
    tenants: std::collections::BTreeSet<Option<Address>>,
    names: Vec<String>,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        self.objects += row.folded.unwrap_or(1);
        self.tenants.insert(row.tenant.clone());
        let short = row.name.rsplit_once('.').map_or(row.name.as_str(), |(_, name)| name);
        self.names.push(short.to_owned());
    }

    fn row(&self, first: Row, likeness: &Likeness) -> Row {
        let mut phrases = vec![format!("{} {}", self.objects, first.kind)];
        let (name, tenant) = match &likeness.tenant {
            Some(tenant) => {
                let name = tenant.as_ref().map_or_else(|| "shared".to_owned(), Address::to_string);
                if let ([], [first, rest @ ..]) = (&likeness.phrases[..], &self.names[..]) {
                    phrases[0].push_str(&format!(": {first}"));
                    phrases.extend(rest.iter().cloned());
                }
                (name, tenant.clone())
            }
            None => (format!("in {} tenants", self.tenants.len()), None),
        };
        phrases.extend(likeness.phrases.iter().cloned());
        Row { name, tenant, phrases, cause: None, folded: Some(self.objects), ..first }
    }
}
