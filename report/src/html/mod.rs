//! One file for people who decide: what the comment says, with pictures, search and filter. It asks
//! nothing of any network, can be read without scripts, and holds the native plan, so that it is the
//! record of what was decided as well.

mod changes;
mod exposure;
mod inert;
mod neighbours;
mod summary;
mod timeline;
mod topology;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use tcloud_model::{Address, Impact};
use tcloud_planner::plan::{Action, Change};

use crate::format::Report;
use crate::group::Group;
use crate::guest::{self, Guest};
use crate::json;
use crate::label;
use crate::lang::Lang;
use crate::markup::escaped;
use crate::text;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let page = Page::new(report);
    to.write_all(page.head().as_bytes())?;
    for part in [
        page.summary(),
        page.changes(),
        topology::render(&page),
        neighbours::render(&page),
        timeline::render(&page),
        page.rest(),
    ] {
        to.write_all(part.as_bytes())?;
    }
    to.write_all(b"</main>\n<script type=\"application/json\" id=\"plan\">\n")?;
    let mut plan = Vec::new();
    json::write(report.plan, report.about, report.silent, &mut plan)?;
    // In JSON `<` can only stand in a text, where it may be written otherwise.
    to.write_all(String::from_utf8_lossy(&plan).replace('<', "\\u003c").as_bytes())?;
    write!(to, "</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n")
}

/// What the page is made of.
struct Page<'a> {
    report: &'a Report<'a>,
    lang: Lang,
    groups: Vec<Group<'a>>,
    guests: Vec<Guest<'a>>,
    tenant: Option<&'a Address>,
}

impl<'a> Page<'a> {
    fn new(report: &'a Report<'a>) -> Page<'a> {
        Page {
            report,
            lang: report.lang,
            groups: Group::all(report.plan),
            guests: guest::all(report.plan),
            tenant: label::only_tenant(report.plan),
        }
    }

    /// Everything up to the first section. Only this script and this style may be used, and nothing
    /// may be fetched.
    fn head(&self) -> String {
        let plan = self.report.plan;
        let name = escaped(&plan.deployment.name);
        let headline = escaped(&self.report.about.headline(self.lang, plan));
        let title = self.report.about.title(self.lang, &name);
        format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; \
             form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <link rel=\"icon\" href=\"data:,\">\n<title>{title}: {headline}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}: {headline}</h1>\n",
            self.lang.code(),
            hash(STYLE),
            hash(SCRIPT),
        )
    }

    /// An address, without the tenant that all have in common.
    fn label(&self, address: &Address) -> String {
        text::clean(&label::label(address, self.tenant))
    }
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// How a change looks. It is always said in words as well.
fn class(change: &Change) -> &'static str {
    match (change.now().unwrap_or(Impact::None), change.deed()) {
        (Impact::RecreateLose | Impact::Blocked, _) => "danger",
        (_, Action::Create) => "new",
        (Impact::PowerCycle | Impact::RecreateKeep, _) | (_, Action::Delete) => "warn",
        _ => "calm",
    }
}
