//! Who newly reaches whom, and what guests notice, for programs.

use serde::Serialize;
use tcloud_model::{Address, Impact, Name, Position};
use tcloud_planner::plan::{
    AddressChange, AddressKind, Border, Condition, Exposure, GuestImpact, Interruption, Party,
    Place, Way,
};

use super::{ValueView, Viewed};
use crate::text;

#[derive(Serialize)]
pub(super) struct GuestView<'a> {
    guest: &'a Address,
    impact: Impact,
    change: u32,
    interruption: InterruptionView,
    addresses: Vec<AddressChangeView<'a>>,
    condition: Option<Condition>,
    causes: &'a [Position],
}

/// `min_s`, `max_s` and `runs` only where it was measured.
#[derive(Serialize)]
struct InterruptionView {
    kind: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<u32>,
}

#[derive(Serialize)]
struct AddressChangeView<'a> {
    what: AddressKind,
    nic: Option<&'a Name>,
    before: Option<ValueView<'a>>,
    after: Option<ValueView<'a>>,
}

impl Viewed for GuestImpact {
    type View<'v> = GuestView<'v>;

    fn view(&self) -> GuestView<'_> {
        let GuestImpact { guest, impact, change, interruption, addresses, condition, causes } =
            self;
        let addresses = addresses.iter().map(|AddressChange { what, nic, before, after }| {
            let (before, after) =
                (before.as_ref().map(ValueView::of), after.as_ref().map(ValueView::of));
            AddressChangeView { what: *what, nic: nic.as_ref(), before, after }
        });
        GuestView {
            guest,
            impact: *impact,
            change: *change,
            interruption: InterruptionView::of(*interruption),
            addresses: addresses.collect(),
            condition: *condition,
            causes,
        }
    }
}

impl InterruptionView {
    fn of(interruption: Interruption) -> InterruptionView {
        let (kind, measured) = match interruption {
            Interruption::None => ("none", None),
            Interruption::Unknown => ("unknown", None),
            Interruption::Gone => ("gone", None),
            Interruption::Measured { min, max, runs } => ("measured", Some((min, max, runs))),
        };
        InterruptionView {
            kind,
            text: text::interruption(interruption),
            min_s: measured.map(|(min, _, _)| min),
            max_s: measured.map(|(_, max, _)| max),
            runs: measured.map(|(_, _, runs)| runs),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ExposureView<'a> {
    way: Way,
    from: PartyView<'a>,
    to: PartyView<'a>,
    ports: &'a [String],
    border: Border,
    created: bool,
    text: String,
    kept: Vec<String>,
    decision: Option<&'a str>,
    causes: &'a [Position],
}

impl Viewed for Exposure {
    type View<'v> = ExposureView<'v>;

    fn view(&self) -> ExposureView<'_> {
        let Exposure { way, from, to, ports, border, created, kept, decision, causes } = self;
        ExposureView {
            way: *way,
            from: PartyView::of(from),
            to: PartyView::of(to),
            ports,
            border: *border,
            created: *created,
            text: self.sentence(),
            kept: kept.iter().map(Place::to_string).collect(),
            decision: decision.as_deref(),
            causes,
        }
    }
}

#[derive(Serialize)]
struct PartyView<'a> {
    place: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    space: Option<String>,
    text: String,
    tenants: &'a [Address],
    guests: usize,
    named: &'a [Address],
}

impl PartyView<'_> {
    fn of(party: &Party) -> PartyView<'_> {
        let Party { place, tenants, guests, named } = party;
        let (word, address, space) = match place {
            Place::World => ("world", None, None),
            Place::Space(space) => ("space", None, Some(space.to_string())),
            Place::Network(address) => ("network", Some(address), None),
            Place::Guest(address) => ("guest", Some(address), None),
            Place::Tenant(address) => ("tenant", Some(address), None),
        };
        let text = party.to_string();
        PartyView { place: word, address, space, text, tenants, guests: *guests, named }
    }
}
