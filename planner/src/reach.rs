//! Who can reach whom: the words in which a plan tells what opens and what closes.

use std::fmt;

use serde::{Deserialize, Serialize};
use tcloud_model::{Address, Cidr, Position};

/// One line of who newly reaches whom, or no longer does. Told for groups – a network, the guests of
/// a tenant in it, a space – and never for pairs of guests. See [`crate::Plan::exposure`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// Whether it opens or closes.
    pub way: Way,
    /// Who opens connections.
    pub from: Party,
    /// To whom.
    pub to: Party,
    /// `443/tcp`, sorted; none for everything, ports or not.
    pub ports: Vec<String>,
    /// Which border it crosses.
    pub border: Border,
    /// Whether those who are reached are made by this plan: then nothing that runs opens, and nobody
    /// has to agree.
    pub created: bool,
    /// Others who reach the same and go on doing so, at most [`Party::NAMED`]: what is not new.
    pub kept: Vec<Place>,
    /// The decision that is about it: `D2`.
    pub decision: Option<String>,
    /// Where the text says so: the rule, what joins a guest to its network. For what closes, the
    /// head of the block that lost it.
    pub causes: Vec<Position>,
}

/// Whether somebody newly reaches somebody, or no longer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Newly.
    Opens,
    /// No longer.
    Closes,
}

/// Which border a connection crosses, harmless first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Border {
    /// None: it stays with one tenant, or comes from private addresses that no guest of another
    /// tenant has.
    None,
    /// From one tenant's guests to another's.
    Tenant,
    /// To or from public addresses.
    World,
}

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Where it is.
    pub place: Place,
    /// Whose guests or networks are there, sorted, at most [`Party::NAMED`].
    pub tenants: Vec<Address>,
    /// How many guests; 0 where nobody can count them.
    pub guests: usize,
    /// The first of them, sorted, at most [`Party::NAMED`].
    pub named: Vec<Address>,
}

impl Exposure {
    /// In one sentence: `11 guests in district/app newly reach 4 guests in town/fach on 5432/tcp`.
    pub fn sentence(&self) -> String {
        let verb = match (self.way, self.from.is_one()) {
            (Way::Opens, true) => "newly reaches",
            (Way::Opens, false) => "newly reach",
            (Way::Closes, true) => "no longer reaches",
            (Way::Closes, false) => "no longer reach",
        };
        let on = match self.ports.is_empty() {
            true => String::new(),
            false => format!(" on {}", self.ports.join(", ")),
        };
        format!("{} {verb} {}{on}", self.from, self.to)
    }
}

impl Party {
    fn is_one(&self) -> bool {
        match self.place {
            Place::World | Place::Guest(_) | Place::Space(_) => true,
            Place::Network(_) | Place::Tenant(_) => self.guests < 2,
        }
    }

    /// How many guests, tenants or places are named where there may be thousands.
    pub const NAMED: usize = 12;
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.place;
        match (place, self.guests) {
            (Place::World | Place::Guest(_), _) | (Place::Space(_), 0) => write!(f, "{place}"),
            (Place::Network(_), 0) => write!(f, "network {place}"),
            (Place::Space(_), 1) => write!(f, "{place} (1 guest)"),
            (Place::Space(_), guests) => write!(f, "{place} ({guests} guests)"),
            (Place::Network(_) | Place::Tenant(_), 1) => {
                match self.named.first().cloned().map(Place::Guest) {
                    Some(guest) if matches!(place, Place::Tenant(_)) => write!(f, "{guest}"),
                    Some(guest) => write!(f, "{guest} in {place}"),
                    None => write!(f, "1 guest in {place}"),
                }
            }
            (Place::Network(_) | Place::Tenant(_), guests) => {
                write!(f, "{guests} guests in {place}")
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::World => f.write_str("anybody"),
            Place::Space(space) => write!(f, "{space}"),
            Place::Network(address) | Place::Guest(address) | Place::Tenant(address) => {
                match address.tenant().filter(|tenant| *tenant != address) {
                    Some(tenant) => write!(f, "{}/{}", tenant.name(), address.last_name()),
                    None => f.write_str(&address.last_name()),
                }
            }
        }
    }
}

/// Where one end of a connection is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Anybody, anywhere.
    World,
    /// These addresses, whoever has them.
    Space(Cidr),
    /// A network: all its guests, or only those that [`Party::named`] begins to list when
    /// [`Party::guests`] are fewer than it has.
    Network(Address),
    /// One guest.
    Guest(Address),
    /// Guests of a tenant.
    Tenant(Address),
}
