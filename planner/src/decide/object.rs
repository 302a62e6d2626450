//! What is known and wanted, address by address.

use std::cmp::Ordering;
use std::ops::Range;

use tcloud_model::Address;

use crate::facts::Facts;
use crate::layout::{Layout, Wanted};

/// What is known and wanted of one address.
pub(super) struct Object<'t, 'a> {
    pub(super) address: Address,
    /// Which of [`Facts::known`] belong to it.
    pub(super) known: Range<usize>,
    pub(super) wanted: Option<&'t Wanted<'a>>,
}

/// All that is known or wanted, sorted by address. Both are sorted already, and going through them side
/// by side is quicker than looking each address up.
pub(super) fn objects<'t, 'a>(facts: &Facts<'a>, layout: &'t Layout<'a>) -> Vec<Object<'t, 'a>> {
    let mut known = facts.ranges().peekable();
    let mut wanted = layout.wanted.iter().peekable();
    let mut all = Vec::with_capacity(known.len().max(wanted.len()));
    loop {
        let order = match (known.peek(), wanted.peek()) {
            (None, None) => return all,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((known, _)), Some((wanted, _))) => (*known).cmp(wanted),
        };
        let own = if order.is_le() { known.next() } else { None };
        let text = if order.is_ge() { wanted.next() } else { None };
        let Some(address) = own.map(|own| own.0).or(text.map(|text| text.0)) else { return all };
        all.push(Object {
            address: address.clone(),
            known: own.map_or(0..0, |own| own.1.clone()),
            wanted: text.map(|text| text.1),
        });
    }
}
