//! What people read, in English and German. Names, rules and attributes are the same in both.

use std::collections::BTreeSet;

use tcloud_model::value::human_size;
use tcloud_model::{Address, Impact, Moment};
use tcloud_planner::Plan;
use tcloud_planner::plan::{
    Action, AddressChange, AddressKind, Border, Change, Condition, Decision, DecisionKind,
    Exposure, GuestImpact, Interruption, Party, Place, Reason, Reserve, Way,
};

use crate::format::About;
use crate::origin::Author;
use crate::text::{self, Effect};

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    English,
    /// German.
    German,
}

impl About {
    /// What a report of a deployment is called.
    pub(crate) fn title(self, lang: Lang, deployment: &str) -> String {
        let of = match self {
            About::Plan => lang.say("Plan for", "Plan für"),
            About::Drift => lang.say("Drift of", "Drift von"),
        };
        format!("{of} {deployment}")
    }

    /// All of it in one sentence.
    pub(crate) fn headline(self, lang: Lang, plan: &Plan) -> String {
        match (self, plan.drift.len()) {
            (About::Plan, _) => lang.headline(plan),
            (About::Drift, 0) if plan.unchecked.is_empty() => {
                lang.say("nothing was changed by hand", "nichts wurde von Hand geändert").to_owned()
            }
            (About::Drift, 0) => {
                let english = "nothing was changed by hand, as far as could be checked";
                lang.say(english, "nichts wurde von Hand geändert, soweit es geprüft werden konnte")
                    .to_owned()
            }
            (About::Drift, n) => lang.many(
                n,
                ["object was changed by hand", "objects were changed by hand"],
                ["Objekt wurde von Hand geändert", "Objekte wurden von Hand geändert"],
            ),
        }
    }
}

impl Lang {
    /// The language of this code of ISO 639-1.
    pub fn named(code: &str) -> Option<Lang> {
        match code {
            "en" => Some(Lang::English),
            "de" => Some(Lang::German),
            _ => None,
        }
    }

    /// Its code of ISO 639-1.
    pub fn code(self) -> &'static str {
        self.say("en", "de")
    }

    /// The text in this language.
    pub(crate) fn say<'t>(self, english: &'t str, german: &'t str) -> &'t str {
        match self {
            Lang::English => english,
            Lang::German => german,
        }
    }

    /// Why a change waits that a running guest has no room for.
    pub(crate) fn no_room(self) -> &'static str {
        self.say("no slot is free", "kein Steckplatz frei")
    }

    /// One, or several.
    pub(crate) fn many(self, n: usize, english: [&str; 2], german: [&str; 2]) -> String {
        let word = usize::from(n != 1);
        format!("{n} {}", self.say(english[word], german[word]))
    }

    /// An amount of bytes.
    pub(crate) fn size(self, bytes: u64) -> String {
        let text = human_size(bytes);
        if self == Lang::German { text.replace('.', ",") } else { text }
    }

    /// What is left in a site when a host fails.
    pub(crate) fn reserve(self, own: &Reserve) -> [String; 3] {
        let amount = |n: i64| {
            let sign = if n < 0 { "−" } else { "" };
            match own.bytes {
                true => format!("{sign}{}", self.size(n.unsigned_abs())),
                false => format!("{sign}{}", n.unsigned_abs()),
            }
        };
        let what = format!(
            "{} `{}`, {} `{}` {}",
            self.resource(&own.resource),
            text::clean(&own.site.last_name()),
            self.say("left if", "übrig, wenn"),
            text::clean(&text::host_name(&own.host)),
            self.say("fails", "ausfällt"),
        );
        [what, amount(own.before), amount(own.after)]
    }

    /// The plan in one sentence, the worst first.
    fn headline(self, plan: &Plan) -> String {
        if self == Lang::English {
            return text::headline(plan);
        }
        let effects = text::effects(plan);
        let mut parts: Vec<String> =
            effects.iter().map(|(effect, who)| german(*effect, who)).collect();
        let opened = match text::opened(plan) {
            0 => None,
            1 => Some("1 Netz wird für andere geöffnet".to_owned()),
            n => Some(format!("{n} Netze werden für andere geöffnet")),
        };
        if let Some(opened) = opened {
            parts.insert(text::worse_than_opening(&effects), opened);
        }
        let mut sentence = match (parts.is_empty(), plan.unchecked.is_empty()) {
            (false, _) => parts.join(", "),
            (true, true) => "nichts zu tun".to_owned(),
            (true, false) => "nichts zu tun, soweit es geprüft werden konnte".to_owned(),
        };
        match text::left_alone(plan) {
            0 => {}
            1 => sentence.push_str("; 1 Objekt wurde von Hand geändert und bleibt so"),
            n => {
                sentence
                    .push_str(&format!("; {n} Objekte wurden von Hand geändert und bleiben so"));
            }
        }
        sentence
    }

    /// What a change does to a running guest.
    pub(crate) fn impact(self, impact: Impact, waits: bool) -> &'static str {
        match impact {
            _ if waits => self.say(
                "none now; takes effect when the guest is stopped and started",
                "jetzt keine; wirkt, wenn der Gast gestoppt und gestartet wird",
            ),
            Impact::None => self.say("none", "keine"),
            Impact::Live => self.say("none (live)", "keine (im Betrieb)"),
            Impact::LiveGuest => self.say(
                "none (live); the guest has to act",
                "keine (im Betrieb); der Gast muss handeln",
            ),
            Impact::PowerCycle => self.say("stopped and started", "gestoppt und gestartet"),
            Impact::RecreateKeep => self.say("made anew, data kept", "neu erstellt, Daten bleiben"),
            Impact::RecreateLose => {
                self.say("made anew, data lost", "neu erstellt, Daten gehen verloren")
            }
            Impact::Blocked => self.say("cannot be done", "nicht möglich"),
        }
    }

    /// For how long a guest is down.
    pub(crate) fn downtime(self, interruption: Interruption) -> String {
        match interruption {
            Interruption::None => self.say("none", "keine").to_owned(),
            Interruption::Unknown => self.say("unknown", "unbekannt").to_owned(),
            Interruption::Gone => self.say("for good", "für immer").to_owned(),
            Interruption::Measured { min, max, runs } => {
                let runs = self.many(
                    runs as usize,
                    ["earlier run", "earlier runs"],
                    ["früheren Lauf", "früheren Läufen"],
                );
                let measured = self.say("measured on", "gemessen an");
                format!("{}, {measured} {runs}", text::seconds(min, max))
            }
        }
    }

    /// What changes about how a guest is found.
    pub(crate) fn address_change(self, change: &AddressChange) -> String {
        match change.what {
            AddressKind::HostKey => {
                self.say("SSH host keys change", "SSH-Hostschlüssel ändern sich").to_owned()
            }
            AddressKind::Ip | AddressKind::Mac => format!("`{}`", text::address_change(change)),
        }
    }

    /// What a guest notices of the change that does the worst to it, and what that depends on.
    pub(crate) fn notices(self, told: &GuestImpact, worst: &Change) -> String {
        let window = self.window(worst).map(|window| format!("; {window}")).unwrap_or_default();
        self.notices_of(told, worst) + &window
    }

    fn notices_of(self, told: &GuestImpact, worst: &Change) -> String {
        let notices = match (told.impact, told.condition) {
            _ if worst.switches_off() => return self.stopped().to_owned(),
            (impact, Some(Condition::NextStart)) => return self.impact(impact, true).to_owned(),
            (impact, None) => self.impact(impact, false).to_owned(),
            (impact, Some(condition)) => {
                let impact = if impact == Impact::LiveGuest { Impact::Live } else { impact };
                format!("{}; {}", self.impact(impact, false), self.condition(condition))
            }
        };
        notices + if worst.waits { self.rest() } else { "" }
    }

    fn stopped(self) -> &'static str {
        self.say("stopped, and stays so", "gestoppt, und bleibt es")
    }

    fn rest(self) -> &'static str {
        self.say("; the rest at its next start", "; der Rest beim nächsten Start")
    }

    pub(crate) fn condition(self, condition: Condition) -> &'static str {
        match condition {
            Condition::NextStart => self.say("at its next start", "beim nächsten Start"),
            Condition::LetsGo => {
                self.say("if the guest lets go of the device", "wenn der Gast das Gerät freigibt")
            }
            Condition::GrowsFileSystem => self.say(
                "the guest must extend its file system",
                "der Gast muss sein Dateisystem erweitern",
            ),
            Condition::BringsUp => {
                self.say("the guest must bring it up", "der Gast muss es in Betrieb nehmen")
            }
        }
    }

    /// The word for an action.
    pub(crate) fn action(self, action: Action) -> &'static str {
        match action {
            Action::Create => self.say("created", "neu"),
            Action::Update => self.say("changed", "geändert"),
            Action::Delete => self.say("deleted", "gelöscht"),
            Action::ReplaceDeleteFirst | Action::ReplaceCreateFirst => {
                self.say("made anew", "neu erstellt")
            }
            Action::Adopt => self.say("adopted", "übernommen"),
            Action::Move => self.say("renamed", "umbenannt"),
            Action::Migrate => self.say("moved to another host", "auf anderen Host verlegt"),
            Action::Forget => self.say("no longer managed", "nicht mehr verwaltet"),
        }
    }

    /// What the guest's window has to do with a change.
    pub(crate) fn window(self, change: &Change) -> Option<String> {
        match (self, &change.opens, &change.until) {
            (Lang::English, ..) => text::window(change),
            (Lang::German, Some(opens), _) => Some(self.opening(opens)),
            (Lang::German, None, until) => {
                Some(format!("in seinem Fenster, bis {}", self.moment(until.as_ref()?)))
            }
        }
    }

    /// The title over what was written down in earlier runs and is not in force yet.
    pub(crate) fn waiting(self) -> &'static str {
        self.say(
            "Waits for a stop and start",
            "Wartet darauf, dass der Gast aus- und eingeschaltet wird",
        )
    }

    /// When a guest's window opens.
    pub(crate) fn opening(self, opens: &Moment) -> String {
        let verb = self.say("its window opens", "sein Fenster öffnet sich");
        format!("{verb} {}", self.moment(opens))
    }

    fn moment(self, moment: &Moment) -> String {
        let text = moment.to_string();
        match (self, text.split_once(' ')) {
            (Lang::German, Some((day, rest))) => format!("{} {rest}", german_day(day)),
            _ => text,
        }
    }

    /// What happens to an object, and what its guests notice of it.
    pub(crate) fn happens(self, change: &Change) -> String {
        let impact = match change.now() {
            None => self.impact(change.impact, true).to_owned(),
            Some(now) if change.waits => self.impact(now, false).to_owned() + self.rest(),
            Some(_) if change.switches_off() => self.stopped().to_owned(),
            Some(now) => self.impact(now, false).to_owned(),
        };
        if change.impact.is_replacement() {
            return impact;
        }
        let action = self.action(change.deed());
        if change.action == Action::Create {
            return action.to_owned();
        }
        let window = self.window(change).map(|window| format!("; {window}")).unwrap_or_default();
        format!("{action} · {}: {impact}{window}", self.say("interruption", "Unterbrechung"))
    }

    /// Why a change happens, as the end of a sentence.
    pub(crate) fn reason(self, reason: &Reason) -> String {
        if self == Lang::English {
            return text::reason(reason);
        }
        match reason {
            Reason::New => "der Text nennt es, und es gibt es noch nicht".to_owned(),
            Reason::Vanished => "jemand hat es gelöscht".to_owned(),
            Reason::Text => "der Text wurde geändert".to_owned(),
            Reason::Drift => "jemand hat es von Hand geändert".to_owned(),
            Reason::Removed => "der Text nennt es nicht mehr".to_owned(),
            Reason::Destroy => "alles wird abgebaut".to_owned(),
            Reason::Requested => "`--replace` nennt es".to_owned(),
            Reason::ReplaceWhen => "ein Wert von `replace_when` wurde geändert".to_owned(),
            Reason::Follows(address) => {
                format!("`{address}` wird entfernt, und ohne geht es nicht")
            }
            Reason::Leftover => "es wurde ersetzt, und das Löschen schlug fehl".to_owned(),
            Reason::Unfinished => "das Erstellen wurde nicht fertig".to_owned(),
            Reason::Statement => "eine Anweisung im Text sagt es".to_owned(),
            Reason::Placement => "es muss seinen Host verlassen".to_owned(),
        }
    }

    /// What is lost with a change that loses data.
    pub(crate) fn loss(self, change: &Change) -> Option<String> {
        if change.impact != Impact::RecreateLose {
            return None;
        }
        Some(match (self, change.written) {
            (Lang::English, Some(written)) => format!("{} of data lost", self.size(written)),
            (Lang::English, None) => "its data is lost, how much is not known".to_owned(),
            (Lang::German, Some(written)) => {
                format!("{} Daten gehen verloren", self.size(written))
            }
            (Lang::German, None) => "Daten gehen verloren, wie viele, ist unbekannt".to_owned(),
        })
    }

    /// What a decision is about.
    pub(crate) fn decision(self, kind: DecisionKind) -> &'static str {
        match kind {
            DecisionKind::DataLoss => self.say("Data loss", "Datenverlust"),
            DecisionKind::Protected => self.say("Protected", "Geschützt"),
            DecisionKind::Exposure => self.say("Exposure", "Öffnung"),
        }
    }

    /// A decision in a sentence.
    pub(crate) fn decided(self, decision: &Decision, plan: &Plan) -> String {
        if self == Lang::English {
            return text::clean(&decision.message);
        }
        let opening = plan.exposure.iter().find(|own| own.decision.as_ref() == Some(&decision.id));
        let lost = plan.changes.iter().find(|own| own.object.address == decision.address);
        match decision.kind {
            DecisionKind::DataLoss => lost
                .and_then(|change| self.loss(change))
                .unwrap_or_else(|| "Daten gehen verloren".to_owned()),
            DecisionKind::Protected => "etwas Geschütztes wird gelöscht".to_owned(),
            DecisionKind::Exposure => opening.map_or_else(
                || "andere erreichen es neu".to_owned(),
                |own| {
                    format!(
                        "{}: {} → {}",
                        self.way(own),
                        self.party(&own.from),
                        self.party(&own.to)
                    )
                },
            ),
        }
    }

    /// Who wrote the line that a change comes from.
    pub(crate) fn written(self, author: &Author) -> String {
        let Author { commit, name, summary } = author;
        match commit {
            Some(commit) => {
                let by = self.say("Line by", "Zeile von");
                format!("{by} {} ({commit}: {})", text::clean(name), text::clean(summary))
            }
            None => self.say("Line not committed yet", "Zeile noch nicht committet").to_owned(),
        }
    }

    /// Who has to agree to a decision.
    pub(crate) fn owners(self, decision: &Decision) -> String {
        let owners: Vec<String> = decision
            .owners
            .iter()
            .map(|own| format!("`{}`", text::clean(&own.last_name())))
            .collect();
        let owners = match &owners[..] {
            [] => self.say("the operator", "der Betreiber").to_owned(),
            owners => owners.join(self.say(" and ", " und ")),
        };
        let names: Vec<String> =
            decision.approvers.iter().map(|own| format!("`{}`", text::clean(own))).collect();
        match &names[..] {
            [] => owners,
            names => format!(
                "{owners} ({} {})",
                self.say("signature of", "Unterschrift von"),
                names.join(self.say(" or ", " oder "))
            ),
        }
    }

    /// Whether it opens or closes, and across which border.
    pub(crate) fn way(self, exposure: &Exposure) -> &'static str {
        match (exposure.way, exposure.border) {
            (Way::Closes, _) => self.say("closes", "schließt sich"),
            (Way::Opens, Border::World) => self.say("opens to the world", "öffnet sich zur Welt"),
            (Way::Opens, Border::Tenant) => {
                self.say("opens to another tenant", "öffnet sich für einen anderen Mandanten")
            }
            (Way::Opens, Border::None) => {
                self.say("opens within the tenant", "öffnet sich im Mandanten")
            }
        }
    }

    /// One end of a connection.
    pub(crate) fn party(self, party: &Party) -> String {
        let text = match (self, &party.place, party.guests) {
            (Lang::German, Place::World, _) => "alle".to_owned(),
            (Lang::German, Place::Network(_), 0) => format!("Netz {}", party.place),
            (Lang::German, Place::Space(_), 1) => format!("{} (1 Gast)", party.place),
            (Lang::German, Place::Space(_), 2..) => {
                format!("{} ({} Gäste)", party.place, party.guests)
            }
            (Lang::German, Place::Network(_) | Place::Tenant(_), 1) => {
                format!("1 Gast in {}", party.place)
            }
            (Lang::German, Place::Network(_) | Place::Tenant(_), guests) => {
                format!("{guests} Gäste in {}", party.place)
            }
            _ => party.to_string(),
        };
        text::clean(&text)
    }

    /// What a quota or capacity is of.
    pub(crate) fn resource(self, resource: &str) -> String {
        let (english, german) = match resource {
            "vcpus" => ("vCPU", "vCPU"),
            "memory" => ("RAM", "RAM"),
            "storage" => ("storage", "Speicherplatz"),
            "vms" => ("VMs", "VMs"),
            "addresses" => ("addresses", "Adressen"),
            other => return text::clean(other),
        };
        self.say(english, german).to_owned()
    }
}

fn german(effect: Effect, who: &BTreeSet<&Address>) -> String {
    let n = who.len();
    let one = n == 1;
    let all_guests = who.iter().all(|address| address.kind() == "vm");
    let things = match (all_guests, one) {
        (true, true) => "1 VM".to_owned(),
        (true, false) => format!("{n} VMs"),
        (false, true) => "1 Objekt".to_owned(),
        (false, false) => format!("{n} Objekte"),
    };
    let changes = if one { "1 Änderung".to_owned() } else { format!("{n} Änderungen") };
    let be = if one { "wird" } else { "werden" };
    match effect {
        Effect::Blocked => format!("{changes} nicht möglich"),
        Effect::LosesData => {
            format!("{things} {} Daten", if one { "verliert" } else { "verlieren" })
        }
        Effect::MadeAnew => format!("{things} {be} neu erstellt"),
        Effect::SwitchedOff => format!("{things} {be} gestoppt"),
        Effect::Stopped => format!("{things} {be} gestoppt und gestartet"),
        Effect::Migrated => {
            format!("{things} {} auf einen anderen Host", if one { "zieht" } else { "ziehen" })
        }
        Effect::Waits => {
            format!("{changes} {} auf das Stoppen des Gasts", if one { "wartet" } else { "warten" })
        }
        Effect::Live => format!("{changes} im laufenden Betrieb"),
        Effect::Recorded => format!("{changes} nur in den Aufzeichnungen"),
        Effect::Created => format!("{n} neu"),
        Effect::Deleted => format!("{n} gelöscht"),
        Effect::Adopted => format!("{n} übernommen"),
        Effect::Moved => format!("{n} umbenannt"),
        Effect::Forgotten => format!("{n} nicht mehr verwaltet"),
    }
}
/// The name of a day, which stands first in a [`Moment`].
fn german_day(english: &str) -> &str {
    match english {
        "Mon" => "Mo",
        "Tue" => "Di",
        "Wed" => "Mi",
        "Thu" => "Do",
        "Fri" => "Fr",
        "Sat" => "Sa",
        "Sun" => "So",
        other => other,
    }
}
